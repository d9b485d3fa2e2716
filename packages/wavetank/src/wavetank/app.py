"""Puts an instance together: database, packs, security, APIs, control surface, front door."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from wavetank import packs
from wavetank.apis import attachment, batch, jsonv2, metadata, oauth, stats, tinyurl, ui
from wavetank.apis import table as table_api
from wavetank.clock import Clock
from wavetank.control.surface import application as control_surface
from wavetank.database.store import Database
from wavetank.front import Front
from wavetank.ids import new_sys_id
from wavetank.instance import Instance, seal_for
from wavetank.releases import LATEST, release
from wavetank.security import access, plugins, restriction, tokens, virus_scan


@dataclass(frozen=True)
class Options:
    """How an instance is started."""

    name: str = "dev"
    release: str = LATEST
    zboot: bool = False
    store: Path | None = None
    pack: str = ""
    control: bool = True


def api_routes() -> list[BaseRoute]:
    """The routes of every API and page. They need `app.state.instance` and, under /api/, a session."""
    return [
        *table_api.routes(),
        *stats.routes(),
        *attachment.routes(),
        *batch.routes(),
        *tinyurl.routes(),
        *metadata.routes(),
        *oauth.routes(),
        *jsonv2.routes(),
        *ui.routes(),
    ]


def apis_for(instance: Instance) -> Starlette:
    """Every API and page of an instance, as the front door calls them."""
    apis = Starlette(routes=api_routes())
    # An address with a slash too many is nothing the platform would send a redirect for.
    apis.router.redirect_slashes = False
    apis.state.instance = instance
    return apis


def create(options: Options) -> tuple[Instance, Front]:
    """A ready instance and its ASGI application.

    Raises ValueError for an unknown release or pack, sqlite3.Error for a file that is no database.
    """
    instance = _instance(options)
    apis = apis_for(instance)
    apis.state.control = options.control
    surface = control_surface(instance) if options.control else None
    return instance, Front(instance, apis, surface)


def _instance(options: Options) -> Instance:
    clock = Clock()
    database = Database.open(options.store, now=clock.text, new_sys_id=new_sys_id)
    fresh = functools.cache(lambda: _fresh_image(options))
    if database.dictionary.table("sys_user") is None:
        database.load_image(fresh())
    instance = Instance(
        options.name,
        database,
        clock,
        release_name=options.release,
        zboot=options.zboot,
        seal=seal_for(options.store),
        fresh=fresh,
    )
    instance.settings.start_with({"basic_auth_restriction": restriction.mode(instance.properties)})
    virus_scan.resume(instance)
    return instance


def _fresh_image(options: Options) -> bytes:
    """The rows of an instance nobody has used yet."""
    database = Database.open(None, now=Clock().text, new_sys_id=new_sys_id)
    packs.load(database, options.pack)
    for name, value in _first_properties(options).items():
        row = database.first("sys_properties", name=name)
        if row is None:
            database.insert("sys_properties", {"name": name, "value": value})
        else:
            database.update("sys_properties", row["sys_id"], {"value": value})
    plugins.fit(database, options.release)
    image = database.image()
    database.close()
    return image


def _first_properties(options: Options) -> Mapping[str, Any]:
    """What a new instance enforces and an upgraded one does not (ServiceNow docs: Basic authentication)."""
    new = "true" if options.zboot else "false"
    build = release(options.release).build
    return {
        "instance_name": options.name,
        "glide.buildtag": build,
        "glide.buildtag.last": build,
        "glide.buildname": options.release.capitalize(),
        "glide.war": f"{build}.zip",
        restriction.ACTIVE: "true",
        restriction.ENFORCE: new,
        tokens.ACTIVE: "true",
        oauth.BODY_ONLY: new,
        **({oauth.STATE_REQUIRED: "true"} if options.zboot else {}),
        access.TERM: new,
    }
