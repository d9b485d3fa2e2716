"""Is it a ServiceNow instance that answers, and is it awake?"""

from __future__ import annotations

from linkspan.core.check import PASSED, Answer, Check
from linkspan.core.errors import (
    LinkspanError,
    NotAuthenticated,
    Unreachable,
)
from linkspan.preflight.context import Context

_CAUSES = {
    "hibernating": "instance_hibernating",
    "redirected": "redirected",
    "edge_refused": "ip_access_denied",
    "proxy": "proxy_refused",
    "tls_expected": "tls_expected",
    "rate_limited": "rate_limited",
}


def run(context: Context) -> Answer:
    """One request as nobody: an instance answers it with 401 in its own words. No login is tried."""
    line = context.anonymous()
    try:
        line.call("GET", "/api/now/table/sys_user", params={"sysparm_limit": 1, "sysparm_fields": "sys_id"})
    except NotAuthenticated:
        return PASSED
    except LinkspanError as error:
        other = "instance_unavailable" if isinstance(error, Unreachable) else "not_an_instance"
        cause = context.cause(_CAUSES.get(error.code, other), "likely", detail=error.cause)
        return Answer(outcome="fail", causes=(cause,), evidence={"code": error.code})
    return Answer(outcome="pass", evidence={"note": "the Table API answers without a login"})


CHECK = Check(name="answers", title="A ServiceNow instance answers", run=run, needs=("tls",))
