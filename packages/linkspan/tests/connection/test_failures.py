"""Every kind of answer becomes one error with a stable code; the bodies are those the platform sends."""

from __future__ import annotations

import json

import pytest

from linkspan.connection.failures import Sent, decode, failure, retry_after
from linkspan.core import clock
from linkspan.core.errors import (
    Ambiguous,
    BadReply,
    LinkspanError,
    NotAuthenticated,
    NotAuthorized,
    NotFound,
    RateLimited,
    Rejected,
    Unreachable,
)

READ = Sent(method="GET", path="/api/now/table/incident", where="dev", safe=True)
WRITE = Sent(method="POST", path="/api/now/table/incident", where="dev", safe=False)
TOKEN = Sent(method="POST", path="/oauth_token.do", where="dev", safe=True, token_request=True)


def envelope(message: str, detail: str | None = None) -> bytes:
    return json.dumps({"error": {"message": message, "detail": detail}, "status": "failure"}).encode()


FAILED = "Operation Failed"
QUERY = "Insufficient rights to query records"
RULE = (
    "Operation against file 'incident' was aborted by Business Rule "
    "'Abort changes on group^6a2e9d14'. Business Rule Stack:Abort changes on group"
)
POLICY = "Data Policy Exception: The following fields are mandatory: Resolution code"
CANCELLED = "Transaction cancelled: maximum execution time exceeded"
CASES = [
    (
        401,
        envelope("User Not Authenticated", "Required to provide Auth information"),
        NotAuthenticated,
        "not_authenticated",
        "credential",
    ),
    (
        403,
        envelope(FAILED, "ACL Exception Insert Failed due to security constraints"),
        NotAuthorized,
        "acl_insert",
        "create",
    ),
    (
        403,
        envelope(FAILED, "ACL Exception Update Failed due to security constraints"),
        NotAuthorized,
        "acl_update",
        "write",
    ),
    (
        403,
        envelope(FAILED, "ACL Exception Delete Failed due to security constraints"),
        NotAuthorized,
        "acl_delete",
        "delete",
    ),
    (403, envelope(FAILED, RULE), Rejected, "business_rule_abort", "Abort changes on group"),
    (403, envelope(FAILED, POLICY), Rejected, "data_policy", "Resolution code"),
    (
        403,
        envelope(FAILED, "Error during insert of incident (x)"),
        Rejected,
        "insert_failed",
        "Error during insert",
    ),
    (
        403,
        envelope(QUERY, "Field(s) present in the query do not have permission to be read"),
        NotAuthorized,
        "query_acl",
        "Field(s)",
    ),
    (403, envelope(QUERY), NotAuthorized, "query_acl", QUERY),
    (
        403,
        envelope(QUERY, "No permission to read table 'kb_knowledge'"),
        NotAuthorized,
        "table_acl",
        "kb_knowledge",
    ),
    (
        403,
        envelope("User Not Authorized", "Failed API level ACL Validation"),
        NotAuthorized,
        "api_acl",
        "API level",
    ),
    (
        403,
        envelope("User Not Authorized", "Access to unscoped api is not allowed"),
        NotAuthorized,
        "scope_unscoped",
        "unscoped",
    ),
    (
        403,
        envelope("User Not Authorized", "Missing required api access scope: read_it"),
        NotAuthorized,
        "missing_scope",
        "read_it",
    ),
    (403, b"<html>Forbidden</html>", NotAuthorized, "edge_refused", "before the platform"),
    (403, b"", NotAuthorized, "not_authorized", "forbidden"),
    (
        404,
        envelope("No Record found", "Record doesn't exist or ACL restricts the record retrieval"),
        NotFound,
        "not_found",
        "ACL",
    ),
    (
        404,
        envelope("Requested URI does not represent any resource"),
        Rejected,
        "bad_uri",
        "does not represent",
    ),
    (
        400,
        envelope("Requested URI does not represent any resource"),
        Rejected,
        "bad_uri",
        "does not represent",
    ),
    (400, envelope("Invalid table foo"), Rejected, "invalid_table", "foo"),
    (
        400,
        envelope(
            "Exception while reading request",
            "Rejected large REST payload with content-length = 15105102 bytes. Max allowed: 10485760 bytes.",
        ),
        Rejected,
        "payload_too_large",
        "10485760",
    ),
    (413, b"", Rejected, "payload_too_large", "413"),
    (
        400,
        b"<html><body>This combination of host and port requires TLS.</body></html>",
        Rejected,
        "rejected",
        "400",
    ),
    (405, b"", Rejected, "rejected", "405"),
    (414, b"<html>...</html>", Rejected, "uri_too_long", "414"),
    (302, b"", BadReply, "redirected", "redirected"),
]


