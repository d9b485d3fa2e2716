from __future__ import annotations

import ast
from pathlib import Path

import pytest

import linkspan.preflight
from linkspan.preflight.causes import cause, fixes

FOLDER = Path(linkspan.preflight.__file__).parent


def texts_in_code():
    """Every string in preflight's own code: ids are written out, never put together."""
    found = set()
    for file in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def test_every_published_cause_can_be_found():
    assert set(fixes()) - texts_in_code() == set()


def test_an_unpublished_cause_is_refused():
    with pytest.raises(KeyError):
        cause("bad_luck")


@pytest.mark.parametrize("id", sorted(fixes()))
def test_every_fix_is_a_sentence_and_survives_missing_facts(id):
    text = cause(id).fix
    assert len(text) > 20
    assert "{" not in text


def test_the_published_list_only_grows():
    """Removing or renaming an id breaks those who act on it."""
    published = """
    wrong_password basic_auth_restricted locked_out inactive password_stored_literal needs_reset
    user_missing client_credentials_disabled wrong_client wrong_client_secret oauth_user_missing
    dns_failure connection_refused tls_unknown_authority tls_wrong_host tls_certificate_expired
    instance_hibernating not_an_instance secret_missing wrong_account role_not_granted
    role_missing_on_instance group_membership_lost rows_hidden_by_acl api_acl_denied create_denied
    data_policy business_rule_abort field_not_kept oauth_scope_restricted
    """
    assert set(published.split()) <= set(fixes())
