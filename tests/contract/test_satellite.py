"""A satellite between a running instance and a running hub: what is visible there is stored here."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import psutil
import pytest
from starlette.responses import Response

from linkspan.cli import run
from linkspan.connection.uplink import digest
from linkspan.core import clock
from linkspan.core.errors import NotAuthenticated, Stale, Unreachable
from linkspan.ingest.values import Batch, Column, Shape, State
from linkspan.satellite import courier
from linkspan.satellite.run import Done
from linkspan.store import Database
from linkspan.store.warehouse import Warehouse, lease
from tests.contract.accounts import last_request, requests_since
from tests.contract.ground import KEY, PASSWORD, Hub, Site
from tests.contract.intake import hide, plant

COLUMNS = (
    Column(name="sys_id"),
    Column(name="sys_updated_on", kind="timestamp"),
    Column(name="sys_mod_count", kind="integer"),
    Column(name="short_description"),
)
HOPS = (
    "host",
    "connection",
    "content-length",
    "content-encoding",
    "transfer-encoding",
    "proxy-authorization",
)
CANARY = "Zugvogel-c4n4ry-55e1"


@pytest.fixture(autouse=True)
def satellite_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(courier, "IDLE_SECONDS", 0.05)
    monkeypatch.setenv("SATELLITE_KEY", KEY)
    monkeypatch.setenv("READER_PASSWORD", PASSWORD)
    monkeypatch.setenv("HASH_KEY", "5" * 64)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    Database.open(folder).close()
    return folder / "linkspan.db"


@pytest.fixture
def hub(tmp_path: Path, store: Path) -> Iterator[Hub]:
    hub = Hub(tmp_path, store)
    yield hub
    hub.stop()


@pytest.fixture
def site(tmp_path: Path, wavetank: Any, hub: Hub) -> Site:
    return Site(tmp_path, wavetank, hub)


def incidents(count: int, **more: str) -> list[dict[str, str]]:
    return [
        {
            "short_description": f"n{n}",
            "sys_updated_on": f"2026-{1 + n % 9:02}-{1 + n % 28:02} 10:00:00",
            **more,
        }
        for n in range(count)
    ]


def test_what_the_instance_shows_is_stored_by_the_hub(site: Site, hub: Hub, wavetank: Any) -> None:
    plant(wavetank, "incident", incidents(120))
    done = site.once()
    assert done["exit"] == 0, done
    assert site.equal()
    assert {name: one["verified"] for name, one in done["result"]["streams"].items()} == {
        "acme-4711/change_request": True,
        "acme-4711/incident": True,
        "acme-4711/sys_user": True,
    }
    assert done["result"]["spool"] == {"batches": 0, "bytes": 0}
    plant(wavetank, "incident", incidents(3))
    assert pass_through(site).verified
    assert site.equal()


def only_incidents(site: Site, treatment: str = "", own: str = "", url: str = "", ca: str = "") -> None:
    more = f"    streams: {{incident: {{{treatment}}}}}\n"
    site.write(own=own, more=more + (f"    ca: {ca}\n" if ca else ""), url=url)


def pass_through(site: Site, home: Path | None = None) -> Done:
    """One pass in this process."""
    with site.satellite(home) as satellite:
        return satellite.once()


def codes(done: Done) -> list[str]:
    return [problem.code for problem in done.problems]


def batches(home: Path) -> list[Path]:
    return sorted((home / "batches").iterdir())


def test_a_change_and_a_deletion_follow(site: Site, hub: Hub, wavetank: Any) -> None:
    only_incidents(site)
    changed, deleted, *_ = plant(wavetank, "incident", incidents(12))
    assert pass_through(site).verified
    wavetank.control(
        f"records/incident/{changed['sys_id']}",
        {"short_description": "new", "sys_updated_on": "2026-10-01 10:00:00", "sys_mod_count": "7"},
        method="PATCH",
    )
    wavetank.control(f"records/incident/{deleted['sys_id']}", method="DELETE")
    done = pass_through(site)
    assert done.verified
    assert done.problems == []
    assert site.equal("incident")
    (row,) = hub.rows(where=f"sys_id = '{deleted['sys_id']}'")
    assert row["_deleted_at"] is not None


def test_a_record_behind_the_cursor_is_found_by_its_key(site: Site, hub: Hub, wavetank: Any) -> None:
    only_incidents(site)
    plant(wavetank, "incident", incidents(5))
    pass_through(site)
    plant(wavetank, "incident", [{"short_description": "late", "sys_updated_on": "2001-01-01 00:00:00"}])
    done = pass_through(site)
    assert done.verified
    assert site.equal("incident")
    assert [one["short_description"] for one in hub.rows(where="sys_updated_on < '2002-01-01'")] == ["late"]


@pytest.mark.slow
def test_the_hub_is_away_and_comes_back(site: Site, hub: Hub, wavetank: Any) -> None:
    """Collection goes on into the spool, and leaves it in order."""
    only_incidents(site)
    plant(wavetank, "incident", incidents(5))
    assert codes(pass_through(site)) == []
    hub.stop()
    for n in range(3):
        plant(wavetank, "incident", incidents(4, category=f"away{n}"))
        assert codes(pass_through(site)) == ["refused"]
    waiting = batches(site.home)
    assert len(waiting) == 3
    before = hub.live()
    hub.start()
    assert hub.live() == before
    done = pass_through(site)
    assert done.problems == []
    assert batches(site.home) == []
    assert site.equal("incident")


def test_a_satellite_that_never_had_the_word_of_the_hub_waits_for_it(site: Site, hub: Hub) -> None:
    only_incidents(site)
    before = last_request(site.instance)
    hub.stop()
    try:
        with pytest.raises(Unreachable):
            pass_through(site)
        assert requests_since(site.instance, before) == []
    finally:
        hub.start()


def test_an_answer_that_is_lost_stores_nothing_twice(site: Site, hub: Hub, wavetank: Any) -> None:
    only_incidents(site)
    plant(wavetank, "incident", incidents(20))
    lost: list[str] = []

    def lose(path: str) -> bool:
        if path.endswith("/batches") and len(lost) < 2:
            lost.append(path)
            return True
        return False

    hub.wire.lose = lose
    done = pass_through(site)
    assert done.problems == []
    assert len(lost) == 2
    assert 200 in [hub.wire.answers[n] for n, path in enumerate(hub.wire.paths) if path.endswith("batches")]
    assert site.equal("incident")


def test_a_batch_that_is_changed_on_the_way_is_sent_again(site: Site, hub: Hub, wavetank: Any) -> None:
    only_incidents(site)
    plant(wavetank, "incident", incidents(20))
    left = [lambda body: body[:-20], lambda body: body.replace(b'"n1"', b'"n2"')]

    def tamper(path: str, body: bytes) -> bytes:
        return left.pop()(body) if left and path.endswith("/batches") else body

    hub.wire.tamper = tamper
    done = pass_through(site)
    assert (done.problems, done.verified, left) == ([], True, [])
    assert hub.wire.answers.count(422) == 2
    assert len(hub.rows(where="short_description = 'n1'")) == 1


def test_a_batch_that_the_hub_never_takes_is_kept_and_told(site: Site, hub: Hub, wavetank: Any) -> None:
    only_incidents(site)
    plant(wavetank, "incident", incidents(20))
    hub.wire.tamper = lambda path, body: body + b" " if path.endswith("/batches") else body
    done = pass_through(site)
    assert codes(done) == ["digest"]
    assert len(batches(site.home)) == 1


@pytest.mark.slow
def test_one_instance_that_is_away_does_not_keep_the_other(site: Site, hub: Hub, wavetank: Any) -> None:
    only_incidents(site)
    plant(wavetank, "incident", incidents(20))
    with site.file.open("a") as file:
        file.write(
            "  - id: 2\n    url: http://127.0.0.1:1\n    username: u\n    application: servicenow\n"
            "    api_key: env:HASH_KEY\n    streams: {incident: {}}\n"
        )
    done = pass_through(site)
    assert codes(done) == ["refused"]
    assert site.equal("incident")


def send(hub: Hub, body: bytes, *, path: str = "batches", key: str = KEY, **headers: str) -> httpx2.Response:
    """As any stranger might."""
    standard = {
        "Authorization": f"Bearer {key}",
        "Content-Digest": digest(body),
        "Idempotency-Key": f"id-{len(hub.wire.paths)}",
        "Linkspan-Holder": "0" * 32,
    }
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.post(f"{hub.url}/satellites/acme/{path}", content=body, headers={**standard, **named})


def beat(hub: Hub, holder: str = "0" * 32, **more: Any) -> dict[str, Any]:
    said = {
        "holder": holder,
        "era": "",
        "version": "0",
        "fingerprint": "f",
        "clock": clock.now(),
        "spool_bytes": 0,
        "spool_batches": 0,
        "streams": [{"instance": "acme-4711", "table": "incident"}],
        "trouble": [],
        **more,
    }
    reply = send(hub, json.dumps(said).encode(), path="heartbeat")
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def batch(number: int = 1, **shape: Any) -> bytes:
    names = [column.name for column in COLUMNS]
    values = {
        "instance": "acme-4711",
        "host": "https://acme",
        "table": "incident",
        "columns": COLUMNS,
        "classes": ("incident",),
        **shape,
    }
    row = dict(zip(names, ("0" * 32, "2026-01-01 00:00:00", "1", "text"), strict=True))
    return Batch(shape=Shape(**values), state=State(number=number, cursor=""), rows=(row,)).encode()


def test_what_is_not_whole_is_refused(hub: Hub) -> None:
    era = beat(hub)["era"]
    good = batch()
    for body in (good[:-3], good.replace(b"text", b"tExt"), b"", good + b" "):
        refused = send(hub, body, Content_Digest=digest(good), Linkspan_Era=era)
        assert (refused.status_code, refused.json()["problems"][0]["code"]) == (422, "digest")
    assert send(hub, good, Content_Digest="", Linkspan_Era=era).status_code == 422
    assert hub.rows() == []
    assert send(hub, good, Idempotency_Key="one", Linkspan_Era=era).status_code == 202
    assert send(hub, good, Idempotency_Key="one", Linkspan_Era=era).status_code == 200
    other = send(hub, batch(2), Idempotency_Key="one", Linkspan_Era=era)
    assert (other.status_code, other.json()["problems"][0]["code"]) == (422, "key_reused")
    assert len(hub.rows()) == 1


@pytest.mark.parametrize(
    "shape",
    [
        {"instance": "other"},
        {"instance": 'acme-4711" AS x; --'},
        {"instance": "acme-"},
        {"instance": "acme-A"},
        {"table": 'incident"; DROP SCHEMA main; --'},
        {"table": "_linkspan"},
        {"columns": (*COLUMNS, Column(name='a"b'))},
        {"columns": (*COLUMNS, Column(name="_deleted_at"))},
        {"columns": (*COLUMNS, COLUMNS[-1])},
        {"columns": COLUMNS[1:]},
        {"columns": (*COLUMNS[:2], Column(name="sys_mod_count"), COLUMNS[3])},
        {"classes": ("a b",)},
    ],
)
def test_a_satellite_writes_its_own_streams_only(hub: Hub, shape: dict[str, Any]) -> None:
    era = beat(hub)["era"]
    refused = send(hub, batch(**shape), Linkspan_Era=era)
    assert refused.status_code == 422, refused.text
    assert hub.warehouse.streams() == []


@pytest.mark.parametrize("path", ["batches", "heartbeat", "census"])
@pytest.mark.parametrize("inside", ["[", '{"a":'])
def test_what_is_nested_without_end_is_refused(hub: Hub, path: str, inside: str) -> None:
    body = b'{"more": ' + inside.encode() * 200_000
    refused = send(hub, body, path=path, Linkspan_Era=beat(hub)["era"])
    assert (refused.status_code, refused.json()["problems"][0]["code"]) == (422, "invalid")


def test_a_field_that_is_absent_many_times_is_refused(hub: Hub) -> None:
    one = Batch.decode(batch())
    many = replace(one, absent=("short_description",) * 100_000).encode()
    refused = send(hub, many, Linkspan_Era=beat(hub)["era"])
    assert (refused.status_code, refused.json()["problems"][0]["code"]) == (422, "invalid")


@pytest.mark.slow
def test_a_missing_batch_is_noticed_and_the_stream_read_again(site: Site, hub: Hub, wavetank: Any) -> None:
    """The hub's warehouse was put back to an older state: what is stored is the truth."""
    only_incidents(site)
    plant(wavetank, "incident", incidents(9))
    pass_through(site)
    assert site.equal("incident")
    hub.warehouse.file.unlink()
    assert hub.live() == set()
    done = pass_through(site)
    assert done.problems == []
    done = pass_through(site)
    assert (done.problems, done.verified) == ([], True)
    assert site.equal("incident")


