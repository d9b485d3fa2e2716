"""Every table of the store. A change here needs a migration beside it (``migrations/versions``).

Times are epoch seconds (UTC). JSON columns hold plain values.
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers only an INTEGER key by itself; PostgreSQL wants the wide type.
Sequence = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Version = Sequence  # a far side may count in microseconds

link = sa.Table(
    "link",
    metadata,
    sa.Column("id", Sequence, primary_key=True, autoincrement=True),
    sa.Column("sync", sa.Text, nullable=False),
    sa.Column("instance", sa.Text, nullable=False),
    sa.Column("table_name", sa.Text, nullable=False),
    sa.Column("sys_id", sa.Text),
    sa.Column("number", sa.Text, nullable=False, server_default=""),
    sa.Column("peer_id", sa.Text),
    sa.Column("peer_reference", sa.Text, nullable=False, server_default=""),
    sa.Column("parent_id", Sequence, comment="the incident's link, for a follow-up"),
    sa.Column("base", sa.JSON, comment="what both sides last agreed on"),
    sa.Column("mod_count", sa.Integer, nullable=False, server_default="-1"),
    sa.Column("peer_version", Version, nullable=False, server_default="-1"),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("synced_at", sa.Float),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("not_before", sa.Float, nullable=False, server_default="0"),
    sa.Column("problem", sa.JSON),
    sa.UniqueConstraint("sync", "sys_id"),
    sa.UniqueConstraint("sync", "peer_id"),
    sa.Index(None, "synced_at"),
    sa.Index(None, "parent_id"),
    sqlite_autoincrement=True,
)

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("seq", Sequence, primary_key=True, autoincrement=True),
    sa.Column("sync", sa.Text, nullable=False),
    sa.Column("link_id", Sequence, sa.ForeignKey("link.id"), nullable=False),
    sa.Column("side", sa.Text, nullable=False, comment="instance or peer: where it happened"),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("version", Version, nullable=False),
    sa.Column("payload", sa.JSON),
    sa.Column("received_at", sa.Float, nullable=False),
    sa.Column("fate", sa.Text, comment="null while pending"),
    sa.Column("fated_at", sa.Float),
    sa.Column("reason", sa.Text),
    sa.UniqueConstraint("sync", "side", "event_id"),
    sa.Index(None, "link_id", "fate"),
    sa.Index(None, "sync", "fate", "fated_at"),
    sa.Index(None, "fated_at"),
    sqlite_autoincrement=True,
)

note = sa.Table(
    "note",
    metadata,
    sa.Column("id", Sequence, primary_key=True, autoincrement=True),
    sa.Column("link_id", Sequence, sa.ForeignKey("link.id"), nullable=False),
    sa.Column("side", sa.Text, nullable=False, comment="instance or peer: where people wrote it"),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("sent", sa.Text, nullable=False, comment="sha256 of the text as written on the other side"),
    sa.Column("counterpart", sa.Text, nullable=False, server_default=""),
    sa.Column("at", sa.Float, nullable=False),
    sa.UniqueConstraint("link_id", "side", "key"),
    sa.Index(None, "link_id", "side", "sent"),
    sqlite_autoincrement=True,
)

intent = sa.Table(
    "intent",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("instance", sa.Text, nullable=False),
    sa.Column("table_name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False, comment="create or note"),
    sa.Column("target", sa.Text, nullable=False, comment="sys_id for a note, correlation_id for a create"),
    sa.Column("content", sa.Text, nullable=False, comment="sha256 of what is written"),
    sa.Column("state", sa.Text, nullable=False, comment="open, done or refused"),
    sa.Column("result", sa.JSON),
    sa.Column("opened_at", sa.Float, nullable=False),
    sa.Column("closed_at", sa.Float),
)

conflict = sa.Table(
    "conflict",
    metadata,
    sa.Column("id", Sequence, primary_key=True, autoincrement=True),
    sa.Column("link_id", Sequence, sa.ForeignKey("link.id"), nullable=False),
    sa.Column("field", sa.Text, nullable=False),
    sa.Column("base", sa.Text),
    sa.Column("peer_value", sa.Text),
    sa.Column("instance_value", sa.Text),
    sa.Column("kept", sa.Text, nullable=False, comment="peer or instance"),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Index(None, "link_id"),
    sqlite_autoincrement=True,
)

watermark = sa.Table(
    "watermark",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.JSON, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)

owned = sa.Table(
    "owned",
    metadata,
    sa.Column("instance", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("sys_id", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False, server_default=""),
    sa.Column("at", sa.Float, nullable=False),
    sa.Index(None, "instance", "account"),
)

ledger = sa.Table(
    "ledger",
    metadata,
    sa.Column("seq", Sequence, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("detail", sa.JSON, nullable=False),
    sa.Column("previous", sa.Text, nullable=False, server_default="", comment="hash of the entry before"),
    sa.Column(
        "hash", sa.Text, nullable=False, server_default="", comment="sha256 of this entry and previous"
    ),
    sqlite_autoincrement=True,
)

request = sa.Table(
    "request",
    metadata,
    sa.Column("id", Sequence, primary_key=True, autoincrement=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False, comment="create or another change that needs approval"),
    sa.Column("requester", sa.Text, nullable=False),
    sa.Column("manager", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("instance", sa.Text, nullable=False, comment="where the approval is kept"),
    sa.Column(
        "records", sa.JSON, nullable=False, comment="table -> sys_id and number of the platform's records"
    ),
    sa.Column(
        "state", sa.Text, nullable=False, comment="requested, approved, rejected, expired or fulfilled"
    ),
    sa.Column("decided_by", sa.Text),
    sa.Column("opened_at", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
    sa.Column("decided_at", sa.Float),
    sa.Column("fulfilled_at", sa.Float),
    sa.Index(None, "state"),
    sqlite_autoincrement=True,
)

scan_run = sa.Table(
    "scan_run",
    metadata,
    sa.Column("id", Sequence, primary_key=True, autoincrement=True),
    sa.Column("suites", sa.JSON, nullable=False),
    sa.Column("started_at", sa.Float, nullable=False),
    sa.Column("finished_at", sa.Float),
    sa.Column("counts", sa.JSON, comment="what the run says of itself; null while it runs"),
    sqlite_autoincrement=True,
)

scan_finding = sa.Table(
    "scan_finding",
    metadata,
    sa.Column("id", Sequence, primary_key=True, autoincrement=True),
    sa.Column("run_id", Sequence, sa.ForeignKey("scan_run.id"), nullable=False),
    sa.Column("instance", sa.Text, nullable=False),
    sa.Column("definition", sa.Text, nullable=False),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("table_name", sa.Text, nullable=False, server_default=""),
    sa.Column("sys_id", sa.Text, nullable=False, server_default=""),
    sa.Column("display", sa.Text, nullable=False, server_default=""),
    sa.Column("detail", sa.JSON, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False, comment="the same problem found again has the same"),
    sa.UniqueConstraint("run_id", "fingerprint"),
    sa.Index(None, "run_id", "instance", "definition"),
    sqlite_autoincrement=True,
)

report = sa.Table(
    "report",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("document", sa.JSON, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)

desk_incident = sa.Table(
    "desk_incident",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("summary", sa.Text, nullable=False, server_default=""),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("key", sa.Text, unique=True, comment="idempotency key of its creation"),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("updated_at", sa.Float, nullable=False),
    sa.UniqueConstraint("number"),
    sa.Index(None, "updated_at"),
)

desk_update = sa.Table(
    "desk_update",
    metadata,
    sa.Column("seq", Sequence, primary_key=True, autoincrement=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("incident_id", sa.Text, sa.ForeignKey("desk_incident.id"), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("key", sa.Text, unique=True, comment="idempotency key of its creation"),
    sa.Index(None, "incident_id", "seq"),
    sqlite_autoincrement=True,
)

desk_event = sa.Table(
    "desk_event",
    metadata,
    sa.Column("seq", Sequence, primary_key=True, autoincrement=True),
    sa.Column("incident_id", sa.Text, sa.ForeignKey("desk_incident.id"), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("key", sa.Text, nullable=False, server_default="", comment="the incident's creation key"),
    sa.Column("origin", sa.Text, nullable=False, comment="person or sync"),
    sa.Column("at", sa.Float, nullable=False),
    sqlite_autoincrement=True,
)

desk_reply = sa.Table(
    "desk_reply",
    metadata,
    sa.Column("key", sa.Text, primary_key=True, comment="idempotency key of an edit"),
    sa.Column("incident_id", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)

desk_follow_up = sa.Table(
    "desk_follow_up",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False, unique=True),
    sa.Column("incident_id", sa.Text, sa.ForeignKey("desk_incident.id"), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
    sa.Column("status", sa.Text, nullable=False, comment="outstanding, completed or not_doing"),
    sa.Column("priority", sa.Text, nullable=False, comment="urgent, high, medium or low"),
    sa.Column("assignee", sa.Text, nullable=False, server_default="", comment="an e-mail address"),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("key", sa.Text, unique=True, comment="idempotency key of its creation"),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("updated_at", sa.Float, nullable=False),
    sa.Index(None, "incident_id"),
)

desk_follow_up_event = sa.Table(
    "desk_follow_up_event",
    metadata,
    sa.Column("seq", Sequence, primary_key=True, autoincrement=True),
    sa.Column("follow_up_id", sa.Text, sa.ForeignKey("desk_follow_up.id"), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("key", sa.Text, nullable=False, server_default="", comment="the follow-up's creation key"),
    sa.Column("origin", sa.Text, nullable=False, comment="person or sync"),
    sa.Column("at", sa.Float, nullable=False),
    sqlite_autoincrement=True,
)

delivery = sa.Table(
    "delivery",
    metadata,
    sa.Column("endpoint", sa.Text, primary_key=True, comment="hooks/NAME, satellites/NAME"),
    sa.Column("message_id", sa.Text, primary_key=True),
    sa.Column("sha256", sa.Text, nullable=False, comment="of the body"),
    sa.Column("at", sa.Float, nullable=False),
    sa.Index(None, "at"),
)

hook = sa.Table(
    "hook",
    metadata,
    sa.Column("seq", Sequence, primary_key=True, autoincrement=True),
    sa.Column("sync", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False, comment="incident or follow_up"),
    sa.Column("subject", sa.Text, nullable=False, comment="the far side's id of what changed"),
    sa.Column("at", sa.Float, nullable=False),
    sa.Index(None, "sync", "kind", "seq"),
    sqlite_autoincrement=True,
)

finding = sa.Table(
    "finding",
    metadata,
    sa.Column("id", Sequence, primary_key=True, autoincrement=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("product", sa.Text, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("resource", sa.Text, nullable=False, server_default=""),
    sa.Column("state", sa.Text, nullable=False, comment="open, resolved or suppressed, as the source says"),
    sa.Column("document", sa.JSON, nullable=False, comment="the newest sighting, normalised"),
    sa.Column("sightings", sa.Integer, nullable=False, server_default="0"),
    sa.Column("first_seen_at", sa.Float, nullable=False),
    sa.Column("last_seen_at", sa.Float, nullable=False),
    sa.Column("noted_at", sa.Float, comment="when a re-sighting was last written on the record"),
    sa.Column("table_name", sa.Text, nullable=False, server_default=""),
    sa.Column("sys_id", sa.Text, nullable=False, server_default=""),
    sa.Column("number", sa.Text, nullable=False, server_default=""),
    sa.Column("written", sa.JSON, comment="the fields as last written on the record"),
    sa.UniqueConstraint("source", "fingerprint"),
    sa.Index(None, "last_seen_at"),
)

sighting = sa.Table(
    "sighting",
    metadata,
    sa.Column("seq", Sequence, primary_key=True, autoincrement=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("batch", sa.Text, nullable=False, comment="the delivery or file it came with"),
    sa.Column("place", sa.Text, nullable=False, comment="where in that batch"),
    sa.Column("fingerprint", sa.Text, nullable=False, server_default="", comment="empty when unreadable"),
    sa.Column("payload", sa.JSON, comment="normalised, or the text as it came"),
    sa.Column("received_at", sa.Float, nullable=False),
    sa.Column("fate", sa.Text, comment="null while pending; queued waits for the budget"),
    sa.Column("fated_at", sa.Float),
    sa.Column("reason", sa.JSON, comment="code, cause and fix of what was not served"),
    sa.Column("not_before", sa.Float, nullable=False, server_default="0"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.UniqueConstraint("source", "batch", "place"),
    sa.Index(None, "source", "fate", "seq"),
    sqlite_autoincrement=True,
)
