from __future__ import annotations

import pytest

from linkspan.scan.definitions import load
from linkspan.scan.script import matching_lines, without_comments

PATTERNS = {one.id: one.pattern for one in load() if one.kind == "script"}
SYS_ID = "6816f79cc0a8016401c5a33be04be441"


def lines(definition: str, script: str) -> list[int]:
    return matching_lines(script, PATTERNS[definition])


@pytest.mark.parametrize(
    "script",
    [
        'var password = "hunter2hunter2";',
        "request.setBasicAuth('svc.mail', 'hunter2');",
        'var o = {"api_key": "0123456789"};',
        "clientSecret: 1;\nvar client_secret='abcdefg'",
        "var Auth_Token = 'abcdefgh';",
    ],
)
def test_a_credential_is_seen(script):
    assert lines("credential_in_script", script)


@pytest.mark.parametrize(
    "script",
    [
        'var password = gs.getProperty("mail.password");',
        'var password = "";',
        "request.setBasicAuth(user, secret);",
        "// password = 'hunter2hunter2'",
        "/* api_key: 'hunter2hunter2' */ var a = 1;",
        "gs.info('Enter the password: twice');",
    ],
)
def test_what_is_none_is_not(script):
    assert not lines("credential_in_script", script)


def test_lines_are_counted_from_one_whatever_ends_them():
    assert lines("eval_in_script", "var a;\r\neval(a);\rvar b;\neval (b)") == [2, 4]


def test_a_method_of_another_object_is_not_eval():
    assert not lines("eval_in_script", "GlideEvaluator.eval(x); medieval(y); my.eval (z)")


def test_a_sys_id_counts_when_it_is_a_text_of_its_own():
    assert lines("sys_id_in_script", f"gr.get('{SYS_ID}')") == [1]
    assert not lines("sys_id_in_script", f"gr.get('x{SYS_ID}')")
    assert not lines("sys_id_in_script", f"// gr.get('{SYS_ID}')")


def test_sleep_is_seen():
    assert lines("sleep_in_script", "\n\ngs.sleep(1000);") == [3]


def test_comments_are_blanked_and_texts_are_not():
    script = 'var a = "http://x"; // eval(1)\nvar b = /"\\/\\/[/*]/.test(a); /* eval(2)\neval(3) */ eval(4);'
    code = without_comments(script)
    assert "http://x" in code
    assert code.count("\n") == script.count("\n")
    assert matching_lines(script, PATTERNS["eval_in_script"]) == [3]


def test_a_comment_without_an_end_hides_the_rest():
    assert not lines("eval_in_script", "var a; /* eval(1)\neval(2)")
