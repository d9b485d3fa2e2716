"""The line to incident.io: the official SDK, its errors told in ours, its lists read to the end.

The SDK takes seconds to import, so nothing here imports it before a line is opened. Answers are
the SDK's own models. What is said about the API is from the SDK's descriptions of its endpoints.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from linkspan import __version__
from linkspan.core import clock
from linkspan.core.errors import (
    Ambiguous,
    BadReply,
    LinkspanError,
    NotAuthenticated,
    NotAuthorized,
    NotFound,
    RateLimited,
    Rejected,
    Unreachable,
)

if TYPE_CHECKING:
    from incident_io.models import (
        FollowUpsCreatePayloadV3,
        FollowUpsUpdatePayloadV3,
        FollowUpV3,
        IncidentEditPayloadV2,
        IncidentsCreatePayloadV2,
        IncidentStatusV1,
        IncidentTimelineItemsCreatePayloadV2,
        IncidentTimelineItemV2,
        IncidentUpdateV2,
        IncidentV2,
        SeverityV1,
    )
    from incident_io.types import Response, Unset

BASE_URL = "https://api.incident.io"
PAGE = 250  # the largest the API gives
MOST_PAGES = 400  # a list that never ends is a fault of the far side, and no reason to hang
TIMEOUT_SECONDS = 30.0
REMEMBERED_SECONDS = 300.0  # severities, statuses and people change rarely
PATIENCE_SECONDS = 30.0
LONGEST_PATIENCE = 3600.0
WHERE = "incident.io"

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Whose key this is."""

    name: str
    roles: frozenset[str]


