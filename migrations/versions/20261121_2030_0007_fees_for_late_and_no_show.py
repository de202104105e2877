"""Fees for coming late or not at all

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-21 20:30:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

RULES = (
    ("late_after_minutes", sa.Integer()),
    ("late_fee", sa.BigInteger()),
    ("no_show_fee", sa.BigInteger()),
    ("fees_waivable_hours", sa.Integer()),
)

# Plain ADD COLUMN: a rebuilt table would lose the guards of the ledger on SQLite.
LEDGER = (
    "fee TEXT",
    "booking_id VARCHAR(24) CONSTRAINT fk_ledger_entries_booking_id_session_bookings"
    " REFERENCES session_bookings (id)",
    "fee_number INTEGER",
    "reverses_id VARCHAR(24) CONSTRAINT fk_ledger_entries_reverses_id_ledger_entries"
    " REFERENCES ledger_entries (id)",
)


def upgrade() -> None:
    for name, kind in RULES:
        op.add_column("session_types", sa.Column(name, kind, nullable=True))
    op.add_column(
        "session_bookings", sa.Column("fee", sa.BigInteger(), server_default="0", nullable=False)
    )
    for column in LEDGER:
        op.execute(f"ALTER TABLE ledger_entries ADD COLUMN {column}")
    _unique("uq_ledger_entries_fee", ["booking_id", "fee_number"], "fee_number IS NOT NULL")
    _unique("uq_ledger_entries_reverses", ["reverses_id"], "reverses_id IS NOT NULL")


def downgrade() -> None:
    op.drop_index("uq_ledger_entries_reverses", "ledger_entries")
    op.drop_index("uq_ledger_entries_fee", "ledger_entries")
    guards = _guards()
    with op.batch_alter_table("ledger_entries", schema=None) as batch_op:
        for name in ("reverses_id", "fee_number", "booking_id", "fee"):
            batch_op.drop_column(name)
    for guard in guards:
        op.execute(guard)
    op.drop_column("session_bookings", "fee")
    for name, _ in reversed(RULES):
        op.drop_column("session_types", name)


def _unique(name: str, columns: list[str], where: str) -> None:
    kept = sa.text(where)
    op.create_index(
        name, "ledger_entries", columns, unique=True, sqlite_where=kept, postgresql_where=kept
    )


def _guards() -> list[str]:
    """What SQLite forgets when the table is rebuilt."""
    if op.get_bind().dialect.name != "sqlite":
        return []
    query = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'ledger_entries'"
    return [row[0] for row in op.get_bind().exec_driver_sql(query)]
