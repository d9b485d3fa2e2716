"""Service accounts with an owner and an approval: asked for here, decided in ServiceNow, carried out here."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from linkspan.config.values import AccountConfig, InstanceConfig
from linkspan.core import clock
from linkspan.core.errors import ConfigError, LinkspanError, Rejected
from linkspan.flows.setup import Result, apply_all, intent, plan_all
from linkspan.flows.wiring import Wiring
from linkspan.governance import (
    Asked,
    open_records,
    person,
    read_decision,
    require_separate,
    take_inventory,
)
from linkspan.governance.request import APPROVAL, ITEM, correlation, require_manager
from linkspan.provision import recipe
from linkspan.provision.kinds import Intent
from linkspan.provision.values import Brake, Change, InstancePlan, Plan
from linkspan.records import Records
from linkspan.store.ledger import PAGE, Ledger
from linkspan.store.reports import Reports
from linkspan.store.requests import Request, Requests

EXPLORING, SETTLED = "exploring", "settled"
EXPLORE, MINIMIZE, UNASKED = "explore", "minimize", "unasked"
OPEN = ("requested", "approved")
DAYS = 14
DAY = 86_400
REPORT_KIND = "accounts"
_TAG = "tag"  # the key of a request's records under which its own random word is kept
_NARROWING = frozenset({"membership", "group_role"})
Announce = Callable[[str, Change], None]


def _quiet(_instance: str, _change: Change) -> None:
    return None


# --- asking


def ask(wiring: Wiring, name: str, *, by: str, reason: str, manager: str = "", days: float = DAYS) -> Request:
    """Ask the manager of ``by`` for the account ``name``: the records on the production instance.

    Nothing else is made. When an earlier try was cut off, it is completed instead. Raises Rejected for
    self-approval, for people the instance does not know, and when a request is already open.
    """
    account, where = wiring.account(name), deciding_instance(wiring)
    if not account.owner:
        raise ConfigError(
            f"{name} has no owner", fix="add owner: the User ID of who answers for it", where=account.where
        )
    question = asked(wiring, account)
    requests, ledger = Requests(wiring.database), Ledger(wiring.database)
    line = wiring.admin(where.name, read_only=False)
    requester = person(line, by)
    decides = person(line, require_manager(requester, manager))
    require_separate(
        requester=requester.user_name,
        manager=decides.user_name,
        owner=account.owner,
        user_name=account.user_name,
    )
    found = _unfinished(requests, name)
    if found is None:
        number = requests.open(
            account=name,
            action=EXPLORE,
            requester=requester.user_name,
            manager=decides.user_name,
            reason=reason,
            instance=where.name,
            expires_at=clock.now() + days * DAY,
            records={_TAG: {"sys_id": secrets.token_hex(8)}},
        )
        detail = {"account": name, "reason": reason, "manager": decides.user_name, "asked": question.digest}
        ledger.append(requester.user_name, "request", f"request/{number}", detail)
        found = _known(requests, number)
    elif (found.requester, found.manager) != (requester.user_name, decides.user_name):
        raise _already_open(found)
    records = open_records(
        line,
        Records(wiring.database, line, instance=where.name, transaction_seconds=where.transaction_seconds),
        asked=question,
        requester=requester,
        manager=decides,
        reason=found.reason,
        expires_at=found.expires_at,
        token=found.records[_TAG]["sys_id"],
    )
    requests.name_records(found.id, {**found.records, **records})
    ledger.append(
        "linkspan",
        "open",
        f"request/{found.id}",
        {"instance": where.name, "item": records[ITEM]["number"], "decides": decides.user_name},
    )
    return _known(requests, found.id)


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


def deciding_instance(wiring: Wiring) -> InstanceConfig:
    """Where approvals are kept: the fleet's one production instance. Raises ConfigError."""
    found = [one for one in wiring.config.instances.values() if one.environment == "production"]
    if len(found) != 1:
        raise ConfigError(
            f"{len(found)} instances are production; approvals are kept on exactly one",
            fix="give one instance environment: production",
            where=wiring.config.where("instances"),
        )
    return found[0]


def _unfinished(requests: Requests, account: str) -> Request | None:
    """A request of this account whose records were not all made. Raises Rejected for a complete one."""
    for one in requests.list():
        if one.account == account and is_open(one):
            if APPROVAL in one.records:
                raise _already_open(one)
            return one
    return None


