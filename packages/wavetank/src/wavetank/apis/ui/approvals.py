"""Deciding an approval: the one thing a person can change on a page."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wavetank.apis import table as table_api
from wavetank.apis.ui import page
from wavetank.apis.ui.page import Html, field, link, tag
from wavetank.errors import PlatformError

if TYPE_CHECKING:
    from wavetank.database.store import Row
    from wavetank.instance import Instance
    from wavetank.security.sessions import UiSession

TABLE = "sysapproval_approver"
_STATES = {"approve": "approved", "reject": "rejected"}
_MINE = "approver=javascript:gs.getUserID()^state=requested"


def routes() -> list[Route]:
    return [Route(f"/{TABLE}.do", _decide, methods=["POST"])]


def mine() -> Html:
    """The way to what waits for one's own decision."""
    return link(f"/{TABLE}_list.do", "My approvals", sysparm_query=_MINE)


def question(instance: Instance, held: UiSession, row: Row) -> Html:
    """Approve and Reject, for an approval that waits for this person; else nothing."""
    if row["state"] != "requested" or not instance.access.row(held.who, "write", TABLE, row):
        return Html("")
    return tag(
        "form",
        field("hidden", "sysparm_ck", held.token),
        field("hidden", "sys_id", row["sys_id"]),
        tag("label", "Comments ", field("text", "comments", "")),
        tag("button", "Approve", name_="sys_action", value="approve"),
        " ",
        tag("button", "Reject", name_="sys_action", value="reject"),
        method="post",
        action=f"/{TABLE}.do",
    )


async def _decide(request: Request) -> Response:
    """Writes the decision as the Table API would for the same user, rules and access controls included."""
    instance: Instance = request.app.state.instance
    held: UiSession | None = getattr(request.state, "held", None)
    form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
    if held is None:
        return page.to_login(request)
    if not held.proves(form.get("sysparm_ck", "")):
        return page.show(instance, page.UNPROVEN, held=held, status=403)
    sys_id, state = form.get("sys_id", "") or "-1", _STATES.get(form.get("sys_action", ""))
    if state is None:
        return page.show(instance, "Page not found", held=held, status=404)
    values = {"state": state} | ({"comments": form["comments"]} if "comments" in form else {})
    with instance.lock:
        try:
            table_api.ask(instance, held.who, "PATCH", TABLE, sys_id, body=msgspec.json.encode(values))
        except PlatformError as refused:
            return page.refusal(instance, refused, held)
    return page.to(f"/{TABLE}.do?sys_id={sys_id}")
