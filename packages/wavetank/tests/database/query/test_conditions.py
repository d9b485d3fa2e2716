"""Conditions one by one: what the settings change, and what the agreement of two evaluators leaves out."""

from __future__ import annotations

import pytest

from packages.wavetank.tests.database.query import things
from packages.wavetank.tests.database.query.things import ADA, BOB, CYD, DOT, GONE, LINES, asked, context
from wavetank.database.query import compile
from wavetank.packs.base.queries import MANAGERS, MY_GROUPS, hierarchy_sys_id, option_sys_id

BLANK = dict.fromkeys(things.TYPES, "")
ROWS = [
    {"title": "Printer on fire", "owner": ADA, "count": "1", "open": "true", "day": "2026-03-10"},
    {"title": "Disk full", "owner": BOB, "count": "2", "open": "false", "watchers": f"{ADA},{BOB}"},
    {"title": "NULL", "owner": GONE, "notes": "disk replaced|printer checked", "price": "5"},
    {"sys_class_name": "u_thing_big", "count": "10", "other": "printer", "due": "2026-03-31 12:00:00"},
]


@pytest.fixture(autouse=True)
def _rows() -> None:
    filled = [
        {**BLANK, "sys_class_name": "u_thing", "sys_id": str(place) * 32, **row}
        for place, row in enumerate(ROWS)
    ]
    things.fill(filled, [])


def found(encoded: str, table: str = "u_thing", **more: object) -> str:
    """The places of the rows that a query finds, in its order."""
    return "".join(each[0] for each in asked(encoded, table, **more))


# ---------------------------------------------------------------- settings


@pytest.mark.claim("query-not-equal-empty")
@pytest.mark.parametrize(
    ("encoded", "left_out", "matched"),
    [
        ("count!=1", "13", "123"),
        ("titleNOT LIKEdisk", "02", "023"),
        ("titleNOT INDisk full,NULL", "0", "03"),
        ("dayNOTONx@2026-01-01@2026-02-01", "0", "0123"),
        ("titleNSAMEASother", "012", "0123"),
        ("notesNOT LIKEdisk", "", "013"),
        ("open!=true", "123", "123"),
    ],
)
def test_empty_fields_and_what_a_field_is_not(encoded: str, left_out: str, matched: str) -> None:
    assert found(encoded) == left_out
    assert found(encoded, negation_on_empty="matched") == matched


@pytest.mark.claim("query-null")
def test_null_is_a_word_for_empty() -> None:
    assert found("title=NULL") == "3"
    assert found("title!=NULL") == "012"
    assert found("title=NULL", null_word="literal") == "2"


@pytest.mark.claim("query-empty-value")
def test_no_value_asks_for_emptiness() -> None:
    assert found("owner=") == "3"
    assert found("owner!=") == "012"
    assert found("owner=", empty_value="ignored") == found("owner!=", empty_value="ignored") == "0123"
    assert found("ownerIN") == ""
    assert found("ownerNOT IN") == "012"


@pytest.mark.claim("query-unknown-field")
def test_unknown_fields_by_setting_and_table() -> None:
    assert found("nope=1^count=1") == "0"
    assert found("nope=1", unknown_field="no_rows") == ""
    only_here = {"unknown_by_table": {"u_thing": "no_rows"}}
    assert found("ORDERBYnope", **only_here) == ""
    assert found("nope=1", "u_thing_big", **only_here) == "3"
    dictionary = things.world().dictionary
    for encoded in (
        "nope=1",
        "countSAMEASnope",
        "RLQUERYnope.x,>=1^ENDRLQUERY",
        "countVALCHANGES",
        "rubbish",
    ):
        assert compile(dictionary, "u_thing", encoded, context(unknown_field="refuse")).refused, encoded
        assert not compile(dictionary, "u_thing", encoded, context()).refused


@pytest.mark.claim("guarded-script-refused")
def test_what_is_no_guarded_script_meets_nothing() -> None:
    assert found("count=javascript:eval('1')^ORcount=2") == "1"
    assert found("count=javascript:eval('1')^title=Disk full") == ""
    assert found("count=javascript:eval('1')^title=Disk full", refused_script="dropped") == "1"


@pytest.mark.claim("query-join")
@pytest.mark.claim("query-join-conditions")
def test_conditions_after_a_join() -> None:
    encoded = "JOINu_thing.owner=u_owner.sys_id!level=10^title=Disk full"
    assert found(encoded) == "0"  # an owner has no title: that is dropped
    assert found(encoded, join_conditions="first") == ""
    assert found("JOINu_thing.owner=u_owner.sys_id!", join_conditions="first") == "01"
    assert found("JOINincident.owner=u_owner.sys_id!level=10") == "0123"


