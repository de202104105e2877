"""What people answer: finding the forms of a booking, and keeping what is typed into them."""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from domain.errors import AnswersChanged, FormClosed, NotFound
from domain.intake import (
    BOOKER,
    Answer,
    Field,
    fields_for,
    missing,
    read_answers,
    same_answer,
)
from domain.local_time import to_local
from models import (
    Guest,
    IntakeAnswer,
    Order,
    Session,
    SessionBooking,
    db,
    new_object_id,
    transaction,
    unbound,
)
from services.facts import Venue, venue_of
from services.intake import fields_of, name_at, own_position, positions_of

BY_SECRET = unbound("an order's or a guest's secret is its own key, unique in the installation")


@dataclass(frozen=True, slots=True)
class Part:
    """What one person of a booking is asked, and has answered."""

    position: int
    name: str
    fields: tuple[Field, ...]
    answers: Mapping[str, Answer]
    is_own: bool = False
    """Whether it is the booker's to fill in: asked once, or as one of the guests."""
    form_secret: str | None = None
    updated_at: dt.datetime | None = None

    @property
    def missing(self) -> tuple[Field, ...]:
        """Required questions that are still open."""
        return missing(self.fields, self.answers)

    @property
    def seen(self) -> str:
        """Stands for these answers in a form: other ones have another text (D4)."""
        return _seen(self.answers)


@dataclass(frozen=True, slots=True)
class Visit:
    """The session that a form is for, as its pages show it."""

    venue: Venue
    session_type_name: str
    local_start: dt.datetime
    local_end: dt.datetime
    room: str
    booker: str
    closed: str
    """Why no more answers are taken; empty while they are."""

    @property
    def booker_first_name(self) -> str:
        """All that a guest's page says of who booked."""
        return self.booker.split()[0] if self.booker.split() else "the booker"


@dataclass(frozen=True, slots=True)
class BookingForms:
    """A booking's form as agreed, with everybody's part."""

    organisation_id: str
    booking_id: str
    session_id: str
    order_ref: str
    visit: Visit
    version: int | None
    asked_at: dt.datetime | None
    parts: tuple[Part, ...]

    def of(self, position: int) -> Part:
        """The part of one person; raises NotFound."""
        found = next((part for part in self.parts if part.position == position), None)
        if found is None:
            raise NotFound("We couldn't find that guest.")
        return found


@dataclass(frozen=True, slots=True)
class GuestForm:
    """One guest's part alone: nothing else of the order is in here."""

    organisation_id: str
    booking_id: str
    visit: Visit
    part: Part


@dataclass(frozen=True, slots=True)
class Saved:
    """What could not be read, by position and field id, and how many answers are missing."""

    errors: dict[int, dict[str, str]]
    missing: int


def find_booking_forms(order_secret: str, booking_id: str, *, now: dt.datetime) -> BookingForms:
    """A line of the order at an unguessable link, for its booker; raises NotFound."""
    booking = _find_booking(
        SessionBooking.id == booking_id,
        SessionBooking.order.has(Order.secret == order_secret),
    )
    return _booking_forms(booking, now)


def find_desk_forms(
    organisation_id: str, site_id: str, booking_id: str, *, now: dt.datetime
) -> BookingForms:
    """A booking's forms for the site's desk; raises NotFound."""
    booking = _find_booking(
        SessionBooking.organisation_id == organisation_id,
        SessionBooking.site_id == site_id,
        SessionBooking.id == booking_id,
    )
    return _booking_forms(booking, now)


def find_guest_form(form_secret: str, *, now: dt.datetime) -> GuestForm:
    """One guest's own questions at an unguessable link; raises NotFound, FormClosed."""
    found = db.session.execute(
        sa.select(Guest.session_booking_id, Guest.position).where(Guest.form_secret == form_secret),
        execution_options=BY_SECRET,
    ).one_or_none()
    if found is None:
        raise NotFound("We couldn't find that form. Check the link you were given.")
    forms = _booking_forms(_find_booking(SessionBooking.id == found.session_booking_id), now)
    if forms.visit.closed:
        raise FormClosed(forms.visit.closed)
    part = forms.of(found.position)
    return GuestForm(forms.organisation_id, forms.booking_id, forms.visit, part)


def save_answers(
    organisation_id: str,
    booking_id: str,
    typed: Mapping[int, Mapping[str, Sequence[str]]],
    *,
    seen: Mapping[int, str],
    by: str,
    now: dt.datetime,
) -> Saved:
    """Keep what was typed, by position and field id, finished or not; all positions or none.

    What can't be read is not kept and is told in the answer. `seen` says which answers each
    part of the page showed. The caller has found the booking for this person.
    Raises NotFound, FormClosed, AnswersChanged (D4).
    """
    with transaction():
        booking = _lock(organisation_id, booking_id)
        forms = _booking_forms(booking, now)
        if forms.visit.closed:
            raise FormClosed(forms.visit.closed)
        saved = Saved({}, 0)
        left = 0
        for position, texts in typed.items():
            part = forms.of(position)
            read = read_answers(part.fields, texts, now=now, by=by, before=part.answers)
            _refuse_stale(part, read.values, seen.get(position, ""))
            _keep(booking, part, read.values, now)
            if read.errors:
                saved.errors[position] = read.errors
            left += len(missing(part.fields, read.values))
        return Saved(saved.errors, left)


