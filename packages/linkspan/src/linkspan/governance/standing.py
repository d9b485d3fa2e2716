"""What may be done to an account: it follows from what was asked for, allowed and carried out before.

An account people have to ask for begins *exploring*, with rights to find out its calls, and is
*settled* when they are taken away again. Taking away needs nobody's leave.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from linkspan.config.values import Config, InstanceConfig
from linkspan.core import clock
from linkspan.core.errors import ConfigError
from linkspan.governance.request import APPROVAL, ITEM
from linkspan.store.requests import Request

EXPLORING, SETTLED = "exploring", "settled"  # profiles of a recipe
EXPLORE, MINIMIZE, UNASKED = "explore", "minimize", "unasked"  # standings
OPEN = ("requested", "approved")
_RIGHTS = frozenset({"membership", "group_role"})  # kinds that say what an account may do


def deciding_instance(config: Config) -> InstanceConfig:
    """Where approvals are kept: the fleet's one production instance. Raises ConfigError."""
    found = [one for one in config.instances.values() if one.environment == "production"]
    if len(found) != 1:
        raise ConfigError(
            f"{len(found)} instances are production; approvals are kept on exactly one",
            fix="give one instance environment: production",
            where=config.where("instances"),
        )
    return found[0]


def is_governed(profiles: Collection[str]) -> bool:
    """Whether people have to ask for an account whose recipe knows these profiles."""
    return {EXPLORING, SETTLED} <= set(profiles)


def is_open(request: Request) -> bool:
    """Whether this request may still become something."""
    return request.state in OPEN and clock.now() < request.expires_at


def allows(standing: str | None, *, profile: str, actions: Collection[str]) -> bool:
    """Whether an account with this standing may be brought to ``profile`` by these actions of a plan.

    Its creation needs an approved request that was carried out once, and exploring needs that to be the
    last thing carried out. What only narrows needs nothing.
    """
    if not set(actions) - {"manual"}:
        return True
    if profile == EXPLORING:
        return standing == EXPLORE
    return standing is not None or "create" not in actions


def only_narrows(deleted: Collection[str]) -> bool:
    """Whether deleting records of these kinds takes something from an account and not the account."""
    return set(deleted) <= _RIGHTS


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
