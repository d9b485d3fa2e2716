"""``linkspan accounts``: who asked for which account, who allowed it, and what every account may do.

Approving and rejecting is not here: the manager decides in ServiceNow, signed in as themselves.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linkspan.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile, OnInstance
from linkspan.cli.output import Reply, answering

if TYPE_CHECKING:
    from linkspan.flows.govern import Outcome
    from linkspan.flows.setup import Result
    from linkspan.flows.wiring import Wiring

WAITING, NO = 4, 1
_STATE_EXITS = {"requested": WAITING, "approved": WAITING, "rejected": NO, "expired": NO, "fulfilled": 0}
_STYLES = {"fulfilled": "green", "approved": "cyan", "requested": "yellow", "rejected": "red"}

Name = Annotated[str, typer.Argument(metavar="ACCOUNT", help="An account of linkspan.yaml.")]
By = Annotated[str, typer.Option("--by", metavar="USER", help="Who asks: a User ID on the instance.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="Service accounts: requests, their approval, what there is. Managers approve in ServiceNow.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command("list")(list_accounts)
    group.command("request")(request)
    group.command("status")(status)
    group.command("minimize")(minimize)
    group.command("rotate")(rotate)
    group.command("ledger")(ledger)
    app.add_typer(group, name="accounts")


def list_accounts(
    config: ConfigFile = DEFAULT_CONFIG, instance: OnInstance = None, as_json: AsJson = False
) -> None:
    """Every account of a machine on the fleet: owner, roles, groups, last use. Only reads leave."""
    with answering("accounts list", as_json) as reply:
        from linkspan.flows.govern import inventory
        from linkspan.flows.wiring import Wiring

        with Wiring.open(config) as wiring:
            found, problems = inventory(wiring, instances=instance)
        reply.result = {"instances": {name: {"accounts": listed} for name, listed in found.items()}}
        for problem in problems:
            reply.problem(problem)
        for name, listed in found.items():
            _show_inventory(reply, name, listed)


def request(
    account: Name,
    by: By,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="What the account is for.")],
    manager: Annotated[
        str,
        typer.Option("--manager", metavar="USER", help="Who decides, where the requester has no manager."),
    ] = "",
    days: Annotated[
        float, typer.Option("--days", min=0.01, max=90, help="Without an answer by then nothing happens.")
    ] = 14,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Ask for an account: request, item and approval on the production instance, and nothing else.

    The requester's manager approves or rejects there; `accounts status --apply` goes on from that.
    """
    with answering("accounts request", as_json) as reply:
        from linkspan.flows.govern import ask, document
        from linkspan.flows.wiring import Wiring

        with Wiring.open(config) as wiring:
            opened = ask(wiring, account, by=by, reason=reason, manager=manager, days=days)
            reply.result = document(wiring, opened)
        reply.say(f"request {opened.id}: {reply.result['item']} waits for {opened.manager}")
        reply.say(f"  decided there, by {opened.manager}'s own login: {reply.result['decide_at']}")
        reply.say(f"  then: linkspan accounts status {opened.id} --apply")


def status(
    number: Annotated[
        int | None, typer.Argument(metavar="REQUEST", help="Only this request.", show_default=False)
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Carry out what is approved: the account, exploring.")
    ] = False,
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept", metavar="BRAKE", help="Accept this brake, as for apply."),
    ] = None,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Read the managers' decisions. Exit 0 when REQUEST is carried out, 4 while it waits, 1 when it is a no.

    Without --apply only reads leave. Without REQUEST the exit code tells of problems only.
    """
    with answering("accounts status", as_json) as reply:
        from linkspan.flows.govern import document, follow, follow_all
        from linkspan.flows.wiring import Wiring

        def announce(where: str, change: Any) -> None:
            reply.say(f"{where}: {change.action} {change.kind} {change.key}")

        with Wiring.open(config) as wiring:
            if number is None:
                outcomes = follow_all(wiring, apply=apply, accept=accept or (), announce=announce)
            else:
                outcomes = [follow(wiring, number, apply=apply, accept=accept or (), announce=announce)]
            documents = [document(wiring, one.request) for one in outcomes]
        reply.result = {"requests": documents}
        for outcome, shown in zip(outcomes, documents, strict=True):
            _tell_outcome(reply, outcome)
            if number is not None:
                reply.ends(_STATE_EXITS[shown["state"]])
        _show_requests(reply, documents)


def minimize(
    account: Name,
    by: By,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="For the record.")] = "",
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Its calls are known: take the exploring group and the sign-in to pages away. Needs no approval."""
    with answering("accounts minimize", as_json) as reply:
        from linkspan.flows.govern import minimize as narrow
        from linkspan.flows.wiring import Wiring

        with Wiring.open(config) as wiring:
            result = narrow(
                wiring,
                account,
                by=by,
                reason=reason,
                announce=lambda where, change: reply.say(
                    f"{where}: {change.action} {change.kind} {change.key}"
                ),
            )
            reply.result = result.document()
            _tell_result(reply, result)
            if reply.exit == 0:
                reply.say(f"{account}: web services only")
                _hint(reply, wiring, account)