def test_a_satellite_that_lost_its_disk_goes_on_from_what_is_stored(
    site: Site, hub: Hub, wavetank: Any
) -> None:
    only_incidents(site)
    plant(wavetank, "incident", incidents(200))
    pass_through(site)
    shutil.rmtree(site.home)
    plant(wavetank, "incident", incidents(2, category="new"))
    hub.wire.bodies.clear()
    done = pass_through(site)
    assert (done.problems, done.verified) == ([], True)
    assert site.equal("incident")
    assert sum(len(one.rows) for one in sent_to(hub)) < 50


@pytest.mark.slow
def test_keys_are_exchanged_without_a_pause(
    site: Site, hub: Hub, monkeypatch: pytest.MonkeyPatch, wavetank: Any
) -> None:
    only_incidents(site)
    monkeypatch.setenv("NEXT_KEY", "the-next-key")
    hub.stop()
    hub.config.write_text(
        hub.config.read_text().replace('"env:SATELLITE_KEY"', '"env:SATELLITE_KEY", "env:NEXT_KEY"')
    )
    hub.start()
    for key in (KEY, "the-next-key"):
        monkeypatch.setenv("SATELLITE_KEY", KEY)
        assert send(hub, b"{}", path="heartbeat", key=key).status_code == 422
    hub.stop()
    hub.config.write_text(hub.config.read_text().replace('"env:SATELLITE_KEY", ', ""))
    hub.start()
    with pytest.raises(NotAuthenticated) as refused:
        pass_through(site)
    assert "satellite.api_key" in refused.value.fix
    assert send(hub, b"{}", path="heartbeat", key="x").status_code == 401
    monkeypatch.setenv("SATELLITE_KEY", "the-next-key")
    assert pass_through(site).verified
    assert send(hub, b"{}", path="heartbeat", key=KEY).status_code == 401
    assert httpx2.post(f"{hub.url}/satellites/nobody/heartbeat", content=b"{}").status_code == 401


