"""An administrator at an instance's pages, in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wavetank import Instance

_SOON = 30_000.0


class Person:
    """Signed in from the start; every step is one that a page offers."""

    def __init__(self, chromium: Any, instance: Instance) -> None:
        self.url = instance.url
        self.page = chromium.new_context(viewport={"width": 1100, "height": 800}).new_page()
        self.page.set_default_timeout(_SOON)
        self.page.goto(f"{self.url}/login.do")
        self.page.locator("[name=user_name]").fill(instance.admin[0])
        self.page.locator("[name=user_password]").fill(instance.admin[1])
        self.page.get_by_role("button", name="Log in").click()
        self.page.wait_for_url(lambda url: "login.do" not in url)

    def import_update_set(self, file: Path, title: str) -> None:
        """Elevated, previewed, committed, as the steps of `linkspan app install` say."""
        page = self.page
        page.goto(f"{self.url}/elevated_role_dialog.do")
        page.locator("[name=security_admin]").check()
        page.get_by_role("button", name="Update").click()
        page.goto(
            f"{self.url}/upload.do?sysparm_target=sys_remote_update_set"
            "&sysparm_referring_url=sys_remote_update_set_list.do"
        )
        page.locator("[name=attachFile]").set_input_files(str(file))
        page.get_by_role("button", name="Upload").click()
        page.get_by_role("link", name=title).click()
        page.get_by_role("button", name="Preview Update Set").click()
        page.get_by_role("button", name="Commit Update Set").click()
        page.get_by_text("Committed").first.wait_for()

    def reveal(self, name: str) -> str:
        """The token of an API key, by its form."""
        page = self.page
        page.goto(f"{self.url}/api_key_list.do")
        page.get_by_role("link", name=name, exact=True).click()
        assert page.locator("[id='api_key.token']").input_value() == "********"
        page.get_by_role("link", name="Show the token").click()
        token = str(page.locator("[id='api_key.token']").input_value())
        assert token.startswith("now_")
        return token

    def sees(self, path: str, *words: str) -> None:
        """A page of the instance says all this."""
        self.page.goto(f"{self.url}{path}")
        for word in words:
            self.page.get_by_text(word).first.wait_for()
