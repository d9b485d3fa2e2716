"""HTML of the UI: text is escaped here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

if TYPE_CHECKING:
    from wavetank.errors import PlatformError
    from wavetank.instance import Instance
    from wavetank.security.sessions import UiSession

HOME = "/navpage.do"
UNPROVEN = "Security constraints prevent this request"
LOGIN = "/login.do"
_STYLE = (
    "body{font:15px/1.45 system-ui,sans-serif;max-width:62rem;margin:0 auto;padding:1rem;color:#1b1f24;"
    "background:#fff}header{display:flex;flex-wrap:wrap;gap:.3rem 1rem;border-bottom:1px solid #c7ccd1;"
    "padding-bottom:.5rem}header b{margin-right:auto}table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #e4e7ea;"
    "min-width:4.5rem;"
    "overflow-wrap:break-word;white-space:pre-wrap}th{font-weight:600}label{display:block;margin:.6rem 0}"
    "input,button{font:inherit}input:not([type=checkbox]){display:block;max-width:100%}.wide{overflow-x:auto}[role=alert]{color:#a4161a}"
)


@dataclass(frozen=True, slots=True)
class Html:
    """Markup that is safe as it is."""

    text: str


Part = str | Html


def html(*parts: Part) -> Html:
    """Joins parts: markup stays, text is escaped."""
    return Html("".join(part.text if isinstance(part, Html) else escape(part) for part in parts))


def tag(name: str, /, *content: Part, **attributes: str) -> Html:
    """`<name attribute="…">content</name>`; a trailing underscore of an attribute's name is dropped."""
    shown = "".join(f' {key.rstrip("_")}="{escape(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{shown}>{html(*content).text}</{name}>")


def link(path: str, text: str, **query: str) -> Html:
    return tag("a", text, href=f"{path}?{urlencode(query)}" if query else path)


def table(rows: Iterable[tuple[Part, ...]], heads: tuple[str, ...] = ()) -> Html:
    """A table; without `heads` the first cell of each row is its heading."""
    lines = [html(*(tag("th", head, scope="col") for head in heads))] if heads else []
    for first, *rest in rows:
        start = tag("td", first) if heads else tag("th", first, scope="row")
        lines.append(html(start, *(tag("td", cell) for cell in rest)))
    return tag("div", tag("table", *(tag("tr", line) for line in lines)), class_="wide")


def show(
    instance: Instance,
    title: str,
    *body: Part,
    held: UiSession | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A whole page with, for a session, who it is and the way out."""
    who: list[Part] = [tag("b", instance.name)]
    if held is not None:
        raised = " (security_admin)" if held.who.elevated else ""
        who += [link(HOME, "Home"), held.who.user["name"] + raised, link("/logout.do", "Log out")]
    head = html(
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'),
        tag("title", f"{title} | {instance.name}"),
        Html(f"<style>{_STYLE}</style>"),
    )
    main = html(tag("header", *who), tag("main", tag("h1", title), *body))
    text = html(Html('<!DOCTYPE html><html lang="en"><head>'), head, Html("</head><body>"), main).text
    kind = {"content-type": "text/html;charset=UTF-8", "X-Frame-Options": "SAMEORIGIN"}
    return Response(f"{text}</body></html>", status, {**kind, **(headers or {})})


def field(kind: str, name: str, value: str, **more: str) -> Html:
    """An input of a form."""
    return Html(tag("input", type=kind, name_=name, value=value, **more).text.removesuffix("</input>"))


def refusal(instance: Instance, refused: PlatformError, held: UiSession) -> Response:
    """What an API refused, as a page."""
    return show(instance, refused.message, refused.detail or "", held=held, status=refused.status)


def to(path: str) -> RedirectResponse:
    return RedirectResponse(path, 302)


def to_login(request: Request) -> RedirectResponse:
    """To the login page, which leads back to what was asked for."""
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return to(f"{LOGIN}?{urlencode({'sysparm_goto_url': asked})}")


def local(url: str) -> str:
    """A path on this instance to go on to; what leads elsewhere leads home."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return HOME
    odd = "\\" in url or any(character <= " " for character in url)
    if not url or odd or parts.scheme or parts.netloc:
        return HOME
    return "/" + url.lstrip("/")
