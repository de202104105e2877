"""Kiosks: signed in by staff, they check guests in and show one booking at a time."""

import datetime as dt
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import contains_eager, joinedload, selectinload

from domain.errors import NotFound
from domain.finding import is_last_name, read_code, reference_key
from domain.kiosk import (
    SHOWS,
    SHOWS_DONE,
    WINDOW,
    Arrival,
    KioskEnded,
    NoArrival,
    OtherVenue,
    Verdict,
    check_kiosk_name,
    check_kiosk_tries,
    choose,
    judge,
)
from domain.local_time import local_day
from models import (
    FindingWord,
    Kiosk,
    Order,
    Session,
    SessionBooking,
    SignInTry,
    Site,
    db,
    new_object_id,
    transaction,
    unbound,
)
from services.customers import names_of_accounts
from services.desk import set_check_in
from services.facts import Venue, venue_of
from services.fees import find_late_fee
from services.intake import completion, own_position
from services.sign_in import lock_tries, tries_of

_BY_COOKIE = unbound("a kiosk's cookie holds its unguessable secret and says where it stands")


@dataclass(frozen=True, slots=True)
class KioskDesk:
    """A kiosk that is signed in, with the venue that it stands in."""

    id: str
    name: str
    venue: Venue


@dataclass(frozen=True, slots=True)
class KioskLine:
    """One kiosk in the back office."""

    id: str
    name: str
    by: str
    since: dt.datetime
    last_used_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class ShownBooking:
    """The one booking on a kiosk's screen: no mail, no phone, no money but what a press costs."""

    mark: str
    """Sent with every press, so that a press is about the booking that was looked at."""
    name: str
    guests: tuple[str, ...]
    places: int
    session_name: str
    local_start: dt.datetime
    local_end: dt.datetime
    room: str
    practitioner: str
    arrived_at: dt.datetime | None
    forms_missing: bool
    verdict: Verdict
    late_fee: int
    """What checking in now adds for being late, in minor units of `currency`; 0 for nothing."""
    currency: str
    seconds: int
    """Until the kiosk goes back to its start by itself."""


def list_kiosks(organisation_id: str, site_id: str) -> list[KioskLine]:
    """The venue's kiosks that are signed in, the newest first."""
    rows = db.session.scalars(
        sa.select(Kiosk)
        .where(
            Kiosk.organisation_id == organisation_id,
            Kiosk.site_id == site_id,
            Kiosk.ended_at.is_(None),
        )
        .order_by(Kiosk.created_at.desc(), Kiosk.id.desc())
    ).all()
    names = names_of_accounts(row.signed_in_by_id for row in rows)
    return [
        KioskLine(
            row.id, row.name, names.get(row.signed_in_by_id, ""), row.created_at, row.last_used_at
        )
        for row in rows
    ]


def sign_in_kiosk(
    organisation_id: str, site_id: str, name: str, *, by: str, now: dt.datetime
) -> str:
    """Make a device a kiosk of the venue; what its cookie holds. Raises RuleBroken on the name."""
    tidy, secret, kiosk_id = check_kiosk_name(name), secrets.token_urlsafe(24), new_object_id()
    with transaction():
        db.session.add(
            Kiosk(
                id=kiosk_id,
                organisation_id=organisation_id,
                site_id=site_id,
                name=tidy,
                secret_hash=_hash(secret),
                signed_in_by_id=by,
                created_at=now,
            )
        )
    return f"{kiosk_id}.{secret}"


def end_kiosk(
    organisation_id: str, site_id: str, kiosk_id: str, *, by: str, now: dt.datetime
) -> str:
    """Sign a kiosk out, at once and for good; its name. Raises NotFound. Repeating is fine."""
    with transaction():
        row = _load(organisation_id, site_id, kiosk_id, lock=True)
        if row.ended_at is None:
            row.ended_at, row.ended_by_id = now, by
            row.showing_id = row.showing_until = None
        return row.name


def find_kiosk_name(organisation_id: str, site_id: str, kiosk_id: str) -> str:
    """What staff call a kiosk, signed out or not; raises NotFound."""
    return _load(organisation_id, site_id, kiosk_id).name


def find_kiosk(site_slug: str, token: str) -> KioskDesk:
    """The kiosk of a cookie at the venue of an address; raises KioskEnded."""
    kiosk_id, _, secret = token.partition(".")
    row = db.session.execute(
        sa.select(Kiosk, Site)
        .join(Kiosk.site)
        .where(Kiosk.id == kiosk_id, Kiosk.ended_at.is_(None), Site.slug == site_slug),
        execution_options=_BY_COOKIE,
    ).first()
    if row is None or not hmac.compare_digest(row[0].secret_hash, _hash(secret)):
        raise KioskEnded
    return KioskDesk(row[0].id, row[0].name, venue_of(row[1]))