class Line:
    """One API key at one address. Thread-safe. Methods raise the errors of ``core.errors``.

    A 429 is remembered: until its time has come further calls fail at once instead of being sent.
    """

    def __init__(self, key: str, *, base_url: str = "") -> None:
        from incident_io import AuthenticatedClient

        self._base_url = base_url or BASE_URL
        self._client = AuthenticatedClient(
            base_url=self._base_url,
            token=key,
            timeout=httpx.Timeout(TIMEOUT_SECONDS),
            headers={"User-Agent": f"linkspan/{__version__}"},
            verify_ssl=ssl.create_default_context(),
            follow_redirects=False,  # a redirect would carry the key to another host
            httpx_args={"event_hooks": {"response": [self._judge]}},
        )
        self._client.get_httpx_client()  # made once here: making it is not thread-safe
        self._patience = 0.0  # monotonic
        self._remembered: dict[str, tuple[float, Any]] = {}
        self._guard = threading.Lock()
        self._ahead = 0.0

    def close(self) -> None:
        """Give back the connections."""
        self._client.get_httpx_client().close()

    def now(self) -> float:
        """Epoch seconds by the far side's clock, as far as its answers told it (whole seconds)."""
        return clock.now() + self._ahead

    # --- who we are and what there is

    def identity(self) -> Identity:
        """The name and the roles of the key. Read without the SDK, which knows only the roles of its day."""

        def read() -> Identity:
            answer = self._send(lambda: self._client.get_httpx_client().get("/v1/identity"))
            told = _document(answer).get("identity")
            if not isinstance(told, dict) or not isinstance(told.get("name"), str):
                raise _unreadable(BadReply, told)
            return Identity(name=told["name"], roles=frozenset(map(str, told.get("roles") or ())))

        return self._remember("identity", read)

    def severities(self) -> Sequence[SeverityV1]:
        """The organisation's severities, the gravest first: a higher rank is more severe."""
        from incident_io.api.severities_v1 import severities_v1_list as endpoint
        from incident_io.models import SeveritiesListResultV1 as Result

        def read() -> Sequence[SeverityV1]:
            found = self._ask(lambda: endpoint.sync_detailed(client=self._client), Result).severities
            return sorted(found, key=lambda severity: -severity.rank)

        return self._remember("severities", read)

    def statuses(self) -> Sequence[IncidentStatusV1]:
        """The organisation's incident statuses by rank."""
        from incident_io.api.incident_statuses_v1 import incident_statuses_v1_list as endpoint
        from incident_io.models import IncidentStatusesListResultV1 as Result

        def read() -> Sequence[IncidentStatusV1]:
            found = self._ask(lambda: endpoint.sync_detailed(client=self._client), Result).incident_statuses
            return sorted(found, key=lambda status: status.rank)

        return self._remember("statuses", read)

    def user(self, email: str) -> str | None:
        """The id of the active user with this e-mail address, None when there is none."""
        from incident_io.api.users_v2 import users_v2_list as endpoint
        from incident_io.models import UsersListResultV2 as Result

        def read() -> str | None:
            page = self._ask(lambda: endpoint.sync_detailed(client=self._client, email=email), Result)
            wanted = email.casefold()
            return next(
                (
                    user.id
                    for user in page.users
                    if isinstance(user.email, str) and user.email.casefold() == wanted
                ),
                None,
            )

        return self._remember(f"user:{email}", read)

    # --- incidents

    def incidents(self, *, since: float = 0, categories: Sequence[str] = ()) -> Iterator[IncidentV2]:
        """Standard and retrospective incidents, those changed on or after the day of ``since`` (epoch
        seconds), or those whose status is of one of the ``categories``."""
        from incident_io.api.incidents_v2 import incidents_v2_list as endpoint
        from incident_io.models import (
            IncidentsListResultV2 as Result,
        )
        from incident_io.models import (
            IncidentsV2ListStatusCategory,
            IncidentsV2ListUpdatedAt,
        )
        from incident_io.types import UNSET

        # The day, not the moment: only days are documented for this list.
        day = datetime.fromtimestamp(since, UTC).date().isoformat()
        changed = IncidentsV2ListUpdatedAt.from_dict({"gte": [day]}) if since else UNSET
        status = (
            IncidentsV2ListStatusCategory.from_dict({"one_of": list(categories)}) if categories else UNSET
        )

        def page(after: str | Unset) -> tuple[list[IncidentV2], Any]:
            found = self._ask(
                lambda: endpoint.sync_detailed(
                    client=self._client,
                    page_size=PAGE,
                    after=after,
                    updated_at=changed,
                    status_category=status,
                ),
                Result,
            )
            return found.incidents, found.pagination_meta

        return self._all(page)

    def incident(self, incident: str) -> IncidentV2 | None:
        """One incident, None when there is none or this key may not see it."""
        from incident_io.api.incidents_v2 import incidents_v2_show as endpoint
        from incident_io.models import IncidentsShowResultV2 as Result

        try:
            return self._ask(lambda: endpoint.sync_detailed(incident, client=self._client), Result).incident
        except NotFound:
            return None

    def create_incident(self, body: IncidentsCreatePayloadV2) -> IncidentV2:
        """Declare an incident; with a known idempotency key, the one that exists."""
        from incident_io.api.incidents_v2 import incidents_v2_create as endpoint
        from incident_io.models import IncidentsCreateResultV2 as Result

        return self._ask(
            lambda: endpoint.sync_detailed(client=self._client, body=body), Result, writes=True
        ).incident

    def edit_incident(self, incident: str, body: IncidentEditPayloadV2) -> IncidentV2:
        """Change what ``body`` names, without a word in the incident's channel."""
        from incident_io.api.incidents_v2 import incidents_v2_edit as endpoint
        from incident_io.models import IncidentsEditPayloadV2
        from incident_io.models import IncidentsEditResultV2 as Result

        whole = IncidentsEditPayloadV2(incident=body, notify_incident_channel=False)
        return self._ask(
            lambda: endpoint.sync_detailed(incident, client=self._client, body=whole), Result, writes=True
        ).incident

    def updates(self, incident: str) -> Iterator[IncidentUpdateV2]:
        """The updates shared on an incident."""
        from incident_io.api.incident_updates_v2 import incident_updates_v2_list as endpoint
        from incident_io.models import IncidentUpdatesListResultV2 as Result

        def page(after: str | Unset) -> tuple[list[IncidentUpdateV2], Any]:
            found = self._ask(
                lambda: endpoint.sync_detailed(
                    client=self._client, incident_id=incident, page_size=PAGE, after=after
                ),
                Result,
            )
            return found.incident_updates, found.pagination_meta

        return self._all(page)

    def add_timeline_item(self, body: IncidentTimelineItemsCreatePayloadV2) -> IncidentTimelineItemV2:
        """Add to an incident's timeline; with a known idempotency key, the item that exists."""
        from incident_io.api.incident_timeline_items_v2 import incident_timeline_items_v2_create as endpoint
        from incident_io.models import IncidentTimelineItemsCreateResultV2 as Result

        return self._ask(
            lambda: endpoint.sync_detailed(client=self._client, body=body), Result, writes=True
        ).incident_timeline_item

    # --- follow-ups

    def follow_ups(self, *, mode: str, since: float = 0, incident: str = "") -> Iterator[FollowUpV3]:
        """Follow-ups of incidents of one ``mode``, those changed since, or those of one incident.

        The mode is always named: without one the list leaves some out.
        """
        from incident_io.api.follow_ups_v3 import follow_ups_v3_list as endpoint
        from incident_io.models import (
            FollowUpsListResultV3 as Result,
        )
        from incident_io.models import (
            FollowUpsV3ListIncidentMode,
            FollowUpsV3ListUpdatedAt,
        )
        from incident_io.types import UNSET

        moment = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        changed = FollowUpsV3ListUpdatedAt.from_dict({"gte": [moment]}) if since else UNSET

        def page(after: str | Unset) -> tuple[list[FollowUpV3], Any]:
            found = self._ask(
                lambda: endpoint.sync_detailed(
                    client=self._client,
                    page_size=PAGE,
                    after=after,
                    incident_id=incident or UNSET,
                    incident_mode=FollowUpsV3ListIncidentMode(mode),
                    updated_at=changed,
                ),
                Result,
            )
            return found.follow_ups, found.pagination_meta

        return self._all(page)

    def follow_up(self, follow_up: str) -> FollowUpV3 | None:
        """One follow-up, None when there is none or this key may not see it."""
        from incident_io.api.follow_ups_v3 import follow_ups_v3_show as endpoint
        from incident_io.models import FollowUpsShowResultV3 as Result

        try:
            return self._ask(lambda: endpoint.sync_detailed(follow_up, client=self._client), Result).follow_up
        except NotFound:
            return None

    def create_follow_up(self, body: FollowUpsCreatePayloadV3) -> FollowUpV3:
        """Make one. There is no idempotency key: look before repeating."""
        from incident_io.api.follow_ups_v3 import follow_ups_v3_create as endpoint
        from incident_io.models import FollowUpsCreateResultV3 as Result

        return self._ask(
            lambda: endpoint.sync_detailed(client=self._client, body=body), Result, writes=True
        ).follow_up

    def update_follow_up(self, follow_up: str, body: FollowUpsUpdatePayloadV3) -> FollowUpV3:
        """Replace what ``body`` names."""
        from incident_io.api.follow_ups_v3 import follow_ups_v3_update as endpoint
        from incident_io.models import FollowUpsUpdateResultV3 as Result

        return self._ask(
            lambda: endpoint.sync_detailed(follow_up, client=self._client, body=body), Result, writes=True
        ).follow_up

    # --- asking

    def _ask(self, send: Callable[[], Response[Any]], kind: type[T], *, writes: bool = False) -> T:
        """Send and read. An answer to a write that cannot be read leaves its outcome unknown."""
        parsed: object
        try:
            parsed = self._send(send).parsed
        except UnicodeEncodeError as error:
            # Said before anything is sent, and no repetition would make it whole.
            raise Rejected("a text holds half a character", fix="remove it", where=WHERE) from error
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            # The SDK reads answers without asking whether they are what it expects.
            parsed = error
        if isinstance(parsed, kind):
            return parsed
        raise _unreadable(Ambiguous if writes else BadReply, parsed)

    def _send(self, send: Callable[[], T]) -> T:
        wait = self._patience - time.monotonic()
        if wait > 0:
            raise RateLimited("incident.io asked for patience", retry_after=wait, where=WHERE)
        try:
            return send()
        except httpx.HTTPError as error:
            raise _lost(error) from error

    def _all(self, page: Callable[[str | Unset], tuple[list[T], Any]]) -> Iterator[T]:
        from incident_io.types import UNSET, Unset

        after: str | Unset = UNSET
        for _ in range(MOST_PAGES):
            rows, meta = page(after)
            yield from rows
            further = UNSET if isinstance(meta, Unset) else meta.after
            if isinstance(further, Unset) or not further or not rows or further == after:
                return
            after = further
        raise BadReply(f"a list has more than {MOST_PAGES} pages", fix="report it", where=WHERE)

    def _remember(self, name: str, read: Callable[[], T]) -> T:
        with self._guard:
            kept = self._remembered.get(name)
        if kept is not None and time.monotonic() - kept[0] < REMEMBERED_SECONDS:
            found: T = kept[1]
            return found
        found = read()
        with self._guard:
            self._remembered[name] = time.monotonic(), found
        return found

    def _judge(self, response: httpx.Response) -> None:
        """Every answer passes here before the SDK reads it: the only reader of status codes."""
        told = response.headers.get("date", "")
        if told:
            try:
                self._ahead = parsedate_to_datetime(told).timestamp() - clock.now()
            except ValueError:
                self._ahead = 0.0
        if 200 <= response.status_code < 300:
            return
        response.read()
        error = refusal(response.status_code, response.request.method, _document(response), response.headers)
        if isinstance(error, RateLimited):
            self._patience = time.monotonic() + error.retry_after
        raise error


