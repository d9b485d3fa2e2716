"""Access controls the recipe names. Only an elevated session may write them, so they are read back only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from linkspan.core import query
from linkspan.provision import recipe
from linkspan.provision.kinds.base import Intent, Kind, text
from linkspan.provision.values import Ref, Value, Wanted

if TYPE_CHECKING:
    from linkspan.provision.observed import Reader

_FIELDS = ("sys_id", "active", "decision_type", "condition", "advanced", "script", "security_attribute")
_IMPORT = (
    "Import the file it writes as an administrator with elevated security_admin: System Update Sets > "
    "Retrieved Update Sets > Import Update Set from XML, preview, commit. Then plan again."
)
_TRUE = frozenset({"true", "1"})


@dataclass(frozen=True, kw_only=True)
class Standing:
    """``sys_id`` of the rule that serves, empty if none does; ``wrong`` tells of those that nearly do."""

    sys_id: str = ""
    wrong: tuple[str, ...] = ()


class Acl(Kind):
    """``sys_security_acl`` with a row of ``sys_security_acl_role`` for the role.

    Several rules of the same name and operation stand beside each other, and passing any one of them is
    enough (ServiceNow docs: Access control list rules). So one that is right satisfies the recipe, whoever
    made it; it may serve others and is never taken back.
    """

    name = "acl"
    table = "sys_security_acl"
    given = True
    shared = True
    retires = "leave"

    def want(self, intent: Intent) -> Iterable[Wanted]:
        build = f"linkspan app build {intent.account}"
        if intent.instance:
            build = f"{build} --instance {intent.instance}"
        for acl in intent.profile.acls:
            when = f" if {acl.condition}" if acl.condition else ""
            yield Wanted(
                kind=self.name,
                key=f"{acl.operation} {acl.name}: {acl.role}{when}",
                match={"name": acl.name, "operation": acl.operation, "role": intent.role(acl.role)},
                fields=_fields(acl),
                because=acl.because,
                after=(intent.role(acl.role).id,),
                instructions=build,
            )

    def by_hand(self, reader: Reader, wanted: Wanted) -> str:
        """Empty when a rule lets the role pass; else the command that builds it, after what is wrong."""
        standing = self.standing(reader, wanted)
        if standing.sys_id:
            reader.known[wanted.id] = standing.sys_id
            return ""
        drift = "; ".join(standing.wrong)
        found = f"There are rules of this name, and none serves: {drift}. " if drift else ""
        return f"{found}{self.missing(wanted)}"

    def standing(self, reader: Reader, wanted: Wanted) -> Standing:
        """How the access control stands on the instance; its role has to be among the reader's known."""
        drifts = []
        for rule in _rules(reader, wanted):
            sys_id = text(rule["sys_id"])
            wrong = _wrong(reader, wanted, rule)
            if not wrong:
                return Standing(sys_id=sys_id)
            drifts.append(f"{sys_id} {wrong}")
        return Standing(wrong=tuple(drifts))

    def missing(self, wanted: Wanted) -> str:
        return f"Run `{wanted.instructions}`. {_IMPORT}"


def _fields(acl: recipe.Acl) -> dict[str, Value]:
    return {"condition": acl.condition} if acl.condition else {}


def _rules(reader: Reader, wanted: Wanted) -> list[dict[str, Any]]:
    """Rules of the wanted name and operation that allow something to somebody."""
    asked = query.all_of(
        query.term("name", "=", str(wanted.match["name"])),
        query.term("operation", "=", str(wanted.match["operation"])),
        query.term("type", "=", "record"),
    )
    rules = reader.rows("sys_security_acl", asked, _FIELDS)
    return [rule for rule in rules if text(rule.get("decision_type")) != "deny"]


def _wrong(reader: Reader, wanted: Wanted, rule: Mapping[str, Any]) -> str:
    """Why a rule does not let the role pass; empty when it does."""
    said = {name: text(rule.get(name)) for name in _FIELDS}
    role = wanted.match["role"]
    assert isinstance(role, Ref)
    reasons = []
    if said["active"] not in _TRUE:
        reasons.append("is not active")
    if not _has_role(reader, said["sys_id"], role):
        reasons.append(f"lacks the role {role.key}")
    condition = said["condition"].removesuffix("^EQ")  # the end of a condition as the form writes it
    if condition != wanted.fields.get("condition", ""):
        reasons.append(f"has the condition {condition}" if condition else "lacks the condition")
    if said["advanced"] in _TRUE and said["script"].strip():
        reasons.append("has a script")
    if said["security_attribute"]:
        reasons.append("asks for a security attribute")
    return " and ".join(reasons)


def _has_role(reader: Reader, acl: str, role: Ref) -> bool:
    """A rule without any role does not count: an empty one refuses (ServiceNow docs: ACL rules)."""
    sys_id = reader.known.get(role.id)
    if sys_id is None:
        return False
    asked = query.all_of(query.term("sys_security_acl", "=", acl), query.term("sys_user_role", "=", sys_id))
    return bool(reader.rows("sys_security_acl_role", asked, ("sys_id",)))
