"""What an instance tells of itself before anybody has logged in."""

import pytest


@pytest.mark.claim("diagnosis-pages")
@pytest.mark.claim("diagnosis-content")
def test_name_and_build_are_told_to_anybody(browser, instance):
    instance.set_property("glide.buildtag.last", "glide-zurich-07-01-2025__patch2-09-10-2025")
    page = browser.get("/stats.do")
    assert page.status_code == 200
    assert "glide-zurich-07-01-2025__patch2-09-10-2025" in page.text
    xml = browser.get("/xmlstats.do")
    assert xml.headers["content-type"].startswith("text/xml")
    assert f"<instance_name>{instance.name}</instance_name>" in xml.text


@pytest.mark.claim("diagnosis-pages")
def test_or_to_admins_only(browser, instance, person):
    instance.set_property("glide.security.diag_txns_acl", "true")
    for path in ("/stats.do", "/xmlstats.do"):
        assert browser.get(path).headers["location"].startswith("/login.do")
    person("ann", "itil")
    browser.log_in("ann")
    assert browser.get("/stats.do").status_code == 403
    browser.log_in("admin", "admin")
    assert browser.get("/stats.do").status_code == 200
    assert browser.get("/xmlstats.do").status_code == 200
