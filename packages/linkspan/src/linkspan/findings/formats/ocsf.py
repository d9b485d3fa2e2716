"""OCSF findings: detection, compliance, vulnerability and application posture (schema.ocsf.io)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from linkspan.findings.finding import Entry, Finding, Malformed, Severity, State, clean, lines, web_links

NAME = "ocsf"
CLASSES: Mapping[int, str] = {
    2002: "Vulnerability Finding",
    2003: "Compliance Finding",
    2004: "Detection Finding",
    2007: "Application Security Posture Finding",
}
_SEVERITIES: Mapping[int, Severity] = {
    0: "unknown",
    1: "info",
    2: "low",
    3: "medium",
    4: "high",
    5: "critical",
    6: "critical",
    99: "unknown",
}
_CLOSE = 3  # activity_id
_STATES: Mapping[int, State] = {3: "suppressed", 4: "resolved", 5: "suppressed", 6: "resolved"}  # status_id
_PASSED = 1  # compliance.status_id

Object = dict[str, Any]


def entry(place: str, event: Any, quarantine: Callable[[str, Any, bytes], Entry], raw: bytes) -> Entry:
    """The entry of one decoded event."""
    try:
        if not isinstance(event, dict):
            raise Malformed("wrong_type", "an event is not an object", "send OCSF events as JSON objects")
        return Entry(place=place, finding=_finding(event))
    except Malformed as error:
        return quarantine(place, error.problem, raw)


def _finding(event: Object) -> Finding:
    class_uid = event.get("class_uid")
    if not isinstance(class_uid, int) or class_uid not in CLASSES:
        known = ", ".join(f"{name} ({uid})" for uid, name in CLASSES.items())
        raise Malformed("not_a_finding", f"class_uid {clean(class_uid, 20) or 'is missing'}", f"send {known}")
    info = _object(event, "finding_info")
    uid = clean(info.get("uid"), 500)
    if not uid:
        raise Malformed("no_uid", "finding_info.uid is missing", "the source must give each finding its uid")
    severity_id = event.get("severity_id")
    if isinstance(severity_id, bool) or not isinstance(severity_id, int):
        raise Malformed("wrong_type", "severity_id is not a number", "send severity_id as OCSF says")
    title = clean(info.get("title"), 300) or clean(event.get("message"), 300)
    if not title:
        raise Malformed("no_title", "finding_info.title is missing", "the source must give a title")
    product = clean(_object(event, "metadata", "product").get("name"), 100) or "unknown"
    resources = [_object(one) for one in _list(event.get("resources"))]
    vulnerabilities = [_object(one) for one in _list(event.get("vulnerabilities"))]
    resource_uid = _resource(resources[0]) if resources else _resource(_object(event, "device"))
    return Finding(
        product=product,
        rule=_rule(event, info, vulnerabilities) or title,
        title=title.splitlines()[0],
        severity=_SEVERITIES.get(severity_id, "unknown"),
        raw_severity=f"severity_id {clean(severity_id, 20)}",
        identity=("ocsf", uid, resource_uid),
        resource=resource_uid,
        where=_where(event, resources),
        message=lines(clean(event.get("message")), clean(info.get("desc")), _compliance(event)),
        evidence=_evidence(event),
        threat=_threat(event, info, vulnerabilities),
        remediation=_remediation(event, vulnerabilities),
        links=_links(event, info, vulnerabilities),
        state=_state(event),
        exploited=any(one.get("exploit_last_seen_time") for one in vulnerabilities),
        uid=uid,
        first_seen=_seconds(info.get("first_seen_time") or info.get("created_time")),
        last_seen=_seconds(info.get("last_seen_time") or event.get("time")),
    )


def _state(event: Object) -> State:
    if event.get("activity_id") == _CLOSE or _object(event, "compliance").get("status_id") == _PASSED:
        return "resolved"
    status = event.get("status_id")
    return _STATES.get(status, "open") if isinstance(status, int) else "open"


def _rule(event: Object, info: Object, vulnerabilities: list[Object]) -> str:
    analytic = _object(info, "analytic")
    compliance = _object(event, "compliance")
    named = (
        analytic.get("uid"),
        _object(vulnerabilities[0], "cve").get("uid") if vulnerabilities else None,
        compliance.get("control"),
        analytic.get("name"),
        next(iter(_list(info.get("types"))), None),
    )
    return next((text for text in (clean(one, 200) for one in named) if text), "")


def _resource(resource: Object) -> str:
    return clean(resource.get("uid") or resource.get("name") or resource.get("hostname"), 1000)


def _where(event: Object, resources: list[Object]) -> str:
    cloud = _object(event, "cloud")
    account = _object(cloud, "account")
    parts = [
        _named("account", account.get("uid") or account.get("name")),
        _named("region", cloud.get("region") or (resources[0].get("region") if resources else None)),
        *(_named(clean(one.get("type"), 60) or "resource", _resource(one)) for one in resources[:10]),
    ]
    return lines(*parts)


def _compliance(event: Object) -> str:
    compliance = _object(event, "compliance")
    standards = ", ".join(clean(one, 100) for one in _list(compliance.get("standards")))
    requirements = ", ".join(clean(one, 100) for one in _list(compliance.get("requirements")))
    return lines(_named("standards", standards), _named("requirements", requirements))


def _evidence(event: Object) -> str:
    found = []
    for one in _list(event.get("evidences"))[:10]:
        found.append(_flat(_object(one)))
    return clean(lines(clean(event.get("status_detail")), *found))


def _flat(value: Object, prefix: str = "", depth: int = 0) -> str:
    """Nested values as lines ``a.b: text``, so that a person can read them."""
    out = []
    for key, one in list(value.items())[:40]:
        name = f"{prefix}{clean(key, 60)}"
        if isinstance(one, dict) and depth < 3:
            out.append(_flat(one, f"{name}.", depth + 1))
        else:
            out.append(_named(name, clean(one, 500)))
    return lines(*out)


def _threat(event: Object, info: Object, vulnerabilities: list[Object]) -> str:
    out = []
    for attack in (_object(one) for one in _list(info.get("attacks"))):
        technique, tactic = _object(attack, "technique"), _object(attack, "tactic")
        tactics = tactic or _object(next(iter(_list(attack.get("tactics"))), None))
        names = [clean(one.get(key), 100) for one in (technique, tactics) for key in ("uid", "name")]
        out.append(_named("attack", " ".join(name for name in names if name)))
    for one in vulnerabilities:
        cve = _object(one, "cve")
        cvss = _object(next(iter(_list(cve.get("cvss"))), None))
        score = f" (CVSS {clean(cvss.get('base_score'), 8)})" if cvss.get("base_score") else ""
        seen = ", known to be exploited" if one.get("exploit_last_seen_time") else ""
        usable = ", an exploit is available" if one.get("is_exploit_available") else ""
        if cve.get("uid"):
            out.append(f"{clean(cve.get('uid'), 40)}{score}{seen or usable}")
    for observable in (_object(one) for one in _list(event.get("observables"))[:20]):
        name = clean(observable.get("name"), 60) or clean(observable.get("type"), 60) or "observable"
        out.append(_named(name, clean(observable.get("value"), 300)))
    out.append(_named("risk", clean(event.get("risk_details"), 1000)))
    return clean(lines(*dict.fromkeys(out)))


def _remediation(event: Object, vulnerabilities: list[Object]) -> str:
    sources = [_object(event, "remediation"), *(_object(one, "remediation") for one in vulnerabilities)]
    return clean(lines(*dict.fromkeys(clean(one.get("desc")) for one in sources)))


def _links(event: Object, info: Object, vulnerabilities: list[Object]) -> tuple[str, ...]:
    references: list[Any] = [info.get("src_url"), *_list(_object(event, "remediation").get("references"))]
    for one in vulnerabilities:
        references += _list(one.get("references")) + _list(_object(one, "cve").get("references"))
    return web_links(references)


def _seconds(value: Any) -> float | None:
    """OCSF times are milliseconds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 2.5e14:
        return None
    return value / 1000


def _named(name: str, value: Any) -> str:
    text = clean(value)
    return f"{name}: {text}" if text else ""


def _object(holder: Any, *names: str) -> Object:
    for name in names:
        holder = holder.get(name) if isinstance(holder, dict) else None
    return holder if isinstance(holder, dict) else {}


def _list(value: Any) -> list[Any]:
    return value[:100] if isinstance(value, list) else []
