"""How people become staff, and the tokens with which programs work for an organisation."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from domain.roles import RIGHTS
from models.base import Base, ObjectId, Tenant, Uuid, one_of

_OPEN = sa.text("accepted_at IS NULL AND withdrawn_at IS NULL")


class StaffInvitation(Tenant, Base):
    """An offer of rights, mailed to an address; the link in the mail is signed, not kept."""

    __tablename__ = "staff_invitations"
    __table_args__ = (
        # One open invitation for an address, however many press at once.
        sa.Index(
            "uq_staff_invitations_open", "organisation_id", "email_key", unique=True,
            sqlite_where=_OPEN, postgresql_where=_OPEN,
        ),
    )  # fmt: skip

    id: Mapped[Uuid]
    # The venue from which it was sent: the letter comes in its name.
    site_id: Mapped[str] = mapped_column(sa.ForeignKey("sites.id"))
    email: Mapped[str]
    email_key: Mapped[str]
    name: Mapped[str] = mapped_column(default="")
    title: Mapped[str] = mapped_column(default="")
    # Pairs of a site's id, or null for all sites, and a right.
    grants: Mapped[list[list[str | None]]] = mapped_column(sa.JSON)
    # Raised when it is sent again: the link of an earlier letter is dead.
    letter: Mapped[int] = mapped_column(default=1)
    invited_by_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("accounts.id", ondelete="SET NULL")
    )
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]
    accepted_at: Mapped[dt.datetime | None]
    accepted_by_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("accounts.id", ondelete="SET NULL")
    )
    withdrawn_at: Mapped[dt.datetime | None]


class ApiToken(Tenant, Base):
    """A token of an organisation: only its hash is kept, so nobody can read it here."""

    __tablename__ = "api_tokens"

    id: Mapped[ObjectId]
    name: Mapped[str]
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    # Its last four letters: enough to tell one's own apart.
    hint: Mapped[str]
    created_by_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("accounts.id", ondelete="SET NULL")
    )
    # Kept by name, too: the token stays when its maker's account is closed.
    created_by_name: Mapped[str] = mapped_column(default="")
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime | None]
    last_used_at: Mapped[dt.datetime | None]
    revoked_at: Mapped[dt.datetime | None]


class ApiTokenGrant(Tenant, Base):
    """One right of a token at one site, or at all sites."""

    __tablename__ = "api_token_grants"
    __table_args__ = (
        sa.UniqueConstraint("token_id", "site_id", "right"),
        sa.Index(
            "uq_api_token_grants_everywhere", "token_id", "right", unique=True,
            sqlite_where=sa.text("site_id IS NULL"), postgresql_where=sa.text("site_id IS NULL"),
        ),
        one_of("right", *RIGHTS),
    )  # fmt: skip

    id: Mapped[ObjectId]
    token_id: Mapped[str] = mapped_column(sa.ForeignKey("api_tokens.id"))
    site_id: Mapped[str | None] = mapped_column(sa.ForeignKey("sites.id"))
    right: Mapped[str] = mapped_column("right", quote=True)
