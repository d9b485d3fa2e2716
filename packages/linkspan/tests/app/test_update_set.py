"""The file an administrator imports: always well-formed, always the same, and true to what went in."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkspan.app import Record, Reference, UpdateSet, acl, role
from linkspan.app.identity import payload_hash, sys_id

# What XML can hold, the awkward parts of it often.
TEXT = st.one_of(
    st.sampled_from(["]]>", "<![CDATA[", "a & b < c > d", "\"'", "\r\n\t", "äöü 😀", "--", "&#13;", "]]]>>"]),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")),
)


def made(*, moment: str = "2026-03-01 12:00:00", **values: Any) -> UpdateSet:
    return UpdateSet(moment=moment, **values)


def updates(text: str) -> list[dict[str, str]]:
    root = ElementTree.fromstring(text.encode())
    assert root.tag == "unload"
    return [{cell.tag: cell.text or "" for cell in one} for one in root.iter("sys_update_xml")]


def record_of(update: dict[str, str]) -> ElementTree.Element:
    document = ElementTree.fromstring(update["payload"].encode())
    assert document.tag == "record_update"
    (record,) = document
    assert record.tag == document.get("table") == update["table"]
    return record


@given(TEXT, TEXT, TEXT)
def test_what_goes_in_is_what_an_instance_reads(name, description, condition):
    rule, asks = acl(
        table="task",
        operation="read",
        role=name,
        role_sys_id="1",
        condition=condition,
        because=description,
        field="number",
    )
    one = made(name=name, description=description, records=(role(name, description), rule, asks))
    first, second, third = (record_of(update) for update in updates(one.xml()))
    assert (first.findtext("name") or "") == name
    assert (first.findtext("description") or "") == description
    assert (second.findtext("condition") or "") == condition
    asked = third.find("sys_user_role")
    assert asked is not None
    assert asked.get("display_value") == asked.get("name") == name


def test_the_envelope_of_an_access_control():
    rule, asks = acl(table="task", operation="create", role="x.user", role_sys_id="f" * 32, because="it must")
    one = made(name="Set", description="d", records=(rule, asks))
    root = ElementTree.fromstring(one.xml().encode())
    header = root.find("sys_remote_update_set")
    assert header is not None
    assert (header.findtext("state"), header.findtext("sys_id")) == ("loaded", one.sys_id)
    first, second = updates(one.xml())
    assert first["name"] == f"sys_security_acl_{rule.sys_id}"
    assert {first["remote_update_set"], second["remote_update_set"]} == {one.sys_id}
    assert first["payload_hash"] == str(payload_hash(first["payload"]))
    record = record_of(first)
    read = {name: record.findtext(name) for name in ("name", "operation", "type", "active", "decision_type")}
    assert read == {
        "name": "task",
        "operation": "create",
        "type": "record",
        "active": "true",
        "decision_type": "allow",
    }
    link = record_of(second)
    assert (link.findtext("sys_security_acl"), link.findtext("sys_user_role")) == (rule.sys_id, "f" * 32)


def test_building_twice_gives_the_same_file():
    def build() -> str:
        return made(
            name="A", description="d", records=acl(table="task", operation="read", role="x", role_sys_id="1")
        ).xml()

    assert build() == build()
    kinds = {(table, operation, name) for table in "ab" for operation in ("read", "write") for name in "xy"}
    numbers = {acl(table=t, operation=o, role=r, role_sys_id="1")[0].sys_id for t, o, r in kinds}
    assert len(numbers) == len(kinds)
    assert sys_id("ab", "c") != sys_id("a", "bc")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0), ("a", 97), ("hello", 99162322), ("polygenelubricants", -2147483648), ("😀", 1772899)],
)
def test_the_hash_is_javas(text, expected):
    assert payload_hash(text) == expected


def test_what_xml_cannot_hold_is_refused():
    bad = Record(table="t", sys_id="0" * 32, cells={"name": "a\x00b"}, says="T", title="t")
    with pytest.raises(ValueError, match=r"U\+0000"):
        made(name="A", description="", records=(bad,)).xml()
    with pytest.raises(ValueError, match=r"U\+0001"):
        made(name="A\x01", description="", records=()).xml()


def test_a_reference_is_escaped_in_its_attributes():
    cells = {"r": Reference(sys_id="a", display='"<&\n', named=True)}
    one = made(
        name="A",
        description="",
        records=(Record(table="t", sys_id="0" * 32, cells=cells, says="T", title="t"),),
    )
    (update,) = updates(one.xml())
    found = record_of(update).find("r")
    assert found is not None
    assert found.get("name") == '"<&\n'
