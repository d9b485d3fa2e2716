"""linkspan.yaml: what it means, and that every mistake is named with its line and its cure."""

import contextlib
import re
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linkspan.config import load
from linkspan.config.example import EXAMPLE
from linkspan.config.home import home
from linkspan.core.errors import ConfigError

WHOLE = (Path(__file__).parent / "whole.yaml").read_text(encoding="utf-8")


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "linkspan.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_whole_shape(write, tmp_path: Path) -> None:
    config = load(write(WHOLE))
    dev, prod = config.instances["dev"], config.instances["prod"]
    assert (dev.url, dev.environment, dev.requests_per_minute) == ("http://127.0.0.1:8081", "development", 0)
    assert dev.admin is not None
    assert (dev.admin.scheme, dev.admin.user, dev.admin.secret) == ("basic", "admin", "env:DEV_ADMIN")
    assert (prod.ca, prod.proxy, prod.requests_per_minute) == (tmp_path / "ca.pem", None, 300)
    responder = config.accounts["responder"]
    assert (responder.recipe, responder.profile, responder.user_name) == (
        "incident-io",
        "least",
        "svc.responder",
    )
    assert (responder.instances, responder.scheme, responder.owner) == (
        ("dev", "prod"),
        "oauth_client",
        "abel.tuter",
    )
    desk, major = config.syncs["desk"], config.syncs["major"]
    assert (desk.peer, desk.instance, desk.account, desk.poll_seconds, desk.push) == (
        "desk",
        "prod",
        "responder",
        2.0,
        False,
    )
    assert (major.api_key, major.webhook_secrets, major.push) == ("env:IO_KEY", ("env:IO_HOOK",), True)
    assert (config.hub.host, config.hub.port, config.hub.tokens) == (
        "127.0.0.1",
        8700,
        ("env:LINKSPAN_TOKEN",),
    )
    assert config.findings["cluster"].budget_per_hour == 50
    assert config.ingest["prod"].streams["incident"].exclude == ("description", "comments")
    assert config.scan["suites"] == ["accounts", "security"]


def test_every_value_knows_its_line(write) -> None:
    config = load(write(WHOLE))
    assert config.accounts["reader"].where == "linkspan.yaml:8"
    assert config.where("accounts", "reader", "scheme") == "linkspan.yaml:9"
    assert config.where("sync", "desk", "filter") == "linkspan.yaml:11"  # not written: its entry
    assert config.where("nothing", "of", "this") == "linkspan.yaml:1"


def test_the_example_loads(write) -> None:
    config = load(write(EXAMPLE))
    assert list(config.instances) == ["dev"]
    assert config.instances["dev"].requests_per_minute == 600


def test_the_example_loads_with_every_comment_taken_as_meant(write) -> None:
    text = re.sub(r"(?m)^( *)# (?= *[a-z_]+:)", r"\1", EXAMPLE)
    text = re.sub(r"account: (scanner|reader)", "account: responder", text)
    config = load(write(text))
    assert config.instances["dev"].proxy == "http://proxy.example:3128"
    assert config.syncs["desk"].filter == "category=network"
    assert config.syncs["major"].follow_ups == "task"
    assert config.findings["code"].budget_per_hour == 50
    assert config.ingest["dev"].streams["incident"].hash == ("caller_id",)
    assert config.satellites


def test_where_the_browser_comes_back_to(write) -> None:
    assert load(write(WHOLE)).accounts["responder"].redirect_port == 8705
    text = WHOLE.replace("scheme: oauth_client}", "scheme: oauth_code, redirect_port: 9000}")
    assert load(write(text)).accounts["responder"].redirect_port == 9000


