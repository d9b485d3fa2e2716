"""The two generated reports are what they claim to be, by other people's models."""

from pathlib import Path

import pytest
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding
from py_ocsf_models.events.findings.detection_finding import DetectionFinding

from linkspan.demo import findings
from linkspan.findings import formats
from linkspan.findings.rules import Rules

MODELS = {2003: ComplianceFinding, 2004: DetectionFinding}


@pytest.mark.parametrize("number", [0, 1])
def test_they_come_to_what_the_guides_count_on(tmp_path: Path, number: int) -> None:
    path = findings.write(tmp_path)[number]
    entries = list(formats.read(path.read_bytes()))
    tickets = sum(Rules().decide(entry.finding).ticket for entry in entries if entry.finding)
    assert tickets == findings.TICKETS[path.name]
    assert len(entries) - tickets == findings.BELOW[path.name]


def test_the_events_are_ocsf() -> None:
    for event in findings.ocsf():
        model = MODELS.get(event["class_uid"])
        if model is not None:
            model.model_validate(event)
