"""Service accounts with an owner and an approval: asked for here, decided in ServiceNow, carried out here."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

from linkspan.config.values import AccountConfig
from linkspan.core.errors import ConfigError, LinkspanError, Rejected
from linkspan.flows.setup import Result, apply_all, intent, plan_all
from linkspan.flows.wiring import Wiring
from linkspan.governance import (
    DAYS,
    EXPLORING,
    OPEN,
    SETTLED,
    UNASKED,
    Asked,
    RequestBook,
    allows,
    credentials_since,
    deciding_instance,
    described,
    is_governed,
    is_open,
    only_narrows,
    open_records,
    person,
    read_decision,
    require_separate,
    take_inventory,
    token,
)
from linkspan.governance.request import APPROVAL, ITEM, correlation, require_manager
from linkspan.provision import recipe
from linkspan.provision.kinds import Intent
from linkspan.provision.values import Brake, Change, InstancePlan, Plan
from linkspan.store.ledger import Ledger
from linkspan.store.reports import Reports
from linkspan.store.requests import Request

REPORT_KIND = "accounts"
Announce = Callable[[str, Change], None]


def _quiet(_instance: str, _change: Change) -> None:
    return None


# --- asking


def ask(wiring: Wiring, name: str, *, by: str, reason: str, manager: str = "", days: float = DAYS) -> Request:
    """Ask the manager of ``by`` for the account ``name``: the records on the production instance.

    Nothing else is made. When an earlier try was cut off, it is completed instead. Raises Rejected for
    self-approval, for people the instance does not know, and when a request is already open.
    """
    account, where = wiring.account(name), deciding_instance(wiring.config)
    if not account.owner:
        raise ConfigError(
            f"{name} has no owner", fix="add owner: the User ID of who answers for it", where=account.where
        )
    question = asked(wiring, account)
    line = wiring.admin(where.name, read_only=False)
    requester = person(line, by)
    decides = person(line, require_manager(requester, manager))
    require_separate(
        requester=requester.user_name,
        manager=decides.user_name,
        owner=account.owner,
        user_name=account.user_name,
    )
    book = RequestBook(wiring.database)
    found = book.begin(
        question,
        requester=requester.user_name,
        manager=decides.user_name,
        reason=reason,
        instance=where.name,
        days=days,
    )
    records = open_records(
        line,
        wiring.records(line, where.name),
        asked=question,
        requester=requester,
        manager=decides,
        reason=found.reason,
        expires_at=found.expires_at,
        token=token(found),
    )
    return book.asked(found, records)


def asked(wiring: Wiring, account: AccountConfig) -> Asked:
    """What a request for this account asks for. Raises ConfigError when its recipe cannot be asked for."""
    meant = intent(wiring, replace(account, profile=EXPLORING))
    return Asked(
        account=account.name,
        user_name=account.user_name,
        owner=account.owner,
        scheme=account.scheme,
        recipe=account.recipe,
        instances=tuple(f"{name} ({wiring.instance(name).url})" for name in account.instances),
        gives=_gives(meant),
    )


def _gives(meant: Intent) -> tuple[str, ...]:
    profile = meant.profile
    services = (
        "web services only"
        if profile.user.web_service_access_only
        else "web services and sign-in to the pages"
    )
    groups = (f"membership of {group.name}: {group.because}" for group in profile.groups)
    roles = (
        f"the role {grant.role}{f' through {grant.group}' if grant.group else ''}: {grant.because}"
        for grant in profile.grants
    )
    return (f"{services}: {profile.user.because}", *groups, *roles)


# --- deciding: there


def look(wiring: Wiring, number: int) -> Request:
    """The request with this number, its decision read from the instance. Only reads leave.

    After its last day a request is expired, whatever was answered; nothing is even read then. Raises
    ConfigError for an unknown number, and Rejected or NotFound when what the instance says is no
    decision.
    """
    book = RequestBook(wiring.database)
    request = book.get(number)
    if request.state not in OPEN:
        return request
    if not is_open(request):
        return book.decided(request, "expired", by=None, at=None)
    if APPROVAL not in request.records:
        return request  # its records are not all made; asking again completes them
    line = wiring.admin(request.instance, read_only=True)
    decision = read_decision(
        line,
        request.records,
        manager=person(line, request.manager),
        correlation=correlation(token(request), asked(wiring, wiring.account(request.account))),
    )
    if decision.state == request.state:
        return request
    return book.decided(request, decision.state, by=decision.by, at=decision.at)


# --- carrying out


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A request after its turn. ``result`` is what was carried out, None when nothing was."""

    request: Request
    result: Result | None = None
    problem: LinkspanError | None = None


def follow(
    wiring: Wiring,
    number: int,
    *,
    apply: bool,
    accept: Collection[str] = (),
    announce: Announce = _quiet,
) -> Outcome:
    """Read the decision on a request and, with ``apply``, carry an approval out. Errors are kept.

    ``accept`` are ids of brakes, as for apply.
    """
    try:
        request = look(wiring, number)
    except LinkspanError as error:
        return Outcome(request=RequestBook(wiring.database).get(number), problem=error)
    if not apply or request.state != "approved":
        return Outcome(request=request)
    return _carry_out(wiring, request, accept, announce)


def follow_all(
    wiring: Wiring, *, apply: bool, accept: Collection[str] = (), announce: Announce = _quiet
) -> list[Outcome]:
    """:func:`follow` for every request of this home, oldest first."""
    return [
        follow(wiring, number, apply=apply, accept=accept, announce=announce)
        for number in RequestBook(wiring.database).numbers()
    ]