WRONG = [
    ("owner: abel.tuter", "redirect_port: 80", 7, "80 is too small", "1024"),
    ("owner: abel.tuter", "redirect_port: 65536", 7, "65536 is no port", "65535"),
    ("version: 1\n", "", 1, "version is missing", "version: 1"),
    ("version: 1", "version: 2", 1, "version 1", "version: 1"),
    ("version: 1", "version: 1\nversion: 1", 2, "twice", "keep one"),
    ("profile: least", "profle: least", 7, "unknown key profle", "profile"),
    ("scheme: basic, user: admin", "scheme: basik, user: admin", 3, "basik", "basic"),
    ("environment: production", "environment: prodction", 4, "prodction", "production"),
    ("environment: production, ", "", 4, "environment is missing", "environment"),
    ("instances: [dev, prod]", "instances: [dev, prd]", 7, "prd", "prod"),
    ("instances: [dev, prod]", "instances: [dev, dev]", 7, "twice", "dev"),
    ("instances: [dev, prod]", "instances: dev", 7, "this is text", "a list"),
    ("user_name: svc.reader", "user_name: svc.responder", 8, "svc.responder", "own user_name"),
    ("  reader:", "  Reader One:", 8, "cannot be a name", "a-z"),
    (
        "https://acme.service-now.com",
        "http://acme.service-now.com",
        4,
        "in the clear",
        "https://acme.service-now.com",
    ),
    (
        "https://acme.service-now.com",
        "https://acme.service-now.com/nav_to.do",
        4,
        "behind the host",
        "https://acme.service-now.com",
    ),
    (
        "https://acme.service-now.com",
        "https://acme.service-now.com?a=1",
        4,
        "behind the host",
        "https://acme.service-now.com",
    ),
    (
        "https://acme.service-now.com",
        "acme.service-now.com",
        4,
        "not an instance url",
        "https://acme.service-now.com",
    ),
    ("https://acme.service-now.com", "acme", 4, "not an instance url", "https://acme.service-now.com"),
    ("https://acme.service-now.com", "https://me:pw@acme.service-now.com", 4, "holds a user", "admin"),
    ("user_name: svc.reader", "user_name: 'javascript:gs.log(1)'", 9, "javascript", "as the instance has it"),
    ("user_name: svc.reader", 'user_name: "svc\\nreader"', 9, "line break", "as the instance has it"),
    ("owner: abel.tuter", "owner: ' JavaScript:x'", 7, "javascript", "as the instance has it"),
    ('listen: "127', 'url: "hub.acme.com", listen: "127', 17, "not a url", "https://"),
    ('listen: "127', 'url: "https://acme.com/hub", listen: "127', 17, "behind the host", "https://acme.com"),
    ("https://acme.service-now.com", "https://acme.service-now.com:x", 4, "not a url", "https://"),
    ("https://acme.service-now.com", "http://127.0.0.1:8081", 4, "same url as dev", "own url"),
    ("proxy: null", "proxy: socks", 4, "proxy", "http://host:port"),
    ("requests_per_minute: 300", "requests_per_minute: -1", 4, "too small", "0 or more"),
    ("requests_per_minute: 300", "requests_per_minute: yes", 4, "this is text", "whole number"),
    ("client_id: c, ", "", 5, "client_id is missing", "client_id"),
    (
        "account: responder, poll_seconds: 2",
        "account: reponder, poll_seconds: 2",
        11,
        "reponder",
        "responder",
    ),
    (
        "peer: desk, instance: prod, account: responder",
        "peer: desk, instance: dev, account: reader",
        11,
        "not on dev",
        "prod",
    ),
    ("poll_seconds: 2", "poll_seconds: 0", 11, "too small", "0.1"),
    ("poll_seconds: 2", "filter: a=1^ORDERBYb", 11, "may not sort", "ORDERBY"),
    ("push: false", "push: no", 11, "this is text", "true or false"),
    ('"env:IO_HOOK"', "5", 13, "this is a number", "text"),
    ("budget_per_hour: 50", "budget_per_hour: 0", 14, "too small", "1 or more"),
    ("ingest:   {prod:", "ingest:   {prd:", 15, "prd", "prod"),
    ("hash: [caller_id]", "hsh: [caller_id]", 15, "unknown key hsh", "hash"),
    ("127.0.0.1:8700", "127.0.0.1", 17, "not host:port", "127.0.0.1:8700"),
    ("127.0.0.1:8700", "hub.acme.com:80", 17, "not an address", "127.0.0.1:8700"),
    ('"127.0.0.1:8700", tokens: ["env:LINKSPAN_TOKEN"]', '"0.0.0.0:8700"', 17, "without a token", "tokens"),
    ("scan:  ", "scan: [", 17, "not YAML", "brackets"),
]


@pytest.mark.parametrize(("good", "bad", "line", "cause", "fix"), WRONG)
def test_a_mistake_is_named(write, good: str, bad: str, line: int, cause: str, fix: str) -> None:
    assert good in WHOLE
    with pytest.raises(ConfigError) as caught:
        load(write(WHOLE.replace(good, bad, 1)))
    error = caught.value
    assert error.exit_code == 2
    assert error.where == f"linkspan.yaml:{line}"
    assert cause in error.cause
    assert fix in error.fix


