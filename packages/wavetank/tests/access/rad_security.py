"""The guide of RAD Security: an API key that creates incidents."""

from __future__ import annotations

from collections.abc import Mapping

from packages.wavetank.tests.access.guide import Guide, Omission, Scene, Step, told
from packages.wavetank.tests.access.outside import House

PLUGIN = "com.glide.tokenbased_auth"
REFUSED = "401 User is not authenticated: Required to provide Auth information"
NO_INSERT = "403 Operation Failed: ACL Exception Insert Failed due to security constraints"
CREATES, READS, OTHERS = "creates an incident", "reads it", "another integration goes on with Basic"
NOT_LET_IN = {CREATES: REFUSED, READS: REFUSED}
# The controls on what else is there: the order is the guide's.
ROLES = ("sn_incident_write", "sn_incident_read", "itil_admin", "u_ticket_user")


class Rad(Scene):
    """Somebody else's integration was there before, with a password of its own."""

    def __init__(self, house: House) -> None:
        super().__init__(house)
        house.user("other", "itil")
        self.role = self.user = self.profile = self.key = self.token = self.policy = ""

    def plugin(self) -> None:
        """An application manager activates; no record is written for it."""
        if not self.pick("v_plugin", f"id={PLUGIN}^active=active"):
            self.house.plugin(PLUGIN, active=True)

    def make_role(self) -> None:
        self.role = self.create("sys_user_role", {"name": "rad_security_integration"})["sys_id"]

    def make_user(self) -> None:
        values = {"user_name": "rad", "first_name": "RAD", "last_name": "Security"}
        self.user = self.create("sys_user", values)["sys_id"]

    def integration_user(self) -> None:
        if self.user:
            self.change("sys_user", self.user, {"internal_integration_user": "true"})

    def give_role(self) -> None:
        if self.role and self.user:
            self.create("sys_user_has_role", {"user": self.user, "role": self.role})

    def make_profile(self) -> None:
        self.profile = self.create("http_key_auth", {"name": "RAD"})["sys_id"]

    def parameter(self) -> None:
        if self.profile:
            header = self.pick("sys_token_auth_parameter", "parameter_name=x-sn-apikey^type=auth_header")
            self.change("http_key_auth", self.profile, {"auth_parameter": header})

    def make_key(self) -> None:
        made = self.create("api_key", {"name": "RAD Security Integration Key", "user": self.user})
        self.key, self.token = made["sys_id"], made["token"]

    def reveal(self) -> None:
        if self.key:
            self.token = self.admin.reveal(self.key)  # type: ignore[attr-defined]

    def make_policy(self) -> None:
        api = self.pick_api()
        self.policy = self.create("sys_api_access_policy", {"name": "RAD", "api": api})["sys_id"]

    def pick_api(self) -> str:
        """What the list of APIs holds for the Table API."""
        rows = self.admin.rows("sys_choice", "name=sys_api_access_policy^element=api^label=Table API")
        return str(rows[0]["value"])

    def all_methods(self) -> None:
        if self.policy:
            self.change("sys_api_access_policy", self.policy, {"apply_all_methods": "true"})

    def map(self, profile: str) -> None:
        if self.policy and profile:
            link = {"api_access_policy": self.policy, "inbound_auth_profile": profile}
            self.create("sys_auth_profile_mapping", link)

    def calls(self) -> Mapping[str, str]:
        rad = self.house.key(self.token) if self.token else self.house.nobody()
        made = rad.call("POST", "incident", json={"short_description": "A finding"})
        there = made.json()["result"]["sys_id"] if made.status_code == 201 else "0" * 32
        other = self.house.basic("other").get("sys_user", sysparm_limit="1")
        return {CREATES: told(made), READS: told(rad.get(f"incident/{there}")), OTHERS: told(other)}


