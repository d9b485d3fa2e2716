"""Replacing the credential of an account while it goes on working."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from linkspan.config.values import AccountConfig
from linkspan.connection import connect, of_parts
from linkspan.core.errors import ConfigError, LinkspanError, Rejected
from linkspan.flows.doctor import context
from linkspan.flows.setup import desk_on, intent_on
from linkspan.flows.wiring import Wiring
from linkspan.preflight.checks import incident_write
from linkspan.provision.rotation import Rotated, Rotation

BUILT = ("api_key",)


def rotate(
    wiring: Wiring, name: str, *, instances: Collection[str] | None = None, token: str = ""
) -> tuple[dict[str, Rotated], list[LinkspanError]]:
    """Go on with the rotation of an account on its instances, each as far as it can.

    Returns how far each is, and the problems of those that failed. Raises ConfigError for what is not
    configured, for a scheme that cannot be rotated yet, and for one token on several instances.
    """
    account = wiring.account(name)
    if account.scheme not in BUILT:
        raise ConfigError(
            f"rotation is not built yet for scheme {account.scheme}",
            fix=f"linkspan secrets set INSTANCE/{name}/{account.scheme} --generate, then linkspan apply",
            where=account.where,
        )
    wanted = [wiring.instance(one).name for one in instances or account.instances]
    strangers = [one for one in wanted if one not in account.instances]
    if strangers:
        raise ConfigError(
            f"{name} is not on {strangers[0]}", fix="name another instance", where=account.where
        )
    if token and len(wanted) != 1:
        raise ConfigError(
            "a token belongs to one instance", fix="name it with --instance", where=account.where
        )
    done: dict[str, Rotated] = {}
    problems: list[LinkspanError] = []
    for instance in wanted:
        try:
            done[instance] = _rotate(wiring, account, instance, token)
        except ConfigError:
            raise
        except LinkspanError as error:
            error.where = error.where or instance
            problems.append(error)
    return done, problems


def _rotate(wiring: Wiring, account: AccountConfig, instance: str, token: str) -> Rotated:
    return Rotation(
        instance,
        intent_on(wiring, account, instance),
        wiring.credentials(account.name, instance),
        desk_on(wiring, instance, actor="linkspan accounts rotate"),
        prove=lambda: _sample(wiring, account, instance),
    ).go_on(token)


def _sample(wiring: Wiring, account: AccountConfig, instance: str) -> str:
    """A marked sample incident, made with the token that is to be proven. Raises Rejected."""
    parts = wiring.credentials(account.name, instance).parts()
    with connect(wiring.instance(instance), of_parts(account.scheme, parts)) as line:
        tried = replace(context(wiring, account, instance), line=line.as_read_only, writing=lambda: line)
        answer = incident_write.CHECK.run(tried)
    if answer.outcome == "fail":
        first = answer.causes[0]
        raise Rejected(
            f"a sample incident could not be made with the new token: {first.id}",
            fix=first.fix,
            where=instance,
            code=first.id,
        )
    return f"sample incident {answer.evidence.get('number')}" if "number" in answer.evidence else "login"
