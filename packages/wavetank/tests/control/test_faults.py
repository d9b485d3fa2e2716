import pytest

from wavetank.control.faults import Faults
from wavetank.control.requests import RequestLog


def _take(faults, method="GET", path="/api/now/table/incident", table="incident", user="admin"):
    fault = faults.take(method, path, table, user)
    return fault.do if fault else None


def test_the_first_posted_fault_that_matches_strikes():
    faults = Faults()
    faults.add({"match": {"table": "problem"}, "do": "reset"})
    faults.add({"match": {"table": "incident"}, "do": "drop_before", "times": 1})
    faults.add({"do": "html_200"})
    assert [_take(faults), _take(faults)] == ["drop_before", "html_200"]


def test_after_lets_some_pass_and_times_ends_it():
    faults = Faults()
    faults.add({"do": "status", "status": 503, "after": 2, "times": 2})
    assert [_take(faults) for _ in range(6)] == [None, None, "status", "status", None, None]
    assert faults.show()[0]["hits"] == 2
    assert faults.show()[0]["remaining"] == 0


def test_without_times_a_fault_strikes_for_ever():
    faults = Faults()
    faults.add({"do": "delay", "seconds": 0})
    assert [_take(faults) for _ in range(3)] == ["delay"] * 3
    assert faults.show()[0]["remaining"] is None


@pytest.mark.parametrize(
    ("match", "strikes"),
    [
        ({"method": "get"}, True),
        ({"method": "POST"}, False),
        ({"path": "/api/now/*/incident"}, True),
        ({"path": "/api/now/table"}, False),
        ({"user": "admin", "table": "incident"}, True),
        ({"user": "admin", "table": "problem"}, False),
        ({}, True),
    ],
)
def test_match_fields_are_anded_and_the_path_is_a_glob(match, strikes):
    faults = Faults()
    faults.add({"match": match, "do": "reset"})
    assert (_take(faults) == "reset") is strikes


@pytest.mark.parametrize(
    "wrong",
    [
        {"do": "explode"},
        {"do": "status"},
        {"do": "reset", "match": {"colour": "red"}},
        {"do": "reset", "x": 1},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError):
        Faults().add(wrong)


def _logged(log, path):
    log.add(at="", method="GET", path=path, query="", user="", scheme="", status=200, size=0, ms=0.0)


def test_the_request_log_is_bounded_and_since_is_exclusive():
    log = RequestLog(capacity=3)
    for n in range(5):
        _logged(log, f"/{n}")
    assert [row["n"] for row in log.since(0)] == [3, 4, 5]
    assert [row["path"] for row in log.since(4)] == ["/4"]
    assert log.since(5) == []


def test_clearing_the_log_does_not_start_the_numbers_again():
    log = RequestLog()
    _logged(log, "/a")
    log.clear()
    _logged(log, "/b")
    assert [row["n"] for row in log.since(1)] == [2]