def _already_open(request: Request) -> Rejected:
    return Rejected(
        f"request {request.id} of {request.requester} for {request.account} is still {request.state}",
        fix=f"linkspan accounts status {request.id}",
        code="request_open",
    )


def is_open(request: Request) -> bool:
    """Whether this request may still become something."""
    return request.state in OPEN and clock.now() < request.expires_at


# --- deciding: there


def look(wiring: Wiring, number: int) -> Request:
    """The request with this number, its decision read from the instance. Only reads leave.

    After its last day a request is expired, whatever was answered; nothing is even read then. Raises
    ConfigError for an unknown number, and Rejected or NotFound when what the instance says is no
    decision.
    """
    requests = Requests(wiring.database)
    request = _known(requests, number)
    if request.state not in OPEN:
        return request
    if not is_open(request):
        return _decided(wiring, request, "expired", by=None, at=clock.now())
    if APPROVAL not in request.records:
        return request  # its records are not all made; asking again completes them
    line = wiring.admin(request.instance, read_only=True)
    decision = read_decision(
        line,
        request.records,
        manager=person(line, request.manager),
        correlation=correlation(
            request.records[_TAG]["sys_id"], asked(wiring, wiring.account(request.account))
        ),
    )
    if decision.state == request.state:
        return request
    return _decided(wiring, request, decision.state, by=decision.by, at=decision.at)


def _decided(wiring: Wiring, request: Request, state: Any, *, by: str | None, at: float | None) -> Request:
    requests = Requests(wiring.database)
    requests.decide(request.id, state, by=by, at=clock.now() if at is None else at)
    detail = {"account": request.account, "instance": request.instance}
    item = request.records.get(ITEM)
    Ledger(wiring.database).append(
        by or "linkspan", state, f"request/{request.id}", {**detail, "item": item["number"] if item else ""}
    )
    return _known(requests, request.id)


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
        return Outcome(request=_known(Requests(wiring.database), number), problem=error)
    if not apply or request.state != "approved":
        return Outcome(request=request)
    return _carry_out(wiring, request, accept, announce)


def follow_all(
    wiring: Wiring, *, apply: bool, accept: Collection[str] = (), announce: Announce = _quiet
) -> list[Outcome]:
    """:func:`follow` for every request of this home, oldest first."""
    numbers = sorted(request.id for request in Requests(wiring.database).list())
    return [follow(wiring, number, apply=apply, accept=accept, announce=announce) for number in numbers]


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
    return Outcome(request=_fulfilled(wiring, request.id, actor), result=result)


def _fulfilled(wiring: Wiring, number: int, actor: str) -> Request:
    requests = Requests(wiring.database)
    requests.fulfil(number)
    request = _known(requests, number)
    detail = {"account": request.account, "action": request.action}
    Ledger(wiring.database).append(actor, "fulfilled", f"request/{number}", detail)
    return request


def minimize(wiring: Wiring, name: str, *, by: str, reason: str = "", announce: Announce = _quiet) -> Result:
    """Take the exploring rights and the sign-in to pages from an account. It only narrows: no approval.

    Raises Rejected when no approved request ever made the account (code ``not_requested``) and when
    ``by`` is no active user of the production instance.
    """
    if standing(wiring, name) is None:
        raise Rejected(
            f"{name} was never carried out from an approved request",
            fix=f"linkspan accounts request {name} --by … --reason …",
            code="not_requested",
        )
    who = person(wiring.admin(deciding_instance(wiring).name, read_only=True), by).user_name
    actor = f"{who} (minimize)"
    result = _bring_to(wiring, name, SETTLED, actor=actor, announce=announce)
    if not result.problems and not result.manual and standing(wiring, name) != MINIMIZE:
        number = Requests(wiring.database).open(
            account=name,
            action=MINIMIZE,
            requester=who,
            manager="",
            reason=reason,
            instance=deciding_instance(wiring).name,
            expires_at=clock.now() + DAYS * DAY,
        )
        _fulfilled(wiring, number, actor)
    return result


