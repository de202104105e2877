"""Archives of an organisation

Revision ID: 0014
Revises: 0013
Create Date: 2026-11-21 20:35:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "archives",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("work_id", sa.String(length=24), nullable=True),
        sa.Column("asked_by_id", sa.String(length=24), nullable=True),
        sa.Column("asked_by_name", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_archives_organisation_id_organisations"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_archives")),
    )
    op.create_index(op.f("ix_archives_organisation_id"), "archives", ["organisation_id"])
    op.create_index(op.f("ix_archives_work_id"), "archives", ["work_id"])
    op.create_table(
        "archive_parts",
        sa.Column("archive_id", sa.String(length=24), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["archive_id"], ["archives.id"], name=op.f("fk_archive_parts_archive_id_archives")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_archive_parts_organisation_id_organisations"),
        ),
        sa.PrimaryKeyConstraint("archive_id", "position", name=op.f("pk_archive_parts")),
    )
    op.create_index(op.f("ix_archive_parts_organisation_id"), "archive_parts", ["organisation_id"])


def downgrade() -> None:
    op.drop_table("archive_parts")
    op.drop_table("archives")