# ---------------------------------------------------------------- types


@pytest.mark.claim("query-types")
def test_values_of_every_type() -> None:
    assert found("open=True") == found("open=1") == found("open=TRUE") == "0"
    assert found("open=0") == "1"
    assert found("count=02") == found("count=2.0") == found("count= 2") == "1"
    assert found("count>1") == "13"
    assert found("price=5.00") == found("price=USD;5") == "2"
    assert found("day=2026-03-10 23:00:00") == "0"
    assert found("due=2026-03-31") == ""
    assert found("due>2026-03-31") == "3"
    assert found("watchersLIKE" + BOB) == "1"
    assert found("title=PRINTER ON FIRE") == "0"


@pytest.mark.claim("query-references")
def test_references_are_compared_by_sys_id_and_searched_by_what_they_show() -> None:
    assert found(f"owner={ADA}") == "0"
    assert found("owner=Ada") == ""
    assert found("ownerLIKEstone") == found("ownerENDSWITHSTONE") == "1"
    assert found("ownerSTARTSWITHa") == "0"
    assert found("ownerNOT LIKEstone") == "0"  # the record of the third is gone: it shows nothing
    assert found("owner.boss.nameLIKEada") == "1"
    assert found("owner.nope.name=x") == "0123"


@pytest.mark.claim("query-references")
def test_a_step_may_name_a_class_below() -> None:
    database = things.world()
    thing = database.find("u_thing_big")[0]["sys_id"]
    database.update("u_thing_big", thing, {"extra": "wide"})
    for size, each in enumerate((thing, "0" * 32)):
        database.insert("u_part", {"thing": each, "size": str(size)})
    assert len(asked("thing.ref_u_thing_big.extra=wide", "u_part")) == 1
    assert len(asked("thing.extra=wide", "u_part")) == 2  # no such field there: dropped


@pytest.mark.claim("query-journal")
def test_journals_are_searched_by_their_entries() -> None:
    assert found("notesLIKEPRINTER") == "2"
    assert found("notesISNOTEMPTY") == "2"
    assert found("notesISEMPTY") == "013"
    assert found("notesISNOTEMPTY", journal_query="column") == ""


@pytest.mark.claim("query-roles")
def test_users_are_found_by_their_roles() -> None:
    database = things.world()
    user = database.insert("sys_user", {"user_name": "role.holder"})["sys_id"]
    itil = database.first("sys_user_role", name="itil")
    assert itil
    database.insert("sys_user_has_role", {"user": user, "role": itil["sys_id"]})
    mine = f"sys_id={user}^"
    for encoded in (
        "roles=itil",
        "rolesLIKEiti",
        "rolesINitil,admin",
        "roles=admin^ORroles=itil",
        "roles!=admin",
    ):
        assert asked(mine + encoded, "sys_user") == [user], encoded
    for encoded in ("roles=admin", "roles!=itil", "rolesISEMPTY"):
        assert asked(mine + encoded, "sys_user") == [], encoded


@pytest.mark.claim("query-empty-string")
def test_no_value_and_an_empty_text_are_the_same() -> None:
    assert found("titleEMPTYSTRING") == found("titleISEMPTY") == "3"


@pytest.mark.claim("query-case")
def test_case_is_disregarded_in_plain_letters_only() -> None:
    things.world().update("u_thing", "0" * 32, {"title": "Ärger mit ZÜGEN"})
    assert found("titleLIKEÄRGER MIT z") == "0"
    assert found("titleLIKEärger") == ""


# ---------------------------------------------------------------- other rows


@pytest.mark.claim("query-dynamic")
def test_dynamic_values() -> None:
    database = things.world()
    group = database.insert("sys_user_group", {"name": "Q"})["sys_id"]
    boss = database.insert("sys_user", {"user_name": "q.boss", "name": "Q Boss"})["sys_id"]
    user = database.insert("sys_user", {"user_name": "q.user", "manager": boss})["sys_id"]
    database.insert(
        "sys_user_delegate", {"user": boss, "delegate": user, "assignments": "true", "approvals": "false"}
    )
    database.insert(
        "sys_user_delegate",
        {"user": GONE, "delegate": user, "assignments": "true", "ends": "2026-01-01 00:00:00"},
    )
    seen = {"user": user, "groups": lambda: [group]}
    for me in ("90d1921e5f510100a9ad2572f2b477fe", "54635e965f510100a9ad2572f2b4774c"):
        assert asked(f"sys_idDYNAMIC{me}", "sys_user", **seen) == [user]
        assert asked(f"sys_idDYNAMIC{me}", "sys_user", rows=None, **seen) == [user]
    assert asked(f"sys_idDYNAMIC{MY_GROUPS}", "sys_user_group", **seen) == [group]
    stands_in = option_sys_id("One of My Assignments")
    assert set(asked(f"sys_idDYNAMIC{stands_in}", "sys_user", **seen)) == {user, boss}
    approves = option_sys_id("One of My Approvals")
    assert asked(f"sys_idDYNAMIC{approves}", "sys_user", **seen) == [user]
    roled = option_sys_id("Users With Roles")
    assert user not in asked(f"sys_idDYNAMIC{roled}", "sys_user", **seen)
    assert asked("sys_idDYNAMIC" + "f" * 32, "sys_user", **seen) == []
    assert asked("sys_id=javascript:getMyGroups()", "sys_user_group", **seen) == [group]


