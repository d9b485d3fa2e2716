"""The ServiceNow side: what only an administrator may bring in, as an update set. Pure; nothing is sent."""

from linkspan.app.parts import acl, role
from linkspan.app.update_set import Record, Reference, UpdateSet

__all__ = ["Record", "Reference", "UpdateSet", "acl", "role"]
