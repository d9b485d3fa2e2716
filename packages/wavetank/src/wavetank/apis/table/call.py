"""One request of the Table API, taken apart: what it names and what it asks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from wavetank import errors
from wavetank.apis import media, tinyurl
from wavetank.apis.table import views
from wavetank.database.dictionary import Table
from wavetank.database.formats import strftime_format
from wavetank.database.query import Compiled, Condition, Context, Query, compile_query, parse
from wavetank.errors import PlatformError
from wavetank.security.acl.queries import NO_ROWS

if TYPE_CHECKING:
    from wavetank.instance import Instance
    from wavetank.security.who import Session


LARGEST = 2**53
JSON = media.JSON
TRUE = frozenset({"true", "1", "yes"})
# ServiceNow docs: Available system properties. Links then name the instance, whatever host was asked.
OWN_HOST = "glide.rest.replace_request_host_with_property"
_VERSION = re.compile(r"/api/now(/v\d+)/")


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
    kind: media.Kind = "json"

    def flag(self, name: str) -> bool:
        """Whether a parameter says yes, in any case and with blanks around it."""
        return self.params.get(name, "").strip().lower() in TRUE

    def count(self, name: str, default: int) -> int:
        """A parameter that counts rows. Raises PlatformError 400 for none, if a setting says so."""
        text = self.params.get(name, "").strip()
        if text.isascii() and text.isdecimal():
            return min(int(text[:20]), LARGEST)
        if text and self.instance.settings.get("bad_number") == "refused":
            raise errors.bad_number(name, text)
        return default

    @property
    def address(self) -> str:
        """Where the tables are, in the version the caller used."""
        return f"{self.base}/api/now{self.version}/table/"


def call_of(request: Request, instance: Instance, body: bytes) -> Call:
    """A request on the path's table, taken apart. Raises PlatformError for no table, or a closed one."""
    name = request.path_params["table"]
    table = instance.plugins.table(name)
    if table is None:
        raise errors.invalid_table(name)
    if not table.ws_access:
        raise errors.api_refused()
    _check_headers(request, instance)
    return call_on(request, instance, body, table)


def call_on(request: Request, instance: Instance, body: bytes, table: Table) -> Call:
    """A request on a table that its API names itself, taken apart."""
    version = _VERSION.match(request.url.path)
    query_string = request.scope["query_string"].decode("latin-1")
    return Call(
        instance=instance,
        session=request.state.session,
        method=request.state.meant,
        version=version[1] if version else "",
        table=table,
        sys_id=request.path_params.get("sys_id", ""),
        base=base_of(request, instance),
        path=request.url.path,
        query_string=query_string,
        params=tinyurl.replayed(instance, params_of(query_string)),
        headers=request.headers,
        body=body,
        kind=media.wanted(request.headers.get("accept", "")),
    )


def _check_headers(request: Request, instance: Instance) -> None:
    """Raises PlatformError 400 for a request that does not name its formats, if a setting says so."""
    if instance.settings.get("missing_headers") != "refused":
        return
    needed = ("accept",) if request.method in ("GET", "HEAD") else ("accept", "content-type")
    for name in needed:
        if not request.headers.get(name, "").strip():
            raise errors.header_missing(name.title())


def params_of(query_string: str) -> dict[str, str]:
    """The parameters of an address; of one that is there twice, the first."""
    params: dict[str, str] = {}
    for name, value in parse_qsl(query_string, keep_blank_values=True):
        params.setdefault(name.strip(), value)
    return params


def base_of(request: Request, instance: Instance) -> str:
    """What links begin with: the address the caller used, or the instance's own if a property says so."""
    if instance.property(OWN_HOST, "false") == "true":
        own = instance.property("glide.servlet.uri") or instance.url
        if own:
            return own.rstrip("/")
    return f"{request.url.scheme}://{request.headers.get('host') or request.url.netloc}"


def readable(call: Call) -> bool:
    """The table gate. Who may read journal entries as records is not verified, hence a setting."""
    if call.instance.access.table(call.session, "read", call.table.name):
        return True
    role = call.instance.settings.get("journal_read")
    return call.table.name == "sys_journal_field" and (role == "" or call.session.has_role(role))