STEPS = (
    Step("1.1", "Log in as an administrator", Rad.sign_in),
    Step("1.2", "Verify that the plugin of API keys is active, else activate it", Rad.plugin),
    Step("2.1", "Elevate to security_admin", Rad.elevate),
    Step("2.2", "Create a custom role", Rad.make_role),
    Step("3.1", "Create a user", Rad.make_user),
    Step("3.2", "Tick Internal Integration User", Rad.integration_user),
    *(
        Step(
            f"3.3 {role}", f"Give the user the role {role}", lambda rad, role=role: rad.grant(rad.user, role)
        )
        for role in ROLES
    ),
    Step("3.4", "Give the user the custom role", Rad.give_role),
    Step("4.1", "Create an API key authentication profile", Rad.make_profile),
    Step("4.2", "Choose the header x-sn-apikey as its auth parameter", Rad.parameter),
    Step("5.1", "Create a REST API key for the user", Rad.make_key),
    Step("5.2", "Show its token with the lock icon and copy it", Rad.reveal),
    Step("6.1", "Create a REST API access policy on the Table API", Rad.make_policy),
    Step("6.2", "Verify that it applies to all methods", Rad.all_methods),
    Step("6.3", "Map the key profile to the policy", lambda rad: rad.map(rad.profile), added=True),
    Step(
        "6.4",
        "Map Basic and OAuth to the policy as well",
        lambda rad: [rad.map(rad.pick("std_http_auth", f"type={each}")) for each in ("basic_auth", "oauth")],
        added=True,
    ),
    Step(
        "7",
        "Create an access control: create on incident for the custom role",
        lambda rad: rad.access_control("incident", "create", rad.role),
    ),
)
OMISSIONS = (
    Omission(
        ("1.1",),
        "nobody may do any of the rest",
        {"step 1.2": REFUSED, **NOT_LET_IN},
    ),
    Omission(("1.2",), "the plugin is active on a fresh instance"),
    Omission(
        ("1.2",),
        "without it there are no profiles and no keys",
        {"step 4.1": "400 Invalid table http_key_auth", **NOT_LET_IN},
        where="the plugin not being active",
        start=lambda house: house.plugin(PLUGIN, active=False),
    ),
    Omission(
        ("2.1",),
        "only an elevated session writes access controls; a role needs none, and nothing else does",
        {"step 7": NO_INSERT},
    ),
    Omission(
        ("2.1",),
        "then any session of an administrator writes access controls",
        where="the setting elevation being off",
        start=lambda house: house.instance.configure(elevation="off"),
    ),
    Omission(("2.2",), "sn_incident_write passes the access control that is shipped"),
    Omission(("3.1",), "a key that belongs to nobody lets nobody in", NOT_LET_IN),
    Omission(
        ("3.2",), "nothing on the way of a key looks at it; it takes the account out of governance data"
    ),
    Omission(
        ("3.3 sn_incident_write",),
        "the custom role creates by the access control of step 7, and changes nothing afterwards",
    ),
    Omission(("3.3 sn_incident_read",), "sn_incident_write contains it"),
    Omission(("3.3 itil_admin",), "it only adds deleting; it does not contain itil"),
    Omission(("3.3 u_ticket_user",), "no instance comes with a role of this name"),
    Omission(("3.4",), "sn_incident_write passes the access control that is shipped"),
    Omission(("4.1",), "without a profile no policy looks for a key", NOT_LET_IN),
    Omission(("4.2",), "a profile that does not know where to look finds no key", NOT_LET_IN),
    Omission(("5.1",), "there is no key", NOT_LET_IN),
    Omission(("5.2",), "what REST shows of a token is sealed", NOT_LET_IN),
    Omission(("6.1",), "a key is looked at only under a policy", NOT_LET_IN),
    Omission(("6.2",), "a new policy applies to all methods"),
    Omission(
        ("6.3",),
        "a policy that maps only others takes no key",
        NOT_LET_IN,
    ),
    Omission(
        ("6.3", "6.4"),
        "as the guide has it: a policy without a mapping decides nothing, and takes no key",
        NOT_LET_IN,
    ),
    Omission(("6.4",), "a policy with a mapping takes only what is mapped", {OTHERS: REFUSED}),
    Omission(("7",), "sn_incident_write passes the access control that is shipped"),
    Omission(("2.1", "7"), "elevation was for the access control alone"),
    Omission(
        ("7", "3.3 sn_incident_write"),
        "then nothing lets the account create incidents",
        {
            CREATES: NO_INSERT,
            READS: "404 No Record found: Record doesn't exist or ACL restricts the record retrieval",
        },
    ),
    Omission(
        ("3.4", "3.3 sn_incident_write"),
        "then nothing lets the account create incidents",
        {
            CREATES: NO_INSERT,
            READS: "404 No Record found: Record doesn't exist or ACL restricts the record retrieval",
        },
    ),
)
GUIDE = Guide(
    "rad-security",
    "RAD Security: ServiceNow (ITSM) integration setup",
    "an API key creates an incident and reads it, and an integration that was there before goes on",
    Rad,
    STEPS,
    OMISSIONS,
)
