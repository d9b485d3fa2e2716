"""Which records are ours: written down before they are made, and marked on the instance."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Protocol

from linkspan.provision.values import Wanted


class Mark(Protocol):
    """A line of the list of owned records; ``sys_id`` is empty from intent until the record is known."""

    @property
    def account(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def key(self) -> str: ...

    @property
    def sys_id(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...


COMMON = ""  # the account of records that serve several accounts
SIGNATURE = "linkspan"  # the ``source`` of such records

Marks = Mapping[tuple[str, str], Mark]


def holder(wanted: Wanted, account: str) -> str:
    """In whose name a record is marked."""
    return COMMON if wanted.common else account


def is_ours(marks: Marks, wanted: Wanted, row: Mapping[str, str], account: str, signature: str) -> bool:
    """Whether a record found under this natural key is ours.

    A mark without a sys_id means: we were about to create it when we were stopped.
    """
    if wanted.common:
        signature = SIGNATURE
    mark = marks.get((wanted.kind, wanted.key))
    if (
        mark is not None
        and mark.account == holder(wanted, account)
        and mark.sys_id in ("", row.get("sys_id", ""))
    ):
        return True
    return signature in (row.get("source"), row.get("comments"))


def fingerprint(values: Mapping[str, str]) -> str:
    """Stands for the values last written."""
    return hashlib.sha256(json.dumps(dict(values), sort_keys=True).encode()).hexdigest()[:16]
