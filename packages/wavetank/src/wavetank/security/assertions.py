"""The assertions of the JWT bearer grant: signed by an application, naming the user it acts for.

ServiceNow docs: Create an OAuth JWT API endpoint for external clients; JSON web token bearer grant. The
verifier map of the header's key id gives the certificate or the shared key.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wavetank.security.remote_keys import LIFESPAN, RemoteKeys

if TYPE_CHECKING:
    from wavetank.database.store import Row
    from wavetank.instance import Instance

TABLE, VERIFIERS, CLAIMS = "oauth_jwt", "jwt_verifier_map", "oauth_jwt_claims"
PUBLIC_KEY = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")
SHARED_KEY = ("HS256", "HS384", "HS512")
SKEW = 300  # seconds
NO_ADMIN = "Grant access to admin is not allowed"


class Rejected(Exception):
    """An assertion that proves nothing; the text says why."""


class KeysWanted(Exception):
    """An assertion whose keys must be fetched first; the text is their address."""


class AdminRejected(Rejected):
    """An assertion that is good, but for an administrator."""


class Assertions:
    """The assertions an instance has been shown. The caller holds the instance's lock."""

    def __init__(self, instance: "Instance") -> None:
        self._instance = instance
        self._used: dict[tuple[str, str], float] = {}
        self.remote = RemoteKeys(instance)

    def clear(self) -> None:
        """Forgets which assertions were used, and every fetched key."""
        self._used.clear()
        self.remote.clear()

    def subject(self, client: "Row", assertion: str) -> "Row":
        """The user an assertion names to a client, a row of oauth_jwt. Raises Rejected and KeysWanted."""
        claims = self._verified(client, assertion)
        expires = self._in_time(client, claims)
        self._addressed(client, claims)
        user = self._user(client, claims.get("sub"))
        self._once(client, claims, expires)
        if self._instance.identity.session(user, "oauth_jwt").is_admin:
            raise AdminRejected(NO_ADMIN)
        return user

    def _verified(self, client: "Row", assertion: str) -> Mapping[str, Any]:
        import jwt
        from cryptography.exceptions import UnsupportedAlgorithm

        try:
            kid = str(jwt.get_unverified_header(assertion).get("kid", ""))
            key, algorithms = self._key(client, kid)
            claims = json.loads(jwt.PyJWS().decode(assertion, key, algorithms=list(algorithms)))
        except (jwt.PyJWTError, UnsupportedAlgorithm, ValueError, TypeError, RecursionError) as wrong:
            raise Rejected(f"the assertion cannot be verified: {wrong}") from wrong
        if not isinstance(claims, dict):
            raise Rejected("the assertion holds no claims")
        return claims

    def _key(self, client: "Row", kid: str) -> tuple[Any, tuple[str, ...]]:
        """The key that verifies, and the algorithms it is good for. Raises Rejected and ValueError."""
        database = self._instance.database
        row = database.first(VERIFIERS, oauth_jwt=client["sys_id"], kid=kid)
        if row is None or row["kid"] != kid:
            return self._published(client, kid), PUBLIC_KEY
        certificate = database.get("sys_certificate", row["sys_certificate"])
        if certificate is not None:
            if certificate["active"] == "false":
                raise Rejected(f"the certificate {certificate['name']!r} is inactive")
            return _public_key(certificate["pem_certificate"]), PUBLIC_KEY
        if row["shared_key"]:
            return self._instance.seal.open(row["shared_key"]).encode(), SHARED_KEY
        raise Rejected(f"the verifier map of the key id {kid!r} has neither certificate nor shared key")

    def _published(self, client: "Row", kid: str) -> Any:
        """The key of that id in the set that the client publishes. Raises Rejected and KeysWanted."""
        url = client["jwks_url"].strip()
        if not url or self._instance.settings.get("outbound") == "off":
            raise Rejected(f"no verifier map has the key id {kid!r}")
        kept = client["jwks_cache_lifespan"]
        keys = self.remote.held(url, int(kept) if kept.isdecimal() else LIFESPAN)
        if keys is None:
            raise KeysWanted(url)
        if kid not in keys:
            raise Rejected(f"neither a verifier map nor {url!r} has the key id {kid!r}")
        return keys[kid]

    def _in_time(self, client: "Row", claims: Mapping[str, Any]) -> float:
        """Until when the assertion is taken (seconds since 1970), the allowed skew included."""
        now = self._instance.clock.seconds()
        skew = int(client["clock_skew"]) if client["clock_skew"].isdecimal() else SKEW
        expires, begins = _moment(claims.get("exp")), _moment(claims.get("nbf", 0))
        if expires is None or begins is None:
            raise Rejected("the assertion has no expiry, or one that is no moment")
        if expires + skew <= now:
            raise Rejected("the assertion has expired")
        if begins - skew > now:
            raise Rejected("the assertion is not valid yet")
        return expires + skew

    def _addressed(self, client: "Row", claims: Mapping[str, Any]) -> None:
        """Audience, issuer and whatever else the client's claim validations ask for."""
        asked = {
            row["claim_name"]: row["claim_value"]
            for row in self._instance.database.find(CLAIMS, oauth_jwt=client["sys_id"])
        }
        audience = claims.get("aud")
        named = audience if isinstance(audience, list) else [audience]
        endpoints = {f"{url}/oauth_token.do" for url in (self._instance.url, self._instance.tls_url) if url}
        if not {each for each in named if isinstance(each, str)} & {client["client_id"], *endpoints}:
            raise Rejected(f"the audience is not the client: {audience!r}")
        for name, value in {"iss": client["client_id"], **asked}.items():
            if _text(claims.get(name)) != value:
                raise Rejected(f"the claim {name!r} is not {value!r}")

    def _user(self, client: "Row", subject: object) -> "Row":
        field = client["user_field"] or "email"
        known = self._instance.database.known("sys_user").fields
        if not isinstance(subject, str) or not subject or field not in known:
            raise Rejected(f"the subject {subject!r} names no user by {field!r}")
        user = self._instance.database.first("sys_user", **{field: subject})
        if user is None:
            raise Rejected(f"no user has {field} {subject!r}")
        return user

    def _once(self, client: "Row", claims: Mapping[str, Any], expires: float) -> None:
        """Uses the assertion up, where the client's tokens are good once."""
        if client["enable_jti_verification"] == "false":
            return
        name = client["jti_claim"] or "jti"
        identifier = claims.get(name)
        if not isinstance(identifier, str) or not identifier:
            raise Rejected(f"the assertion has no claim {name!r}")
        now = self._instance.clock.seconds()
        self._used = {key: until for key, until in self._used.items() if until > now}
        if (client["sys_id"], identifier) in self._used:
            raise Rejected(f"the assertion {identifier!r} was used before")
        self._used[client["sys_id"], identifier] = expires


def claimed_client(assertion: str) -> str:
    """The client id an assertion says it comes from, unproven; "" when it says none."""
    import jwt

    try:
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except (jwt.PyJWTError, RecursionError):
        return ""
    return _text(claims.get("iss"))


def _public_key(pem: str) -> Any:
    """The key of a certificate, or a bare public key. Raises ValueError when it is neither."""
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from cryptography.x509 import load_pem_x509_certificate

    text = pem.strip().encode()
    if b"BEGIN PUBLIC KEY" in text:
        return load_pem_public_key(text)
    return load_pem_x509_certificate(text).public_key()


def _moment(value: object) -> float | None:
    """Seconds since 1970, or None for what is none."""
    sound = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15
    return float(value) if sound else None  # type: ignore[arg-type]  # just looked at


def _text(value: object) -> str:
    """A claim as a claim validation writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
