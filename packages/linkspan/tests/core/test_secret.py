"""A secret shows itself to ``reveal`` only."""

import copy
import json
import pickle

import pytest

from linkspan.core.secret import Secret


def test_no_way_of_printing_shows_it() -> None:
    secret = Secret("hunter2")
    shown = [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret:>20}",
        "%s" % secret,  # noqa: UP031 - one of the ways
        repr([secret]),
        repr({"a": secret}),
    ]
    assert not [text for text in shown if "hunter2" in text]
    assert secret.reveal() == "hunter2"


def test_it_is_not_written_into_files() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Secret("hunter2"))
    with pytest.raises(TypeError):
        copy.deepcopy(Secret("hunter2"))
    with pytest.raises(TypeError):
        json.dumps(Secret("hunter2"))


def test_equality_is_by_text_and_never_with_plain_text() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert not Secret("")


def test_of_wraps_once() -> None:
    secret = Secret("a")
    assert Secret.of(secret) is secret
    assert Secret.of("a") == secret
