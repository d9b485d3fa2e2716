"""Work notes read from the table and from the display text, through a line that plays both."""

from types import SimpleNamespace
from typing import Any

import pytest

from linkspan.core.errors import BadReply, NotAuthorized
from linkspan.feed.journal import Author, NoteReader, plain

US = Author(user_name="svc.responder", name="Responder Service")
SYS_ID = "a" * 32
DISPLAY = (
    "2026-03-01 10:02:00 - Beth Anglin (Work notes)\nok\n\n"
    "2026-03-01 10:01:00 - Beth Anglin (Additional comments)\nfor the caller only\n\n"
    "2026-03-01 10:00:30 - Responder Service (Work notes)\nok\n\n"
    "2026-03-01 10:00:00 - Beth Anglin (Work notes)\nfirst line\n\nsecond paragraph\n\n"
    "2026-03-01 09:59:00 - Beth Anglin (Work notes)\nok\n\n"
)


class Table:
    """The Table API as one account sees it: journals open or closed, the record always."""

    def __init__(self, entries: list[dict[str, str]] | None, shown: str | None = DISPLAY) -> None:
        self.entries = entries
        self.shown = shown

    def page(self, table: str, **_: Any) -> Any:
        if table == "sys_journal_field":
            if self.entries is None:
                raise NotAuthorized("no")
            return SimpleNamespace(rows=self.entries[:1])
        sys_id = {"value": SYS_ID, "display_value": SYS_ID}
        notes = {} if self.shown is None else {"work_notes": {"value": "", "display_value": self.shown}}
        return SimpleNamespace(rows=[{"sys_id": sys_id, **notes}])

    def keyset(self, _table: str, **_: Any) -> Any:
        yield self.entries


def reader(entries: list[dict[str, str]] | None) -> NoteReader:
    return NoteReader(SimpleNamespace(table=Table(entries)), US)  # type: ignore[arg-type]


def entry(at: str, by: str, text: str) -> dict[str, str]:
    return {"sys_id": at, "element_id": SYS_ID, "value": text, "sys_created_on": at, "sys_created_by": by}


def test_the_display_text_is_taken_apart_oldest_first() -> None:
    notes = reader(None).read("incident", [SYS_ID])[SYS_ID]
    assert [note.text for note in notes] == ["ok", "first line\n\nsecond paragraph", "ok", "ok"]
    assert [note.ours for note in notes] == [False, False, True, False]


def test_comments_for_the_caller_are_not_work_notes() -> None:
    notes = reader(None).read("incident", [SYS_ID])[SYS_ID]
    assert all("caller" not in note.text for note in notes)


def test_both_ways_name_a_note_the_same() -> None:
    entries = [
        entry("2026-03-01 09:59:00", "beth.anglin", "ok"),
        entry("2026-03-01 10:00:00", "beth.anglin", "first line\r\n\r\nsecond paragraph"),
        entry("2026-03-01 10:00:30", "svc.responder", "ok"),
        entry("2026-03-01 10:02:00", "beth.anglin", "ok\n"),
    ]
    by_table = [note.key for note in reader(entries).read("incident", [SYS_ID])[SYS_ID]]
    by_display = [note.key for note in reader(None).read("incident", [SYS_ID])[SYS_ID]]
    assert by_table == by_display
    assert len(set(by_table)) == 4


def test_an_empty_journal_table_proves_nothing() -> None:
    assert len(reader([]).read("incident", [SYS_ID])[SYS_ID]) == 4


def shown_as(text: str | None, us: Author = US) -> NoteReader:
    return NoteReader(SimpleNamespace(table=Table(None, text)), us)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["01.03.2026 10:00:00 - Beth Anglin (Work notes)\nok\n\n", "ok"])
def test_notes_in_an_unknown_form_are_an_error_and_not_nothing(text: str) -> None:
    with pytest.raises(BadReply, match="not known"):
        shown_as(text).read("incident", [SYS_ID])
    assert shown_as("").read("incident", [SYS_ID])[SYS_ID] == []


def test_hidden_notes_are_an_error_and_not_nothing() -> None:
    with pytest.raises(NotAuthorized, match="hidden"):
        shown_as(None).read("incident", [SYS_ID])


def test_what_looks_like_the_head_of_an_entry_stays_text() -> None:
    text = plain("Alice: pasted\r\n2026-03-01 09:00:00 - Carl (Work notes)\r\nold")
    (note,) = shown_as(f"2026-03-01 10:00:00 - Beth (Work notes)\n{text}\n\n").read("incident", [SYS_ID])[
        SYS_ID
    ]
    assert note.text == text == plain(text)


def test_without_a_name_we_are_shown_by_the_user_name() -> None:
    nameless = Author(user_name="svc.responder", name="")
    text = "2026-03-01 10:00:00 - svc.responder (Work notes)\nok\n\n"
    (note,) = shown_as(text, nameless).read("incident", [SYS_ID])[SYS_ID]
    assert note.ours


def test_text_stays_text() -> None:
    """The journal shows what stands between its own tags as HTML."""
    assert (
        plain("see [code]<img src=x onerror=alert(1)>[/CODE]")
        == "see [ code]<img src=x onerror=alert(1)>[/ code]"
    )