def refusal(  # noqa: PLR0911 - one line for each kind of answer
    status: int, method: str, document: Mapping[str, Any], headers: Mapping[str, str]
) -> LinkspanError:
    """The error that says the same as this answer."""
    said, writes = _said(document), method != "GET"
    if 300 <= status < 400:
        return BadReply(
            "incident.io answered with a redirect, which is not followed", fix="check base_url", where=WHERE
        )
    if status == 401:
        return NotAuthenticated(
            f"the API key was not accepted: {said}",
            fix="check api_key; make a new key if needed",
            where=WHERE,
        )
    if status == 403:
        return NotAuthorized(
            f"the API key may not do this: {said}", fix="give the key the roles the guide names", where=WHERE
        )
    if status == 404:
        return NotFound(said, where=WHERE)
    if status == 429:
        return RateLimited(
            "incident.io asks for patience", retry_after=_retry_after(document, headers), where=WHERE
        )
    if status == 408 or status >= 500:
        cause = f"incident.io failed with {status}: {said}"
        return Ambiguous(cause, where=WHERE) if writes else Unreachable(cause, where=WHERE)
    return Rejected(f"incident.io refused the values: {said}", where=WHERE)


def _unreadable(kind: type[LinkspanError], found: object) -> LinkspanError:
    return kind(
        f"an answer is not what the SDK knows ({type(found).__name__})",
        fix="check base_url; if it is right, update linkspan",
        where=WHERE,
    )


