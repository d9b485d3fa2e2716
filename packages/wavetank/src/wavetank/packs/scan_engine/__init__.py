# ruff: noqa: E501  one definition a line reads best
"""The Scan Engine pack: the Store app sn_se as it lies on an instance on which nobody has set it up.

Roles, tables and words: ServiceNow docs "Instance integration for Scan Engine", "Define My SN Instance
environments", "Validate your instance connection", "Configure Scan Engine parameters".
"""

from __future__ import annotations

from wavetank.behaviour.rules import BUILT_IN
from wavetank.database.shipped import sys_id_for
from wavetank.database.store import Database
from wavetank.packs.base.roles import role_id
from wavetank.packs.base.tables import definitions
from wavetank.packs.writing import choices, write, write_access

HERE = __name__
PACK = "scan_engine"
SCOPE = "sn_se"
VERSION = "3.0.4"
_ROLES = ("scan_engine_admin", "scan_engine_user", "scan_engine_read_user", "internal_rest_integration")

# number, level, category, what it looks for, why it matters
_DEFINITIONS = (
    ("sn_SE10085", "Act", "Security", "Security manager does not deny by default", "Tables nobody wrote a rule for are open to every user."),
    ("sn_SE10101", "Act", "Security", "The account admin is active", "Its name is known everywhere, so only its password protects it."),
    ("sn_SE10104", "Act", "Manageability", "Role granted to a user instead of a group", "Nobody sees any more why the user has it."),
    ("sn_SE10237", "Recommend", "Security", "Credential that nothing uses", "A secret without a purpose can only be misused."),
    ("sn_SE10266", "Act", "Security", "New users start with the password \"password\"", "The first guess succeeds."),
    ("sn_SE10444", "Recommend", "Security", "Integration account holds admin", "Who takes the integration takes the instance."),
    ("sn_SE10461", "Suggest", "Security", "Web service account with elevated roles", "A machine rarely needs what an administrator needs."),
    ("sn_SE10473", "Act", "Security", "More than ten holders of a powerful role", "Each further holder is a further way in."),
    ("sn_SE10475", "Suggest", "Security", "MID Server account is no internal integration user", "Its calls are refused once WS-Security is on."),
    ("sn_SE10491", "Recommend", "Security", "Security incidents read without the integration role", "The account sees more than its task asks for."),
    ("sn_SE10522", "Recommend", "Security", "Scripted REST resource that asks for no login", "Everyone on the network may call it."),
    ("sn_SE10541", "Act", "Security", "Access control that asks for nothing", "Depending on the release it lets everyone in or nobody."),
)  # fmt: skip


def load(database: Database) -> None:
    """Install the app over the base pack."""
    database.create_tables(definitions(HERE))
    write(database, "sys_choice", choices(HERE))
    write(
        database,
        "sys_store_app",
        [
            {
                "sys_id": sys_id_for("sys_store_app", SCOPE),
                "name": "Scan Engine",
                "scope": SCOPE,
                "version": VERSION,
            }
        ],
    )
    write(database, "sys_user_role", (_role(name) for name in _ROLES))
    write(database, "sn_se_definition", (_definition(*each) for each in _DEFINITIONS))
    write(database, "sn_se_properties", [{"sys_id": sys_id_for("sn_se_properties")}])
    write(database, "sys_script", (rule.as_row() for rule in BUILT_IN if rule.pack == PACK))
    write_access(database, HERE)


def _role(suffix: str) -> dict[str, str]:
    name = f"{SCOPE}.{suffix}"
    scope = sys_id_for("sys_store_app", SCOPE)
    return {"sys_id": role_id(name), "name": name, "suffix": suffix, "sys_scope": scope}


def _definition(number: str, level: str, category: str, says: str, reason: str) -> dict[str, str]:
    return {
        "sys_id": sys_id_for("sn_se_definition", number),
        "number": number,
        "level_of_finding": level,
        "category": category,
        "short_description": says,
        "reason": reason,
    }
