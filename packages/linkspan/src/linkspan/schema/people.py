"""Users of an instance by e-mail address, and addresses by user: only where the match is certain."""

from __future__ import annotations

import time
from collections.abc import Callable

from linkspan.connection import Connection
from linkspan.core import query
from linkspan.core.errors import NotAuthorized, NotFound, Rejected

USERS = "sys_user"
KEEP_SECONDS = 600.0
KEEP_UNKNOWN_SECONDS = 30.0


class People:
    """A ``mapping.follow_up.People`` that asks one instance and remembers for a while.

    An address is certain when exactly one active user has it. What the account may not read is not
    certain either.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[tuple[str, str], tuple[str, float]] = {}

    def user(self, email: str) -> str:
        """sys_id of the only active user with exactly this address; empty when there is not one."""
        return self._remembered("user", email, self._find_user)

    def email(self, sys_id: str) -> str:
        """The address of an active user that no other active user has; empty when there is not one."""
        return self._remembered("email", sys_id, self._find_email)

    def _remembered(self, kind: str, asked: str, find: Callable[[str], str]) -> str:
        found, until = self._known.get((kind, asked), ("", 0.0))
        if time.monotonic() >= until:
            found = find(asked)
            keep = KEEP_SECONDS if found else KEEP_UNKNOWN_SECONDS
            self._known[kind, asked] = found, time.monotonic() + keep
        return found

    def _find_user(self, email: str) -> str:
        try:
            terms = query.all_of(query.term("email", "=", email), query.term("active", "=", "true"))
        except ValueError:
            return ""  # not an address that a query could ask for
        try:
            rows = self._connection.table.page(
                USERS, query=terms, fields=("sys_id", "email", "active"), limit=10
            ).rows
        except (NotAuthorized, NotFound, Rejected):
            return ""
        # Compared again: an instance that ignores a condition would answer with others.
        same = [row for row in rows if row.get("active") == "true" and _same(row.get("email", ""), email)]
        return str(same[0]["sys_id"]) if len(same) == 1 else ""

    def _find_email(self, sys_id: str) -> str:
        try:
            user = self._connection.table.get(USERS, sys_id, fields=("sys_id", "email", "active"))
        except (NotAuthorized, Rejected):
            return ""
        if user is None or user.get("active") != "true" or not user.get("email"):
            return ""
        email = str(user["email"])
        return email if self.user(email) == sys_id else ""


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()
