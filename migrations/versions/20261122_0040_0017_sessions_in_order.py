"""An index in the order in which sessions are listed

Revision ID: 0017
Revises: 0016
Create Date: 2026-11-22 00:40:00
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_sessions_organisation_start",
        "sessions",
        ["organisation_id", "start_time", "id", "site_id", "deleted_at"],
    )


def downgrade() -> None:
    op.drop_index("ix_sessions_organisation_start", table_name="sessions")
