"""The guide of incident.io: an OAuth client and an account that keep incidents and follow-ups in step."""

from __future__ import annotations

from collections.abc import Mapping

from packages.wavetank.tests.access.guide import Guide, Omission, Scene, Step, told
from packages.wavetank.tests.access.outside import Caller, House

APP_ROLE = "x_incident_io.api_user"
ROLES = (APP_ROLE, "cmdb_read", "sn_cmdb_user", "incident_manager")
OPERATIONS = ("create", "read", "write")
PASSWORD, SECRET = "Generated-1-by-the-form", "Copied-2-from-the-form"
CONNECTS, CMDB, PEOPLE = "connects", "reads the CMDB", "reads users and groups"
INCIDENT, FOLLOW_UP = "creates and updates an incident", "creates, reads and updates a follow-up"
SYNC = "configures the sync"
NO_TOKEN = {CONNECTS: "401 access_denied"}
NO_INSERT = "403 Operation Failed: ACL Exception Insert Failed due to security constraints"
UNSCOPED = "403 User Not Authorized: Access to unscoped api is not allowed"
NO_SESSION = "401 User is not authenticated: Required to provide Auth information"
EVERY_CALL = (CMDB, PEOPLE, INCIDENT, FOLLOW_UP, SYNC)


class IncidentIo(Scene):
    """A CMDB with one server in it."""

    def __init__(self, house: House) -> None:
        super().__init__(house)
        house.admin.create("cmdb_ci_server", {"name": "db1"})
        self.client = self.client_id = self.secret = self.user = ""

    # -- the guide's steps

    def make_client(self) -> None:
        """The wizard's entry for the password grant, its other options as they are."""
        made = self.create(
            "oauth_entity",
            {
                "name": "incident.io",
                "type": "client",
                "inbound_grant_type": "ropc",
                "scope_restriction_status": "useraccount",
            },
        )
        self.client, self.client_id, self.secret = made["sys_id"], made["client_id"], made["client_secret"]

    def add_scope(self) -> None:
        scope = self.pick("sys_auth_scope", "name=useraccount")
        if self.client:
            self.create("oauth_entity_auth_scope_mapping", {"oauth_entity": self.client, "auth_scope": scope})

    def copy_secret(self) -> None:
        """A form shows what REST seals; over REST one is typed that is known."""
        if self.client:
            self.change("oauth_entity", self.client, {"client_secret": SECRET})
            self.secret = SECRET

    def make_user(self) -> None:
        values = {"user_name": "incident.io", "last_name": "incident.io", "email": "svc@example.com"}
        self.user = self.create("sys_user", values)["sys_id"]

    def set_user(self, **values: str) -> None:
        if self.user:
            self.change("sys_user", self.user, values)

    def set_password(self) -> None:
        if self.user:
            values = {"user_password": PASSWORD}
            self.change("sys_user", self.user, values, sysparm_input_display_value="true")

    def open_task(self, operation: str) -> None:
        self.access_control("task", operation, self.pick("sys_user_role", f"name={APP_ROLE}"))

    # -- what the integration does

    def calls(self) -> Mapping[str, str]:
        form = {"client_id": self.client_id, "client_secret": self.secret, "grant_type": "password",
                "username": "incident.io", "password": PASSWORD}  # fmt: skip
        answer = self.house.nobody().call("POST", "/oauth_token.do", data=form)
        if said := told(answer):
            return {CONNECTS: said}
        vendor = self.house.bearer(answer.json()["access_token"])
        return {
            CMDB: told(vendor.get("cmdb_ci_server")),
            PEOPLE: told(vendor.get("sys_user")) or told(vendor.get("sys_user_group")),
            INCIDENT: kept(vendor, "incident"),
            FOLLOW_UP: kept(vendor, "task"),
            SYNC: kept(vendor, "x_incident_io_sync_configuration"),
        }


def kept(vendor: Caller, table: str) -> str:
    """Creates, reads and updates one record: what is told of the first that does not work."""
    field = "name" if table.startswith("x_") else "short_description"
    made = vendor.call("POST", table, json={field: "A"})
    if made.status_code != 201:
        return told(made)
    there = f"{table}/{made.headers['location'].rpartition('/')[2]}"
    return told(vendor.get(there)) or told(vendor.call("PATCH", there, json={field: "B"}))


