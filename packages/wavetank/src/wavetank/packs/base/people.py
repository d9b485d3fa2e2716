# ruff: noqa: E501  one record a line reads best
"""People, groups, companies and places of a fresh instance.

Names and sys_ids are those of the demo data of a developer instance as public recordings show them; a sys_id
that no recording confirms is made from the name. Who holds which role here is our choice, but for the
administrator; the demo pack says more.
"""

from __future__ import annotations

from dataclasses import dataclass

from wavetank.database.shipped import sys_id_for

ADMIN = "6816f79cc0a8016401c5a33be04be441"


@dataclass(frozen=True, slots=True)
class Person:
    """A user: the roles are those granted to the user itself."""

    user_name: str
    name: str
    department: str = ""
    roles: tuple[str, ...] = ()
    sys_id: str = ""
    email: str = ""
    title: str = ""

    @property
    def id(self) -> str:
        """The sys_id, known or made from the user name."""
        return self.sys_id or sys_id_for("sys_user", self.user_name)


@dataclass(frozen=True, slots=True)
class Group:
    """A group: manager and members are user names."""

    name: str
    description: str = ""
    manager: str = ""
    members: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    sys_id: str = ""

    @property
    def id(self) -> str:
        """The sys_id, known or made from the name."""
        return self.sys_id or sys_id_for("sys_user_group", self.name)


PEOPLE = (
    Person("admin", "System Administrator", "Finance", ("admin", "security_admin"), ADMIN, title="System Administrator"),
    Person("abel.tuter", "Abel Tuter", "Product Management", (), "62826bf03710200044e0bfc8bcbe5df1"),
    Person("abraham.lincoln", "Abraham Lincoln", "Customer Support", (), "a8f98bb0eb32010045e1a5115206fe3a"),
    Person("beth.anglin", "Beth Anglin", "IT", ("itil",), "46d44a23a9fe19810012d100cca80666"),
    Person("bow.ruggeri", "Bow Ruggeri", "Sales", (), "f298d2d2c611227b0106c6be7f154bc8"),
    Person("charlie.whitherspoon", "Charlie Whitherspoon", "Development", (), "46b87022a9fe198101a78787e40d7547"),
    Person("david.dan", "David Dan", "IT", ("itil",)),
    Person("david.loo", "David Loo", "Development", ("itil",), "5137153cc611227c000bbd1bd8cd2007"),
    Person("don.goodliffe", "Don Goodliffe", "Development", ("itil",), "9ee1b13dc6112271007f9d0efdb69cd0"),
    Person("fred.luddy", "Fred Luddy", "Development", ("itil", "admin"), "5137153cc611227c000bbd1bd8cd2005"),
    Person("guest", "Guest", "", (), "5136503cc611227c0183e96598c4f706"),
    Person("incident.manager", "Incident Manager", "IT", ("incident_manager",)),
    Person("itil", "ITIL User", "IT", ("itil",), "681b365ec0a80164000fb0b05854a0cd"),
    Person("itil.admin", "ITIL Admin", "IT", ("itil", "itil_admin")),
    Person("employee", "Joe Employee", "Finance", (), "681ccaf9c0a8016400b98a06818d57c7"),
    Person("luke.wilson", "Luke Wilson", "IT", ("itil",), "46d96f57a9fe198101947a9620895886"),
    Person("natasha.ingram", "Natasha Ingram", "Finance", (), "46c5bf6ca9fe1981010713e3ac7d3384"),
    Person("problem.admin", "Problem Administrator", "IT", ("problem_admin",), "26fbff173b331300ad3cc9bb34efc4bd"),
    Person("problem.manager", "Problem Manager", "IT", ("problem_manager",)),
    Person("problem.coordinator.a", "Problem Coordinator A", "IT", ("problem_coordinator",), "73ab3f173b331300ad3cc9bb34efc4df"),
    Person("change.manager", "Change Manager", "IT", ("change_manager",), "f8588956937002002dcef157b67ffb98"),
    Person("survey.user", "Survey User", "HR"),
)  # fmt: skip

