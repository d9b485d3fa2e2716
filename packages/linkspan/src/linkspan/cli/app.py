"""``linkspan app``: the ServiceNow side, which only an administrator with an elevated session may install."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linkspan.cli.options import DEFAULT_CONFIG, Account, AsJson, ConfigFile, OnInstance
from linkspan.cli.output import answering

if TYPE_CHECKING:
    from linkspan.app import UpdateSet
    from linkspan.flows.wiring import Wiring

OneInstance = Annotated[
    str | None,
    typer.Option("--instance", metavar="NAME", help="For this instance: its roles are looked up there."),
]
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
    instance: OneInstance = None,
    out: OutFile = None,
    as_json: AsJson = False,
) -> None:
    """Write the update set an administrator imports: access controls and roles, never a secret."""
    with answering("app build", as_json) as reply:
        from linkspan.flows.app import build as built
        from linkspan.flows.wiring import Wiring

        with Wiring.open(config) as wiring:
            found = built(wiring, account=account, instance=instance)
            reply.result = {"file": None, "name": None, "records": []}
            if found is None:
                reply.say("Nothing to build: no recipe here needs it.")
                return
            file = out or _file(wiring, account, instance)
            reply.result = _written(found, file)
            reply.say(f"{file}: {len(found.records)} records")
            for record in found.records:
                reply.say(f"  {record.says.lower()} {record.title}")


def install(
    account: Account = None,
    config: ConfigFile = DEFAULT_CONFIG,
    instance: OnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Write the file for each instance that lacks something and say what a person does with it there."""
    with answering("app install", as_json) as reply:
        from linkspan.core.errors import LinkspanError
        from linkspan.flows.app import build as built
        from linkspan.flows.app import status as standings
        from linkspan.flows.wiring import Wiring

        reply.result = {"instances": {}}
        with Wiring.open(config) as wiring:
            for name, found in standings(wiring, account=account, instances=instance).items():
                if isinstance(found, LinkspanError):
                    reply.problem(found)
                    continue
                lacking = [one for one in found if one.state != "present"]
                made = built(wiring, account=account, instance=name) if lacking else None
                if made is None:
                    reply.result["instances"][name] = {"file": None, "steps": []}
                    reply.say(f"{name}: nothing to install")
                    continue
                file = _file(wiring, account, name)
                steps = _steps(wiring, name, made, file)
                reply.result["instances"][name] = {**_written(made, file), "steps": steps}
                reply.ends(4)
                reply.say(f"{name}: {len(lacking)} access controls are missing")
                for number, step in enumerate(steps, 1):
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


def _file(wiring: Wiring, account: str | None, instance: str | None) -> Path:
    """Beside the configuration."""
    name = "-".join(part for part in ("linkspan", account or "app", instance) if part)
    return wiring.config.path.parent / f"{name}.xml"


def _written(found: UpdateSet, file: Path) -> dict[str, Any]:
    file.write_text(found.xml(), encoding="utf-8")
    records = [{"table": one.table, "title": one.title, "sys_id": one.sys_id} for one in found.records]
    return {"file": str(file), "name": found.name, "records": records}


def _steps(wiring: Wiring, instance: str, found: UpdateSet, file: Path) -> list[str]:
    words = {
        "url": wiring.instance(instance).url,
        "page": _IMPORT,
        "file": str(file),
        "name": found.name,
        "instance": instance,
    }
    return [step.format(**words) for step in _STEPS]
