"""The official SDK judges the stand-in: what it sends is taken, what it answers is understood in full."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from incident_io import AuthenticatedClient, models
from incident_io.api.follow_ups_v3 import (
    follow_ups_v3_create,
    follow_ups_v3_list,
    follow_ups_v3_show,
    follow_ups_v3_update,
)
from incident_io.api.incident_statuses_v1 import incident_statuses_v1_list
from incident_io.api.incident_timeline_items_v2 import incident_timeline_items_v2_create
from incident_io.api.incident_updates_v2 import incident_updates_v2_list
from incident_io.api.incidents_v2 import (
    incidents_v2_create,
    incidents_v2_edit,
    incidents_v2_list,
    incidents_v2_show,
)
from incident_io.api.severities_v1 import severities_v1_list
from incident_io.api.users_v2 import users_v2_list
from incident_io.api.utilities_v1 import utilities_v1_identity
from incident_io.types import UNSET

from tests.standin import StandIn


@pytest.fixture(scope="module")
def there() -> Iterator[SimpleNamespace]:
    with StandIn() as standin:
        client = AuthenticatedClient(base_url=standin.url, token=standin.key, timeout=httpx.Timeout(10))
        yield SimpleNamespace(standin=standin, client=client)


def agreed(answer: Any, status: int = 200) -> Any:
    """The SDK's reading of an answer, once writing it down again gives what came over the wire."""
    assert answer.status_code == status, answer.content
    assert moments(answer.parsed.to_dict()) == moments(json.loads(answer.content))
    assert unknown(answer.parsed) == []
    return answer.parsed


def moments(value: Any) -> Any:
    """The same with every moment in one form: the SDK writes +00:00 where the wire has Z."""
    if isinstance(value, dict):
        return {name: moments(one) for name, one in value.items()}
    if isinstance(value, list):
        return [moments(one) for one in value]
    return value.replace("+00:00", "Z") if isinstance(value, str) else value


def unknown(value: Any) -> list[str]:
    """Names in an answer that the SDK has no place for."""
    if isinstance(value, list):
        return [name for one in value for name in unknown(one)]
    if not hasattr(value, "additional_properties"):
        return []
    own = [f"{type(value).__name__}.{name}" for name in value.additional_properties]
    fields = [name for name in vars(type(value))["__annotations__"] if name != "additional_properties"]
    return own + [name for field in fields for name in unknown(getattr(value, field))]


def test_identity_severities_statuses_and_users(there: Any) -> None:
    me = agreed(utilities_v1_identity.sync_detailed(client=there.client)).identity
    assert me.name == "ServiceNow sync"
    ranks = [one.rank for one in agreed(severities_v1_list.sync_detailed(client=there.client)).severities]
    assert ranks == [1, 2, 3]
    found = agreed(incident_statuses_v1_list.sync_detailed(client=there.client)).incident_statuses
    assert {one.category.value for one in found} == {c.value for c in models.IncidentStatusV1Category}
    users = agreed(users_v2_list.sync_detailed(client=there.client, email="ALICE@example.com")).users
    assert [one.name for one in users] == ["Alice Aronson"]


def test_incidents_are_made_once_shown_listed_and_edited(there: Any) -> None:
    client, world = there.client, there.standin.world
    body = models.IncidentsCreatePayloadV2(
        idempotency_key="k1",
        visibility=models.IncidentsCreatePayloadV2Visibility.PUBLIC,
        mode=models.IncidentsCreatePayloadV2Mode.STANDARD,
        name="Mail is slow",
        summary="For all of Rome",
        severity_id=world.severity("Minor")["id"],
        incident_status_id=world.status("triage")["id"],
    )
    made = agreed(incidents_v2_create.sync_detailed(client=client, body=body)).incident
    again = agreed(incidents_v2_create.sync_detailed(client=client, body=body)).incident
    assert again.id == made.id
    assert agreed(incidents_v2_show.sync_detailed(made.id, client=client)).incident.name == "Mail is slow"
    today = models.IncidentsV2ListUpdatedAt.from_dict({"gte": [datetime.now(UTC).date().isoformat()]})
    open_ones = models.IncidentsV2ListStatusCategory.from_dict({"one_of": ["triage", "live"]})
    page = agreed(incidents_v2_list.sync_detailed(client=client, updated_at=today, status_category=open_ones))
    assert made.id in [one.id for one in page.incidents]
    edit = models.IncidentsEditPayloadV2(
        incident=models.IncidentEditPayloadV2(name="Mail is down", summary=""), notify_incident_channel=False
    )
    after = agreed(incidents_v2_edit.sync_detailed(made.id, client=client, body=edit)).incident
    assert after.name == "Mail is down"
    assert after.updated_at > made.updated_at


@pytest.mark.parametrize(
    ("start", "to", "taken"),
    [
        ("live", "Monitoring", True),
        ("triage", "learning", True),
        ("live", "closed", True),
        ("learning", "closed", True),
        ("triage", "live", False),
        ("live", "paused", False),
        ("live", "canceled", False),
        ("closed", "live", False),
    ],
)
def test_only_documented_moves_are_taken(there: Any, start: str, to: str, taken: bool) -> None:
    incident = there.standin.declare("Moves", status=start)
    wanted = models.IncidentEditPayloadV2(incident_status_id=there.standin.world.status(to)["id"])
    body = models.IncidentsEditPayloadV2(incident=wanted, notify_incident_channel=False)
    answer = incidents_v2_edit.sync_detailed(incident["id"], client=there.client, body=body)
    agreed(answer, 200 if taken else 422)


