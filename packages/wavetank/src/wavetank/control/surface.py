"""The routes of the control surface, and who may use them: a caller on the same machine, no web page."""

# ruff: noqa: ARG002  every act has the same two arguments, whether or not it looks at both

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from wavetank import clock as time
from wavetank.control import records
from wavetank.instance import Instance

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})
log = logging.getLogger("wavetank.control")


class Wrong(Exception):
    """A control request that cannot be done: an HTTP status and why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def application(instance: Instance) -> ASGIApp:
    """The control surface of one instance as an ASGI application."""
    surface = _Surface(instance)
    table: list[tuple[str, str, Callable[..., Any]]] = [
        ("POST", "/-/reset", surface.reset),
        ("POST", "/-/snapshot", surface.snapshot),
        ("POST", "/-/restore", surface.restore),
        ("GET", "/-/clock", surface.clock),
        ("POST", "/-/clock", surface.set_clock),
        ("GET", "/-/faults", surface.faults),
        ("POST", "/-/faults", surface.add_faults),
        ("DELETE", "/-/faults", surface.clear_faults),
        ("GET", "/-/requests", surface.requests),
        ("DELETE", "/-/requests", surface.clear_requests),
        ("GET", "/-/settings", surface.settings),
        ("POST", "/-/settings", surface.set_settings),
        ("POST", "/-/load", surface.load),
        ("POST", "/-/recover", surface.recover),
        ("GET", "/-/records/{table}", surface.list_records),
        ("POST", "/-/records/{table}", surface.create_records),
        ("PATCH", "/-/records/{table}", surface.update_records),
        ("DELETE", "/-/records/{table}", surface.delete_records),
        ("GET", "/-/records/{table}/{sys_id}", surface.list_records),
        ("POST", "/-/records/{table}/{sys_id}", surface.create_records),
        ("PATCH", "/-/records/{table}/{sys_id}", surface.update_records),
        ("DELETE", "/-/records/{table}/{sys_id}", surface.delete_records),
    ]
    routes = [Route(path, _answering(surface, act), methods=[method]) for method, path, act in table]
    router = Router(routes, redirect_slashes=False, default=_error(404, "no such control resource"))

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        refused = refusal(dict(scope["headers"]))
        await (_error(403, refused) if refused else router)(scope, receive, send)

    return guarded


class _Surface:
    """One method a route. `body` is the decoded JSON; what is returned is encoded as JSON."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance

    def reset(self, request: Request, body: Any) -> Any:
        self.instance.reset()
        return {"ok": True}

    def snapshot(self, request: Request, body: Any) -> Any:
        self.instance.database.snapshot(_name(body))
        return {"ok": True, "name": _name(body)}

    def restore(self, request: Request, body: Any) -> Any:
        try:
            self.instance.restore(_name(body))
        except KeyError:
            raise Wrong(404, f"no snapshot {_name(body)!r}") from None
        return {"ok": True, "name": _name(body)}

    def clock(self, request: Request, body: Any) -> Any:
        clock = self.instance.clock
        return {
            "now": clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "frozen": clock.frozen,
        }

    def set_clock(self, request: Request, body: Any) -> Any:
        clock = self.instance.clock
        known = {"freeze", "advance", "run"}
        if not isinstance(body, dict) or not body or set(body) - known:
            raise Wrong(400, "one or more of freeze: a UTC moment, advance: seconds, run: true")
        if "freeze" in body:
            clock.freeze(None if body["freeze"] is True else time.parse(str(body["freeze"])))
        if "advance" in body:
            clock.advance(float(body["advance"]))
        if body.get("run"):
            clock.run()
        clock.run_due()
        return self.clock(request, body)

    def faults(self, request: Request, body: Any) -> Any:
        return {"result": self.instance.faults.show()}

    def add_faults(self, request: Request, body: Any) -> Any:
        wanted = body if isinstance(body, list) else [body]
        return {"result": [fault.show() for fault in self.instance.faults.add_all(wanted)]}

    def clear_faults(self, request: Request, body: Any) -> Any:
        self.instance.faults.clear()
        return {"result": []}

    def requests(self, request: Request, body: Any) -> Any:
        return {"result": self.instance.requests.since(int(request.query_params.get("since", "0") or 0))}

    def clear_requests(self, request: Request, body: Any) -> Any:
        self.instance.requests.clear()
        return {"result": []}

    def settings(self, request: Request, body: Any) -> Any:
        return self.instance.shown_settings()

    def set_settings(self, request: Request, body: Any) -> Any:
        if not isinstance(body, dict):
            raise Wrong(400, "an object of settings")
        self.instance.configure(body)
        return self.instance.shown_settings()

    def load(self, request: Request, body: Any) -> Any:
        return {"result": records.load(self.instance, body)}

    def recover(self, request: Request, body: Any) -> Any:
        return {"result": records.recover(self.instance, body)}

    def list_records(self, request: Request, body: Any) -> Any:
        asked = records.Asked.of(request.path_params, request.query_params)
        return {"result": records.listed(self.instance, asked)}

    def create_records(self, request: Request, body: Any) -> Any:
        return {"result": records.create(self.instance, _place(request), body)}

    def update_records(self, request: Request, body: Any) -> Any:
        return {"result": records.update(self.instance, _place(request), body)}

    def delete_records(self, request: Request, body: Any) -> Any:
        asked = records.Asked.of(request.path_params, request.query_params)
        return {"result": records.delete(self.instance, asked)}


def _answering(surface: _Surface, act: Callable[..., Any]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        raw = await request.body()
        try:
            body = msgspec.json.decode(raw) if raw.strip() else {}
            with surface.instance.lock:
                return _json(200, act(request, body))
        except Wrong as wrong:
            return _error(wrong.status, str(wrong))
        except records.NotFound as missing:
            return _error(404, str(missing))
        except (ValueError, TypeError, OverflowError, OSError) as wrong:
            return _error(400, str(wrong))
        except RecursionError:
            return _error(400, "the JSON is nested too deeply")

    return endpoint


def _place(request: Request) -> tuple[str, str]:
    return request.path_params["table"], request.path_params.get("sys_id", "")


def _name(body: Any) -> str:
    name = body.get("name") if isinstance(body, dict) else None
    if not isinstance(name, str) or not name:
        raise Wrong(400, 'a snapshot has a name: {"name": "…"}')
    return name


def refusal(headers: Mapping[bytes, bytes]) -> str:
    """Why this caller is refused, or "": a page in a browser must not be able to steer an instance."""
    if b"origin" in headers:
        return "the control surface does not answer web pages"
    host = headers.get(b"host", b"").decode("latin-1")
    name = host if host.startswith("[") and host.endswith("]") else host.rpartition(":")[0] or host
    return "" if name in LOOPBACK else f"the control surface answers on loopback only, not as {host!r}"


def _json(status: int, value: Any) -> Response:
    return Response(msgspec.json.encode(value), status, {"content-type": "application/json"})


def _error(status: int, message: str) -> Response:
    return _json(status, {"error": {"message": message}})
