"""Finding and kiosks

Revision ID: 0008
Revises: 0007
Create Date: 2026-11-21 20:20:00
"""

import secrets
from typing import Any

import sqlalchemy as sa
from alembic import op

from domain.finding import kept_words

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

AT_ONCE = 2000


def upgrade() -> None:
    op.create_table(
        "finding_words",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.Column(
            "word",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("order_id", sa.String(length=24), nullable=True),
        sa.Column("customer_id", sa.String(length=24), nullable=True),
        sa.Column("guest_id", sa.String(length=24), nullable=True),
        sa.CheckConstraint(
            "CASE WHEN order_id IS NULL THEN 0 ELSE 1 END"
            " + CASE WHEN customer_id IS NULL THEN 0 ELSE 1 END"
            " + CASE WHEN guest_id IS NULL THEN 0 ELSE 1 END = 1",
            name=op.f("ck_finding_words_of_one_row"),
        ),
        *(
            sa.ForeignKeyConstraint(
                [column],
                [f"{table}.id"],
                name=op.f(f"fk_finding_words_{column}_{table}"),
                ondelete="CASCADE",
            )
            for column, table in (
                ("order_id", "orders"),
                ("customer_id", "customers"),
                ("guest_id", "guests"),
            )
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_finding_words_organisation_id_organisations"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding_words")),
    )
    op.create_table(
        "kiosks",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("site_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("signed_in_by_id", sa.String(length=24), nullable=False),
        sa.Column("ended_by_id", sa.String(length=24), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("showing_id", sa.String(length=24), nullable=True),
        sa.Column("showing_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_kiosks_organisation_id_organisations"),
        ),
        sa.ForeignKeyConstraint(
            ["showing_id"],
            ["session_bookings.id"],
            name=op.f("fk_kiosks_showing_id_session_bookings"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_kiosks_site_id_sites")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kiosks")),
    )
    op.create_index(op.f("ix_kiosks_organisation_id"), "kiosks", ["organisation_id"])
    op.create_index("ix_kiosks_site_ended_at", "kiosks", ["site_id", "ended_at"])

    op.add_column("session_bookings", sa.Column("check_in_code", sa.Text(), nullable=True))
    _give_codes()
    with op.batch_alter_table("session_bookings", schema=None) as batch_op:
        batch_op.alter_column("check_in_code", existing_type=sa.Text(), nullable=False)
        batch_op.create_unique_constraint(
            op.f("uq_session_bookings_check_in_code"), ["check_in_code"]
        )

    _keep_words()
    op.create_index(
        "ix_finding_words_word",
        "finding_words",
        ["organisation_id", "word", "order_id", "customer_id", "guest_id"],
    )
    for column in ("order_id", "customer_id", "guest_id"):
        op.create_index(op.f(f"ix_finding_words_{column}"), "finding_words", [column])


def downgrade() -> None:
    with op.batch_alter_table("session_bookings", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("uq_session_bookings_check_in_code"), type_="unique")
        batch_op.drop_column("check_in_code")
    op.drop_table("kiosks")
    op.drop_table("finding_words")


def _give_codes() -> None:
    """Every booking that there is gets one as good as those to come."""
    bookings = sa.table("session_bookings", sa.column("id"), sa.column("check_in_code"))
    connection = op.get_bind()
    change = (
        sa.update(bookings)
        .where(bookings.c.id == sa.bindparam("of"))
        .values(check_in_code=sa.bindparam("code"))
    )
    ids = list(connection.scalars(sa.select(bookings.c.id)))
    for first in range(0, len(ids), AT_ONCE):
        chunk = ids[first : first + AT_ONCE]
        connection.execute(change, [{"of": one, "code": secrets.token_hex(10)} for one in chunk])


def _keep_words() -> None:
    _keep("orders", "order_id", "name", "email", "order_ref")
    _keep("customers", "customer_id", "name", "email", "phone")
    _keep("guests", "guest_id", "name", "email")


def _keep(table: str, column: str, *names: str) -> None:
    words = sa.table("finding_words", *map(sa.column, ("id", "organisation_id", "word", column)))
    plain = sa.table(table, *map(sa.column, ("id", "organisation_id", *names)))
    connection = op.get_bind()
    rows = connection.execute(sa.select(plain)).all()
    for first in range(0, len(rows), AT_ONCE):
        fresh: list[dict[str, Any]] = [
            {
                "id": secrets.token_hex(12),
                "organisation_id": row.organisation_id,
                "word": word,
                column: row.id,
            }
            for row in rows[first : first + AT_ONCE]
            for word in kept_words(
                names=[row.name],
                email=row.email,
                phone=getattr(row, "phone", ""),
                reference=getattr(row, "order_ref", ""),
            )
        ]
        if fresh:
            connection.execute(sa.insert(words), fresh)