@pytest.mark.slow
def test_the_second_of_two_satellites_stands_by(site: Site, hub: Hub, wavetank: Any) -> None:
    only_incidents(site)
    plant(wavetank, "incident", incidents(5))
    second = site.folder / "second"
    first = site.satellite()
    try:
        first._first_beat()
        before = last_request(wavetank)
        with pytest.raises(Stale, match="another satellite"):
            pass_through(site, second)
        assert requests_since(wavetank, before) == []
        era = first._spool.era
    finally:
        first.close()  # says that it leaves
    assert pass_through(site, second).verified
    assert site.equal("incident")
    # The first comes back: another had the lease, so what it kept is behind and goes.
    with site.satellite() as first:
        first._first_beat()
        assert first._spool.era not in ("", era)
        assert first._spool.state(("acme-4711", "incident")).number > 0


@pytest.mark.slow
def test_what_was_read_before_another_took_over_is_discarded(site: Site, hub: Hub, wavetank: Any) -> None:
    only_incidents(site)
    plant(wavetank, "incident", incidents(5))
    pass_through(site)
    hub.stop()
    plant(wavetank, "incident", incidents(5, category="a"))
    pass_through(site)
    assert len(batches(site.home)) == 1
    stale = batches(site.home)[0].read_bytes().partition(b"\n")[2]
    hub.start()
    assert pass_through(site, site.folder / "second").verified
    refused = send(hub, stale, Linkspan_Holder=site.satellite_holder(), Linkspan_Era="of the past")
    assert (refused.status_code, refused.json()["problems"][0]["code"]) == (409, "era")
    done = pass_through(site)
    assert (done.problems, done.verified) == ([], True)
    assert site.equal("incident")


