"""payments at the desk

Revision: 0005
Follows: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SIGNS = (
    "(kind = 'payment' AND amount < 0) OR (kind IN ('charge', 'refund') AND amount > 0)"
    " OR (kind = 'adjustment' AND amount <> 0)"
)


def upgrade() -> None:
    with op.batch_alter_table("ledger_entries", schema=None) as batch_op:
        batch_op.add_column(sa.Column("note", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("taken_by_id", sa.String(length=24), nullable=True))
        batch_op.add_column(sa.Column("refund_of_id", sa.String(length=24), nullable=True))
        batch_op.create_index(
            batch_op.f("ix_ledger_entries_refund_of_id"), ["refund_of_id"], unique=False
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_ledger_entries_refund_of_id_ledger_entries"),
            "ledger_entries",
            ["refund_of_id"],
            ["id"],
        )
        batch_op.create_check_constraint("sign_of_kind", SIGNS)
        batch_op.create_check_constraint(
            "only_refunds_go_back", "refund_of_id IS NULL OR kind = 'refund'"
        )

    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.create_index("ix_orders_site_confirmed", ["site_id", "confirmed_at"], unique=False)

    for statement in GUARDS[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    for statement in NO_GUARDS[op.get_bind().dialect.name]:
        op.execute(statement)

    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.drop_index("ix_orders_site_confirmed")

    with op.batch_alter_table("ledger_entries", schema=None) as batch_op:
        batch_op.drop_constraint(
            batch_op.f("ck_ledger_entries_only_refunds_go_back"), type_="check"
        )
        batch_op.drop_constraint(batch_op.f("ck_ledger_entries_sign_of_kind"), type_="check")
        batch_op.drop_constraint(
            batch_op.f("fk_ledger_entries_refund_of_id_ledger_entries"), type_="foreignkey"
        )
        batch_op.drop_index(batch_op.f("ix_ledger_entries_refund_of_id"))
        batch_op.drop_column("refund_of_id")
        batch_op.drop_column("taken_by_id")
        batch_op.drop_column("note")


# Whatever writes here, nothing that was written changes (M1), and no refund goes beyond what was
# paid (M4). On PostgreSQL the guard locks the order before it sums, so that two refunds in two
# transactions see each other; SQLite has one writer at a time.
GUARDS = {
    "sqlite": (
        """
        CREATE TRIGGER ledger_entries_stay BEFORE UPDATE ON ledger_entries
        BEGIN SELECT RAISE(ABORT, 'the ledger is append only'); END
        """,
        """
        CREATE TRIGGER ledger_entries_are_kept BEFORE DELETE ON ledger_entries
        BEGIN SELECT RAISE(ABORT, 'the ledger is append only'); END
        """,
        """
        CREATE TRIGGER ledger_entries_refunds BEFORE INSERT ON ledger_entries
        WHEN NEW.kind = 'refund'
        BEGIN
          SELECT RAISE(ABORT, 'a refund is never above what was paid')
          WHERE NEW.amount + COALESCE((
            SELECT SUM(amount) FROM ledger_entries
            WHERE order_id = NEW.order_id AND kind IN ('payment', 'refund')), 0) > 0;
          SELECT RAISE(ABORT, 'a refund is never above its payment')
          WHERE NEW.refund_of_id IS NOT NULL AND NEW.amount + COALESCE((
            SELECT SUM(amount) FROM ledger_entries
            WHERE order_id = NEW.order_id AND (
              (id = NEW.refund_of_id AND kind = 'payment')
              OR refund_of_id = NEW.refund_of_id)), 0) > 0;
        END
        """,
    ),
    "postgresql": (
        """
        CREATE FUNCTION refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          RAISE EXCEPTION 'the ledger is append only' USING ERRCODE = 'restrict_violation';
        END $$
        """,
        """
        CREATE TRIGGER ledger_entries_stay BEFORE UPDATE OR DELETE ON ledger_entries
        FOR EACH ROW EXECUTE FUNCTION refuse_ledger_change()
        """,
        """
        CREATE FUNCTION check_ledger_refund() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          PERFORM 1 FROM orders WHERE id = NEW.order_id FOR NO KEY UPDATE;
          IF NEW.amount + COALESCE((
            SELECT SUM(amount) FROM ledger_entries
            WHERE order_id = NEW.order_id AND kind IN ('payment', 'refund')), 0) > 0
          THEN
            RAISE EXCEPTION 'a refund is never above what was paid'
              USING ERRCODE = 'check_violation';
          END IF;
          IF NEW.refund_of_id IS NOT NULL AND NEW.amount + COALESCE((
            SELECT SUM(amount) FROM ledger_entries
            WHERE order_id = NEW.order_id AND (
              (id = NEW.refund_of_id AND kind = 'payment')
              OR refund_of_id = NEW.refund_of_id)), 0) > 0
          THEN
            RAISE EXCEPTION 'a refund is never above its payment'
              USING ERRCODE = 'check_violation';
          END IF;
          RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER ledger_entries_refunds BEFORE INSERT ON ledger_entries
        FOR EACH ROW WHEN (NEW.kind = 'refund') EXECUTE FUNCTION check_ledger_refund()
        """,
    ),
}

NO_GUARDS = {
    "sqlite": (
        "DROP TRIGGER ledger_entries_refunds",
        "DROP TRIGGER ledger_entries_are_kept",
        "DROP TRIGGER ledger_entries_stay",
    ),
    "postgresql": (
        "DROP TRIGGER ledger_entries_refunds ON ledger_entries",
        "DROP TRIGGER ledger_entries_stay ON ledger_entries",
        "DROP FUNCTION check_ledger_refund()",
        "DROP FUNCTION refuse_ledger_change()",
    ),
}