def _find_booking(*conditions: sa.ColumnElement[bool]) -> SessionBooking:
    """A sold booking with all that its forms are shown with; `conditions` bind it."""
    booking = db.session.scalar(
        sa.select(SessionBooking)
        .where(SessionBooking.status == "confirmed", *conditions)
        .options(
            joinedload(SessionBooking.order).joinedload(Order.site),
            joinedload(SessionBooking.session).joinedload(Session.room),
            joinedload(SessionBooking.intake_form),
            selectinload(SessionBooking.guests),
            selectinload(SessionBooking.answers),
        )
        .execution_options(populate_existing=True, **BY_SECRET)
    )
    if booking is None:
        raise NotFound("We couldn't find that booking. Check the link you were given.")
    return booking


def _lock(organisation_id: str, booking_id: str) -> SessionBooking:
    """The booking's row is the lock of all its answers: whoever saves comes after the other."""
    db.session.execute(
        sa.select(SessionBooking.id)
        .where(SessionBooking.organisation_id == organisation_id, SessionBooking.id == booking_id)
        .with_for_update(key_share=True)
    )
    return _find_booking(
        SessionBooking.organisation_id == organisation_id, SessionBooking.id == booking_id
    )


def _booking_forms(booking: SessionBooking, now: dt.datetime) -> BookingForms:
    form = booking.intake_form
    return BookingForms(
        organisation_id=booking.organisation_id,
        booking_id=booking.id,
        session_id=booking.session_id,
        order_ref=booking.order.order_ref,
        visit=_visit(booking, now),
        version=form.version if form else None,
        asked_at=form.created_at if form else None,
        parts=_parts(booking, fields_of(form)) if form else (),
    )


def _visit(booking: SessionBooking, now: dt.datetime) -> Visit:
    row, venue = booking.session, venue_of(booking.order.site)
    return Visit(
        venue=venue,
        session_type_name=booking.session_type_name,
        local_start=row.local_start,
        local_end=to_local(row.end_time, venue.zone),
        room=row.room.name if row.room else "",
        booker=booking.order.name,
        closed=_why_closed(booking, now),
    )


def _why_closed(booking: SessionBooking, now: dt.datetime) -> str:
    if booking.cancelled_at is not None or booking.session.deleted_at is not None:
        return "This booking was cancelled, so there is nothing left to fill in."
    if booking.session.end_time <= now:
        return "This visit is over, so its answers can no longer be changed."
    return ""


def _parts(booking: SessionBooking, fields: Sequence[Field]) -> tuple[Part, ...]:
    rows = {row.position: row for row in booking.answers}
    guests = {guest.position: guest for guest in booking.guests}
    parts = []
    for position in (BOOKER, *positions_of(booking)):
        asked = fields_for(fields, position)
        if not asked:
            continue
        row, guest = rows.get(position), guests.get(position)
        parts.append(
            Part(
                position=position,
                name=name_at(booking, position),
                fields=asked,
                answers=row.answers if row else {},
                is_own=position in (BOOKER, own_position(booking)),
                form_secret=guest.form_secret if guest else None,
                updated_at=row.updated_at if row else None,
            )
        )
    return tuple(parts)


def _seen(answers: Mapping[str, Answer]) -> str:
    written = json.dumps(answers, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(written.encode()).hexdigest()[:16]


def _refuse_stale(part: Part, values: Mapping[str, Answer], seen: str) -> None:
    """Nobody's answers are written over unseen; the same ones sent twice are no conflict."""
    is_same = values.keys() == part.answers.keys() and all(
        same_answer(value, part.answers[name]) for name, value in values.items()
    )
    if seen != part.seen and not is_same:
        raise AnswersChanged("Somebody else saved answers here since you opened this page.")


def _keep(booking: SessionBooking, part: Part, values: dict[str, Answer], now: dt.datetime) -> None:
    row = next((it for it in booking.answers if it.position == part.position), None)
    if row is None and not values:
        return
    if row is None:
        row = IntakeAnswer(
            id=new_object_id(),
            organisation_id=booking.organisation_id,
            session_booking_id=booking.id,
            intake_form_id=booking.intake_form_id,
            position=part.position,
        )
        booking.answers.append(row)
    if missing(part.fields, values):
        row.completed_at = None
    elif row.completed_at is None:
        row.completed_at = now
    row.answers, row.updated_at = values, now
