"""follow ups, findings, deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "delivery",
        sa.Column("endpoint", sa.Text(), nullable=False, comment="hooks/NAME, satellites/NAME"),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column(
            "sha256",
            sa.Text(),
            nullable=False,
            comment="of the body",
        ),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "message_id", name=op.f("pk_delivery")),
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_delivery_at"), ["at"], unique=False)

    op.create_table(
        "finding",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "state", sa.Text(), nullable=False, comment="open, resolved or suppressed, as the source says"
        ),
        sa.Column("document", sa.JSON(), nullable=False, comment="the newest sighting, normalised"),
        sa.Column("sightings", sa.Integer(), server_default="0", nullable=False),
        sa.Column("first_seen_at", sa.Float(), nullable=False),
        sa.Column("last_seen_at", sa.Float(), nullable=False),
        sa.Column(
            "noted_at", sa.Float(), nullable=True, comment="when a re-sighting was last written on the record"
        ),
        sa.Column("table_name", sa.Text(), server_default="", nullable=False),
        sa.Column("sys_id", sa.Text(), server_default="", nullable=False),
        sa.Column("number", sa.Text(), server_default="", nullable=False),
        sa.Column("written", sa.JSON(), nullable=True, comment="the fields as last written on the record"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding")),
        sa.UniqueConstraint("source", "fingerprint", name=op.f("uq_finding_source_fingerprint")),
    )
    with op.batch_alter_table("finding", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_finding_last_seen_at"), ["last_seen_at"], unique=False)

    op.create_table(
        "hook",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("sync", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="incident or follow_up"),
        sa.Column("subject", sa.Text(), nullable=False, comment="the far side's id of what changed"),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_hook")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("hook", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_hook_sync_kind_seq"), ["sync", "kind", "seq"], unique=False)

    op.create_table(
        "sighting",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("batch", sa.Text(), nullable=False, comment="the delivery or file it came with"),
        sa.Column("place", sa.Text(), nullable=False, comment="where in that batch"),
        sa.Column(
            "fingerprint",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="empty when unreadable",
        ),
        sa.Column("payload", sa.JSON(), nullable=True, comment="normalised, or the text as it came"),
        sa.Column("received_at", sa.Float(), nullable=False),
        sa.Column(
            "fate", sa.Text(), nullable=True, comment="null while pending; queued waits for the budget"
        ),
        sa.Column("fated_at", sa.Float(), nullable=True),
        sa.Column("reason", sa.JSON(), nullable=True, comment="code, cause and fix of what was not served"),
        sa.Column("not_before", sa.Float(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_sighting")),
        sa.UniqueConstraint("source", "batch", "place", name=op.f("uq_sighting_source_batch_place")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("sighting", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_sighting_source_fate_seq"), ["source", "fate", "seq"], unique=False
        )

    op.create_table(
        "desk_follow_up",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), nullable=False, comment="outstanding, completed or not_doing"),
        sa.Column("priority", sa.Text(), nullable=False, comment="urgent, high, medium or low"),
        sa.Column("assignee", sa.Text(), server_default="", nullable=False, comment="an e-mail address"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True, comment="idempotency key of its creation"),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"],
            ["desk_incident.id"],
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_follow_up")),
        sa.UniqueConstraint("key", name=op.f("uq_desk_follow_up_key")),
        sa.UniqueConstraint("number", name=op.f("uq_desk_follow_up_number")),
    )
    with op.batch_alter_table("desk_follow_up", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_desk_follow_up_incident_id"), ["incident_id"], unique=False)

    op.create_table(
        "desk_follow_up_event",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("follow_up_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "key", sa.Text(), server_default="", nullable=False, comment="the follow-up's creation key"
        ),
        sa.Column("origin", sa.Text(), nullable=False, comment="person or sync"),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["follow_up_id"],
            ["desk_follow_up.id"],
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_desk_follow_up_event")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("link", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "parent_id",
                sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
                nullable=True,
                comment="the incident's link, for a follow-up",
            )
        )
        batch_op.create_index(batch_op.f("ix_link_parent_id"), ["parent_id"], unique=False)
    # A far side may count its versions in microseconds. SQLite's integers are wide enough as they are.
    if op.get_bind().dialect.name == "postgresql":
        for table, column in (("link", "peer_version"), ("inbox", "version")):
            op.alter_column(table, column, existing_type=sa.Integer(), type_=sa.BigInteger())
