"""What an instance tells of itself without a login: `/stats.do` as a page, `/xmlstats.do` as XML.

ServiceNow docs: "Performance monitoring (ACL)": with glide.security.diag_txns_acl only admins see them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wavetank.apis.ui import page

if TYPE_CHECKING:
    from wavetank.instance import Instance
    from wavetank.security.sessions import UiSession

ADMINS_ONLY = "glide.security.diag_txns_acl"


def routes() -> list[Route]:
    return [Route("/stats.do", _stats), Route("/xmlstats.do", _xml)]


async def _stats(request: Request) -> Response:
    instance, held = _asked(request)
    with instance.lock:
        refused = _refused(request, instance, held)
        if refused is not None:
            return refused
        return page.show(instance, "Servlet statistics", page.table(_facts(instance)), held=held)


async def _xml(request: Request) -> Response:
    instance, held = _asked(request)
    with instance.lock:
        refused = _refused(request, instance, held)
        if refused is not None:
            return refused
        facts = [(label.lower().replace(" ", "_"), value) for label, value in _facts(instance)]
    body = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in facts)
    text = f'<?xml version="1.0" encoding="UTF-8"?><xmlstats>{body}</xmlstats>'
    return Response(text, 200, {"content-type": "text/xml;charset=UTF-8"})


def _asked(request: Request) -> tuple[Instance, UiSession | None]:
    instance: Instance = request.app.state.instance
    return instance, getattr(request.state, "held", None)


def _refused(request: Request, instance: Instance, held: UiSession | None) -> Response | None:
    """What a caller gets who may not see the pages; None for one who may."""
    if instance.property(ADMINS_ONLY, "false") != "true":
        return None
    if held is None:
        return page.to_login(request)
    return None if held.who.is_admin else page.show(instance, page.UNPROVEN, held=held, status=403)


def _facts(instance: Instance) -> tuple[tuple[str, str], ...]:
    return (
        ("Instance name", instance.name),
        ("Build name", instance.property("glide.buildname")),
        ("Build tag", instance.property("glide.buildtag.last") or instance.property("glide.buildtag")),
        ("Version", instance.property("glide.war")),
        ("Time", instance.clock.text()),
    )
