"""Metrics of what was ingested. Nothing is asked of an instance here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from linkspan.core.errors import ConfigError
from linkspan.ingest.mttr import Answer, Question, mttr
from linkspan.store.warehouse import Warehouse

STREAM = "incident"
# Somebody sits before a page. An ingestion has the warehouse for a second or two at a time.
WAIT_SECONDS = 10.0


def ingested_instances(home: Path) -> list[str]:
    """The instances whose incidents are in the warehouse."""
    stored = Warehouse(home, wait=WAIT_SECONDS).streams()
    return sorted({instance for instance, stream in stored if stream == STREAM})


def mttr_of(home: Path, question: Question, *, instance: str = "") -> tuple[str, Answer]:
    """The instance and its mean time to restore. Without a name there must be one ingested instance.

    Raises ConfigError when its incidents are not ingested, or when the question names what does not exist,
    WarehouseBusy.
    """
    warehouse = Warehouse(home, wait=WAIT_SECONDS)
    name = instance or _only(ingested_instances(home))
    columns = warehouse.columns(name, STREAM)
    if not columns:
        raise ConfigError(
            f"no incidents of {name} are ingested",
            fix="run `linkspan ingest run incident` first; it reads them into the warehouse",
            code="not_found",
        )
    with warehouse.reading() as ask:  # one look, so that the parts add up to the whole
        return name, mttr(ask, Warehouse.table(name, STREAM), columns, question)


def document(instance: str, answer: Answer) -> Mapping[str, Any]:
    """The published shape of ``linkspan metrics mttr``."""
    return {"instance": instance, **answer.document()}


def _only(names: list[str]) -> str:
    if not names:
        raise ConfigError(
            "nothing is ingested yet",
            fix="name the instance under ingest: in linkspan.yaml and run `linkspan ingest run`",
            code="not_found",
        )
    if len(names) > 1:
        raise ConfigError(
            "several instances are ingested", fix=f"name one: instance {' or '.join(names)}", code="invalid"
        )
    return names[0]
