"""Indexes of reports

Revision ID: 0006
Revises: 0005
Create Date: 2026-11-21 17:38:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _partial(
        "ix_session_bookings_waited",
        "session_bookings",
        ["site_id", "waiting_since"],
        "waiting_since IS NOT NULL",
    )
    _partial(
        "ix_ledger_entries_taken",
        "ledger_entries",
        ["organisation_id", "created_at"],
        "kind IN ('payment', 'refund')",
    )


def downgrade() -> None:
    op.drop_index("ix_ledger_entries_taken", "ledger_entries")
    op.drop_index("ix_session_bookings_waited", "session_bookings")


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    kept = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=kept, postgresql_where=kept)