def find_arrival(kiosk: KioskDesk, reference: str, last_name: str, *, now: dt.datetime) -> None:
    """Show the booking of a scanned ticket, or of a reference with a last name that fits it.

    Raises NoArrival, OtherVenue, and KioskPaused after too many of them. What is found and
    shown is no try.
    """
    # Whoever tries is another guest: the last one's booking is gone whatever comes of it.
    show_nothing(kiosk, now=now)
    trial = _note_try(kiosk, now=now)
    booking = _scanned(kiosk, reference) or _named(kiosk, reference, last_name, now=now)
    if booking is None:
        raise NoArrival
    if booking.site_id != kiosk.venue.id:
        raise OtherVenue(_place(booking))
    with transaction():
        db.session.execute(
            sa.delete(SignInTry).where(SignInTry.id == trial),
            execution_options={"synchronize_session": False},
        )
        _show(kiosk, booking.id, now=now, until=now + SHOWS)


def find_shown(kiosk: KioskDesk, *, now: dt.datetime) -> ShownBooking | None:
    """The booking on the screen; None when its time there is over."""
    found = _showing(kiosk, now)
    if found is None:
        return None
    booking, until = found
    venue, row = kiosk.venue, booking.session
    own = own_position(booking)
    return ShownBooking(
        mark=_mark(kiosk, booking.id),
        name=booking.order.name,
        guests=tuple(guest.name for guest in booking.guests if guest.position != own),
        places=booking.places,
        session_name=booking.session_type_name,
        local_start=row.local_start,
        local_end=row.end_time.astimezone(venue.zone),
        room=row.room.name if row.room else "",
        practitioner=row.practitioner.name if row.practitioner else "",
        arrived_at=booking.checked_in_at,
        forms_missing=not completion([booking])[booking.id].completed,
        verdict=judge(_arrival(booking), now=now, today=local_day(now, venue.zone)),
        late_fee=find_late_fee(booking, now=now),
        currency=booking.order_item.currency,
        seconds=max(1, int((until - now).total_seconds())),
    )


def check_in_shown(kiosk: KioskDesk, mark: str, *, now: dt.datetime) -> None:
    """Check the party on the screen in, as the desk would (R26, R27); repeating changes nothing.

    Without effect when the screen shows another booking by now, or the rules say no.
    """
    found = _showing(kiosk, now)
    if found is None or not _is_mark(kiosk, found[0].id, mark):
        return
    booking, venue = found[0], kiosk.venue
    verdict = judge(_arrival(booking), now=now, today=local_day(now, venue.zone))
    if verdict.is_ready:
        set_check_in(venue.organisation_id, venue.id, booking.id, arrived=True, now=now)
    is_done = verdict.is_ready or verdict.has_arrived
    with transaction():
        _show(kiosk, booking.id, now=now, until=now + (SHOWS_DONE if is_done else SHOWS))


def keep_showing(kiosk: KioskDesk, mark: str, *, now: dt.datetime) -> None:
    """More time for who reads slowly (WCAG 2.2.1)."""
    found = _showing(kiosk, now)
    if found is not None and _is_mark(kiosk, found[0].id, mark):
        with transaction():
            _show(kiosk, found[0].id, now=now, until=now + SHOWS)


def show_nothing(kiosk: KioskDesk, *, now: dt.datetime) -> None:
    """Back to the start: whoever comes next sees nothing of who was here."""
    with transaction():
        _show(kiosk, None, now=now, until=None)


def _load(organisation_id: str, site_id: str, kiosk_id: str, *, lock: bool = False) -> Kiosk:
    wanted = sa.select(Kiosk).where(
        Kiosk.organisation_id == organisation_id,
        Kiosk.site_id == site_id,
        Kiosk.id == kiosk_id,
    )
    row = db.session.scalar(wanted.with_for_update() if lock else wanted)
    if row is None:
        raise NotFound("We couldn't find that kiosk.")
    return row


def _note_try(kiosk: KioskDesk, *, now: dt.datetime) -> str:
    """Write a try down before it is made, so that many at once are counted too; its id."""
    who, trial = f"kiosk:{kiosk.id}", new_object_id()
    with transaction():
        lock_tries(who)
        check_kiosk_tries(tries_of(who, since=now - WINDOW), now)
        db.session.add(SignInTry(id=trial, who=who, tried_at=now))
    return trial


