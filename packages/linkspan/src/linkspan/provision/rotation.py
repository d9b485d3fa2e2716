"""Replacing an account's API key in four steps, at every one of which its calls are answered.

A second key for the same user; its token, given by a person; its proof, by a login and whatever the caller
adds; and only then the end of the old key. Each step leaves a mark before it is done, so that the next run
goes on from there. Both keys work from the first step to the last.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from linkspan.connection import Connection
from linkspan.core import query
from linkspan.core.errors import Ambiguous, NotAuthenticated, Rejected
from linkspan.provision.apply import Desk
from linkspan.provision.credentials import Credentials
from linkspan.provision.kinds import Intent
from linkspan.provision.kinds.api_key import nth, number, reveal_step, rotate_command
from linkspan.provision.ownership import Mark

_TABLE = "api_key"
# Requests that left with the old token a moment before the switch arrive within this time.
GRACE_SECONDS = 1.0
_BEFORE = "the new token was proven before"


@dataclass(frozen=True, kw_only=True)
class Rotated:
    """How far one instance is: ``waiting`` for the new token, told by ``step``, or ``done``."""

    state: str
    old: str
    new: str
    step: str = ""
    evidence: str = ""

    def document(self) -> dict[str, Any]:
        """The published shape."""
        return {
            "state": self.state,
            "old_key": self.old,
            "new_key": self.new,
            "step": self.step or None,
            "evidence": self.evidence or None,
        }


class Rotation:
    """The keys of one account on one instance.

    ``prove`` tries what the account is for with the new token and says what it saw; it raises what it finds
    wrong. ``desk`` brings the administrator's line, the marks, the ledger and the login.
    """

    def __init__(
        self,
        instance: str,
        intent: Intent,
        credentials: Credentials,
        desk: Desk,
        prove: Callable[[], str],
        grace: float = GRACE_SECONDS,
    ) -> None:
        self._instance = instance
        self._intent = intent
        self._credentials = credentials
        self._desk = desk
        self._prove = prove
        self._grace = grace

    def go_on(self, token: str = "") -> Rotated:
        """Do every step that can be done now. ``token`` is the new key's, when a person has it.

        Raises Rejected when there is nothing to rotate, when the token is the old one, or when it does not
        do; NotAuthenticated when it is refused; and the errors of the line.
        """
        keys = self._keys()
        if len(keys) == 1:
            self._require_settled(keys[0])
            if token:
                return self._told_again(keys[0], token)
            keys = [keys[0], self._begin(nth(keys[0].key, number(keys[0].key) + 1))]
        old, new = keys[-2], keys[-1]
        if not new.sys_id:
            new = self._make(new.key)
        if token and not self._is_of(token, new):
            self._take(token, old)
        if not self._switched(new):
            if not self._credentials.is_pending:
                step = reveal_step(self._intent, new.key, then=rotate_command(self._intent))
                return Rotated(state="waiting", old=old.key, new=new.key, step=step)
            evidence = self._switch(old, new)
            time.sleep(self._grace)
        else:
            self._sign_in(new)
            evidence = _BEFORE
        self._end(old)
        return Rotated(state="done", old=old.key, new=new.key, evidence=evidence)

    def _told_again(self, key: Mark, token: str) -> Rotated:
        """One key and a token: the same command once more, or the token of a key that is not there."""
        if not self._is_of(token, key) or number(key.key) == 1:
            raise Rejected(
                f"{self._intent.account} has no new key on {self._instance} that this token could be of",
                where=self._instance,
                fix=f"begin with `{rotate_command(self._intent)}`, without a token",
                code="nothing_to_rotate",
            )
        return Rotated(state="done", old=nth(key.key, number(key.key) - 1), new=key.key, evidence=_BEFORE)

    def _keys(self) -> list[Mark]:
        found = [
            mark
            for mark in self._desk.marks.find(self._instance)
            if mark.kind == _TABLE and mark.account == self._intent.account
        ]
        if not found:
            raise Rejected(
                f"{self._intent.account} has no API key on {self._instance}",
                where=self._instance,
                fix=f"linkspan apply {self._intent.account} --instance {self._instance}",
                code="nothing_to_rotate",
            )
        return sorted(found, key=lambda mark: number(mark.key))

    def _require_settled(self, key: Mark) -> None:
        """A key may be replaced when its own token is proven, so that there is something to fall back on."""
        if self._credentials.state != "confirmed" or key.fingerprint != self._credentials.fingerprint:
            raise Rejected(
                f"the token of {key.key} is not proven",
                where=self._instance,
                fix=f"linkspan apply {self._intent.account} --instance {self._instance}",
                code="nothing_to_rotate",
            )

    def _begin(self, name: str) -> Mark:
        self._desk.marks.mark(self._instance, self._intent.account, _TABLE, name, "")
        return self._find(name)

    def _make(self, name: str) -> Mark:
        """The second key, looked for before it is made."""
        row = self._row(name)
        if row is None:
            user = self._desk.line.table.first(
                "sys_user", query.term("user_name", "=", self._intent.user_name), ("sys_id",)
            )
            if user is None:
                raise Rejected(
                    f"there is no user {self._intent.user_name}",
                    where=self._instance,
                    fix=f"linkspan apply {self._intent.account} --instance {self._instance}",
                    code="nothing_to_rotate",
                )
            values = {"name": name, "user": str(user["sys_id"]), "active": "true"}
            row = _created(self._desk.line, values, lambda: self._row(name))
        sys_id = str(row["sys_id"])
        self._desk.marks.mark(self._instance, self._intent.account, _TABLE, name, sys_id)
        self._note("create", name, {"sys_id": sys_id, "because": "it will replace the account's key"})
        return self._find(name)

    def _is_of(self, token: str, key: Mark) -> bool:
        """Whether a login has proven this very token as the key's, and it is the one in use."""
        return self._switched(key) and self._credentials.fingerprint_of(token) == key.fingerprint

    def _take(self, token: str, old: Mark) -> None:
        self._require_another(self._credentials.fingerprint_of(token), old)
        self._credentials.give(token)

    def _require_another(self, fingerprint: str, old: Mark) -> None:
        if fingerprint == old.fingerprint:
            raise Rejected(
                "this is the token that is in use already",
                where=self._instance,
                fix="reveal the token of the new key, not of the old one",
                code="same_token",
            )

    def _switched(self, new: Mark) -> bool:
        """Whether the new key's token is the one in use. One that we no longer have proves nothing."""
        held = self._credentials.fingerprint
        return held != "" and held == new.fingerprint and not self._credentials.is_pending

    def _switch(self, old: Mark, new: Mark) -> str:
        """Prove the new token and let it be the one in use; both are accepted still."""
        self._require_another(self._credentials.fingerprint, old)
        self._sign_in(new)
        evidence = self._prove()
        proof = self._credentials.fingerprint
        self._desk.marks.mark(self._instance, self._intent.account, _TABLE, new.key, new.sys_id, proof)
        self._credentials.confirm()
        self._note("rotate", new.key, {"sys_id": new.sys_id, "evidence": evidence})
        return evidence

    def _sign_in(self, new: Mark) -> None:
        """Raises NotAuthenticated or Rejected, each with the way to the right token."""
        try:
            user_name = self._desk.login(self._intent, self._credentials)
        except NotAuthenticated as error:
            error.fix = reveal_step(self._intent, new.key, then=rotate_command(self._intent))
            raise
        if user_name != self._intent.user_name:
            raise Rejected(
                f"the new token signs in as {user_name}, not as {self._intent.user_name}",
                where=self._instance,
                fix=f"reveal the token of {new.key}",
                code="wrong_account",
            )

    def _end(self, old: Mark) -> None:
        """Switch the old key off; on again if that, against all proof, was the one in use."""
        if old.sys_id and self._desk.line.table.get(_TABLE, old.sys_id, ("sys_id",)) is not None:
            self._desk.line.table.update(_TABLE, old.sys_id, {"active": "false"}, fields=("sys_id",))
            try:
                self._desk.login(self._intent, self._credentials)
            except NotAuthenticated:
                self._desk.line.table.update(_TABLE, old.sys_id, {"active": "true"}, fields=("sys_id",))
                raise
        self._desk.marks.forget(self._instance, _TABLE, old.key)
        self._note("deactivate", old.key, {"sys_id": old.sys_id, "because": "another key took its place"})

    def _row(self, name: str) -> dict[str, Any] | None:
        return self._desk.line.table.first(_TABLE, query.term("name", "=", name), ("sys_id", "active"))

    def _find(self, name: str) -> Mark:
        return next(mark for mark in self._keys() if mark.key == name)

    def _note(self, action: str, key: str, detail: dict[str, Any]) -> None:
        subject = f"{self._instance}/{_TABLE}/{key}"
        self._desk.ledger.append(
            self._desk.actor, action, subject, {"account": self._intent.account, **detail}
        )


def _created(
    line: Connection, values: dict[str, str], look: Callable[[], dict[str, Any] | None]
) -> dict[str, Any]:
    """The record; found by its name when the answer was lost."""
    try:
        return line.table.create(_TABLE, values, fields=("sys_id",))
    except Ambiguous:
        found = look()
        if found is None:
            raise
        return found
