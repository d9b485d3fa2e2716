"""The form of an API key: the one place where its token can be read, by a person who asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wavetank.apis import table as table_api
from wavetank.apis.ui import page
from wavetank.apis.ui.page import field, link, tag
from wavetank.database.formats import MASK
from wavetank.errors import PlatformError
from wavetank.security.keys import TABLE

if TYPE_CHECKING:
    from wavetank.instance import Instance
    from wavetank.security.sessions import UiSession

_SHOWN = {"name": "Name", "user": "User", "active": "Active", "expires": "Expires"}
_REVEALS = "api_service_admin"


def routes() -> list[Route]:
    return [Route(f"/{TABLE}.do", _form)]


async def _form(request: Request) -> Response:
    instance: Instance = request.app.state.instance
    held: UiSession | None = getattr(request.state, "held", None)
    if held is None:
        return page.to_login(request)
    sys_id = request.query_params.get("sys_id", "") or "-1"
    params = {"sysparm_display_value": "true", "sysparm_exclude_reference_link": "true"}
    with instance.lock:
        if instance.plugins.table(TABLE) is None:
            return page.show(instance, "Page not found", held=held, status=404)
        try:
            answer = table_api.ask(instance, held.who, "GET", TABLE, sys_id, params)
        except PlatformError as refused:
            return page.refusal(instance, refused, held)
        record: dict[str, Any] = msgspec.json.decode(answer.body)["result"]
        asked = request.query_params.get("sysparm_reveal") == "token"
        reveals = asked and held.who.has_role(_REVEALS)
        token = _token(instance, sys_id) if reveals else MASK
    shown = [(label, str(record.get(name, ""))) for name, label in _SHOWN.items()]
    show = link(f"/{TABLE}.do", "Show the token", sys_id=sys_id, sysparm_reveal="token")
    return page.show(
        instance,
        f"REST API Key {record.get('name', '')}",
        tag("p", link(f"/{TABLE}_list.do", "List of REST API Key")),
        page.table(shown),
        tag(
            "label",
            "Token ",
            field("text", f"{TABLE}.token", token, id=f"{TABLE}.token", size="80", readonly="readonly"),
        ),
        "" if reveals else tag("p", show),
        held=held,
    )


def _token(instance: Instance, sys_id: str) -> str:
    row = instance.database.get(TABLE, sys_id)
    return instance.seal.open(row["token"]) if row else ""
