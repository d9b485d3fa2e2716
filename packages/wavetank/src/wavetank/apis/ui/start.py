"""The start page at `/`: what is running here, whom to be, what to try first, what was asked last.

wavetank's own, not the platform's. It is shown where the control surface is: on this machine only, and only
to who is not logged in; everybody else goes the platform's way to the login or home page.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from wavetank.apis.ui import page
from wavetank.apis.ui.page import Html, Part, link, tag
from wavetank.control.surface import refusal
from wavetank.instance import Instance

LATEST = 12
_SHOWN = (
    ("incident", "Incidents"),
    ("problem", "Problems"),
    ("change_request", "Changes"),
    ("sc_req_item", "Requested items"),
    ("cmdb_ci", "Configuration items"),
    ("sys_user", "Users"),
    ("sys_user_group", "Groups"),
    ("sys_user_role", "Roles"),
    ("sys_security_acl", "Access controls"),
    ("sys_script", "Business rules"),
    ("sys_dictionary", "Dictionary entries"),
)
_DOORS = ("settings", "faults", "requests", "clock")
_STYLE = (
    "<style>.tiles{display:flex;flex-wrap:wrap;gap:.6rem;padding:0;list-style:none}"
    ".tiles a{display:block;min-width:7.5rem;padding:.6rem .8rem;border:1px solid #c7ccd1;"
    "border-radius:.4rem;color:inherit;text-decoration:none}"
    ".tiles a:hover,.tiles a:focus{border-color:#0b6e4f}"
    ".tiles b{display:block;font-size:1.35rem;font-variant-numeric:tabular-nums}"
    "pre{background:#f3f5f6;padding:.7rem .9rem;border-radius:.4rem;overflow-x:auto}"
    "h2{font-size:1.05rem;margin:1.6rem 0 .4rem}.bad{color:#a4161a;font-weight:600}</style>"
)


def wanted(request: Request) -> bool:
    """Whether this caller is shown the page."""
    return bool(getattr(request.app.state, "control", False)) and not refusal(dict(request.scope["headers"]))


def start(request: Request) -> Response:
    """The page of the instance of this application."""
    instance: Instance = request.app.state.instance
    with instance.lock:
        return page.show(
            instance,
            f"{instance.name} is running",
            Html(_STYLE),
            *_identity(instance),
            tag("h2", "What it holds"),
            tag("ul", *_tiles(instance), class_="tiles"),
            tag("h2", "Try it"),
            tag("pre", _example(instance)),
            *_latest(instance),
        )


def _identity(instance: Instance) -> list[Part]:
    addresses = " and ".join(filter(None, (instance.url, instance.tls_url)))
    changed = [
        f"{name} = {value}"
        for name, value in instance.shown_settings().items()
        if value != instance.settings.default(name)
    ]
    doors = [part for name in _DOORS for part in (link(f"/-/{name}", name), " ")]
    rows: list[tuple[Part, ...]] = [
        ("Address", addresses),
        ("Release", instance.release.capitalize()),
        ("Administrator", page.html("admin / admin, unless changed — ", link(page.LOGIN, "log in"))),
        ("Time", f"{instance.clock.text()} UTC{', frozen' if instance.clock.frozen else ''}"),
        ("Control surface", page.html(*doors)),
    ]
    if changed:
        rows.append(("Settings that differ", ", ".join(changed)))
    says = "A local ServiceNow instance to prove integrations on. Nothing here is a real instance."
    return [tag("p", says), page.table(rows)]


def _tiles(instance: Instance) -> list[Html]:
    found = []
    for table, label in _SHOWN:
        if instance.dictionary.table(table) is not None:
            count = f"{instance.database.count(table):,}"
            found.append(tag("li", tag("a", tag("b", count), label, href=f"/{table}_list.do")))
    return found


def _example(instance: Instance) -> str:
    return (
        f"curl -u admin:admin '{instance.url}/api/now/table/incident?sysparm_limit=3'\n"
        f"curl -u admin:admin {instance.url}/api/now/table/incident \\\n"
        "  -H 'Content-Type: application/json' -d '{\"short_description\": \"Printer on fire\"}'"
    )


def _latest(instance: Instance) -> list[Part]:
    asked = instance.requests.last(LATEST)
    if not asked:
        return [tag("h2", "Asked so far"), tag("p", "Nothing yet.")]
    rows: list[tuple[Part, ...]] = [
        (
            each["at"],
            each["user"] or "nobody",
            each["method"],
            each["path"],
            tag("span", str(each["status"]), class_="bad") if each["status"] >= 400 else str(each["status"]),
            f"{each['ms']:.1f}",
        )
        for each in asked
    ]
    heads = ("at (UTC)", "who", "method", "path", "status", "ms")
    return [tag("h2", "Asked last"), page.table(rows, heads)]
