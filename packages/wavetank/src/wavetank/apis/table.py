"""The Table API: /api/now/table, /api/now/v1/table and /api/now/v2/table.

ServiceNow docs: "Table API"; shapes and headers as recorded on developer instances.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote_plus

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wavetank import errors
from wavetank.behaviour import pipeline
from wavetank.database.dictionary import PASSWORDS, Table
from wavetank.database.display import Mode, Renderer, Style, strftime_format
from wavetank.database.query import Compiled, Condition, Context, Query, compile_query, parse
from wavetank.database.references import Source
from wavetank.database.store import Row
from wavetank.database.values import DROPPED, Reader, as_text
from wavetank.errors import PlatformError

if TYPE_CHECKING:
    from wavetank.instance import Instance
    from wavetank.security.who import Session

DEFAULT_LIMIT = 10_000
LARGEST = 2**53
MEGABYTE = 1_048_576
JSON = "application/json;charset=UTF-8"
# Tables that say no instead of showing nothing (measured on a developer instance).
SAYS_NO = frozenset({"metric_definition", "metric_instance", "sys_db_object", "sys_plugins"})
# A sys_id that the caller brings is not taken for these (measured on a developer instance).
OWN_IDS = frozenset({"sys_security_acl", "sys_security_acl_role"})
_STAMPS = frozenset({"sys_created_on", "sys_created_by", "sys_updated_on", "sys_updated_by", "sys_mod_count"})
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
_TRUE = frozenset({"true", "1", "yes"})
_VERSION = re.compile(r"/api/now(/v\d+)/")
# What a caller may bring as a sys_id: it becomes part of addresses. The platform's own check is not verified.
_SYS_ID = re.compile(r"[0-9A-Za-z_-]{1,32}")


def routes() -> list[Route]:
    """The routes of the API. They need `request.app.state.instance` and `request.state.session`."""
    return [
        Route(f"/api/now{version}/table/{path}", endpoint, methods=_METHODS)
        for version in ("", "/v1", "/v2")
        for path, endpoint in (("{table}", _answer), ("{table}/{sys_id}", _answer))
    ]


def ask(
    instance: Instance,
    session: Session,
    method: str,
    table: str,
    sys_id: str = "",
    params: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Response:
    """What the API answers to this session: the pages of the UI go through it. Raises PlatformError."""
    known = instance.plugins.table(table)
    if known is None:
        raise errors.invalid_table(table)
    return _dispatch(
        Call(
            instance=instance,
            session=session,
            method=method,
            version="",
            table=known,
            sys_id=sys_id,
            base="",
            path="",
            query_string="",
            params=params or {},
            headers={},
            body=body,
        )
    )


@dataclass(frozen=True)
class Call:
    """One request, taken apart."""

    instance: Instance
    session: Session
    method: str
    version: str
    table: Table
    sys_id: str
    base: str
    path: str
    query_string: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def flag(self, name: str) -> bool:
        return self.params.get(name, "").lower() in _TRUE

    def count(self, name: str, default: int) -> int:
        text = self.params.get(name, "").strip()
        return min(int(text), LARGEST) if text.isdecimal() and len(text) < 20 else default

    @property
    def address(self) -> str:
        """Where the tables are, in the version the caller used."""
        return f"{self.base}/api/now{self.version}/table/"


async def _answer(request: Request) -> Response:
    body = await request.body()
    instance: Instance = request.app.state.instance
    try:
        with instance.lock:
            return _dispatch(call_of(request, instance, body))
    except PlatformError as error:
        return Response(msgspec.json.encode(error.body()), error.status, dict(error.headers), media_type=JSON)


def call_of(request: Request, instance: Instance, body: bytes) -> Call:
    """A request on the path's table, taken apart. Raises PlatformError for no table, or a closed one."""
    name = request.path_params["table"]
    table = instance.plugins.table(name)
    if table is None:
        raise errors.invalid_table(name)
    if not table.ws_access:
        raise errors.api_refused()
    version = _VERSION.match(request.url.path)
    query_string = request.scope["query_string"].decode("latin-1")
    method = request.method
    if method == "POST":
        method = request.headers.get("x-http-method-override", method).upper()
    return Call(
        instance=instance,
        session=request.state.session,
        method=method,
        version=version[1] if version else "",
        table=table,
        sys_id=request.path_params.get("sys_id", ""),
        base=f"{request.url.scheme}://{request.headers.get('host') or request.url.netloc}",
        path=request.url.path,
        query_string=query_string,
        params=dict(parse_qsl(query_string, keep_blank_values=True)),
        headers=request.headers,
        body=body,
    )


