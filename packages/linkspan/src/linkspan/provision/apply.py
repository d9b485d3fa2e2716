"""Carrying out a plan on one instance: in order, each step written down before and after.

Safe to stop anywhere. What was begun is marked as ours before it is made, a secret is stored before
it is sent, and every create looks first; the next plan goes on from what it finds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from linkspan.connection import Connection
from linkspan.core.errors import Ambiguous, LinkspanError, NotAuthenticated, NotFound, Rejected, Stale
from linkspan.provision.credentials import Credentials
from linkspan.provision.kinds import BY_NAME, CREDENTIAL, Intent, Kind
from linkspan.provision.kinds.api_key import reveal_step
from linkspan.provision.kinds.base import text
from linkspan.provision.kinds.oauth_application import client_id, set_client_secret
from linkspan.provision.kinds.user import set_password
from linkspan.provision.observed import Reader
from linkspan.provision.ownership import Mark, fingerprint, holder
from linkspan.provision.plan import Order
from linkspan.provision.values import Change, InstancePlan, Value, Wanted


class Marking(Protocol):
    """The list of owned records, as apply writes it."""

    def mark(
        self, instance: str, account: str, kind: str, key: str, sys_id: str, fingerprint: str = ""
    ) -> None:
        """Remember that this record is ours."""

    def find(self, instance: str, account: str | None = None) -> Sequence[Mark]:
        """Our records on an instance."""

    def forget(self, instance: str, kind: str, key: str) -> None:
        """The record is gone."""


class Audit(Protocol):
    """The ledger, as apply writes it."""

    def append(self, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> None:
        """Add an entry."""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What applying needs besides the plan. ``login`` signs in as the account and returns its user name."""

    line: Connection
    marks: Marking
    ledger: Audit
    login: Callable[[Intent, Credentials], str]
    actor: str = "linkspan apply"
    announce: Callable[[str, Change], None] = lambda _instance, _change: None


@dataclass(kw_only=True)
class Applied:
    """What became of one instance."""

    instance: str
    done: list[Change] = field(default_factory=list)
    manual: list[Change] = field(default_factory=list)
    logins: dict[str, str] = field(default_factory=dict)
    problem: LinkspanError | None = None

    def document(self) -> dict[str, Any]:
        """The published shape."""
        return {
            "applied": [{"action": one.action, "kind": one.kind, "key": one.key} for one in self.done],
            "manual": [{"kind": one.kind, "key": one.key, "artefact": one.artefact} for one in self.manual],
            "logins": dict(self.logins),
            "ok": self.problem is None and not self.manual,
        }


def apply_instance(plan: InstancePlan, orders: Mapping[str, Order], desk: Desk) -> Applied:
    """Do every change of ``plan`` and sign in as each account at the end; stop at the first failure.

    ``orders`` are the accounts by name. Errors are kept in the result, not raised.
    """
    work = _Work(plan, orders, desk)
    work.finish_marks(plan)
    try:
        for change in plan.changes:
            work.step(change)
        for order in orders.values():
            work.prove(order)
    except LinkspanError as error:
        work.applied.problem = error
    return work.applied