@pytest.mark.slow
def test_a_batch_that_was_damaged_on_the_disk_is_read_again(site: Site, hub: Hub, wavetank: Any) -> None:
    only_incidents(site)
    plant(wavetank, "incident", incidents(5))
    pass_through(site)
    hub.stop()
    plant(wavetank, "incident", incidents(5, category="b"))
    pass_through(site)
    (path,) = batches(site.home)
    path.write_bytes(path.read_bytes().replace(b"n1", b"n9"))
    hub.start()
    pass_through(site)
    assert pass_through(site).verified
    assert site.equal("incident")
    assert b"n9" not in b"".join(body for body in hub.wire.bodies if b'"category":"b"' in body)


@pytest.mark.slow
def test_the_authority_of_the_company_signed_the_instances_certificate(
    site: Site, hub: Hub, wavetank: Any
) -> None:
    only_incidents(site, url=wavetank.tls_url)
    refused = pass_through(site)
    assert codes(refused) == ["tls"]
    assert "ca" in refused.problems[0].fix
    only_incidents(site, url=wavetank.tls_url, ca=str(wavetank.ca))
    done = pass_through(site)
    assert (done.problems, done.verified) == ([], True)
    assert site.equal("incident")


def test_lost_rights_are_not_taken_for_deletions(site: Site, hub: Hub, wavetank: Any) -> None:
    only_incidents(site)
    plant(wavetank, "incident", incidents(60, category="secret"))
    assert pass_through(site).verified
    hide(wavetank, "category!=secret")
    done = pass_through(site)
    assert codes(done) == ["visibility_changed"]
    assert hub.rows(where="_deleted_at IS NOT NULL") == []


