"""Is the account the kind of user its recipe asks for, with an owner?"""

from __future__ import annotations

from linkspan.core import query
from linkspan.core.check import Answer, Cause, Check
from linkspan.preflight.context import Context

_FIELDS = (
    "sys_id",
    "identity_type",
    "web_service_access_only",
    "internal_integration_user",
    "time_zone",
    "manager",
)


def run(context: Context) -> Answer:
    """Warnings only: the account works without them, less safely. Fields nobody may see are not judged."""
    line = context.admin() or context.line()
    row = line.table.first("sys_user", query.term("user_name", "=", context.account.user_name), _FIELDS)
    if row is None:
        return Answer(outcome="unknown", causes=(context.cause("identity_hidden"),))
    context.learned.user_sys_id = str(row.get("sys_id", ""))
    found: list[Cause] = []
    if context.services_only and row.get("web_service_access_only") == "false":
        found.append(context.cause("web_service_access_off"))
    if context.machine and row.get("identity_type", "machine") != "machine":
        found.append(context.cause("not_machine"))
    if row.get("internal_integration_user") == "true":
        found.append(context.cause("internal_integration_user"))
    if row.get("time_zone", "GMT") != "GMT":
        found.append(context.cause("time_zone_not_gmt", detail=str(row["time_zone"])))
    if "manager" in row and not row["manager"]:
        found.append(context.cause("owner_missing"))
    evidence = {name: row[name] for name in _FIELDS[1:] if name in row}
    return Answer(outcome="warn" if found else "pass", causes=tuple(found), evidence=evidence)


CHECK = Check(
    name="account_flags", title="It is the kind of user its recipe asks for", run=run, needs=("identity",)
)
