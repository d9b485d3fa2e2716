"""What is excluded is dropped even when it comes unasked, what is hashed never passes in the clear."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from linkspan.core.errors import ConfigError
from linkspan.ingest.exclude import KEY_NAME, Exclusion, exclusion
from linkspan.ingest.values import Batch, Column, Gone, Quarantined, Shape, State, Sweep, kind_of
from linkspan.store.secrets import SecretStore

KEY = b"k" * 32
PERSON = "62826bf03710200044e0bfc8bcbe5df1"


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("LINKSPAN_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    return SecretStore(tmp_path)


def test_a_row_keeps_only_what_was_asked_for():
    treat = Exclusion(exclude=frozenset({"description"}), hash=frozenset({"caller_id"}), key=KEY)
    row = {"sys_id": "a", "description": "secret", "unasked": "x", "caller_id": PERSON, "number": "1"}
    digest = hmac.new(KEY, PERSON.encode(), hashlib.sha256).hexdigest()
    assert treat.apply([row], frozenset({"sys_id", "description", "caller_id", "number"})) == [
        {"sys_id": "a", "caller_id": digest, "number": "1"}
    ]


@pytest.mark.parametrize(
    "form", [{"link": "https://x", "value": PERSON}, {"display_value": "Abel Tuter", "value": PERSON}]
)
def test_a_reference_that_comes_as_an_object_is_its_value(form):
    treat = Exclusion(hash=frozenset({"caller_id"}), key=KEY)
    (row,) = treat.apply([{"caller_id": form, "opened_by": form}], frozenset({"caller_id", "opened_by"}))
    assert row == {"caller_id": treat.digest(PERSON), "opened_by": PERSON}


def test_empty_stays_empty():
    treat = Exclusion(hash=frozenset({"caller_id"}), key=KEY)
    assert treat.apply([{"caller_id": ""}], frozenset({"caller_id"})) == [{"caller_id": ""}]


def test_the_key_is_made_once_and_differs_between_homes(store, tmp_path):
    first = exclusion([], ["caller_id"], store)
    assert exclusion([], ["opened_by"], store).digest("x") == first.digest("x")
    other = exclusion([], ["caller_id"], SecretStore(tmp_path / "other"))
    assert other.digest("x") != first.digest("x")
    assert store.get(KEY_NAME) not in repr(first)


def test_no_key_is_made_where_nothing_is_hashed(store):
    exclusion(["description"], [], store)
    assert store.names() == ()


@pytest.mark.parametrize("name", ["sys_id", "sys_updated_on", "sys_mod_count", "sys_created_on"])
def test_what_the_reading_goes_by_cannot_be_taken_away(store, name):
    with pytest.raises(ConfigError):
        exclusion([name], [], store)
    with pytest.raises(ConfigError):
        exclusion([], [name], store)


def test_a_field_is_not_both(store):
    with pytest.raises(ConfigError):
        exclusion(["caller_id"], ["caller_id"], store)


def test_a_batch_is_the_same_after_json():
    shape = Shape(
        instance="dev",
        host="https://x",
        table="incident",
        columns=(Column(name="sys_id"),),
        classes=("incident",),
    )
    batch = Batch(
        shape=shape,
        state=State(number=3, sweep=Sweep(high="2026-01-01 00:00:00", after=("2026-01-01 00:00:00", "a"))),
        rows=({"sys_id": "a"},),
        deleted=(Gone(sys_id="b", at="2026-01-01 00:00:00"),),
        quarantined=(Quarantined(sys_id="c", reason="too_large"),),
    )
    assert Batch.decode(batch.encode()) == batch


def test_another_host_table_or_query_is_another_base():
    shape = Shape(instance="dev", host="https://x", table="incident", columns=(), classes=("incident",))
    others = [
        Shape(instance="dev", host="https://y", table="incident", columns=(), classes=()),
        Shape(instance="dev", host="https://x", table="task", columns=(), classes=()),
        Shape(
            instance="dev", host="https://x", table="incident", columns=(), classes=(), query="active=true"
        ),
    ]
    assert shape.fingerprint not in {one.fingerprint for one in others}
    projection = Shape(
        instance="d", host="https://x", table="incident", columns=(Column(name="a"),), classes=()
    )
    assert projection.fingerprint == shape.fingerprint


@pytest.mark.parametrize(
    ("internal", "kind"),
    [
        ("glide_date_time", "timestamp"),
        ("glide_duration", "duration"),
        ("currency", "text"),
        ("reference", "text"),
    ],
)
def test_only_types_whose_text_is_certain_are_typed(internal, kind):
    assert kind_of(internal) == kind
