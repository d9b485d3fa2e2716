"""A security finding in our words, whatever tool it came from."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from linkspan.core.errors import LinkspanError

Severity = Literal["info", "low", "unknown", "medium", "high", "critical"]
State = Literal["open", "resolved", "suppressed"]

# Mildest first. A severity that the source does not tell is treated as medium, and says so.
RANK: Mapping[Severity, int] = {"info": 0, "low": 1, "unknown": 2, "medium": 2, "high": 3, "critical": 4}
TEXT_LIMIT = 8_000
LINKS_LIMIT = 10
CORRELATION_PRODUCT = 40

_CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One sighting of a finding. Texts are plain and of bounded length; times are epoch seconds.

    ``identity`` is what makes it the same finding when it is seen again. ``resource`` is what is
    affected, ``where`` the place in it. ``exploited`` says that the weakness is known to be exploited.
    """

    product: str
    rule: str
    title: str
    severity: Severity
    identity: tuple[str, ...]
    raw_severity: str = ""
    resource: str = ""
    where: str = ""
    message: str = ""
    evidence: str = ""
    threat: str = ""
    remediation: str = ""
    links: tuple[str, ...] = ()
    state: State = "open"
    exploited: bool = False
    uid: str = ""
    first_seen: float | None = None
    last_seen: float | None = None

    @property
    def fingerprint(self) -> str:
        """sha256 of the identity, hexadecimal."""
        return hashlib.sha256("\x1f".join((self.product, *self.identity)).encode()).hexdigest()

    def document(self) -> dict[str, Any]:
        """Plain values, as the store keeps them."""
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Finding:
        """The finding of a ``document``."""
        tuples = {name: tuple(document[name]) for name in ("identity", "links")}
        return cls(**{**document, **tuples})


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that a file or a delivery holds: a finding, or a problem with the text as it came.

    ``place`` says where: ``runs[0].results[3]``, ``line 7``, ``[2]``.
    """

    place: str
    finding: Finding | None = None
    problem: Mapping[str, str] | None = None
    text: str = ""


class Unreadable(LinkspanError):
    """A file or a body that no finding can be read from. ``where`` is the place in it."""

    code = "unreadable"


class Malformed(ValueError):
    """One entry cannot be understood: ``code``, cause and fix for a person."""

    def __init__(self, code: str, cause: str, fix: str) -> None:
        super().__init__(cause)
        self.problem = {"code": code, "cause": cause, "fix": fix}


def correlation_id(product: str, fingerprint: str, generation: int = 1) -> str:
    """The key of a finding's incident, at most 100 characters.

    ``generation`` counts the incidents of a finding that came back after its incident was closed.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", product.lower()).strip("-")[:CORRELATION_PRODUCT] or "unknown"
    again = f":{generation}" if generation > 1 else ""
    return f"f:{slug}:{fingerprint[:40]}{again}"


def cvss_severity(score: float) -> Severity:
    """A CVSS or ``security-severity`` score in words."""
    if score >= 9:
        return "critical"
    if score >= 7:
        return "high"
    if score >= 4:
        return "medium"
    return "low" if score > 0 else "info"


def clean(value: object, limit: int = TEXT_LIMIT) -> str:
    """Text without control characters, of at most ``limit`` characters; empty for what is no text."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    # Much more than is kept is never looked at: a report may hold one text of many megabytes.
    text = str(value)[: 4 * limit].replace("\r\n", "\n").translate(_CONTROLS).strip()
    return cut(text, limit)


def cut(text: str, limit: int) -> str:
    """``text``, with an ellipsis where it is cut."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)].rstrip() + "…"


def web_links(values: Iterable[object]) -> tuple[str, ...]:
    """Those of ``values`` that are addresses a person may follow, each once."""
    links = (clean(value, 500) for value in values)
    found = dict.fromkeys(link for link in links if re.match(r"https?://\S+\Z", link))
    return tuple(found)[:LINKS_LIMIT]


def lines(*parts: str) -> str:
    """The parts that are not empty, a line each."""
    return "\n".join(part for part in parts if part)


def sample() -> Finding:
    """The finding of ``linkspan findings test``: marked as a sample, and new each time."""
    uid = f"sample-{secrets.token_hex(6)}"
    return Finding(
        product="linkspan",
        rule="sample",
        title="Sample finding: no action needed",
        severity="critical",
        identity=("sample", uid),
        resource="sample/resource",
        where="sample/resource",
        message="Sent by `linkspan findings test` to show that findings become incidents.",
        remediation="Close this incident.",
        uid=uid,
    )
