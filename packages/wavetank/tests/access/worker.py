"""An account that works on one incident, and what an administrator does to get in its way."""

from __future__ import annotations

from packages.wavetank.tests.access.outside import Answer, Caller, House


class Worker:
    """One account, one incident, and what was made last."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.user = house.user("svc", "sn_incident_write")["sys_id"]
        self.svc = house.basic("svc")
        self.incident = house.incident(short_description="A", urgency="3")["sys_id"]
        self.values = {"urgency": "1"}
        self.query = "short_description=A"
        self.path = "incident"
        self.made = ""
        self.caller: Caller = self.svc
        house.instance.configure(forwarded_for="trusted")

    def ask(self) -> Answer:
        return self.caller.get(self.path, self.query)

    def one(self) -> Answer:
        return self.svc.get(f"incident/{self.incident}")

    def write(self) -> Answer:
        return self.svc.call("PATCH", f"incident/{self.incident}", json=self.values)

    def make(self, table: str, **values: str) -> None:
        self.made = self.house.guard.create(table, values)["sys_id"]

    def switch(self, table: str, **values: str) -> None:
        """Changes what was made."""
        self.house.guard.change(table, self.made, values)

    def machine(self) -> None:
        """Puts the account on an access control that opens another table only."""
        admin = self.house.admin
        policy = self.house.policy(name="Machines")
        row = {"name": "M", "rest_api_policy": policy, "tables": "problem", "active": "true"}
        self.made = admin.create("sys_machine_identity_access", row)["sys_id"]
        link = {"access_control": self.made, "user": self.user}
        admin.create("sys_machine_identity_access_user", link)

    def person(self) -> None:
        """The caller is a browser's session that does not bring its token."""
        self.house.admin.change("sys_user", self.user, {"identity_type": "human"})
        self.caller = self.house.person("svc")
        self.token = self.caller.headers.pop("X-UserToken")
