"""Small readings of the SDK's values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from linkspan.sync.peers.incident_io.line import Line

if TYPE_CHECKING:
    from incident_io.models import ActorV2, IncidentV2
    from incident_io.types import Unset

NOT_TAKEN = "not_taken"
NOT_SHARED = "not_shared"
MODES = ("standard", "retrospective")  # tests and tutorials are nobody's incidents
MICROSECONDS = 1_000_000


class Us:
    """Tells what our own API key did from what others did."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def did(self, actor: ActorV2) -> bool:
        """True when this was done with our key."""
        from incident_io.types import Unset

        return not isinstance(actor.api_key, Unset) and actor.api_key.name == self._line.identity().name


def takes_part(incident: IncidentV2, *, include_private: bool) -> bool:
    """Whether an incident is one to be synced."""
    return incident.mode.value in MODES and (include_private or incident.visibility.value == "public")


def microseconds(moment: datetime) -> int:
    known = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    whole = known.replace(microsecond=0)
    return int(whole.timestamp()) * MICROSECONDS + known.microsecond


def text_of(value: str | Unset) -> str:
    return value if isinstance(value, str) else ""


def link_of(address: str | Unset) -> str:
    text = text_of(address)
    return text if text.startswith(("https://", "http://")) else ""


def name_of(actor: ActorV2) -> str:
    for one in (actor.user, actor.api_key, actor.workflow):
        name = getattr(one, "name", "")
        if name:
            return str(name)
    return "incident.io"
