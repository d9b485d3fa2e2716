"""Reading a manager's decision where it was made. Only reads leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from linkspan.connection import Connection
from linkspan.core import clock
from linkspan.core.errors import NotFound, Rejected
from linkspan.governance.request import APPROVAL, ITEM, Named, Person

Answer = Literal["requested", "approved", "rejected"]
_DECISION = ("sys_id", "state", "approver", "sysapproval", "sys_updated_by", "sys_updated_on")


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What the manager said. ``by`` is a user name and ``at`` epoch seconds, both None while open."""

    state: Answer
    by: str | None = None
    at: float | None = None


def read_decision(line: Connection, records: Named, *, manager: Person, correlation: str) -> Decision:
    """The decision on a request's records, as the instance has it.

    Raises NotFound when the records are gone or hidden, and Rejected when the item no longer asks what
    ``correlation`` stands for (code ``request_changed``) or when somebody else than the manager gave
    the answer (code ``not_the_manager``).
    """
    item = line.table.get(ITEM, records[ITEM]["sys_id"], ("sys_id", "correlation_id"))
    approval = line.table.get(APPROVAL, records[APPROVAL]["sys_id"], _DECISION)
    if item is None or approval is None:
        raise NotFound(
            f"the records of {records[ITEM]['number']} are gone or hidden",
            fix="look for it in ServiceNow; without them the request cannot be decided",
        )
    if item.get("correlation_id") != correlation:
        raise Rejected(
            f"{records[ITEM]['number']} does not ask for what linkspan.yaml says now",
            fix="put the account back as it was, or let this request expire and ask again",
            code="request_changed",
        )
    return judge(approval, item=records[ITEM], manager=manager)


def judge(approval: Mapping[str, Any], *, item: Mapping[str, str], manager: Person) -> Decision:
    """What a row of ``sysapproval_approver`` decides. Anything that is neither open nor a yes is a no.

    The platform keeps who answered only as the user who wrote last; an administrator can write there
    too, and that is not the manager's answer. Raises Rejected (code ``not_the_manager``).
    """
    if approval.get("approver") != manager.sys_id or approval.get("sysapproval") != item["sys_id"]:
        raise Rejected(
            f"the approval of {item['number']} was moved to another approver or record",
            fix="let this request expire and ask again",
            code="not_the_manager",
        )
    state = str(approval.get("state", ""))
    if state == "requested":
        return Decision(state="requested")
    by = str(approval.get("sys_updated_by", ""))
    if by.lower() != manager.user_name.lower():
        raise Rejected(
            f"{item['number']} was marked {state or 'empty'} by {by or 'nobody'}, not by {manager.user_name}",
            fix=f"only {manager.user_name} decides, signed in as themselves",
            code="not_the_manager",
        )
    at = clock.parse_platform_time(str(approval["sys_updated_on"]))
    return Decision(state="approved" if state == "approved" else "rejected", by=by, at=at)
