"""What opens an account beside its password, and where it is signed in."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, ObjectId, Uuid


class SignIn(Base):
    """One browser that is signed in to an account; its id is part of the browser's cookie."""

    __tablename__ = "sign_ins"

    id: Mapped[Uuid]
    account_id: Mapped[str] = mapped_column(sa.ForeignKey("accounts.id"), index=True)
    # As the browser called itself, cut to a length.
    user_agent: Mapped[str] = mapped_column(default="")
    address: Mapped[str] = mapped_column(default="")
    is_kept: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[dt.datetime]
    last_used_at: Mapped[dt.datetime]
    ended_at: Mapped[dt.datetime | None]


class Authenticator(Base):
    """An account's authenticator app; it counts once a first code has confirmed it."""

    __tablename__ = "authenticators"

    account_id: Mapped[str] = mapped_column(sa.ForeignKey("accounts.id"), primary_key=True)
    # The app's key, sealed with a key of ours: a copy of the table makes no codes.
    sealed_key: Mapped[str]
    # The 30 seconds whose code was used last: none before them is taken again.
    last_step: Mapped[int | None] = mapped_column(sa.BigInteger)
    created_at: Mapped[dt.datetime]
    confirmed_at: Mapped[dt.datetime | None]


class RecoveryCode(Base):
    """A code that stands in for the authenticator app once; only its hash is kept."""

    __tablename__ = "recovery_codes"
    __table_args__ = (sa.UniqueConstraint("account_id", "code_hash"),)

    id: Mapped[ObjectId]
    account_id: Mapped[str] = mapped_column(sa.ForeignKey("accounts.id"))
    code_hash: Mapped[str]
    created_at: Mapped[dt.datetime]
    used_at: Mapped[dt.datetime | None]


class Passkey(Base):
    """The public half of a key that a device keeps for its owner."""

    __tablename__ = "passkeys"

    id: Mapped[Uuid]
    account_id: Mapped[str] = mapped_column(sa.ForeignKey("accounts.id"), index=True)
    # Base64url, as browsers send it.
    credential_id: Mapped[str] = mapped_column(unique=True)
    public_key: Mapped[bytes]
    sign_count: Mapped[int] = mapped_column(sa.BigInteger)
    name: Mapped[str]
    created_at: Mapped[dt.datetime]
    last_used_at: Mapped[dt.datetime | None]


class SpentChallenge(Base):
    """A challenge that a passkey has answered: nobody answers it again."""

    __tablename__ = "spent_challenges"

    challenge: Mapped[str] = mapped_column(primary_key=True)
    spent_at: Mapped[dt.datetime]
