"""Which callers the rules for addresses keep out."""

import base64
from datetime import UTC, datetime

import pytest

from wavetank.behaviour import pipeline
from wavetank.errors import PlatformError
from wavetank.security import addresses, plugins

BASIC = "Basic " + base64.b64encode(b"ada:sesame").decode()


@pytest.fixture
def from_address(scene, door):
    """`from_address("192.0.2.7")`: the status and body of a call from there, with right credentials."""
    scene.user("ada")
    scene.instance.configure({"forwarded_for": "trusted"})

    def ask(address, path="/api/now/table/incident"):
        answer = door.ask("GET", path, authorization=BASIC, x_forwarded_for=f"{address}, 127.0.0.1")
        return answer.status, answer.body

    return ask


def _rule(scene, kind, first, last, **values):
    row = {"type": kind, "direction": "inbound", "active": "true", "range_start": first, "range_end": last}
    return scene.add("ip_access", **{**row, **values})


@pytest.mark.claim("ip-deny")
def test_a_denied_address_gets_a_page_everywhere(scene, from_address):
    assert from_address("192.0.2.7")[0] == 200
    _rule(scene, "deny", "192.0.2.0", "192.0.2.255")
    for path in ("/api/now/table/incident", "/login.do", "/oauth_token.do"):
        status, body = from_address("192.0.2.7", path)
        assert status == 403
        assert body.startswith(b"<html>")
    assert from_address("192.0.3.7")[0] == 200
    assert from_address("2001:db8::1")[0] == 200


@pytest.mark.claim("ip-allow-beats-deny")
def test_an_allow_rule_beats_every_deny_rule(scene, from_address):
    _rule(scene, "deny", "0.0.0.0", "255.255.255.255")
    allow = _rule(scene, "allow", "198.51.100.10", "198.51.100.20")
    assert from_address("198.51.100.10")[0] == 200
    assert from_address("198.51.100.21")[0] == 403
    scene.database.update("ip_access", allow, {"active": "false"})
    assert from_address("198.51.100.10")[0] == 403


def test_rules_for_the_way_out_keep_nobody_out(scene, from_address):
    _rule(scene, "deny", "0.0.0.0", "255.255.255.255", direction="outbound")
    assert from_address("192.0.2.7")[0] == 200
    _rule(scene, "deny", "2001:db8::", "2001:db8::ffff", direction="bidirectional")
    assert from_address("2001:db8::1")[0] == 403


@pytest.mark.claim("ip-caller")
def test_whose_word_counts_for_the_address(scene):
    headers = {b"x-forwarded-for": b"192.0.2.7, 10.0.0.1"}
    scope = {"client": ("127.0.0.1", 5)}
    assert addresses.caller(scene.instance, scope, headers) == "127.0.0.1"
    scene.instance.configure({"forwarded_for": "trusted"})
    assert addresses.caller(scene.instance, scope, headers) == "192.0.2.7"
    assert addresses.caller(scene.instance, scope, {}) == "127.0.0.1"
    _rule(scene, "deny", "127.0.0.1", "127.0.0.1")
    assert not scene.instance.addresses.admits("127.0.0.1")
    assert not scene.instance.addresses.admits("::ffff:127.0.0.1")


@pytest.mark.claim("ip-whole-addresses")
@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("10.0.0.0/8", "10.0.0.255"),
        ("10.0.*", "10.0.*"),
        ("10.0.0.9", "10.0.0.1"),
        ("10.0.0.1", "::1"),
        ("", ""),
    ],
)
def test_only_whole_addresses_make_a_rule(scene, first, last):
    with pytest.raises(PlatformError) as refused:
        pipeline.insert(scene.instance, None, "ip_access", {"range_start": first, "range_end": last})
    assert refused.value.status == 403
    sound = {"range_start": "10.0.0.1", "range_end": "10.0.0.1"}
    assert pipeline.insert(scene.instance, None, "ip_access", sound)["direction"] == "inbound"


@pytest.mark.claim("ip-plugin")
def test_without_its_plugin_no_rule_counts(scene, from_address):
    _rule(scene, "deny", "192.0.2.7", "192.0.2.7")
    row = scene.database.first("sys_plugins", source=plugins.IP_RANGES)
    scene.database.update("sys_plugins", row["sys_id"], {"active": "inactive"})
    assert from_address("192.0.2.7")[0] == 200
    assert scene.instance.plugins.table("ip_access") is None


@pytest.mark.claim("ip-strict")
def test_the_strict_property_is_there_and_does_nothing(scene, from_address):
    assert scene.instance.property(addresses.STRICT) == "false"
    scene.instance.set_property(addresses.STRICT, "true")
    assert from_address("192.0.2.7")[0] == 200


def test_a_blocked_call_never_reached_the_instance(scene, from_address):
    scene.instance.clock.freeze(datetime(2026, 3, 1, tzinfo=UTC))
    _rule(scene, "deny", "192.0.2.7", "192.0.2.7")
    before = len(scene.instance.requests.since())
    from_address("192.0.2.7")
    assert len(scene.instance.requests.since()) == before
