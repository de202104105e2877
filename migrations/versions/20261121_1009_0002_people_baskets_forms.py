"""people, baskets, forms

Revision: 0002
Follows: 0001
"""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_in_tries",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_tries")),
    )
    with op.batch_alter_table("sign_in_tries", schema=None) as batch_op:
        batch_op.create_index("ix_sign_in_tries_who_tried_at", ["who", "tried_at"], unique=False)

    op.create_table(
        "account_links",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("account_id", sa.String(length=24), nullable=True),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("next", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "\"purpose\" IN ('register', 'sign_in', 'reset', 'change_address')",
            name=op.f("ck_account_links_purpose_known"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_account_links_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_links")),
    )
    with op.batch_alter_table("account_links", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_account_links_account_id"), ["account_id"], unique=False
        )

    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("organisation_id", sa.String(length=36), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("dedupe_key", sa.Text(), nullable=False),
        sa.Column("run_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_jobs_organisation_id_organisations"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_jobs_dedupe_key")),
    )
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.create_index(
            "ix_jobs_due",
            ["run_at"],
            unique=False,
            sqlite_where=sa.text("done_at IS NULL"),
            postgresql_where=sa.text("done_at IS NULL"),
        )
        batch_op.create_index(
            batch_op.f("ix_jobs_organisation_id"), ["organisation_id"], unique=False
        )

    op.create_table(
        "intake_forms",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("session_type_id", sa.String(length=24), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_intake_forms_organisation_id_organisations"),
        ),
        sa.ForeignKeyConstraint(
            ["session_type_id"],
            ["session_types.id"],
            name=op.f("fk_intake_forms_session_type_id_session_types"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intake_forms")),
        sa.UniqueConstraint(
            "session_type_id", "version", name=op.f("uq_intake_forms_session_type_id_version")
        ),
    )
    with op.batch_alter_table("intake_forms", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_intake_forms_organisation_id"), ["organisation_id"], unique=False
        )

    op.create_table(
        "intake_answers",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("session_booking_id", sa.String(length=24), nullable=False),
        sa.Column("intake_form_id", sa.String(length=24), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("answers", sa.JSON(), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.CheckConstraint("position >= -1", name=op.f("ck_intake_answers_position_known")),
        sa.ForeignKeyConstraint(
            ["intake_form_id"],
            ["intake_forms.id"],
            name=op.f("fk_intake_answers_intake_form_id_intake_forms"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_intake_answers_organisation_id_organisations"),
        ),
        sa.ForeignKeyConstraint(
            ["session_booking_id"],
            ["session_bookings.id"],
            name=op.f("fk_intake_answers_session_booking_id_session_bookings"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intake_answers")),
        sa.UniqueConstraint(
            "session_booking_id",
            "position",
            name=op.f("uq_intake_answers_session_booking_id_position"),
        ),
    )
    with op.batch_alter_table("intake_answers", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_intake_answers_organisation_id"), ["organisation_id"], unique=False
        )

    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("address_key", sa.Text(), nullable=False, server_default=""))
        batch_op.create_index(
            "ix_customers_organisation_address", ["organisation_id", "address_key"], unique=False
        )

    _note_addresses()

    with op.batch_alter_table("guests", schema=None) as batch_op:
        batch_op.add_column(sa.Column("form_secret", sa.Text(), nullable=True))
        batch_op.create_unique_constraint(batch_op.f("uq_guests_form_secret"), ["form_secret"])

    with op.batch_alter_table("membership_types", schema=None) as batch_op:
        batch_op.add_column(sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("memberships", schema=None) as batch_op:
        batch_op.add_column(sa.Column("state", sa.Text(), nullable=False, server_default="active"))
        batch_op.add_column(sa.Column("created_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "UPDATE memberships SET created_at = (SELECT created_at FROM customers WHERE customers.id = memberships.customer_id)"
    )
    with op.batch_alter_table("memberships", schema=None) as batch_op:
        batch_op.alter_column("created_at", nullable=False)
        batch_op.create_check_constraint(
            batch_op.f("ck_memberships_state_known"), "\"state\" IN ('active', 'paused', 'ended')"
        )
        batch_op.create_unique_constraint(
            batch_op.f("uq_memberships_customer_id_membership_type_id_first_day"),
            ["customer_id", "membership_type_id", "first_day"],
        )

    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.alter_column("guest_names", new_column_name="typed")
        batch_op.add_column(sa.Column("held_by_id", sa.String(length=24), nullable=True))

    with op.batch_alter_table("session_bookings", schema=None) as batch_op:
        batch_op.add_column(sa.Column("told_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(
            sa.Column("cancel_reason", sa.Text(), nullable=False, server_default="")
        )
        batch_op.add_column(sa.Column("overridden", sa.JSON(), nullable=False, server_default="[]"))
        batch_op.add_column(
            sa.Column("override_reason", sa.Text(), nullable=False, server_default="")
        )
        batch_op.add_column(sa.Column("booked_by_id", sa.String(length=24), nullable=True))
        batch_op.add_column(sa.Column("intake_form_id", sa.String(length=24), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_session_bookings_intake_form_id_intake_forms"),
            "intake_forms",
            ["intake_form_id"],
            ["id"],
        )

    with op.batch_alter_table("session_types", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("upsell_offerings", sa.JSON(), nullable=False, server_default="[]")
        )
        batch_op.add_column(
            sa.Column("cross_sell_offerings", sa.JSON(), nullable=False, server_default="[]")
        )
        batch_op.add_column(sa.Column("intake_form_version", sa.Integer(), nullable=True))
        batch_op.add_column(
            sa.Column("intake_asks_guests", sa.Boolean(), nullable=False, server_default=sa.false())
        )


def _note_addresses() -> None:
    """Rows with the same address are counted as one person; keys level case and composition only."""
    connection = op.get_bind()
    for name in ("customers", "accounts"):
        columns = [
            sa.column("id"),
            sa.column("email"),
            sa.column("email_key"),
            sa.column("address_key"),
        ]
        table = sa.table(name, *columns)
        for row in connection.execute(
            sa.select(table.c.id, table.c.email, table.c.email_key)
        ).all():
            key = unicodedata.normalize("NFC", row.email).strip().lower()
            values = {"address_key": key} if name == "customers" else {}
            if row.email_key is not None:
                values["email_key"] = key
            if values:
                connection.execute(sa.update(table).where(table.c.id == row.id).values(**values))


def downgrade() -> None:
    with op.batch_alter_table("session_types", schema=None) as batch_op:
        batch_op.drop_column("intake_asks_guests")
        batch_op.drop_column("intake_form_version")
        batch_op.drop_column("cross_sell_offerings")
        batch_op.drop_column("upsell_offerings")

    with op.batch_alter_table("session_bookings", schema=None) as batch_op:
        batch_op.drop_constraint(
            batch_op.f("fk_session_bookings_intake_form_id_intake_forms"), type_="foreignkey"
        )
        batch_op.drop_column("intake_form_id")
        batch_op.drop_column("booked_by_id")
        batch_op.drop_column("override_reason")
        batch_op.drop_column("overridden")
        batch_op.drop_column("cancel_reason")
        batch_op.drop_column("told_at")

    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.alter_column("typed", new_column_name="guest_names")
        batch_op.drop_column("held_by_id")

    with op.batch_alter_table("memberships", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_memberships_state_known"), type_="check")
        batch_op.drop_constraint(
            batch_op.f("uq_memberships_customer_id_membership_type_id_first_day"), type_="unique"
        )
        batch_op.drop_column("created_at")
        batch_op.drop_column("state")

    with op.batch_alter_table("membership_types", schema=None) as batch_op:
        batch_op.drop_column("deleted_at")

    with op.batch_alter_table("guests", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_guests_form_secret"), type_="unique")
        batch_op.drop_column("form_secret")

    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.drop_index("ix_customers_organisation_address")
        batch_op.drop_column("address_key")

    with op.batch_alter_table("intake_answers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_intake_answers_organisation_id"))

    op.drop_table("intake_answers")
    with op.batch_alter_table("intake_forms", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_intake_forms_organisation_id"))

    op.drop_table("intake_forms")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_jobs_organisation_id"))
        batch_op.drop_index(
            "ix_jobs_due",
            sqlite_where=sa.text("done_at IS NULL"),
            postgresql_where=sa.text("done_at IS NULL"),
        )

    op.drop_table("jobs")
    with op.batch_alter_table("account_links", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_account_links_account_id"))

    op.drop_table("account_links")
    with op.batch_alter_table("sign_in_tries", schema=None) as batch_op:
        batch_op.drop_index("ix_sign_in_tries_who_tried_at")

    op.drop_table("sign_in_tries")
