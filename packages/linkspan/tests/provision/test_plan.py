from __future__ import annotations

from linkspan.provision import render
from linkspan.provision.values import Plan, checksum


def ids(plan, action=None):
    return [change.id for change in plan.changes if action in (None, change.action)]


def test_a_bare_instance_needs_everything_in_order(world):
    plan = world.plan()
    assert ids(plan, "create") == [
        "group/linkspan.responder",
        "group_role/linkspan.responder: sn_incident_write",
        "group_role/linkspan.responder: snc_platform_rest_api_access",
        "user/svc.responder",
        "membership/svc.responder in linkspan.responder",
        "credential/store:dev/responder/basic",
    ]
    made = set()
    for change in plan.changes:
        assert set(change.after) <= made, f"{change.id} comes before what it needs"
        made.add(change.id)
    assert not plan.brakes


def test_planning_writes_nothing(world):
    world.plan(world.intent("oauth_client"))
    assert world.tables.writes == []
    assert world.shelf.waiting == {}
    assert world.marks.rows == {}


def test_the_user_is_a_machine_with_an_owner(world):
    user = next(change for change in world.plan().changes if change.kind == "user")
    shown = {name: one.after for name, one in user.fields.items()}
    assert shown["web_service_access_only"] == "true"
    assert shown["identity_type"] == "machine"
    assert shown["time_zone"] == "GMT"
    assert shown["manager"] == "abel.tuter"
    assert "user_password" not in shown


def test_client_credentials_ask_for_the_property_and_an_application(world):
    plan = world.plan(world.intent("oauth_client"))
    kinds = [change.kind for change in plan.changes]
    assert kinds[0] == "property"
    application = next(change for change in plan.changes if change.kind == "oauth_application")
    assert application.fields["user"].after == "svc.responder"
    assert application.fields["scope_restriction_status"].after == "unrestricted"
    assert "client_secret" not in application.fields


def test_a_missing_role_is_a_manual_step_and_is_never_made(world):
    plan = world.plan(world.intent(roles=("u_ticket_user",)))
    manual = [change for change in plan.changes if change.action == "manual"]
    assert [change.id for change in manual] == ["role/u_ticket_user"]
    assert "u_ticket_user" in manual[0].artefact
    assert not [change for change in plan.changes if change.kind == "group_role"]
    assert not [one for one in ids(plan, "create") if one.startswith("role/")]


def test_a_missing_owner_is_told_and_leaves_the_manager_open(world):
    plan = world.plan(world.intent(owner="nobody.here"))
    assert "owner/nobody.here" in ids(plan, "manual")
    user = next(change for change in plan.changes if change.kind == "user")
    assert "manager" not in user.fields


def test_a_foreign_user_of_the_same_name_is_a_brake(world):
    world.tables.add("sys_user", user_name="svc.responder", first_name="Somebody")
    plan = world.plan()
    assert [brake.id for brake in plan.brakes] == ["foreign_record:user/svc.responder"]


def test_our_own_mark_on_the_instance_is_enough_to_know_it_again(world):
    world.apply(world.plan())
    world.marks.rows.clear()
    assert world.plan().brakes == ()


def test_a_record_made_anew_by_somebody_else_is_foreign(world):
    world.apply(world.plan())
    row = next(row for row in world.tables.rows["sys_user_group"])
    row.update(sys_id="another", source="")
    assert "foreign_record:group/linkspan.responder" in [brake.id for brake in world.plan().brakes]


def test_granting_admin_is_a_brake_until_it_is_granted(world):
    intent = world.intent(roles=("admin",))
    plan = world.plan(intent)
    assert [brake.id for brake in plan.brakes] == ["sacred_role:admin"]
    world.apply(plan, intent)
    assert world.plan(intent).brakes == ()


def test_a_second_plan_is_empty_for_every_scheme(world):
    for scheme in ("basic", "oauth_password", "oauth_client"):
        fresh = type(world)()
        intent = fresh.intent(scheme)
        assert fresh.apply(fresh.plan(intent), intent).problem is None
        assert fresh.plan(intent).changes == (), scheme


def test_what_the_server_encodes_otherwise_is_not_drift(world):
    world.apply(world.plan())
    user = next(row for row in world.tables.rows["sys_user"] if row["user_name"] == "svc.responder")
    user.update(active="1", locked_out="0", first_name="Linkspan ")
    assert world.plan().changes == ()


def test_drift_is_shown_with_both_values(world):
    world.apply(world.plan())
    user = next(row for row in world.tables.rows["sys_user"] if row["user_name"] == "svc.responder")
    user.update(web_service_access_only="false", time_zone="US/Pacific")
    (change,) = world.plan().changes
    assert change.action == "update"
    assert {name: (one.before, one.after) for name, one in change.fields.items()} == {
        "web_service_access_only": ("false", "true"),
        "time_zone": ("US/Pacific", "GMT"),
    }


def test_a_role_no_longer_named_is_taken_back(world):
    world.apply(world.plan())
    fewer = world.intent(roles=("sn_incident_write",))
    plan = world.plan(fewer)
    assert ids(plan) == ["group_role/linkspan.responder: snc_platform_rest_api_access"]
    assert ids(plan, "delete") == ids(plan)
    assert plan.brakes == ()
    assert world.apply(plan, fewer).problem is None
    assert world.plan(fewer).changes == ()


def test_removing_a_third_of_what_we_own_is_a_brake(world):
    roles = ("sn_incident_write", "snc_platform_rest_api_access", "itil")
    world.apply(world.plan(world.intent(roles=roles)), world.intent(roles=roles))
    plan = world.plan(world.intent(roles=()))
    assert len(ids(plan, "delete")) == 3
    assert [brake.id for brake in plan.brakes] == ["many_deletes"]


def test_a_role_somebody_added_to_our_group_is_told_and_stays(world):
    world.apply(world.plan())
    group = world.tables.rows["sys_user_group"][0]["sys_id"]
    role = next(row["sys_id"] for row in world.tables.rows["sys_user_role"] if row["name"] == "itil")
    world.tables.add("sys_group_has_role", group=group, role=role)
    (change,) = world.plan().changes
    assert (change.action, change.key) == ("manual", "linkspan.responder: itil")


def test_fields_that_a_release_lacks_are_left_out(world):
    for element in ("user_name", "first_name", "last_name", "active"):
        world.tables.add("sys_dictionary", name="sys_user", element=element)
    user = next(change for change in world.plan().changes if change.kind == "user")
    assert "identity_type" not in user.fields
    assert "web_service_access_only" in user.fields  # not optional: its absence must not pass unseen


def test_the_checksum_stands_for_the_published_changes(world):
    plan = Plan(instances={"dev": world.plan()})
    document = plan.document()
    assert checksum(document["instances"]) == document["checksum"]
    document["instances"]["dev"]["changes"][0]["key"] = "another"
    assert checksum(document["instances"]) != document["checksum"]
    assert Plan(instances={"dev": world.plan()}).checksum == plan.checksum


def test_the_plan_reads_as_sentences(world):
    text = "\n".join(line for _, line in render.lines(Plan(instances={"dev": world.plan()})))
    assert (
        "create group role linkspan.responder: sn_incident_write, because it needs sn_incident_write" in text
    )
