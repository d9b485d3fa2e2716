"""A person at an instance's own pages, over plain HTTP: forms are read and sent back as a browser would.

What only people may do, somebody has to do in a demo. The pages' addresses are the platform's; the names of
buttons are read from the pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree

import httpx2

from linkspan.core.errors import BadReply, Rejected

_SETS = "sys_remote_update_set"
_TIMEOUT = 60.0


@dataclass
class Form:
    """One form of a page: where it goes, its fields by name, and its buttons as (name, value, label)."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str, str]] = field(default_factory=list)
    boxes: list[str] = field(default_factory=list)


class Person:
    """One user at one instance's pages. Raises Rejected where a page refuses, BadReply for a strange one."""

    def __init__(self, url: str, user: str, password: str, *, transport: httpx2.BaseTransport | None = None):
        self.url = url.rstrip("/")
        self._user, self._password = user, password
        self._http = httpx2.Client(
            base_url=self.url, follow_redirects=True, timeout=_TIMEOUT, trust_env=False, transport=transport
        )

    def sign_in(self) -> None:
        """Through the form of /login.do."""
        page = self._get("/login.do")
        landed = self._send(page, {"user_name": self._user, "user_password": self._password})
        if _path(landed) == "/login.do":
            raise Rejected(f"{self._user} was not let in", where=self.url)

    def elevate(self) -> None:
        """Raise the session to security_admin."""
        page = self._get("/elevated_role_dialog.do")
        forms = [one for one in forms_of(page.text) if "security_admin" in one.boxes]
        if not forms:
            raise Rejected(f"{self._user} has no role to elevate to", where=self.url)
        self._send(page, {"security_admin": "true"}, form=forms[0])

    def import_update_set(self, xml: str) -> str:
        """Import a file, preview it and commit it; the sys_id of the retrieved set.

        Raises Rejected when the preview finds a problem or the commit is refused.
        """
        name = ElementTree.fromstring(xml.encode()).findtext(f"{_SETS}/name") or ""  # noqa: S314 - our own file
        upload = self._get("/upload.do", sysparm_target=_SETS, sysparm_referring_url=f"{_SETS}_list.do")
        (form,) = [one for one in forms_of(upload.text) if "sysparm_target" in one.fields]
        file = {"attachFile": ("update-set.xml", xml.encode(), "text/xml")}
        self._checked(
            self._http.post(form.action, data={k: v for k, v in form.fields.items() if v}, files=file)
        )
        found = self.rows(_SETS, f"name={name}^ORDERBYDESCsys_created_on", "sys_id,state")
        if not found:
            raise Rejected(f"the update set {name} was not loaded", where=self.url)
        sys_id = str(found[0]["sys_id"])
        page = self._press(self._get(f"/{_SETS}.do", sys_id=sys_id), "Preview Update Set")
        self._press(page, "Commit Update Set")
        state = self.rows(_SETS, f"sys_id={sys_id}", "state")[0]["state"]
        if state != "committed":
            raise Rejected(f"the update set {name} is {state}, not committed", where=self.url)
        return sys_id

    def api_key_token(self, sys_id: str) -> str:
        """The token of an API key in clear, as its form reveals it."""
        page = self._get("/api_key.do", sys_id=sys_id, sysparm_reveal="token")
        shown = {name: value for form in forms_of(page.text) for name, value in form.fields.items()}
        token = shown.get("api_key.token", "")
        if not token or set(token) <= {"*", "•"}:
            raise Rejected("the form does not reveal the token", where=self.url)
        return token

    def consent(self, url: str, *, allow: bool = True) -> int:
        """Answer the consent page at ``url``; the status of the page that the browser ends on."""
        page = self._get(url)
        try:
            return self._press(page, "Allow" if allow else "Deny").status_code
        except Rejected:
            return 400  # the way back was not taken

    def rows(self, table: str, query: str = "", fields: str = "") -> list[dict[str, Any]]:
        """Records as this session sees them over REST."""
        token = self._token()
        answer = self._http.get(
            f"/api/now/table/{table}",
            params={
                "sysparm_query": query,
                "sysparm_fields": fields,
                "sysparm_exclude_reference_link": "true",
            },
            headers={"X-UserToken": token, "Accept": "application/json"},
        )
        if answer.status_code != 200:
            raise Rejected(f"{table}: {answer.status_code} {answer.text}", where=self.url)
        found: list[dict[str, Any]] = answer.json()["result"]
        return found

    def close(self) -> None:
        """End the connection; the session stays until it expires."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _token(self) -> str:
        """The session's token, which requests to REST carry beside the cookie."""
        text = self._get("/navpage.do").text
        _, found, rest = text.partition('g_ck = "')
        if not found:
            raise BadReply("the home page has no token of the session", where=self.url)
        return rest.partition('"')[0]

    def _get(self, path: str, **params: str) -> httpx2.Response:
        return self._checked(self._http.get(path, params=params or None))

    def _press(self, page: httpx2.Response, label: str) -> httpx2.Response:
        """Press the button of this label, whichever form has it."""
        for form in forms_of(page.text):
            for name, value, shown in form.buttons:
                if shown == label:
                    return self._send(page, {name: value} if name else {}, form=form)
        offered = ", ".join(shown for form in forms_of(page.text) for *_, shown in form.buttons)
        raise Rejected(f"the page has no button {label}; it offers {offered or 'none'}", where=str(page.url))

    def _send(
        self, page: httpx2.Response, values: Mapping[str, str], *, form: Form | None = None
    ) -> httpx2.Response:
        """Fill in a form, the page's first if none is named, and send it."""
        if form is None:
            forms = forms_of(page.text)
            if not forms:
                raise BadReply("the page has no form", where=str(page.url))
            form = forms[0]
        target = urljoin(str(page.url), form.action)
        return self._checked(self._http.request(form.method, target, data={**form.fields, **values}))

    def _checked(self, answer: httpx2.Response) -> httpx2.Response:
        if answer.status_code >= 400:
            said = " ".join(words_of(answer.text))[:300]
            raise Rejected(f"{_path(answer)} answered {answer.status_code}: {said}", where=self.url)
        return answer


