"""Archives of a whole organisation that wait to be fetched."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, ObjectId, Tenant


class Archive(Tenant, Base):
    """One archive: asked for, being made, or there until it is taken away."""

    __tablename__ = "archives"

    id: Mapped[ObjectId]
    # The long work that makes it; swept away some time after.
    work_id: Mapped[str | None] = mapped_column(sa.String(24), index=True)
    # Who asked for it, as they were called then.
    asked_by_id: Mapped[str | None] = mapped_column(sa.String(24))
    asked_by_name: Mapped[str] = mapped_column(default="")
    # Raised whenever a worker begins: one that was thought dead can't add to what another makes.
    attempt: Mapped[int] = mapped_column(default=0)
    # All of these are set together, when it is whole.
    size: Mapped[int | None] = mapped_column(sa.BigInteger)
    rows: Mapped[int | None] = mapped_column(sa.BigInteger)
    digest: Mapped[str] = mapped_column(sa.String(64), default="")
    ready_at: Mapped[dt.datetime | None]
    expires_at: Mapped[dt.datetime]
    created_at: Mapped[dt.datetime]


class ArchivePart(Tenant, Base):
    """A piece of an archive's file: rows, so that any web worker or node can serve it."""

    __tablename__ = "archive_parts"

    archive_id: Mapped[str] = mapped_column(sa.ForeignKey("archives.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[bytes] = mapped_column(sa.LargeBinary)
