"""``linkspan serve``: the hub with its API, its pages and the syncs."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from linkspan.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile
from linkspan.cli.output import Reply, answering

if TYPE_CHECKING:
    from linkspan.flows.wiring import Wiring


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(serve)


def serve(
    config: ConfigFile = DEFAULT_CONFIG,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", help="End when standard input closes.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the hub: API, pages and syncs, until it is stopped.

    Prints one line of JSON when it is ready: {"event": "ready", "url", "pid"}.
    """
    from linkspan.flows.wiring import Wiring

    if with_parent:
        threading.Thread(target=_until_parent_ends, daemon=True).start()
    with answering("serve", as_json) as reply, Wiring.open(config) as wiring:
        _serve(wiring, reply)


def _until_parent_ends() -> None:
    """Read standard input to its end, which comes when the parent is gone, however it went; then stop."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _serve(wiring: Wiring, reply: Reply) -> None:
    from linkspan.api import Access, create_app, server
    from linkspan.api.findings import finding_routes
    from linkspan.api.hooks import hook_routes
    from linkspan.api.satellites import satellite_routes
    from linkspan.flows.hooks import open_hooks
    from linkspan.flows.hub import open_hub
    from linkspan.flows.pulse import Pulse
    from linkspan.flows.satellites import open_satellites
    from linkspan.web import pages
    from linkspan.web.accounts import account_pages
    from linkspan.web.findings import finding_pages
    from linkspan.web.mttr import mttr_pages
    from linkspan.web.scan import scan_pages

    _log_to_stderr()
    settings = wiring.config.hub
    with server.only_hub_of(wiring.home):
        tokens = [wiring.secret(reference, where=settings.where).reveal() for reference in settings.tokens]
        tokens = tokens or [server.own_token(wiring.home)]
        listener = server.listen(settings.host, settings.port)
        url = server.address_of(listener)
        hub = open_hub(wiring, settings.url or url)
        pulse = Pulse(hub.stamp)
        hooks = hook_routes(open_hooks(wiring, hub))
        satellites = satellite_routes(open_satellites(wiring))

        def ready() -> None:
            hub.start()
            line = {"event": "ready", "url": url, "pid": os.getpid()}
            if not settings.tokens:
                line["open"] = f"{url}/?token={tokens[0]}"  # nobody else was told this token
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
            reply.as_json = False  # that line was the object

        access = Access(tokens, [settings.host], url=settings.url)
        app = create_app(
            hub,
            access,
            pulse,
            parts=[
                pages,
                account_pages,
                scan_pages,
                mttr_pages,
                finding_pages,
                finding_routes,
                hooks,
                satellites,
            ],
        )
        try:
            server.run(app, listener, pulse, home=wiring.home, ready=ready)
        finally:
            hub.stop()


def _log_to_stderr() -> None:
    # Standard output is for the one line that programs wait for.
    import structlog

    logging.getLogger("linkspan").setLevel(logging.INFO)
    # Looked up at each use: a stream that was replaced since then may be closed.
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
