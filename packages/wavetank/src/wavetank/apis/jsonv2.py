"""The JSONv2 web service: `/{table}.do?JSONv2&sysparm_action=…`, which older clients speak.

ServiceNow docs: "JSON Data Retrieval API", "JSON Data Modification API", "Action parameters", "JSON object
format", "JSON response status". Values are taken as a person would type them, and references are bare; what
may be read and written is what the Table API allows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from wavetank import errors
from wavetank.apis import media
from wavetank.apis import table as table_api
from wavetank.apis.endpoint import endpoint
from wavetank.apis.table.call import params_of
from wavetank.errors import PlatformError
from wavetank.security import credentials, gates, public

if TYPE_CHECKING:
    from wavetank.instance import Instance
    from wavetank.security.who import Session

ROW_LIMIT = "glide.processor.json.row_limit"
_MARK = re.compile(rb"(?:^|&)JSONv2(?:[=&]|$)")
_MANDATORY = re.compile(r"Data Policy Exception: The following fields are mandatory: (.*)")
# What a body says to the service and not to the record.
_ACTIONS = ("sysparm_action", "sysparm_query", "sysparm_sys_id", "sysparm_view")
# Names of the failed operation in the record's own message; only the first is documented.
_FAILED = {"insert": "Invalid Insert into", "update": "Invalid Update into", "delete": "Invalid Delete of"}


class _Marked(Route):
    """A route for addresses that carry the mark of the service; others go on to the pages."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if not _MARK.search(scope.get("query_string", b"")):
            return Match.NONE, {}
        return super().matches(scope)


def routes() -> list[Route]:
    """The routes of the service; they come before the pages. They need `request.app.state.instance`."""
    return [_Marked("/{table}.do", endpoint(_answer), methods=["GET", "POST"])]


def _answer(request: Request, instance: Instance, body: bytes) -> Response:
    name = request.path_params["table"]
    presented = credentials.read(dict(request.scope["headers"]))
    guest = None if presented.scheme else public.session(instance, name, public.REQUIRED_JSONV2)
    session = guest or instance.identity.authenticate(presented)
    if instance.plugins.table(name) is None:
        raise errors.invalid_table(name)
    gates.admit(instance, session, request.method, request.url.path, name)
    given = media.record(request.headers.get("content-type", ""), body) if request.method == "POST" else {}
    params = params_of(request.scope["query_string"].decode("latin-1"))
    params |= {key: str(given[key]) for key in _ACTIONS if key in given}
    values = {key: value for key, value in given.items() if key not in _ACTIONS}
    return media.answer("json", _Asked(instance, session, name, params).do(request.method, values))


class _Asked:
    """One request: what to do with which records of a table, for whom."""

    def __init__(self, instance: Instance, session: Session, table: str, params: Mapping[str, str]) -> None:
        self._instance = instance
        self._session = session
        self._table = table
        self._params = params

    def do(self, method: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """The answer's object. Raises PlatformError for an action that does not exist."""
        reading = "get" if "sysparm_sys_id" in self._params else "getRecords"
        action = self._params.get("sysparm_action") or (reading if method == "GET" else "insert")
        records: list[Any]
        match action:
            case "update" | "deleteMultiple" if not self._query:
                word = "update" if action == "update" else "delete"
                return {"_error": f"Cannot {word} with empty sysparm_query", "reason": None}
            case "get":
                records = self._records(f"sys_id={self._asked_id}")
            case "getRecords":
                records = self._records(self._query)
            case "getKeys":
                records = self._keys()
            case "insert" | "insertMultiple":
                several = values.get("records")
                listed = several if isinstance(several, list) else [values]
                records = [self._write("insert", "POST", "", each) for each in listed]
            case "update":
                records = [self._write("update", "PATCH", key, values) for key in self._keys()]
            case "deleteRecord":
                records = [self._write("delete", "DELETE", self._asked_id, {})]
            case "deleteMultiple":
                records = [self._write("delete", "DELETE", key, {}) for key in self._keys()]
            case _:
                raise errors.unreadable_body(f"Unknown sysparm_action: {action}")
        return {"records": records}

    @property
    def _query(self) -> str:
        return self._params.get("sysparm_query", "")

    @property
    def _asked_id(self) -> str:
        return self._params.get("sysparm_sys_id", "")

    def _keys(self) -> list[str]:
        return [row["sys_id"] for row in self._rows(self._query, {"sysparm_fields": "sys_id"})]

    def _limit(self) -> int:
        most = int(self._instance.number(ROW_LIMIT, 10_000))
        asked = self._params.get("sysparm_record_count", "").strip()
        return min(int(asked[:12]), most) if asked.isascii() and asked.isdecimal() else most

    def _rows(self, query: str, more: Mapping[str, str]) -> list[dict[str, Any]]:
        """Rows as the Table API shows them, references bare."""
        params = {
            "sysparm_query": query,
            "sysparm_limit": str(self._limit()),
            "sysparm_exclude_reference_link": "true",
            "sysparm_no_count": "true",
            **more,
        }
        rows: list[dict[str, Any]] = self._ask("GET", "", params)
        return rows

    def _ask(self, method: str, sys_id: str, params: Mapping[str, str], values: Any = None) -> Any:
        """The result of the Table API, None when it says nothing. Raises PlatformError."""
        body = b"" if values is None else msgspec.json.encode(values)
        said = table_api.ask(self._instance, self._session, method, self._table, sys_id, params, body).body
        return msgspec.json.decode(said)["result"] if said else None

    def _records(self, query: str) -> list[dict[str, Any]]:
        view = {"sysparm_view": self._params.get("sysparm_view", "")}
        shown = self._params.get("displayvalue", "").lower()
        if shown not in ("true", "all"):
            return [_succeeded(row) for row in self._rows(query, view)]
        rows = self._rows(query, {**view, "sysparm_display_value": "all"})
        return [_succeeded(self._displayed(row, both=shown == "all")) for row in rows]

    def _displayed(self, row: Mapping[str, Any], *, both: bool) -> dict[str, Any]:
        """A row with the names of what its references point to, in their place or beside them."""
        made: dict[str, Any] = {}
        for key, each in row.items():
            steps = self._instance.dictionary.walk(self._table, key)
            if steps is None or not steps[-1].is_reference:
                made[key] = each["value"]
            elif both:
                made |= {key: each["value"], f"dv_{key}": each["display_value"]}
            else:
                made[key] = each["display_value"]
        return made

    def _write(self, name: str, method: str, sys_id: str, values: Any) -> dict[str, Any]:
        """The record as it is after the write; or what went wrong with this one."""
        params = {"sysparm_input_display_value": "true", "sysparm_exclude_reference_link": "true"}
        try:
            row = self._ask(method, sys_id, params, values if isinstance(values, Mapping) else {})
        except PlatformError as refused:
            error = {"message": f"{_FAILED[name]}: {self._table}", "reason": _reason(refused)}
            return {"__error": error, "__status": "failure"}
        return _succeeded(row if isinstance(row, dict) else {"sys_id": sys_id})


def _succeeded(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "__status": "success"}


def _reason(refused: PlatformError) -> str:
    """A refusal in the service's words: a data policy names one field after the other."""
    found = _MANDATORY.fullmatch(refused.detail or "")
    if found is None:
        return refused.detail or refused.message
    return _each_mandatory(found[1].split(", "))


def _each_mandatory(labels: Iterable[str]) -> str:
    return "Data Policy Exception:  " + "".join(f"{label} is mandatory " for label in labels)
