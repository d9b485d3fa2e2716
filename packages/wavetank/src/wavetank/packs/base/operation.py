"""What an instance that was just set up has been doing: its node, its jobs, its log, the names of things."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from wavetank.behaviour import spans
from wavetank.behaviour.rules import BUILT_IN
from wavetank.database.expressions import FORMAT
from wavetank.database.shipped import sys_id_for
from wavetank.packs.base import roles
from wavetank.packs.base.people import user_id
from wavetank.packs.base.tables import definitions, lines
from wavetank.packs.writing import SHIPPED, Rows

_HERE = "wavetank.packs.base"
# job: what starts it (ServiceNow docs: Scheduled jobs), every how many seconds
_JOBS = {
    "events process": 30,
    "SMTP Sender": 60,
    "Email Reader": 120,
    "Autoclose Incidents": 3600,
    "SLA update (breach within 10 minutes)": 60,
    "Clean Expired OAuth Credentials": 3600,
    "Table Cleaner": 3600,
    "Text Index Events Process": 30,
}
# event: the table it is fired for (ServiceNow docs: Events installed with Incident Management and others)
_EVENTS = {
    "incident.inserted": "incident",
    "incident.updated": "incident",
    "incident.commented": "incident",
    "incident.assigned": "incident",
    "incident.caller.commented": "incident",
    "problem.inserted": "problem",
    "problem.assigned": "problem",
    "change.inserted": "change_request",
    "change.approved": "change_request",
    "change.rejected": "change_request",
    "approval.inserted": "sysapproval_approver",
    "approval.rejected": "sysapproval_approver",
    "request.approved": "sc_request",
    "sc_req_item.inserted": "sc_req_item",
    "login.failed": "sys_user",
    "external.authentication.failed": "sys_user",
    "user.view": "sys_user",
    "impersonation.start": "sys_user",
    "impersonation.end": "sys_user",
}
_PREFERENCES = {
    "rowcount": "20",
    "glide.ui.polaris.theme.variant": "default",
    "collapsed_related_lists": "false",
}


def rows() -> Iterator[tuple[str, Rows]]:
    """The rows by table."""
    yield "sys_package", _packages()
    yield "sys_language", _languages()
    yield "sys_documentation", _labels()
    yield "sysevent_register", _events()
    yield "sysauto_script", _scripts()
    yield "sys_trigger", _jobs()
    yield "sys_cluster_state", _nodes()
    yield "sys_user_preference", _preferences()
    yield "syslog", _log()


def _packages() -> Rows:
    yield {"sys_id": sys_id_for("sys_package", "global"), "name": "Global", "source": "global"}


def _languages() -> Rows:
    yield {"sys_id": sys_id_for("sys_language", "en"), "id": "en", "name": "English"}


def _labels() -> Rows:
    """The labels of the tables. Those of fields are in the dictionary alone."""
    for table in definitions(_HERE):
        yield {
            "sys_id": sys_id_for("sys_documentation", table.name),
            "name": table.name,
            "label": table.label,
            "plural": _plural(table.label),
        }


def _plural(label: str) -> str:
    if label.endswith("y") and label[-2:-1] not in "aeiou":
        return f"{label[:-1]}ies"
    return label if label.endswith("s") else f"{label}s"


def _events() -> Rows:
    for name, table in _EVENTS.items():
        yield {"sys_id": sys_id_for("sysevent_register", name), "event_name": name, "table": table}


def _scripts() -> Rows:
    for name, seconds in _JOBS.items():
        yield {
            "sys_id": sys_id_for("sysauto_script", name),
            "name": name,
            "run_type": "periodically",
            "run_period": spans.duration(seconds),
        }


def _jobs() -> Rows:
    for name, seconds in _JOBS.items():
        yield {
            "sys_id": sys_id_for("sys_trigger", name),
            "name": name,
            "trigger_type": "1",
            "repeat": spans.duration(seconds),
            "document": "sysauto_script",
            "document_key": sys_id_for("sysauto_script", name),
        }


def _nodes() -> Rows:
    yield {
        "sys_id": sys_id_for("sys_cluster_state", "1"),
        "system_id": "wavetank:1",
        "node_id": sys_id_for("node", "1"),
        "status": "online",
        "schedulers": "any",
        "most_recent_message": SHIPPED,
    }


def _preferences() -> Rows:
    for name, value in _PREFERENCES.items():
        yield {
            "sys_id": sys_id_for("sys_user_preference", "admin", name),
            "name": name,
            "user": user_id("admin"),
            "value": value,
        }


def _log() -> Rows:
    """One entry for each thing the setup loaded, a second apart."""
    began = datetime.strptime(SHIPPED, FORMAT)  # noqa: DTZ007  read and written as UTC text
    for index, message in enumerate(_loaded()):
        moment = (began + timedelta(seconds=index)).strftime(FORMAT)
        yield {
            "sys_id": sys_id_for("syslog", str(index)),
            "source": "setup",
            "message": message,
            "sys_created_on": moment,
            "sys_updated_on": moment,
        }


def _loaded() -> Iterator[str]:
    for table in definitions(_HERE):
        yield f"Created table {table.name} with {len(table.fields)} fields"
    yield from (f"Loaded role {name}" for name in roles.names())
    yield from (f"Loaded business rule {rule.name}" for rule in BUILT_IN if not rule.pack)
    for line in lines(_HERE, "access"):
        yield f"Loaded access control {' '.join(line.split())}"
