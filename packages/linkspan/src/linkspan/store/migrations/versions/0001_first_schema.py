"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "desk_incident",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), server_default="", nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True, comment="idempotency key of its creation"),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_incident")),
        sa.UniqueConstraint("key", name=op.f("uq_desk_incident_key")),
        sa.UniqueConstraint("number", name=op.f("uq_desk_incident_number")),
    )
    with op.batch_alter_table("desk_incident", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_desk_incident_updated_at"), ["updated_at"], unique=False)

    op.create_table(
        "desk_reply",
        sa.Column("key", sa.Text(), nullable=False, comment="idempotency key of an edit"),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_desk_reply")),
    )
    op.create_table(
        "intent",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="create or note"),
        sa.Column(
            "target", sa.Text(), nullable=False, comment="sys_id for a note, correlation_id for a create"
        ),
        sa.Column("content", sa.Text(), nullable=False, comment="sha256 of what is written"),
        sa.Column("state", sa.Text(), nullable=False, comment="open, done or refused"),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("opened_at", sa.Float(), nullable=False),
        sa.Column("closed_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_intent")),
    )
    op.create_table(
        "ledger",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_ledger")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "link",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("sync", sa.Text(), nullable=False),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("sys_id", sa.Text(), nullable=True),
        sa.Column("number", sa.Text(), server_default="", nullable=False),
        sa.Column("peer_id", sa.Text(), nullable=True),
        sa.Column("peer_reference", sa.Text(), server_default="", nullable=False),
        sa.Column("base", sa.JSON(), nullable=True, comment="what both sides last agreed on"),
        sa.Column("mod_count", sa.Integer(), server_default="-1", nullable=False),
        sa.Column("peer_version", sa.Integer(), server_default="-1", nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("synced_at", sa.Float(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("not_before", sa.Float(), server_default="0", nullable=False),
        sa.Column("problem", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_link")),
        sa.UniqueConstraint("sync", "peer_id", name=op.f("uq_link_sync_peer_id")),
        sa.UniqueConstraint("sync", "sys_id", name=op.f("uq_link_sync_sys_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("link", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_link_synced_at"), ["synced_at"], unique=False)

    op.create_table(
        "owned",
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("sys_id", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("instance", "kind", "key", name=op.f("pk_owned")),
    )
    with op.batch_alter_table("owned", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_owned_instance_account"), ["instance", "account"], unique=False)

    op.create_table(
        "report",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", name=op.f("pk_report")),
    )
    op.create_table(
        "watermark",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_watermark")),
    )
    op.create_table(
        "conflict",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("link_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("base", sa.Text(), nullable=True),
        sa.Column("peer_value", sa.Text(), nullable=True),
        sa.Column("instance_value", sa.Text(), nullable=True),
        sa.Column("kept", sa.Text(), nullable=False, comment="peer or instance"),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["link_id"],
            ["link.id"],
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conflict")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("conflict", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_conflict_link_id"), ["link_id"], unique=False)

    op.create_table(
        "desk_event",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), server_default="", nullable=False, comment="the incident's creation key"),
        sa.Column("origin", sa.Text(), nullable=False, comment="person or sync"),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"],
            ["desk_incident.id"],
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_desk_event")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "desk_update",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True, comment="idempotency key of its creation"),
        sa.ForeignKeyConstraint(
            ["incident_id"],
            ["desk_incident.id"],
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_desk_update")),
        sa.UniqueConstraint("id", name=op.f("uq_desk_update_id")),
        sa.UniqueConstraint("key", name=op.f("uq_desk_update_key")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("desk_update", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_desk_update_incident_id_seq"), ["incident_id", "seq"], unique=False
        )

    op.create_table(
        "inbox",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("sync", sa.Text(), nullable=False),
        sa.Column("link_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("side", sa.Text(), nullable=False, comment="instance or peer: where it happened"),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=True),
        sa.Column("received_at", sa.Float(), nullable=False),
        sa.Column("fate", sa.Text(), nullable=True, comment="null while pending"),
        sa.Column("fated_at", sa.Float(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["link_id"],
            ["link.id"],
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_inbox")),
        sa.UniqueConstraint("sync", "side", "event_id", name=op.f("uq_inbox_sync_side_event_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_inbox_fated_at"), ["fated_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_inbox_link_id_fate"), ["link_id", "fate"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_inbox_sync_fate_fated_at"), ["sync", "fate", "fated_at"], unique=False
        )

    op.create_table(
        "note",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("link_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("side", sa.Text(), nullable=False, comment="instance or peer: where people wrote it"),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column(
            "sent", sa.Text(), nullable=False, comment="sha256 of the text as written on the other side"
        ),
        sa.Column("counterpart", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["link_id"],
            ["link.id"],
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_note")),
        sa.UniqueConstraint("link_id", "side", "key", name=op.f("uq_note_link_id_side_key")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("note", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_note_link_id_side_sent"), ["link_id", "side", "sent"], unique=False
        )
