"""Is the line encrypted, with a certificate that holds?"""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from urllib.parse import urlsplit

from linkspan.connection.transport import tls as authorities
from linkspan.core import clock
from linkspan.core.check import Answer, Cause, Check
from linkspan.core.errors import ConfigError
from linkspan.preflight.context import Context

_SECONDS = 10
_SOON_DAYS = 21
# OpenSSL's numbers for certificates that are not yet or no longer valid.
_OUT_OF_TIME = (9, 10)


def run(context: Context) -> Answer:
    """A handshake with the authorities that linkspan itself trusts for this instance."""
    parts = urlsplit(context.instance.url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        return Answer(
            outcome="pass", evidence={"note": "http on loopback: not encrypted, does not leave here"}
        )
    if context.instance.proxy:
        return Answer(outcome="pass", evidence={"note": "behind a proxy: proven by the first request"})
    try:
        trust = authorities(context.instance)
    except ConfigError as error:
        return Answer(outcome="fail", causes=(context.cause("ca_unusable", detail=error.cause),))
    try:
        with (
            socket.create_connection((host, parts.port or 443), timeout=_SECONDS) as plain,
            trust.wrap_socket(plain, server_hostname=host) as line,
        ):
            certificate = line.getpeercert() or {}
            evidence: dict[str, object] = {
                "protocol": line.version(),
                "until": str(certificate.get("notAfter", "")),
            }
    except ssl.SSLError as error:
        return Answer(outcome="fail", causes=(_cause(context, host, error),), evidence={"host": host})
    except OSError as error:
        return Answer(
            outcome="fail", causes=(context.cause("tls_failed", "likely", host=host, detail=str(error)),)
        )
    return _judge_end(context, host, evidence)


def _judge_end(context: Context, host: str, evidence: dict[str, object]) -> Answer:
    until = str(evidence["until"])
    if until:
        left = (ssl.cert_time_to_seconds(until) - clock.now()) / 86_400
        if left < _SOON_DAYS:
            day = datetime.fromtimestamp(ssl.cert_time_to_seconds(until), UTC).date().isoformat()
            soon = context.cause("certificate_expires_soon", host=host, until=day)
            return Answer(outcome="warn", causes=(soon,), evidence=evidence)
    return Answer(outcome="pass", evidence=evidence)


def _cause(context: Context, host: str, error: ssl.SSLError) -> Cause:
    if isinstance(error, ssl.SSLCertVerificationError):
        detail = error.verify_message
        if error.verify_code in _OUT_OF_TIME:
            return context.cause("tls_certificate_expired", host=host, detail=detail)
        if "mismatch" in detail:
            return context.cause("tls_wrong_host", host=host, detail=detail)
        return context.cause("tls_unknown_authority", host=host, detail=detail)
    reason = (error.reason or str(error)).replace("_", " ").lower()
    if "wrong version number" in reason or "record layer failure" in reason or "http request" in reason:
        return context.cause("tls_not_spoken", "likely", host=host, detail=reason)
    return context.cause("tls_failed", "likely", host=host, detail=reason)


CHECK = Check(
    name="tls", title="The line is encrypted and the certificate holds", run=run, needs=("reachable",)
)