def _dispatch(call: Call) -> Response:
    if call.method in {"GET", "HEAD"}:
        return _get(call) if call.sys_id else _list(call)
    if call.method == "POST" and not call.sys_id:
        return _create(call)
    if call.method in {"PUT", "PATCH"} and call.sys_id:
        return _update(call)
    if call.method == "DELETE" and call.sys_id:
        return _delete(call)
    raise PlatformError(405, "Method not supported", f"{call.method} is not supported here")


# ------------------------------------------------------------------ reading


def _list(call: Call) -> Response:
    access, table = call.instance.access, call.table.name
    query = query_of(call)
    compiled = compile_query(call.instance.dictionary, table, query, context_of(call))
    if compiled.unknown and call.instance.settings.get("unknown_query_field") == "refuse":
        raise errors.query_refused()
    may_read = readable(call)
    if not may_read and table in SAYS_NO:
        raise errors.table_refused(table)
    if may_read and access.query_fields(call.session, table, compiled.fields):
        raise errors.query_refused()
    limit, offset = call.count("sysparm_limit", DEFAULT_LIMIT), call.count("sysparm_offset", 0)
    shown = _page(call, compiled, limit, offset) if may_read else []
    headers: dict[str, str] = {}
    total = None if call.flag("sysparm_no_count") else _total(call, compiled, may_read)
    if total is not None:
        headers["X-Total-Count"] = str(total)
    if not call.flag("sysparm_suppress_pagination_header"):
        link = _link(call, limit, offset, total, len(shown))
        if link:
            headers["Link"] = link
    if not shown and call.version == "/v1":
        raise errors.no_record()
    return json_of({"result": shown}, 200, headers)


def readable(call: Call) -> bool:
    """The table gate. Who may read journal entries as records is not verified, hence a setting."""
    if call.instance.access.table(call.session, "read", call.table.name):
        return True
    role = call.instance.settings.get("journal_read")
    return call.table.name == "sys_journal_field" and (role == "" or call.session.has_role(role))


def _page(call: Call, compiled: Compiled, limit: int, offset: int) -> list[dict[str, Any]]:
    renderer = _renderer(call, compiled.source)
    sql = (
        f"SELECT {renderer.columns} {compiled.source.sql} WHERE {compiled.where_sql} {compiled.order_sql}"
        " LIMIT ? OFFSET ?"
    )
    rows = call.instance.database.execute(sql, [*compiled.params, limit, offset]).fetchall()
    return _visible(call, renderer, rows)


def _visible(call: Call, renderer: Renderer, rows: Sequence[tuple[str, ...]]) -> list[dict[str, Any]]:
    """Access controls come after the limit: a page may be short though more rows follow."""
    access, session, table = call.instance.access, call.session, call.table.name
    if access.needs_row(session, "read", table):
        rows = [row for row in rows if access.row(session, "read", table, _identity(row))]
    walked = access.query_fields(session, table, [key for key in _paths(call) if "." in key])
    always = access.fields(session, "read", table, None) | walked

    by_class: dict[str, frozenset[str]] = {}
    by_row = access.fields_need_row(session, "read", table)

    def denied(sys_id: str, class_name: str) -> frozenset[str]:
        found = None if by_row else by_class.get(class_name)
        if found is None:
            row = {"sys_id": sys_id, "sys_class_name": class_name}
            found = by_class[class_name] = always | access.fields(session, "read", table, row)
        return found

    return renderer.render(rows, denied)


def _identity(row: Sequence[str]) -> dict[str, str]:
    return {"sys_id": row[0], "sys_class_name": row[1]}


def _total(call: Call, compiled: Compiled, may_read: bool) -> int:
    database, access, table = call.instance.database, call.instance.access, call.table.name
    if call.instance.settings.get("total_count") == "after_acl":
        if not may_read:
            return 0
        if access.needs_row(call.session, "read", table):
            class_sql = 't0."sys_class_name"' if call.table.shared else "''"
            sql = f'SELECT t0."sys_id", {class_sql} {compiled.from_sql} WHERE {compiled.where_sql}'
            rows = database.execute(sql, compiled.params).fetchall()
            return sum(access.row(call.session, "read", table, _identity(row)) for row in rows)
    sql = f"SELECT COUNT(*) {compiled.from_sql} WHERE {compiled.where_sql}"
    return int(database.execute(sql, compiled.params).fetchone()[0])


