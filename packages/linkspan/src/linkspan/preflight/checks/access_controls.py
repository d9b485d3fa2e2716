"""Are the access controls there that the recipe asks for? Only an administrator sees them."""

from __future__ import annotations

from linkspan.core.check import Answer, Check
from linkspan.preflight.context import Context
from linkspan.preflight.refused_write import missing_acls


def run(context: Context) -> Answer:
    """Each is an active rule that lets the recipe's role pass."""
    if not context.acls:
        return Answer(outcome="pass", evidence={"note": "its recipe asks for none"})
    admin = context.admin()
    if admin is None:
        return Answer(outcome="unknown", causes=(context.cause("acls_hidden"),))
    missing = missing_acls(context, admin)
    causes = tuple(
        context.cause("acl_missing", table=one.table, operation=one.operation, role=one.role)
        for one in missing
    )
    evidence = {"asked": [f"{one.operation} {one.name}: {one.role}" for one in context.acls]}
    return Answer(outcome="fail" if missing else "pass", causes=causes, evidence=evidence)


CHECK = Check(
    name="access_controls",
    title="The access controls its recipe names are there",
    run=run,
    needs=("identity",),
)
