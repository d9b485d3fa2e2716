"""The demo pack: what a developer instance shows off with.

People, groups, configuration items, incidents, problems and changes under the names, numbers and sys_ids of a
developer instance, as public recordings and scripts show them; some were seen in one place only. Texts and
times are ours.
"""

from __future__ import annotations

from wavetank.database.store import Database
from wavetank.packs.demo import changes, incidents, items, people, problems, shelves


def load(database: Database) -> None:
    """Write the demo rows over the base pack."""
    for part in (people, items, problems, changes, incidents, shelves):
        part.load(database)
