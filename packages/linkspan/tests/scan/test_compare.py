from __future__ import annotations

from linkspan.scan.compare import differs, matrix
from linkspan.scan.definitions import load

DEFINITION = load(["accounts"])[0]


def cell(verdict: str = "clean", count: int = 0, kept: int | None = None, reason: str = "") -> dict:
    return {"verdict": verdict, "count": count, "kept": count if kept is None else kept, "reason": reason}


def test_what_is_found_on_some_only_is_told_with_both_sides():
    cells = {"dev": cell("found", 2), "qa": cell("found", 1), "prod": cell()}
    told = differs(cells, {"dev": {"a", "b"}, "qa": {"a"}})
    assert told == [
        {"display": "a", "found_on": ["dev", "qa"], "missing_on": ["prod"]},
        {"display": "b", "found_on": ["dev"], "missing_on": ["qa", "prod"]},
    ]


def test_the_same_everywhere_differs_in_nothing():
    cells = {"dev": cell("found", 1), "prod": cell("found", 1)}
    assert differs(cells, {"dev": {"a"}, "prod": {"a"}}) == []


def test_an_instance_of_which_not_everything_is_known_lacks_nothing():
    hidden = cell("found", 1, reason="3 of 4 rows are hidden")
    cut = cell("found", 900, kept=200)
    cells = {"dev": cell("found", 1), "qa": cell("unknown", reason="hidden"), "uat": hidden, "prod": cut}
    assert differs(cells, {"dev": {"a"}, "uat": {"b"}, "prod": {"c"}}) == [
        {"display": "b", "found_on": ["uat"], "missing_on": ["dev"]},
        {"display": "c", "found_on": ["prod"], "missing_on": ["dev"]},
    ]


def test_the_matrix_has_a_row_for_each_definition_of_the_run():
    instances = {
        "dev": {"definitions": {DEFINITION.id: cell("found", 1)}},
        "prod": {"definitions": {DEFINITION.id: cell()}},
    }
    findings = [{"definition": DEFINITION.id, "instance": "dev", "display": "svc.a"}]
    (row,) = matrix(load(), instances, findings)
    assert (row["definition"], row["level"], row["mirrors"]) == (
        DEFINITION.id,
        DEFINITION.level,
        DEFINITION.mirrors,
    )
    assert row["instances"]["prod"]["verdict"] == "clean"
    assert row["differs"] == [{"display": "svc.a", "found_on": ["dev"], "missing_on": ["prod"]}]
