"""incident.io as the far side of a sync: its incidents, and its follow-ups.

What we made ourselves is told by the name of our API key, so the key must not be shared with other
tools. Reading goes two ways: a webhook leaves a hint in the store, and the list of what changed lately
is read as well, because hints come in no order and may not come at all.
"""

from linkspan.sync.peers.incident_io.follow_ups import FollowUpsPeer
from linkspan.sync.peers.incident_io.incidents import IncidentsPeer
from linkspan.sync.peers.incident_io.line import Line

# What a key needs: to read, to declare incidents, and to change them and their follow-ups.
ROLES = ("viewer", "incident_creator", "incident_editor")

__all__ = ("ROLES", "FollowUpsPeer", "IncidentsPeer", "Line")
