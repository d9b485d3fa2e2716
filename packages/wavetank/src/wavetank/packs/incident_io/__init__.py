"""The Store app incident.io as an admin has just installed it: a role, a table, access to incidents.

What its role is for: incident.io docs, "ServiceNow". The app tells its vendor of every change by itself;
this pack does not, it sends nothing anywhere.
"""

from __future__ import annotations

from wavetank.database.shipped import sys_id_for
from wavetank.database.store import Database
from wavetank.packs.base.roles import role_id
from wavetank.packs.base.tables import definitions
from wavetank.packs.writing import write, write_access

HERE = __name__
SCOPE = "x_incident_io"
APP = sys_id_for("sys_store_app", SCOPE)
ROLE = f"{SCOPE}.api_user"


def load(database: Database) -> None:
    """Install the app over the base pack."""
    database.create_tables(definitions(HERE))
    app = {"sys_id": APP, "name": "incident.io", "scope": SCOPE, "version": "1.0.0", "vendor": "incident.io"}
    role = {"sys_id": role_id(ROLE), "name": ROLE, "suffix": "api_user", "sys_scope": APP}
    write(database, "sys_store_app", [app])
    write(database, "sys_user_role", [role])
    write_access(database, HERE)