def _scanned(kiosk: KioskDesk, text: str) -> SessionBooking | None:
    code = read_code(text)
    if not code:
        return None
    return next(iter(_bookings(kiosk, SessionBooking.check_in_code == code)), None)


def _named(
    kiosk: KioskDesk, reference: str, last_name: str, *, now: dt.datetime
) -> SessionBooking | None:
    """Of the order with this reference the booking that is meant, if the name fits the party."""
    key = reference_key(reference)
    if not key or read_code(reference):
        return None
    organisation_id = kiosk.venue.organisation_id
    orders = sa.select(FindingWord.order_id).where(
        FindingWord.organisation_id == organisation_id, FindingWord.word == f"={key}"
    )
    rows = [
        row
        for row in _bookings(kiosk, SessionBooking.order_id.in_(orders))
        if is_last_name(last_name, [row.order.name, *(guest.name for guest in row.guests)])
    ]
    rows = [row for row in rows if row.site_id == kiosk.venue.id] or rows
    today = local_day(now, kiosk.venue.zone)
    place = choose([_arrival(row) for row in rows], now=now, today=today)
    return None if place is None else rows[place]


def _bookings(kiosk: KioskDesk, *which: sa.ColumnElement[bool]) -> Sequence[SessionBooking]:
    """Whatever was booked or waits in the organisation, with what the screen needs."""
    return db.session.scalars(
        sa.select(SessionBooking)
        .join(SessionBooking.session)
        .where(
            SessionBooking.organisation_id == kiosk.venue.organisation_id,
            SessionBooking.status.in_(("confirmed", "waitlisted")),
            *which,
        )
        .options(
            contains_eager(SessionBooking.session).options(
                joinedload(Session.room), joinedload(Session.practitioner)
            ),
            joinedload(SessionBooking.order_item),
            joinedload(SessionBooking.order).load_only(Order.id, Order.name, Order.email),
            selectinload(SessionBooking.guests),
        )
        .order_by(Session.start_time, SessionBooking.id)
        .execution_options(populate_existing=True)
    ).all()


def _showing(kiosk: KioskDesk, now: dt.datetime) -> tuple[SessionBooking, dt.datetime] | None:
    row = db.session.execute(
        sa.select(Kiosk.showing_id, Kiosk.showing_until).where(
            Kiosk.organisation_id == kiosk.venue.organisation_id, Kiosk.id == kiosk.id
        )
    ).first()
    if row is None or row[0] is None or row[1] is None or row[1] <= now:
        return None
    booking = next(iter(_bookings(kiosk, SessionBooking.id == row[0])), None)
    return None if booking is None else (booking, row[1])


def _show(
    kiosk: KioskDesk, booking_id: str | None, *, now: dt.datetime, until: dt.datetime | None
) -> None:
    """One conditional statement: a kiosk that was signed out meanwhile shows nothing."""
    db.session.execute(
        sa.update(Kiosk)
        .where(
            Kiosk.organisation_id == kiosk.venue.organisation_id,
            Kiosk.id == kiosk.id,
            Kiosk.ended_at.is_(None),
        )
        .values(showing_id=booking_id, showing_until=until, last_used_at=now),
        execution_options={"synchronize_session": False},
    )


def _place(booking: SessionBooking) -> str:
    site = db.session.scalar(
        sa.select(Site).where(
            Site.organisation_id == booking.organisation_id, Site.id == booking.site_id
        )
    )
    return venue_of(site).full_name if site else "another venue"


def _arrival(booking: SessionBooking) -> Arrival:
    row = booking.session
    return Arrival(
        start=row.start_time,
        end=row.end_time,
        local_start=row.local_start,
        is_waiting=booking.status == "waitlisted",
        is_cancelled=booking.cancelled_at is not None,
        is_session_cancelled=row.deleted_at is not None,
        is_no_show=booking.is_no_show,
        has_arrived=booking.checked_in_at is not None,
    )


def _mark(kiosk: KioskDesk, booking_id: str) -> str:
    return hashlib.sha256(f"{kiosk.id}:{booking_id}".encode()).hexdigest()[:16]


def _is_mark(kiosk: KioskDesk, booking_id: str, mark: str) -> bool:
    return hmac.compare_digest(_mark(kiosk, booking_id).encode(), mark.encode())


def _hash(secret: str) -> str:
    """A random secret needs no slow hash: nobody guesses one of 192 bits."""
    return hashlib.sha256(secret.encode()).hexdigest()