def forms_of(text: str) -> list[Form]:
    """The forms of a page."""
    return _read(text).forms


def words_of(text: str) -> Iterable[str]:
    """What a page says, without its markup."""
    return _read(text).words


def _read(text: str) -> _Reader:
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader


class _Reader(HTMLParser):
    """Collects forms; an input outside any form counts for a nameless one, as pages have both."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.words: list[str] = []
        self._form: Form | None = None
        self._button: tuple[str, str] | None = None
        self._label = ""
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(action=said.get("action", ""), method=said.get("method", "get").upper())
            self.forms.append(self._form)
        elif tag == "input":
            self._input(said)
        elif tag == "button":
            self._button, self._label = (said.get("name", ""), said.get("value", "")), ""
        elif tag in ("style", "script"):
            self._hidden += 1

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "button" and self._button is not None:
            if self._form is not None:
                self._form.buttons.append((*self._button, " ".join(self._label.split())))
            self._button = None
        elif tag in ("style", "script"):
            self._hidden -= 1

    def handle_data(self, data: str) -> None:
        if self._button is not None:
            self._label += data
        if not self._hidden and data.strip():
            self.words.append(data.strip())

    def _input(self, said: Mapping[str, str]) -> None:
        form = self._form
        if form is None:
            form = Form(action="", method="GET")
            self.forms.append(form)
        name = said.get("name") or said.get("id", "")
        kind = said.get("type", "text")
        if kind == "checkbox":
            form.boxes.append(name)
        elif kind != "file" and name:
            form.fields[name] = said.get("value", "")


def _path(answer: httpx2.Response) -> str:
    return urlsplit(str(answer.url)).path