class _Work:
    def __init__(self, plan: InstancePlan, orders: Mapping[str, Order], desk: Desk) -> None:
        self._instance = plan.instance
        self._orders = orders
        self._desk = desk
        self._reader = Reader(desk.line)
        self._reader.known.update(plan.known)
        self._stuck: set[str] = set()  # records that a person has to finish, and what waits for them
        self._sent: set[str] = set()  # accounts whose secret went out with a create of this run
        self.applied = Applied(instance=plan.instance)

    def finish_marks(self, plan: InstancePlan) -> None:
        """Complete marks of creates that succeeded just before we were stopped."""
        for mark in self._desk.marks.find(self._instance):
            sys_id = plan.known.get(f"{mark.kind}/{mark.key}")
            if not mark.sys_id and sys_id:
                self._desk.marks.mark(self._instance, mark.account, mark.kind, mark.key, sys_id)

    def step(self, change: Change) -> None:
        """One change, announced, done, marked and written to the ledger."""
        if change.action == "manual":
            self.applied.manual.append(change)
            return
        if self._stuck.intersection(change.after):
            self._stuck.add(change.id)
            return  # told once, by the record that a person has to finish first
        self._desk.announce(self._instance, change)
        sys_id = self._do(change)
        self.applied.done.append(change)
        detail = {"account": change.account, "sys_id": sys_id, "because": change.because, **_story(change)}
        self._desk.ledger.append(self._desk.actor, change.action, f"{self._instance}/{change.id}", detail)

    def prove(self, order: Order) -> None:
        """Sign in as the account, in a new session, as its user would; not before a given secret is there."""
        intent = order.intent
        waits = any(one.kind == CREDENTIAL and one.account == intent.account for one in self.applied.manual)
        by_person = order.credentials.is_given or order.credentials.is_consented
        if by_person and (waits or order.credentials.state == "absent"):
            return
        if intent.account not in self.applied.logins:
            self.applied.logins[intent.account] = self._login(order)

    def _do(self, change: Change) -> str:
        if change.kind == CREDENTIAL:
            return self._credential(self._orders[change.account])
        kind = BY_NAME[change.kind]
        if change.action == "delete":
            with suppress(NotFound):  # gone already is as good
                kind.retire(self._desk.line, change.sys_id)
            self._desk.marks.forget(self._instance, change.kind, change.key)
            return change.sys_id
        assert change.wanted is not None
        if change.action == "update":
            return self._update(kind, change, change.wanted)
        return self._create(kind, change, change.wanted)

    def _create(self, kind: Kind, change: Change, wanted: Wanted) -> str:
        if (there := self._reader.find(wanted)) is not None:
            if kind.shared:
                # The instance made it together with a record of this run.
                return self._update(kind, replace(change, sys_id=there["sys_id"]), wanted)
            raise Stale(
                f"{change.kind} {change.key} appeared since the plan was made",
                where=self._instance,
                fix="run the command again; it will compare anew",
            )
        values = self._values(kind, wanted.values, change)
        credentials = self._orders[change.account].secret(wanted)
        self._mark(kind, change, "", values)
        try:
            row = kind.create(self._desk.line, values, credentials)
        except Ambiguous as unknown:
            row = self._look_again(kind, wanted, credentials, unknown)
        sys_id = text(row["sys_id"])
        self._reader.known[wanted.id] = sys_id
        self._mark(kind, change, sys_id, values, secret=credentials.fingerprint)
        if change.kind in ("user", "oauth_application"):
            self._sent.add(change.account)
        self._check_kept(kind, change, values, row)
        return sys_id

    def _look_again(
        self, kind: Kind, wanted: Wanted, credentials: Credentials, unknown: Ambiguous
    ) -> dict[str, Any]:
        """A create was sent and its outcome is unknown: it counts if the record is there."""
        if self._reader.find(wanted) is None:
            raise unknown
        sys_id = self._reader.known[wanted.id]
        row = kind.update(self._desk.line, sys_id, self._values(kind, wanted.fields, None))
        if wanted.secret_of:
            kind.send_secret(self._desk.line, sys_id, credentials)
        return row

    def _update(self, kind: Kind, change: Change, wanted: Wanted) -> str:
        values = self._values(kind, wanted.fields, change)
        sys_id = change.sys_id or self._reader.known[f"{kind.completes}/{change.key}"]
        if not kind.shared:
            self._mark(kind, change, sys_id, values)
        if values:
            row = kind.update(self._desk.line, sys_id, values)
            self._check_kept(kind, change, values, row)
        if wanted.secret_of:
            credentials = self._orders[change.account].secret(wanted)
            kind.send_secret(self._desk.line, sys_id, credentials)
            self._mark(kind, change, sys_id, values, secret=credentials.fingerprint)
        return sys_id

    def _credential(self, order: Order) -> str:
        """Prove the credential; send it first where that has not happened."""
        intent, credentials = order.intent, order.credentials
        if credentials.is_given:
            return self._given_credential(order)
        if credentials.is_consented:
            return self._client(order)
        before = credentials.state
        credentials.prepare()
        user = self._reader.known[f"user/{intent.user_name}"]
        application = self._reader.known.get(f"oauth_application/{intent.application}", "")
        if credentials.uses_client:
            credentials.remember_client_id(client_id(self._desk.line, application))
        sent = intent.account in self._sent or before == "pending"
        if sent and self._accepted(order):
            return user
        if credentials.uses_password:
            set_password(self._desk.line, user, credentials.password())
        if credentials.uses_client:
            set_client_secret(self._desk.line, application, credentials.client_secret())
        self.applied.logins[intent.account] = self._login(order)
        credentials.confirm()
        return user

    def _client(self, order: Order) -> str:
        """Bring the OAuth application and what we know of it together; whoever allows it comes later."""
        intent, credentials = order.intent, order.credentials
        application = self._reader.known[f"oauth_application/{intent.application}"]
        credentials.prepare()
        credentials.remember_client_id(client_id(self._desk.line, application))
        if intent.account not in self._sent:
            set_client_secret(self._desk.line, application, credentials.client_secret())
        if credentials.has_consent:  # given by hand, or kept by a run that was stopped before the proof
            self.applied.logins[intent.account] = self._login(order)
            credentials.confirm()
        return application

    def _given_credential(self, order: Order) -> str:
        """Prove what a person gave; a key that proves it is marked by it before it counts as confirmed."""
        name = order.intent.key_names[-1]
        sys_id = self._reader.known[f"api_key/{name}"]
        try:
            self.applied.logins[order.intent.account] = self._login(order)
        except NotAuthenticated as error:
            error.fix = f"`linkspan preflight {order.intent.account}` names the cause; or: " + reveal_step(
                order.intent, name
            )
            raise
        self._desk.marks.mark(
            self._instance, order.intent.account, "api_key", name, sys_id, order.credentials.fingerprint
        )
        order.credentials.confirm()
        return sys_id

    def _accepted(self, order: Order) -> bool:
        try:
            self.applied.logins[order.intent.account] = self._login(order)
        except NotAuthenticated:
            return False
        order.credentials.confirm()
        return True

    def _login(self, order: Order) -> str:
        user_name = self._desk.login(order.intent, order.credentials)
        if user_name != order.intent.user_name:
            raise Rejected(
                f"the credential of {order.intent.account} signs in as {user_name or 'nobody'}",
                where=self._instance,
                fix=f"check which user the OAuth application or the password belongs to; "
                f"expected {order.intent.user_name}",
                code="wrong_account",
            )
        return user_name

    def _values(self, kind: Kind, values: Mapping[str, Value], change: Change | None) -> dict[str, str]:
        cells = self._reader.cells(kind, values)
        if cells is None:
            subject = change.id if change is not None else "a record"
            raise Stale(
                f"{subject} refers to a record that is not there", where=self._instance, fix="plan again"
            )
        return cells

    def _mark(
        self, kind: Kind, change: Change, sys_id: str, values: Mapping[str, str], *, secret: str = ""
    ) -> None:
        """Write the record down as ours; one that carries a secret by the secret, once that is sent."""
        wanted = change.wanted
        if kind.retires == "leave" or wanted is None:
            return
        account = holder(wanted, change.account)
        stands_for = secret if wanted.secret_of else fingerprint(values)
        if kind.proven:
            stands_for = self._proof(change.kind, change.key, sys_id)
        self._desk.marks.mark(self._instance, account, change.kind, change.key, sys_id, stands_for)

    def _proof(self, kind: str, key: str, sys_id: str) -> str:
        """What a login proved of this very record before."""
        for mark in self._desk.marks.find(self._instance):
            if (mark.kind, mark.key, mark.sys_id) == (kind, key, sys_id):
                return mark.fingerprint
        return ""

    def _check_kept(
        self, kind: Kind, change: Change, values: Mapping[str, str], row: Mapping[str, Any]
    ) -> None:
        """The instance answers success and may still have kept something else (field ACLs, rules)."""
        lost = sorted(
            name
            for name, value in values.items()
            if name in row and not kind.same(name, value, text(row[name]))
        )
        if lost and kind.stubborn.issuperset(lost) and change.wanted is not None:
            self._stuck.add(change.id)
            step = kind.stubborn_step(change.wanted)
            self.applied.manual.append(replace(change, action="manual", fields={}, artefact=step))
            return
        if lost:
            raise Rejected(
                f"{change.kind} {change.key}: the instance did not keep {', '.join(lost)}",
                where=self._instance,
                fix="a field access control, a data policy or a business rule changes them; "
                "check with the admin account used here",
                code="write_not_kept",
            )


def _story(change: Change) -> dict[str, Any]:
    return {"fields": {name: {"from": one.before, "to": one.after} for name, one in change.fields.items()}}
