"""One organisation: what it has, what people and keys may do with it. Values are as they go over the wire."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
Thing = dict[str, Any]

# Category → names, in the order of their ranks.
STATUSES = (
    ("triage", "Triage"),
    ("live", "Investigating"),
    ("live", "Fixing"),
    ("live", "Monitoring"),
    ("paused", "Paused"),
    ("learning", "Documenting"),
    ("learning", "Reviewing"),
    ("closed", "Closed"),
    ("declined", "Declined"),
    ("canceled", "Canceled"),
    ("merged", "Merged"),
)
SEVERITIES = ("Minor", "Major", "Critical")  # by rank, the lowest first
PRIORITIES = ("Urgent", "High", "Medium", "Low")
# Where an edit over the API may take an incident, beside statuses of the category it is in.
EDIT_MOVES = {"triage": {"learning", "closed"}, "live": {"learning", "closed"}, "learning": {"closed"}}
CREATE_IN = {"triage", "live"}
FOLLOW_UP_STATUSES = ("completed", "deleted", "not_doing", "outstanding")


class Refused(Exception):
    """The API says no."""

    def __init__(self, status: int, kind: str, message: str, code: str = "invalid_value") -> None:
        super().__init__(message)
        self.status, self.kind, self.message, self.code = status, kind, message, code


def invalid(message: str) -> Refused:
    return Refused(422, "validation_error", message)


class World:
    """The organisation. ``tell`` is called with every event that a webhook would send."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.tell: Callable[[str, Thing], None] = lambda _name, _thing: None
        self._last = datetime.now(UTC)
        self.keys: dict[str, Thing] = {}
        self.users: dict[str, Thing] = {}
        self.incidents: dict[str, Thing] = {}
        self.updates: list[Thing] = []
        self.timeline: list[Thing] = []
        self.follow_ups: dict[str, Thing] = {}
        self.seen_keys: dict[tuple[str, str], str] = {}
        stamp = self.stamp()
        self.severities = [
            {"id": self.id(), "name": name, "rank": rank, "description": f"{name}.", **both(stamp)}
            for rank, name in enumerate(SEVERITIES, start=1)
        ]
        self.statuses = [
            {
                "id": self.id(),
                "name": name,
                "category": category,
                "rank": rank,
                "description": f"{name}.",
                **both(stamp),
            }
            for rank, (category, name) in enumerate(STATUSES, start=1)
        ]
        self.priorities = [
            {"id": self.id(), "name": name, "rank": rank * 10, "description": f"{name}."}
            for rank, name in enumerate(PRIORITIES, start=1)
        ]

    # --- time and names

    def stamp(self) -> str:
        """Now, never twice the same."""
        self._last = max(datetime.now(UTC), self._last + timedelta(microseconds=1))
        return self._last.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def id(self) -> str:
        """A ULID: sorts by the time it was made."""
        number = int(self._last.timestamp() * 1000) << 80 | secrets.randbits(80)
        self._last += timedelta(milliseconds=1)
        return "".join(ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))

    def add_key(self, name: str = "ServiceNow sync", *, roles: tuple[str, ...] | None = None) -> str:
        """A new API key with the roles a sync needs, or these."""
        key = f"inc_{secrets.token_hex(24)}"
        needed = ("viewer", "incident_creator", "incident_editor", "post_incident_flow_opt_out")
        self.keys[key] = {"id": self.id(), "name": name, "roles": list(needed if roles is None else roles)}
        return key

    def add_user(self, name: str, email: str) -> Thing:
        """Somebody of the organisation."""
        user = {"id": self.id(), "name": name, "email": email, "role": "responder", "slack_user_id": "U1"}
        self.users[user["id"]] = user
        return user

    # --- looking up

    def incident(self, id: str) -> Thing:
        """By id or by the number of its reference."""
        for one in self.incidents.values():
            if id in (one["id"], one["reference"], one["reference"].removeprefix("INC-")):
                return one
        raise Refused(404, "not_found", "The requested resource could not be found", "not_found")

    def status(self, word: str) -> Thing:
        """A status by its name, or the first of a category."""
        return next(one for one in self.statuses if word in (one["name"], one["category"]))

    def severity(self, name: str) -> Thing:
        """A severity by its name."""
        return next(one for one in self.severities if one["name"] == name)

    def person(self, name: str) -> Thing:
        """A user by name; made when there is none."""
        found = next((user for user in self.users.values() if user["name"] == name), None)
        return found or self.add_user(name, f"{name.split(maxsplit=1)[0].lower()}@example.com")

    # --- incidents

    def make_incident(self, by: Thing, **values: Any) -> Thing:
        """A new incident. ``values`` are name, summary, severity, status, mode, visibility."""
        with self.lock:
            made = self.stamp()
            number = len(self.incidents) + 1
            incident: Thing = {
                "id": self.id(),
                "reference": f"INC-{number}",
                "name": values["name"],
                "creator": by,
                "custom_field_entries": [],
                "incident_role_assignments": [],
                "incident_status": values["status"],
                "incident_timestamp_values": [],
                "mode": values.get("mode", "standard"),
                "visibility": values.get("visibility", "public"),
                "permalink": f"https://app.incident.io/example/incidents/{number}",
                "slack_channel_id": "C1",
                "slack_team_id": "T1",
                "team_ids": [],
                "last_activity_at": made,
                **both(made),
            }
            if values.get("summary"):
                incident["summary"] = values["summary"]
            if values.get("severity"):
                incident["severity"] = values["severity"]
            self.incidents[incident["id"]] = incident
            self._tell_of(incident, "incident_created_v2")
            return incident

    def change_incident(self, incident: Thing, by: Thing, **values: Any) -> Thing:
        """Change these values, as wire values; a new status or severity leaves an update."""
        with self.lock:
            touched = {name: value for name, value in values.items() if incident.get(name) != value}
            if not touched:
                return incident
            incident |= touched
            if "incident_status" in touched or "severity" in touched:
                self._update(incident, by)
            self._touch(incident)
            kind = "incident_status_updated_v2" if "incident_status" in touched else "incident_updated_v2"
            self._tell_of(incident, kind)
            return incident

    def share(self, incident: Thing, by: Thing, message: str) -> Thing:
        """An update with a message."""
        with self.lock:
            made = self._update(incident, by, message=message)
            self._touch(incident)
            self._tell_of(incident, "incident_updated_v2")
            return made

    def _update(self, incident: Thing, by: Thing, **more: Any) -> Thing:
        made = {
            "id": self.id(),
            "created_at": self.stamp(),
            "incident_id": incident["id"],
            "new_incident_status": incident["incident_status"],
            "updater": by,
            **more,
        }
        if "severity" in incident:
            made["new_severity"] = incident["severity"]
        self.updates.append(made)
        return made

    def _touch(self, incident: Thing) -> None:
        incident["updated_at"] = incident["last_activity_at"] = self.stamp()

    # --- follow-ups

    def make_follow_up(self, by: Thing, incident: Thing, **values: Any) -> Thing:
        """A new follow-up. ``values`` are title, description, priority, assignee, labels, as wire values."""
        with self.lock:
            made: Thing = {
                "id": self.id(),
                "incident_id": incident["id"],
                "creator": by,
                "status": "outstanding",
                "labels": [],
                **{name: value for name, value in values.items() if value not in (None, "")},
                **both(self.stamp()),
            }
            self.follow_ups[made["id"]] = made
            self._tell_of_follow_up(made, "follow_up_created_v2")
            return made

    def change_follow_up(self, follow_up: Thing, **values: Any) -> Thing:
        """Set these values; None takes one away."""
        with self.lock:
            for name, value in values.items():
                if value in (None, ""):
                    follow_up.pop(name, None)
                else:
                    follow_up[name] = value
            follow_up["updated_at"] = self.stamp()
            self._tell_of_follow_up(follow_up, "follow_up_updated_v2")
            return follow_up

    # --- telling

    def _tell_of(self, incident: Thing, what: str) -> None:
        if incident["visibility"] == "private":
            # A private incident's event says which one, and nothing of it.
            plain = what.replace("incident_status_updated", "incident_updated")
            self.tell(f"private_incident.{plain}", {"id": incident["id"]})
        elif what == "incident_status_updated_v2":
            known = incident["incident_status"]
            self.tell(
                f"public_incident.{what}",
                {"incident": dict(incident), "message": "", "new_status": known, "previous_status": known},
            )
        else:
            self.tell(f"public_incident.{what}", dict(incident))

    def _tell_of_follow_up(self, follow_up: Thing, what: str) -> None:
        private = self.incidents[follow_up["incident_id"]]["visibility"] == "private"
        scope = "private_incident" if private else "public_incident"
        self.tell(f"{scope}.{what}", {"id": follow_up["id"]} if private else dict(follow_up))


def both(stamp: str) -> Thing:
    return {"created_at": stamp, "updated_at": stamp}
