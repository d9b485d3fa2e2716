"""Short addresses for long ones."""

from typing import Any

import pytest

from wavetank.apis import tinyurl

LONG = "sysparm_query=numberIN" + ",".join(f"INC{index:07d}" for index in range(1, 2001))


def _short(admin: Any, address: str, base: str = "/api/now/tinyurl") -> str:
    answer = admin.call("POST", base, json={"url": address})
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["result"])


@pytest.mark.claim("tinyurl-make")
@pytest.mark.parametrize("base", ["/api/now/tinyurl", "/api/now/v1/tinyurl"])
def test_a_long_query_has_a_short_name(admin: Any, base: str) -> None:
    assert admin.call("GET", f"incident?{LONG}").status_code == 414
    address = f"http://dev.example/incident_list.do?{LONG}&sysparm_limit=7&sysparm_fields=number"
    short = _short(admin, address, base)
    path, _, tiny = short.partition("?sysparm_tiny=")
    assert path == "incident_list.do"
    assert len(tiny) == 32
    answer = admin.call("GET", f"incident?sysparm_tiny={tiny}")
    assert [set(row) for row in answer.json()["result"]] == [{"number"}] * 7
    assert answer.headers["x-total-count"] == "20"
    assert f"sysparm_tiny={tiny}&sysparm_limit=7&sysparm_offset=7" in answer.headers["link"]


@pytest.mark.claim("tinyurl-make")
def test_the_pages_of_a_short_address_follow_its_links(admin: Any) -> None:
    query = "sysparm_query=ORDERBYnumber&sysparm_limit=9&sysparm_offset=0&sysparm_fields=number"
    tiny = _short(admin, f"x?{query}").split("=")[1]
    seen: list[str] = []
    path = f"incident?sysparm_tiny={tiny}"
    while path:
        answer = admin.call("GET", path)
        seen += [row["number"] for row in answer.json()["result"]]
        path = answer.links.get("next", {}).get("url", "").removeprefix("http://dev.example:8080")
        assert len(seen) <= 20
    assert len(set(seen)) == 20


@pytest.mark.claim("tinyurl-resolve")
def test_what_a_short_name_stands_for(admin: Any) -> None:
    tiny = _short(admin, "incident_list.do?sysparm_query=active%3Dtrue&sysparm_view=&a+b=%26").split("=")[1]
    shown = admin.get(f"/api/now/tinyurl/{tiny}")
    assert shown == {"sysparm_query": "active=true", "sysparm_view": "", "a b": "&"}
    assert admin.refused("GET", "/api/now/tinyurl/nope")[0] == 404


@pytest.mark.claim("tinyurl-make")
def test_the_same_query_keeps_its_name_and_outlives_a_snapshot(admin: Any, instance: Any) -> None:
    first, again = (_short(admin, "incident_list.do?active=true") for _ in range(2))
    assert first == again
    assert _short(admin, "incident_list.do?active=false") != first
    instance.database.snapshot("one")
    instance.restore("one")
    assert len(admin.get(f"incident?{first.partition('?')[2]}")) == len(admin.get("incident", active="true"))


@pytest.mark.claim("tinyurl-rights")
def test_a_short_name_gives_no_rights(admin: Any) -> None:
    tiny = _short(admin, "incident_list.do?sysparm_limit=3").split("=")[1]
    assert admin.user("nobody.special").get("incident", sysparm_tiny=tiny) == []


def test_a_short_name_that_is_not_known_asks_for_nothing(admin: Any) -> None:
    assert len(admin.get("incident", sysparm_tiny="nope", sysparm_limit="2")) == 2


@pytest.mark.parametrize(
    "body", [{}, {"url": ""}, {"url": 5}, {"url": None}, {"url": ["x"]}, [], "x", {"url": "http://[x/?a=b"}]
)
def test_what_is_no_address_is_400(admin: Any, body: Any) -> None:
    assert admin.refused("POST", "/api/now/tinyurl", json=body)[0] == 400


def test_there_is_an_end_to_what_is_kept(admin: Any, instance: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tinyurl, "MOST", 3)
    names = [_short(admin, f"incident_list.do?x={index}").split("=")[1] for index in range(5)]
    instance.clock.advance(1)
    assert instance.database.count("sys_tiny_url") == 3
    assert admin.call("GET", f"/api/now/tinyurl/{names[-1]}").status_code == 200
    monkeypatch.setattr(tinyurl, "LONGEST", 20)
    assert admin.refused("POST", "/api/now/tinyurl", json={"url": "x" * 21})[0] == 400


def test_nobody_shortens_without_signing_in(admin: Any) -> None:
    admin.client.auth = None
    assert admin.refused("POST", "/api/now/tinyurl", json={"url": "x?y=z"})[0] == 401
