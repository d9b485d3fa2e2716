"""The command line. A command is one file of this folder with a ``register(app)``; it holds no logic.

Command files import the heavy parts inside their functions, so that ``linkspan --help`` starts fast.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer


def main() -> None:
    """The ``linkspan`` program. Ends the process with the exit code of the command."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """One command; the exit code it asks for. Nothing is raised for what a person typed."""
    from linkspan.cli.output import usage_error

    try:
        reply = build()(arguments, prog_name="linkspan", standalone_mode=False)
    except Exception as error:
        if not _is_usage(error):
            raise
        return usage_error(error, arguments)
    return reply if isinstance(reply, int) else 0


def build() -> typer.Typer:
    """The application with every command of this folder."""
    import typer

    app = typer.Typer(
        name="linkspan",
        help="Connects tools to ServiceNow: accounts as code, preflight, two-way sync.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_root)
    for module in _commands():
        module.register(app)
    return app


def _root() -> None:
    """Connects tools to ServiceNow: accounts as code, preflight, two-way sync."""


def _commands() -> Iterator[ModuleType]:
    for found in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{found.name}")
        if hasattr(module, "register"):
            yield module


def _is_usage(error: Exception) -> bool:
    # Typer carries its own copy of click or the real one, by release; both say it this way.
    return hasattr(error, "format_message") and hasattr(error, "exit_code")
