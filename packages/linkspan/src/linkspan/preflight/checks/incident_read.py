"""Can the account see incidents? By what it sees, not by the status: an empty answer is a success too."""

from __future__ import annotations

from linkspan.core.check import Answer, Check
from linkspan.core.errors import NotAuthorized
from linkspan.preflight import refused_write
from linkspan.preflight.context import Context

_TABLE = "incident"
# What keeps records in step is read from these.
NEEDED = (
    "sys_id",
    "number",
    "state",
    "short_description",
    "description",
    "impact",
    "urgency",
    "correlation_id",
    "sys_updated_on",
    "sys_updated_by",
    "sys_mod_count",
)
_SAMPLE = 20


def run(context: Context) -> Answer:
    """X-Total-Count counts before access controls hide rows, so the difference tells."""
    if _TABLE not in context.uses:
        return Answer(outcome="skip", evidence={"reason": "its recipe uses no incidents"})
    try:
        page = context.line().table.page(_TABLE, fields=NEEDED, limit=_SAMPLE)
    except NotAuthorized as error:
        refused = refused_write.causes(context, error, _TABLE, "read", "read_denied")
        return Answer(outcome="fail", causes=tuple(refused), evidence={"code": error.code})
    seen, total = len(page.rows), page.total
    evidence = {"visible": seen, "total": total, "asked": _SAMPLE}
    if not seen:
        return _nothing(context, total, evidence)
    hidden = [name for name in NEEDED if all(name not in row for row in page.rows)]
    if hidden:
        fields = ", ".join(hidden)
        cause = context.cause("field_hidden", fields=fields, table=_TABLE)
        return Answer(outcome="fail", causes=(cause,), evidence={**evidence, "hidden": hidden})
    if total is not None and seen < min(total, _SAMPLE):
        return Answer(outcome="warn", causes=(context.cause("rows_partly_hidden"),), evidence=evidence)
    return Answer(outcome="pass", evidence=evidence)


def _nothing(context: Context, total: int | None, evidence: dict[str, int | None]) -> Answer:
    if total:
        return Answer(outcome="fail", causes=(context.cause("rows_hidden_by_acl"),), evidence=evidence)
    admin = context.admin()
    if admin is not None:
        there = admin.table.page(_TABLE, fields=("sys_id",), limit=1)
        if there.rows:
            found = {**evidence, "seen_by_admin": there.total}
            return Answer(outcome="fail", causes=(context.cause("rows_hidden_by_acl"),), evidence=found)
    return Answer(outcome="unknown", causes=(context.cause("table_empty", "likely"),), evidence=evidence)


CHECK = Check(name="incident_read", title="It sees incidents", run=run, needs=("identity",))
