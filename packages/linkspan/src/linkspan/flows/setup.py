"""From a configuration to working accounts: plan, apply, and the proof."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from linkspan.config.values import AccountConfig
from linkspan.connection import connect, redirect
from linkspan.core.errors import ConfigError, LinkspanError, NotAuthorized, NotFound, Rejected, Stale
from linkspan.flows.wiring import Wiring
from linkspan.provision import recipe
from linkspan.provision.apply import Applied, Desk, apply_instance
from linkspan.provision.credentials import Credentials
from linkspan.provision.fleet import Fleet
from linkspan.provision.kinds import Intent, Member
from linkspan.provision.kinds.api_key import number
from linkspan.provision.plan import Order, plan_instance
from linkspan.provision.values import Change, InstancePlan, Plan, checksum
from linkspan.store.ledger import Ledger
from linkspan.store.owned import OwnedRecords


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of every instance. ``plan`` is what was carried out."""

    plan: Plan
    instances: Mapping[str, Applied] = field(default_factory=dict)

    @property
    def problems(self) -> tuple[LinkspanError, ...]:
        """One for each instance that was not finished."""
        return tuple(one.problem for one in self.instances.values() if one.problem is not None)

    @property
    def manual(self) -> tuple[Change, ...]:
        """Steps left to a person."""
        return tuple(change for one in self.instances.values() for change in one.manual)

    def document(self) -> dict[str, Any]:
        """The published shape."""
        return {
            "checksum": self.plan.checksum,
            "instances": {name: one.document() for name, one in self.instances.items()},
        }


def plan_all(wiring: Wiring, *, account: str | None = None, instances: Collection[str] | None = None) -> Plan:
    """Compare accounts with their instances. Only reads leave; an unreachable instance keeps its problem.

    ``account`` and ``instances`` narrow the work. Raises ConfigError for what is not configured.
    """
    owned = OwnedRecords(wiring.database)
    plans: dict[str, InstancePlan] = {}
    fleet = Fleet(wiring.config, wiring.admin)
    for name, accounts in _targets(wiring, account, instances).items():
        try:
            orders = [_order(wiring, one, name, fleet.of(one, _recipe(wiring, one))) for one in accounts]
            plans[name] = plan_instance(name, wiring.admin(name, read_only=True), orders, owned.find(name))
        except ConfigError:
            raise
        except LinkspanError as error:
            plans[name] = InstancePlan(instance=name, problem=error)
    return Plan(instances={name: replace(one, url=wiring.instance(name).url) for name, one in plans.items()})


def apply_all(
    wiring: Wiring,
    plan: Plan,
    *,
    accept: Collection[str] = (),
    actor: str = "linkspan apply",
    announce: Callable[[str, Change], None] = lambda _instance, _change: None,
) -> Result:
    """Carry out a plan. An instance with a brake that is not in ``accept`` is left as it is.

    One instance failing does not stop the others. Each ends with a login as each of its accounts.
    """
    results: dict[str, Applied] = {}
    for name, one in plan.instances.items():
        problem = one.problem or _braked(one, accept)
        if problem is not None:
            results[name] = Applied(instance=name, problem=problem)
            continue
        desk = desk_on(wiring, name, actor=actor, announce=announce)
        orders = {account: _order(wiring, wiring.account(account), name) for account in one.accounts}
        results[name] = apply_instance(one, orders, desk)
    return Result(plan=plan, instances=results)


def desk_on(
    wiring: Wiring,
    instance: str,
    *,
    actor: str,
    announce: Callable[[str, Change], None] = lambda _instance, _change: None,
) -> Desk:
    """What changing accounts on an instance needs: the administrator's line, the marks, the ledger."""
    return Desk(
        line=wiring.admin(instance, read_only=False),
        marks=OwnedRecords(wiring.database),
        ledger=Ledger(wiring.database),
        login=partial(_login, wiring, instance),
        actor=actor,
        announce=announce,
    )


