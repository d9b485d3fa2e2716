"""What a sync says of its far side."""

from __future__ import annotations

from pathlib import Path

import pytest

from linkspan.config import load
from linkspan.core.errors import ConfigError

START = """\
version: 1
instances: {dev: {url: "http://127.0.0.1:8081", environment: development}}
accounts: {responder: {recipe: sync, user_name: svc.responder, instances: [dev], scheme: basic}}
sync:
  major:
    instance: dev
    account: responder
"""
WHOLE = (
    START
    + """\
    peer: incident_io
    api_key: "env:IO_KEY"
    base_url: "https://api.incident.io/"
    webhook_secrets: ["env:ONE", "env:TWO"]
    follow_ups: task
    include_private: true
"""
)


def read(folder: Path, text: str):
    path = folder / "linkspan.yaml"
    path.write_text(text)
    return load(path).syncs["major"]


def test_all_of_it_is_read(tmp_path: Path) -> None:
    sync = read(tmp_path, WHOLE)
    assert (sync.base_url, sync.api_key) == ("https://api.incident.io", "env:IO_KEY")
    assert (sync.webhook_secrets, sync.follow_ups) == (("env:ONE", "env:TWO"), "task")
    assert sync.include_private


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ('    api_key: "env:IO_KEY"\n', "", 5, "api_key is missing"),
        ("https://api.incident.io/", "http://api.incident.io", 10, "in the clear"),
        ("https://api.incident.io/", "https://api.incident.io/v2", 10, "goes on behind the host"),
        ("https://api.incident.io/", "ftp://api.incident.io", 10, "is not a url"),
        ("https://api.incident.io/", "https://me:secret@api.incident.io", 10, "holds a user"),
        ("env:IO_KEY", "inc_0123456789", 9, "not a secret reference"),
        ("peer: incident_io", "peer: desk", 10, "means nothing to the desk"),
        ("include_private: true", "include_private: perhaps", 13, "true or false"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, line: int, said: str) -> None:
    assert old in WHOLE
    with pytest.raises(ConfigError, match=said) as caught:
        read(tmp_path, WHOLE.replace(old, new))
    assert caught.value.where == f"linkspan.yaml:{line}"
    assert "0123456789" not in str(caught.value)


def test_http_is_enough_on_the_own_machine(tmp_path: Path) -> None:
    sync = read(tmp_path, WHOLE.replace("https://api.incident.io/", "http://127.0.0.1:9999"))
    assert sync.base_url == "http://127.0.0.1:9999"
