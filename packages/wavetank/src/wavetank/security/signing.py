"""The keys with which an instance signs access tokens in the format JWT, and the set of keys it publishes.

ServiceNow docs: Configure an OAuth JSON web token bearer grant, "Token Format": keys rotate, and one that is
no longer in use leaves the published set after 105 days. Which algorithm is used is not documented; here it
is RS256. The keys are rows of `oauth_signing_key`, sealed.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from wavetank.clock import FORMAT, parse

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from wavetank.database.store import Row
    from wavetank.instance import Instance

TABLE = "oauth_signing_key"
ALGORITHM = "RS256"
PUBLISHED = timedelta(days=105)


class Signing:
    """The signing keys of one instance. The caller holds the instance's lock."""

    def __init__(self, instance: "Instance") -> None:
        self._instance = instance
        self._loaded: dict[str, RSAPrivateKey] = {}

    def sign(self, claims: Mapping[str, Any]) -> str:
        """The claims as a signed token, with the id of the key in its header."""
        import jwt  # here, for an instance that signs nothing need not load it

        row = self._active()
        return jwt.encode(dict(claims), self._key(row), algorithm=ALGORITHM, headers={"kid": row["kid"]})

    def published(self) -> list[dict[str, Any]]:
        """The public keys as JSON Web Keys: the one in use first, then those that were until lately."""
        from jwt.algorithms import RSAAlgorithm

        return [
            {
                **RSAAlgorithm.to_jwk(self._key(row).public_key(), as_dict=True),
                "kid": row["kid"],
                "alg": ALGORITHM,
                "use": "sig",
            }
            for row in (self._active(), *self._retired())
        ]

    def _active(self) -> "Row":
        """The key in use; a new one when there is none or it has been in use for long enough."""
        database, now = self._instance.database, self._instance.clock.now()
        kept = timedelta(days=int(self._instance.settings.get("oauth_key_days")))
        for row in database.find(TABLE, active="true"):
            over = parse(row["sys_created_on"]) + kept
            if not kept or now < over:
                return row
            retired = {"active": "false", "retired": over.strftime(FORMAT)}
            database.update(TABLE, row["sys_id"], retired, system=False)
        return database.insert(TABLE, {"kid": self._instance.ids.hex(32), "active": "true", **self._made()})

    def _retired(self) -> "Iterator[Row]":
        now = self._instance.clock.now()
        for row in self._instance.database.find(TABLE, active="false"):
            if now < parse(row["retired"] or row["sys_updated_on"]) + PUBLISHED:
                yield row

    def _made(self) -> dict[str, str]:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return {"private_key": self._instance.seal.seal(pem.decode())}

    def _key(self, row: "Row") -> "RSAPrivateKey":
        """Raises ValueError when it was sealed by another instance or is no RSA key."""
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        stored = row["private_key"]
        if stored not in self._loaded:
            key = load_pem_private_key(self._instance.seal.open(stored).encode(), password=None)
            if not isinstance(key, RSAPrivateKey):
                raise ValueError("a signing key is an RSA key")
            self._loaded[stored] = key
        return self._loaded[stored]
