"""Accounts that somebody asked for, somebody else allowed, and everybody can see."""

from linkspan.governance.approval import Decision, read_decision
from linkspan.governance.book import DAYS, RequestBook, credentials_since, token
from linkspan.governance.inventory import Listed, take_inventory
from linkspan.governance.request import Asked, Person, open_records, person, require_separate
from linkspan.governance.standing import (
    EXPLORE,
    EXPLORING,
    MINIMIZE,
    OPEN,
    SETTLED,
    UNASKED,
    allows,
    deciding_instance,
    described,
    is_governed,
    is_open,
    only_narrows,
)

__all__ = [
    "DAYS",
    "EXPLORE",
    "EXPLORING",
    "MINIMIZE",
    "OPEN",
    "SETTLED",
    "UNASKED",
    "Asked",
    "Decision",
    "Listed",
    "Person",
    "RequestBook",
    "allows",
    "credentials_since",
    "deciding_instance",
    "described",
    "is_governed",
    "is_open",
    "only_narrows",
    "open_records",
    "person",
    "read_decision",
    "require_separate",
    "take_inventory",
    "token",
]
