"""Update sets as a person handles them: the upload of a file, then preview, problems and commit.

The addresses `/upload.do` and `/sys_upload.do` and the names of their fields are the platform's (reports of
public tools that import update sets); the forms that preview, resolve and commit are wavetank's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wavetank.apis.ui import page
from wavetank.apis.ui.page import Html, Part, field, link, tag
from wavetank.errors import PlatformError
from wavetank.updates import commit, retrieved
from wavetank.updates.unload import LARGEST, SETS, BadUnload

if TYPE_CHECKING:
    from wavetank.database.store import Row
    from wavetank.instance import Instance
    from wavetank.security.sessions import UiSession

REFUSED = "Update set import"
_LIST = f"/{SETS}_list.do"
_STATUS = {"accept": "ignored", "skip": "skipped"}


def routes() -> list[Route]:
    return [
        Route("/upload.do", _page),
        Route("/sys_upload.do", _upload, methods=["POST"]),
        Route(f"/{SETS}.do", _act, methods=["POST"]),
        Route(f"/{retrieved.PROBLEMS}.do", _resolve, methods=["POST"]),
    ]


def way() -> Html:
    """The way to the retrieved update sets."""
    return link(_LIST, "Retrieved update sets")


def import_link() -> Html:
    return tag(
        "p",
        link(
            "/upload.do",
            "Import Update Set from XML",
            sysparm_referring_url=_LIST.lstrip("/"),
            sysparm_target=SETS,
        ),
    )


def actions(instance: Instance, held: UiSession, row: Row) -> Html:
    """The buttons of a retrieved update set, and what its preview found."""
    if not held.who.is_admin:
        return Html("")
    buttons: list[Part] = []
    if row["state"] in ("loaded", "previewed"):
        again = "Run Preview Again" if row["state"] == "previewed" else "Preview Update Set"
        buttons.append(_button(held, SETS, row["sys_id"], "preview", again))
    if row["state"] == "previewed" and not retrieved.problems(instance, row["sys_id"], unresolved=True):
        buttons.append(_button(held, SETS, row["sys_id"], "commit", "Commit Update Set"))
    found = retrieved.problems(instance, row["sys_id"])
    return page.html(*buttons, _problems(instance, held, found) if found else "")


def _problems(instance: Instance, held: UiSession, found: list[Row]) -> Html:
    lines = [(_about(instance, row), row["description"], _choice(held, row)) for row in found]
    heads = ("Update", "Description", "Status")
    return page.html(tag("h2", "Update Set Preview Problems"), page.table(lines, heads))


def _about(instance: Instance, problem: Row) -> str:
    update = instance.database.get("sys_update_xml", problem["remote_update"])
    return (update["target_name"] or update["name"]) if update else ""


def _choice(held: UiSession, problem: Row) -> Part:
    if problem["status"]:
        return problem["status"]
    return page.html(
        _button(held, retrieved.PROBLEMS, problem["sys_id"], "accept", "Accept remote update"),
        _button(held, retrieved.PROBLEMS, problem["sys_id"], "skip", "Skip remote update"),
    )


def _button(held: UiSession, table: str, sys_id: str, action: str, label: str) -> Html:
    return tag(
        "form",
        field("hidden", "sysparm_ck", held.token),
        field("hidden", "sys_id", sys_id),
        tag("button", label, name_="sys_action", value=action),
        method="post",
        action=f"/{table}.do",
    )


async def _page(request: Request) -> Response:
    """The form that takes a file."""
    instance, held = _who(request)
    if held is None:
        return page.to_login(request)
    if request.query_params.get("sysparm_target", "") != SETS:
        return page.show(instance, "Page not found", held=held, status=404)
    refused = _refusal(instance, held)
    if refused is not None:
        return refused
    form = tag(
        "form",
        field("hidden", "sysparm_ck", held.token),
        field("hidden", "sysparm_target", SETS),
        field("hidden", "sysparm_referring_url", request.query_params.get("sysparm_referring_url", "")),
        tag("label", "XML file ", field("file", "attachFile", "", accept=".xml")),
        tag("button", "Upload"),
        method="post",
        action="/sys_upload.do",
        enctype="multipart/form-data",
    )
    return page.show(instance, "Import XML", form, held=held)


async def _upload(request: Request) -> Response:
    """Takes up the file; the answer says nothing of what came of it (measured on developer instances)."""
    instance, held = _who(request)
    if held is None:
        return page.to_login(request)
    refused = _refusal(instance, held)
    if refused is not None:
        return refused
    if len(await request.body()) > LARGEST + 65_536:
        return page.show(instance, REFUSED, f"At most {LARGEST} bytes are taken", held=held, status=413)
    try:
        async with request.form(max_files=1, max_fields=20) as form:
            return await _take(instance, held, form)
    except HTTPException as wrong:
        return page.show(instance, REFUSED, f"The form cannot be read: {wrong.detail}", held=held, status=400)


async def _take(instance: Instance, held: UiSession, form: FormData) -> Response:
    file = form.get("attachFile")
    if not held.proves(_text(form, "sysparm_ck")):
        return page.show(instance, page.UNPROVEN, held=held, status=403)
    if _text(form, "sysparm_target") != SETS or not isinstance(file, UploadFile):
        return page.show(instance, REFUSED, "No update set file was given", held=held, status=400)
    content = await file.read()
    with instance.lock:
        try:
            retrieved.load(instance, content, held.who.user_name)
        except BadUnload as wrong:
            return page.show(instance, REFUSED, f"Nothing was loaded: {wrong}", held=held, status=400)
    back = _text(form, "sysparm_referring_url")
    return (
        page.to(page.local(back)) if back else Response("", 200, {"content-type": "text/html;charset=UTF-8"})
    )


async def _act(request: Request) -> Response:
    """Preview or commit."""
    return await _posted(request, {"preview": _preview, "commit": _commit})


async def _resolve(request: Request) -> Response:
    """Accept or skip the update that a problem is about."""
    return await _posted(request, {"accept": _settle, "skip": _settle})


def _preview(instance: Instance, held: UiSession, form: dict[str, str]) -> str:
    retrieved.preview(instance, _row(instance, SETS, form), held.who.user_name)
    return form["sys_id"]


def _commit(instance: Instance, held: UiSession, form: dict[str, str]) -> str:
    row = _row(instance, SETS, form)
    strict = all(instance.settings.get(name) == "required" for name in ("elevation", "commit_elevation"))
    if strict and not held.who.elevated and commit.needs_elevation(instance, row):
        raise PlatformError(403, page.UNPROVEN, "What this update set writes needs security_admin, elevated")
    commit.commit(instance, row, held.who.user_name)
    return form["sys_id"]


def _settle(instance: Instance, held: UiSession, form: dict[str, str]) -> str:
    row = _row(instance, retrieved.PROBLEMS, form)
    status = {"status": _STATUS[form["sys_action"]]}
    instance.database.update(retrieved.PROBLEMS, row["sys_id"], status, by=held.who.user_name)
    return row["remote_update_set"]


async def _posted(
    request: Request, acts: dict[str, Callable[[Instance, UiSession, dict[str, str]], str]]
) -> Response:
    """Runs one act of a form and shows the set it was about."""
    instance, held = _who(request)
    form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
    if held is None:
        return page.to_login(request)
    act = acts.get(form.get("sys_action", ""))
    if not held.proves(form.get("sysparm_ck", "")) or not held.who.is_admin:
        return page.show(instance, page.UNPROVEN, held=held, status=403)
    if act is None:
        return page.show(instance, "Page not found", held=held, status=404)
    with instance.lock:
        try:
            shown = act(instance, held, form)
        except PlatformError as refused:
            return page.refusal(instance, refused, held)
        except ValueError as wrong:
            return page.show(instance, "Update set", str(wrong), held=held, status=400)
    return page.to(f"/{SETS}.do?sys_id={shown}")


def _row(instance: Instance, table: str, form: dict[str, str]) -> Row:
    row = instance.database.get(table, form.get("sys_id", ""))
    if row is None:
        raise PlatformError(404, "Record not found", form.get("sys_id", ""))
    return row


def _refusal(instance: Instance, held: UiSession) -> Response | None:
    """Why this session may not import: not admin, or not raised to security_admin."""
    strict = instance.settings.get("elevation") == "required"
    if held.who.is_admin and (held.who.elevated or not strict):
        return None
    why = "Importing an update set needs admin, and security_admin elevated"
    return page.show(instance, page.UNPROVEN, why, held=held, status=403)


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def _who(request: Request) -> tuple[Instance, UiSession | None]:
    return request.app.state.instance, getattr(request.state, "held", None)
