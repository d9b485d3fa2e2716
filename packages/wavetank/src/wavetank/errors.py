"""The one exception a caller of the emulated instance can see: it *is* the answer on the wire.

Bodies and texts follow ServiceNow docs: "Table API", "REST API HTTP response codes", and refusals
recorded on developer instances.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class PlatformError(Exception):
    """An error answer: HTTP status and the two sentences of ServiceNow's error envelope.

    `detail` may be None: the platform then sends JSON null. `headers` are added to the answer, and
    after them `repeated`: further headers of a name that occurs more than once.
    """

    status: int
    message: str
    detail: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeated: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.status} {self.message}: {self.detail}"

    def body(self) -> dict[str, Any]:
        """The JSON envelope: {"error": {"message", "detail"}, "status": "failure"}."""
        return {"error": {"message": self.message, "detail": self.detail}, "status": "failure"}


def no_record() -> PlatformError:
    """The record does not exist, or the caller may not see it: the two are not told apart."""
    return PlatformError(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")


def invalid_table(name: str) -> PlatformError:
    """A table that the dictionary does not hold."""
    return PlatformError(400, f"Invalid table {name}")


def unknown_resource() -> PlatformError:
    """A path that no registered REST resource answers."""
    return PlatformError(400, "Requested URI does not represent any resource")


def query_refused() -> PlatformError:
    """The query filters or sorts on a field that the caller may not read."""
    return PlatformError(
        403,
        "Insufficient rights to query records",
        "Field(s) present in the query do not have permission to be read",
    )


def query_refused_by_table(table: str) -> PlatformError:
    """The same refusal in other words, seen once by a client."""
    return PlatformError(
        403,
        f"Operation against file '{table}' was denied due to table security.",
        "Field(s) present in the query do not have permission to be read.",
    )


def table_refused(table: str) -> PlatformError:
    """The caller may not read the table at all, on the tables that say so instead of answering nothing."""
    return PlatformError(
        403, "Insufficient rights to query records", f"No permission to read table '{table}'"
    )


def api_refused() -> PlatformError:
    """The API's own access control, or a table closed to web services, refuses the caller."""
    return PlatformError(403, "User Not Authorized", "Failed API level ACL Validation")


def operation_failed(detail: str) -> PlatformError:
    """A write that a rule, a policy or a constraint stopped; only `detail` tells which."""
    return PlatformError(403, "Operation Failed", detail)


def write_refused(operation: str) -> PlatformError:
    """An access control refuses a write; `operation` is insert, update or delete."""
    return operation_failed(f"ACL Exception {operation.capitalize()} Failed due to security constraints")


def too_large(length: int, allowed: int) -> PlatformError:
    """A request body above the instance's limit, both in bytes. It is a 400, not a 413."""
    return PlatformError(
        400,
        "Exception while reading request",
        f"Rejected large REST payload with content-length = {length} bytes. Max allowed: {allowed} bytes.",
    )


def unreadable_body(reason: str) -> PlatformError:
    """A body that is not the JSON it should be. The platform's own wording is not verified."""
    return PlatformError(400, "Exception while reading request", reason)


def not_acceptable(accept: str) -> PlatformError:
    """The caller takes neither JSON nor XML. The platform's own wording is not verified."""
    return PlatformError(406, "Not Acceptable", f"No supported response format in Accept: {accept}")


def unsupported_media(kind: str) -> PlatformError:
    """A body in neither JSON nor XML. The platform's own wording is not verified."""
    return PlatformError(415, "Unsupported Media Type", f"Content-Type {kind} is not supported")


def method_refused(method: str) -> PlatformError:
    """A method that the resource does not have. The platform's own wording is not verified."""
    return PlatformError(405, "Method not supported", f"{method} is not supported here")


def bad_number(name: str, text: str) -> PlatformError:
    """A parameter that counts rows and is no count. That it is refused at all is not verified."""
    return PlatformError(400, "Invalid request parameter", f"{name} is not a number of rows: {text}")


def header_missing(name: str) -> PlatformError:
    """A request without a header that the documentation asks for. The wording is wavetank's own."""
    return PlatformError(400, "Bad Request", f"The request has no {name} header")
