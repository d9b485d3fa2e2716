"""Vendors' guides, step by step over HTTP: they end in calls that work, and what each step is good for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from packages.wavetank.tests.access import incident_io
from packages.wavetank.tests.access.guide import Guide, Omission
from packages.wavetank.tests.access.guides import GUIDES
from packages.wavetank.tests.access.outside import House

# Each row is a whole guide carried out.
pytestmark = pytest.mark.slow

ALL = [pytest.param(guide, id=guide.name) for guide in GUIDES]


@pytest.mark.parametrize("guide", ALL)
def test_carried_out_as_a_whole_it_works(house: House, guide: Guide) -> None:
    assert guide.carried_out(house) == {}


@pytest.mark.parametrize("guide", ALL)
def test_every_step_has_its_row(guide: Guide) -> None:
    alone = [
        omission.steps[0] for omission in guide.omissions if len(omission.steps) == 1 and not omission.where
    ]
    assert sorted(alone) == sorted(step.number for step in guide.steps)
    assert len({omission.id for omission in guide.omissions}) == len(guide.omissions)


@pytest.mark.claim("acl-elevation")
@pytest.mark.claim("api-key-needs-policy")
@pytest.mark.claim("api-key-reveal")
@pytest.mark.claim("policy-allow-list")
@pytest.mark.claim("role-guide-incident-io")
@pytest.mark.parametrize(
    ("guide", "omission"),
    [
        pytest.param(guide, omission, id=f"{guide.name}: {omission.id}")
        for guide in GUIDES
        for omission in guide.omissions
    ],
)
def test_what_leaving_out_a_step_does(
    guide: Guide, omission: Omission, request: pytest.FixtureRequest
) -> None:
    bare = guide.installs in omission.steps
    house: House = request.getfixturevalue("bare_house" if bare else "house")
    if omission.start is not None:
        omission.start(house)
    assert guide.carried_out(house, omission.steps) == omission.fails


@pytest.mark.claim("role-guide-incident-io")
def test_the_role_admin_instead_of_the_app(bare_house: House) -> None:
    """Everything but the app's own table, which is not there."""
    guide = replace(incident_io.GUIDE, steps=incident_io.BY_ADMIN, installs="")
    invalid = "400 Invalid table x_incident_io_sync_configuration"
    assert guide.carried_out(bare_house, ["1"]) == {incident_io.SYNC: invalid}
