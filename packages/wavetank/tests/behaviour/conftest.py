"""Records written by one person, past HTTP and access controls, with every rule."""

from collections.abc import Callable

import pytest

from wavetank.behaviour import pipeline
from wavetank.database.store import Row
from wavetank.instance import Instance
from wavetank.security.who import Session

Make = Callable[..., Row]


@pytest.fixture
def beth(instance: Instance) -> Session:
    user = instance.database.first("sys_user", user_name="beth.anglin")
    assert user is not None
    return instance.identity.session(user, "basic")


@pytest.fixture
def add(instance: Instance, beth: Session) -> Make:
    """A new record: add(table, field=value …)."""
    return lambda table, **values: pipeline.insert(instance, beth, table, values)


@pytest.fixture
def edit(instance: Instance, beth: Session) -> Make:
    """A record changed, as it is by then: edit(table, row, field=value …)."""

    def done(table: str, row: Row, **values: str) -> Row:
        here = instance.database.get(table, row["sys_id"])
        assert here is not None
        return pipeline.update(instance, beth, table, here, values)

    return done


@pytest.fixture
def make(instance: Instance, beth: Session) -> Make:
    return lambda **values: pipeline.insert(
        instance, beth, "incident", {"short_description": "it broke", **values}
    )


@pytest.fixture
def change(instance: Instance, beth: Session) -> Make:
    return lambda row, **values: pipeline.update(instance, beth, "incident", row, values)