def reviewed(path: Path) -> str:
    """The checksum of a plan written by ``linkspan plan --json``. Raises ConfigError if it was changed."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        plan = document.get("result", document)
        kept, instances = str(plan["checksum"]), plan["instances"]
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ConfigError(
            "this is not a plan", fix="write one with `linkspan plan --json > FILE`", where=str(path)
        ) from error
    if checksum(instances) != kept:
        raise ConfigError(
            "the plan was changed after it was written", fix="write it again and review it", where=str(path)
        )
    return kept


def require_same(plan: Plan, reviewed_checksum: str) -> None:
    """Raise Stale unless ``plan`` is exactly the one that was reviewed."""
    if plan.checksum != reviewed_checksum:
        raise Stale(
            "the instances or the configuration changed since the plan was reviewed",
            fix="run `linkspan plan` again and review the difference",
            code="plan_moved",
        )


def _targets(
    wiring: Wiring, account: str | None, instances: Collection[str] | None
) -> dict[str, list[AccountConfig]]:
    """Accounts by instance, in the order of the configuration."""
    accounts = [wiring.account(account)] if account else list(wiring.config.accounts.values())
    wanted = (
        [wiring.instance(name).name for name in instances] if instances else list(wiring.config.instances)
    )
    found = {name: [one for one in accounts if name in one.instances] for name in wanted}
    return {name: list(here) for name, here in found.items() if here}


def _order(wiring: Wiring, account: AccountConfig, instance: str, fleet: tuple[Member, ...] = ()) -> Order:
    return Order(
        intent=replace(intent_on(wiring, account, instance), fleet=fleet),
        credentials=wiring.credentials(account.name, instance),
        peers={name: wiring.credentials(account.name, name) for name in account.instances},
    )


def intent_on(wiring: Wiring, account: AccountConfig, instance: str) -> Intent:
    """The same, on one instance, with the API keys that the account is known to have there."""
    meant = intent(wiring, account)
    if meant.uses_key:
        owned = OwnedRecords(wiring.database).find(instance, account.name)
        keys = sorted((one.key for one in owned if one.kind == "api_key"), key=number)
        meant = replace(meant, api_keys=tuple(keys))
    return replace(meant, instance=instance)


def intent(wiring: Wiring, account: AccountConfig) -> Intent:
    """An account of the configuration with the profile of its recipe. Raises ConfigError."""
    found = _recipe(wiring, account)
    profile = found.profile(account.profile, where=account.where).for_scheme(account.scheme)
    if account.scheme == "oauth_code":
        profile = replace(profile, user=_consenting(profile.user))
    return Intent(
        account=account.name,
        user_name=account.user_name,
        owner=account.owner,
        profile=profile,
        scheme=account.scheme,
        store_app=found.application,
        registers=found.registers,
        uses=found.uses,
        redirect_url=redirect.address(account.redirect_port) if account.scheme == "oauth_code" else "",
    )


def _consenting(user: recipe.UserFlags) -> recipe.UserFlags:
    """The same kind of user, able to allow an application: that takes a login to the user interface."""
    if user.identity_type == "human" and not user.web_service_access_only:
        return user
    return recipe.UserFlags(
        identity_type="human",
        web_service_access_only=False,
        because="oauth_code needs somebody who signs in to the user interface once and allows it there; "
        "oauth_client needs nobody and keeps the account a machine",
    )


def _recipe(wiring: Wiring, account: AccountConfig) -> recipe.Recipe:
    return recipe.load(account.recipe, beside=wiring.config.path.parent, where=account.where)


def _braked(plan: InstancePlan, accept: Collection[str]) -> LinkspanError | None:
    pulled = [brake for brake in plan.brakes if brake.id not in accept]
    if not pulled:
        return None
    return Rejected(
        "; ".join(brake.cause for brake in pulled),
        fix="; ".join(brake.fix for brake in pulled),
        where=plan.instance,
        code="brake",
    )


def _login(wiring: Wiring, instance: str, intent: Intent, credentials: Credentials) -> str:
    """Sign in as the account in a session of its own; the user name it turns out to be."""
    signing = wiring.signing(credentials, intent.user_name, credentials.parts())
    with connect(wiring.instance(instance), signing, read_only=True) as line:
        try:
            return str(line.whoami().get("user_name") or "")
        except (NotFound, NotAuthorized):
            return intent.user_name  # accepted, but it may not read its own row: the login is proven