@pytest.mark.parametrize(
    "good",
    [
        '"env:DEV_ADMIN"',
        '"env:PROD_ADMIN"',
        '"env:IO_KEY"',
        '"env:IO_HOOK"',
        '"env:RAD"',
        '"env:LINKSPAN_TOKEN"',
    ],
)
def test_a_secret_written_in_the_file_is_refused_and_not_repeated(write, good: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(WHOLE.replace(good, "hunter2", 1)))
    assert "not a secret reference" in caught.value.cause
    assert "hunter2" not in str(caught.value.problem())


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("https://acme.service-now.com", "https://me:hunter2@acme.service-now.com"),
        ("https://acme.service-now.com", "https://me:hunter2@acme.service-now.com:x"),
        ("https://acme.service-now.com", "https://me:80/hunter2//@acme.service-now.com"),
        ("https://acme.service-now.com", "me:hunter2@acme.service-now.com"),
        ("https://acme.service-now.com", "ftp://me:hunter2@acme.service-now.com"),
        ("proxy: null", 'proxy: "http://me:hunter2@[proxy:80"'),
        ("proxy: null", 'proxy: "ftp://me:hunter2@proxy:80"'),
    ],
)
def test_a_password_in_a_url_is_not_repeated(write, good: str, bad: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(WHOLE.replace(good, bad, 1)))
    assert caught.value.where == "linkspan.yaml:4"
    assert "hunter2" not in str(caught.value)


def test_a_proxys_password_is_not_shown(write) -> None:
    config = load(write(WHOLE.replace("proxy: null", 'proxy: "http://me:hunter2@proxy:80"')))
    assert config.instances["prod"].proxy == "http://me:hunter2@proxy:80"
    assert "hunter2" not in repr(config)


def test_the_hub_may_have_an_address_of_its_own(write) -> None:
    config = load(write(WHOLE.replace('listen: "127', 'url: "https://hub.acme.com/", listen: "127')))
    assert config.hub.url == "https://hub.acme.com"


def test_a_home_that_cannot_be_made(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").touch()
    for name in ("file", "file/home"):
        monkeypatch.setenv("LINKSPAN_HOME", str(tmp_path / name))
        with pytest.raises(ConfigError, match="cannot be made"):
            home()


def test_loopback_listens_without_tokens(write) -> None:
    config = load(
        write(WHOLE.replace(', tokens: ["env:LINKSPAN_TOKEN"]', "").replace("127.0.0.1:8700", "[::1]:0"))
    )
    assert (config.hub.host, config.hub.port) == ("::1", 0)


def test_another_address_listens_with_tokens(write) -> None:
    assert load(write(WHOLE.replace("127.0.0.1:8700", "0.0.0.0:80"))).hub.host == "0.0.0.0"


@pytest.mark.parametrize("text", ["", "[]", "a", "version: 1\n", "version: 1\ninstances: {}\n", "\x00"])
def test_files_that_say_nothing(write, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(text))
    assert caught.value.where.startswith("linkspan.yaml")


ANCHORS = """\
version: 1
instances:
  dev: &common
    url: "https://dev.example.com"
    environment: development
  qa:
    <<: *common
    url: "https://qa.example.com"
"""


def test_anchors_are_understood(write) -> None:
    config = load(write(ANCHORS))
    assert config.instances["qa"].environment == "development"
    with pytest.raises(ConfigError) as caught:
        load(write(ANCHORS.replace("environment: development", "environment: dev")))
    assert caught.value.where == "linkspan.yaml:5"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_refused_or_read_and_nothing_else_happens(write, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(WHOLE)))
    end = data.draw(st.integers(start, min(len(WHOLE), start + 40)))
    inserted = data.draw(st.text(alphabet=" \n:[]{},&*!|>-'\"#%@`?~0.e_ab<", max_size=6))
    path = write(WHOLE[:start] + inserted + WHOLE[end:])
    with contextlib.suppress(ConfigError):
        assert load(path).instances


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load(tmp_path / "linkspan.yaml")


def test_the_transaction_quota_is_the_platforms_unless_written(write) -> None:
    text = ANCHORS + "    transaction_seconds: 5\n"
    instances = load(write(text)).instances
    assert (instances["dev"].transaction_seconds, instances["qa"].transaction_seconds) == (60, 5)


def test_the_example_uses_a_recipe_that_is_shipped(tmp_path: Path) -> None:
    path = tmp_path / "linkspan.yaml"
    path.write_text(EXAMPLE)
    recipes = Path(str(files("linkspan.provision") / "recipes"))
    assert {account.recipe for account in load(path).accounts.values()} <= {f.stem for f in recipes.iterdir()}
