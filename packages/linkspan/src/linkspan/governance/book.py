"""The book of requests: each step of a request, and its entry in the ledger."""

from __future__ import annotations

import secrets

from linkspan.core import clock
from linkspan.core.errors import ConfigError, Rejected
from linkspan.governance.request import APPROVAL, ITEM, Asked, Named
from linkspan.governance.standing import EXPLORE, MINIMIZE, is_open
from linkspan.store import Database
from linkspan.store.ledger import PAGE, Ledger
from linkspan.store.requests import Request, Requests, State

DAYS = 14  # how long a request waits for its answer, unless it says otherwise
DAY = 86_400
_TAG = "tag"  # the key of a request's records under which its own random word is kept


class RequestBook:
    """Requests of this home and what became of them."""

    def __init__(self, database: Database) -> None:
        self._requests = Requests(database)
        self._ledger = Ledger(database)

    def get(self, number: int) -> Request:
        """The request with this number. Raises ConfigError."""
        found = self._requests.get(number)
        if found is None:
            raise ConfigError(f"there is no request {number}", fix="linkspan accounts status lists them")
        return found

    def numbers(self) -> list[int]:
        """Those of every request, oldest first."""
        return sorted(request.id for request in self._requests.list())

    def standing(self, account: str) -> str | None:
        """The last thing carried out for an account: ``explore``, ``minimize``, or None."""
        done = (one for one in self._requests.list(state="fulfilled") if one.account == account)
        return next((one.action for one in done), None)

    def begin(
        self, asked: Asked, *, requester: str, manager: str, reason: str, instance: str, days: float
    ) -> Request:
        """A request for this account: the one whose records were not all made, else a new one.

        Raises Rejected (code ``request_open``) when a complete one or somebody else's is open.
        """
        found = self._unfinished(asked.account)
        if found is None:
            return self._open(
                asked, requester=requester, manager=manager, reason=reason, instance=instance, days=days
            )
        if (found.requester, found.manager) != (requester, manager):
            raise _already_open(found)
        return found

    def asked(self, request: Request, records: Named) -> Request:
        """The instance has the question: these are its records."""
        self._requests.name_records(request.id, {**request.records, **records})
        detail = {
            "instance": request.instance,
            "item": records[ITEM]["number"],
            "decides": request.manager,
        }
        self._ledger.append("linkspan", "open", _subject(request.id), detail)
        return self.get(request.id)

    def decided(self, request: Request, state: State, *, by: str | None, at: float | None) -> Request:
        """What was decided, or that nobody did in time."""
        self._requests.decide(request.id, state, by=by, at=clock.now() if at is None else at)
        detail = {
            "account": request.account,
            "instance": request.instance,
            "item": request.records.get(ITEM, {}).get("number", ""),
        }
        self._ledger.append(by or "linkspan", state, _subject(request.id), detail)
        return self.get(request.id)

    def fulfilled(self, number: int, actor: str) -> Request:
        """What was asked for is carried out."""
        self._requests.fulfil(number)
        request = self.get(number)
        detail = {"account": request.account, "action": request.action}
        self._ledger.append(actor, "fulfilled", _subject(number), detail)
        return request

    def narrowed(self, account: str, *, by: str, reason: str, instance: str, actor: str) -> None:
        """An account's exploring rights are gone; noted once, however often they are taken."""
        if self.standing(account) == MINIMIZE:
            return
        number = self._requests.open(
            account=account,
            action=MINIMIZE,
            requester=by,
            manager="",
            reason=reason,
            instance=instance,
            expires_at=clock.now() + DAYS * DAY,
        )
        self.fulfilled(number, actor)

    def _open(
        self, asked: Asked, *, requester: str, manager: str, reason: str, instance: str, days: float
    ) -> Request:
        number = self._requests.open(
            account=asked.account,
            action=EXPLORE,
            requester=requester,
            manager=manager,
            reason=reason,
            instance=instance,
            expires_at=clock.now() + days * DAY,
            records={_TAG: {"sys_id": secrets.token_hex(8)}},
        )
        detail = {"account": asked.account, "reason": reason, "manager": manager, "asked": asked.digest}
        self._ledger.append(requester, "request", _subject(number), detail)
        return self.get(number)

    def _unfinished(self, account: str) -> Request | None:
        """A request of this account whose records were not all made. Raises Rejected for a complete one."""
        for one in self._requests.list():
            if one.account == account and is_open(one):
                if APPROVAL in one.records:
                    raise _already_open(one)
                return one
        return None


def token(request: Request) -> str:
    """A request's own random word: with the digest of its question it makes the correlation id."""
    return request.records[_TAG]["sys_id"]


def credentials_since(ledger: Ledger) -> dict[str, str]:
    """When the credential of each of our accounts was last made, by INSTANCE/ACCOUNT."""
    found: dict[str, str] = {}
    after = 0
    while page := ledger.entries(after=after, limit=PAGE):
        for entry in page:
            instance, _, rest = entry["subject"].partition("/")
            if rest.startswith("credential/"):
                found[f"{instance}/{entry['detail'].get('account', '')}"] = clock.iso_time(entry["at"])
        after = page[-1]["seq"]
    return found


def _subject(number: int) -> str:
    return f"request/{number}"


def _already_open(request: Request) -> Rejected:
    return Rejected(
        f"request {request.id} of {request.requester} for {request.account} is still {request.state}",
        fix=f"linkspan accounts status {request.id}",
        code="request_open",
    )
