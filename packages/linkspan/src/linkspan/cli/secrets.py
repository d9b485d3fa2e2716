"""``linkspan secrets``: what the encrypted store holds. Values are never printed."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from linkspan.cli.options import AsJson
from linkspan.cli.output import answering


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Secrets of the encrypted store.", no_args_is_help=True, rich_markup_mode=None)
    group.command("list")(list_names)
    group.command("set")(set_value)
    app.add_typer(group, name="secrets")


def list_names(as_json: AsJson = False) -> None:
    """Names of the secrets, and whether a login has proven them. Never their values."""
    with answering("secrets list", as_json) as reply:
        from rich.table import Table

        from linkspan.config.home import home
        from linkspan.store.secrets import SecretStore

        store = SecretStore(home())
        reply.result = {
            "secrets": [
                {"name": f"store:{name}", "state": "pending" if store.is_pending(name) else "confirmed"}
                for name in store.names()
            ]
        }
        table = Table("secret", "state", box=None)
        for row in reply.result["secrets"]:
            table.add_row(row["name"], row["state"])
        reply.say(table)


def set_value(
    name: Annotated[str, typer.Argument(help="INSTANCE/ACCOUNT/SCHEME, or any name for store:NAME.")],
    generate: Annotated[
        bool, typer.Option("--generate", help="Make a new one; the next apply sends it and proves it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Keep a secret: asked for on a terminal, else the first line of standard input."""
    with answering("secrets set", as_json) as reply:
        from linkspan.config.home import home
        from linkspan.core.errors import ConfigError
        from linkspan.provision.credentials import SCHEMES
        from linkspan.provision.credentials import generate as new_secret
        from linkspan.store.secrets import SecretStore

        name = name.removeprefix("store:")
        if generate:
            value = new_secret()
        elif sys.stdin.isatty():
            value = typer.prompt(f"Value of {name}", hide_input=True)
        else:
            value = sys.stdin.readline().strip()
        if not value:
            raise ConfigError("the secret is empty", fix="give a value on standard input, or use --generate")
        # The credential of an account counts as unproven until apply has signed in with it.
        pending = name.count("/") == 2 and name.rsplit("/", 1)[1] in SCHEMES
        SecretStore(home()).put(name, value, pending=pending)
        reply.result = {"name": f"store:{name}", "state": "pending" if pending else "confirmed"}
        hint = "; run `linkspan apply` to send and prove it" if pending else ""
        reply.say(f"store:{name} is kept{hint}")
