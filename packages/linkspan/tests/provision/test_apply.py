from __future__ import annotations

import pytest

from linkspan.core.errors import LinkspanError, NotAuthenticated

SCHEMES = ("basic", "oauth_password", "oauth_client")
COUNTED = ("sys_user_group", "sys_group_has_role", "sys_user_grmember", "oauth_entity", "sys_properties")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_apply_ends_with_a_login_and_a_confirmed_secret(world, scheme):
    intent = world.intent(scheme)
    applied = world.apply(world.plan(intent), intent)
    assert applied.problem is None
    assert applied.logins == {"responder": "svc.responder"}
    assert world.order(intent).credentials.state == "confirmed"
    assert world.failed_logins == 0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_secret_is_stored_before_it_is_sent(world, scheme):
    sent = []

    def look(table, values):
        for name in ("user_password", "client_secret"):
            if name in values:
                sent.append(name)
                assert values[name] in str(world.shelf.waiting)

    world.tables.before_write = look
    intent = world.intent(scheme)
    world.apply(world.plan(intent), intent)
    assert sent


def test_the_password_travels_as_a_display_value(world):
    world.apply(world.plan())
    user = next(row for row in world.tables.rows["sys_user"] if row["user_name"] == "svc.responder")
    assert not user["user_password"].startswith("literal:")


def test_every_change_is_in_the_ledger_and_no_secret_is(world):
    plan = world.plan(world.intent("oauth_password"))
    world.apply(plan, world.intent("oauth_password"))
    assert [entry[2] for entry in world.ledger.entries] == [f"dev/{change.id}" for change in plan.changes]
    secrets = world.order(world.intent("oauth_password")).credentials.parts()
    for value in (secrets["password"], secrets["client_secret"]):
        assert value not in str(world.ledger.entries)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_it_goes_on_after_any_write_breaks(world, scheme, moment):
    intent = world.intent(scheme)
    whole = type(world)()
    whole.apply(whole.plan(intent), intent)
    for number in range(1, len(whole.tables.writes) + 1):
        fresh = type(world)()
        fresh.tables.break_at = (number, moment)
        fresh.apply(fresh.plan(intent), intent)
        fresh.tables.break_at = None
        second = fresh.plan(intent)
        assert second.brakes == (), f"write {number} {moment}"
        applied = fresh.apply(second, intent)
        assert applied.problem is None, f"write {number} {moment}"
        assert fresh.plan(intent).changes == (), f"write {number} {moment}"
        for table in COUNTED:
            assert len(fresh.tables.rows.get(table, [])) == len(whole.tables.rows.get(table, [])), table
        users = [row for row in fresh.tables.rows["sys_user"] if row["user_name"] == "svc.responder"]
        assert len(users) == 1
        assert fresh.failed_logins <= 1
        assert all(mark.sys_id for mark in fresh.marks.find("dev"))


class Killed(BaseException):
    pass


def test_it_goes_on_after_being_killed_between_the_write_and_the_mark(world):
    """SIGKILL after the instance committed: nothing of ours runs any more."""
    intent = world.intent("oauth_client")
    total = 40
    for number in range(1, total):
        fresh = type(world)()
        real = fresh.tables._write

        def write(*arguments, real=real, fresh=fresh, number=number):
            row = real(*arguments)
            if len(fresh.tables.writes) == number:
                raise Killed
            return row

        fresh.tables._write = write
        try:
            fresh.apply(fresh.plan(intent), intent)
        except Killed:
            pass
        else:
            assert number > 6
            break
        fresh.tables._write = real
        second = fresh.plan(intent)
        assert second.brakes == ()
        assert fresh.apply(second, intent).problem is None
        assert fresh.plan(intent).changes == ()
        assert len(fresh.tables.rows["oauth_entity"]) == 1


def test_a_secret_marked_for_renewal_is_sent_to_the_existing_user(world):
    world.apply(world.plan())
    world.shelf.put("dev/responder/basic", "A-new-secret-1", pending=True)
    (change,) = world.plan().changes
    assert change.kind == "credential"
    assert world.apply(world.plan()).problem is None
    user = next(row for row in world.tables.rows["sys_user"] if row["user_name"] == "svc.responder")
    assert user["user_password"] == "A-new-secret-1"
    assert world.shelf.get("dev/responder/basic") == "A-new-secret-1"


def test_a_refused_login_is_the_problem_and_the_secret_stays_pending(world):
    def refuse(intent, credentials):
        raise NotAuthenticated("no")

    world.login = refuse
    applied = world.apply(world.plan())
    assert isinstance(applied.problem, NotAuthenticated)
    assert world.order().credentials.state == "pending"


def test_a_login_as_somebody_else_is_refused(world):
    world.login = lambda intent, credentials: "admin"
    applied = world.apply(world.plan())
    assert isinstance(applied.problem, LinkspanError)
    assert applied.problem.code == "wrong_account"
    assert world.order().credentials.state == "pending"


def test_what_appears_after_the_plan_is_not_taken_over(world):
    plan = world.plan()
    world.tables.add("sys_user_group", name="linkspan.responder")
    applied = world.apply(plan)
    assert applied.problem.code == "stale" or "appeared" in applied.problem.cause
    assert len(world.tables.rows["sys_user_group"]) == 1
    assert applied.done == []


def test_a_value_the_instance_did_not_keep_is_told(world):
    real = world.tables._stored
    world.tables._stored = lambda values, display: {
        **real(values, display),
        **({"web_service_access_only": "false"} if "web_service_access_only" in values else {}),
    }
    applied = world.apply(world.plan())
    assert applied.problem.code == "write_not_kept"
    assert "web_service_access_only" in applied.problem.cause


def test_manual_steps_are_left_and_told(world):
    intent = world.intent(roles=("u_ticket_user",))
    applied = world.apply(world.plan(intent), intent)
    assert [change.key for change in applied.manual] == ["u_ticket_user"]
    assert applied.problem is None
    assert not applied.document()["ok"]


def test_an_application_made_anew_gets_its_new_id_known(world):
    intent = world.intent("oauth_client")
    world.apply(world.plan(intent), intent)
    world.tables.rows["oauth_entity"].clear()
    world.tables.add("unrelated")
    plan = world.plan(intent)
    assert [change.kind for change in plan.changes] == ["oauth_application", "oauth_profile", "credential"]
    world.tables.rows["oauth_entity"].append({"sys_id": "x", "name": "another", "client_id": "client0"})
    assert world.apply(plan, intent).problem is None
    assert world.order(intent).credentials.client_id == "client1"
    assert world.plan(intent).changes == ()


def test_an_application_whose_id_changed_is_learned_again(world):
    intent = world.intent("oauth_client")
    world.apply(world.plan(intent), intent)
    world.tables.rows["oauth_entity"][0]["client_id"] = "another"
    (change,) = world.plan(intent).changes
    assert change.kind == "credential"
    assert change.fields["client_id"].after == "another"
    assert world.apply(world.plan(intent), intent).problem is None
    assert world.plan(intent).changes == ()
