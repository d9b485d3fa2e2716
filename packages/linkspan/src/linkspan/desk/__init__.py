"""The embedded incident desk: the far side of a sync for people who have no other."""

from linkspan.desk.desk import Desk
from linkspan.desk.follow_up_peer import DeskFollowUpPeer
from linkspan.desk.peer import DeskPeer
from linkspan.desk.values import (
    DEFAULTS,
    FINAL_STATUSES,
    FOLLOW_UP_DEFAULTS,
    FOLLOW_UP_STATUSES,
    PRIORITIES,
    SEVERITIES,
    STATUSES,
    Event,
    FollowUp,
    Incident,
    Update,
)

__all__ = [
    "DEFAULTS",
    "FINAL_STATUSES",
    "FOLLOW_UP_DEFAULTS",
    "FOLLOW_UP_STATUSES",
    "PRIORITIES",
    "SEVERITIES",
    "STATUSES",
    "Desk",
    "DeskFollowUpPeer",
    "DeskPeer",
    "Event",
    "FollowUp",
    "Incident",
    "Update",
]
