"""Is the account's credential accepted?"""

from __future__ import annotations

from linkspan.core.check import Answer, Cause, Check
from linkspan.core.errors import NotAuthenticated, NotAuthorized, NotFound, SecretUnavailable
from linkspan.preflight import diagnosis
from linkspan.preflight.context import Context


def run(context: Context) -> Answer:
    """One login, never repeated: failures lock the account (ServiceNow docs: Lockout for failed logins)."""
    try:
        line = context.line()
    except SecretUnavailable as error:
        return Answer(outcome="fail", causes=(_missing(context, error),))
    try:
        context.learned.me = line.whoami()
    except NotAuthenticated as error:
        return Answer(
            outcome="fail",
            causes=tuple(diagnosis.of_refused_login(context, error)),
            evidence={"scheme": context.account.scheme, "code": error.code},
        )
    except (NotFound, NotAuthorized) as error:
        # Accepted: what follows is a matter of access, and the checks after this one tell which.
        return Answer(outcome="pass", evidence={"scheme": context.account.scheme, "code": error.code})
    return Answer(outcome="pass", evidence={"scheme": context.account.scheme, "status": "Connected"})


def _missing(context: Context, error: SecretUnavailable) -> Cause:
    """A stored secret is missing; with oauth_code it is a person's word that is."""
    if context.account.scheme == "oauth_code":
        return context.cause("authorization_missing", detail=error.cause)
    return context.cause("secret_missing", detail=error.cause)


CHECK = Check(name="login", title="The credential is accepted", run=run, needs=("answers",))