def standing(wiring: Wiring, account: str) -> str | None:
    """The last thing carried out for an account: ``explore``, ``minimize``, or None."""
    done = (one for one in Requests(wiring.database).list(state="fulfilled") if one.account == account)
    return next((one.action for one in done), None)


def guarded(wiring: Wiring, plan: Plan) -> Plan:
    """A plan with a brake wherever it makes or widens an account that nobody has allowed.

    Such a brake (``unasked:ACCOUNT``) stands before an account whose recipe knows exploring: before its
    creation while no approved request was ever carried out, and before exploring unless that was the
    last thing allowed. What only narrows needs nobody.
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
    actions = {change.action for change in plan.changes if change.account == account} - {"manual"}
    if not actions or not _is_governed(wiring, account):
        return True
    last = standing(wiring, account)
    if wiring.account(account).profile == EXPLORING:
        return last == EXPLORE
    return last is not None or "create" not in actions


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
        if profile == SETTLED and _only_narrows(plan):
            accept = (*accept, "many_deletes")  # to take away is what was asked for
        return apply_all(other, plan, accept=accept, actor=actor, announce=announce)


def _only_narrows(plan: Plan) -> bool:
    """Whether everything that would be deleted is something the account may do, not the account."""
    return all(change.kind in _NARROWING for change in plan.changes if change.action == "delete")


# --- seeing


def inventory(
    wiring: Wiring, *, instances: Collection[str] | None = None
) -> tuple[dict[str, list[dict[str, Any]]], list[LinkspanError]]:
    """Every machine's account on every instance, and what could not be read. Only reads leave.

    The latest answer of each instance is kept as a report of kind ``accounts``.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    problems: list[LinkspanError] = []
    since = _credentials_since(wiring)
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
    """:func:`standing` in an inventory: ``unasked`` for an account that apply made without a request.

    None for accounts that are not ours or whose recipe knows no exploring, so that nobody has to ask.
    """
    if not account or not _is_governed(wiring, account):
        return None
    return standing(wiring, account) or UNASKED


def _is_governed(wiring: Wiring, account: str) -> bool:
    """Whether an account of the configuration is one that people have to ask for."""
    configured = wiring.account(account)
    found = recipe.load(configured.recipe, beside=wiring.config.path.parent, where=configured.where)
    return {EXPLORING, SETTLED} <= found.profiles.keys()


def _credentials_since(wiring: Wiring) -> dict[str, str]:
    """When the credential of each of our accounts was last made, by INSTANCE/ACCOUNT, from the ledger."""
    found: dict[str, str] = {}
    ledger, after = Ledger(wiring.database), 0
    while page := ledger.entries(after=after, limit=PAGE):
        for entry in page:
            instance, _, rest = entry["subject"].partition("/")
            if rest.startswith("credential/"):
                found[f"{instance}/{entry['detail'].get('account', '')}"] = clock.iso_time(entry["at"])
        after = page[-1]["seq"]
    return found


def document(wiring: Wiring, request: Request) -> dict[str, Any]:
    """A request in its published shape."""
    return described(request, wiring.config.instances)


def described(request: Request, instances: Mapping[str, InstanceConfig]) -> dict[str, Any]:
    """A request for people and programs; ``decide_at`` is the address of the manager's approval."""
    approval, instance = request.records.get(APPROVAL), instances.get(request.instance)
    state = "expired" if request.state in OPEN and not is_open(request) else request.state
    return {
        "id": request.id,
        "account": request.account,
        "action": request.action,
        "state": state,
        "requester": request.requester,
        "manager": request.manager,
        "reason": request.reason,
        "instance": request.instance,
        "item": request.records.get(ITEM, {}).get("number", ""),
        "decide_at": f"{instance.url}/{APPROVAL}.do?sys_id={approval['sys_id']}"
        if approval and instance
        else "",
        "opened_at": clock.iso_time(request.opened_at),
        "expires_at": clock.iso_time(request.expires_at),
        "decided_by": request.decided_by,
        "decided_at": None if request.decided_at is None else clock.iso_time(request.decided_at),
        "fulfilled_at": None if request.fulfilled_at is None else clock.iso_time(request.fulfilled_at),
    }


def _known(requests: Requests, number: int) -> Request:
    found = requests.get(number)
    if found is None:
        raise ConfigError(f"there is no request {number}", fix="linkspan accounts status lists them")
    return found
