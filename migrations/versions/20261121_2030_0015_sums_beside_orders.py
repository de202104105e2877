"""Sums beside orders, and indexes that hold what reports count

Revision ID: 0015
Revises: 0014
Create Date: 2026-11-21 20:30:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

SUMS = ("charged", "adjusted", "balance")


def upgrade() -> None:
    for name in SUMS:
        op.add_column(
            "orders", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)
        )
    op.execute(
        "UPDATE orders SET"
        " charged = COALESCE((SELECT SUM(amount) FROM ledger_entries"
        "  WHERE order_id = orders.id AND kind = 'charge'), 0),"
        " adjusted = COALESCE((SELECT SUM(amount) FROM ledger_entries"
        "  WHERE order_id = orders.id AND kind = 'adjustment'), 0),"
        " balance = COALESCE((SELECT SUM(amount) FROM ledger_entries"
        "  WHERE order_id = orders.id), 0)"
    )
    for statement in SUMMING[op.get_bind().dialect.name]:
        op.execute(statement)

    op.drop_index("ix_session_bookings_session_status", "session_bookings")
    op.create_index(
        "ix_session_bookings_session_counted",
        "session_bookings",
        [
            "session_id",
            "status",
            "cancelled_at",
            "places",
            "is_no_show",
            "order_item_id",
            "order_id",
            "fee",
        ],
    )
    op.drop_index("ix_session_bookings_order_id", "session_bookings")
    op.create_index(
        "ix_session_bookings_order_counted",
        "session_bookings",
        [
            "order_id",
            "status",
            "cancelled_at",
            "session_id",
            "places",
            "order_item_id",
            "organisation_id",
            "fee",
        ],
    )
    op.create_index("ix_order_items_worth", "order_items", ["id", "unit_price", "currency"])
    op.drop_index("ix_orders_customer_id", "orders")
    op.create_index(
        "ix_orders_customer_confirmed", "orders", ["customer_id", "confirmed_at", "organisation_id"]
    )
    op.drop_index("ix_orders_site_confirmed", "orders")
    op.create_index(
        "ix_orders_site_confirmed",
        "orders",
        ["site_id", "confirmed_at", "customer_id", "organisation_id"],
    )


def downgrade() -> None:
    op.drop_index("ix_orders_site_confirmed", "orders")
    op.create_index("ix_orders_site_confirmed", "orders", ["site_id", "confirmed_at"])
    op.drop_index("ix_orders_customer_confirmed", "orders")
    op.create_index("ix_orders_customer_id", "orders", ["customer_id"])
    op.drop_index("ix_order_items_worth", "order_items")
    op.drop_index("ix_session_bookings_order_counted", "session_bookings")
    op.create_index("ix_session_bookings_order_id", "session_bookings", ["order_id"])
    op.drop_index("ix_session_bookings_session_counted", "session_bookings")
    op.create_index(
        "ix_session_bookings_session_status", "session_bookings", ["session_id", "status"]
    )
    for statement in NO_SUMMING[op.get_bind().dialect.name]:
        op.execute(statement)
    for name in reversed(SUMS):
        op.drop_column("orders", name)


# The ledger is append only, so its sums are what was added: nothing else writes these columns.
ADD = """
    UPDATE orders SET
      charged = charged + CASE WHEN NEW.kind = 'charge' THEN NEW.amount ELSE 0 END,
      adjusted = adjusted + CASE WHEN NEW.kind = 'adjustment' THEN NEW.amount ELSE 0 END,
      balance = balance + NEW.amount
    WHERE id = NEW.order_id;
"""
SUMMING = {
    "sqlite": (
        f"CREATE TRIGGER ledger_entries_summed AFTER INSERT ON ledger_entries BEGIN {ADD} END",
    ),
    "postgresql": (
        "CREATE FUNCTION sum_ledger() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN {ADD} RETURN NULL; END $$",
        "CREATE TRIGGER ledger_entries_summed AFTER INSERT ON ledger_entries"
        " FOR EACH ROW EXECUTE FUNCTION sum_ledger()",
    ),
}
NO_SUMMING = {
    "sqlite": ("DROP TRIGGER ledger_entries_summed",),
    "postgresql": (
        "DROP TRIGGER ledger_entries_summed ON ledger_entries",
        "DROP FUNCTION sum_ledger()",
    ),
}