# What the first three hold and to whom they belong: ServiceNow docs "Usage Insights roles", "Components installed
# with AES".
GROUPS = (
    Group("Analytics Settings Managers", "Settings of Usage Insights", "", (), ("analytics_admin",), "019ad92ec7230010393d265c95c260dd"),
    Group("App Engine Admins", "Administration of App Engine Studio", "", (), ("app_engine_admin",), "477a05d153013010b846ddeeff7b1225"),
    Group("Mobile Analytics Settings Managers", "Settings of mobile Usage Insights", "", (), ("mobile_analytics_admin",), "205f1e0753333300c722ddeeff7b1235"),
    Group("CAB Approval", "Change advisory board", "don.goodliffe", ("luke.wilson",), (), "b85d44954a3623120004689b2d5dd60a"),
    Group("Change Management", "Change control", "", ("change.manager",), ("change_manager",), "a715cd759f2002002920bde8132e7018"),
    Group("Database", "Database administration", "", ("don.goodliffe",), ("itil",), "287ee6fea9fe198100ada7950d0b1b73"),
    Group("Hardware", "Hardware support", "", ("beth.anglin", "bow.ruggeri", "david.loo", "don.goodliffe", "fred.luddy", "itil"), ("itil",), "8a5055c9c61122780043563ef53438e3"),
    Group("Help Desk", "First line support", "beth.anglin", ("luke.wilson",), ("itil",), "679434f053231300e321ddeeff7b12d8"),
    Group("Incident Management", "Major incident handling", "", ("incident.manager",), ("incident_manager",), "12a586cd0bb23200ecfd818393673a30"),
    Group("Network", "Network operations", "", ("bow.ruggeri", "david.loo", "don.goodliffe", "fred.luddy", "itil"), ("itil",), "287ebd7da9fe198100f92cc8d1d2154e"),
    Group("Openspace", "Office space", "", (), (), "36c741fa731313005754660c4cf6a70d"),
    Group("Problem Analyzers", "Problem analysis", "", ("problem.coordinator.a",), (), "0c4e7b573b331300ad3cc9bb34efc461"),
    Group("Problem Solving", "Problem solving", "", ("problem.manager",), ()),
    Group("Service Desk", "Service desk agents", "beth.anglin", ("beth.anglin", "david.dan", "itil"), ("itil",), "d625dccec0a8016700a222a0f7900d06"),
    Group("Software", "Software support", "fred.luddy", ("david.loo", "fred.luddy"), ("itil",), "8a4dde73c6112278017a6a4baf547aa7"),
    Group("Team Development Code Reviewers", "Reviews of code", "", (), (), "cfcbad03d711110050f5edcb9e61038f"),
)  # fmt: skip

# department: its sys_id where known, the user name of its head
DEPARTMENTS: dict[str, tuple[str, str]] = {
    "Customer Support": ("5d7f17f03710200044e0bfc8bcbe5d43", ""),
    "Development": ("221f3db5c6112284009f4becd3039cc9", ""),
    "Finance": ("a581ab703710200044e0bfc8bcbe5de8", "natasha.ingram"),
    "HR": ("93b25282c0a8000b0b55c8ab34e2f1e6", ""),
    "IT": ("221f79b7c6112284005d646b76ab978c", ""),
    "Product Management": ("9a7ed3f03710200044e0bfc8bcbe5db7", ""),
    "Sales": ("221db0edc611228401760aec06c9d929", ""),
}
# company: its sys_id where known
COMPANIES = {
    "ACME North America": "31bea3d53790200044e0bfc8bcbe5dec",
    "ACME Europe": "",
    "ACME France": "81fbfe03ac1d55eb286d832de58ae1fd",
    "ACME Japan": "",
    "Apple": "b7e9e843c0a80169009a5a485bb2a2b5",
    "Cisco": "",
    "Dell Inc.": "",
    "IBM": "",
    "Lenovo": "",
    "Microsoft": "",
    "Oracle": "",
}
# location: city, state, country, time zone
LOCATIONS: dict[str, tuple[str, str, str, str]] = {
    "San Diego": ("San Diego", "CA", "USA", "US/Pacific"),
    "Santa Clara": ("Santa Clara", "CA", "USA", "US/Pacific"),
    "New York": ("New York", "NY", "USA", "US/Eastern"),
    "London": ("London", "", "United Kingdom", "Europe/London"),
    "Amsterdam": ("Amsterdam", "", "Netherlands", "Europe/Amsterdam"),
    "Tokyo": ("Tokyo", "", "Japan", "Asia/Tokyo"),
}
_USERS = {person.user_name: person.id for person in PEOPLE}
_GROUPS = {group.name: group.id for group in GROUPS}


def user_id(user_name: str) -> str:
    """The sys_id of a user this pack brings."""
    return _USERS.get(user_name) or sys_id_for("sys_user", user_name)


def group_id(name: str) -> str:
    """The sys_id of a group this pack brings."""
    return _GROUPS.get(name) or sys_id_for("sys_user_group", name)


def department_id(name: str) -> str:
    """The sys_id of a department this pack brings."""
    return DEPARTMENTS.get(name, ("", ""))[0] or sys_id_for("cmn_department", name)


def company_id(name: str) -> str:
    """The sys_id of a company this pack brings."""
    return COMPANIES.get(name) or sys_id_for("core_company", name)


def location_id(name: str) -> str:
    """The sys_id of a location this pack brings."""
    return sys_id_for("cmn_location", name)
