"""Accounts that somebody asked for, somebody else allowed, and everybody can see."""

from linkspan.governance.approval import Decision, read_decision
from linkspan.governance.inventory import Listed, take_inventory
from linkspan.governance.request import Asked, Person, open_records, person, require_separate

__all__ = [
    "Asked",
    "Decision",
    "Listed",
    "Person",
    "open_records",
    "person",
    "read_decision",
    "require_separate",
    "take_inventory",
]