@pytest.mark.parametrize(("status", "body", "kind", "code", "words"), CASES)
@pytest.mark.parametrize("sent", [READ, WRITE], ids=["read", "write"])
def test_refusals(
    sent: Sent, status: int, body: bytes, kind: type[LinkspanError], code: str, words: str
) -> None:
    error = failure(sent, status, {"content-type": "application/json"}, body)
    assert type(error) is kind
    assert error is not None
    assert error.code == code
    assert words in error.cause
    assert error.where == "dev"


UNKNOWN_OUTCOME = [
    (
        500,
        envelope(CANCELLED, CANCELLED + ". Check logs for error trace."),
        Unreachable,
        "transaction_cancelled",
    ),
    (500, b"", Unreachable, "server_error"),
    (502, b"<html>Bad gateway</html>", Unreachable, "server_error"),
    (503, b"", Unreachable, "server_error"),
    (200, b"<html><title>Instance Hibernating page</title></html>", BadReply, "hibernating"),
    (200, b" <!DOCTYPE html><p>Log in", BadReply, "html"),
    (
        200,
        b'{"result":[{"sys_id":"1"},],' + envelope(CANCELLED, CANCELLED)[1:],
        BadReply,
        "transaction_cancelled",
    ),
    (200, envelope("Something", "else"), BadReply, "bad_reply"),
]


@pytest.mark.parametrize(("status", "body", "kind", "code"), UNKNOWN_OUTCOME)
def test_a_write_whose_outcome_is_unknown_is_ambiguous(
    status: int, body: bytes, kind: type[LinkspanError], code: str
) -> None:
    read, write = judged(READ, status, body), judged(WRITE, status, body)
    assert (type(read), read.code) == (kind, code)
    assert type(write) is Ambiguous
    assert read.retryable
    assert write.retryable
    assert write.fix


def judged(sent: Sent, status: int, body: bytes) -> LinkspanError:
    """The error of an answer, whether its status or its body tells."""
    error = failure(sent, status, {}, body)
    if error is None:
        with pytest.raises(LinkspanError) as caught:
            decode(sent, body)
        return caught.value
    return error


def test_accepted_answers_are_no_failure() -> None:
    row = {"description": 'the log said "error" and "failure"', "level": "error", "status": "failure"}
    text = json.dumps({"result": [row]}).encode()
    assert failure(READ, 200, {"content-type": "application/json"}, text) is None
    assert decode(READ, text) == {"result": [row]}
    assert decode(WRITE, b"") is None


def test_a_web_page_that_was_asked_for_is_no_failure() -> None:
    wanted = Sent(method="GET", path="/api/now/attachment/1/file", where="dev", safe=True, wants_json=False)
    assert failure(wanted, 200, {"content-type": "text/html"}, b"<html></html>") is None


def test_cut_json() -> None:
    with pytest.raises(BadReply) as read:
        decode(READ, b'{"result":[{"sys')
    assert read.value.code == "cut_reply"
    with pytest.raises(Ambiguous):
        decode(WRITE, b'{"result":[{"sys')
    assert decode(WRITE, b"") is None


def test_the_token_endpoint_hides_its_causes_and_the_fix_lists_them() -> None:
    error = failure(TOKEN, 401, {}, b'{"error_description":"access_denied","error":"server_error"}')
    assert isinstance(error, NotAuthenticated)
    assert error.code == "oauth_refused"
    assert "locked" in error.fix


def test_a_missing_one_time_password() -> None:
    error = failure(READ, 401, {"x-mfa_token": "invalid"}, b"")
    assert error is not None
    assert error.code == "mfa_required"


def test_rate_limit() -> None:
    body = envelope("Rate limit exceeded", "Rate limit of 100 requests per hour for Table API exceeded")
    error = failure(WRITE, 429, {"retry-after": "17"}, body)
    assert isinstance(error, RateLimited)
    assert error.retry_after == 17
    assert "100 requests" in error.cause


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("2.5", 2.5),
        ("-3", 0),
        ("5, 30", 30),
        ("nan", 0),
        ("999999", 3600),
        ("soon", 5),
        ("", 5),
        ("Thu, 01 Jan 1970 00:00:30 GMT", 30),
    ],
)
def test_retry_after(text: str, seconds: float) -> None:
    clock.set_clock(lambda: 0.0)
    try:
        assert retry_after({"retry-after": text}) == seconds
    finally:
        clock.set_clock(None)


def test_a_reply_of_any_bytes_becomes_an_error_or_none() -> None:
    for body in (
        b"\xff\xfe",
        b"null",
        b"[]",
        b'{"error":"x"}',
        b'{"error":null}',
        b'{"error":{"message":5}}',
    ):
        for status in (200, 204, 302, 400, 401, 403, 404, 418, 429, 500):
            for sent in (READ, WRITE, TOKEN):
                error = failure(sent, status, {}, body)
                assert error is None or isinstance(error, LinkspanError)
