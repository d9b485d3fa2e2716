"""When things happened in the demo pack: early in one year, every eight hours something."""

from __future__ import annotations

from datetime import datetime, timedelta

from wavetank.database.expressions import FORMAT

FIRST_DAY = datetime(2026, 1, 12, 9, 0)  # noqa: DTZ001  formatted as UTC text


def text(moment: datetime) -> str:
    """As the platform writes a moment."""
    return moment.strftime(FORMAT)


def opened(index: int) -> datetime:
    """When the task with this place in its list was opened."""
    return FIRST_DAY + timedelta(hours=8 * index, minutes=17 * (index % 7))


def stamps(created: datetime, by: str, count: int, updated: datetime) -> dict[str, str]:
    """The fields that say who wrote a record and when."""
    return {
        "sys_created_on": text(created),
        "sys_created_by": by,
        "sys_updated_on": text(updated),
        "sys_updated_by": by,
        "sys_mod_count": str(count),
    }
