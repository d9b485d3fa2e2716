from __future__ import annotations

import json
import re

import pytest

from linkspan.core import clock, query
from linkspan.core.errors import ConfigError
from linkspan.scan.definitions import LEVELS, load, parse, suites
from linkspan.scan.evaluate import fields_of, moment

GOOD = """\
- {id: one, level: act, category: security, says: It is so., fix: Change it., kind: records,
   table: sys_user, query: active=true, display: user_name}
"""


def test_every_shipped_definition_can_be_read_and_has_an_id_of_its_own():
    found = load()
    assert len(found) >= 12
    assert len({one.id for one in found}) == len(found)
    assert {"records", "roles", "property", "script"} == {one.kind for one in found}
    mirrored = [one.mirrors for one in found if one.mirrors]
    assert len(set(mirrored)) == len(mirrored)
    assert all(one.says.endswith(".") and one.fix.endswith(".") for one in found)


def test_the_gravest_come_first():
    order = [LEVELS.index(one.level) for one in load()]
    assert order == sorted(order)


def test_a_suite_is_chosen_by_name():
    assert {one.suite for one in load(["security"])} == {"security"}
    assert set(suites()) >= {"accounts", "security", "scripts"}
    with pytest.raises(ConfigError, match="no scan suite secure"):
        load(["secure"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("level: act", "level: grave"), "level is grave"),
        (("kind: records", "kind: guess"), "table is not known|query is not known|kind is guess"),
        (("fix: Change it.,", ""), "fix is missing"),
        (("table: sys_user", "tabel: sys_user"), "table is missing"),
        (("id: one", "id: one, most: 3"), "most is not known"),
        (("id: one", "id: one, mirrors: SE1"), "mirrors is not"),
    ],
)
def test_what_is_written_wrong_is_refused(change, says):
    with pytest.raises(ConfigError, match=says):
        parse("mine", GOOD.replace(*change))


def test_a_suite_with_one_id_twice_or_another_shape_is_refused():
    with pytest.raises(ConfigError, match="the same id"):
        parse("mine", GOOD + GOOD)
    with pytest.raises(ConfigError, match="a list"):
        parse("mine", "one: two")
    with pytest.raises(ConfigError, match="not YAML"):
        parse("mine", "- {")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("name: a.b, absent: found", "expected or refused"),
        ('name: a.b, absent: found, expect: "1", refuse: "2"', "expected or refused"),
        ("name: a.b, absent: found, expect: true", "is text"),
        ('name: a.b, absent: maybe, expect: "1"', "not a verdict"),
    ],
)
def test_a_property_needs_one_expectation(line, says):
    with pytest.raises(ConfigError, match=says):
        parse(
            "mine", f"- {{id: p, level: act, category: security, says: A., fix: B., kind: property, {line}}}"
        )


def test_a_pattern_has_to_be_one():
    entry = "- {id: p, level: act, category: security, says: A., fix: B., kind: script, table: sys_script,"
    with pytest.raises(ConfigError, match="no regular expression"):
        parse("mine", entry + 'field: script, display: name, pattern: "("}')


def test_a_definition_goes_by_the_fields_it_asks_in_and_shows():
    (one,) = parse(
        "mine",
        GOOD.replace("active=true", "active=true^managerISEMPTY^a.b=1^ORc!=2^NQd<3").replace(
            "display: user_name", "display: user_name, show: [name]"
        ),
    )
    assert fields_of(one) == ("active", "manager", "a.b", "c", "d", "user_name", "name")


def test_days_ago_becomes_a_moment():
    clock.set_clock(lambda: 86_400.0 * 101)
    try:
        assert moment("x<{days_ago:100}^ORxISEMPTY") == "x<1970-01-02 00:00:00^ORxISEMPTY"
    finally:
        clock.set_clock(None)


def test_no_shipped_query_sorts_or_runs_a_script():
    for one in load():
        query.restrict(one.query, "")
        assert "javascript" not in one.query
        assert "ORDERBY" not in one.query


def test_the_sentences_are_our_own():
    """Scan Engine's own texts mark fields with stars and begin with a command to the reader of a form."""
    text = json.dumps([[one.says, one.fix] for one in load()])
    assert "**" not in text
    assert not re.search(r"Either update the value|OR insert this system property", text)
