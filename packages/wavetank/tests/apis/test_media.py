"""JSON and XML, both ways, and which of them a caller gets."""

import contextlib
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavetank.apis import media
from wavetank.errors import PlatformError

XML = {"Accept": "application/xml"}
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def _tree(answer: Any) -> ElementTree.Element:
    assert answer.headers["content-type"] == "application/xml;charset=UTF-8"
    root = ElementTree.fromstring(answer.content)
    assert root.tag == "response"
    return root


# ---------------------------------------------------------------- which format


@pytest.mark.claim("media-accept")
@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "json"),
        (" , ", "json"),
        ("*/*", "json"),
        ("application/json", "json"),
        ("application/json; charset=utf-8", "json"),
        ("application/json, text/plain, */*", "json"),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "json"),
        ("application/vnd.api+json", "json"),
        ("application/json,application/xml", "json"),
        ("application/json;q=nonsense", "json"),
        ("application/xml,application/json", "xml"),
        ("application/json;q=0.5,application/xml;q=0.9", "xml"),
        ("application/json;q=0,text/xml", "xml"),
        ("TEXT/XML", "xml"),
        (BROWSER, "xml"),
    ],
)
def test_the_format_that_a_caller_likes_best(accept: str, kind: str) -> None:
    assert media.wanted(accept) == kind


@pytest.mark.claim("media-accept")
@pytest.mark.parametrize(
    "accept", ["text/html", "image/png", "text/csv, application/pdf", "application/json;q=0"]
)
def test_a_caller_who_takes_neither_gets_406(admin: Any, accept: str) -> None:
    status, message, _ = admin.refused("GET", "incident", headers={"Accept": accept})
    assert (status, message) == (406, "Not Acceptable")


@pytest.mark.claim("media-content-type")
@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "Application/JSON; charset=UTF-8",
        "text/json",
        "application/vnd.x+json",
        "text/plain",
        "application/octet-stream",
        "*/*",
    ],
)
def test_a_json_body_by_many_names(admin: Any, kind: str) -> None:
    body = b'{"short_description": "x"}'
    answer = admin.call("POST", "incident", content=body, headers={"Content-Type": kind})
    assert answer.json()["result"]["short_description"] == "x"


@pytest.mark.claim("media-content-type")
@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "image/png", "text/html"]
)
def test_a_body_in_a_foreign_format_is_415(admin: Any, kind: str) -> None:
    answer = admin.refused("POST", "incident", content=b"a=b", headers={"Content-Type": kind})
    assert answer[:2] == (415, "Unsupported Media Type")
    # Without a body there is nothing to be foreign.
    assert admin.call("POST", "incident", content=b"", headers={"Content-Type": kind}).status_code == 201


@pytest.mark.claim("media-missing-headers")
def test_a_request_that_names_no_format(admin: Any, made: Any) -> None:
    def status(method: str, path: str, **headers: str) -> int:
        body = b"{}" if method in ("POST", "PATCH") else None
        request = admin.client.build_request(method, f"/api/now/table/{path}", content=body, headers=headers)
        if "Accept" not in headers:
            del request.headers["Accept"]
        return int(admin.client.send(request).status_code)

    path = f"incident/{made['sys_id']}"
    both = {"Accept": "*/*", "Content-Type": "application/json"}
    assert status("GET", path) == 200
    assert status("PATCH", path) == 200
    admin.instance.configure({"missing_headers": "refused"})
    assert [status("GET", path), status("GET", path, Accept="*/*")] == [400, 200]
    assert [status("PATCH", path, Accept="*/*"), status("PATCH", path, **both)] == [400, 200]
    assert [status("POST", "incident"), status("POST", "incident", **both)] == [400, 201]
    assert [status("DELETE", path, Accept="*/*"), status("DELETE", path, **both)] == [400, 204]


# ---------------------------------------------------------------- XML out


@pytest.mark.claim("media-xml-answer")
def test_a_list_in_xml_has_one_result_a_row(admin: Any) -> None:
    path = (
        "incident?sysparm_limit=3&sysparm_query=ORDERBYnumber&sysparm_fields=number,caller_id,caller_id.name"
    )
    root = _tree(admin.call("GET", path, headers=XML))
    assert [child.tag for child in root] == ["result"] * 3
    assert [child.findtext("number") for child in root] == ["INC0000001", "INC0000002", "INC0000003"]
    first = root[0]
    link = first.findtext("caller_id/link") or ""
    assert link.endswith(f"/sys_user/{first.findtext('caller_id/value')}")
    assert first.findtext("caller_id.name") == "Abel Tuter"
    empty = _tree(admin.call("GET", "incident?number=nope", headers=XML))
    assert list(empty) == []


