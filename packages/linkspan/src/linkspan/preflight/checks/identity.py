"""Is it the account we expect?"""

from __future__ import annotations

from linkspan.core.check import Answer, Check
from linkspan.preflight.context import Context


def run(context: Context) -> Answer:
    """An OAuth application signs in as the user it names, whoever that is."""
    me = context.learned.me
    if not me.get("user_name"):
        return Answer(outcome="unknown", causes=(context.cause("identity_hidden"),))
    context.learned.user_sys_id = str(me.get("sys_id", ""))
    evidence = {"user_name": me["user_name"]}
    if me["user_name"] != context.account.user_name:
        wrong = context.cause("wrong_account", found=me["user_name"])
        return Answer(outcome="fail", causes=(wrong,), evidence=evidence)
    return Answer(outcome="pass", evidence=evidence)


CHECK = Check(name="identity", title="It is the account we expect", run=run, needs=("login",))
