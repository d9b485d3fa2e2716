"""``linkspan init``: a configuration to start from."""

from __future__ import annotations

import typer

from linkspan.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile
from linkspan.cli.output import answering


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init")(init)


def init(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Write a commented linkspan.yaml. An existing file is left alone."""
    with answering("init", as_json) as reply:
        from linkspan.config.example import EXAMPLE
        from linkspan.core.errors import ConfigError

        try:
            with config.open("x", encoding="utf-8") as file:
                file.write(EXAMPLE)
        except FileExistsError as error:
            raise ConfigError(
                "this file exists already", fix="choose another with --config FILE", where=str(config)
            ) from error
        except OSError as error:
            raise ConfigError(f"it cannot be written: {error.strerror}", where=str(config)) from error
        reply.result = {"file": str(config)}
        reply.say(f"{config} is written. Fill in your instances, then run: linkspan plan")
