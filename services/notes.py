"""Notes that staff write for each other about a customer, or about one booking."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from domain.errors import NotFound
from domain.local_time import to_local
from domain.notes import check_note
from models import Account, Note, SessionBooking, db, new_object_id, transaction
from services.customers import hold_customer
from services.idempotency import once


@dataclass(frozen=True, slots=True)
class About:
    """What a note is about: exactly one of a customer and a booking."""

    customer_id: str = ""
    booking_id: str = ""

    def __post_init__(self) -> None:
        if bool(self.customer_id) == bool(self.booking_id):
            raise ValueError("a note is about a customer or about a booking")


@dataclass(frozen=True, slots=True)
class Noted:
    """A note as it is read; `booking_id` is empty for one about the customer."""

    id: str
    text: str
    author_name: str
    created_at: dt.datetime
    booking_id: str = ""

    def local(self, zone: ZoneInfo) -> dt.datetime:
        """When it was written, by a site's wall clock."""
        return to_local(self.created_at, zone)


def add_note(
    organisation_id: str,
    about: About,
    text: str,
    *,
    author_id: str,
    key: str = "",
    now: dt.datetime,
) -> str:
    """Write a note; its id. Two presses are one note (H6). Raises RuleBroken, NotFound."""
    wanted = check_note(text)
    body = {"note": wanted, "customer": about.customer_id, "booking": about.booking_id}

    def deed() -> str:
        _hold(organisation_id, about)
        author = db.session.get(Account, author_id)
        note = Note(
            id=new_object_id(),
            organisation_id=organisation_id,
            customer_id=about.customer_id or None,
            session_booking_id=about.booking_id or None,
            text=wanted,
            author_id=author_id,
            author_name=author.name if author else "",
            created_at=now,
        )
        db.session.add(note)
        db.session.flush()
        return note.id

    return once(organisation_id, key, body, deed, now)


def take_note_away(
    organisation_id: str, about: About, note_id: str, *, by_id: str, now: dt.datetime
) -> None:
    """The note is shown no more; repeating changes nothing. Raises NotFound."""
    with transaction():
        note = _find(organisation_id, about, note_id)
        if note.taken_away_at is None:
            note.taken_away_at, note.taken_away_by_id = now, by_id


def bring_note_back(organisation_id: str, about: About, note_id: str) -> None:
    """Undoes `take_note_away`; repeating changes nothing. Raises NotFound."""
    with transaction():
        note = _find(organisation_id, about, note_id)
        note.taken_away_at = note.taken_away_by_id = None


def list_notes(organisation_id: str, about: About) -> list[Noted]:
    """The notes about it that stand, newest first."""
    return [_noted(row) for row in db.session.scalars(_standing(organisation_id, *_of(about)))]


def notes_of_bookings(organisation_id: str, booking_ids: Collection[str]) -> dict[str, list[Noted]]:
    """By booking its notes, newest first: one statement for a whole roster."""
    found: dict[str, list[Noted]] = defaultdict(list)
    of_them = Note.session_booking_id.in_(list(booking_ids))
    for row in db.session.scalars(_standing(organisation_id, of_them)):
        found[row.session_booking_id or ""].append(_noted(row))
    return dict(found)


def find_booking_of_site(organisation_id: str, site_id: str, booking_id: str) -> SessionBooking:
    """The booking that a note at a site's desk is about; raises NotFound (D1)."""
    booking = db.session.scalar(
        sa.select(SessionBooking).where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.site_id == site_id,
            SessionBooking.id == booking_id,
        )
    )
    if booking is None:
        raise NotFound("We couldn't find that booking.")
    return booking


def _find(organisation_id: str, about: About, note_id: str) -> Note:
    note = db.session.scalar(
        sa.select(Note)
        .where(Note.organisation_id == organisation_id, Note.id == note_id, *_of(about))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if note is None:
        raise NotFound("We couldn't find that note.")
    return note


def _of(about: About) -> tuple[sa.ColumnElement[bool], ...]:
    if about.customer_id:
        return (Note.customer_id == about.customer_id,)
    return (Note.session_booking_id == about.booking_id,)


def _standing(organisation_id: str, *which: sa.ColumnElement[bool]) -> sa.Select[Note]:
    return (
        sa.select(Note)
        .where(Note.organisation_id == organisation_id, Note.taken_away_at.is_(None), *which)
        .order_by(Note.created_at.desc(), Note.id.desc())
    )


def _noted(row: Note) -> Noted:
    return Noted(row.id, row.text, row.author_name, row.created_at, row.session_booking_id or "")


def _hold(organisation_id: str, about: About) -> None:
    """Whoever erases or merges the person meanwhile waits for this note, or is waited for."""
    customer_id: str | None = about.customer_id
    if about.booking_id:
        of_booking = sa.select(SessionBooking.customer_id, SessionBooking.id).where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.id == about.booking_id,
        )
        found = db.session.execute(of_booking.with_for_update(key_share=True)).first()
        customer_id = found[0] if found else ""
    if customer_id is not None:
        hold_customer(organisation_id, customer_id)
