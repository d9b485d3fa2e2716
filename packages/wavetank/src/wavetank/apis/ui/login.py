"""Logging in and out, the home page, and raising a session to security_admin.

`POST /angular.do` is the login that ServiceNow's own command line tool and portal pages use; `/login.do`
is the one a person sees.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wavetank.apis.ui import approvals, page, start, updates
from wavetank.apis.ui.page import Html, field, link, tag
from wavetank.errors import PlatformError
from wavetank.instance import Instance
from wavetank.security import sessions
from wavetank.security.sessions import ELEVATED_ROLE, LoginRefused, UiSession

# The platform asks for the code on a page of its own, whose fields are not documented.
_CODE = "mfa_code"
_TICKED = frozenset({"on", "true", "1"})


def routes() -> list[Route]:
    return [
        Route("/", _home),
        Route("/navpage.do", _home),
        Route("/now/nav", _home),
        Route("/now/nav/{rest:path}", _home),
        Route("/nav_to.do", _nav_to),
        Route("/login.do", _login_page),
        Route("/login.do", _login, methods=["POST"]),
        Route("/logout.do", _logout, methods=["GET", "POST"]),
        Route("/angular.do", _angular, methods=["POST"]),
        Route("/elevated_role_dialog.do", _elevation),
        Route("/elevated_role_dialog.do", _elevate, methods=["POST"]),
    ]


async def _login_page(request: Request) -> Response:
    return _form(_instance(request), request.query_params.get("sysparm_goto_url", ""))


async def _login(request: Request) -> Response:
    instance = _instance(request)
    form = await _posted(request)
    goto = form.get("sysparm_goto_url", "")
    if form.get("sys_action") != "sysverb_login":
        return _form(instance, goto)
    with instance.lock:
        try:
            held = _open(request, form)
        except LoginRefused as refused:
            return _form(instance, goto, str(refused), code=refused.status == sessions.CODE_REQUIRED)
    return _with_cookies(page.to(page.local(goto)), request, held)


async def _logout(request: Request) -> Response:
    instance, held = _instance(request), _held(request)
    with instance.lock:
        if held is not None:
            instance.sessions.end(held)
    response = page.to(page.LOGIN)
    response.headers.append("set-cookie", sessions.gone())
    return response


async def _angular(request: Request) -> Response:
    """The JSON processor of portal pages, for the two types that clients log in with."""
    form = await _posted(request)
    kind = request.query_params.get("sysparm_type", "")
    if kind == "view_form.login" and form.get("sysparm_type") == "login":
        return _angular_login(request, form)
    if kind == "get_user":
        return _angular_user(request)
    return page.show(_instance(request), "Page not found", status=404)


def _angular_login(request: Request, form: dict[str, str]) -> Response:
    with _instance(request).lock:
        try:
            held = _open(request, form)
        except LoginRefused as refused:
            return _json({"status": refused.status, "message": str(refused)})
    answer = {"status": "success", "message": "Login successful", "setup_multifactor_authn": False}
    if form.get("get_redirect_url") == "true":
        answer["redirect_url"] = page.local(form.get("sysparm_goto_url", ""))
    return _with_cookies(_json(answer), request, held)


def _angular_user(request: Request) -> Response:
    """Asked without its token, a session gets the token; asked with it, who it is."""
    instance, held = _instance(request), _held(request)
    with instance.lock:
        if held is None:
            return _refusal(instance.identity.refusal())
        if not held.proves(request.headers.get("x-usertoken", "")):
            return _refusal(instance.sessions.token_refusal(held))
    user = held.who.user
    shown = {name: user[name] for name in ("sys_id", "user_name", "name", "first_name", "last_name")}
    return _json(shown, headers={"X-UserToken-Response": held.token})


async def _home(request: Request) -> Response:
    instance, held = _instance(request), _held(request)
    if held is None:
        at_start = request.url.path == "/" and start.wanted(request)
        return start.start(request) if at_start else page.to_login(request)
    lists = (("incident", "Incidents"), ("sys_user", "Users"), ("sys_user_role", "Roles"))
    body = [
        tag("p", "Logged in as ", tag("b", held.who.user["name"]), f" ({held.who.user_name})."),
        tag(
            "ul",
            *(tag("li", link(f"/{table}_list.do", label)) for table, label in lists),
            tag("li", approvals.mine()),
            tag("li", updates.way()),
        ),
        # Clients that log in through a browser read the session's token from this page.
        Html(f'<script>var g_ck = "{held.token}"; window.g_ck = g_ck;</script>'),
    ]
    if _may_elevate(held):
        body.append(tag("p", link("/elevated_role_dialog.do", "Elevate roles")))
    return page.show(instance, "Home", *body, held=held)


async def _nav_to(request: Request) -> Response:
    """The address that deep links into the frame of the UI have."""
    if _held(request) is None:
        return page.to_login(request)
    return page.to(page.local(request.query_params.get("uri", "")))


async def _elevation(request: Request) -> Response:
    instance, held = _instance(request), _held(request)
    if held is None:
        return page.to_login(request)
    if not _may_elevate(held):
        return page.show(instance, "Elevate roles", "There is no role to elevate to.", held=held)
    ticked = {"checked": "checked"} if held.who.elevated else {}
    body = tag(
        "form",
        field("hidden", "sysparm_ck", held.token),
        tag("label", field("checkbox", ELEVATED_ROLE, "true", **ticked), f" {ELEVATED_ROLE}"),
        tag("button", "Update"),
        method="post",
        action="/elevated_role_dialog.do",
    )
    return page.show(instance, "Elevate roles", body, held=held)


def _may_elevate(held: UiSession) -> bool:
    return ELEVATED_ROLE in held.who.roles | held.who.elevatable


async def _elevate(request: Request) -> Response:
    """Raises the session when the box is ticked, else lowers it (ServiceNow docs: Elevated privileges)."""
    instance, held = _instance(request), _held(request)
    form = await _posted(request)
    if held is None:
        return page.to_login(request)
    token = form.get("sysparm_ck") or request.headers.get("x-usertoken", "")
    if not held.proves(token):
        return page.show(instance, page.UNPROVEN, held=held, status=403)
    with instance.lock:
        done = instance.sessions.elevate(held, on=form.get(ELEVATED_ROLE, "") in _TICKED)
    if not done:
        return page.show(instance, f"You do not hold {ELEVATED_ROLE}", held=held, status=403)
    return page.to(page.HOME)


def _open(request: Request, form: dict[str, str]) -> UiSession:
    """A new session; the one the browser had is over. Raises LoginRefused."""
    instance, before = _instance(request), _held(request)
    given = (form.get(name, "") for name in ("user_name", "user_password", _CODE))
    held = instance.sessions.log_in(*given)
    if before is not None:
        instance.sessions.end(before)
    return held


def _form(instance: Instance, goto: str, refusal: str = "", *, code: bool = False) -> Response:
    alert = tag("p", refusal, role="alert") if refusal else ""
    asked = tag("label", "Code ", field("text", _CODE, "", autocomplete="one-time-code")) if code else ""
    password = field("password", "user_password", "", autocomplete="current-password")
    body = tag(
        "form",
        field("hidden", "sys_action", "sysverb_login"),
        field("hidden", "sysparm_goto_url", goto),
        tag("label", "User name ", field("text", "user_name", "", autocomplete="username")),
        tag("label", "Password ", password),
        asked,
        tag("button", "Log in"),
        method="post",
        action=page.LOGIN,
    )
    return page.show(instance, "Log in", alert, body)


def _with_cookies(response: Response, request: Request, held: UiSession) -> Response:
    secure = request.url.scheme == "https"
    for each in sessions.cookies(_instance(request), held.cookie, secure=secure):
        response.headers.append("set-cookie", each)
    return response


async def _posted(request: Request) -> dict[str, str]:
    body = await request.body()
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _instance(request: Request) -> Instance:
    instance: Instance = request.app.state.instance
    return instance


def _held(request: Request) -> UiSession | None:
    held: UiSession | None = getattr(request.state, "held", None)
    return held


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    kind = {"content-type": "application/json;charset=UTF-8"}
    return Response(msgspec.json.encode(value), status, kind | (headers or {}))


def _refusal(refused: PlatformError) -> Response:
    return _json(refused.body(), refused.status, dict(refused.headers))
