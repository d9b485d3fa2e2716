"""The fields of a UI view: what `sysparm_view` chooses.

Views are records: a list layout is `sys_ui_list` with its `sys_ui_list_element`s, a form is `sys_ui_section`
with its `sys_ui_element`s. A class without a layout of its own in a view has that of the class above it.
ServiceNow docs: "Table API", sysparm_view; which layout counts is not documented, hence a setting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wavetank.database.dictionary import Table
    from wavetank.instance import Instance

# The view without a name, and the parameter's documented values that are no names of views.
DEFAULT = "Default view"
_NAMED = {"desktop": ("",), "mobile": ("mobile",), "both": ("", "mobile"), "default": ("",)}


def fields_of(instance: Instance, table: Table, view: str) -> list[str]:
    """The fields that a view shows of a table; [] for all of them."""
    names = _NAMED.get(view.lower(), (view,))
    found: list[str] = []
    for name in names:
        sys_id = _view(instance, name)
        if sys_id is not None:
            found += _layout(instance, table, sys_id)
    if not found and instance.settings.get("unknown_view") == "default":
        found = _layout(instance, table, DEFAULT)
    return [name for name in dict.fromkeys(found) if instance.dictionary.walk(table.name, name)]


def _view(instance: Instance, name: str) -> str | None:
    if name == "":
        return DEFAULT
    row = instance.database.first("sys_ui_view", name=name) or instance.database.first(
        "sys_ui_view", title=name
    )
    return row["sys_id"] if row else None


def _layout(instance: Instance, table: Table, view: str) -> list[str]:
    """The elements of the view's layout for the table, or for the nearest class above that has one."""
    listed = instance.settings.get("view_layout") == "list"
    for name in instance.dictionary.hierarchy(table.name):
        found = _list(instance, name, view) if listed else _form(instance, name, view)
        if found:
            return found
    return []


def _list(instance: Instance, table: str, view: str) -> list[str]:
    """The columns of everybody's list: not of a related list, nor of one that a user arranged."""
    for row in instance.database.find("sys_ui_list", name=table, view=view, sys_user="", parent=""):
        return _elements(instance, "sys_ui_list_element", list_id=row["sys_id"])
    return []


def _form(instance: Instance, table: str, view: str) -> list[str]:
    sections = instance.database.find("sys_ui_section", name=table, view=view)
    return [
        name
        for section in sections
        for name in _elements(instance, "sys_ui_element", sys_ui_section=section["sys_id"])
    ]


def _elements(instance: Instance, table: str, **owner: str) -> list[str]:
    rows = instance.database.find(table, **owner)
    return [row["element"] for row in sorted(rows, key=lambda row: int(row["position"] or 0))]
