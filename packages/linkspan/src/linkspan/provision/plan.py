"""The difference between what should be and what is, as a value. Only reads leave.

Brakes stop an instance until a person accepts them by id: a role that rules the instance, a record
of the same natural key that is not ours, the removal of more than 30 % of what we own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from linkspan.connection import Connection
from linkspan.core import query
from linkspan.core.errors import LinkspanError
from linkspan.provision.credentials import Credentials
from linkspan.provision.desired import credential_of, desire
from linkspan.provision.kinds import BY_NAME, CREDENTIAL, KINDS, Intent, Kind
from linkspan.provision.kinds.api_key import reveal_step, rotation_step
from linkspan.provision.kinds.base import in_words, text
from linkspan.provision.kinds.oauth_application import authorize_step
from linkspan.provision.observed import Reader
from linkspan.provision.ownership import Mark, Marks, is_ours
from linkspan.provision.values import Action, Brake, Change, FieldChange, InstancePlan, Ref, Value, Wanted

SACRED_ROLES = frozenset({"admin", "security_admin"})
MOST_DELETES = 0.3


@dataclass(frozen=True, kw_only=True)
class Order:
    """One account to be compared on an instance, with its credential here and on its other instances."""

    intent: Intent
    credentials: Credentials
    peers: Mapping[str, Credentials] = field(default_factory=dict)

    def secret(self, wanted: Wanted) -> Credentials:
        """The credential whose secret a record carries: that of another instance, or this one's own."""
        return self.peers[wanted.secret_of] if wanted.secret_of else self.credentials


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
        self._order = order
        self._credentials = order.credentials
        self._marks = marks
        self._absent: set[str] = set()  # given records that are not there
        self._client_id = ""  # of the OAuth application, as the instance has it
        self.brakes: list[Brake] = []

    def changes(self) -> list[Change]:
        """Everything to be done for this account, in order."""
        wanted = desire(self._intent)
        changes = [change for one in wanted if (change := self._compare(one)) is not None]
        changes += self._credential_changes(changes)
        changes += self._strangers(wanted)
        # What takes away comes last: a running integration keeps what it needs until the rest is proven.
        taken_back = self._taken_back()
        changes += taken_back
        settled = {one.id for one in wanted} | {one.id for one in taken_back}
        changes += self._orphans(settled)
        return changes

    def _compare(self, wanted: Wanted) -> Change | None:
        kind = BY_NAME[wanted.kind]
        needs = {value.id for value in wanted.match.values() if isinstance(value, Ref)} | {*wanted.after}
        if needs & self._absent:
            self._absent.add(wanted.id)
            return None  # told once, by the record that is missing
        by_hand = wanted.blocked or self._unlabelled(kind, wanted)
        if by_hand:
            return self._manual(wanted, by_hand)
        if kind.given:
            step = kind.by_hand(self._reader, wanted)
            return self._missing(wanted, step) if step else None
        row = self._reader.find(wanted)
        unlisted = self._reader.unlisted(kind, wanted)
        if unlisted and row is None:
            return self._missing(wanted, kind.unlisted_step(wanted, unlisted.values()))
        wanted = self._kept(wanted, unlisted)  # a person made it, and knows its choices
        self.brakes += kind.stops(self._reader, wanted, row)
        if row is None:
            return self._complete(wanted) if kind.completes else self._create(kind, wanted)
        self._client_id = row.get("client_id", self._client_id)
        ours = (
            kind.shared
            or kind.is_signed(row)
            or is_ours(self._marks, wanted, row, self._intent.account, self._intent.mark)
        )
        if not ours:
            self.brakes.append(_foreign(self._instance, wanted))
        return self._update(kind, wanted, row, ours=ours)

    def _missing(self, wanted: Wanted, step: str) -> Change:
        self._absent.add(wanted.id)
        return self._manual(wanted, step)

    def _manual(self, wanted: Wanted, artefact: str) -> Change:
        return Change(
            account=self._intent.account,
            action="manual",
            kind=wanted.kind,
            key=wanted.key,
            because=wanted.because,
            artefact=artefact,
        )

    def _unlabelled(self, kind: Kind, wanted: Wanted) -> str:
        """What to do by hand where a table has no column of a label we need; empty if it has them all."""
        lacking = self._reader.unlabelled(kind)
        if not lacking:
            return ""
        values = ", ".join(f"{name} = {in_words(value)}" for name, value in wanted.values.items())
        return f"{kind.table} has no column labelled {', '.join(lacking)}. Enter by hand: {values}."

    def _create(self, kind: Kind, wanted: Wanted) -> Change:
        kept = self._kept(wanted, {name for name in wanted.fields if self._reader.lacks(kind, name)})
        if kind.name in ("group_role", "user_role"):
            self._check_role(wanted)
        shown = {name: FieldChange(before="", after=in_words(value)) for name, value in kept.values.items()}
        if wanted.secret_of:
            shown["password"] = FieldChange(before="", after=_secret_in_words(wanted))
        return self._change("create", wanted, shown, then=kept)

    def _complete(self, wanted: Wanted) -> Change:
        """Bring to its end what another kind is about to make."""
        fields = {
            name: FieldChange(before="", after=in_words(value)) for name, value in wanted.fields.items()
        }
        return self._change("update", wanted, fields, then=wanted)

    def _update(self, kind: Kind, wanted: Wanted, row: Mapping[str, str], *, ours: bool) -> Change | None:
        kept = self._kept(wanted, {name for name in kind.optional if name not in row})
        differing: dict[str, Value] = {}
        fields: dict[str, FieldChange] = {}
        for name, value in kept.fields.items():
            target = self._reader.cell(kind, name, value)
            seen = row.get(name, "")
            if target is None or not kind.same(name, target, seen):
                differing[name] = value
                fields[name] = FieldChange(before=seen, after=in_words(value))
        if wanted.secret_of and not self._secret_sent(wanted):
            fields["password"] = FieldChange(before="another secret, or none", after=_secret_in_words(wanted))
        if ours and fields and kind.stubborn.issuperset(fields):
            return self._missing(wanted, kind.stubborn_step(wanted))
        if not ours and not fields:
            fields["adopted"] = FieldChange(before="false", after="true")
        if not fields:
            return None
        then = _with_fields(wanted, differing)
        return self._change("update", wanted, fields, then=then, sys_id=row["sys_id"])

    def _change(
        self,
        action: Action,
        wanted: Wanted,
        fields: Mapping[str, FieldChange],
        *,
        then: Wanted,
        sys_id: str = "",
    ) -> Change:
        """A change that shows ``fields``; ``then`` is what apply makes of it."""
        return Change(
            account=self._intent.account,
            action=action,
            kind=wanted.kind,
            key=wanted.key,
            fields=fields,
            because=wanted.because,
            after=wanted.after,
            wanted=then,
            sys_id=sys_id,
        )

    def _secret_sent(self, wanted: Wanted) -> bool:
        """Whether the record carries the secret of today; it cannot be read, so our list says it."""
        mark = self._marks.get((wanted.kind, wanted.key))
        newest = self._order.secret(wanted).fingerprint
        return mark is not None and newest != "" and mark.fingerprint == newest

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

    def _credential_changes(self, changes: Sequence[Change]) -> list[Change]:
        if self._credentials.is_given:
            return self._given_credential(changes)
        return self._consented_credential() if self._credentials.is_consented else self._credential()

    def _consented_credential(self) -> list[Change]:
        """The client is ours to set up; the rest is a person's consent in a browser."""
        held = self._credentials
        found: list[Change] = []
        stands = bool(held.client_id) and held.client_id == self._client_id
        if not stands:
            after = self._client_id or "given by the instance"
            action: Action = "update" if held.client_id else "create"
            found = [self._prove(action, {"client_id": FieldChange(before=held.client_id, after=after)})]
        elif held.has_consent and held.state == "pending":
            found = [self._prove("update", {"state": FieldChange(before="pending", after="confirmed")})]
        if not held.has_consent or (held.client_id and not stands):
            wanted = credential_of(self._intent, self._instance)
            found.append(self._manual(wanted, authorize_step(self._intent)))
        return found

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
        return [self._prove("create" if state == "absent" else "update", fields)]

    def _given_credential(self, changes: Sequence[Change]) -> list[Change]:
        """The secret is made by the instance: a person reads it there, then it is proven by a login."""
        keys = self._intent.key_names
        holder = Ref("api_key", keys[-1])
        if holder.id in self._absent:
            return []  # told by what is missing
        wanted = credential_of(self._intent, self._instance)
        if len(keys) > 1:
            return [self._manual(wanted, rotation_step(self._intent))]
        state = self._credentials.state
        if any(one.id == holder.id and one.action == "create" for one in changes):
            state = "absent"  # whatever is stored belongs to a key that is gone
        if state == "pending":
            return [self._prove("update", {"state": FieldChange(before=state, after="confirmed")})]
        mark = self._marks.get((holder.kind, holder.key))
        proven = mark is not None and mark.fingerprint == self._credentials.fingerprint
        if state == "confirmed" and proven:
            return []
        return [self._manual(wanted, reveal_step(self._intent, holder.key))]

    def _prove(self, action: Action, fields: Mapping[str, FieldChange]) -> Change:
        wanted = credential_of(self._intent, self._instance)
        return Change(
            account=self._intent.account,
            action=action,
            kind=CREDENTIAL,
            key=wanted.key,
            fields=fields,
            because=wanted.because,
            after=wanted.after,
            wanted=wanted,
        )

    def _strangers(self, wanted: Sequence[Wanted]) -> list[Change]:
        """Roles that somebody else added to a group of the account: never removed silently, always told."""
        keys = {one.key for one in wanted if one.kind == "group_role"}
        return [
            Change(
                account=self._intent.account,
                action="manual",
                kind="group_role",
                key=f"{group}: {role}",
                because="the group has a role that the recipe does not name, and every member gets it",
                artefact=f"Remove {role} from group {group}, or name it in the recipe.",
            )
            for group in self._intent.groups
            for role in self._roles_of(group)
            if f"{group}: {role}" not in keys and not self._goes(f"{group}: {role}")
        ]

    def _roles_of(self, group: str) -> list[str]:
        sys_id = self._reader.known.get(f"group/{group}")
        if sys_id is None:
            return []
        rows = self._reader.rows(
            "sys_group_has_role", query.term("group", "=", sys_id), ("sys_id", "role.name")
        )
        return [name for row in rows if (name := text(row.get("role.name")))]

    def _goes(self, key: str) -> bool:
        """Whether a role of a group is ours and taken away by this plan."""
        mark = self._marks.get(("group_role", key))
        return mark is not None and mark.account == self._intent.account

    def _taken_back(self) -> list[Change]:
        """What another profile of the recipe gives and this one does not, as far as it is there.

        Ours goes, whether or not its making was ever finished; what somebody else made is told.
        """
        found = []
        for wanted in (one for kind in KINDS for one in kind.unwant(self._intent)):
            self._reader.find_refs(wanted)
            row = self._reader.find(wanted)
            if row is None:
                continue
            mark = self._marks.get((wanted.kind, wanted.key))
            if (
                mark is not None
                and mark.account == self._intent.account
                and mark.sys_id in ("", row["sys_id"])
            ):
                found.append(self._delete(wanted.kind, wanted.key, row["sys_id"], wanted.because))
            else:
                step = f"Remove it by hand, or use a profile that asks for it: {wanted.key}."
                found.append(self._manual(wanted, f"linkspan did not make it. {step}"))
        return found

    def _delete(self, kind: str, key: str, sys_id: str, because: str) -> Change:
        return Change(
            account=self._intent.account,
            action="delete",
            kind=kind,
            key=key,
            because=because,
            sys_id=sys_id,
        )

    def _orphans(self, settled: set[str]) -> list[Change]:
        """Records of ours that nothing wants any more, those that depend on others first."""
        orphans = [
            mark
            for mark in self._marks.values()
            if mark.account == self._intent.account
            and f"{mark.kind}/{mark.key}" not in settled
            and mark.kind in BY_NAME
            and BY_NAME[mark.kind].retires in ("delete", "deactivate")
            and mark.sys_id
        ]
        order = list(BY_NAME)
        orphans.sort(key=lambda mark: order.index(mark.kind), reverse=True)
        because = "linkspan made it and nothing needs it any more"
        return [self._delete(mark.kind, mark.key, mark.sys_id, because) for mark in orphans]


def _secret_in_words(wanted: Wanted) -> str:
    return f"the account's secret on {wanted.secret_of}"


def _with_fields(wanted: Wanted, fields: Mapping[str, Value]) -> Wanted:
    return replace(wanted, fields=fields)


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
