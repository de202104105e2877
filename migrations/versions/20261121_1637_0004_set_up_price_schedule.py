"""set up, price and schedule

Revision: 0004
Follows: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "closed_days",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("site_id", sa.String(length=36), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_closed_days_organisation_id_organisations"),
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name=op.f("fk_closed_days_site_id_sites")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_closed_days")),
        sa.UniqueConstraint("site_id", "day", name=op.f("uq_closed_days_site_id_day")),
    )
    with op.batch_alter_table("closed_days", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_closed_days_organisation_id"), ["organisation_id"], unique=False
        )

    op.create_table(
        "long_works",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("site_id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=24), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("back", sa.Text(), nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("failures", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("is_stop_asked", sa.Boolean(), nullable=False),
        sa.Column("dedupe_key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.CheckConstraint(
            "\"state\" IN ('waiting', 'running', 'done', 'stopped')",
            name=op.f("ck_long_works_state_known"),
        ),
        sa.CheckConstraint(
            "done >= 0 AND done <= total", name=op.f("ck_long_works_done_within_total")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_long_works_account_id_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_long_works_organisation_id_organisations"),
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name=op.f("fk_long_works_site_id_sites")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_long_works")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_long_works_dedupe_key")),
    )
    with op.batch_alter_table("long_works", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_long_works_organisation_id"), ["organisation_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_long_works_site_id"), ["site_id"], unique=False)

    op.create_table(
        "media_files",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("media_id", sa.String(length=36), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("mime_type", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["media_id"], ["media.id"], name=op.f("fk_media_files_media_id_media")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_media_files_organisation_id_organisations"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_media_files")),
        sa.UniqueConstraint(
            "media_id", "width", "mime_type", name=op.f("uq_media_files_media_id_width_mime_type")
        ),
    )
    with op.batch_alter_table("media_files", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_media_files_organisation_id"), ["organisation_id"], unique=False
        )

    op.create_table(
        "time_off",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("practitioner_id", sa.String(length=24), nullable=False),
        sa.Column("local_start", sa.DateTime(), nullable=False),
        sa.Column("local_end", sa.DateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.CheckConstraint("local_end > local_start", name=op.f("ck_time_off_end_after_start")),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_time_off_organisation_id_organisations"),
        ),
        sa.ForeignKeyConstraint(
            ["practitioner_id"],
            ["practitioners.id"],
            name=op.f("fk_time_off_practitioner_id_practitioners"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_time_off")),
    )
    with op.batch_alter_table("time_off", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_time_off_organisation_id"), ["organisation_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_time_off_practitioner_id"), ["practitioner_id"], unique=False
        )

    op.create_table(
        "practitioner_types",
        sa.Column("practitioner_id", sa.String(length=24), nullable=False),
        sa.Column("session_type_id", sa.String(length=24), nullable=False),
        sa.ForeignKeyConstraint(
            ["practitioner_id"],
            ["practitioners.id"],
            name=op.f("fk_practitioner_types_practitioner_id_practitioners"),
        ),
        sa.ForeignKeyConstraint(
            ["session_type_id"],
            ["session_types.id"],
            name=op.f("fk_practitioner_types_session_type_id_session_types"),
        ),
        sa.PrimaryKeyConstraint(
            "practitioner_id", "session_type_id", name=op.f("pk_practitioner_types")
        ),
    )
    with op.batch_alter_table("media", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("alt", sa.Text(), nullable=False, server_default=sa.text("''"))
        )
        batch_op.add_column(sa.Column("width", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("height", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("created_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("practitioners", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("email", sa.Text(), nullable=False, server_default=sa.text("''"))
        )
        batch_op.add_column(sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("recurrence_start_times", schema=None) as batch_op:
        batch_op.add_column(sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.drop_constraint(
            batch_op.f("uq_recurrence_start_times_recurrence_group_id_value"), type_="unique"
        )
        batch_op.create_index(
            "uq_recurrence_start_times_live_value",
            ["recurrence_group_id", "value"],
            unique=True,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    with op.batch_alter_table("rooms", schema=None) as batch_op:
        batch_op.add_column(sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("session_types", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "related_retail_offerings",
                sa.JSON(),
                nullable=False,
                server_default=sa.text("'[]'"),
            )
        )
        batch_op.add_column(
            sa.Column("meta_title", sa.Text(), nullable=False, server_default=sa.text("''"))
        )
        batch_op.add_column(
            sa.Column("meta_description", sa.Text(), nullable=False, server_default=sa.text("''"))
        )

    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("withdrawn_by", sa.Text(), nullable=True))
        batch_op.create_check_constraint(
            "withdrawn_by_known", "\"withdrawn_by\" IN ('series', 'archive', 'closed_day')"
        )

    with op.batch_alter_table("sites", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("opening_hours", sa.JSON(), nullable=False, server_default=sa.text("'{}'"))
        )
        batch_op.add_column(
            sa.Column("few_left", sa.Integer(), nullable=False, server_default=sa.text("'4'"))
        )
        batch_op.add_column(
            sa.Column("revenue_centres", sa.JSON(), nullable=False, server_default=sa.text("'[]'"))
        )
        batch_op.create_check_constraint("few_left_sane", "few_left BETWEEN 0 AND 100")

    _keep_hours()
    with op.batch_alter_table("sites", schema=None) as batch_op:
        batch_op.drop_column("opens_at")
        batch_op.drop_column("closes_at")

    with op.batch_alter_table("zones", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("position", sa.Integer(), nullable=False, server_default=sa.text("'0'"))
        )


def downgrade() -> None:
    with op.batch_alter_table("zones", schema=None) as batch_op:
        batch_op.drop_column("position")

    with op.batch_alter_table("sites", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_sites_few_left_sane"), type_="check")
        batch_op.add_column(
            sa.Column("closes_at", sa.TIME(), nullable=False, server_default="22:00:00.000000")
        )
        batch_op.add_column(
            sa.Column("opens_at", sa.TIME(), nullable=False, server_default="07:00:00.000000")
        )
        batch_op.drop_column("revenue_centres")
        batch_op.drop_column("few_left")
        batch_op.drop_column("opening_hours")

    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_sessions_withdrawn_by_known"), type_="check")
        batch_op.drop_column("withdrawn_by")

    with op.batch_alter_table("session_types", schema=None) as batch_op:
        batch_op.drop_column("meta_description")
        batch_op.drop_column("meta_title")
        batch_op.drop_column("related_retail_offerings")

    with op.batch_alter_table("rooms", schema=None) as batch_op:
        batch_op.drop_column("deleted_at")

    with op.batch_alter_table("recurrence_start_times", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_recurrence_start_times_live_value",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_unique_constraint(
            batch_op.f("uq_recurrence_start_times_recurrence_group_id_value"),
            ["recurrence_group_id", "value"],
        )
        batch_op.drop_column("deleted_at")

    with op.batch_alter_table("practitioners", schema=None) as batch_op:
        batch_op.drop_column("deleted_at")
        batch_op.drop_column("email")

    with op.batch_alter_table("media", schema=None) as batch_op:
        batch_op.drop_column("deleted_at")
        batch_op.drop_column("created_at")
        batch_op.drop_column("height")
        batch_op.drop_column("width")
        batch_op.drop_column("alt")

    op.drop_table("practitioner_types")
    with op.batch_alter_table("time_off", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_time_off_practitioner_id"))
        batch_op.drop_index(batch_op.f("ix_time_off_organisation_id"))

    op.drop_table("time_off")
    with op.batch_alter_table("media_files", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_media_files_organisation_id"))

    op.drop_table("media_files")
    with op.batch_alter_table("long_works", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_long_works_site_id"))
        batch_op.drop_index(batch_op.f("ix_long_works_organisation_id"))

    op.drop_table("long_works")
    with op.batch_alter_table("closed_days", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_closed_days_organisation_id"))

    op.drop_table("closed_days")


def _keep_hours() -> None:
    """One pair of hours for the whole week becomes hours by weekday."""
    sites = sa.table(
        "sites",
        sa.column("id", sa.String()),
        sa.column("opens_at", sa.Time()),
        sa.column("closes_at", sa.Time()),
        sa.column("opening_hours", sa.JSON()),
    )
    days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    connection = op.get_bind()
    for row in connection.execute(sa.select(sites)).all():
        hours = [f"{row.opens_at:%H:%M}", f"{row.closes_at:%H:%M}"]
        connection.execute(
            sa.update(sites)
            .where(sites.c.id == row.id)
            .values(opening_hours=dict.fromkeys(days, hours))
        )