def _carry_out(wiring: Wiring, request: Request, accept: Collection[str], announce: Announce) -> Outcome:
    actor = f"{request.requester}, allowed by {request.decided_by} (request {request.id})"
    result = _bring_to(wiring, request.account, EXPLORING, actor=actor, accept=accept, announce=announce)
    if result.problems or result.manual:
        return Outcome(request=request, result=result)
    try:
        line = wiring.admin(request.instance, read_only=False)
        line.table.update(ITEM, request.records[ITEM]["sys_id"], {"state": "3"}, fields=("sys_id",))
    except LinkspanError as error:  # the account stands; closing the item is tried again with the next look
        return Outcome(request=request, result=result, problem=error)
    return Outcome(request=RequestBook(wiring.database).fulfilled(request.id, actor), result=result)


def minimize(wiring: Wiring, name: str, *, by: str, reason: str = "", announce: Announce = _quiet) -> Result:
    """Take the exploring rights and the sign-in to pages from an account. It only narrows: no approval.

    Raises Rejected when no approved request ever made the account (code ``not_requested``) and when
    ``by`` is no active user of the production instance.
    """
    book = RequestBook(wiring.database)
    if book.standing(name) is None:
        raise Rejected(
            f"{name} was never carried out from an approved request",
            fix=f"linkspan accounts request {name} --by … --reason …",
            code="not_requested",
        )
    where = deciding_instance(wiring.config).name
    who = person(wiring.admin(where, read_only=True), by).user_name
    actor = f"{who} (minimize)"
    result = _bring_to(wiring, name, SETTLED, actor=actor, announce=announce)
    if not result.problems and not result.manual:
        book.narrowed(name, by=who, reason=reason, instance=where, actor=actor)
    return result


def guarded(wiring: Wiring, plan: Plan) -> Plan:
    """A plan with a brake wherever it makes or widens an account that nobody has allowed.

    Such a brake (``unasked:ACCOUNT``) stands before an account whose recipe knows exploring, as long as
    its standing does not allow what the plan would do to it (:func:`linkspan.governance.allows`).
    """
    instances: dict[str, InstancePlan] = {}
    for name, one in plan.instances.items():
        accounts = (account for account in one.accounts if not _is_allowed(wiring, account, one))
        brakes = (
            Brake(
                id=f"{UNASKED}:{account}",
                cause=f"no approved request stands behind what {account} would get on {name}",
                fix=f"run linkspan accounts request {account}, or accept with --accept {UNASKED}:{account}",
            )
            for account in accounts
        )
        instances[name] = replace(one, brakes=(*one.brakes, *brakes))
    return Plan(instances=instances)


def _is_allowed(wiring: Wiring, account: str, plan: InstancePlan) -> bool:
    actions = {change.action for change in plan.changes if change.account == account}
    if not actions or not _is_governed(wiring, account):
        return True
    standing = RequestBook(wiring.database).standing(account)
    return allows(standing, profile=wiring.account(account).profile, actions=actions)


def _bring_to(
    wiring: Wiring,
    name: str,
    profile: str,
    *,
    actor: str,
    accept: Collection[str] = (),
    announce: Announce,
) -> Result:
    """Apply one profile to an account; the user's file stays as it is."""
    account = replace(wiring.account(name), profile=profile)
    config = replace(wiring.config, accounts={**wiring.config.accounts, name: account})
    with Wiring(config, wiring.home) as other:
        plan = plan_all(other, account=name)
        deleted = {change.kind for change in plan.changes if change.action == "delete"}
        if profile == SETTLED and only_narrows(deleted):
            accept = (*accept, "many_deletes")  # to take away is what was asked for
        return apply_all(other, plan, accept=accept, actor=actor, announce=announce)


# --- seeing


def inventory(
    wiring: Wiring, *, instances: Collection[str] | None = None
) -> tuple[dict[str, list[dict[str, Any]]], list[LinkspanError]]:
    """Every machine's account on every instance, and what could not be read. Only reads leave.

    The latest answer of each instance is kept as a report of kind ``accounts``.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    problems: list[LinkspanError] = []
    since = credentials_since(Ledger(wiring.database))
    for name in instances or wiring.config.instances:
        ours = {one.user_name: one.name for one in wiring.config.accounts.values() if name in one.instances}
        try:
            listed = take_inventory(wiring.admin(wiring.instance(name).name, read_only=True), ours)
        except LinkspanError as error:
            problems.append(error)
            continue
        found[name] = [
            {
                **one.document(),
                "credential_since": since.get(f"{name}/{one.account}"),
                "standing": _told_standing(wiring, one.account),
            }
            for one in listed
        ]
        Reports(wiring.database).save(REPORT_KIND, name, {"accounts": found[name]})
    return found, problems


def _told_standing(wiring: Wiring, account: str) -> str | None:
    """An account's standing in an inventory: ``unasked`` for an account that apply made without a request.

    None for accounts that are not ours or whose recipe knows no exploring, so that nobody has to ask.
    """
    if not account or not _is_governed(wiring, account):
        return None
    return RequestBook(wiring.database).standing(account) or UNASKED


def _is_governed(wiring: Wiring, account: str) -> bool:
    """Whether an account of the configuration is one that people have to ask for."""
    configured = wiring.account(account)
    found = recipe.load(configured.recipe, beside=wiring.config.path.parent, where=configured.where)
    return is_governed(found.profiles)


def document(wiring: Wiring, request: Request) -> dict[str, Any]:
    """A request in its published shape."""
    return described(request, wiring.config.instances)
