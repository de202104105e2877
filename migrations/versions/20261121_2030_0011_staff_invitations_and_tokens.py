"""staff invitations and API tokens

Revision: 0011
Follows: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

EVERYWHERE = sa.text("site_id IS NULL")
OPEN = sa.text("accepted_at IS NULL AND withdrawn_at IS NULL")
KNOWN = (
    "\"right\" IN ('SETTINGS_MANAGE', 'RESERVATIONS_MANAGE', 'CUSTOMERS_MANAGE',"
    " 'ORDERS_MANAGE', 'REPORTS_VIEW', 'STAFF_MANAGE')"
)


def upgrade() -> None:
    # A right at all sites that somebody was given twice is one right.
    op.execute(
        """
        DELETE FROM staff_grants WHERE site_id IS NULL AND id NOT IN (
          SELECT MIN(id) FROM staff_grants WHERE site_id IS NULL
          GROUP BY account_id, organisation_id, "right")
        """
    )
    op.create_index(
        "uq_staff_grants_everywhere", "staff_grants", ["account_id", "organisation_id", "right"],
        unique=True, sqlite_where=EVERYWHERE, postgresql_where=EVERYWHERE,
    )  # fmt: skip
    op.create_table(
        "staff_invitations",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("site_id", sa.String(length=36), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("grants", sa.JSON(), nullable=False),
        sa.Column("letter", sa.Integer(), nullable=False),
        sa.Column("invited_by_id", sa.String(length=24), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_by_id", sa.String(length=24), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        *_keys("staff_invitations", site_id="sites"),
        *_keys("staff_invitations", gone="SET NULL", invited_by_id="accounts"),
        *_keys("staff_invitations", gone="SET NULL", accepted_by_id="accounts"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_invitations")),
    )
    op.create_index(
        op.f("ix_staff_invitations_organisation_id"), "staff_invitations", ["organisation_id"]
    )
    op.create_index(
        "uq_staff_invitations_open", "staff_invitations", ["organisation_id", "email_key"],
        unique=True, sqlite_where=OPEN, postgresql_where=OPEN,
    )  # fmt: skip
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("created_by_id", sa.String(length=24), nullable=True),
        sa.Column("created_by_name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        *_keys("api_tokens", gone="SET NULL", created_by_id="accounts"),
        *_keys("api_tokens"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_tokens_token_hash")),
    )
    op.create_index(op.f("ix_api_tokens_organisation_id"), "api_tokens", ["organisation_id"])
    op.create_table(
        "api_token_grants",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("token_id", sa.String(length=24), nullable=False),
        sa.Column("site_id", sa.String(length=36), nullable=True),
        sa.Column("right", sa.Text(), quote=True, nullable=False),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.CheckConstraint(KNOWN, name=op.f("ck_api_token_grants_right_known")),
        *_keys("api_token_grants", site_id="sites"),
        sa.ForeignKeyConstraint(
            ["token_id"], ["api_tokens.id"], name=op.f("fk_api_token_grants_token_id_api_tokens")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token_grants")),
        sa.UniqueConstraint(
            "token_id",
            "site_id",
            "right",
            name=op.f("uq_api_token_grants_token_id_site_id_right"),
        ),
    )
    op.create_index(
        op.f("ix_api_token_grants_organisation_id"), "api_token_grants", ["organisation_id"]
    )
    op.create_index(
        "uq_api_token_grants_everywhere", "api_token_grants", ["token_id", "right"],
        unique=True, sqlite_where=EVERYWHERE, postgresql_where=EVERYWHERE,
    )  # fmt: skip
    for statement in GUARDS[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    for statement in NO_GUARDS[op.get_bind().dialect.name]:
        op.execute(statement)
    op.drop_table("api_token_grants")
    op.drop_table("api_tokens")
    op.drop_table("staff_invitations")
    op.drop_index("uq_staff_grants_everywhere", "staff_grants")


def _keys(table: str, gone: str | None = None, **others: str) -> list[sa.ForeignKeyConstraint]:
    named = others if gone else {"organisation_id": "organisations", **others}
    return [
        sa.ForeignKeyConstraint(
            [column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}_{other}"), ondelete=gone
        )
        for column, other in named.items()
    ]


# Whatever writes here, the organisation keeps somebody who manages staff at all its sites. On
# PostgreSQL the guard locks the organisation before it looks, so that two owners who remove each
# other in two transactions see each other; SQLite has one writer at a time.
LAST = "somebody has to manage the staff of all sites"
NO_OTHER = """
NOT EXISTS (
  SELECT 1 FROM staff_grants WHERE organisation_id = OLD.organisation_id
  AND site_id IS NULL AND "right" = 'STAFF_MANAGE' AND id <> OLD.id)
"""
IS_WHOLE = "OLD.\"right\" = 'STAFF_MANAGE' AND OLD.site_id IS NULL"
ENDS = (
    "(NEW.\"right\" <> 'STAFF_MANAGE' OR NEW.site_id IS NOT NULL"
    " OR NEW.organisation_id <> OLD.organisation_id)"
)

GUARDS = {
    "sqlite": (
        f"""
        CREATE TRIGGER staff_grants_keep_somebody BEFORE DELETE ON staff_grants
        WHEN {IS_WHOLE}
        BEGIN SELECT RAISE(ABORT, '{LAST}') WHERE {NO_OTHER}; END
        """,
        f"""
        CREATE TRIGGER staff_grants_stay_with_somebody BEFORE UPDATE ON staff_grants
        WHEN {IS_WHOLE} AND {ENDS}
        BEGIN SELECT RAISE(ABORT, '{LAST}') WHERE {NO_OTHER}; END
        """,
    ),
    "postgresql": (
        f"""
        CREATE FUNCTION keep_somebody_for_staff() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          PERFORM 1 FROM organisations WHERE id = OLD.organisation_id FOR NO KEY UPDATE;
          IF {NO_OTHER} THEN
            RAISE EXCEPTION '{LAST}' USING ERRCODE = 'restrict_violation';
          END IF;
          IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
          RETURN NEW;
        END $$
        """,
        f"""
        CREATE TRIGGER staff_grants_keep_somebody BEFORE DELETE ON staff_grants
        FOR EACH ROW WHEN ({IS_WHOLE}) EXECUTE FUNCTION keep_somebody_for_staff()
        """,
        f"""
        CREATE TRIGGER staff_grants_stay_with_somebody BEFORE UPDATE ON staff_grants
        FOR EACH ROW WHEN ({IS_WHOLE} AND {ENDS}) EXECUTE FUNCTION keep_somebody_for_staff()
        """,
    ),
}

NO_GUARDS = {
    "sqlite": (
        "DROP TRIGGER staff_grants_stay_with_somebody",
        "DROP TRIGGER staff_grants_keep_somebody",
    ),
    "postgresql": (
        "DROP TRIGGER staff_grants_stay_with_somebody ON staff_grants",
        "DROP TRIGGER staff_grants_keep_somebody ON staff_grants",
        "DROP FUNCTION keep_somebody_for_staff()",
    ),
}
