from pathlib import Path

import pytest

from wavetank import fidelity

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "FIDELITY.md"


def test_every_claim_has_a_test_and_every_mark_a_claim():
    assert fidelity.unproven(fidelity.claims(), fidelity.proofs(TESTS)) == []


def test_the_page_is_up_to_date():
    wanted = fidelity.render(fidelity.claims(), fidelity.proofs(TESTS), fidelity.clients())
    assert PAGE.read_text(encoding="utf-8") == wanted, "run: wavetank fidelity --write"


def _package(tmp_path, text):
    (tmp_path / "thing.claims.yaml").write_text(text)
    return tmp_path


def test_a_claim_without_a_test_and_a_mark_without_a_claim_are_told(tmp_path):
    made = fidelity.claims(_package(tmp_path, "- {claim: a, says: b, evidence: measured, source: s}"))
    (tmp_path / "test_x.py").write_text('import pytest\n@pytest.mark.claim("other")\ndef test_it(): pass\n')
    missing = fidelity.unproven(made, fidelity.proofs(tmp_path))
    assert missing == ["the claim a (thing) has no test", "the mark other names no claim"]


@pytest.mark.parametrize(
    "entry",
    [
        "{says: b, evidence: measured, source: s}",
        "{claim: a, says: b, evidence: rumour, source: s}",
        "{claim: a, says: b, evidence: unverified, source: s}",
        "{claim: a, says: b, evidence: documented}",
        "{claim: a, says: b, evidence: documented, source: s, colour: red}",
    ],
)
def test_a_claim_that_says_too_little_is_refused(tmp_path, entry):
    with pytest.raises(fidelity.BadClaim):
        fidelity.claims(_package(tmp_path, f"- {entry}"))


def test_a_claim_is_made_once(tmp_path):
    entry = "- {claim: a, says: b, evidence: measured, source: s}\n"
    with pytest.raises(fidelity.BadClaim, match="twice"):
        fidelity.claims(_package(tmp_path, entry * 2))


def test_the_switches_that_claims_name_exist():
    from wavetank.behaviour.rules import BUILT_IN
    from wavetank.settings import Settings

    known = set(Settings().all()) | {f"rule {rule.name}" for rule in BUILT_IN}
    assert {claim.switch for claim in fidelity.claims() if claim.switch} <= known


def _clients(tmp_path, listed, test="def test_one_thing(): pass\n"):
    (tmp_path / "clients.yaml").write_text(listed)
    mark = 'import pytest\npytestmark = [pytest.mark.judge("a client 1.2")]\n'
    (tmp_path / "test_a.py").write_text(mark + test)
    return tmp_path


def test_the_table_of_clients_comes_from_the_tests(tmp_path):
    listed = (
        "- {client: a client, how: http, ways: Basic}\n"
        "- {suite: Its suite, passed: 3, of: 4, day: '2026-01-02', commit: abc}\n"
    )
    page = fidelity.clients(_clients(tmp_path, listed))
    assert "| a client | 1.2 | http | Basic | 1 | `tests/clients/test_a.py`: one thing |" in page
    assert "- Its suite: 3 of 4 passed on 2026-01-02 (commit abc)." in page


@pytest.mark.parametrize("listed", ["", "- {client: another, how: http, ways: Basic}"])
def test_a_client_is_both_listed_and_tested(tmp_path, listed):
    with pytest.raises(fidelity.BadClaim, match="a client"):
        fidelity.clients(_clients(tmp_path, listed))


def test_without_clients_there_is_no_section(tmp_path):
    assert fidelity.clients(tmp_path) == ""