def _lost(error: httpx.HTTPError) -> LinkspanError:
    cause = f"incident.io does not answer: {type(error).__name__}"
    try:
        writes = error.request.method != "GET"
    except RuntimeError:  # it failed before there was a request
        writes = False
    if writes and not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return Ambiguous(cause, where=WHERE)
    return Unreachable(cause, fix="check base_url, the network and the proxy", where=WHERE)


def _document(response: httpx.Response) -> Mapping[str, Any]:
    try:
        document = json.loads(response.content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _said(document: Mapping[str, Any]) -> str:
    errors = document.get("errors")
    messages = (
        [str(one.get("message", "")) for one in errors if isinstance(one, dict)]
        if isinstance(errors, list)
        else []
    )
    return "; ".join(message for message in messages if message)[:300] or "no reason given"


def _retry_after(document: Mapping[str, Any], headers: Mapping[str, str]) -> float:
    """Seconds to wait: the header, else the moment in the body."""
    header = headers.get("retry-after", "")
    if header.isascii() and header.isdigit():
        return min(max(float(header), 1.0), LONGEST_PATIENCE)
    limit = document.get("rate_limit")
    moment = limit.get("retry_after") if isinstance(limit, dict) else None
    try:
        told = datetime.fromisoformat(str(moment)).timestamp() - clock.now()
    except ValueError:
        told = PATIENCE_SECONDS
    return min(max(told, 1.0), LONGEST_PATIENCE)
