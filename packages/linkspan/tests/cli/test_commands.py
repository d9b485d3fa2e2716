from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from linkspan.cli import run

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
CONFIG = """\
version: 1
instances:
  dev:
    url: "http://127.0.0.1:9"
    environment: development
    admin: {scheme: basic, user: admin, secret: "env:DEV_ADMIN"}
accounts:
  responder: {recipe: sync, user_name: svc.responder, owner: abel.tuter, instances: [dev], scheme: basic}
"""


@pytest.fixture(autouse=True)
def house(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LINKSPAN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LINKSPAN_KEY", KEY)
    monkeypatch.setenv("DEV_ADMIN", "admin")
    monkeypatch.delenv("LINKSPAN_DATABASE_URL", raising=False)
    (tmp_path / "linkspan.yaml").write_text(CONFIG)
    return tmp_path


def answer(capsys, *arguments):
    code = run([*arguments, "--json"])
    document = json.loads(capsys.readouterr().out)
    assert document["exit"] == code
    return document


def test_help_starts_without_the_heavy_libraries():
    heavy = "sqlalchemy httpx2 rich fastapi dbos cryptography ruamel alembic"
    code = (
        "import sys; from linkspan.cli import run; run(['--help']);"
        f"print([name for name in '{heavy}'.split() if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ), check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    for command in ("plan", "apply", "preflight", "secrets", "init"):
        assert command in done.stdout


def test_init_writes_a_file_that_loads_and_never_overwrites(house, capsys):
    from linkspan.config import load

    target = house / "new.yaml"
    assert answer(capsys, "init", "--config", str(target))["ok"]
    assert load(target).accounts
    before = target.read_text()
    second = answer(capsys, "init", "--config", str(target))
    assert second["exit"] == 2
    assert target.read_text() == before


def test_a_missing_configuration_is_exit_2(capsys):
    document = answer(capsys, "plan", "--config", "none.yaml")
    assert document["exit"] == 2
    assert "none.yaml" in document["problems"][0]["where"] + document["problems"][0]["cause"]


def test_an_unreachable_instance_is_exit_3_for_plan(capsys):
    document = answer(capsys, "plan")
    assert document["exit"] == 3
    assert document["result"]["instances"]["dev"]["changes"] == []
    assert document["problems"][0]["where"] == "dev"


def test_an_unreachable_instance_is_a_failed_check_for_preflight(capsys):
    document = answer(capsys, "preflight")
    assert document["exit"] == 1
    outcomes = {check["check"]: check["outcome"] for check in document["result"]["checks"]}
    assert outcomes["url_form"] == "pass"
    assert outcomes["reachable"] == "fail"
    assert outcomes["login"] == "skip"
    failed = next(check for check in document["result"]["checks"] if check["outcome"] == "fail")
    assert failed["causes"][0]["id"] == "connection_refused"


def test_an_unknown_account_names_the_known_ones(capsys):
    document = answer(capsys, "plan", "nobody")
    assert document["exit"] == 2
    assert "responder" in document["problems"][0]["fix"]


def test_an_unknown_recipe_is_told_with_its_line(house, capsys):
    (house / "linkspan.yaml").write_text(CONFIG.replace("recipe: sync", "recipe: synk"))
    document = answer(capsys, "plan")
    assert document["exit"] == 2
    assert document["problems"][0]["where"] == "linkspan.yaml:8"


def test_a_changed_plan_file_is_refused(house, capsys):
    plan = {"checksum": "0" * 64, "instances": {"dev": {"changes": [], "brakes": []}}}
    (house / "plan.json").write_text(json.dumps({"result": plan}))
    document = answer(capsys, "apply", "--plan", "plan.json")
    assert document["exit"] == 2
    assert "changed" in document["problems"][0]["cause"]


def test_secrets_are_kept_and_listed_without_their_values(capsys, monkeypatch):
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO("hush-hush\n"))
    assert answer(capsys, "secrets", "set", "pager")["result"] == {
        "name": "store:pager",
        "state": "confirmed",
    }
    made = answer(capsys, "secrets", "set", "dev/responder/basic", "--generate")
    assert made["result"]["state"] == "pending"
    run(["secrets", "list", "--json"])
    out = capsys.readouterr().out
    assert "hush-hush" not in out
    assert json.loads(out)["result"]["secrets"] == [
        {"name": "store:dev/responder/basic", "state": "pending"},
        {"name": "store:pager", "state": "confirmed"},
    ]


def test_sync_status_works_before_anything_else_and_names_the_budget(house, capsys):
    sync = "sync:\n  desk: {peer: desk, instance: dev, account: responder}\n"
    (house / "linkspan.yaml").write_text(CONFIG + sync)
    desk = answer(capsys, "sync", "status")["result"]["syncs"]["desk"]
    assert (desk["state"], desk["quiet"], desk["links"]) == ("stopped", False, 0)
    assert desk["budget"] == {"requests_per_minute": None}
    limited = CONFIG.replace(
        "environment: development", "environment: development\n    requests_per_minute: 90"
    )
    (house / "linkspan.yaml").write_text(limited + sync)
    desk = answer(capsys, "sync", "status")["result"]["syncs"]["desk"]
    assert desk["budget"] == {"requests_per_minute": 90}


def test_state_is_for_its_owner_only_in_a_home_that_others_may_enter(house, capsys):
    home = house / "home"
    home.mkdir(mode=0o755)
    before = os.umask(0o022)
    try:
        answer(capsys, "plan")
    finally:
        os.umask(before)
    open_to_others = [file.name for file in home.iterdir() if file.stat().st_mode & 0o077]
    assert (home / "linkspan.db").exists()
    assert open_to_others == []


def test_a_sync_without_a_hub_says_what_is_missing(house, capsys):
    sync = "sync:\n  desk: {peer: desk, instance: dev, account: responder}\n"
    (house / "linkspan.yaml").write_text(CONFIG + sync)
    assert run(["sync", "status"]) == 0
    assert "linkspan serve" in capsys.readouterr().out


def test_serve_answers_in_json_when_it_cannot_start(house, capsys):
    (house / "linkspan.yaml").write_text(CONFIG + 'hub: {tokens: ["env:NO_SUCH_TOKEN"]}\n')
    document = answer(capsys, "serve")
    assert (document["command"], document["exit"]) == ("serve", 2)
    assert document["problems"][0]["where"] == "linkspan.yaml:9"
