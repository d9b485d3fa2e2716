from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import pytest
from starlette.testclient import TestClient

from linkspan.api import Access, create_app
from linkspan.flows.hub import Hub
from linkspan.flows.pulse import Pulse

TOKEN = "a-token-for-tests"
ADDRESS = "http://127.0.0.1:8700"
INCIDENTS = "/api/desk/incidents"


def code(answer: object) -> str:
    return answer.json()["problems"][0]["code"]  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("path", [INCIDENTS, "/api/fleet", "/metrics", "/live", "/", "/api/openapi.json"])
def test_strangers_see_nothing(stranger: TestClient, path: str) -> None:
    answer = stranger.get(path)
    assert answer.status_code == 401
    assert code(answer) == "not_authenticated"
    assert stranger.get(path, headers={"Authorization": "Bearer no"}).status_code == 401
    assert stranger.get(path, headers={"Cookie": "linkspan=no"}).status_code == 401
    assert stranger.get(path, headers={"Cookie": f"linkspan={TOKEN}"}).status_code == 401


def test_browsers_are_sent_to_sign_in(stranger: TestClient) -> None:
    answer = stranger.get("/desk", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


def test_health_is_open(stranger: TestClient) -> None:
    assert stranger.get("/healthz").json() == {"ok": True}
    assert stranger.get("/readyz").json() == {"ok": True}


def test_a_token_in_the_address_becomes_a_strict_cookie(stranger: TestClient) -> None:
    answer = stranger.get("/", params={"token": TOKEN, "q": "a b"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/?q=a+b")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in cookie
    assert stranger.get("/api/fleet").status_code == 200
    assert stranger.get("/", params={"token": "wrong"}).headers["location"] == "/sign-in?refused=1"


@pytest.mark.parametrize(
    "path", ["//evil.example/", "///evil.example", "/%2f/evil.example/x", "/\\evil.example"]
)
def test_a_token_in_the_address_leads_nowhere_else(stranger: TestClient, path: str) -> None:
    answer = stranger.get(f"{ADDRESS}{path}?token={TOKEN}")
    assert answer.status_code == 303
    assert urlsplit(urljoin(ADDRESS, answer.headers["location"])).netloc == urlsplit(ADDRESS).netloc


def test_signing_in_keeps_the_token_out_of_the_address(stranger: TestClient) -> None:
    answer = stranger.post("/sign-in", data={"token": "wrong"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?refused=1")
    assert "set-cookie" not in answer.headers
    answer = stranger.post("/sign-in", data={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert TOKEN not in answer.headers["set-cookie"]
    assert stranger.get("/api/fleet").status_code == 200


def test_a_cookie_writes_only_from_our_own_page(stranger: TestClient) -> None:
    stranger.get("/", params={"token": TOKEN})
    body = {"name": "Mail is down"}
    assert code(stranger.post(INCIDENTS, json=body)) == "origin"
    for origin in (
        "http://evil.example",
        "null",
        "http://127.0.0.1:9999",
        "http://[",
        "http://127.0.0.1:8700]",
    ):
        assert code(stranger.post(INCIDENTS, json=body, headers={"Origin": origin})) == "origin"
    assert stranger.get(INCIDENTS).json()["total"] == 0
    assert stranger.post(INCIDENTS, json=body, headers={"Origin": ADDRESS}).status_code == 201


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8700", 200),
        ("localhost", 200),
        ("[::1]:8700", 200),
        ("hub.example:8700", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("[", 421),
    ],
)
def test_answers_only_to_its_own_names(client: TestClient, host: str, status: int) -> None:
    assert client.get("/api/fleet", headers={"Host": host}).status_code == status


@pytest.mark.parametrize("host", ["hub.acme.com", "127.0.0.1:8700"])  # a proxy keeps the name, or not
def test_the_public_address_is_our_own(hub: Hub, host: str) -> None:
    access = Access([TOKEN], url="https://hub.acme.com")
    browser = TestClient(create_app(hub, access, Pulse(hub.stamp)), base_url=ADDRESS)
    browser.headers["Host"] = host
    browser.headers["Cookie"] = f"linkspan={access.session_for(TOKEN)}"
    for origin, status in (("https://hub.acme.com", 201), ("https://hub.acme.com.evil.example", 403)):
        answer = browser.post(INCIDENTS, json={"name": "Mail is down"}, headers={"Origin": origin})
        assert answer.status_code == status


def test_bodies_end_at_one_mebibyte(client: TestClient) -> None:
    assert client.post(INCIDENTS, content=b" " * 1_048_577).status_code == 413

    def chunks() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 65_536

    answer = client.post(INCIDENTS, content=chunks(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert code(answer) == "too_large"


def test_every_answer_carries_the_security_headers(client: TestClient, stranger: TestClient) -> None:
    for answer in (client.get("/api/fleet"), client.get("/nothing"), client.get("/", headers={"Host": "x"})):
        assert answer.headers["content-security-policy"].startswith("default-src 'self';")
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        # With no-referrer a browser says "Origin: null" for the forms of our own pages.
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
