"""The local certificate authority that signs an instance's certificate, made once and used again."""

import os
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOSTS = ("localhost", "127.0.0.1", "::1", "*.localhost", "*.wavetank.test")
# The answer of the platform's web server to http where https is spoken.
_WORDS = b"Bad Request\r\nThis combination of host and port requires TLS.\r\n"
_PLAIN = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Length: %d\r\n"
    b"Connection: close\r\n\r\n%s"
) % (len(_WORDS), _WORDS)


class _Object(ssl.SSLObject):
    """One connection; it answers a caller who speaks plain HTTP before it gives up."""

    outgoing: ssl.MemoryBIO | None = None

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except ssl.SSLError as failed:
            if failed.reason != "HTTP_REQUEST" or self.outgoing is None:
                raise
            self.outgoing.write(_PLAIN)
            self.outgoing = None
            # What waits goes out when more is wanted; whatever comes then ends the connection.
            raise ssl.SSLWantReadError from failed


class _Context(ssl.SSLContext):
    sslobject_class = _Object

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, **more: Any) -> ssl.SSLObject:  # type: ignore[override]
        made = super().wrap_bio(incoming, outgoing, **more)
        assert isinstance(made, _Object)
        made.outgoing = outgoing
        return made


@dataclass(frozen=True)
class Certificates:
    """Where they lie: `ca` is what a client must trust, `server` holds key and certificate."""

    ca: Path
    server: Path

    def context(self, client_ca: Path | None = None) -> ssl.SSLContext:
        """What connections are made by; `client_ca` holds the authorities of certificates callers may show.

        Raises OSError when it cannot be read or holds no certificate.
        """
        context = _Context(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server)
        if client_ca is not None:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL
        return context


def default_directory() -> Path:
    """One authority for each person, so that it needs to be trusted only once."""
    data = os.environ.get("XDG_DATA_HOME")
    base = Path(data) if data else Path.home() / ".local" / "share"
    return base / "wavetank" / "tls"


def certificates(directory: Path) -> Certificates:
    """The certificates in a directory, made if there are none. Safe against a second process.

    Raises OSError when the directory cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = Certificates(directory / "ca.pem", directory / "server.pem")
    if not (found.ca.exists() and found.server.exists()):
        _make(directory, found)
    return found


def _make(directory: Path, wanted: Certificates) -> None:
    import fcntl

    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if wanted.ca.exists() and wanted.server.exists():
            return
        import trustme

        authority = trustme.CA(organization_name="wavetank", organization_unit_name="local development only")
        leaf = authority.issue_cert(*HOSTS, common_name="wavetank")
        _write(wanted.server, leaf.private_key_and_cert_chain_pem.bytes())
        _write(directory / "ca.key", authority.private_key_pem.bytes())
        _write(wanted.ca, authority.cert_pem.bytes())


def _write(path: Path, content: bytes) -> None:
    """Appears whole or not at all, readable by its owner only."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(name).replace(path)