@pytest.mark.slow
def test_lost_rights_show_although_the_hub_names_only_a_part(
    site: Site, hub: Hub, wavetank: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer has room for some ids; what counts is how many are gone."""
    monkeypatch.setattr("linkspan.flows.satellites.MOST_IDS", 5)
    wavetank.control("settings", {"total_count": "after_acl"})
    only_incidents(site)
    plant(wavetank, "incident", incidents(60, category="secret"))
    assert pass_through(site).verified
    hide(wavetank, "category!=secret")
    done = pass_through(site)
    assert codes(done) == ["visibility_changed"]
    assert hub.rows(where="_deleted_at IS NOT NULL") == []


@pytest.mark.slow
def test_a_few_hidden_records_are_not_taken_for_deletions(site: Site, hub: Hub, wavetank: Any) -> None:
    only_incidents(site)
    plant(wavetank, "incident", [*incidents(60), *incidents(2, category="secret")])
    assert pass_through(site).verified
    hide(wavetank, "category!=secret")
    done = pass_through(site)
    assert codes(done) == ["visibility_changed"]
    assert not done.verified
    assert hub.rows(where="_deleted_at IS NOT NULL") == []


@pytest.mark.slow
def test_an_excluded_text_is_nowhere(site: Site, hub: Hub, wavetank: Any) -> None:
    """In no request, no file on either side, nothing sent and nothing printed."""
    planted = {name: f"{CANARY} {name}" for name in ("description", "close_notes")}
    plant(wavetank, "incident", [{"short_description": "kept", "caller_id": CANARY, **planted}])
    only_incidents(
        site, "exclude: [description, close_notes], hash: [caller_id]", own="  hash_key: env:HASH_KEY\n"
    )
    wavetank.control("faults", [{"match": {"table": "incident"}, "do": "truncate", "after": 2, "times": 1}])
    first = site.once()
    hub.wire.before = lambda path, _body: Response(status_code=500) if path.endswith("/batches") else None
    plant(wavetank, "incident", [{"short_description": "again", "caller_id": CANARY, **planted}])
    second = site.once()  # stays in the spool
    assert (first["exit"], second["exit"]) == (0, 3)
    assert len(batches(site.home)) == 1
    assert b"again" in batches(site.home)[0].read_bytes()
    assert json.dumps([first, second]).count(CANARY) == 0
    for folder in (site.folder, hub.home):
        found = [
            path for path in folder.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()
        ]
        assert found == []
    assert [body for body in hub.wire.bodies if CANARY.encode() in body] == []
    (row,) = hub.rows(where="short_description = 'kept'")
    assert len(row["caller_id"]) == 64
    assert "description" not in row


@pytest.mark.slow
def test_a_satellite_listens_nowhere_and_ends_when_it_is_told(site: Site, hub: Hub, wavetank: Any) -> None:
    plant(wavetank, "incident", incidents(5))
    process = site.process()
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    assert ready["event"] == "ready"
    until(site.equal)
    seen = psutil.Process(process.pid)
    sockets = [one for child in (seen, *seen.children()) for one in child.net_connections(kind="all")]
    assert [one for one in sockets if one.status == psutil.CONN_LISTEN] == []
    plant(
        wavetank,
        "incident",
        [{"short_description": "live", "sys_updated_on": clock.platform_time(time.time())}],
    )
    until(site.equal)
    began = time.monotonic()
    process.terminate()
    assert process.wait(12) == 0
    assert time.monotonic() - began < 10


@pytest.mark.slow
def test_a_satellite_that_is_stopped_by_a_person_can_be_resumed(site: Site) -> None:
    process = site.process()
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(12) == 4


@pytest.mark.slow
@pytest.mark.parametrize("moment", [1, 2, 4])
def test_a_kill_in_the_middle_ends_in_equality(site: Site, hub: Hub, wavetank: Any, moment: int) -> None:
    """kill -9 at the nth batch that reaches the hub, before the satellite hears that it did."""
    plant(wavetank, "incident", incidents(300))
    process: subprocess.Popen[str] | None = None
    seen = 0

    def kill(path: str) -> bool:
        nonlocal seen
        seen += path.endswith("/batches")
        if seen == moment and process is not None:
            process.kill()
        return False

    hub.wire.lose = kill
    process = site.process()
    assert process.wait(60) == -signal.SIGKILL
    hub.wire.lose = lambda _path: False
    done = pass_through(site)
    assert (done.problems, done.verified) == ([], True)
    assert site.equal()


def until(true: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.3)


def test_the_hub_tells_of_its_satellites(
    site: Site,
    hub: Hub,
    wavetank: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    only_incidents(site)
    plant(wavetank, "incident", incidents(5))
    monkeypatch.setenv("LINKSPAN_HOME", str(hub.home))
    line = ["ingest", "status", "--config", str(hub.config)]
    assert run([*line]) == 0
    assert "no satellite was ever heard of" in capsys.readouterr().out
    beat(hub, holder="a" * 32, clock=clock.now() - 90, leaving=True)
    assert pass_through(site).verified
    assert run([*line, "--json"]) == 0
    tenant = json.loads(capsys.readouterr().out)["result"]["satellites"]["acme"]
    left, ours = sorted(tenant["satellites"], key=lambda one: one["holder"] != "a" * 32)
    assert -91 < left["skew_s"] < -89
    assert (ours["left"], ours["held"], ours["silent"], ours["spool_batches"]) == (True, False, False, 0)
    assert ours["streams"][0]["verified"] is True
    assert tenant["streams"]["acme-4711/incident"]["stored"] == len(hub.live())
    assert run([*line]) == 0
    assert "stopped, last heard of" in capsys.readouterr().out
    assert run(["metrics", "mttr", "--config", str(hub.config), "--instance", "acme-4711", "--json"]) == 0


@pytest.mark.slow
def test_a_stream_that_is_added_goes_on_from_what_is_stored(site: Site, hub: Hub, wavetank: Any) -> None:
    """It was read before, and left out for a while."""
    plant(wavetank, "incident", incidents(5))
    only_incidents(site)
    pass_through(site)
    site.write(more="    streams: {change_request: {}}\n")
    shutil.rmtree(site.home)
    pass_through(site)
    plant(wavetank, "incident", [{"short_description": "later"}])
    only_incidents(site)
    numbers = [one.state.number for one in sent_to(hub)]
    assert (pass_through(site).verified, hub.wire.answers[-1]) == (True, 200)
    assert site.equal("incident")
    assert max(one.state.number for one in sent_to(hub)) > max(numbers)


def test_a_busy_warehouse_asks_for_patience(hub: Hub) -> None:
    era = beat(hub)["era"]
    object.__setattr__(hub.satellites, "warehouse", Warehouse(hub.home, wait=0.1))
    with lease(hub.home / "warehouse.lock", "a test", wait=1):
        busy = send(hub, batch(), Linkspan_Era=era)
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "5")
    assert busy.json()["problems"][0]["code"] == "warehouse_busy"
    assert send(hub, batch(), Linkspan_Era=era).status_code == 202


@pytest.mark.slow
def test_the_way_to_the_hub_leads_through_the_proxy(site: Site, hub: Hub, wavetank: Any) -> None:
    plant(wavetank, "incident", incidents(5))
    with Proxy() as proxy:
        own = f"  proxy: {{host: 127.0.0.1, port: {proxy.port}, username: me, password: env:HASH_KEY}}\n"
        only_incidents(site, own=own)
        assert pass_through(site).verified
        assert proxy.passed
        assert {urlsplit(url).port for url, _ in proxy.passed} == {hub.port}
        assert {who for _, who in proxy.passed} == {b64encode(b"me:" + b"5" * 64).decode()}
        proxy.passed.clear()
        only_incidents(site, own=own.replace("}", ", all_traffic: true}"))
        assert pass_through(site).verified
        assert urlsplit(wavetank.url).port in {urlsplit(url).port for url, _ in proxy.passed}


def sent_to(hub: Hub) -> list[Batch]:
    return [Batch.decode(body) for body in hub.wire.bodies if b'"shape"' in body]


class Proxy:
    """A forward proxy for plain HTTP that remembers what passed it, and as whom."""

    def __enter__(self) -> Proxy:
        passed: list[tuple[str, str]] = []

        class Forward(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                headers = {name: value for name, value in self.headers.items() if name.lower() not in HOPS}
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                who = self.headers.get("proxy-authorization", "").removeprefix("Basic ")
                passed.append((self.path, who))
                with httpx2.Client(trust_env=False) as client:
                    reply = client.request(self.command, self.path, content=body, headers=headers)
                self.send_response(reply.status_code)
                for name, value in reply.headers.items():
                    if name.lower() not in HOPS:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.content)))
                self.end_headers()
                self.wfile.write(reply.content)

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_: Any) -> None: ...

        self.passed = passed
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Forward)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
