"""Webhooks and their log, and finding what one deed changed

Revision ID: 0016
Revises: 0015
Create Date: 2026-11-22 00:05:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("site_id", sa.String(length=36), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("kinds", sa.JSON(), nullable=False),
        sa.Column("sealed_secret", sa.Text(), nullable=False),
        sa.Column("sealed_older", sa.Text(), nullable=True),
        sa.Column("older_until", MOMENT, nullable=True),
        sa.Column("paused_at", MOMENT, nullable=True),
        sa.Column("paused_why", sa.Text(), nullable=False),
        sa.Column("failing_since", MOMENT, nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("created_by_id", sa.String(length=24), nullable=True),
        sa.Column("created_by_name", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.CheckConstraint(
            "\"paused_why\" IN ('', 'hand', 'gone', 'failing')",
            name=op.f("ck_webhooks_paused_why_known"),
        ),
        _to("webhooks", "site_id", "sites"),
        _to("webhooks", "created_by_id", "accounts", gone="SET NULL"),
        _to("webhooks", "organisation_id", "organisations"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_index(op.f("ix_webhooks_organisation_id"), "webhooks", ["organisation_id"])
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("webhook_id", sa.String(length=24), nullable=False),
        sa.Column("event_id", sa.String(length=24), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("is_again", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("tried_at", MOMENT, nullable=True),
        sa.Column("next_at", MOMENT, nullable=True),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.CheckConstraint(
            "\"state\" IN ('waiting', 'delivered', 'failed')",
            name=op.f("ck_webhook_deliveries_state_known"),
        ),
        _to("webhook_deliveries", "webhook_id", "webhooks"),
        _to("webhook_deliveries", "organisation_id", "organisations"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
    )
    for name, columns in (
        ("organisation_id", ["organisation_id"]),
        ("log", ["webhook_id", "created_at"]),
        ("created_at", ["created_at"]),
    ):
        op.create_index(op.f(f"ix_webhook_deliveries_{name}"), "webhook_deliveries", columns)
    op.create_index("ix_audit_entries_deed", "audit_entries", ["deed_id", "organisation_id"])


def downgrade() -> None:
    op.drop_index("ix_audit_entries_deed", "audit_entries")
    op.drop_table("webhook_deliveries")
    op.drop_table("webhooks")


def _to(table: str, column: str, other: str, gone: str | None = None) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{other}")
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=name, ondelete=gone)