def rotate(
    account: Name,
    instance: OnInstance = None,
    token_from: Annotated[
        str,
        typer.Option(
            "--token-from", metavar="FILE", help="The new key's token: a file, or - for standard input."
        ),
    ] = "",
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Replace an API key without a failed call: a second key, its token, its proof, then the old key's end.

    Exit 4 while a person has to reveal the new token; the same command goes on.
    """
    with answering("accounts rotate", as_json) as reply:
        from linkspan.flows.rotate import rotate as go_on
        from linkspan.flows.wiring import Wiring

        with Wiring.open(config) as wiring:
            done, problems = go_on(
                wiring, account, instances=instance, token=_first_line(token_from) if token_from else ""
            )
        reply.result = {"instances": {name: one.document() for name, one in done.items()}}
        for name, one in done.items():
            if one.state == "done":
                reply.say(f"{name}: {one.new} took the place of {one.old} ({one.evidence})")
            else:
                reply.ends(WAITING)
                reply.say(f"{name}: by hand: {one.step}")
        for problem in problems:
            reply.problem(problem)


def ledger(
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="The newest entries.")] = 50,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Who did what to which account, newest first, and whether anybody has changed it. Exit 1 if so."""
    with answering("accounts ledger", as_json) as reply:
        from linkspan.core import clock
        from linkspan.flows.wiring import Wiring
        from linkspan.store.ledger import Ledger

        with Wiring.open(config) as wiring:
            chain = Ledger(wiring.database)
            broken, head, entries = chain.verify(), chain.head(), chain.latest(limit=limit)
        reply.result = {
            "verified": broken is None,
            "broken_at": broken,
            "head": head,
            "entries": [
                {
                    **{key: entry[key] for key in ("seq", "actor", "action", "subject", "detail", "hash")},
                    "at": clock.iso_time(entry["at"]),
                }
                for entry in entries
            ],
        }
        _show_ledger(reply)
        if broken is not None:
            from linkspan.core.errors import Rejected

            raise Rejected(
                f"entry {broken} is not as it was written",
                fix="somebody changed or removed entries in the store; compare with a backup",
                where=f"ledger:{broken}",
                code="ledger_broken",
            )


def _first_line(source: str) -> str:
    """The first line of a file or of standard input. Raises ConfigError when there is none."""
    from linkspan.core.errors import ConfigError

    try:
        text = sys.stdin.readline() if source == "-" else Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the token cannot be read: {error}", fix="name a file, or -", where=source
        ) from error
    token = text.strip().partition("\n")[0].strip()
    if not token:
        raise ConfigError("the token is empty", fix="give it as the first line", where=source)
    return token


# --- for people


def _tell_outcome(reply: Reply, outcome: Outcome) -> None:
    if outcome.problem is not None:
        reply.problem(outcome.problem)
    if outcome.result is not None:
        _tell_result(reply, outcome.result)


def _tell_result(reply: Reply, result: Result) -> None:
    for problem in result.problems:
        reply.problem(problem)
    if result.manual:
        reply.ends(WAITING)
        for change in result.manual:
            reply.say(f"by hand: {change.artefact}")


def _hint(reply: Reply, wiring: Wiring, account: str) -> None:
    from linkspan.governance import SETTLED

    if wiring.account(account).profile != SETTLED:
        reply.say(f"write profile: {SETTLED} at {wiring.account(account).where}: apply follows that file")


def _show_requests(reply: Reply, documents: list[dict[str, Any]]) -> None:
    if reply.as_json:
        return
    if not documents:
        reply.say("no request yet; linkspan accounts request ACCOUNT --by USER --reason TEXT")
        return
    from rich.table import Table
    from rich.text import Text

    table = Table("request", "account", "what", "state", "by", "decides", "where", box=None)
    for one in documents:
        state = Text(one["state"], style=_STYLES.get(one["state"], "dim"))
        where = f"{one['instance']} {one['item']}".strip()
        table.add_row(
            str(one["id"]), one["account"], one["action"], state, one["requester"], one["manager"], where
        )
    reply.say(table)
    for one in documents:
        if one["state"] == "requested" and one["decide_at"]:
            reply.say(f"{one['manager']} decides, in ServiceNow: {one['decide_at']}")


def _show_inventory(reply: Reply, instance: str, listed: list[dict[str, Any]]) -> None:
    if reply.as_json:
        return
    from rich.table import Table

    table = Table(
        "user", "owner", "roles", "last use", "ours", box=None, title=instance, title_justify="left"
    )
    for one in listed:
        direct = [role["name"] for role in one["roles"] if not role["inherited"]]
        roles = ", ".join(one["groups"] + direct) or "none"
        table.add_row(
            one["user_name"] if one["active"] else f"{one['user_name']} (inactive)",
            one["owner"] or "nobody",
            f"{roles} ({len(one['roles'])} in all)",
            one["last_used"] or "unknown",
            f"{one['account']} (nobody asked)" if one["standing"] == "unasked" else one["account"],
        )
    reply.say(table)


def _show_ledger(reply: Reply) -> None:
    if reply.as_json:
        return
    from rich.table import Table

    table = Table("#", "at", "who", "did", "to", box=None)
    for entry in reply.result["entries"]:
        table.add_row(str(entry["seq"]), entry["at"], entry["actor"], entry["action"], entry["subject"])
    reply.say(table)
    reply.say("verified: no entry was changed" if reply.result["verified"] else "NOT as it was written")
