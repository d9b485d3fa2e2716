"""The difference between what should be and what is, as a value. Only reads leave.

Brakes stop an instance until a person accepts them by id: a role that rules the instance, a record
of the same natural key that is not ours, the removal of more than 30 % of what we own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from linkspan.connection import Connection
from linkspan.core import query
from linkspan.core.errors import LinkspanError
from linkspan.provision.credentials import Credentials
from linkspan.provision.desired import credential_of, desire
from linkspan.provision.kinds import BY_NAME, CREDENTIAL, Intent, Kind
from linkspan.provision.kinds.base import in_words, text
from linkspan.provision.observed import Reader
from linkspan.provision.ownership import Mark, Marks, is_ours
from linkspan.provision.values import Brake, Change, FieldChange, InstancePlan, Ref, Value, Wanted

SACRED_ROLES = frozenset({"admin", "security_admin"})
MOST_DELETES = 0.3


@dataclass(frozen=True, kw_only=True)
class Order:
    """One account to be compared on an instance, with its credential."""

    intent: Intent
    credentials: Credentials


def plan_instance(
    instance: str, line: Connection, orders: Sequence[Order], owned: Iterable[Mark]
) -> InstancePlan:
    """Compare every ordered account on one instance.

    ``line`` is a read-only connection of an admin; ``owned`` are our marks on this instance. An
    instance that cannot be read comes back with its problem instead of changes.
    """
    marks = {(mark.kind, mark.key): mark for mark in owned}
    reader = Reader(line)
    changes: list[Change] = []
    brakes: list[Brake] = []
    try:
        for order in orders:
            compared = _Account(instance, reader, order, marks)
            changes += [
                change for change in compared.changes() if change.id not in {one.id for one in changes}
            ]
            brakes += compared.brakes
    except LinkspanError as error:
        return InstancePlan(instance=instance, problem=error)
    return InstancePlan(
        instance=instance,
        changes=tuple(changes),
        brakes=(*brakes, *_delete_brake(changes, marks)),
        known=dict(reader.known),
        accounts=tuple(order.intent.account for order in orders),
    )


class _Account:
    """The comparison of one account on one instance."""

    def __init__(self, instance: str, reader: Reader, order: Order, marks: Marks) -> None:
        self._instance = instance
        self._reader = reader
        self._intent = order.intent
        self._credentials = order.credentials
        self._marks = marks
        self._absent: set[str] = set()  # given records that are not there
        self._client_id = ""  # of the OAuth application, as the instance has it
        self.brakes: list[Brake] = []

    def changes(self) -> list[Change]:
        """Everything to be done for this account, in order."""
        wanted = desire(self._intent)
        changes = [change for one in wanted if (change := self._compare(one)) is not None]
        changes += self._credential()
        changes += self._strangers(wanted)
        changes += self._orphans({(one.kind, one.key) for one in wanted})
        return changes

    def _compare(self, wanted: Wanted) -> Change | None:
        kind = BY_NAME[wanted.kind]
        if any(isinstance(value, Ref) and value.id in self._absent for value in wanted.match.values()):
            return None  # told once, by the record that is missing
        row = self._reader.find(wanted)
        if row is None:
            return self._missing(kind, wanted) if kind.given else self._create(kind, wanted)
        if kind.given:
            return None
        self._client_id = row.get("client_id", self._client_id)
        if not kind.shared and not is_ours(self._marks, wanted, row, self._intent.account, self._intent.mark):
            self.brakes.append(_foreign(self._instance, wanted))
        return self._update(kind, wanted, row)

    def _missing(self, kind: Kind, wanted: Wanted) -> Change:
        self._absent.add(wanted.id)
        return Change(
            account=self._intent.account,
            action="manual",
            kind=wanted.kind,
            key=wanted.key,
            because=wanted.because,
            artefact=kind.missing(wanted),
        )

    def _create(self, kind: Kind, wanted: Wanted) -> Change:
        kept = self._kept(wanted, {name for name in wanted.fields if self._reader.lacks(kind, name)})
        if kind.name == "group_role":
            self._check_role(wanted)
        return Change(
            account=self._intent.account,
            action="create",
            kind=wanted.kind,
            key=wanted.key,
            fields={
                name: FieldChange(before="", after=in_words(value)) for name, value in kept.values.items()
            },
            because=wanted.because,
            after=wanted.after,
            wanted=kept,
        )

    def _update(self, kind: Kind, wanted: Wanted, row: Mapping[str, str]) -> Change | None:
        kept = self._kept(wanted, {name for name in kind.optional if name not in row})
        differing: dict[str, Value] = {}
        fields: dict[str, FieldChange] = {}
        for name, value in kept.fields.items():
            target = self._reader.known.get(value.id) if isinstance(value, Ref) else value
            seen = row.get(name, "")
            if target is None or not kind.same(name, target, seen):
                differing[name] = value
                fields[name] = FieldChange(before=seen, after=in_words(value))
        if not fields:
            return None
        return Change(
            account=self._intent.account,
            action="update",
            kind=wanted.kind,
            key=wanted.key,
            fields=fields,
            because=wanted.because,
            after=wanted.after,
            wanted=_with_fields(wanted, differing),
            sys_id=row["sys_id"],
        )

    def _kept(self, wanted: Wanted, lacking: Collection[str]) -> Wanted:
        """Without the fields this release lacks and without references to what is not there."""
        return _with_fields(
            wanted,
            {
                name: value
                for name, value in wanted.fields.items()
                if name not in lacking and not (isinstance(value, Ref) and value.id in self._absent)
            },
        )

    def _check_role(self, wanted: Wanted) -> None:
        role = wanted.match["role"]
        assert isinstance(role, Ref)
        if role.key in SACRED_ROLES:
            self.brakes.append(
                Brake(
                    id=f"sacred_role:{role.key}",
                    cause=f"the recipe grants {role.key} to {self._intent.user_name} on {self._instance}",
                    fix=f"use a profile with less, or accept with --accept sacred_role:{role.key}",
                )
            )

    def _credential(self) -> list[Change]:
        state = self._credentials.state
        fields = {"state": FieldChange(before=state, after="confirmed")}
        if state == "confirmed":
            known = self._credentials.client_id
            if known == self._client_id:
                return []
            fields = {
                "client_id": FieldChange(before=known, after=self._client_id or "given by the instance")
            }
        wanted = credential_of(self._intent, self._instance)
        return [
            Change(
                account=self._intent.account,
                action="create" if state == "absent" else "update",
                kind=CREDENTIAL,
                key=wanted.key,
                fields=fields,
                because=wanted.because,
                after=wanted.after,
                wanted=wanted,
            )
        ]

    def _strangers(self, wanted: Sequence[Wanted]) -> list[Change]:
        """Roles that somebody else added to our group: never removed silently, always told."""
        group = self._reader.known.get(f"group/{self._intent.group}")
        if group is None:
            return []
        keys = {one.key for one in wanted if one.kind == "group_role"}
        rows = self._reader.rows(
            "sys_group_has_role", query.term("group", "=", group), ("sys_id", "role.name")
        )
        found = []
        for row in rows:
            role = text(row.get("role.name"))
            key = f"{self._intent.group}: {role}"
            if role and key not in keys and ("group_role", key) not in self._marks:
                found.append(
                    Change(
                        account=self._intent.account,
                        action="manual",
                        kind="group_role",
                        key=key,
                        because="the group has a role that no recipe names and linkspan did not grant",
                        artefact=f"Remove {role} from group {self._intent.group}, or name it in the recipe.",
                    )
                )
        return found

    def _orphans(self, wanted: set[tuple[str, str]]) -> list[Change]:
        """Records of ours that nothing wants any more, those that depend on others first."""
        orphans = [
            mark
            for mark in self._marks.values()
            if mark.account == self._intent.account
            and (mark.kind, mark.key) not in wanted
            and mark.kind in BY_NAME
            and BY_NAME[mark.kind].retires != "leave"
            and mark.sys_id
        ]
        order = list(BY_NAME)
        orphans.sort(key=lambda mark: order.index(mark.kind), reverse=True)
        return [
            Change(
                account=self._intent.account,
                action="delete",
                kind=mark.kind,
                key=mark.key,
                because="linkspan made it and nothing needs it any more",
                sys_id=mark.sys_id,
            )
            for mark in orphans
        ]


def _with_fields(wanted: Wanted, fields: Mapping[str, Value]) -> Wanted:
    return Wanted(
        kind=wanted.kind,
        key=wanted.key,
        match=wanted.match,
        fields=fields,
        because=wanted.because,
        after=wanted.after,
    )


def _foreign(instance: str, wanted: Wanted) -> Brake:
    return Brake(
        id=f"foreign_record:{wanted.id}",
        cause=f"{wanted.kind} {wanted.key} exists on {instance} and is not ours",
        fix=f"choose another name, or adopt it with --accept 'foreign_record:{wanted.id}'",
    )


def _delete_brake(changes: Sequence[Change], marks: Marks) -> list[Brake]:
    deletes = sum(change.action == "delete" for change in changes)
    if not marks or deletes <= MOST_DELETES * len(marks):
        return []
    return [
        Brake(
            id="many_deletes",
            cause=f"{deletes} of the {len(marks)} records linkspan owns would go",
            fix="check the configuration, or accept with --accept many_deletes",
        )
    ]