@pytest.mark.claim("query-hierarchy")
def test_hierarchies_go_down_from_a_node_and_end_in_circles() -> None:
    owners = "u_owner"
    assert set(asked(f"sys_idIN_HIERARCHY{LINES}@{ADA}", owners)) == {ADA, BOB}
    assert asked(f"sys_idIN_HIERARCHY{LINES}@{ADA}@excluded", owners) == [BOB]
    assert set(asked(f"sys_idIN_HIERARCHY{LINES}@{CYD}", owners)) == {CYD, DOT}
    assert found(f"ownerIN_HIERARCHY{LINES}%40{ADA}") == "01"
    me = "90d1921e5f510100a9ad2572f2b477fe"
    assert found(f"ownerIN_HIERARCHY_DYNAMIC{LINES}@{me}") == "01"
    assert found(f"ownerIN_HIERARCHY_DYNAMIC{LINES}@{me}", user=BOB) == "1"
    assert found(f"ownerIN_HIERARCHY{things.TREE}@{ADA}") == ""
    assert found(f"titleIN_HIERARCHY{LINES}@{ADA}") == ""
    named = {row["sys_id"]: row["table"] for row in things.world().find("sys_record_hierarchy")}
    assert named[MANAGERS] == "sys_user"
    assert named[hierarchy_sys_id("Location Hierarchy")] == "cmn_location"
    assert named[hierarchy_sys_id("Department Hierarchy")] == "cmn_department"


@pytest.mark.claim("query-class")
def test_instance_of_includes_the_classes_below() -> None:
    assert found("sys_class_nameINSTANCEOFu_thing") == "0123"
    assert found("sys_class_nameINSTANCEOFu_thing_big") == "3"
    assert found("sys_class_name=u_thing") == "012"
    assert found("sys_class_nameINSTANCEOFu_nothing") == ""


@pytest.mark.claim("query-related")
def test_counts_of_related_rows() -> None:
    database = things.world()
    for size in ("1", "1", "2"):
        database.insert("u_part", {"thing": "0" * 32, "size": size})
    database.insert("u_part", {"thing": "1" * 32, "size": "2"})
    assert found("RLQUERYu_part.thing,>=1^ENDRLQUERY") == "01"
    assert found("RLQUERYu_part.thing,=0^ENDRLQUERY") == "23"
    assert found("RLQUERYu_part.thing,=00^size=1^ENDRLQUERY") == "123"
    assert found("RLQUERYu_part.thing,BETWEEN1@2^ENDRLQUERY") == "1"
    assert found("RLQUERYu_part.thing,>1,m2m^size=1^ENDRLQUERY^title=Printer on fire") == "0"
    assert found("RLQUERYu_part.thing,>=1^thing.owner.name=ada^ENDRLQUERY") == "0"
    assert found("count=2^ORRLQUERYu_part.thing,>2^ENDRLQUERY") == "01"
    nested = "RLQUERYu_thing.owner,>=1^RLQUERYu_part.thing,=1^ENDRLQUERY^ENDRLQUERY"
    assert asked(nested, "u_owner") == [BOB]
    looked_at = compile(database.dictionary, "u_owner", nested, context()).related
    assert set(looked_at) == {("u_thing", "owner"), ("u_part", "thing")}
    assert DOT in asked("RLQUERYu_thing.owner,=0^ENDRLQUERY", "u_owner")


@pytest.mark.claim("query-tags")
def test_tags() -> None:
    database = things.world()
    hot, cold = (database.insert("label", {"name": name})["sys_id"] for name in ("hot", "cold"))
    for tag, place in ((hot, "0"), (cold, "0"), (cold, "1")):
        database.insert("label_entry", {"label": tag, "table": "u_thing", "table_key": place * 32})
    assert found(f"sys_tags.{hot}={hot}") == "0"
    assert found("sys_tags.hot=hot") == "0"
    assert found(f"sys_tags.{hot}DOESNOTHAVE{hot}") == "1"
    assert found(f"sys_tags.{hot}EXCLUDING{hot}") == "123"
    assert found("sys_tagsLIKEol") == "01"
    assert found("sys_tagsISEMPTY") == "23"


