"""What a fleet is made of, and what the Scan Engine would refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from linkspan.config import Config
from linkspan.config.values import AccountConfig, InstanceConfig
from linkspan.core.errors import ConfigError, Unreachable
from linkspan.provision import recipe
from linkspan.provision.fleet import Fleet

RECIPE = recipe.load("scan-engine")


class Line:
    def __init__(self, name: str | None) -> None:
        self.table = self
        self.name = name
        self.asked = 0

    def first(self, _table, _query, fields):
        assert fields == ("value",)
        self.asked += 1
        if self.name == "away":
            raise Unreachable("no answer")
        return None if self.name is None else {"value": self.name}


def account(scheme: str = "basic") -> AccountConfig:
    return AccountConfig(
        name="scanner",
        recipe="scan-engine",
        user_name="svc.scanner",
        instances=("dev", "prod"),
        scheme=scheme,
    )


def config(url: str = "https://acmedev.service-now.com", environment: str = "development") -> Config:
    dev = InstanceConfig(name="dev", url=url, environment=environment, where="linkspan.yaml:3")
    prod = InstanceConfig(name="prod", url="https://acme.service-now.com", environment="production")
    return Config(path=Path("linkspan.yaml"), instances={"dev": dev, "prod": prod})


def test_each_instance_is_asked_once_for_what_it_calls_itself():
    lines = {"dev": Line("acmedev"), "prod": Line("acme")}
    fleet = Fleet(config(), lines.__getitem__)
    for _ in range(2):
        found = fleet.of(account(), RECIPE)
    assert [(one.name, one.instance_name, one.unknown) for one in found] == [
        ("dev", "acmedev", ""),
        ("prod", "acme", ""),
    ]
    assert [line.asked for line in lines.values()] == [1, 1]


def test_a_recipe_that_registers_nothing_asks_nobody():
    assert Fleet(config(environment="production"), {}.__getitem__).of(account(), recipe.load("sync")) == ()


@pytest.mark.parametrize(
    ("name", "says"),
    [("away", "could not be asked"), (None, "no system property"), ("acme", "both call themselves acme")],
)
def test_a_name_that_is_not_known_is_said(name, says):
    lines = {"dev": Line("acme"), "prod": Line(name)}
    *_, prod = Fleet(config(), lines.__getitem__).of(account(), RECIPE)
    assert prod.instance_name == ""
    assert says in prod.unknown


@pytest.mark.parametrize(
    ("given", "scheme", "says"),
    [
        ({"environment": "production"}, "basic", "exactly one production instance, not 2"),
        ({"url": "https://www.acme.example"}, "basic", "www"),
        ({}, "oauth_client", "no password"),
    ],
)
def test_what_the_scan_engine_would_refuse_is_a_mistake(given, scheme, says):
    with pytest.raises(ConfigError, match=says) as caught:
        Fleet(config(**given), {}.__getitem__).of(account(scheme), RECIPE)
    assert caught.value.where.startswith("linkspan.yaml:")
