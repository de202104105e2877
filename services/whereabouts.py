"""At which site a thing is, by its id alone: what programs name, where pages name the site, too."""

from typing import Any

import sqlalchemy as sa

from domain.errors import NotFound
from models import (
    RecurrenceGroup,
    Room,
    Session,
    SessionBooking,
    SessionType,
    Site,
    Zone,
    db,
    practitioner_sites,
)


def find_session_site(organisation_id: str, session_id: str) -> str:
    """The site of a session, live or cancelled; raises NotFound (R1)."""
    return _site_of(Session, organisation_id, session_id, "We couldn't find that session.")


def find_type_site(organisation_id: str, session_type_id: str) -> str:
    """The site of a session type, live or archived; raises NotFound (R1)."""
    return _site_of(
        SessionType, organisation_id, session_type_id, "We couldn't find that session type."
    )


def find_booking_site(organisation_id: str, booking_id: str) -> str:
    """The site of a booking in whatever state; raises NotFound (R1)."""
    return _site_of(SessionBooking, organisation_id, booking_id, "We couldn't find that booking.")


def find_group_site(organisation_id: str, recurrence_group_id: str) -> str:
    """The site of a series, live or archived; raises NotFound (R1)."""
    site_id = db.session.scalar(
        sa.select(SessionType.site_id)
        .join(RecurrenceGroup, RecurrenceGroup.session_type_id == SessionType.id)
        .where(
            RecurrenceGroup.organisation_id == organisation_id,
            RecurrenceGroup.id == recurrence_group_id,
        )
    )
    if site_id is None:
        raise NotFound("We couldn't find that series.")
    return site_id


def find_room_site(organisation_id: str, room_id: str) -> str:
    """The site of a room, live or archived; raises NotFound (R1)."""
    return _site_of(Room, organisation_id, room_id, "We couldn't find that room.")


def find_zone_site(organisation_id: str, zone_id: str) -> str:
    """The site of a zone; raises NotFound (R1)."""
    return _site_of(Zone, organisation_id, zone_id, "We couldn't find that zone.")


def find_practitioner_sites(organisation_id: str, practitioner_id: str) -> list[str]:
    """The sites at which somebody works, archived or not; raises NotFound (R1)."""
    works = practitioner_sites.c
    found = db.session.scalars(
        sa.select(Site.id)
        .join(practitioner_sites, works.site_id == Site.id)
        .where(Site.organisation_id == organisation_id, works.practitioner_id == practitioner_id)
        .order_by(Site.name, Site.id)
    )
    site_ids = list(found)
    if not site_ids:
        raise NotFound("We couldn't find that person.")
    return site_ids


def find_house(organisation_id: str, _row_id: str) -> list[str]:
    """All sites: categories, pictures, customers and membership types are the organisation's.

    Whether there is such a row is for the service to say.
    """
    return list_site_ids(organisation_id)


def find_site(organisation_id: str, site_id: str) -> str:
    """The site itself, if it is the organisation's; raises NotFound (R1)."""
    if site_id not in list_site_ids(organisation_id):
        raise NotFound("We couldn't find that site.")
    return site_id


def list_site_ids(organisation_id: str) -> list[str]:
    """The organisation's sites, in the order of their names."""
    return list(
        db.session.scalars(
            sa.select(Site.id)
            .where(Site.organisation_id == organisation_id)
            .order_by(Site.name, Site.id)
        )
    )


def _site_of(model: Any, organisation_id: str, row_id: str, sentence: str) -> str:
    site_id: str | None = db.session.scalar(
        sa.select(model.site_id).where(model.organisation_id == organisation_id, model.id == row_id)
    )
    if site_id is None:
        raise NotFound(sentence)
    return site_id
