"""The secret file: encrypted, private, whole after any crash, safe for several processes."""

import base64
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from linkspan.core.errors import SecretUnavailable
from linkspan.store import secrets
from linkspan.store.secrets import SecretStore


def new_key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SecretStore:
    monkeypatch.setenv("LINKSPAN_KEY", new_key())
    return SecretStore(tmp_path)


def test_kept_and_read_back_by_another(store: SecretStore, tmp_path: Path) -> None:
    store.put("dev/a/basic", "hunter2")
    store.put("dev/b/basic", "ünïcode")
    other = SecretStore(tmp_path)
    assert (other.get("dev/a/basic"), other.get("dev/b/basic")) == ("hunter2", "ünïcode")
    assert other.names() == ("dev/a/basic", "dev/b/basic")
    assert other.get("absent") is None


def test_the_file_is_private_and_tells_nothing(store: SecretStore, tmp_path: Path) -> None:
    store.put("dev/a/basic", "hunter2")
    path = tmp_path / "secrets"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not [word for word in (b"hunter2", b"dev/a") if word in path.read_bytes()]
    assert {entry.name for entry in tmp_path.iterdir()} == {"secrets", "secrets.lock"}


def test_a_pending_value_replaces_nothing_until_confirmed(store: SecretStore) -> None:
    store.put("a", "first", pending=True)
    assert (store.get("a"), store.newest("a"), store.is_pending("a")) == ("first", "first", True)
    store.confirm("a")
    assert (store.get("a"), store.is_pending("a")) == ("first", False)
    store.put("a", "second", pending=True)
    assert (store.get("a"), store.newest("a"), store.is_pending("a")) == ("first", "second", True)
    store.discard("a")
    assert (store.get("a"), store.newest("a"), store.is_pending("a")) == ("first", "first", False)
    store.put("a", "third", pending=True)
    store.confirm("a")
    assert store.get("a") == "third"
    with pytest.raises(SecretUnavailable):
        store.confirm("a")
    store.remove("a")
    assert store.names() == ()


def test_discarding_the_only_value_forgets_the_name(store: SecretStore) -> None:
    store.put("a", "first", pending=True)
    store.discard("a")
    assert store.names() == ()


def test_another_key_opens_nothing(store: SecretStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("a", "hunter2")
    monkeypatch.setenv("LINKSPAN_KEY", new_key())
    with pytest.raises(SecretUnavailable, match="cannot be opened"):
        store.get("a")
    with pytest.raises(SecretUnavailable, match="cannot be opened"):
        store.put("b", "x")


def test_keys_rotate(store: SecretStore, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = os.environ["LINKSPAN_KEY"], new_key()
    store.put("a", "hunter2")
    monkeypatch.setenv("LINKSPAN_KEY", f"{new},{old}")
    store.put("b", "x")  # whatever is written takes the first key for the whole file
    monkeypatch.setenv("LINKSPAN_KEY", new)
    assert store.get("a") == "hunter2"


@pytest.mark.parametrize("key", ["short", "not base64!", base64.b64encode(b"x" * 31).decode()])
def test_a_key_of_the_wrong_form_is_not_repeated(
    store: SecretStore, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("LINKSPAN_KEY", key)
    with pytest.raises(SecretUnavailable, match="not base64 of 32 bytes") as caught:
        store.put("a", "x")
    assert key not in str(caught.value)


def test_without_a_key_the_fix_is_a_command_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LINKSPAN_KEY", raising=False)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    code = (
        "from pathlib import Path; from linkspan.store.secrets import SecretStore; "
        "SecretStore(Path('.')).put('a', 'b')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "SecretUnavailable" in ran.stderr
    assert secrets.MAKE_KEY in ran.stderr
    assert not (tmp_path / "secrets").exists()
    script = f'{secrets.MAKE_KEY}\n"{sys.executable}" -c "{code}"'
    subprocess.run(["bash", "-ec", script], cwd=tmp_path, check=True)
    assert (tmp_path / "secrets").exists()


def test_a_failed_write_leaves_the_old_file(
    store: SecretStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("a", "hunter2")

    def no_space(_: int) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(secrets.os, "fsync", no_space)
        with pytest.raises(OSError, match="no space"):
            store.put("a", "second")
    assert store.get("a") == "hunter2"
    assert {entry.name for entry in tmp_path.iterdir()} == {"secrets", "secrets.lock"}


def test_processes_do_not_lose_each_others_secrets(store: SecretStore, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from linkspan.store.secrets import SecretStore\n"
        "for i in range(10): SecretStore(Path('.')).put(f'{sys.argv[1]}{i}', 'x')"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, name], cwd=tmp_path) for name in "ab"]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    assert len(store.names()) == 20
