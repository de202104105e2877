"""The trail

Revision ID: 0013
Revises: 0012
Create Date: 2026-11-21 20:30:00

Its triggers are made by migrations/env.py after every run, from the tables as they are then.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

KINDS = ("account", "token", "kiosk", "worker", "console", "visitor", "system")


def upgrade() -> None:
    listed = ", ".join(f"'{kind}'" for kind in KINDS)
    op.create_table(
        "audit_entries",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(),
            nullable=False,
        ),
        sa.Column("organisation_id", sa.String(length=36), nullable=True),
        sa.Column("site_id", sa.String(length=36), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in (
                *("actor_kind", "actor_id", "actor_name", "door", "address", "request_id"),
                *("deed_id", "act", "about", "about_id", "subject", "subject_id"),
            )
        ),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.CheckConstraint(
            f'"actor_kind" IN ({listed})', name=op.f("ck_audit_entries_actor_kind_known")
        ),
        sa.CheckConstraint(
            "\"act\" IN ('made', 'changed', 'removed')", name=op.f("ck_audit_entries_act_known")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_audit_entries_organisation_id_organisations"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_entries_about", "audit_entries", ["about", "about_id", "id"])
    op.create_index("ix_audit_entries_organisation", "audit_entries", ["organisation_id", "id"])
    op.create_table(
        "audit_values",
        sa.Column(
            "entry_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("organisation_id", sa.String(length=36), nullable=True),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["audit_entries.id"],
            name=op.f("fk_audit_values_entry_id_audit_entries"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_audit_values_organisation_id_organisations"),
        ),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_audit_values")),
    )
    op.create_index(op.f("ix_audit_values_organisation_id"), "audit_values", ["organisation_id"])


def downgrade() -> None:
    op.drop_table("audit_values")
    op.drop_table("audit_entries")
