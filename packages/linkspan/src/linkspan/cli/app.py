"""``linkspan app``: the ServiceNow side, which only an administrator with an elevated session may install."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linkspan.cli.options import DEFAULT_CONFIG, Account, AsJson, ConfigFile, OnInstance
from linkspan.cli.output import Reply, answering

if TYPE_CHECKING:
    from linkspan.flows.wiring import Wiring

OutFile = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to write the file.")]
_IMPORT = "/upload.do?sysparm_target=sys_remote_update_set"
_STEPS = (
    "sign in to {url} as an administrator who holds security_admin",
    "elevate: your picture > Elevate role > security_admin > Update",
    "System Update Sets > Retrieved Update Sets > Import Update Set from XML "
    "({url}{page}), choose {file}, Upload",
    'open "{name}", Preview Update Set; it should find no problem, then Commit Update Set',
    "linkspan app status --instance {instance}",
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="The ServiceNow side.", no_args_is_help=True, rich_markup_mode=None)
    group.command("build")(build)
    group.command("install")(install)
    group.command("status")(status)
    app.add_typer(group, name="app")


def build(
    account: Account = None,
    config: ConfigFile = DEFAULT_CONFIG,
    instance: OnInstance = None,
    out: OutFile = None,
    as_json: AsJson = False,
) -> None:
    """Write, for each instance, the update set its administrator imports: access controls, never a secret."""
    with answering("app build", as_json) as reply:
        from linkspan.flows.app import places
        from linkspan.flows.wiring import Wiring

        reply.result = {"instances": {}}
        with Wiring.open(config) as wiring:
            names = places(wiring, account=account, instances=instance)
            if out is not None and len(names) != 1:
                raise typer.BadParameter(
                    "a file is for one instance; name it with --instance", param_hint="--out"
                )
            for name in names:
                _build_one(reply, wiring, name, account, out)


def install(
    account: Account = None,
    config: ConfigFile = DEFAULT_CONFIG,
    instance: OnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Write the file for each instance that lacks something and say what a person does with it there."""
    with answering("app install", as_json) as reply:
        from linkspan.core.errors import LinkspanError
        from linkspan.flows.app import status as standings
        from linkspan.flows.wiring import Wiring

        reply.result = {"instances": {}}
        with Wiring.open(config) as wiring:
            for name, found in standings(wiring, account=account, instances=instance).items():
                if isinstance(found, LinkspanError):
                    reply.problem(found)
                    continue
                if all(one.state == "present" for one in found):
                    reply.result["instances"][name] = {"file": None, "steps": []}
                    reply.say(f"{name}: nothing to install")
                    continue
                made = _build_one(reply, wiring, name, account, None)
                if made is None:
                    continue
                made["steps"] = _steps(wiring.instance(name).url, name, made)
                reply.ends(4)
                for number, step in enumerate(made["steps"], 1):
                    reply.say(f"  {number}. {step}")


def status(
    account: Account = None,
    config: ConfigFile = DEFAULT_CONFIG,
    instance: OnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Which access controls each instance has. Only reads leave. Exit 1 when one is missing."""
    with answering("app status", as_json) as reply:
        from rich.table import Table

        from linkspan.core.errors import LinkspanError
        from linkspan.flows.app import status as standings
        from linkspan.flows.wiring import Wiring

        table = Table("instance", "account", "access control", "state", box=None)
        reply.result = {"instances": {}}
        with Wiring.open(config) as wiring:
            for name, found in standings(wiring, account=account, instances=instance).items():
                if isinstance(found, LinkspanError):
                    reply.problem(found)
                    continue
                reply.result["instances"][name] = {"acls": [one.document() for one in found]}
                for one in found:
                    table.add_row(name, one.account, one.key, "; ".join((one.state, *one.wrong)))
                    reply.ends(0 if one.state == "present" else 1)
        reply.say(table)


def _build_one(
    reply: Reply, wiring: Wiring, instance: str, account: str | None, out: Path | None
) -> dict[str, Any] | None:
    """Write one instance's file and tell of it; None when there is none."""
    from linkspan.core.errors import ConfigError, LinkspanError
    from linkspan.flows.app import build as built

    try:
        found = built(wiring, instance, account=account)
    except ConfigError:
        raise
    except LinkspanError as error:
        reply.problem(error)
        return None
    if found is None:
        reply.result["instances"][instance] = {"file": None, "name": None, "records": []}
        reply.say(f"{instance}: nothing to build; no recipe of its accounts asks for it")
        return None
    # Without --out beside the configuration.
    file = out or wiring.config.path.parent / f"linkspan-{account or 'app'}-{instance}.xml"
    try:
        file.write_text(found.xml(), encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be written: {error.strerror}", fix="name another with --out"
        ) from error
    except ValueError as error:
        raise ConfigError(str(error), fix="take it out of the recipe", where=instance) from error
    records = [{"table": one.table, "title": one.title, "sys_id": one.sys_id} for one in found.records]
    written: dict[str, Any] = {"file": str(file), "name": found.name, "records": records}
    reply.result["instances"][instance] = written
    reply.say(f"{instance}: {file}, {len(records)} records")
    for record in found.records:
        reply.say(f"  {record.says.lower()} {record.title}")
    return written


def _steps(url: str, instance: str, made: dict[str, Any]) -> list[str]:
    words = {"url": url, "page": _IMPORT, "file": made["file"], "name": made["name"], "instance": instance}
    return [step.format(**words) for step in _STEPS]
