"""Accounts that linkspan provisioned, as PySNC uses them on wavetank."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from pysnc import ServiceNowClient
from pysnc.exceptions import RoleException

from linkspan.flows.setup import apply_all, plan_all
from linkspan.flows.wiring import Wiring

RECIPE = """\
recipe: caretaker
says: A caretaker of incidents.
profiles:
  least:
    says: Opens, works on and deletes incidents.
    grants:
      - role: itil
        because: incidents are opened and worked on
      - role: itil_admin
        because: obsolete incidents are deleted
"""
CONFIG = """\
version: 1
instances:
  dev:
    url: "{url}"
    environment: development
    admin: {{scheme: basic, user: admin, secret: "env:DEV_ADMIN"}}
accounts:
  responder:
    {{recipe: sync, profile: least, user_name: svc.responder, owner: admin, instances: [dev], scheme: basic}}
  caretaker:
    {{recipe: caretaker.yaml, user_name: svc.caretaker, owner: admin, instances: [dev], scheme: basic}}
"""


@pytest.fixture
def secrets(wavetank: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wiring]:
    """Both accounts, provisioned; their secrets are in the wiring's store."""
    monkeypatch.setenv("DEV_ADMIN", "admin")
    monkeypatch.setenv("LINKSPAN_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    (tmp_path / "caretaker.yaml").write_text(RECIPE)
    (tmp_path / "linkspan.yaml").write_text(CONFIG.format(url=wavetank.url))
    with Wiring.open(tmp_path / "linkspan.yaml", home=tmp_path) as wiring:
        result = apply_all(wiring, plan_all(wiring))
        assert result.problems == ()
        yield wiring


def client(wavetank: Any, wiring: Wiring, account: str) -> ServiceNowClient:
    """PySNC as people use it: https, the CA by path, user and password."""
    credential = wiring.credential(account, "dev")
    made = ServiceNowClient(wavetank.tls_url, (credential.user, credential.password.reveal()))
    made.session.verify = str(wavetank.ca)
    made.session.trust_env = False
    return made


def incident(client: ServiceNowClient, sys_id: str) -> Any:
    record = client.GlideRecord("incident")
    assert record.get(sys_id)
    return record


def test_the_life_of_an_incident(wavetank: Any, secrets: Wiring) -> None:
    caretaker = client(wavetank, secrets, "caretaker")
    record = caretaker.GlideRecord("incident")
    record.initialize()
    record.short_description = "Printer on fire"
    record.impact = "1"
    record.urgency = "1"
    sys_id = record.insert()
    assert sys_id

    found = caretaker.GlideRecord("incident")
    found.add_query("short_description", "STARTSWITH", "Printer")
    found.add_query("priority", "1")
    found.query()
    assert [row.get_value("sys_id") for row in found] == [sys_id]
    assert len(found) == 1

    record = incident(caretaker, sys_id)
    assert record.get_display_value("priority") == "1 - Critical"
    assert record.get_value("number").startswith("INC")
    record.urgency = "3"
    assert record.update()
    assert incident(caretaker, sys_id).get_value("priority") == "3"

    assert incident(caretaker, sys_id).delete()
    assert not caretaker.GlideRecord("incident").get(sys_id)


def test_more_rows_than_a_page(wavetank: Any, secrets: Wiring) -> None:
    caretaker = client(wavetank, secrets, "caretaker")
    made = set()
    for number in range(7):
        record = caretaker.GlideRecord("incident", batch_size=3)
        record.initialize()
        record.short_description = f"Row {number}"
        made.add(record.insert())
    found = caretaker.GlideRecord("incident", batch_size=3)
    found.add_query("short_description", "STARTSWITH", "Row ")
    found.order_by("short_description")
    found.query()
    rows = [(row.get_value("sys_id"), row.get_value("short_description")) for row in found]
    assert {sys_id for sys_id, _ in rows} == made
    assert [text for _, text in rows] == [f"Row {number}" for number in range(7)]


def test_what_the_roles_do_not_allow_is_refused(wavetank: Any, secrets: Wiring) -> None:
    responder = client(wavetank, secrets, "responder")
    record = responder.GlideRecord("incident")
    record.initialize()
    record.short_description = "Mine to open"
    sys_id = record.insert()
    assert sys_id
    with pytest.raises(RoleException):
        incident(responder, sys_id).delete()
    assert incident(responder, sys_id)

    user = responder.GlideRecord("sys_user")
    user.initialize()
    user.user_name = "mallory"
    with pytest.raises(RoleException):
        user.insert()

    properties = responder.GlideRecord("sys_properties")
    properties.query()
    assert list(properties) == []

    change = responder.GlideRecord("problem")
    change.initialize()
    change.short_description = "Not mine"
    with pytest.raises(RoleException):
        change.insert()


def test_a_refused_update_says_so(wavetank: Any, secrets: Wiring) -> None:
    record = incident(client(wavetank, secrets, "caretaker"), _new(wavetank, secrets))
    record.state = "6"  # resolved without a resolution code: a data policy refuses it
    with pytest.raises(RoleException, match="Resolution code"):
        record.update()


def test_a_wrong_password_is_refused(wavetank: Any, secrets: Wiring) -> None:
    stranger = ServiceNowClient(wavetank.tls_url, ("svc.responder", "wrong"))
    stranger.session.verify = str(wavetank.ca)
    stranger.session.trust_env = False
    record = stranger.GlideRecord("incident")
    with pytest.raises(Exception, match=r"[Nn]ot [Aa]uthenticated|401"):
        record.query()


def test_an_unknown_authority_is_refused(wavetank: Any, secrets: Wiring) -> None:
    credential = secrets.credential("responder", "dev")
    made = ServiceNowClient(wavetank.tls_url, (credential.user, credential.password.reveal()))
    made.session.trust_env = False
    with pytest.raises(requests.exceptions.SSLError):
        made.GlideRecord("incident").query()


def _new(wavetank: Any, wiring: Wiring) -> str:
    record = client(wavetank, wiring, "caretaker").GlideRecord("incident")
    record.initialize()
    record.short_description = "To be resolved"
    return str(record.insert())
