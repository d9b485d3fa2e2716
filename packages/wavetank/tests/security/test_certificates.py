"""Callers known by their client certificate: which is whose, and over a real connection."""

import base64
import json
import ssl
import urllib.error
import urllib.request

import pytest
import trustme

from wavetank.database import attachments
from wavetank.running import Instance
from wavetank.security import certificates, plugins
from wavetank.security.policies import TABLE_API

MAPPINGS = "sys_user_certificate"
BOGUS = "Basic " + base64.b64encode(b"nobody:at all").decode()


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def shown(authority):
    """The certificate of a caller, as PEM."""
    return authority.issue_cert("svc.example").cert_chain_pems[0].bytes()


def _attach(scene, record, content):
    file = scene.add(
        "sys_attachment", table_name=MAPPINGS, table_sys_id=record, file_name="a.pem", compressed="true"
    )
    spool = attachments.Spool(10**6)
    spool.write(content)
    spool.finish()
    attachments.keep(scene.database, file, spool)
    spool.close()


@pytest.fixture
def mapped(scene, shown):
    svc = scene.user("svc", web_service_access_only="true")
    row = scene.add(MAPPINGS, name="C", user=svc, active="true")
    _attach(scene, row, shown)
    return svc, row, certificates.certificates(shown)[0]


@pytest.mark.claim("certificate-switch")
def test_whose_certificate_it_is(scene, mapped, authority):
    svc, row, shown = mapped
    known = scene.instance.certificates
    assert known.user(shown) == svc
    other = authority.issue_cert("other.example").cert_chain_pems[0].bytes()
    assert known.user(certificates.certificates(other)[0]) == ""
    assert known.user(b"") == ""
    scene.database.update(MAPPINGS, row, {"active": "false"})
    assert known.user(shown) == ""
    scene.database.update(MAPPINGS, row, {"active": "true"})
    scene.instance.set_property(certificates.ON, "false")
    assert known.user(shown) == ""
    scene.instance.set_property(certificates.ON, "true")
    plugin = scene.database.first("sys_plugins", source=plugins.CERTIFICATES)
    scene.database.update("sys_plugins", plugin["sys_id"], {"active": "inactive"})
    assert known.user(shown) == ""


def test_an_attached_file_that_is_no_certificate_is_passed_over(scene, mapped):
    _, row, shown = mapped
    _attach(scene, row, b"-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n")
    _attach(scene, row, b"no PEM at all")
    assert scene.instance.certificates.user(shown) != ""


class Caller:
    """Calls an instance over https, with or without a certificate of its own."""

    def __init__(self, tank, key=None):
        context = ssl.create_default_context(cafile=tank.ca)
        if key is not None:
            context.load_cert_chain(key)
        handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        self._opener = urllib.request.build_opener(*handlers)
        self._url = tank.tls_url

    def who(self, authorization=""):
        """The name of who the instance takes the caller for, or the status of its refusal."""
        mine = "/api/now/table/sys_user?sysparm_query=sys_id=javascript:gs.getUserID()"
        headers = {"Authorization": authorization} if authorization else {}
        request = urllib.request.Request(self._url + mine, headers=headers)
        try:
            with self._opener.open(request, timeout=10) as answer:
                return json.load(answer)["result"][0]["user_name"]
        except urllib.error.HTTPError as refused:
            return refused.code


@pytest.fixture(scope="module")
def tank(authority, tmp_path_factory):
    place = tmp_path_factory.mktemp("certificates")
    authority.cert_pem.write_to_path(place / "clients.pem")
    with Instance(client_ca=place / "clients.pem", tls_dir=place / "tls") as running:
        yield running


@pytest.fixture
def key(authority, tank, tmp_path):
    """A key whose certificate is mapped to the user svc, attached as an administrator does it."""
    tank.reset()
    issued = authority.issue_cert("svc.example")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "svc.pem")
    user = tank.insert("sys_user", {"user_name": "svc", "web_service_access_only": "true", "active": "true"})
    row = tank.insert(MAPPINGS, {"name": "C", "user": user[0]["sys_id"], "active": "true"})[0]["sys_id"]
    admin = "Basic " + base64.b64encode(":".join(tank.admin).encode()).decode()
    request = urllib.request.Request(
        f"{tank.url}/api/now/attachment/file?table_name={MAPPINGS}&table_sys_id={row}&file_name=svc.pem",
        issued.cert_chain_pems[0].bytes(),
        {"Authorization": admin, "Content-Type": "application/x-pem-file"},
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        assert answer.status == 201
    return tmp_path / "svc.pem"


@pytest.mark.claim("certificate-user")
@pytest.mark.claim("certificate-first")
def test_a_certificate_says_who_calls_whatever_the_header_says(tank, key):
    assert Caller(tank).who() == 401
    assert Caller(tank).who(BOGUS) == 401
    assert Caller(tank, key).who() == "svc"
    assert Caller(tank, key).who(BOGUS) == "svc"
    svc = tank.rows("sys_user", "user_name=svc")[0]["sys_id"]
    tank.control(f"records/sys_user/{svc}", {"active": "false"}, "PATCH")
    assert Caller(tank, key).who() == 401


@pytest.mark.claim("certificate-authorities")
def test_only_certificates_of_the_named_authorities_are_let_in(tank, key, tmp_path):
    stranger = trustme.CA().issue_cert("svc.example")
    stranger.private_key_and_cert_chain_pem.write_to_path(tmp_path / "stranger.pem")
    with pytest.raises(OSError, match=r"(?i)unknown ca|connection|EOF|reset|pipe"):
        Caller(tank, tmp_path / "stranger.pem").who()
    assert tank.control("settings") is not None


@pytest.mark.claim("certificate-policy")
def test_a_policy_takes_a_certificate_where_it_maps_them(tank, key):
    every = {f"apply_all_{name}": "true" for name in ("methods", "resources", "versions", "tables")}
    row = {"name": "P", "active": "true", "api": TABLE_API, "api_path": "now/table", **every}
    policy = tank.insert("sys_api_access_policy", row)[0]["sys_id"]
    for kind, expected in (("basic_auth", (401, "admin")), ("certificate", ("svc", "svc"))):
        profile = tank.insert("std_http_auth", {"name": kind, "type": kind, "active": "true"})[0]["sys_id"]
        mapping = {"api_access_policy": policy, "inbound_auth_profile": profile}
        tank.insert("sys_auth_profile_mapping", mapping)
        admin = "Basic " + base64.b64encode(b"admin:admin").decode()
        assert (Caller(tank, key).who(), Caller(tank, key).who(admin)) == expected
