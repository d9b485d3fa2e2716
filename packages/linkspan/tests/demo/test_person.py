"""A person reads the page before acting on it, and tells what a page refuses."""

from __future__ import annotations

from collections.abc import Callable

import httpx2
import pytest

from linkspan.core.errors import Rejected
from linkspan.demo.person import Person, forms_of

LOGIN = """<form method="post" action="/login.do"><input type="hidden" name="sys_action" value="sysverb_login">
<input type="text" name="user_name"><input type="password" name="user_password"><button>Log in</button></form>"""
BUTTONS = """<style>form{}</style><form method="post" action="/set.do"><input type="hidden" name="sysparm_ck" value="t&amp;k">
<button name="sys_action" value="preview">Preview Update
Set</button><button>Other</button></form><input id="api_key.token" value="now_1">"""


def person(answer: Callable[[httpx2.Request], httpx2.Response]) -> Person:
    return Person("http://instance.test", "admin", "pw", transport=httpx2.MockTransport(answer))


def page(text: str, status: int = 200) -> httpx2.Response:
    return httpx2.Response(status, headers={"content-type": "text/html"}, text=text)


def test_forms_are_read_with_their_fields_and_buttons():
    form, loose = forms_of(BUTTONS)
    assert (form.action, form.method, form.fields) == ("/set.do", "POST", {"sysparm_ck": "t&k"})
    assert form.buttons == [("sys_action", "preview", "Preview Update Set"), ("", "", "Other")]
    assert loose.fields == {"api_key.token": "now_1"}


def test_signing_in_fills_the_form_as_it_stands():
    sent = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST":
            sent.append(request.read().decode())
            return httpx2.Response(302, headers={"location": "/navpage.do"})
        return page(LOGIN if request.url.path == "/login.do" else "home")

    person(answer).sign_in()
    assert sent == ["sys_action=sysverb_login&user_name=admin&user_password=pw"]


def test_a_refused_login_is_told():
    with pytest.raises(Rejected, match="admin was not let in"):
        person(lambda _: page(LOGIN)).sign_in()


def test_without_the_role_there_is_nothing_to_elevate_to():
    with pytest.raises(Rejected, match="no role to elevate"):
        person(lambda _: page("There is no role to elevate to.")).elevate()


def test_a_refusing_page_is_quoted():
    with pytest.raises(Rejected, match="answered 403: Security constraints"):
        person(lambda _: page("<h1>Security constraints</h1>", 403)).elevate()


def test_a_masked_token_is_no_token():
    masked = '<input type="text" id="api_key.token" value="********">'
    with pytest.raises(Rejected, match="does not reveal"):
        person(lambda _: page(masked)).api_key_token("1")
    assert person(lambda _: page(BUTTONS)).api_key_token("1") == "now_1"
