"""Update set files as instances export them, and a person who imports them in a browser."""

import html
import re
import zlib
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from wavetank.apis import table, ui
from wavetank.front import Front
from wavetank.instance import Instance

SET = "5e" * 16
LIST = "sys_remote_update_set_list.do"


def sid(text: str) -> str:
    """32 hexadecimal digits that a text always has."""
    return f"{zlib.crc32(text.encode()):08x}" * 4


def record(table: str, sys_id: str, action: str = "INSERT_OR_UPDATE", **values: str) -> str:
    """A payload: one record."""
    fields = "".join(f"<{name}>{html.escape(value)}</{name}>" for name, value in values.items())
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><record_update table="{table}">'
        f'<{table} action="{action}">{fields}<sys_id>{sys_id}</sys_id></{table}></record_update>'
    )


def update(payload: str, *, of: str = SET, action: str = "INSERT_OR_UPDATE", **values: str) -> str:
    """An update of a set."""
    found = re.search(r'table="(\w+)".*<sys_id>(\w+)</sys_id>', payload, re.DOTALL)
    name = f"{found[1]}_{found[2]}" if found else "broken"
    fields = {"application": "global", "name": name, "target_name": name, **values}
    inner = "".join(f"<{key}>{html.escape(value)}</{key}>" for key, value in fields.items())
    return (
        f'<sys_update_xml action="INSERT_OR_UPDATE"><action>{action}</action>{inner}'
        f'<payload><![CDATA[{payload}]]></payload><remote_update_set display_value="s">{of}</remote_update_set>'
        "<sys_id/></sys_update_xml>"
    )


def unload(*updates: str, sys_id: str = SET, date: str = "2026-11-01 10:00:00", **values: str) -> bytes:
    """A file with one update set."""
    fields = {"name": "Follow-ups", "application": "global", "state": "loaded", **values}
    inner = "".join(f"<{name}>{html.escape(value)}</{name}>" for name, value in fields.items())
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><unload unload_date="{date}">'
        f'<sys_remote_update_set action="INSERT_OR_UPDATE">{inner}<sys_id>{sys_id}</sys_id>'
        f"</sys_remote_update_set>{''.join(updates)}</unload>"
    ).encode()


def access(name: str, operations: Iterable[str], role: str, **values: str) -> list[str]:
    """The updates of access controls that let a role in."""
    made = []
    for operation in operations:
        acl = sid(f"{name} {operation}")
        fields = {"name": name, "operation": operation, "type": "record", "active": "true", **values}
        made.append(update(record("sys_security_acl", acl, **fields)))
        link = {"sys_security_acl": acl, "sys_user_role": role}
        made.append(update(record("sys_security_acl_role", sid(f"{acl} role"), **link)))
    return made


class Person:
    """Somebody at a browser: logs in, elevates, uploads, and presses the buttons that a page shows."""

    def __init__(self, instance: Instance) -> None:
        apis = Starlette(routes=[*table.routes(), *ui.routes()])
        apis.state.instance = instance
        self.instance = instance
        front = Front(instance, apis, None)
        self.client = TestClient(front, base_url="http://dev.example:8080", follow_redirects=False)

    def log_in(self, user: str = "admin", password: str = "admin") -> "Person":
        form = {"user_name": user, "user_password": password, "sys_action": "sysverb_login"}
        assert self.client.post("/login.do", data=form).status_code == 302
        return self

    def elevate(self) -> "Person":
        form = {"sysparm_ck": self.token("/elevated_role_dialog.do"), "security_admin": "true"}
        assert self.client.post("/elevated_role_dialog.do", data=form).status_code == 302
        return self

    def token(self, path: str) -> str:
        found = re.search(r'name="sysparm_ck" value="(\w+)"', self.client.get(path).text)
        assert found
        return found[1]

    def upload(self, content: bytes, **form: str) -> Any:
        path = f"/upload.do?sysparm_referring_url={LIST}&sysparm_target=sys_remote_update_set"
        given = {"sysparm_target": "sys_remote_update_set", "sysparm_referring_url": LIST, **form}
        if "sysparm_ck" not in given:
            given["sysparm_ck"] = self.token(path)
        files = {"attachFile": ("set.xml", content, "text/xml")}
        return self.client.post("/sys_upload.do", data=given, files=files)

    def press(self, action: str, sys_id: str = SET, table: str = "sys_remote_update_set") -> Any:
        """Presses a button that the form of the set shows for the record."""
        shown = self.form()
        assert f'value="{sys_id}"' in shown
        assert f'value="{action}"' in shown, f"no button {action}"
        return self.post(action, sys_id, table)

    def post(self, action: str, sys_id: str = SET, table: str = "sys_remote_update_set") -> Any:
        form = {"sysparm_ck": self.token("/elevated_role_dialog.do"), "sys_id": sys_id, "sys_action": action}
        return self.client.post(f"/{table}.do", data=form)

    def form(self, sys_id: str = SET) -> str:
        return str(self.client.get(f"/sys_remote_update_set.do?sys_id={sys_id}").text)


@pytest.fixture
def files() -> SimpleNamespace:
    """The words in which tests write files."""
    words = (sid, record, update, unload, access)
    return SimpleNamespace(set=SET, list=LIST, **{word.__name__: word for word in words})


@pytest.fixture
def person(instance: Instance) -> Person:
    return Person(instance)
