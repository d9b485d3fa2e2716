"""The job that closes incidents some days after they were resolved.

ServiceNow docs: "Configure incidents to close automatically". The days are calendar days here, and the system
is who closes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from wavetank.behaviour.incident import CLOSED, RESOLVED
from wavetank.database.expressions import to_utc
from wavetank.errors import PlatformError

if TYPE_CHECKING:
    from wavetank.instance import Instance

DAYS = "glide.ui.autoclose.time"
BY_RESOLUTION = "com.snc.incident.autoclose.basedon.resolved_at"


class Autoclose:
    """Closes what is due, and looks at incidents only when some may be."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._seen = -1
        self._next = ""

    def run(self) -> int:
        """Close the incidents that are due; answers how many."""
        from wavetank.behaviour import pipeline

        instance, database = self._instance, self._instance.database
        days = instance.number(DAYS, 7)
        revision = database.revision("incident", "sys_properties")
        limit = to_utc(instance.clock.now() - timedelta(days=days))
        if not days or (revision == self._seen and limit < self._next):
            return 0
        resolved = instance.property(BY_RESOLUTION, "true") == "true"
        field = "resolved_at" if resolved else "sys_updated_on"
        closed = 0
        for row in database.select("incident", f"state={RESOLVED}^{field}<={limit}^{field}ISNOTEMPTY"):
            try:
                pipeline.update(instance, None, "incident", row, {"state": CLOSED})
                closed += 1
            except PlatformError as refused:
                said = f"Autoclose of {row['number']} failed: {refused.detail}"
                database.insert("syslog", {"level": "2", "source": "Autoclose Incidents", "message": said})
        left = database.select(
            "incident", f"state={RESOLVED}^{field}>{limit}^ORDERBY{field}", columns=(field,), limit=1
        )
        self._next = left[0][field] if left else "9999"
        self._seen = database.revision("incident", "sys_properties")
        return closed
