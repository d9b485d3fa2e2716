"""The guides of vendors, and their tables as Markdown."""

from __future__ import annotations

from packages.wavetank.tests.access import incident_io, rad_security
from packages.wavetank.tests.access.guide import Guide, Omission

GUIDES = (rad_security.GUIDE, incident_io.GUIDE)


def page() -> str:
    """The steps of each guide, and for each what leaving it out does."""
    return (
        "# What each step of a vendor's guide is good for\n\n"
        "Each guide is carried out over HTTP against wavetank as its administrator would, and again without the "
        "steps named in a row; the row says what does not work then. *Redundant* means: every call of the guide still "
        "works. A step marked *added* is not in the guide.\n" + "".join(_table(guide) for guide in GUIDES)
    )


def _table(guide: Guide) -> str:
    steps = "".join(
        f"| {step.number} | {step.says}{' (*added*)' if step.added else ''} |\n" for step in guide.steps
    )
    rows = "".join(
        f"| {_left_out(omission)} | {_does(omission)} | {omission.because} |\n"
        for omission in guide.omissions
    )
    return (
        f"\n## {guide.title}\n\nIt works when {guide.ends}.\n\n| step | what is done |\n|---|---|\n{steps}"
        f"\n| left out | does | because |\n|---|---|---|\n{rows}"
    )


def _left_out(omission: Omission) -> str:
    named = " and ".join(omission.steps) or "nothing"
    return f"{named}, {omission.where}" if omission.where else named


def _does(omission: Omission) -> str:
    if not omission.fails:
        return "redundant"
    told: dict[str, list[str]] = {}
    for what, said in omission.fails.items():
        told.setdefault(said, []).append(what)
    return "fails: " + "; ".join(f"{', '.join(calls)}: `{said}`" for said, calls in told.items())
