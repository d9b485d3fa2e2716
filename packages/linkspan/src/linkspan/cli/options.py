"""Options that every command spells the same way."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_CONFIG = Path("linkspan.yaml")

ConfigFile = Annotated[
    Path, typer.Option("--config", metavar="FILE", help="The configuration to use.", envvar="LINKSPAN_CONFIG")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
OnInstance = Annotated[
    list[str] | None,
    typer.Option("--instance", metavar="NAME", help="Only this instance (may be repeated)."),
]
Account = Annotated[str | None, typer.Argument(metavar="ACCOUNT", help="Only this account.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