def test_updates_and_timeline_items(there: Any) -> None:
    incident = there.standin.declare("Talks")
    there.standin.say(incident, "Looking at it")
    there.standin.edit(incident, severity="Critical")
    found = agreed(incident_updates_v2_list.sync_detailed(client=there.client, incident_id=incident["id"]))
    assert [one.message or None for one in found.incident_updates] == [None, "Looking at it"]
    body = models.IncidentTimelineItemsCreatePayloadV2(
        idempotency_key="t1",
        incident_id=incident["id"],
        timestamp=datetime.now(UTC),
        title="Abel in ServiceNow",
        description="Restarted",
    )
    first = agreed(incident_timeline_items_v2_create.sync_detailed(client=there.client, body=body), 201)
    second = agreed(incident_timeline_items_v2_create.sync_detailed(client=there.client, body=body), 201)
    assert first.incident_timeline_item.id == second.incident_timeline_item.id


def test_follow_ups(there: Any) -> None:
    client, standin = there.client, there.standin
    incident = standin.declare("Has follow-ups")
    by_hand = standin.follow_up(incident, "Write it down", assignee="Alice Aronson", description="All of it")
    body = models.FollowUpsCreatePayloadV3(
        incident_id=incident["id"], title="Add an alert", labels=["servicenow:abc"]
    )
    made = agreed(follow_ups_v3_create.sync_detailed(client=client, body=body), 201).follow_up
    page = agreed(
        follow_ups_v3_list.sync_detailed(
            client=client,
            incident_id=incident["id"],
            incident_mode=models.FollowUpsV3ListIncidentMode.STANDARD,
        )
    )
    assert [one.id for one in page.follow_ups] == [by_hand["id"], made.id]
    assert agreed(follow_ups_v3_show.sync_detailed(made.id, client=client)).follow_up.title == "Add an alert"
    put = models.FollowUpsUpdatePayloadV3(
        title="Add two alerts", status=models.FollowUpsUpdatePayloadV3Status.COMPLETED
    )
    after = agreed(follow_ups_v3_update.sync_detailed(made.id, client=client, body=put)).follow_up
    assert (after.title, after.status.value, after.labels) == ("Add two alerts", "completed", [])


def test_lists_come_in_pages(there: Any) -> None:
    incident = there.standin.declare("Pages")
    wanted = [there.standin.follow_up(incident, f"Step {n}")["id"] for n in range(5)]
    found, after = [], UNSET
    for _ in range(5):
        page = agreed(
            follow_ups_v3_list.sync_detailed(
                client=there.client, incident_id=incident["id"], page_size=2, after=after
            )
        )
        found += [one.id for one in page.follow_ups]
        after = page.pagination_meta.after
        if after is UNSET:
            break
    assert found == wanted


def test_refusals_have_the_documented_shape(there: Any) -> None:
    stranger = AuthenticatedClient(base_url=there.standin.url, token="wrong", timeout=httpx.Timeout(10))
    agreed(severities_v1_list.sync_detailed(client=stranger), 401)
    agreed(incidents_v2_show.sync_detailed("01NOTHING", client=there.client), 404)
    agreed(incidents_v2_list.sync_detailed(client=there.client, page_size=251), 422)
    there.standin.faults.limit()
    limited = agreed(severities_v1_list.sync_detailed(client=there.client), 429)
    assert limited.rate_limit.remaining == 0


def test_events_have_the_documented_shape(there: Any) -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    there.standin.world.tell, before = (
        lambda name, thing: told.append((name, thing)),
        there.standin.world.tell,
    )
    try:
        incident = there.standin.declare("Told")
        there.standin.edit(incident, name="Told again")
        there.standin.edit(incident, status="closed")
        follow_up = there.standin.follow_up(incident, "Afterwards")
        there.standin.edit_follow_up(follow_up, status="completed")
        secret = there.standin.declare("Hidden", visibility="private")
        there.standin.edit(secret, name="Still hidden")
        there.standin.follow_up(secret, "Hidden as well")
    finally:
        there.standin.world.tell = before
    shapes = [
        models.WebhooksPublicIncidentIncidentCreatedV2ResponseBody,
        models.WebhooksPublicIncidentIncidentUpdatedV2ResponseBody,
        models.WebhooksPublicIncidentIncidentStatusUpdatedV2ResponseBody,
        models.WebhooksPublicIncidentFollowUpCreatedV2ResponseBody,
        models.WebhooksPublicIncidentFollowUpUpdatedV2ResponseBody,
        models.WebhooksPrivateIncidentIncidentCreatedV2ResponseBody,
        models.WebhooksPrivateIncidentIncidentUpdatedV2ResponseBody,
        models.WebhooksPrivateIncidentFollowUpCreatedV2ResponseBody,
    ]
    assert len(told) == len(shapes)
    for (name, thing), shape in zip(told, shapes, strict=True):
        event = {"event_type": name, name: thing}
        read = shape.from_dict(json.loads(json.dumps(event)))
        assert moments(read.to_dict()) == moments(event)
        assert unknown(read) == []
