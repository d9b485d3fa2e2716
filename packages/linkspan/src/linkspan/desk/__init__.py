"""The embedded incident desk: the far side of a sync for people who have no other."""

from linkspan.desk.desk import Desk
from linkspan.desk.peer import DeskPeer
from linkspan.desk.values import DEFAULTS, FINAL_STATUSES, SEVERITIES, STATUSES, Event, Incident, Update

__all__ = [
    "DEFAULTS",
    "FINAL_STATUSES",
    "SEVERITIES",
    "STATUSES",
    "Desk",
    "DeskPeer",
    "Event",
    "Incident",
    "Update",
]