@pytest.mark.claim("media-xml-answer")
def test_one_record_in_xml_says_what_json_says(admin: Any, made: Any) -> None:
    path = f"incident/{made['sys_id']}?sysparm_display_value=all"
    shown = admin.get(path)
    root = _tree(admin.call("GET", path, headers=XML))
    assert [child.tag for child in root] == ["result"]
    assert {child.tag for child in root[0]} == set(shown)
    for name, value in shown.items():
        for key, text in value.items():
            assert (root[0].findtext(f"{name}/{key}") or "") == (text or ""), name


@pytest.mark.claim("media-xml-answer")
def test_statistics_in_xml(admin: Any) -> None:
    root = _tree(admin.call("GET", "/api/now/stats/incident?sysparm_count=true", headers=XML))
    assert root.findtext("result/stats/count") == "20"
    path = "/api/now/stats/incident?sysparm_count=true&sysparm_group_by=state"
    root = _tree(admin.call("GET", path, headers=XML))
    assert {child.findtext("groupby_fields/field") for child in root} == {"state"}


@pytest.mark.claim("media-xml-errors")
def test_errors_are_xml_for_who_asks_for_xml(admin: Any) -> None:
    for path, status, message in (
        ("incident/" + "0" * 32, 404, "No Record found"),
        ("nope", 400, "Invalid table nope"),
    ):
        answer = admin.call("GET", path, headers=XML)
        root = _tree(answer)
        assert (answer.status_code, root.findtext("error/message")) == (status, message)
        assert root.findtext("status") == "failure"


@settings(max_examples=50)
@given(st.dictionaries(st.text(min_size=1), st.none() | st.booleans() | st.text() | st.lists(st.text())))
def test_whatever_is_said_in_xml_can_be_read(value: Any) -> None:
    root = ElementTree.fromstring(media.packed("xml", {"result": value}))
    assert root.tag == "response"
    assert [child.tag for child in root] == ["result"]


def test_text_comes_back_as_it_was_but_for_what_xml_cannot_hold() -> None:
    text = 'a & b < c > "d"\r\n\te\x00\x0bf\ud800'
    root = ElementTree.fromstring(media.packed("xml", {"result": {"x": text}}))
    assert root.findtext("result/x") == 'a & b < c > "d"\r\n\tef'


# ---------------------------------------------------------------- XML in


@pytest.mark.claim("media-xml-request")
@pytest.mark.parametrize(
    "body",
    [
        "<request><entry><short_description>a &lt; b</short_description><impact>1</impact></entry></request>",
        "<request><short_description>a &lt; b</short_description><impact>1</impact></request>",
        "<?xml version='1.0' encoding='UTF-8'?><x:request xmlns:x='urn:x'><x:entry><x:short_description>"
        "<![CDATA[a < b]]></x:short_description><impact>1</impact></x:entry><entry><impact>3</impact></entry>"
        "</x:request>",
    ],
)
@pytest.mark.parametrize("kind", ["application/xml", "text/xml; charset=utf-8"])
def test_a_record_comes_in_xml(admin: Any, body: str, kind: str) -> None:
    answer = admin.call("POST", "incident", content=body.encode(), headers={"Content-Type": kind, **XML})
    root = _tree(answer)
    assert answer.status_code == 201
    assert (root.findtext("result/short_description"), root.findtext("result/impact")) == ("a < b", "1")


@pytest.mark.claim("media-xml-request")
def test_a_change_comes_in_xml_and_its_answer_goes_in_json(admin: Any, made: Any) -> None:
    body = "<request><entry><urgency>1</urgency><close_notes/></entry></request>"
    headers = {"Content-Type": "application/xml", "Accept": "application/json"}
    answer = admin.call("PUT", f"incident/{made['sys_id']}", content=body, headers=headers)
    assert answer.json()["result"]["urgency"] == "1"


@pytest.mark.claim("media-xml-request")
def test_xml_comes_in_its_own_encoding() -> None:
    text = '<?xml version="1.0" encoding="ISO-8859-1"?><r><entry><a>caf\xe9</a></entry></r>'
    assert media.record("application/xml", text.encode("latin-1")) == {"a": "caf\xe9"}
    utf16 = "<r><a>caf\xe9</a></r>".encode("utf-16")
    assert media.record("application/xml", utf16) == {"a": "caf\xe9"}
    assert media.record("text/xml; charset=iso-8859-1", b"<r><a>\xe9</a></r>") == {"a": "\xe9"}


