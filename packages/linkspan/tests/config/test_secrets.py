"""References become secrets late, and tell what is missing without telling a secret."""

import stat
from pathlib import Path

import pytest

from linkspan.config.home import home
from linkspan.config.secrets import resolve
from linkspan.core.errors import SecretUnavailable


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "hunter2")
    assert resolve("env:A_SECRET") == "hunter2"
    monkeypatch.setenv("A_SECRET", "")
    with pytest.raises(SecretUnavailable, match="A_SECRET is not set") as caught:
        resolve("env:A_SECRET", where="linkspan.yaml:3")
    assert caught.value.where == "linkspan.yaml:3"


def test_file(tmp_path: Path) -> None:
    (tmp_path / "s").write_text(" hunter2 \n")
    assert resolve("file:s", base=tmp_path) == " hunter2 "
    assert resolve(f"file:{tmp_path / 's'}") == " hunter2 "
    (tmp_path / "empty").write_text("\n")
    for name in ("absent", "empty"):
        with pytest.raises(SecretUnavailable, match=name):
            resolve(f"file:{name}", base=tmp_path)


class Store:
    def get(self, name: str) -> str | None:
        return {"dev/a/basic": "hunter2"}.get(name)


def test_store() -> None:
    assert resolve("store:dev/a/basic", store=Store()) == "hunter2"
    with pytest.raises(SecretUnavailable, match="dev/b"):
        resolve("store:dev/b", store=Store())
    with pytest.raises(SecretUnavailable):
        resolve("store:dev/a/basic")


@pytest.mark.parametrize("reference", ["hunter2", "env:", "ENV:A", "", "hunter2:x"])
def test_what_is_no_reference_is_not_repeated(reference: str) -> None:
    with pytest.raises(SecretUnavailable) as caught:
        resolve(reference)
    assert "hunter2" not in str(caught.value.problem())


def test_vault_says_that_it_is_not_built() -> None:
    with pytest.raises(SecretUnavailable, match="not built yet"):
        resolve("vault:kv/a")


def test_keyring_without_a_user() -> None:
    with pytest.raises(SecretUnavailable, match="names no user"):
        resolve("keyring:linkspan")


def test_home_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINKSPAN_HOME", str(tmp_path / "state" / "here"))
    assert home() == tmp_path / "state" / "here"
    assert stat.S_IMODE(home().stat().st_mode) == 0o700
    monkeypatch.delenv("LINKSPAN_HOME")
    monkeypatch.chdir(tmp_path)
    assert home() == tmp_path / ".linkspan"