def _link(call: Call, limit: int, offset: int, total: int | None, shown: int) -> str:
    """The pagination header. On the first page `prev` has a negative offset: that was recorded."""
    if (
        limit <= 0
        or (total is not None and total <= limit)
        or (total is None and shown < limit and not offset)
    ):
        return ""
    pairs = [pair for pair in call.query_string.split("&") if pair]
    kept = [
        pair
        for pair in pairs
        if unquote_plus(pair.partition("=")[0]) not in {"sysparm_limit", "sysparm_offset"}
    ]

    def to(name: str, at: int) -> str:
        query = "&".join([*kept, f"sysparm_limit={limit}", f"sysparm_offset={at}"])
        return f'<{call.base}{call.path}?{query}>;rel="{name}"'

    links = [to("first", 0), to("prev", offset - limit)]
    if offset + limit < total if total is not None else shown == limit:
        links.append(to("next", offset + limit))
    if total is not None:
        links.append(to("last", (total - 1) // limit * limit))
    return ",".join(links)


def _get(call: Call) -> Response:
    shown = _shown(call, call.sys_id)
    if shown is None:
        raise errors.no_record()
    return json_of({"result": shown})


def _shown(call: Call, sys_id: str) -> dict[str, Any] | None:
    """One record as the caller may see it; None when there is none to see."""
    if not readable(call):
        return None
    query = Query(blocks=(((Condition("sys_id", "=", sys_id),),),))
    compiled = compile_query(call.instance.dictionary, call.table.name, query, context_of(call))
    shown = _page(call, compiled, 1, 0)
    return shown[0] if shown else None


def query_of(call: Call) -> Query:
    """`sysparm_query`, or else the parameters that name fields (they may hold display values)."""
    if "sysparm_query" in call.params:
        return parse(call.params["sysparm_query"])
    groups = [
        (_named(call, name, value),)
        for name, value in call.params.items()
        if not name.startswith("sysparm_") and call.instance.dictionary.walk(call.table.name, name)
    ]
    return Query(blocks=(tuple(groups),) if groups else ())


def _named(call: Call, name: str, value: str) -> Condition:
    steps = call.instance.dictionary.walk(call.table.name, name)
    assert steps is not None
    field = steps[-1]
    if field.choice:
        table = call.table.name if len(steps) == 1 else field.table
        known = call.instance.behaviour.choices.find(table, field.name)
        if known and value not in known.labels:
            value = known.values.get(value.lower(), value)
    if field.is_reference and value and field.key == "sys_id":
        target = call.instance.dictionary.table(field.reference)
        if target is not None and call.instance.database.get(target.name, value) is None:
            return Condition(f"{name}.{target.display}", "=", value)
    return Condition(name, "=", value)


def context_of(call: Call) -> Context:
    """What the caller's query means: user, time zone, and how strict it is taken."""
    settings, session = call.instance.settings, call.session
    unknown = settings.get("unknown_query_field")
    if call.instance.property("glide.invalid_query.returns_no_rows") == "true":
        unknown = "no_rows"
    database = call.instance.database
    return Context(
        now=call.instance.clock.text(),
        user=session.sys_id,
        user_name=session.user_name,
        time_zone=session.time_zone,
        unknown_field=unknown,
        literal_time_zone=settings.get("literal_time_zone"),
        groups=lambda: [row["group"] for row in database.find("sys_user_grmember", user=session.sys_id)],
    )


def _paths(call: Call) -> list[str]:
    asked = [each.strip() for each in call.params.get("sysparm_fields", "").split(",")]
    return list(dict.fromkeys(filter(None, asked))) or list(call.table.fields)


def _renderer(call: Call, source: Source) -> Renderer:
    mode = call.params.get("sysparm_display_value", "").lower()
    shown: Mode = "all" if mode == "all" else "true" if mode in _TRUE else "false"
    date_format, time_format = _formats(call)
    style = Style(
        mode=shown,
        links="" if call.flag("sysparm_exclude_reference_link") else call.address,
        time_zone=call.session.time_zone,
        date_format=date_format,
        time_format=time_format,
    )
    return Renderer(call.instance.database, call.instance.behaviour.choices, source, _paths(call), style)


def _formats(call: Call) -> tuple[str, str]:
    user, instance = call.session.user, call.instance
    date = user.get("date_format") or instance.property("glide.sys.date_format", "yyyy-MM-dd")
    time = user.get("time_format") or instance.property("glide.sys.time_format", "HH:mm:ss")
    return strftime_format(date), strftime_format(time)


# ------------------------------------------------------------------ writing


def _create(call: Call) -> Response:
    given = _body(call)
    call = _of_class(call, as_text(given.get("sys_class_name", "")))
    instance, table = call.instance, call.table.name
    allowed = instance.access.table(call.session, "create", table)
    if allowed and instance.access.needs_row(call.session, "create", table):
        allowed = instance.access.row(call.session, "create", table, {"sys_class_name": table})
    if not allowed:
        raise errors.write_refused("insert")
    values = _values(call, given, "create", None)
    if table in OWN_IDS or not _SYS_ID.fullmatch(values.get("sys_id", "")):
        values.pop("sys_id", None)
    values.pop("sys_class_name", None)
    row = pipeline.insert(instance, call.session, table, values)
    headers = {"Location": call.address + f"{table}/{row['sys_id']}"}
    return _written(call, row, 201, headers)


def _of_class(call: Call, name: str) -> Call:
    """The call, on the class below its table that the body names, where that counts (not verified)."""
    counts = call.instance.settings.get("insert_class") == "given"
    known = call.instance.dictionary.table(name)
    if not counts or known is None or name not in call.instance.dictionary.descendants(call.table.name):
        return call
    return replace(call, table=known)


def _update(call: Call) -> Response:
    row = _existing(call, "write", "update")
    values = _values(call, _body(call), "write", row)
    values.pop("sys_id", None)
    values.pop("sys_class_name", None)
    row = pipeline.update(call.instance, call.session, call.table.name, row, values)
    return _written(call, row, 200, {})


def _delete(call: Call) -> Response:
    row = _existing(call, "delete", "delete")
    pipeline.delete(call.instance, call.session, call.table.name, row)
    return Response(status_code=204)


def _existing(call: Call, operation: Any, name: str) -> Row:
    """The record to write. Raises 404 when the caller cannot see it, 403 when it may not write it."""
    access, session, table = call.instance.access, call.session, call.table.name
    row = call.instance.database.get(table, call.sys_id)
    if row is None or not readable(call):
        raise errors.no_record()
    if access.needs_row(session, "read", table) and not access.row(session, "read", table, row):
        raise errors.no_record()
    allowed = access.table(session, operation, table)
    if allowed and access.needs_row(session, operation, table):
        allowed = access.row(session, operation, table, row)
    if not allowed:
        raise errors.write_refused(name)
    return row


def _written(call: Call, row: Row, status: int, headers: dict[str, str]) -> Response:
    if call.headers.get("x-no-response-body", "").lower() in _TRUE:
        return Response(status_code=204, headers=headers)
    return json_of({"result": _shown(call, row["sys_id"]) or {}}, status, headers)


def _body(call: Call) -> Mapping[str, Any]:
    """The JSON object of the body; of an array, the first. Raises 400."""
    allowed = int(call.instance.number("glide.rest.max_content_length", 10) * MEGABYTE)
    if len(call.body) > allowed:
        raise errors.too_large(len(call.body), allowed)
    kind = call.headers.get("content-type", "").lower()
    if "xml" in kind:
        raise PlatformError(415, "Unsupported media type", "Only application/json is served here")
    if not call.body.strip():
        return {}
    try:
        found = msgspec.json.decode(call.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise errors.unreadable_body(f"The payload is not valid JSON: {error}") from error
    if isinstance(found, list):
        found = found[0] if found else {}
    if not isinstance(found, dict):
        raise errors.unreadable_body("The payload is not a JSON object")
    return found


def _values(call: Call, given: Mapping[str, Any], operation: Any, row: Row | None) -> dict[str, str]:
    """What is stored of a body: known fields, in their stored form, that the caller may write."""
    instance = call.instance
    denied = instance.access.fields(call.session, operation, call.table.name, row)
    refused = sorted(denied & set(given))
    if refused and instance.settings.get("field_write_denied") == "403":
        raise errors.write_refused("insert" if row is None else "update")
    stamps = frozenset() if call.flag("sysparm_suppress_auto_sys_field") else _STAMPS
    reader = _reader(call)
    values: dict[str, str] = {}
    for name, value in given.items():
        field = call.table.fields.get(name)
        if field is None or name in denied or name in stamps:
            continue
        if field.type in PASSWORDS:
            stored = _secret(call, field.type, as_text(value))
        else:
            stored = reader.read(call.table, field, value)
        if stored is not DROPPED:
            values[name] = stored
    return values


def _reader(call: Call) -> Reader:
    date_format, time_format = _formats(call)
    return Reader(
        database=call.instance.database,
        choices=call.instance.behaviour.choices,
        display=call.flag("sysparm_input_display_value"),
        time_zone=call.session.time_zone,
        date_format=date_format,
        time_format=time_format,
        any_choice=call.instance.property("glide.rest.choice.allow_non_existing_value") == "true",
    )


def _secret(call: Call, kind: str, text: str) -> str | None:
    """A password is hashed on the display path only; a two-way secret is sealed on both."""
    from wavetank.security.passwords import hash_password

    if not text:
        return text
    if kind == "password2":
        return call.instance.seal.seal(text)
    if call.flag("sysparm_input_display_value"):
        return hash_password(text)
    return text if call.instance.settings.get("password_plain_write") == "literal" else DROPPED


def json_of(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), status, dict(headers or {}), media_type=JSON)
