"""A plan in words. No terminal codes here; the command line adds colour."""

from __future__ import annotations

from collections.abc import Iterator

from linkspan.provision.values import Change, InstancePlan, Plan

_SIGN = {"create": "+", "update": "~", "delete": "-", "manual": "!"}
_LONGEST = 60


def sentence(change: Change) -> str:
    """One change as a sentence: ``create user svc.responder because …``."""
    kind = change.kind.replace("_", " ")
    if change.action == "manual":
        return f"by hand: {kind} {change.key}, because {change.because}"
    return f"{change.action} {kind} {change.key}, because {change.because}"


def lines(plan: Plan, *, names: dict[str, str] | None = None) -> Iterator[tuple[str, str]]:
    """The plan line by line: (style, text). Styles: instance, create, update, delete, manual, detail,
    brake, problem, quiet. ``names`` maps instances to their URLs."""
    for name, one in plan.instances.items():
        yield "instance", f"{name}  {(names or {}).get(name, '')}".rstrip()
        yield from _instance(one)
    yield "quiet", f"plan {plan.checksum[:12]}"


def markdown(plan: Plan) -> str:
    """The plan for a pull request."""
    parts = [f"## Plan `{plan.checksum[:12]}`"]
    for name, one in plan.instances.items():
        parts.append(f"### {name}")
        parts += [f"- {text.strip()}" for _, text in _instance(one)]
    return "\n".join(parts) + "\n"


def _instance(plan: InstancePlan) -> Iterator[tuple[str, str]]:
    if plan.problem is not None:
        yield "problem", f"  could not be read: {plan.problem}"
        return
    if not plan.changes:
        yield "quiet", "  nothing to do"
    for change in plan.changes:
        yield change.action, f"  {_SIGN[change.action]} {sentence(change)}"
        for field, values in change.fields.items():
            before = f"{_short(values.before)} → " if change.action == "update" else ""
            yield "detail", f"      {field}: {before}{_short(values.after)}"
        if change.artefact:
            yield "detail", f"      {change.artefact}"
    for brake in plan.brakes:
        yield "brake", f"  stop: {brake.cause}. {brake.fix}"


def _short(text: str) -> str:
    """A value on one line."""
    text = " ".join(text.split())
    if not text:
        return "(empty)"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
