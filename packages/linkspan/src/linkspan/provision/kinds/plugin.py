"""The plugin that API keys need. It is looked for; a person activates it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from linkspan.provision.kinds.base import Intent, Kind
from linkspan.provision.values import Wanted
from linkspan.schema.api_keys import FIRST_RELEASE, PLUGIN, PLUGIN_NAME, availability

if TYPE_CHECKING:
    from linkspan.provision.observed import Reader

_ACTIVATE = (
    f"Activate the plugin {PLUGIN_NAME} ({PLUGIN}): Admin Center > Application Manager, search for it, "
    "Install. Then plan again."
)
_STEPS = {
    "inactive": f"The plugin is there and not active. {_ACTIVATE}",
    "absent": f"The plugin is not among those of this instance, though its release could have it. "
    f"{_ACTIVATE} If it is not offered, ask ServiceNow whether the licence includes it.",
    "too_old": f"This release ({{release}}) has no API keys; they come with {FIRST_RELEASE}. "
    "Upgrade the instance, or give the account scheme: oauth_client.",
}


class Plugin(Kind):
    """``v_plugin``."""

    name = "plugin"
    table = "v_plugin"
    given = True
    shared = True
    retires = "leave"

    def want(self, intent: Intent) -> Iterable[Wanted]:
        if intent.uses_key:
            yield Wanted(
                kind=self.name,
                key=PLUGIN,
                match={"id": PLUGIN},
                because="without it no API key is accepted, and the records for one cannot be kept",
            )

    def by_hand(self, reader: Reader, wanted: Wanted) -> str:  # noqa: ARG002 - there is one plugin to ask for
        """Empty too when nobody lets us see: then the records that follow tell."""
        found = availability(reader.line)
        return _STEPS.get(found.state, "").format(release=found.release)
