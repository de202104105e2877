"""What a site says in its own words in the mails it sends."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, ObjectId, Tenant


class LetterWording(Tenant, Base):
    """The site's own subject and opening of one kind of letter; without a row ours are used."""

    __tablename__ = "letter_wordings"
    __table_args__ = (sa.UniqueConstraint("site_id", "letter"),)

    id: Mapped[ObjectId]
    site_id: Mapped[str] = mapped_column(sa.ForeignKey("sites.id"))
    letter: Mapped[str]
    subject: Mapped[str] = mapped_column(default="")
    opening: Mapped[str] = mapped_column(default="")
    closing: Mapped[str] = mapped_column(default="")
    # Raised by every save: a form that was opened before is stale (D4).
    revision: Mapped[int] = mapped_column(default=0)
    updated_at: Mapped[dt.datetime]
