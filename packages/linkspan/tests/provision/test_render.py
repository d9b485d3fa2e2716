from __future__ import annotations

from linkspan.provision import render
from linkspan.provision.values import Change, FieldChange, InstancePlan, Plan


def test_a_value_of_the_instance_stays_on_its_line():
    fields = {"source": FieldChange(before="a\n\n# b\r\n\u2028- c", after="linkspan:responder")}
    change = Change(
        account="responder",
        action="update",
        kind="user",
        key="svc.responder",
        because="it must",
        fields=fields,
    )
    plan = Plan(instances={"dev": InstancePlan(instance="dev", changes=(change,))})
    assert "- source: a # b - c → linkspan:responder\n" in render.markdown(plan)
