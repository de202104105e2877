"""People merged and erased, and notes about them

Revision ID: 0010
Revises: 0008
Create Date: 2026-11-21 20:30:00
"""

import unicodedata

import sqlalchemy as sa
from alembic import op

from models.base import UTCDateTime

revision = "0010"
down_revision = "0008"
branch_labels = None
depends_on = None

LEDGER = (
    "id", "organisation_id", "order_id", "kind", "amount", "currency", "method", "taken_by_id",
    "refund_of_id", "created_at", "fee", "booking_id", "fee_number", "reverses_id",
)  # fmt: skip


def upgrade() -> None:
    op.add_column("customers", sa.Column("name_key", sa.Text(), server_default="", nullable=False))
    op.add_column("customers", sa.Column("phone_key", sa.Text(), server_default="", nullable=False))
    op.add_column("customers", sa.Column("erased_at", UTCDateTime(timezone=True), nullable=True))
    _fill_keys()
    op.create_index("ix_customers_organisation_name", "customers", ["organisation_id", "name_key"])
    op.create_index(
        "ix_customers_organisation_phone", "customers", ["organisation_id", "phone_key"]
    )
    op.create_table(
        "former_customers",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.Column("customer_id", sa.String(length=24), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=True),
        sa.Column("merged_at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("merged_by_id", sa.String(length=24), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_former_customers_organisation_id_organisations"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customers.id"],
            name=op.f("fk_former_customers_customer_id_customers"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_former_customers")),
    )
    op.create_index(
        op.f("ix_former_customers_organisation_id"), "former_customers", ["organisation_id"]
    )
    op.create_index(op.f("ix_former_customers_customer_id"), "former_customers", ["customer_id"])
    op.create_index(
        "ix_former_customers_address", "former_customers", ["organisation_id", "email_key"]
    )
    op.create_table(
        "notes",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.Column("customer_id", sa.String(length=24), nullable=True),
        sa.Column("session_booking_id", sa.String(length=24), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("author_id", sa.String(length=24), nullable=True),
        sa.Column("author_name", sa.Text(), nullable=False),
        sa.Column("created_at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("taken_away_at", UTCDateTime(timezone=True), nullable=True),
        sa.Column("taken_away_by_id", sa.String(length=24), nullable=True),
        sa.CheckConstraint(
            "(customer_id IS NULL) <> (session_booking_id IS NULL)",
            name=op.f("ck_notes_about_one_thing"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_notes_organisation_id_organisations"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_notes_customer_id_customers")
        ),
        sa.ForeignKeyConstraint(
            ["session_booking_id"],
            ["session_bookings.id"],
            name=op.f("fk_notes_session_booking_id_session_bookings"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notes")),
    )
    op.create_index(op.f("ix_notes_organisation_id"), "notes", ["organisation_id"])
    op.create_index(op.f("ix_notes_customer_id"), "notes", ["customer_id"])
    op.create_index(op.f("ix_notes_session_booking_id"), "notes", ["session_booking_id"])
    for statement in LETS_NOTES_GO[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    for statement in KEEPS_NOTES[op.get_bind().dialect.name]:
        op.execute(statement)
    op.drop_table("notes")
    op.drop_table("former_customers")
    op.drop_index("ix_customers_organisation_phone", "customers")
    op.drop_index("ix_customers_organisation_name", "customers")
    op.drop_column("customers", "erased_at")
    op.drop_column("customers", "phone_key")
    op.drop_column("customers", "name_key")


def _fill_keys() -> None:
    """As domain/people.py folds them at this revision."""
    customers = sa.table(
        "customers",
        sa.column("id", sa.String),
        sa.column("name", sa.Text),
        sa.column("phone", sa.Text),
        sa.column("name_key", sa.Text),
        sa.column("phone_key", sa.Text),
    )
    connection = op.get_bind()
    rows = connection.execute(sa.select(customers.c.id, customers.c.name, customers.c.phone)).all()
    if rows:
        connection.execute(
            sa.update(customers)
            .where(customers.c.id == sa.bindparam("row"))
            .values(name_key=sa.bindparam("folded"), phone_key=sa.bindparam("digits")),
            [
                {"row": row[0], "folded": _fold_name(row[1]), "digits": _fold_phone(row[2])}
                for row in rows
            ],
        )


def _fold_name(text: str) -> str:
    strokes = {"ø": "o", "đ": "d", "ł": "l", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe"}
    plain = unicodedata.normalize("NFKD", text.casefold())
    letters = (letter for letter in plain if unicodedata.category(letter) not in ("Mn", "Cf"))
    return " ".join("".join(letters).translate(str.maketrans(strokes)).split())


def _fold_phone(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).replace("(0)", "")
    digits = (letter for letter in plain if letter.isdecimal())
    return "".join(digits).removeprefix("00")


# A line of the ledger stays as it is (M1), but for its note: who asks to be erased is named in
# none. It can be emptied, never written anew.
LETS_NOTES_GO = {
    "sqlite": (
        "DROP TRIGGER ledger_entries_stay",
        f"""
        CREATE TRIGGER ledger_entries_stay BEFORE UPDATE OF {", ".join(LEDGER)} ON ledger_entries
        BEGIN SELECT RAISE(ABORT, 'the ledger is append only'); END
        """,
        """
        CREATE TRIGGER ledger_entries_notes_only_go BEFORE UPDATE OF note ON ledger_entries
        WHEN NEW.note <> ''
        BEGIN SELECT RAISE(ABORT, 'the ledger is append only'); END
        """,
    ),
    "postgresql": (
        """
        CREATE OR REPLACE FUNCTION refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF TG_OP = 'UPDATE' THEN
            IF NEW.note = '' AND to_jsonb(NEW) - 'note' = to_jsonb(OLD) - 'note' THEN
              RETURN NEW;
            END IF;
          END IF;
          RAISE EXCEPTION 'the ledger is append only' USING ERRCODE = 'restrict_violation';
        END $$
        """,
    ),
}

KEEPS_NOTES = {
    "sqlite": (
        "DROP TRIGGER ledger_entries_notes_only_go",
        "DROP TRIGGER ledger_entries_stay",
        """
        CREATE TRIGGER ledger_entries_stay BEFORE UPDATE ON ledger_entries
        BEGIN SELECT RAISE(ABORT, 'the ledger is append only'); END
        """,
    ),
    "postgresql": (
        """
        CREATE OR REPLACE FUNCTION refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          RAISE EXCEPTION 'the ledger is append only' USING ERRCODE = 'restrict_violation';
        END $$
        """,
    ),
}
