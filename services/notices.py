"""What a site tells its customers, and when: three settings of the house."""

from dataclasses import dataclass

import sqlalchemy as sa

from domain.errors import ImpactChanged, NotFound
from models import Site, db, transaction

WHO = ("everyone", "confirmed", "nobody")
OFFER_MINUTES = (5, 2880)
REMINDER_HOURS = (0, 168)


@dataclass(frozen=True, slots=True)
class Notices:
    """Who hears of a cancelled session, minutes to answer an offer, hours before the start."""

    cancelled_session_notices: str
    offer_minutes: int
    reminder_hours: int

    @property
    def mark(self) -> str:
        """What a page showed of them (D4)."""
        return f"{self.cancelled_session_notices}:{self.offer_minutes}:{self.reminder_hours}"


class NoticesChanged(ImpactChanged):
    """Somebody else saved other settings since the page was opened (D4)."""

    code = "notices_changed"


def find_notices(organisation_id: str, site_id: str) -> Notices:
    """The settings as they are; raises NotFound."""
    return _notices(_load(organisation_id, site_id))


def save_notices(organisation_id: str, site_id: str, wanted: Notices, *, was: str) -> None:
    """Keep these settings from now on; the same ones again change nothing.

    `was` is the mark of those that the page showed: raises NoticesChanged when others are kept
    now (D4), NotFound.
    """
    with transaction():
        site = _load(organisation_id, site_id, lock=True)
        kept = _notices(site)
        if kept == wanted:
            return
        if kept.mark != was:
            raise NoticesChanged("Somebody saved other settings meanwhile.")
        site.cancelled_session_notices = wanted.cancelled_session_notices
        site.offer_minutes = wanted.offer_minutes
        site.reminder_hours = wanted.reminder_hours


def _load(organisation_id: str, site_id: str, *, lock: bool = False) -> Site:
    query = sa.select(Site).where(Site.organisation_id == organisation_id, Site.id == site_id)
    if lock:
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    site = db.session.scalar(query)
    if site is None:
        raise NotFound("We couldn't find that venue.")
    return site


def _notices(site: Site) -> Notices:
    return Notices(site.cancelled_session_notices, site.offer_minutes, site.reminder_hours)
