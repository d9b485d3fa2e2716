"""Roles the recipe names that come with the platform and its plugins and are never made here."""

from __future__ import annotations

from collections.abc import Iterable

from linkspan.provision.kinds.base import Intent, Kind
from linkspan.provision.recipe import Acl, Grant
from linkspan.provision.values import Wanted

_COMES_WITH = {
    "sn_incident_read": "the plugin com.snc.itsm.roles.incident_management",
    "sn_incident_write": "the plugin com.snc.itsm.roles.incident_management",
}


class Role(Kind):
    """``sys_user_role``, looked up only."""

    name = "role"
    table = "sys_user_role"
    given = True
    shared = True
    retires = "leave"

    def want(self, intent: Intent) -> Iterable[Wanted]:
        app = intent.store_app
        profile = intent.profile
        needing: list[Acl | Grant] = [*profile.acls, *profile.grants]
        for role, because in {
            one.role: one.because for one in needing if not profile.makes(one.role)
        }.items():
            bringer = app if app is not None and role.startswith(f"{app.scope}.") else None
            yield Wanted(
                kind=self.name,
                key=role,
                match={"name": role},
                because=because,
                after=intent.needs_app if bringer else (),
                instructions=bringer.install if bringer else "",
            )

    def missing(self, wanted: Wanted) -> str:
        if wanted.instructions:
            return wanted.instructions
        source = _COMES_WITH.get(wanted.key)
        if source:
            return f"Activate {source} (System Definition > Plugins); it brings the role {wanted.key}."
        return (
            f"The role {wanted.key} does not exist here. Activate the plugin that brings it, or name another "
            "role in the recipe. A role of this name made by hand would grant nothing."
        )
