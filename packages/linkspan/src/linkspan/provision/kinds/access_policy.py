"""The access policy of the Table API: made asleep, mapped to what others use, and only then awake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from linkspan.connection import Connection
from linkspan.core import query
from linkspan.provision.credentials import Credentials
from linkspan.provision.kinds.base import Intent, Kind, text
from linkspan.provision.kinds.inbound_auth_profile import KEY_PROFILE, STANDARD_PROFILES
from linkspan.provision.values import Brake, Choice, Ref, Wanted

if TYPE_CHECKING:
    from linkspan.provision.observed import Reader

POLICY = "linkspan Table API"
_API, _PATH = "Table API", "now/table"
_EVERYTHING = ("apply_all_methods", "apply_all_resources", "apply_all_versions", "apply_all_tables")
_ADVERTISE = "all_authn_scheme_authenticate_header"


class AccessPolicy(Kind):
    """``sys_api_access_policy``. A policy covers one version of its API unless all are named; and a client
    that waits to be asked hears of one method only, unless all are advertised (ServiceNow docs: Create REST
    API access policy). Its ``api`` is a choice of values that differ from instance to instance, and one that
    REST may ignore (measured on a developer instance); ``api_path`` follows it and tells."""

    name = "access_policy"
    table = "sys_api_access_policy"
    booleans = frozenset({*_EVERYTHING, _ADVERTISE})
    optional = frozenset({"apply_all_tables", _ADVERTISE})
    stubborn = frozenset({"api", "api_path"})

    def want(self, intent: Intent) -> Iterable[Wanted]:
        if intent.uses_key:
            everything = dict.fromkeys((*_EVERYTHING, _ADVERTISE), "true")
            yield Wanted(
                kind=self.name,
                key=POLICY,
                match={"name": POLICY},
                fields={"api_path": _PATH, **everything},
                initial={"api": Choice(_API), "active": "false"},
                because="API keys are accepted only where a policy of the API maps them",
                after=intent.needs_plugin,
                common=True,
            )

    def create(self, line: Connection, values: Mapping[str, str], credentials: Credentials) -> dict[str, Any]:  # noqa: ARG002
        sent = {name: value for name, value in values.items() if name != "api_path"}
        if sent.get("api") == _API:  # no such choice is listed; a policy of the same API has the value
            sent["api"] = _value_elsewhere(line) or _API
        row = line.table.create(self.table, sent, fields=("sys_id", *values))
        return {**row, "api": values["api"]} if row.get("api_path") == _PATH else row

    def update(self, line: Connection, sys_id: str, values: Mapping[str, str]) -> dict[str, Any]:
        sent = {name: value for name, value in values.items() if name != "api_path"}
        return line.table.update(self.table, sys_id, sent, fields=("sys_id", *values))

    def stubborn_step(self, wanted: Wanted) -> str:
        return (
            f"Open System Web Services > API Access Policies > REST API Access Policies > {wanted.key}, set "
            "REST API to Table API and update: the instance does not take this choice over REST. Leave it "
            "inactive, and plan again."
        )


def _value_elsewhere(line: Connection) -> str:
    row = line.table.first("sys_api_access_policy", query.term("api_path", "=", _PATH), ("api",)) or {}
    return text(row.get("api"))


class PolicyMapping(Kind):
    """``sys_auth_profile_mapping``. With one mapping a policy refuses every method that has none."""

    name = "policy_mapping"
    table = "sys_auth_profile_mapping"

    def want(self, intent: Intent) -> Iterable[Wanted]:
        if not intent.uses_key:
            return
        policy = Ref("access_policy", POLICY)
        profiles = [Ref("standard_auth_profile", name) for name in STANDARD_PROFILES]
        for profile in (*profiles, Ref("inbound_auth_profile", KEY_PROFILE)):
            yield Wanted(
                kind=self.name,
                key=f"{POLICY}: {profile.key}",
                match={"api_access_policy": policy, "inbound_auth_profile": profile},
                because="the account signs in with it"
                if profile.key == KEY_PROFILE
                else "without it the policy would refuse this method to everybody",
                after=(policy.id, profile.id),
                common=True,
            )


class PolicyActivation(Kind):
    """The ``active`` of the policy, on its own: before every mapping is there it would shut others out."""

    name = "policy_activation"
    table = "sys_api_access_policy"
    shared = True
    retires = "leave"
    completes = "access_policy"

    def want(self, intent: Intent) -> Iterable[Wanted]:
        if intent.uses_key:
            names = (*STANDARD_PROFILES, KEY_PROFILE)
            yield Wanted(
                kind=self.name,
                key=POLICY,
                match={"name": POLICY},
                fields={"active": "true"},
                because="basic authentication, OAuth and the key are mapped now; any other method (ID token, "
                "certificate, HMAC) is refused on the Table API from then on",
                after=(
                    Ref("access_policy", POLICY).id,
                    *(Ref("policy_mapping", f"{POLICY}: {name}").id for name in names),
                ),
            )

    def stops(self, reader: Reader, wanted: Wanted, seen: Mapping[str, str] | None) -> Iterable[Brake]:
        """Policies of somebody else that decide about the same API when ours wakes."""
        if seen is not None and self.same("active", "true", seen.get("active", "")):
            return
        fields = ("name", "api_path", "apply_global")
        for row in reader.rows(self.table, query.term("active", "=", "true"), fields):
            name = text(row.get("name"))
            if name == wanted.key or not (
                text(row.get("api_path")) == _PATH or text(row.get("apply_global")) == "true"
            ):
                continue
            brake = f"other_policy:{name}"
            yield Brake(
                id=brake,
                cause=f"the access policy {name} decides about the Table API already; ours may open what it "
                "shuts, or be of no use beside it",
                fix=f"switch {name} off there, or go on beside it with --accept '{brake}'",
            )