@pytest.mark.claim("query-changes")
def test_changes_are_asked_only_where_a_record_is_written() -> None:
    assert found("countVALCHANGES") == "0123"
    seen = {"change": lambda field: ("1", "2") if field == "count" else ("x", "x")}
    for encoded in (
        "countVALCHANGES",
        "countCHANGESFROM1",
        "countCHANGESTO2",
        "titleVALCHANGES^ORcountVALCHANGES",
    ):
        assert found(encoded, **seen) == "0123", encoded
    for encoded in ("titleVALCHANGES", "countCHANGESFROM2", "countCHANGESTO1"):
        assert found(encoded, **seen) == "", encoded


# ---------------------------------------------------------------- text search


@pytest.mark.claim("query-text")
@pytest.mark.claim("query-text-words")
def test_text_search() -> None:
    assert found("123TEXTQUERY321=print") == "023"
    assert found("123TEXTQUERY321=printer") == "023"
    assert found("123TEXTQUERY321=printer fire") == "0"
    assert found('123TEXTQUERY321="on fire"') == "0"
    assert found('123TEXTQUERY321="fire on"') == ""
    assert found("123TEXTQUERY321=printer^123TEXTINDEXGROUP321=portal^count=1") == "0"


@pytest.mark.claim("query-text-either")
def test_text_search_for_any_word_when_no_record_has_them_all() -> None:
    assert found("IR_AND_OR_QUERY=printer fire") == "0"
    assert found("IR_AND_OR_QUERY=fire full") == "01"


# ---------------------------------------------------------------- the whole


@pytest.mark.claim("query-script")
def test_a_whole_query_may_be_an_expression() -> None:
    assert found("javascript:'count=1^OR' + 'count=2'") == "01"
    assert found("javascript:eval('count=1')") == ""


@pytest.mark.claim("query-order")
def test_the_order_is_that_of_numbers_and_of_what_references_show() -> None:
    assert found("countISNOTEMPTY^ORDERBYDESCcount") == "310"
    assert found("ownerISNOTEMPTY^titleISNOTEMPTY^ORDERBYDESCowner^ORDERBYtitle") == "102"
    assert found("ORDERBYowner.name^ORDERBYDESCcount") == "3201"
    assert found("^".join(["ORDERBYDESCcount", *["ORDERBYcount^ORDERBYowner.boss.name"] * 2000])) == "3102"


@pytest.mark.claim("query-stored-or-not")
def test_a_row_that_is_not_stored_can_be_asked() -> None:
    database = things.world()

    def matches(encoded: str, **row: str) -> bool:
        return database.matches("u_thing", row, encoded, context())

    assert matches("titleSAMEASother", title="x", other="X")
    assert matches("notesISNOTEMPTY^notesLIKEnew", notes="a new entry")
    assert not matches("notesISNOTEMPTY", title="x")
    assert matches("owner.boss.name=ada", owner=BOB)
    assert matches(f"ownerIN_HIERARCHY{LINES}@{ADA}", owner=BOB)
    assert matches("RLQUERYu_part.thing,=0^ENDRLQUERY", title="new")


@pytest.mark.claim("query-ranged")
def test_fields_that_are_ordered_or_compared_otherwise_than_for_equality_are_told() -> None:
    encoded = "count=1^title!=x^owner.nameIN1,2^ORcount>3^titleLIKEx^priceISEMPTY^ORDERBYday"
    compiled = compile(things.world().dictionary, "u_thing", encoded, context())
    assert compiled.fields == ("count", "title", "owner.name", "price", "day")
    assert compiled.ranged == ("count", "title", "day")


@pytest.mark.claim("query-operators")
@pytest.mark.parametrize("more", [0, 200, 20_000])
def test_thousands_of_alternatives_are_found_at_once(more: int) -> None:
    """Without a list of them, SQLite takes minutes over twenty thousand."""
    many = "".join(f"^ORtitle={number}^ORcount=9{number}" for number in range(more // 2))
    assert found(f"title=disk full^ORcount=10^ORtitleISEMPTY{many}^ORtitleLIKEfire") == "013"
    assert found(f"open=true^count=1^ORcount=2{many}") == "0"
    assert found(f"open=true^count=1^ORcount=2{many}^NQprice=5") == "02"
