"""How an encoded query is read."""

import pytest

from wavetank.database.query import Condition, Order, parse
from wavetank.database.query.parse import OPERATORS, Join, Related

A, B, C, D = (Condition(letter, "=", "1") for letter in "abcd")


@pytest.mark.claim("query-precedence")
@pytest.mark.parametrize(
    ("encoded", "blocks"),
    [
        ("a=1^b=1^ORc=1", (((A,), (B, C)),)),
        ("a=1^ORb=1^c=1", (((A, B), (C,)),)),
        ("a=1^b=1^NQc=1^d=1", (((A,), (B,)), ((C,), (D,)))),
        ("a=1^ORb=1^NQc=1^ORd=1", (((A, B),), ((C, D),))),
        ("^a=1^", (((A,),),)),
        ("^ORa=1", (((A,),),)),
        ("a=1^NQ^b=1", (((A,),), ((B,),))),
        ("GOTOa=1", (((A,),),)),
        ("a=1^EQ^b=1^EQ", (((A,), (B,)),)),
    ],
)
def test_precedence(encoded: str, blocks: object) -> None:
    assert parse(encoded).blocks == blocks


@pytest.mark.claim("query-order")
@pytest.mark.parametrize(
    "encoded", ["ORDERBYDESCx^a=1^ORDERBYy", "a=1^ORDERBYDESCx^ORDERBYy^", "ORDERBYDESCx^ORDERBYy^a=1^EQ"]
)
def test_an_order_may_stand_anywhere(encoded: str) -> None:
    parsed = parse(encoded)
    assert parsed.blocks == (((A,),),)
    assert parsed.orders == (Order("x", descending=True), Order("y"))


@pytest.mark.claim("query-field-names")
@pytest.mark.parametrize(
    "name", ["order", "origin", "on_hold", "nqueue", "joined", "eq", "rl.query", "u_MyField"]
)
def test_fields_may_be_called_like_the_words_of_a_query(name: str) -> None:
    expected = Condition(name, "=", "1")
    assert parse(f"{name}=1").blocks == (((expected,),),)
    assert parse(f"a=1^OR{name}=1").blocks == (((A, expected),),)
    assert parse(f"a=1^NQ{name}=1").blocks == (((A,),), ((expected,),))


@pytest.mark.claim("query-operators")
@pytest.mark.parametrize("sign", OPERATORS)
def test_the_longest_operator_wins(sign: str) -> None:
    assert parse(f"a.b_c{sign}x").blocks == (((Condition("a.b_c", sign, "x"),),),)


@pytest.mark.claim("query-caret")
def test_doubled_carets_are_carets_of_the_value() -> None:
    assert parse("a=x^^y^^^b=1^^").blocks == (((Condition("a", "=", "x^y^"),), (Condition("b", "=", "1^"),)),)


@pytest.mark.claim("query-groups")
def test_groups_and_trends_are_no_conditions() -> None:
    parsed = parse("a=1^GROUPBYstate^TRENDBYopened_at,month^b=1")
    assert parsed.blocks == (((A,), (B,)),)
    assert parsed.groups == ("state", "opened_at,month")
    assert parsed.unparsed == ()


@pytest.mark.claim("query-related")
@pytest.mark.parametrize(
    ("encoded", "sign", "count", "inner"),
    [
        ("RLQUERYt.f,>=1^ENDRLQUERY", ">=", 1, ((),)),
        ("^RLQUERYt.f,>=1,a=1^ENDRLQUERY", ">=", 1, (((A,),),)),
        ("RLQUERYt.f,>0,m2m^a=1^ORb=1^c=1^ENDRLQUERY", ">", 0, (((A, B), (C,)),)),
        ("RLQUERYt.f,=00^a=1^NQb=1^ENDRLQUERY", "=", 0, (((A,),), ((B,),))),
        ("RLQUERYt.f,<=3^a=1", "<=", 3, (((A,),),)),
    ],
)
def test_queries_on_related_rows(encoded: str, sign: str, count: int, inner: object) -> None:
    (((term,),),) = parse(encoded).blocks
    assert isinstance(term, Related)
    assert (term.table, term.field, term.sign, term.count) == ("t", "f", sign, count)
    assert term.query.blocks == inner


@pytest.mark.claim("query-related")
def test_related_rows_may_be_asked_about_theirs() -> None:
    encoded = "a=1^RLQUERYt.f,>=1^RLQUERYs.g,=0^b=1^ENDRLQUERY^c=1^ENDRLQUERY^d=1"
    ((first, (outer,), last),) = parse(encoded).blocks
    assert (first, last) == ((A,), (D,))
    assert isinstance(outer, Related)
    (((inner,), between),) = outer.query.blocks
    assert isinstance(inner, Related)
    assert inner.query.blocks == (((B,),),)
    assert between == (C,)


@pytest.mark.claim("query-join")
@pytest.mark.claim("query-join-conditions")
def test_a_join_takes_the_conditions_that_follow() -> None:
    ((first, (term,)),) = parse("a=1^JOINx.sys_id=y.f!b=1^ORc=1^d=1^ORDERBYz").blocks
    assert first == (A,)
    assert isinstance(term, Join)
    assert (term.of, term.field, term.table, term.other) == ("x", "sys_id", "y", "f")
    assert term.query.blocks == (((B, C), (D,)),)
    ((_, (only,), after),) = parse("a=1^JOINx.sys_id=y.f!b=1^ORc=1^d=1", join_conditions="first").blocks
    assert isinstance(only, Join)
    assert only.query.blocks == (((B, C),),)
    assert after == (D,)


@pytest.mark.claim("query-unknown-field")
@pytest.mark.parametrize(
    "term", ["nonsense", "RLQUERYbroken", "JOINbroken", "=1", "a b=1", "RLQUERYt.f^ENDRLQUERY"]
)
def test_what_is_no_condition_is_kept_apart(term: str) -> None:
    parsed = parse(f"{term}^ORDERBYx")
    assert parsed.unparsed
    assert parsed.blocks == ((),)
