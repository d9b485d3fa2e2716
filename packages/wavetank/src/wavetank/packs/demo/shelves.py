"""Knowledge and catalog: the bases, the catalog and a few of the things on their shelves."""

from __future__ import annotations

from wavetank.database.shipped import sys_id_for
from wavetank.database.store import Database
from wavetank.packs.base.people import user_id
from wavetank.packs.writing import Rows, write

_BASES = {"IT": "a7e8a78bff0221009b20ffffffffff17", "Knowledge": "dfc19531bf2021003f07e2c1ac0739ab"}
# number, title, text
_ARTICLES = (
    ("KB0000001", "How a mail client is set up", "Server, port and account, one after the other."),
    ("KB0000002", "What to do about spam", "Do not answer; mark it and delete it."),
    ("KB0000008", "How to configure VPN for Apple devices", "Settings, General, VPN, then add one."),
)


def load(database: Database) -> None:
    """Write them."""
    write(database, "kb_knowledge_base", _bases())
    write(database, "kb_knowledge", _articles())


def _bases() -> Rows:
    for title, sys_id in _BASES.items():
        yield {"sys_id": sys_id, "title": title, "owner": user_id("admin")}


def _articles() -> Rows:
    for number, title, text in _ARTICLES:
        yield {
            "sys_id": sys_id_for("kb_knowledge", number),
            "number": number,
            "short_description": title,
            "text": f"<p>{text}</p>",
            "kb_knowledge_base": _BASES["IT"],
            "author": user_id("admin"),
            "workflow_state": "published",
            "published": "2026-01-12",
        }
