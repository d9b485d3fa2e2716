import pytest

from wavetank.security.credentials import read
from wavetank.security.passwords import Passwords, Seal, hash_password, is_hashed, matches


@pytest.mark.claim("password-hashed")
def test_a_password_is_kept_salted_and_hashed():
    first, second = hash_password("sesame"), hash_password("sesame")
    assert first != second
    assert "sesame" not in first
    assert len(first) <= 100  # the field's length on the platform
    assert matches(first, "sesame")
    assert not matches(first, "Sesame")


@pytest.mark.claim("password-literal-trap")
def test_a_password_stored_as_typed_never_matches():
    assert not is_hashed("sesame")
    assert not matches("sesame", "sesame")
    assert not matches("", "")


def test_remembering_never_turns_a_wrong_password_right():
    passwords = Passwords()
    stored = hash_password("sesame")
    assert passwords.match(stored, "sesame")
    assert passwords.match(stored, "sesame")
    assert not passwords.match(stored, "wrong")
    assert not passwords.match(hash_password("other"), "sesame")


def test_a_sealed_secret_opens_with_its_own_key_only():
    seal = Seal(Seal.new_key())
    sealed = seal.seal("s3cret")
    assert "s3cret" not in sealed
    assert seal.open(sealed) == "s3cret"
    assert seal.seal(sealed) == sealed
    assert seal.seal("") == ""
    with pytest.raises(ValueError, match="another instance"):
        Seal(Seal.new_key()).open(sealed)


@pytest.mark.parametrize(
    ("header", "scheme", "user", "secret"),
    [
        (b"Basic YWRtaW46YTpi", "basic", "admin", "a:b"),
        (b"basic YWRtaW46", "basic", "admin", ""),
        (b"Bearer abc.def", "bearer", "", "abc.def"),
        (b"Basic !!!", "", "", ""),
        (b"Basic YWRtaW4=", "", "", ""),
        (b"Digest x", "", "", ""),
        (b"", "", "", ""),
    ],
)
def test_the_authorization_header_is_read_without_believing_it(header, scheme, user, secret):
    presented = read({b"authorization": header})
    assert (presented.scheme, presented.user, presented.secret) == (scheme, user, secret)