BOMB = '<!DOCTYPE a [<!ENTITY b "1234567890"><!ENTITY c "&b;&b;&b;">]><r><a>&c;</a></r>'
LEAK = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><r><a>&x;</a></r>'


@pytest.mark.claim("media-xml-safe")
@pytest.mark.parametrize(
    "body",
    [
        BOMB,
        LEAK,
        '<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd"><r/>',
        "<r><a>&undeclared;</a></r>",
        "<a>" * 50 + "</a>" * 50,
        "<r><a></r>",
        "<r/><r/>",
        "<request>text</request>",
        "not xml",
        '<?xml version="1.0" encoding="nonsense"?><r/>',
        '<?xml version="1.0" encoding="utf-16"?><r/>',
        "\x00",
    ],
)
def test_xml_that_is_broken_or_dangerous_is_400(admin: Any, body: str) -> None:
    headers = {"Content-Type": "application/xml"}
    before = len(admin.get("incident"))
    answer = admin.refused("POST", "incident", content=body.encode(), headers=headers)
    assert answer[:2] == (400, "Exception while reading request")
    assert "root:" not in str(answer[2])
    assert len(admin.get("incident")) == before


# ---------------------------------------------------------------- JSON in


@pytest.mark.claim("media-json-request")
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", '{"a": "caf\xe9"}'.encode()),
        ("application/json", b"\xef\xbb\xbf" + '{"a": "caf\xe9"}'.encode()),
        ("application/json", '{"a": "caf\xe9"}'.encode("utf-16")),
        ("application/json", '{"a": "caf\xe9"}'.encode("utf-16-le")),
        ("application/json", '{"a": "caf\xe9"}'.encode("utf-32")),
        ('application/json; charset="ISO-8859-1"', '{"a": "caf\xe9"}'.encode("latin-1")),
        ("", '[{"a": "caf\xe9"}, {"a": "other"}]'.encode()),
        ("", '{"a": "first", "a": "caf\xe9"}'.encode()),
    ],
)
def test_json_in_many_encodings(kind: str, body: bytes) -> None:
    assert media.record(kind, body) == {"a": "caf\xe9"}


@pytest.mark.claim("media-json-request")
@pytest.mark.parametrize("body", [b"", b"  \r\n", b"[]", b"{}"])
def test_nothing_is_an_empty_record(admin: Any, body: bytes) -> None:
    assert admin.call("POST", "incident", content=body).status_code == 201


@pytest.mark.claim("media-json-request")
@pytest.mark.parametrize(
    "body",
    [
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b"{'a': 'b'}",
        b'{"a": 1,}',
        b'{"a": 1} {"a": 2}',
        b"null",
        b"true",
        b"[1]",
        b"[" * 100_000,
        b'{"a":' * 40 + b"1" + b"}" * 40,
        b"// comment\n{}",
        b"\xff\xfe",
        b"\x00\x01",
    ],
)
def test_what_is_no_json_object_is_400(body: bytes) -> None:
    with pytest.raises(PlatformError) as refused:
        media.record("application/json", body)
    assert (refused.value.status, refused.value.message) == (400, "Exception while reading request")


@pytest.mark.claim("media-json-request")
@pytest.mark.parametrize("charset", ["nonsense", "utf-16", "base64", "ascii"])
def test_a_body_that_is_not_in_the_encoding_it_names_is_400(charset: str) -> None:
    with pytest.raises(PlatformError) as refused:
        media.record(f"application/json; charset={charset}", '{"a":"\xe9"}'.encode())
    assert refused.value.status == 400


@pytest.mark.claim("media-single-quotes")
def test_single_quotes_are_taken_where_a_setting_says_so(admin: Any) -> None:
    body = b"""{'short_description': 'it\\'s "it"', "urgency": "1", 'description': "don't"}"""
    assert admin.refused("POST", "incident", content=body)[0] == 400
    admin.instance.configure({"json_quotes": "single_too"})
    made = admin.call("POST", "incident", content=body).json()["result"]
    assert (made["short_description"], made["urgency"], made["description"]) == ('it\'s "it"', "1", "don't")
    assert admin.refused("POST", "incident", content=b"{'a': [}")[0] == 400


@settings(max_examples=50)
@given(
    st.binary(max_size=200),
    st.sampled_from(["application/json", "application/xml", "text/xml;charset=x", ""]),
)
def test_any_bytes_are_a_record_or_a_400(body: bytes, kind: str) -> None:
    with contextlib.suppress(PlatformError):
        assert isinstance(media.record(kind, body), dict)
