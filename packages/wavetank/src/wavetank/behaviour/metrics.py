"""Metrics: one `metric_instance` row for each span in which a watched field kept a value.

ServiceNow docs: "Define a metric", "Metric instance", "Sample field value duration script". The platform
works them out in the background, measured at about half a minute behind: setting `metric_lag_seconds`.
Definitions of type script calculation need a script and do not run here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wavetank.behaviour import spans
from wavetank.behaviour.change import Change
from wavetank.database.dictionary import Field
from wavetank.database.store import Database, Row

if TYPE_CHECKING:
    from wavetank.instance import Instance

TABLE, DEFINITIONS = "metric_instance", "metric_definition"
DURATION = "field_value_duration"


@dataclass(frozen=True, slots=True)
class Event:
    """A watched field of a record got a value, or the record was closed (`over`)."""

    definition: Row
    table: str
    record: str
    field: Field
    value: str
    at: str
    first: bool
    over: bool


class Metrics:
    """The definitions of an instance, and what of them is still to be worked out."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._definitions: dict[str, list[Row]] | None = None
        self._pending: list[Event] = []

    def note(self, change: Change) -> None:
        """Remember what a write means for the metrics of its table; a job works it out later."""
        events = [event for row in self._of(change.table.name) if (event := _event(change, row))]
        if not events:
            return
        lag = float(change.instance.settings.get("metric_lag_seconds"))
        if not lag:
            self._run(change.instance, events)
            return
        if not self._pending:
            change.instance.clock.after(lag, lambda: self.run(change.instance))
        self._pending.extend(events)

    def run(self, instance: Instance) -> None:
        """Work out what is pending."""
        with instance.lock:
            events, self._pending = self._pending, []
            self._run(instance, events)

    def forget(self) -> None:
        """Definitions have changed."""
        self._definitions = None

    def drop(self) -> None:
        """Drop what is pending: other rows are in place."""
        self._pending = []

    def _run(self, instance: Instance, events: list[Event]) -> None:
        with self._database.transaction():
            starts: list[Row] = []
            for event in events:
                if not event.first:
                    self._database.insert_many(TABLE, starts)
                    starts.clear()
                    self._end(event)
                if not event.over:
                    starts.append(_started(instance, event))
            self._database.insert_many(TABLE, starts)

    def _of(self, table: str) -> list[Row]:
        if self._definitions is None:
            self._definitions = {}
            for row in self._database.find(DEFINITIONS, active="true", type=DURATION):
                self._definitions.setdefault(row["table"], []).append(row)
        return self._definitions.get(table, [])

    def _end(self, event: Event) -> None:
        about = {"id": event.record, "definition": event.definition["sys_id"]}
        for row in self._database.find(TABLE, **about, calculation_complete="false"):
            length = spans.seconds(row["start"], event.at)
            ended = {"end": event.at, "calculation_complete": "true"}
            if length is not None:
                ended["duration"] = spans.duration(length)
            self._database.update(TABLE, row["sys_id"], ended)


def note(change: Change) -> None:
    """The rule of tasks that feeds the metrics."""
    change.instance.behaviour.metrics.note(change)


def _event(change: Change, definition: Row) -> Event | None:
    field = change.table.fields.get(definition["field"])
    if field is None:
        return None
    first = change.previous is None
    over = change.changes_to("active", "false")
    value = change.row[field.name]
    wanted = bool(value) and not over if first else over or change.changes(field.name)
    if not wanted or (not over and change.row.get("active") == "false"):
        return None
    return Event(
        definition=definition,
        table=change.table.name,
        record=change.row["sys_id"],
        field=field,
        value=value,
        at=change.row["sys_updated_on"],
        first=first,
        over=over,
    )


def _started(instance: Instance, event: Event) -> Row:
    return {
        "definition": event.definition["sys_id"],
        "id": event.record,
        "table": event.table,
        "field": event.field.name,
        "field_value": event.value,
        "value": _shown(instance, event),
        "start": event.at,
        "calculation_complete": "false",
    }


def _shown(instance: Instance, event: Event) -> str:
    """A value as people read it: a reference's name, a choice's label."""
    if event.field.is_reference and event.value:
        target = instance.dictionary.table(event.field.reference)
        row = instance.database.get(target.name, event.value) if target else None
        return row[target.display] if row and target else event.value
    if event.field.choice:
        known = instance.behaviour.choices.find(event.table, event.field.name)
        return known.labels.get(event.value, event.value) if known else event.value
    return event.value
