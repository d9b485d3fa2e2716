"""The Store app a recipe builds on. Nobody installs one over the Table API; it is looked for only."""

from __future__ import annotations

from collections.abc import Iterable

from linkspan.provision.kinds.base import Intent, Kind
from linkspan.provision.values import Wanted


class StoreApp(Kind):
    """``sys_db_object``: an app is there when its table is."""

    name = "store_app"
    table = "sys_db_object"
    given = True
    shared = True
    retires = "leave"

    def want(self, intent: Intent) -> Iterable[Wanted]:
        app = intent.store_app
        if app is not None and app.table:
            yield Wanted(
                kind=self.name,
                key=app.name,
                match={"name": app.table},
                because=app.because,
                instructions=app.install,
            )

    def missing(self, wanted: Wanted) -> str:
        return wanted.instructions