STEPS = (
    Step("1", "Install the app from the Store", lambda _: None),
    Step("2.1", "Log in as an administrator", IncidentIo.sign_in),
    Step(
        "2.2",
        "New inbound integration: OAuth, resource owner password credential grant",
        IncidentIo.make_client,
    ),
    Step("2.3", "Add useraccount to its auth scopes", IncidentIo.add_scope),
    Step("2.4", "Copy client id and client secret", IncidentIo.copy_secret),
    Step("3.1", "Create a user", IncidentIo.make_user),
    Step(
        "3.2",
        "Make sure that Password needs reset and Locked out are not ticked, and Active is",
        lambda io: io.set_user(password_needs_reset="false", locked_out="false", active="true"),
    ),
    Step("3.3", "Identity type: Machine", lambda io: io.set_user(identity_type="machine")),
    *(
        Step(f"3.4 {role}", f"Give the user the role {role}", lambda io, role=role: io.grant(io.user, role))
        for role in ROLES
    ),
    Step("3.5", "Set Password, Generate, Save Password", IncidentIo.set_password),
    Step("4.1", "Elevate to security_admin", IncidentIo.elevate),
    *(
        Step(
            f"4.2 {operation}",
            f"Create an access control: {operation} on task for {APP_ROLE}",
            lambda io, operation=operation: io.open_task(operation),
        )
        for operation in OPERATIONS
    ),
)
TASKS = tuple(f"4.2 {operation}" for operation in OPERATIONS)
BY_ITIL = "itil, which incident_manager contains, passes the access controls that are shipped"
OMISSIONS = (
    Omission(
        ("1",),
        "the app brings its table and its role",
        {SYNC: "400 Invalid table x_incident_io_sync_configuration"},
    ),
    Omission(
        ("2.1",),
        "nobody may do any of the rest",
        {"step 2.2": NO_SESSION, **NO_TOKEN},
    ),
    Omission(("2.2",), "there is no client", NO_TOKEN),
    Omission(
        ("2.3",),
        "the client is useraccount scoped, and no API is bound to a scope",
        dict.fromkeys(EVERY_CALL, UNSCOPED),
    ),
    Omission(("2.4",), "what REST shows of a secret is sealed", NO_TOKEN),
    Omission(("3.1",), "there is no account", NO_TOKEN),
    Omission(("3.2",), "a new account has them so"),
    Omission(
        ("3.3",),
        "the password grant takes interactive accounts too; a machine's cannot be used at the login page",
    ),
    Omission(
        (f"3.4 {APP_ROLE}",),
        "the table of the app is open to nobody else",
        {SYNC: NO_INSERT},
    ),
    Omission(("3.4 cmdb_read",), "itil, which incident_manager contains, contains it"),
    Omission(
        ("3.4 sn_cmdb_user",),
        "it reads the CMDB, as cmdb_read does; users and groups are read by everybody who is logged in",
    ),
    Omission(
        ("3.4 incident_manager",),
        f"{APP_ROLE} writes incidents, the access controls of step 4 open tasks, and cmdb_read the CMDB",
    ),
    Omission(("3.5",), "an account without a password logs in nowhere", NO_TOKEN),
    Omission(
        ("4.1",),
        "only an elevated session writes access controls",
        {"step 4.2 create": NO_INSERT},
    ),
    Omission(
        ("4.1",),
        "then any session of an administrator writes access controls",
        where="the setting elevation being off",
        start=lambda house: house.instance.configure(elevation="off"),
    ),
    *(Omission((each,), BY_ITIL) for each in TASKS),
    Omission(TASKS, BY_ITIL),
    Omission(
        ("3.4 incident_manager", "4.2 create"),
        "then nothing lets the account create tasks",
        {FOLLOW_UP: NO_INSERT},
    ),
    Omission(
        ("3.4 incident_manager", "4.2 read"),
        "then nothing lets the account read tasks",
        {FOLLOW_UP: "404 No Record found: Record doesn't exist or ACL restricts the record retrieval"},
    ),
    Omission(
        ("3.4 incident_manager", "4.2 write"),
        "then nothing lets the account change tasks",
        {FOLLOW_UP: "403 Operation Failed: ACL Exception Update Failed due to security constraints"},
    ),
    Omission(
        ("3.4 cmdb_read", "3.4 sn_cmdb_user", "3.4 incident_manager"),
        "then nothing lets the account read the CMDB",
        {CMDB: "200 and no rows"},
    ),
    Omission(
        (),
        "one report has it that useraccount does not open APIs to a client that is useraccount scoped",
        dict.fromkeys(EVERY_CALL, UNSCOPED),
        where="the setting useraccount_scope being refused",
        start=lambda house: house.instance.configure(useraccount_scope="refused"),
    ),
    Omission(
        (),
        "the documentation has it that the password grant is for accounts with interactive sessions",
        NO_TOKEN,
        where="the setting ropc_machine_users being refused",
        start=lambda house: house.instance.configure(ropc_machine_users="refused"),
    ),
    Omission(
        ("3.3",),
        "then the account is interactive",
        where="the setting ropc_machine_users being refused",
        start=lambda house: house.instance.configure(ropc_machine_users="refused"),
    ),
)
GUIDE = Guide(
    "incident-io",
    "incident.io: ServiceNow",
    "with a token of the account, incidents and follow-ups are written, the CMDB, users and groups are read, "
    "and the sync is configured",
    IncidentIo,
    STEPS,
    OMISSIONS,
    installs="1",
)

# The guide's other way: no app, no access controls, and the role admin instead of the others.
_SKIPPED = {*(f"3.4 {role}" for role in ROLES), "4.1", *TASKS}
BY_ADMIN = tuple(step for step in STEPS if step.number not in _SKIPPED)
BY_ADMIN += (Step("3.4 admin", "Give the user the role admin", lambda io: io.grant(io.user, "admin")),)
