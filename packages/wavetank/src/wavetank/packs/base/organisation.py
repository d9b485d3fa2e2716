"""Roles and who holds them, people and groups, companies and places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from wavetank.database.shipped import sys_id_for
from wavetank.packs.base import people, roles
from wavetank.packs.base.people import Group, Person, user_id
from wavetank.packs.base.roles import role_id
from wavetank.packs.writing import Rows
from wavetank.security.passwords import hash_password


def rows() -> Iterator[tuple[str, Rows]]:
    """The rows by table."""
    yield "sys_user_role", _roles()
    yield "sys_user_role_contains", _contained_roles()
    yield "core_company", _companies()
    yield "cmn_location", _locations()
    yield "cmn_department", _departments()
    yield "sys_user", users(people.PEOPLE)
    yield "sys_user_group", groups(people.GROUPS)
    yield "sys_user_grmember", members(people.GROUPS)
    yield "sys_group_has_role", _group_roles(people.GROUPS)
    yield "sys_user_has_role", _held_roles(people.PEOPLE, people.GROUPS)


def _roles() -> Rows:
    for name in roles.names():
        yield {
            "sys_id": role_id(name),
            "name": name,
            "suffix": name.rpartition(".")[2],
            "elevated_privilege": "true" if name in roles.ELEVATED else "false",
        }


def _contained_roles() -> Rows:
    for name, contained in roles.ROLES.items():
        for each in contained:
            yield {
                "sys_id": sys_id_for("sys_user_role_contains", name, each),
                "role": role_id(name),
                "contains": role_id(each),
            }


def _companies() -> Rows:
    for name in people.COMPANIES:
        yield {"sys_id": people.company_id(name), "name": name}


def _locations() -> Rows:
    for name, (city, state, country, time_zone) in people.LOCATIONS.items():
        yield {
            "sys_id": people.location_id(name),
            "name": name,
            "full_name": f"{country}/{name}",
            "city": city,
            "state": state,
            "country": country,
            "time_zone": time_zone,
        }


def _departments() -> Rows:
    for name, (_, head) in people.DEPARTMENTS.items():
        yield {
            "sys_id": people.department_id(name),
            "name": name,
            "dept_head": user_id(head) if head else "",
            "company": people.company_id("ACME North America"),
        }


def users(listed: Iterable[Person]) -> Rows:
    """The users' own rows. Places go round, nobody's is known."""
    places = list(people.LOCATIONS)
    for index, person in enumerate(listed):
        first, _, last = person.name.partition(" ")
        yield {
            "sys_id": person.id,
            "user_name": person.user_name,
            "first_name": first,
            "last_name": last,
            "name": person.name,
            "email": person.email or f"{person.user_name}@example.com",
            "title": person.title,
            "department": people.department_id(person.department) if person.department else "",
            "company": people.company_id("ACME North America"),
            "location": people.location_id(places[index % len(places)]),
            "identity_type": "human",
            "roles": ",".join(sorted(person.roles)),
            "user_password": hash_password("admin") if person.user_name == "admin" else "",
        }


def groups(listed: Iterable[Group], who: Callable[[str], str] = user_id) -> Rows:
    """The groups' own rows; `who` gives the sys_id of a user name."""
    for group in listed:
        yield {
            "sys_id": group.id,
            "name": group.name,
            "description": group.description,
            "manager": who(group.manager) if group.manager else "",
        }


def members(listed: Iterable[Group], who: Callable[[str], str] = user_id) -> Rows:
    """Who is in the groups; `who` gives the sys_id of a user name."""
    for group in listed:
        for user in group.members:
            yield {
                "sys_id": sys_id_for("sys_user_grmember", group.name, user),
                "user": who(user),
                "group": group.id,
            }


def _group_roles(listed: Iterable[Group]) -> Rows:
    for group in listed:
        for role in group.roles:
            yield {
                "sys_id": sys_id_for("sys_group_has_role", group.name, role),
                "group": group.id,
                "role": role_id(role),
            }


def _held_roles(listed: Iterable[Person], their_groups: Sequence[Group]) -> Rows:
    for person in listed:
        through = [
            role for group in their_groups if person.user_name in group.members for role in group.roles
        ]
        yield from held(person.user_name, person.id, person.roles, through)


def held(user_name: str, sys_id: str, granted: Iterable[str], through_groups: Iterable[str]) -> Rows:
    """Grants, and what they and the groups imply: one row a role."""
    granted = tuple(granted)
    sources = Counter(through_groups)
    for role in (*granted, *sources.elements()):
        sources.update(roles.below(role))
    for role in dict.fromkeys([*granted, *sources]):
        yield {
            "sys_id": sys_id_for("sys_user_has_role", user_name, role),
            "user": sys_id,
            "role": role_id(role),
            "inherited": "false" if role in granted else "true",
            "inh_count": str(sources[role]),
        }