def query_of(call: Call) -> Query:
    """`sysparm_query`, or else the parameters that name fields (they may hold display values)."""
    if call.params.get("sysparm_query"):
        return parse(
            call.params["sysparm_query"], join_conditions=call.instance.settings.get("join_conditions")
        )
    groups = [
        _named(call, name, value)
        for name, value in call.params.items()
        if not name.startswith("sysparm_") and call.instance.dictionary.walk(call.table.name, name)
    ]
    return Query(blocks=(tuple(groups),) if groups else ())


def _named(call: Call, name: str, value: str) -> tuple[Condition, ...]:
    """The conditions of a name-value pair, of which one must be met."""
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
            # ServiceNow docs: Table API, name-value pairs: `assigned_to=john.smith`.
            names = (target.display, *(("user_name",) if "user_name" in target.fields else ()))
            return tuple(Condition(f"{name}.{each}", "=", value) for each in names)
    return (Condition(name, "=", value),)


def context_of(call: Call) -> Context:
    """What the caller's query means: user, time zone, and how strict it is taken."""
    return call.instance.query_context(call.session)


def compiled_of(call: Call, may_read: bool) -> Compiled:
    """The caller's query, ready for the database: without what query rules refuse, narrowed by filters.

    Raises PlatformError 403 for a query that is refused, or looks at what the caller may not read; for who
    may not read the table at all only if it makes no sense.
    """
    access, session, table = call.instance.access, call.session, call.table.name
    query, granted = query_of(call), frozenset[str]()
    if may_read:
        queried = access.queried(session, table, query)
        query, granted = queried.query, queried.granted
        if queried.refused:
            query = _left(call, query)
    compiled = compile_query(call.instance.dictionary, table, query, context_of(call))
    if compiled.refused:
        raise query_refused(call)
    if may_read:
        check_query(call, compiled, granted)
    return access.narrowed(session, table, compiled)


def _left(call: Call, query: Query) -> Query:
    """What a query of which query rules refused a part still asks; that differs, hence a setting."""
    answer = call.instance.settings.get("query_acl_refusal")
    if answer == "refused":
        raise query_refused(call)
    return replace(query, blocks=NO_ROWS) if answer == "no_rows" else query


def check_query(call: Call, compiled: Compiled, granted: frozenset[str] = frozenset()) -> None:
    """Raises PlatformError 403 for a query that is refused, or looks at what the caller may not read.

    `granted` are the fields that query rules open whoever may read them.
    """
    access, session = call.instance.access, call.session
    if (
        compiled.refused
        or access.unqueryable(session, call.table.name, compiled.fields, granted)
        or any(not access.table(session, "read", table) for table, _ in compiled.related)
        or any(access.query_fields(session, table, [path]) for table, path in compiled.related)
    ):
        raise query_refused(call)


def query_refused(call: Call) -> PlatformError:
    """The refusal of a query, in the words that a setting chooses."""
    if call.instance.settings.get("query_refusal") == "table_security":
        return errors.query_refused_by_table(call.table.name)
    return errors.query_refused()


def paths_of(call: Call) -> list[str]:
    """The keys of the answer: the fields asked for, else those of the view asked for, else all."""
    asked = [each.strip() for each in call.params.get("sysparm_fields", "").split(",")]
    if found := list(dict.fromkeys(filter(None, asked))):
        return found
    view = call.params.get("sysparm_view", "").strip()
    return (views.fields_of(call.instance, call.table, view) if view else []) or list(call.table.fields)


def formats_of(call: Call) -> tuple[str, str]:
    user, instance = call.session.user, call.instance
    date = user.get("date_format") or instance.property("glide.sys.date_format", "yyyy-MM-dd")
    time = user.get("time_format") or instance.property("glide.sys.time_format", "HH:mm:ss")
    return strftime_format(date), strftime_format(time)


def json_of(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return media.answer("json", value, status, headers)


def answer(call: Call, result: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The response with a result, in the caller's format; without its body for HEAD."""
    made = media.answer(call.kind, {"result": result, **beside(call)}, status, headers)
    if call.method == "HEAD":
        made.body = b""
    return made


def beside(call: Call) -> dict[str, Any]:
    """What an answer says besides its result."""
    if call.headers.get("x-wantsessiondebugmessages", "").strip().lower() == "true":
        # Messages come only while session debugging is on, which needs the UI (ServiceNow docs: Return
        # session debug logs in a REST response); here it never is.
        return {"session": {"debug_logs": []}}
    return {}
