"""Opening the store when it is not there to be opened."""

from pathlib import Path

import pytest

from linkspan.core.errors import ConfigError, Unreachable
from linkspan.store import Database


def test_a_database_that_does_not_answer_is_unreachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINKSPAN_DATABASE_URL", "postgresql://nobody:secret@127.0.0.1:1/none")
    with pytest.raises(Unreachable) as caught:
        Database.open(tmp_path)
    assert caught.value.code == "store_unreachable"
    assert "secret" not in str(caught.value)


def test_a_folder_that_is_not_there_is_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LINKSPAN_DATABASE_URL", raising=False)
    with pytest.raises(Unreachable, match="unable to open"):
        Database.open(tmp_path / "gone")


@pytest.mark.parametrize("url", ["mysql://localhost/x", "not a url"])
def test_a_url_of_something_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("LINKSPAN_DATABASE_URL", url)
    with pytest.raises(ConfigError):
        Database.open(tmp_path)
