"""waiting lists, private links, letters

Revision: 0003
Follows: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "letter_wordings",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("site_id", sa.String(length=36), nullable=False),
        sa.Column("letter", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("opening", sa.Text(), nullable=False),
        sa.Column("closing", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_letter_wordings_organisation_id_organisations"),
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name=op.f("fk_letter_wordings_site_id_sites")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letter_wordings")),
        sa.UniqueConstraint("site_id", "letter", name=op.f("uq_letter_wordings_site_id_letter")),
    )
    with op.batch_alter_table("letter_wordings", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_letter_wordings_organisation_id"), ["organisation_id"], unique=False
        )

    op.create_table(
        "private_links",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("site_id", sa.String(length=36), nullable=False),
        sa.Column("session_type_id", sa.String(length=24), nullable=False),
        sa.Column("session_id", sa.String(length=24), nullable=True),
        sa.Column("customer_id", sa.String(length=24), nullable=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("max_uses", sa.Integer(), nullable=True),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("places_kept", sa.Integer(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by_id", sa.String(length=24), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.CheckConstraint(
            "max_uses IS NULL OR max_uses >= 1", name=op.f("ck_private_links_max_uses_positive")
        ),
        sa.CheckConstraint(
            "places_kept >= 0 AND (places_kept = 0 OR session_id IS NOT NULL)",
            name=op.f("ck_private_links_places_kept_of_a_session"),
        ),
        sa.CheckConstraint(
            "price IS NULL OR price >= 0", name=op.f("ck_private_links_price_not_negative")
        ),
        sa.CheckConstraint(
            "uses >= 0 AND (max_uses IS NULL OR uses <= max_uses)",
            name=op.f("ck_private_links_uses_within_limit"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_private_links_customer_id_customers")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_private_links_organisation_id_organisations"),
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_private_links_session_id_sessions")
        ),
        sa.ForeignKeyConstraint(
            ["session_type_id"],
            ["session_types.id"],
            name=op.f("fk_private_links_session_type_id_session_types"),
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name=op.f("fk_private_links_site_id_sites")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_private_links")),
        sa.UniqueConstraint("key", name=op.f("uq_private_links_key")),
    )
    with op.batch_alter_table("private_links", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_private_links_customer_id"), ["customer_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_private_links_organisation_id"), ["organisation_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_private_links_session_id"), ["session_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_private_links_site_id"), ["site_id"], unique=False)

    with op.batch_alter_table("accounts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("feed_key", sa.Text(), nullable=True))
        batch_op.create_unique_constraint(batch_op.f("uq_accounts_feed_key"), ["feed_key"])

    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("site_id", sa.String(length=36), nullable=True))
        batch_op.create_index(batch_op.f("ix_jobs_site_id"), ["site_id"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_jobs_site_id_sites"), "sites", ["site_id"], ["id"]
        )

    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_orders_state_known"), type_="check")
        batch_op.create_check_constraint(
            batch_op.f("ck_orders_state_known"),
            "\"state\" IN ('basket', 'waiting', 'in_progress', 'confirmed', 'cancelled')",
        )

    with op.batch_alter_table("session_bookings", schema=None) as batch_op:
        batch_op.add_column(sa.Column("waiting_since", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("offered_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("skipped_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("skip_reason", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("offered_from_id", sa.String(length=24), nullable=True))
        batch_op.add_column(
            sa.Column("released_places", sa.Integer(), nullable=False, server_default="0")
        )
        batch_op.add_column(sa.Column("private_link_id", sa.String(length=24), nullable=True))
        batch_op.add_column(sa.Column("sequence", sa.Integer(), nullable=False, server_default="0"))
        batch_op.create_check_constraint(
            batch_op.f("ck_session_bookings_released_within_places"),
            "released_places BETWEEN 0 AND places",
        )
        batch_op.create_index(
            batch_op.f("ix_session_bookings_private_link_id"), ["private_link_id"], unique=False
        )
        batch_op.create_index(
            "ix_session_bookings_waiting",
            ["session_id", "waiting_since"],
            unique=False,
            sqlite_where=sa.text("status = 'waitlisted' AND cancelled_at IS NULL"),
            postgresql_where=sa.text("status = 'waitlisted' AND cancelled_at IS NULL"),
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_session_bookings_offered_from_id_session_bookings"),
            "session_bookings",
            ["offered_from_id"],
            ["id"],
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_session_bookings_private_link_id_private_links"),
            "private_links",
            ["private_link_id"],
            ["id"],
        )

    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("places_kept", sa.Integer(), nullable=False, server_default="0")
        )
        batch_op.add_column(
            sa.Column("cancel_reason", sa.Text(), nullable=False, server_default="")
        )
        batch_op.drop_constraint(batch_op.f("ck_sessions_places_within_capacity"), type_="check")
        batch_op.create_check_constraint(
            batch_op.f("ck_sessions_places_within_capacity"),
            "places_taken >= 0 AND places_kept >= 0 AND places_taken + places_kept <= capacity",
        )

    with op.batch_alter_table("sites", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("offer_minutes", sa.Integer(), nullable=False, server_default="120")
        )
        batch_op.add_column(
            sa.Column("reminder_hours", sa.Integer(), nullable=False, server_default="24")
        )
        batch_op.add_column(
            sa.Column(
                "cancelled_session_notices", sa.Text(), nullable=False, server_default="everyone"
            )
        )
        batch_op.create_check_constraint(
            batch_op.f("ck_sites_offer_minutes_sane"), "offer_minutes BETWEEN 5 AND 2880"
        )
        batch_op.create_check_constraint(
            batch_op.f("ck_sites_reminder_hours_sane"), "reminder_hours BETWEEN 0 AND 168"
        )
        batch_op.create_check_constraint(
            batch_op.f("ck_sites_cancelled_session_notices_known"),
            "\"cancelled_session_notices\" IN ('everyone', 'confirmed', 'nobody')",
        )


def downgrade() -> None:
    with op.batch_alter_table("sites", schema=None) as batch_op:
        batch_op.drop_constraint(
            batch_op.f("ck_sites_cancelled_session_notices_known"), type_="check"
        )
        batch_op.drop_constraint(batch_op.f("ck_sites_reminder_hours_sane"), type_="check")
        batch_op.drop_constraint(batch_op.f("ck_sites_offer_minutes_sane"), type_="check")
        batch_op.drop_column("cancelled_session_notices")
        batch_op.drop_column("reminder_hours")
        batch_op.drop_column("offer_minutes")

    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_sessions_places_within_capacity"), type_="check")
        batch_op.create_check_constraint(
            batch_op.f("ck_sessions_places_within_capacity"), "places_taken BETWEEN 0 AND capacity"
        )
        batch_op.drop_column("cancel_reason")
        batch_op.drop_column("places_kept")

    with op.batch_alter_table("session_bookings", schema=None) as batch_op:
        batch_op.drop_constraint(
            batch_op.f("fk_session_bookings_private_link_id_private_links"), type_="foreignkey"
        )
        batch_op.drop_constraint(
            batch_op.f("fk_session_bookings_offered_from_id_session_bookings"), type_="foreignkey"
        )
        batch_op.drop_index(
            "ix_session_bookings_waiting",
            sqlite_where=sa.text("status = 'waitlisted' AND cancelled_at IS NULL"),
            postgresql_where=sa.text("status = 'waitlisted' AND cancelled_at IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_session_bookings_private_link_id"))
        batch_op.drop_constraint(
            batch_op.f("ck_session_bookings_released_within_places"), type_="check"
        )
        batch_op.drop_column("sequence")
        batch_op.drop_column("private_link_id")
        batch_op.drop_column("released_places")
        batch_op.drop_column("offered_from_id")
        batch_op.drop_column("skip_reason")
        batch_op.drop_column("skipped_at")
        batch_op.drop_column("offered_at")
        batch_op.drop_column("waiting_since")

    op.execute("UPDATE orders SET state = 'cancelled' WHERE state = 'waiting'")
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_orders_state_known"), type_="check")
        batch_op.create_check_constraint(
            batch_op.f("ck_orders_state_known"),
            "\"state\" IN ('basket', 'in_progress', 'confirmed', 'cancelled')",
        )

    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_jobs_site_id_sites"), type_="foreignkey")
        batch_op.drop_index(batch_op.f("ix_jobs_site_id"))
        batch_op.drop_column("site_id")

    with op.batch_alter_table("accounts", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_accounts_feed_key"), type_="unique")
        batch_op.drop_column("feed_key")

    with op.batch_alter_table("private_links", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_private_links_site_id"))
        batch_op.drop_index(batch_op.f("ix_private_links_session_id"))
        batch_op.drop_index(batch_op.f("ix_private_links_organisation_id"))
        batch_op.drop_index(batch_op.f("ix_private_links_customer_id"))

    op.drop_table("private_links")
    with op.batch_alter_table("letter_wordings", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_letter_wordings_organisation_id"))

    op.drop_table("letter_wordings")
