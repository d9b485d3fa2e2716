from __future__ import annotations

import json

import pytest

from linkspan.cli import run
from linkspan.cli.output import answering, plain, worst
from linkspan.core.errors import ConfigError, Unreachable


@pytest.mark.parametrize(
    ("codes", "expected"), [([], 0), ([0, 1], 1), ([1, 3], 3), ([3, 4, 1], 4), ([4, 2, 3], 2)]
)
def test_the_worst_exit_code_counts(codes, expected):
    assert worst(codes) == expected


def printed(capsys):
    out = capsys.readouterr().out
    assert out.count("\n") == 1, "one object and nothing else"
    return json.loads(out)


def ended(body, as_json):
    import typer

    with pytest.raises(typer.Exit) as caught, answering("try", as_json) as reply:
        body(reply)
    return caught.value.exit_code


def test_json_is_one_envelope(capsys):
    def body(reply):
        reply.result = {"a": "ü"}
        reply.say("not for machines")
        reply.problem(Unreachable("gone", where="dev", fix="wait"))
        reply.ends(1)

    assert ended(body, True) == 3
    assert printed(capsys) == {
        "command": "try",
        "ok": False,
        "exit": 3,
        "result": {"a": "ü"},
        "problems": [{"code": "unreachable", "where": "dev", "cause": "gone", "fix": "wait"}],
    }


def test_a_raised_error_is_a_problem_with_its_place_and_fix(capsys):
    def body(_reply):
        raise ConfigError("no such key", where="linkspan.yaml:3", fix="remove it")

    assert ended(body, False) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "linkspan.yaml:3: no such key" in captured.err
    assert "remove it" in captured.err


def test_what_a_record_holds_is_shown_and_not_obeyed(capsys):
    nasty = "[code]<b>x</b>[/code] [/red] :boom: \x1b[2J\x9b31m\r\u009d0;title\x07"

    def body(reply):
        from rich.table import Table

        table = Table("cause")
        table.add_row(plain(nasty))
        reply.say(nasty, table)
        raise ConfigError(nasty)

    assert ended(body, False) == 2
    captured = capsys.readouterr()
    for shown in (captured.out, captured.err):
        assert "[code]<b>x</b>[/code] [/red] :boom: �[2J" in shown
        assert not {"\x1b", "\x9b", "\x9d", "\r", "\x07"} & set(shown)
    assert captured.out.count("[/code]") == 2


def test_ctrl_c_is_resumable(capsys):
    def body(_reply):
        raise KeyboardInterrupt

    assert ended(body, True) == 4
    assert printed(capsys)["problems"][0]["code"] == "interrupted"


def test_a_bug_is_not_hidden():
    with pytest.raises(ZeroDivisionError), answering("try", True):
        1 / 0  # noqa: B018


def test_usage_errors_are_json_when_asked(capsys):
    assert run(["frobnicate", "--json"]) == 2
    assert printed(capsys)["problems"][0]["code"] == "usage"


def test_usage_errors_are_words_otherwise(capsys):
    assert run(["plan", "--no-such-option"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "no-such-option" in captured.err
