"""Requests, scans, and a chained ledger."""

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "request",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column(
            "action", sa.Text(), nullable=False, comment="create or another change that needs approval"
        ),
        sa.Column("requester", sa.Text(), nullable=False),
        sa.Column("manager", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("instance", sa.Text(), nullable=False, comment="where the approval is kept"),
        sa.Column(
            "records",
            sa.JSON(),
            nullable=False,
            comment="table -> sys_id and number of the platform's records",
        ),
        sa.Column(
            "state", sa.Text(), nullable=False, comment="requested, approved, rejected, expired or fulfilled"
        ),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("opened_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("decided_at", sa.Float(), nullable=True),
        sa.Column("fulfilled_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("request", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_request_state"), ["state"], unique=False)

    op.create_table(
        "scan_run",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("suites", sa.JSON(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("finished_at", sa.Float(), nullable=True),
        sa.Column(
            "counts", sa.JSON(), nullable=True, comment="what the run says of itself; null while it runs"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scan_run")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "scan_finding",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("table_name", sa.Text(), server_default="", nullable=False),
        sa.Column("sys_id", sa.Text(), server_default="", nullable=False),
        sa.Column("display", sa.Text(), server_default="", nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column(
            "fingerprint", sa.Text(), nullable=False, comment="the same problem found again has the same"
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["scan_run.id"],
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scan_finding")),
        sa.UniqueConstraint("run_id", "fingerprint", name=op.f("uq_scan_finding_run_id_fingerprint")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("scan_finding", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_scan_finding_run_id_instance_definition"),
            ["run_id", "instance", "definition"],
            unique=False,
        )

    with op.batch_alter_table("ledger", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "previous", sa.Text(), server_default="", nullable=False, comment="hash of the entry before"
            )
        )
        batch_op.add_column(
            sa.Column(
                "hash",
                sa.Text(),
                server_default="",
                nullable=False,
                comment="sha256 of this entry and previous",
            )
        )
    _chain(op.get_bind())


def _chain(connection: sa.Connection) -> None:
    """Entries written before the chain existed are chained as they stand now."""
    names = ("seq", "at", "actor", "action", "subject", "detail")
    detail = sa.column("detail", sa.JSON)
    ledger = sa.table(
        "ledger",
        *(detail if name == "detail" else sa.column(name) for name in names),
        sa.column("previous"),
        sa.column("hash"),
    )
    previous = ""
    for row in connection.execute(
        sa.select(*(ledger.c[name] for name in names)).order_by(ledger.c.seq)
    ).all():
        said = [previous, repr(float(row.at)), row.actor, row.action, row.subject, row.detail]
        text = json.dumps(said, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        new = hashlib.sha256(text.encode()).hexdigest()
        connection.execute(
            sa.update(ledger).where(ledger.c.seq == row.seq).values(previous=previous, hash=new)
        )
        previous = new
