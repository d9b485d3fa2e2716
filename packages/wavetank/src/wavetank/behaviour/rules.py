# ruff: noqa: E501  one record a line reads best
"""Built-in business rules: Python functions that carry the fields of `sys_script`.

Each is seeded as a `sys_script` row and is skipped while that row says active=false or is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from wavetank.behaviour import (
    approval,
    archive,
    change_request,
    grants,
    identity,
    incident,
    incident_family,
    metrics,
    problem,
    scan_engine,
    schema,
    task,
)
from wavetank.behaviour.change import Change
from wavetank.database.shipped import sys_id_for
from wavetank.security import (
    addresses,
    clients,
    keys,
    machines,
    plugins,
    policies,
    rates,
    restriction,
    sessions,
    signatures,
    time_limited,
)
from wavetank.security.roles import SOURCES

INSERT = frozenset({"insert"})
UPDATE = frozenset({"update"})
WRITE = INSERT | UPDATE
ALL = WRITE | {"delete"}


@dataclass(frozen=True)
class Rule:
    """One built-in rule. It runs for `collection` and every class below it."""

    name: str
    collection: str
    order: int
    run: Callable[[Change], None]
    says: str
    when: str = "before"
    on: frozenset[str] = field(default=WRITE)
    pack: str = ""  # the pack that brings it; "" is the base pack

    @property
    def sys_id(self) -> str:
        return sys_id_for("sys_script", self.collection, self.name)

    def as_row(self) -> dict[str, str]:
        """Its `sys_script` row."""
        return {
            "sys_id": self.sys_id,
            "name": self.name,
            "collection": self.collection,
            "when": self.when,
            "order": str(self.order),
            "active": "true",
            "advanced": "true",
            "action_insert": _text("insert" in self.on),
            "action_update": _text("update" in self.on),
            "action_delete": _text("delete" in self.on),
            "description": self.says,
            "script": "// Built in: wavetank runs this rule itself. Set active to false to switch it off.",
        }


def _text(flag: bool) -> str:
    return "true" if flag else "false"


BUILT_IN: tuple[Rule, ...] = (
    Rule("Calculate user name", "sys_user", 10, identity.full_name, "name = first name + last name"),
    Rule("Identity type sets web service access", "sys_user", 20, identity.machine, "machine ticks, human unticks"),
    Rule("Minimum of a user", "sys_user", 30, identity.minimum, "a User ID and a first or last name"),
    Rule("AI agents stay what they are", "sys_user", 40, identity.agent, "the identity type AI is not changed", on=UPDATE),
    Rule("Admins stay in", "sys_user", 50, identity.own_lock, "an admin does not lock itself out", on=UPDATE),
    Rule("Passwords of others", "sys_user", 60, identity.others_password, "may take an elevated session", on=UPDATE),
    Rule("Rows of admins", "sys_user", 70, identity.admins_row, "may be for admins only", on=UPDATE | {"delete"}),
    Rule("Log out locked users", "sys_user", 900, sessions.log_out, "locking or deactivating ends the sessions", "after", UPDATE),
    Rule("Rate limit resource", rates.RULES, 50, rates.describe, "the resource follows the other fields"),
    Rule("Rate limit reset", rates.RULES, 50, rates.start_anew, "another limit starts the hour's count anew", "after", UPDATE | {"delete"}),
    Rule("Basic restriction properties", "sys_properties", 5, restriction.guarded, "an elevated session writes them", on=ALL),
    Rule("Basic restriction decision", restriction.EXCEPTIONS, 100, restriction.decided, "carries a decision out", "after"),
    Rule("IP address control", addresses.TABLE, 50, addresses.sound, "a rule names two whole addresses"),
    Rule("HMAC key id", signatures.TABLE, 50, signatures.identify, "the platform makes the key id and keeps it"),
    Rule("Machine identities only", machines.USERS, 50, machines.only_machines, "users for web services only"),
    Rule("Generate API key token", keys.TABLE, 50, keys.generate, "the platform makes the token and keeps it"),
    *(
        Rule("REST API path", table, 50, policies.fill_path, "the path follows the API")
        for table in ("sys_api_access_policy", "sys_api_access_scope")
    ),
    *(
        Rule("Plugins are not written", table, 5, plugins.not_written, "a plugin is installed", on=ALL)
        for table in ("sys_plugins", "v_plugin")
    ),
    Rule("Register OAuth client", "oauth_entity", 50, clients.register, "makes a client id and secret", on=INSERT),
    *(
        Rule("Who may grant", table, 5, grants.allowed, "admin takes an admin, security_admin an elevated session")
        for table in sorted(SOURCES | {time_limited.TABLE})
    ),
    Rule("Roles are not renamed", "sys_user_role", 5, grants.kept_name, "a role keeps its name", on=UPDATE),
    Rule("Explicit roles contain nothing", "sys_user_role_contains", 6, grants.empty, "snc_internal and snc_external"),
    Rule("One grant a role", "sys_user_has_role", 6, grants.single, "counts are derived; one grant a user and role"),
    Rule("Inherited roles stay", "sys_user_has_role", 6, grants.not_deleted, "they go with what they come from", on=frozenset({"delete"})),
    Rule("time-limited roles duration limit", time_limited.TABLE, 100, time_limited.sound, "which, how long, how many"),
    Rule("Time-limited roles", time_limited.TABLE, 900, time_limited.planned, "they come and go by the clock", "after", ALL),
    *(
        rule
        for table in ("sys_db_object", "sys_dictionary")
        for rule in (
            Rule("Base schema stays", table, 5, schema.base_stays, "shipped tables and fields stay", on=ALL - INSERT),
            Rule("Schema names", table, 6, schema.named, "a name must be able to name a column", on=INSERT),
        )
    ),
    *(
        Rule("Inherited roles", table, 900, grants.inherited_roles, "brings inherited roles in line", "after", ALL)
        for table in (
            "sys_user_has_role",
            "sys_user_role_contains",
            "sys_user_grmember",
            "sys_group_has_role",
            "sys_user_group",
        )
    ),
    Rule("Effective number", "task", 10, task.effective_number, "task_effective_number = number", on=INSERT),
    Rule("Reassignment count", "task", 90, task.reassignment, "counts changes of the assignment group", on=UPDATE),
    Rule("mark closed", "task", 100, task.mark_closed, "closing a task makes it inactive and stamps it"),
    Rule("task closer", "task", 110, task.closer, "deactivating an open task closes it", on=UPDATE),
    Rule("task reopener", "task", 120, task.reopener, "an open state makes a task active again", on=UPDATE),
    Rule("Keep states in step", "incident", 50, incident.states, "state and incident_state are one"),
    Rule("incident reopen", "incident", 60, incident.reopen, "a state below Closed makes it active", on=UPDATE),
    Rule("Caller update", "incident", 55, incident.caller_answers, "an answer ends waiting for the caller", on=UPDATE),
    Rule("mark_resolved", "incident", 70, incident.resolved, "who resolved it, when, and how long it took"),
    Rule("mark_closed", "incident", 80, incident.closed, "who closed it and when; it is no longer active"),
    Rule("Reopened", "incident", 85, incident.reopened, "counts and stamps a reopening", on=UPDATE),
    Rule("Clear hold reason", "incident", 87, incident.hold_reason, "only On Hold has a reason", on=UPDATE),
    Rule("Count child incidents", "incident", 200, incident.children, "child_incidents of the parent", "after", ALL),
    Rule("Synchronize child incidents", "incident", 210, incident_family.children, "open children follow their parent", "after", UPDATE),
    Rule("Close incident tasks", "incident", 220, incident_family.tasks, "open tasks end with their incident", "after", UPDATE),
    Rule("Count related incidents", "incident", 230, problem.related, "related_incidents of the problem", "after", ALL),
    Rule("Keep problem states in step", "problem", 50, problem.states, "state and problem_state are one"),
    Rule("Problem resolved", "problem", 70, problem.resolved, "who resolved it and when"),
    Rule("Problem reopened", "problem", 85, problem.reopened, "counts and stamps a reopening", on=UPDATE),
    Rule("Cancel open problem tasks", "problem", 210, problem.tasks, "open tasks end with their problem", "after", UPDATE),
    Rule("Resolve waiting incidents", "problem", 220, problem.incidents, "incidents that wait for the problem are resolved", "after", UPDATE),
    Rule("Approved change", "change_request", 30, change_request.approved, "an approved change goes on", on=UPDATE),
    Rule("Rejected change", "change_request", 40, change_request.rejected, "a rejected change is New again", on=UPDATE),
    Rule(change_request.CHECK, "change_request", 50, change_request.transition, "a step that the model lacks is refused", on=UPDATE),
    Rule("Change reverted to New", "change_request", 60, change_request.reverted, "nothing is asked of approvers any more", on=UPDATE),
    Rule("Change on hold", "change_request", 70, change_request.hold, "canceling ends a hold", on=UPDATE),
    Rule("Change tasks follow", "change_request", 210, change_request.tasks, "tasks are canceled and held with their change", "after", UPDATE),
    Rule("Approvals of a change follow", "change_request", 220, change_request.approvals, "they end with a revert and rest on hold", "after", UPDATE),
    Rule("metrics events", "task", 900, metrics.note, "feeds the metrics", "after"),
    Rule("Archive rule", archive.RULES, 50, archive.sound, "what can be archived, and nothing else"),
    Rule("Archive table", archive.RULES, 100, archive.activated, "an active rule has its table", "after"),
    Rule("Approval names its task", approval.TABLE, 10, approval.link, "task, document and table in step"),
    Rule(approval.OPENING, approval.TABLE, 20, approval.opening, "requested or not yet requested", on=INSERT),
    Rule(approval.DECIDING, approval.TABLE, 30, approval.deciding, "only the approver, only what is requested", on=UPDATE),
    Rule("Approval outcome", approval.TABLE, 100, approval.outcome, "the task's approval follows its approvers", "after"),
    Rule("Rejected request", "sc_request", 40, approval.rejected, "a rejected request is closed incomplete", on=UPDATE),
    Rule("Rejected request item", "sc_req_item", 40, approval.rejected, "a rejected item is closed incomplete", on=UPDATE),
    Rule("Stage of a request item", "sc_req_item", 50, approval.stage, "the stage follows the approval"),
    Rule("One production instance", scan_engine.TABLE, 100, scan_engine.one_production, "with two, no connection stands", "after", ALL, "scan_engine"),
)  # fmt: skip
