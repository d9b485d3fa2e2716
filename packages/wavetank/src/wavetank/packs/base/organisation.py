"""Roles and who holds them, people and groups, companies and places."""

from __future__ import annotations

from collections.abc import Iterator

from wavetank.database.shipped import sys_id_for
from wavetank.packs.base import people
from wavetank.packs.base.people import role_id, user_id
from wavetank.packs.writing import Rows, named
from wavetank.security.passwords import hash_password


def rows() -> Iterator[tuple[str, Rows]]:
    """The rows by table."""
    yield "sys_user_role", _roles()
    yield "sys_user_role_contains", _contained_roles()
    yield "core_company", named("core_company", people.COMPANIES)
    yield "cmn_location", _locations()
    yield "cmn_department", _departments()
    yield "sys_user", _users()
    yield "sys_user_group", _groups()
    yield "sys_user_grmember", _members()
    yield "sys_group_has_role", _group_roles()
    yield "sys_user_has_role", _held_roles()


def _all_roles() -> list[str]:
    contained = [name for names in people.ROLES.values() for name in names]
    return list(dict.fromkeys([*people.ROLES, *contained]))


def _roles() -> Rows:
    for name in _all_roles():
        yield {
            "sys_id": role_id(name),
            "name": name,
            "suffix": name.rpartition(".")[2],
            "elevated_privilege": "true" if name in people.ELEVATED else "false",
        }


def _contained_roles() -> Rows:
    for name, contained in people.ROLES.items():
        for each in contained:
            yield {
                "sys_id": sys_id_for("sys_user_role_contains", name, each),
                "role": role_id(name),
                "contains": role_id(each),
            }


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
    for name in people.DEPARTMENTS:
        head = people.DEPARTMENT_HEADS.get(name, "")
        yield {
            "sys_id": people.department_id(name),
            "name": name,
            "dept_head": user_id(head) if head else "",
            "company": people.company_id("ACME North America"),
        }


def _users() -> Rows:
    places = list(people.LOCATIONS)
    for index, (user_name, first, last, email, title, _, department) in enumerate(people.PEOPLE):
        yield {
            "sys_id": user_id(user_name),
            "user_name": user_name,
            "first_name": first,
            "last_name": last,
            "name": f"{first} {last}",
            "email": email,
            "title": title,
            "department": people.department_id(department),
            "company": people.company_id("ACME North America"),
            "location": people.location_id(places[index % len(places)]),
            "identity_type": "human",
            "user_password": hash_password("admin") if user_name == "admin" else "",
        }


def _groups() -> Rows:
    for name, (description, manager, _, _) in people.GROUPS.items():
        yield {
            "sys_id": people.group_id(name),
            "name": name,
            "description": description,
            "manager": user_id(manager) if manager else "",
        }


def _members() -> Rows:
    for group, (_, _, members, _) in people.GROUPS.items():
        for user in members:
            yield {
                "sys_id": sys_id_for("sys_user_grmember", group, user),
                "user": user_id(user),
                "group": people.group_id(group),
            }


def _group_roles() -> Rows:
    for group, (_, _, _, roles) in people.GROUPS.items():
        for role in roles:
            yield {
                "sys_id": sys_id_for("sys_group_has_role", group, role),
                "group": people.group_id(group),
                "role": role_id(role),
            }


def _held_roles() -> Rows:
    """Direct grants, and what they and the groups imply: one row a user and role."""
    for user_name, *_, roles, _ in people.PEOPLE:
        sources: dict[str, int] = {}
        groups = [group for group, (_, _, members, _) in people.GROUPS.items() if user_name in members]
        granted_by_groups = [role for group in groups for role in people.GROUPS[group][3]]
        for role in (*roles, *granted_by_groups):
            for each in _below(role):
                sources[each] = sources.get(each, 0) + 1
        for role in granted_by_groups:
            sources[role] = sources.get(role, 0) + 1
        for role in dict.fromkeys([*roles, *sources]):
            direct = role in roles
            yield {
                "sys_id": sys_id_for("sys_user_has_role", user_name, role),
                "user": user_id(user_name),
                "role": role_id(role),
                "inherited": "false" if direct else "true",
                "inh_count": str(sources.get(role, 0)),
            }


def _below(role: str) -> set[str]:
    found: set[str] = set()
    open_roles = [role]
    while open_roles:
        for each in people.ROLES.get(open_roles.pop(), ()):
            if each not in found:
                found.add(each)
                open_roles.append(each)
    return found
