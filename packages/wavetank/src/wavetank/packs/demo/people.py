# ruff: noqa: E501  one record a line reads best
"""More people and groups of a developer instance, and who of them administers it.

Seventeen users hold the role admin there (measured); the names of eight of them are known. Four more names are
assumed: the claim says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from wavetank.database.store import Database
from wavetank.packs.base import organisation
from wavetank.packs.base import people as base
from wavetank.packs.base.people import Group, Person
from wavetank.packs.writing import Rows, write

PEOPLE = (
    Person("adela.cervantsz", "Adela Cervantsz", "Product Management", (), "0a826bf03710200044e0bfc8bcbe5d7a"),
    Person("aileen.mottern", "Aileen Mottern", "Sales", (), "71826bf03710200044e0bfc8bcbe5d3b"),
    Person("andrew.och", "Andrew Och", "IT", (), "800b174138d089c868d09de320f9833b"),
    Person("benjamin.schkade", "Benjamin Schkade", "Sales", (), "f2826bf03710200044e0bfc8bcbe5df2"),
    Person("bernard.laboy", "Bernard Laboy", "IT"),
    Person("bertie.luby", "Bertie Luby", "Sales"),
    Person("bud.richman", "Bud Richman", "Sales", ("itil",), "46c6f9efa9fe198101ddf5eed9adf6e7"),
    Person("bushra.akhtar", "Bushra Akhtar", "Development", (), "506c0f9cd7011200f2d224837e61030f"),
    Person("carol.coughlin", "Carol Coughlin", "Sales", ("admin",), "46c1293aa9fe1981000dc753e75ebeee"),
    Person("christen.mitchell", "Christen Mitchell", "IT", ("admin",)),
    Person("claire.moyerman", "Claire Moyerman", "Sales", (), "82826bf03710200044e0bfc8bcbe5d92"),
    Person("david.miller", "David Miller", "IT", (), "77ad8176731313005754660c4cf6a7de"),
    Person("davin.czukowski", "Davin Czukowski", "IT"),
    Person("eduardo.bellendir", "Eduardo Bellendir", "IT", (), "92826bf03710200044e0bfc8bcbe5dbb"),
    Person("eric.schroeder", "Eric Schroeder", "IT", ("admin",), "8d56406a0a0a0a6b004070b354aada28"),
    Person("guillermo.frohlich", "Guillermo Frohlich", "Development", (), "62526fa1d701120035ae23c7ce6103c6"),
    Person("howard.johnson", "Howard Johnson", "IT", ("itil",), "46ca0887a9fe19810191e08e51927ebf"),
    Person("jerrod.bennett", "Jerrod Bennett", "IT", ("admin",), "5b7c200d0a640069006b3845b5d0fa7c"),
    Person("lana.keels", "Lana Keels", "Customer Support", (), "3282abf03710200044e0bfc8bcbe5d30"),
    Person("manifah.masood", "Manifah Masood", "Development", (), "1832fbe1d701120035ae23c7ce610369"),
    Person("margaret.grey", "Margaret Grey", "Finance"),
    Person("misty.ericksen", "Misty Ericksen", "Sales", (), "31826bf03710200044e0bfc8bcbe5d24"),
    Person("owen.sparacino", "Owen Sparacino", "Sales", (), "f5826bf03710200044e0bfc8bcbe5d23"),
    Person("praveen.vootkuri", "Praveen Vootkuri", "IT", ("admin",)),
    Person("problem.coordinator.b", "Problem Coordinator B", "IT", ("problem_coordinator",), "38cb3f173b331300ad3cc9bb34efc4d6"),
    Person("problem.task.analyst.a", "Problem Task Analyst A", "IT", ("problem_task_analyst",), "7e3bbb173b331300ad3cc9bb34efc4a8"),
    Person("reina.wolchesky", "Reina Wolchesky", "Sales", (), "7a826bf03710200044e0bfc8bcbe5dfe"),
    Person("rick.berzle", "Rick Berzle", "Development", ("admin",), "5137153cc611227c000bbd1bd8cd2006"),
    Person("rob.phillips", "Rob Phillips", "IT"),
    Person("rob.woodbyrne", "Rob Woodbyrne", "IT", ("admin",)),
    Person("ron.kettering", "Ron Kettering", "IT", ("admin",)),
    Person("rosemarie.fifield", "Rosemarie Fifield", "Sales", (), "b282abf03710200044e0bfc8bcbe5d1f"),
    Person("sam.sorokin", "Sam Sorokin", "Finance"),
    Person("suresh.yekollu", "Suresh Yekollu", "IT", ("admin",), "0802b90dc3313000bac1addbdfba8fdb"),
    Person("taylor.vreeland", "Taylor Vreeland", "Customer Support"),
    Person("ted.keppel", "Ted Keppel", "IT", (), "46c32549a9fe198101a84f3c2036e26b"),
)  # fmt: skip
# Users of the base pack who hold more here.
GRANTED = {"david.loo": ("admin",)}

GROUPS = (
    Group("Application Development", "Development of applications", "bushra.akhtar", ("guillermo.frohlich", "manifah.masood"), (), "0a52d3dcd7011200f2d224837e6103f2"),
    Group("Capacity Mgmt", "Capacity", "", ("david.loo",), (), "aaccc971c0a8001500fe1ff4302de101"),
    Group("eCAB Approval", "Emergency changes", "", (), (), "b97e89b94a36231201676b73322a0311"),
    Group("Field Services", "Work at the customer's place", "", (), (), "74ad1ff3c611227d01d25feac2af603f"),
    Group("IT Finance CAB", "Changes of IT finance", "", (), (), "5f63e48fc0a8010e00eeaad81cd4dd37"),
    Group("NY DB", "Databases in New York", "", ("david.loo",), (), "5f74727dc0a8010e01efe33a251993f9"),
    Group("Project Mgmt", "Projects", "", ("fred.luddy",), (), "aacb62e2c0a80015007f67f752c2b12c"),
    Group("Recommendation Admin", "Recommendations", "", (), (), "c1edeb7ab7232300e64c9489de11a9e3"),
    Group("Report Access Request Approvers", "Who may see which report", "", (), (), "58851c2353322010a480ddeeff7b12b0"),
    Group("RMA Approvers", "Returns", "", (), (), "1c590685c0a8018b2a473a7159ff5d9a"),
)  # fmt: skip
# Members of the base pack's groups that come with these people.
JOINED = {
    "CAB Approval": ("bernard.laboy", "christen.mitchell", "howard.johnson", "ron.kettering"),
    "Problem Analyzers": ("problem.coordinator.b", "problem.task.analyst.a"),
}


def load(database: Database) -> None:
    """Write the people and the groups, and settle what roles they come to hold."""
    write(database, "sys_user", organisation.users(PEOPLE))
    write(database, "sys_user_group", organisation.groups(GROUPS, person_id))
    write(database, "sys_user_grmember", organisation.members([*GROUPS, *_joined()], person_id))
    write(database, "sys_user_has_role", (row for person in PEOPLE for row in _held(person)))
    for user_name, roles in GRANTED.items():
        known = next(each for each in base.PEOPLE if each.user_name == user_name)
        for row in database.find("sys_user_has_role", user=known.id):
            database.delete("sys_user_has_role", row["sys_id"])
        more = replace(known, roles=(*known.roles, *roles))
        write(database, "sys_user_has_role", _held(more))
        database.update("sys_user", known.id, {"roles": ",".join(sorted(more.roles))}, system=False)


def _joined() -> Iterator[Group]:
    for group in base.GROUPS:
        if group.name in JOINED:
            yield Group(group.name, members=JOINED[group.name], sys_id=group.id)


def _held(person: Person) -> Rows:
    through = [
        role
        for group in base.GROUPS
        if person.user_name in (*group.members, *JOINED.get(group.name, ()))
        for role in group.roles
    ]
    return organisation.held(person.user_name, person.id, person.roles, through)


def person_id(user_name: str) -> str:
    """The sys_id of a user of this pack or of the base pack. Raises KeyError for another."""
    return _IDS[user_name]


_IDS = {person.user_name: person.id for person in (*base.PEOPLE, *PEOPLE)}
