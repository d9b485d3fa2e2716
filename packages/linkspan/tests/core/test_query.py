"""Quoting: whatever a value holds, it stays one value of one condition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkspan.core import query

plain = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\r\n"))
values = plain.filter(lambda text: not text.strip().lower().startswith("javascript:"))


def split_as_the_platform_does(text: str) -> list[str]:
    """Terms between single carets, ``^^`` read as a caret: written apart from the module under test."""
    terms, current, index = [], "", 0
    while index < len(text):
        if text[index] == "^" and text[index + 1 : index + 2] == "^":
            current, index = current + "^", index + 2
        elif text[index] == "^":
            terms.append(current)
            current, index = "", index + 1
        else:
            current, index = current + text[index], index + 1
    return [*terms, current]


@given(values)
def test_a_value_survives_quoting(value: str) -> None:
    assert [f"number={value}"] == split_as_the_platform_does(query.term("number", "=", value))


@given(st.lists(values, min_size=1, max_size=4))
def test_terms_stay_apart(found: list[str]) -> None:
    text = query.all_of(*(query.term("short_description", "=", value) for value in found))
    assert [f"short_description={value}" for value in found] == split_as_the_platform_does(text)


@given(st.lists(values.filter(lambda text: "," not in text and text), min_size=1, max_size=4))
def test_a_list_survives_quoting(found: list[str]) -> None:
    (term,) = split_as_the_platform_does(query.one_of("sys_id", found))
    assert found == term.removeprefix("sys_idIN").split(",")


@given(values, values)
def test_a_restriction_reaches_every_block_and_only_blocks(one: str, other: str) -> None:
    whole = query.either(query.term("a", "=", one), query.term("b", "=", other))
    assert query.restrict(whole, "c=1") == f"a={query.escape(one)}^c=1^NQb={query.escape(other)}^c=1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a=1", ["a=1"]),
        ("a=1^NQb=2", ["a=1", "b=2"]),
        ("a=x^^NQb", ["a=x^^NQb"]),
        ("a=^^^NQb=2", ["a=^^", "b=2"]),
    ],
)
def test_blocks(text: str, expected: list[str]) -> None:
    assert expected == query.blocks(text)


def test_an_empty_query_is_restricted_to_the_condition() -> None:
    assert query.restrict("", "c=1") == "c=1"


@pytest.mark.parametrize("text", ["ORDERBYnumber", "a=1^ORDERBYDESCnumber", "a=1^orderbynumber"])
def test_a_sorted_query_is_not_restricted(text: str) -> None:
    with pytest.raises(ValueError, match="sorts"):
        query.restrict(text, "c=1")


def test_a_value_that_looks_like_a_sort_is_a_value() -> None:
    assert query.restrict(query.term("a", "=", "x^ORDERBYy"), "c=1") == "a=x^^ORDERBYy^c=1"


@pytest.mark.parametrize("value", ["javascript:gs.getUserID()", "  JavaScript:1", "a\nb", "a\rb"])
def test_values_that_cannot_be_quoted_are_refused(value: str) -> None:
    with pytest.raises(ValueError):
        query.term("number", "=", value)


@pytest.mark.parametrize("name", ["", "a b", "a^b", "a=", "1a", "a.", ".a", "a\n"])
def test_names_that_are_no_fields_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a field name"):
        query.term(name, "=", "x")


@pytest.mark.parametrize("found", [[], ["a,b"]])
def test_lists_that_would_be_misread_are_refused(found: list[str]) -> None:
    with pytest.raises(ValueError):
        query.one_of("number", found)


def test_order() -> None:
    assert query.order_by("a", "-b.c") == "ORDERBYa^ORDERBYDESCb.c"


@given(values, values.filter(bool))
def test_behind_a_key_is_later_or_as_late_with_more(first: str, second: str) -> None:
    terms = split_as_the_platform_does(query.after(("a", "b"), (first, second)))
    assert terms == [f"a>={first}", f"a>{first}", f"ORb>{second}"]
    # An empty second value is before all others: the whole of the first is behind it.
    assert split_as_the_platform_does(query.after(("a", "b"), (first, ""))) == [f"a>={first}"]
