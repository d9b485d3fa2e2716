"""``linkspan authorize``: a person allows an account's application once, in a browser."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from linkspan.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile
from linkspan.cli.output import Reply, answering, plain


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("authorize")(authorize)


def authorize(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="An account of scheme oauth_code.")],
    instance: Annotated[str, typer.Option("--instance", metavar="NAME", help="On this instance.")],
    config: ConfigFile = DEFAULT_CONFIG,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page, or only print its address.")
    ] = True,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="S", min=1, help="Seconds to wait for the person.")
    ] = 300.0,
    as_json: AsJson = False,
) -> None:
    """Sign in as the account in a browser, allow its OAuth application, and keep what that gives."""
    with answering("authorize", as_json) as reply:
        from dataclasses import asdict

        from linkspan.flows import authorize as flow
        from linkspan.flows.wiring import Wiring

        with Wiring.open(config) as wiring:
            done = flow.authorize(
                wiring,
                account,
                instance,
                open_page=lambda url: _show(reply, url, browser=browser),
                timeout=timeout,
            )
            reply.result = asdict(done)
            reply.say(f"{instance}: {done.user_name} allowed {account}; kept as {done.secret}")


def _show(reply: Reply, url: str, *, browser: bool) -> None:
    """Open the page; say its address on standard error where that is not wanted or not possible."""
    import webbrowser

    if browser and webbrowser.open(url):
        reply.say("The page is open in your browser. Waiting …")
        return
    sys.stderr.write(plain(f"Open this page in a browser on this machine:\n{url}") + "\n")
    sys.stderr.flush()
