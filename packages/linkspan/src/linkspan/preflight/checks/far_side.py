"""Does the other product answer the account's syncs, and can its words be mapped?"""

from __future__ import annotations

from collections.abc import Callable

from linkspan.core.check import Answer, Cause, Check
from linkspan.core.errors import LinkspanError, NotAuthenticated, NotAuthorized, SecretUnavailable
from linkspan.preflight.context import Context, FarSide

LEVELS = 5  # as many as ServiceNow has priorities
NEEDED = ("triage", "live", "closed")


def run(context: Context) -> Answer:
    """Each far side takes our key, lets it do what a sync does, and has severities and statuses we know."""
    if not context.far_sides:
        return Answer(outcome="pass", evidence={"note": "no sync of this account has a far side to ask"})
    causes: list[Cause] = []
    evidence: dict[str, object] = {}
    failed = False
    for sync, ask in context.far_sides.items():
        far, found = _asked(context, sync, ask)
        failed = failed or any(cause.id != "far_side_severities_merged" for cause in found)
        causes += found
        if far is not None:
            evidence[sync] = {"key": far.key, "severities": far.severities, "statuses": sorted(far.statuses)}
    return Answer(
        outcome="fail" if failed else "warn" if causes else "pass", causes=tuple(causes), evidence=evidence
    )


def _asked(context: Context, sync: str, ask: Callable[[], FarSide]) -> tuple[FarSide | None, list[Cause]]:
    try:
        far = ask()
    except SecretUnavailable as error:
        return None, [context.cause("far_side_key_missing", sync=sync, detail=error.cause)]
    except NotAuthenticated:
        return None, [context.cause("far_side_key_refused", sync=sync)]
    except NotAuthorized as error:
        return None, [context.cause("far_side_role_missing", sync=sync, role="viewer", detail=error.cause)]
    except LinkspanError as error:
        return None, [context.cause("far_side_unreachable", "likely", sync=sync, detail=error.cause)]
    causes = [context.cause("far_side_role_missing", sync=sync, role=role) for role in far.missing_roles]
    absent = [word for word in NEEDED if word not in far.statuses]
    if not far.severities:
        absent.append("any severity")
    if absent:
        causes.append(context.cause("far_side_unmappable", sync=sync, words=", ".join(absent)))
    if far.severities > LEVELS:
        causes.append(context.cause("far_side_severities_merged", sync=sync, count=far.severities))
    return far, causes


CHECK = Check(name="far_side", title="The far side of its syncs takes the key and can be mapped", run=run)
