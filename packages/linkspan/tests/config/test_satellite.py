"""satellite.yml: the vendor's file as it stands, our keys beside it, every mistake named with its line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from linkspan.config import load
from linkspan.config.satellite import load_satellite
from linkspan.core.errors import ConfigError, SecretUnavailable

# As the vendor's page prints it.
SAMPLE = """\
satellite:
  tenant: <ACCOUNT_NAME>
  api_key: <SEI_API_KEY>
  url: <SEI_ENV_URL>
integrations:
  - id: <INTEGRATION_ID>
    url: <SERVICENOW_URL>
    username: <SERVICENOW_USERNAME>
    application: servicenow
    api_key: <SERVICENOW_PASSWORD>
"""
VALUES = {
    "ACCOUNT_NAME": "Acme",
    "SEI_API_KEY": "env:SATELLITE_KEY",
    "SEI_ENV_URL": "https://linkspan.example.com/v1/",
    "INTEGRATION_ID": "4711",
    "SERVICENOW_URL": "https://acme.service-now.com/",
    "SERVICENOW_USERNAME": "svc.sei",
    "SERVICENOW_PASSWORD": "file:password",
}


def filled(**values: str) -> str:
    text = SAMPLE
    for name, value in {**VALUES, **values}.items():
        text = text.replace(f"<{name}>", value)
    return text


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "satellite.yml"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return path

    return write


def test_the_vendors_file_filled_in(
    write: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_satellite(write(filled()))
    (tmp_path / "password").write_text("secret\n")
    monkeypatch.setenv("SATELLITE_KEY", "key")
    assert (config.tenant, config.url, config.warnings) == ("acme", "https://linkspan.example.com/v1", ())
    assert config.api_key.resolve(config.base).reveal() == "key"
    (one,) = config.integrations
    assert (one.id, one.name, one.url) == ("4711", "acme-4711", "https://acme.service-now.com")
    assert (one.username, list(one.streams)) == ("svc.sei", ["incident", "change_request", "sys_user"])
    assert one.password.resolve(config.base).reveal() == "secret"
    assert config.instance(one).requests_per_minute == 600
    assert config.hub().proxy is None
    monkeypatch.delenv("SATELLITE_KEY")
    with pytest.raises(SecretUnavailable, match="SATELLITE_KEY"):
        config.api_key.resolve(config.base)


@pytest.mark.parametrize("name", VALUES)
def test_what_was_never_filled_in_is_named(write: Callable[[str], Path], name: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        load_satellite(write(filled(**{name: f"<{name}>"})))
    line = SAMPLE.split(f"<{name}>", maxsplit=1)[0].count("\n") + 1
    assert wrong.value.where == f"satellite.yml:{line}"
    assert f"<{name}> was never filled in" in wrong.value.cause


def test_a_secret_in_the_file_works_and_is_warned_about(write: Callable[[str], Path]) -> None:
    path = write(filled(SEI_API_KEY="plain-key", SERVICENOW_PASSWORD="pa55"))
    config = load_satellite(path)
    assert [warning.partition(" ")[0] for warning in config.warnings] == [
        "satellite.yml:3:",
        "satellite.yml:10:",
    ]
    assert config.api_key.resolve(path.parent).reveal() == "plain-key"
    assert "plain-key" not in repr(config) + "".join(config.warnings)
    assert "pa55" not in repr(config) + "".join(config.warnings)
    path.chmod(0o644)
    assert "chmod 600" in load_satellite(path).warnings[-1]


def test_our_keys_beside_the_vendors(write: Callable[[str], Path], tmp_path: Path) -> None:
    own = (
        "  ca: hub.pem\n  hash_key: env:HASH\n  poll_seconds: 30\n  spool_megabytes: 64\n"
        "  proxy: {host: proxy.example.com, port: 3128, username: u, password: 'file:p@ss', all_traffic: true}\n"
    )
    text = filled().replace("integrations:", own + "integrations:")
    text += "    ca: site.pem\n    streams: {incident: {exclude: [description], hash: [caller_id]}}\n"
    (tmp_path / "p@ss").write_text("a b@c")
    config = load_satellite(write(text))
    assert (config.ca, config.poll_seconds, config.spool_megabytes) == (tmp_path / "hub.pem", 30, 64)
    assert config.hub().proxy == "http://u:a%20b%40c@proxy.example.com:3128"
    (one,) = config.integrations
    assert config.instance(one).proxy == config.hub().proxy
    assert one.ca == tmp_path / "site.pem"
    assert one.streams["incident"].exclude == ("description",)
    quiet = load_satellite(write(text.replace(", all_traffic: true", "")))
    assert quiet.instance(one).proxy is None
    assert quiet.fingerprint != config.fingerprint


def test_other_applications_are_left_out(write: Callable[[str], Path]) -> None:
    other = "  - id: 1\n    url: https://jira\n    application: jira\n    api_key: x\n    metadata: {a: 1}\n"
    config = load_satellite(write(filled() + other))
    assert [one.id for one in config.integrations] == ["4711"]
    assert config.warnings[0].startswith("satellite.yml:13: an integration of jira is left out")
    with pytest.raises(ConfigError, match="no integration of ServiceNow"):
        load_satellite(write(filled().replace("servicenow\n", "jira\n", 1)))


@pytest.mark.parametrize(
    ("old", "new", "where", "said"),
    [
        ("  url: https://l", "  allow_unsafe_ssl: true\n  url: https://l", 4, "certificates are always checked → take it out, and name the authority"),
        ("    username", "    allow_unsafe_ssl: true\n    username", 8, "ca: company-ca.pem"),
        ("  tenant", "  tenent", 2, "did you mean tenant"),
        ("    username", "    user", 8, "did you mean username"),
        ("https://linkspan", "http://linkspan", 4, "write https://linkspan.example.com"),
        ("https://acme.service-now.com/", "https://acme.service-now.com/nav_to.do", 7, "write https://acme.service-now.com"),
        ("https://acme.service-now.com/", "https://me:pw@acme.service-now.com", 7, "this is not a url"),
        ("id: 4711", "id: a.b", 6, "cannot be used as a name"),
        ("file:password", "store:password", 10, "a satellite has no secret store"),
        ("    application", "    streams: {}\n    application", 9, "no stream"),
        ("    application", "    streams: {incident: {hash: [caller_id]}}\n    application", 9, "satellite.hash_key"),
        ("    application", "    streams: {incident: {exclude: [sys_id]}}\n    application", 9, "is needed to follow"),
        ("    application: servicenow\n", "", 6, "application is missing"),
        ("  tenant: Acme\n", "", 1, "tenant is missing"),
        ("integrations:", "  hash_key: plain\nintegrations:", 5, "not a secret reference"),
        ("integrations:", "  proxy: {host: a, port: 70000}\nintegrations:", 5, "70000 is no port"),
        ("integrations:", "  spool_megabytes: 1\nintegrations:", 5, "write 16 or more"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line_and_its_cure(
    write: Callable[[str], Path], old: str, new: str, where: int, said: str
) -> None:
    text = filled()
    assert old in text
    with pytest.raises(ConfigError) as wrong:
        load_satellite(write(text.replace(old, new, 1)))
    assert said in str(wrong.value)
    assert wrong.value.where == f"satellite.yml:{where}"
    assert "pw" not in str(wrong.value).replace("pw@", "pw") or "me:pw" not in str(wrong.value)


def test_an_id_twice(write: Callable[[str], Path]) -> None:
    text = filled()
    with pytest.raises(ConfigError, match="4711 is used twice"):
        load_satellite(write(text + text.partition("integrations:\n")[2]))


HUB = 'version: 1\ninstances: {acme: {url: "https://a.example.com", environment: test}}\n'


@pytest.mark.parametrize(
    ("satellites", "said"),
    [
        ("{site: {}}", "api_keys is missing"),
        ("{site: {api_keys: []}}", "no key"),
        ("{site: {api_keys: [plain]}}", "not a secret reference"),
        ("{Site: {api_keys: ['env:A']}}", "cannot be a name"),
        ("{acme-x: {api_keys: ['env:A']}}", "could be taken for"),
        ("{a: {api_keys: ['env:A']}, a-b: {api_keys: ['env:B']}}", "could be taken for"),
    ],
)
def test_tenants_of_a_hub_cannot_be_confused(tmp_path: Path, satellites: str, said: str) -> None:
    path = tmp_path / "linkspan.yaml"
    path.write_text(f"{HUB}satellites: {satellites}\n")
    with pytest.raises(ConfigError) as wrong:
        load(path)
    assert said in str(wrong.value)
    assert wrong.value.where == "linkspan.yaml:3"


def test_tenants_of_a_hub(tmp_path: Path) -> None:
    path = tmp_path / "linkspan.yaml"
    path.write_text(f"{HUB}satellites: {{site: {{api_keys: ['env:A', 'env:B']}}}}\n")
    assert load(path).satellites["site"].api_keys == ("env:A", "env:B")
