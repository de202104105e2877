"""Running a session: roster, check-in, no-show, stages, walk-ins (R26-R28)."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from domain.errors import NotFound
from domain.local_time import local_day, to_utc
from domain.overrides import say_overridden
from domain.replaying import (
    PRESSED,
    STANDS,
    Sent,
    TapConflict,
    Verdict,
    judge,
    mark_of,
    moment_of,
    state_of,
)
from domain.visits import Visit, check_in, mark_no_show, move_to_stage
from models import (
    LedgerEntry,
    Session,
    SessionBooking,
    SessionType,
    db,
)
from services.customers import names_of_accounts
from services.idempotency import once
from services.intake import Completion, completion, own_position
from services.lines import load_session_at
from services.places import lock_sessions, raise_revision
from services.waitlists import count_waiting
from services.waking import wake

MOST_KEPT = 12
"""Rosters that a desk's browser fetches ahead for the minutes without a connection."""


@dataclass(frozen=True, slots=True)
class RosterLine:
    """One booking on the roster."""

    id: str
    name: str
    email: str
    phone: str
    order_ref: str
    order_id: str
    places: int
    guests: tuple[str, ...]
    stage: str
    checked_in_at: dt.datetime | None
    is_no_show: bool
    is_walk_in: bool
    balance: int
    forms: Completion
    booker_comes: bool = True
    overridden: tuple[str, ...] = ()
    override_reason: str = ""
    booked_by: str = ""
    mark: str = ""
    """Changes whenever the booking does (domain/replaying.py)."""

    @property
    def in_spite_of(self) -> str:
        """The rules that it was booked in spite of, in words; empty for most."""
        return say_overridden(self.overridden)

    @property
    def state(self) -> str:
        """due, arrived, in, out or noshow: the class of its row (VISUAL, Roster row)."""
        return state_of(self.stage, is_no_show=self.is_no_show)


@dataclass(frozen=True, slots=True)
class Roster:
    """A session with everybody who booked it."""

    session: Session
    lines: tuple[RosterLine, ...]
    held: int
    waiting: int = 0
    """Parties on the waiting list."""

    def guests_in(self, state: str) -> int:
        """How many guests (not bookings) are in a state; "all" for everybody."""
        return sum(line.places for line in self.lines if state in ("all", line.state))


def find_current_session(organisation_id: str, site_id: str, *, now: dt.datetime) -> str | None:
    """The session that the desk looks after next: the first that has not ended yet."""
    return db.session.scalar(
        sa.select(Session.id)
        .join(Session.session_type)
        .where(
            Session.organisation_id == organisation_id,
            Session.site_id == site_id,
            Session.deleted_at.is_(None),
            Session.end_time > now,
            sa.not_(SessionType.hidden_on_schedule),
        )
        .order_by(Session.start_time, Session.id)
        .limit(1)
    )


def list_coming_today(
    organisation_id: str, site_id: str, *, zone: ZoneInfo, now: dt.datetime
) -> list[str]:
    """The sessions of the site's day that have not ended, the soonest first; MOST_KEPT at most."""
    tomorrow = dt.datetime.combine(local_day(now, zone) + dt.timedelta(days=1), dt.time())
    rows = db.session.scalars(
        sa.select(Session.id)
        .where(
            Session.organisation_id == organisation_id,
            Session.site_id == site_id,
            Session.deleted_at.is_(None),
            Session.end_time > now,
            Session.start_time < to_utc(tomorrow, zone),
        )
        .order_by(Session.start_time, Session.id)
        .limit(MOST_KEPT)
    )
    return list(rows)


def find_roster(organisation_id: str, site_id: str, session_id: str) -> Roster:
    """The session's confirmed bookings by name; raises NotFound."""
    row = load_session_at(organisation_id, site_id, session_id)
    bookings = db.session.scalars(
        sa.select(SessionBooking)
        .where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.session_id == session_id,
            SessionBooking.cancelled_at.is_(None),
        )
        .options(
            joinedload(SessionBooking.order),
            joinedload(SessionBooking.customer),
            selectinload(SessionBooking.guests),
        )
        .order_by(SessionBooking.id)
    ).all()
    sold = [booking for booking in bookings if booking.status == "confirmed"]
    balances = _balances(organisation_id, [booking.order_id for booking in sold])
    names = names_of_accounts(booking.booked_by_id for booking in sold)
    forms = completion(sold)
    lines = [_line(it, balances.get(it.order_id, 0), names, forms[it.id]) for it in sold]
    held = sum(b.places for b in bookings if b.status in ("new", "in_progress"))
    ordered = tuple(sorted(lines, key=lambda line: line.name.casefold()))
    return Roster(row, ordered, held, count_waiting(organisation_id, session_id))


@dataclass(frozen=True, slots=True)
class Tapped:
    """A tap that was done: where its roster is, and the booking's mark then."""

    session_id: str
    mark: str


def set_check_in(
    organisation_id: str,
    site_id: str,
    booking_id: str,
    *,
    arrived: bool,
    now: dt.datetime,
    sent: Sent = PRESSED,
) -> Tapped:
    """Check a party in, or undo it. Raises NotFound, WrongState, TapConflict (R26, R27)."""
    return _tap(
        (organisation_id, site_id, booking_id),
        lambda visit, at: check_in(visit, arrived=arrived, now=at),
        {"check_in": arrived},
        sent,
        now,
    )


def set_no_show(
    organisation_id: str,
    site_id: str,
    booking_id: str,
    *,
    missed: bool,
    now: dt.datetime,
    sent: Sent = PRESSED,
) -> Tapped:
    """Mark a no-show, or undo it. Raises NotFound, WrongState, TapConflict (R26-R28)."""
    return _tap(
        (organisation_id, site_id, booking_id),
        lambda visit, _at: mark_no_show(visit, missed=missed),
        {"no_show": missed},
        sent,
        now,
    )


def set_stage(
    organisation_id: str,
    site_id: str,
    booking_id: str,
    *,
    stage: str,
    now: dt.datetime,
    sent: Sent = PRESSED,
) -> Tapped:
    """Move the visit to a stage. Raises NotFound, WrongState, TapConflict (R27)."""
    return _tap(
        (organisation_id, site_id, booking_id),
        lambda visit, at: move_to_stage(visit, stage, now=at),
        {"stage": stage},
        sent,
        now,
    )


def _tap(
    place: tuple[str, str, str],
    deed: Callable[[Visit, dt.datetime], Visit],
    wanted: dict[str, str | bool],
    sent: Sent,
    now: dt.datetime,
) -> Tapped:
    """Do one tap under the booking's lock, once for its key, unless it meets another change."""

    def tapped() -> str:
        booking = _lock(*place)
        before = _visit(booking)
        after = deed(before, moment_of(sent, now=now))
        verdict = judge(before, after, sent, mark=_mark(booking))
        if verdict in (Verdict.CHANGED, Verdict.TOO_OLD):
            raise TapConflict(
                verdict,
                stands=STANDS[state_of(before.stage, is_no_show=before.is_no_show)],
                mark=_mark(booking),
                changed_at=booking.updated_at,
            )
        _write(booking, after, now)
        return f"{booking.session_id} {_mark(booking)}"

    answer = once(place[0], sent.key, {"booking": place[2], **wanted}, tapped, now)
    return Tapped(*answer.split())


def _line(
    booking: SessionBooking, balance: int, names: dict[str, str], forms: Completion
) -> RosterLine:
    own = own_position(booking)
    return RosterLine(
        id=booking.id,
        name=booking.order.name,
        email=booking.order.email,
        phone=booking.customer.phone if booking.customer else "",
        order_ref=booking.order.order_ref,
        order_id=booking.order_id,
        places=booking.places,
        guests=tuple(guest.name for guest in booking.guests if guest.position != own),
        booker_comes=own is not None,
        stage=booking.stage,
        checked_in_at=booking.checked_in_at,
        is_no_show=booking.is_no_show,
        is_walk_in=booking.is_walk_in,
        balance=balance,
        overridden=tuple(booking.overridden),
        override_reason=booking.override_reason,
        booked_by=names.get(booking.booked_by_id or "", ""),
        forms=forms,
        mark=_mark(booking),
    )


def _balances(organisation_id: str, order_ids: list[str]) -> dict[str, int]:
    rows = db.session.execute(
        sa.select(LedgerEntry.order_id, sa.func.sum(LedgerEntry.amount))
        .where(LedgerEntry.organisation_id == organisation_id, LedgerEntry.order_id.in_(order_ids))
        .group_by(LedgerEntry.order_id)
    )
    return {order_id: int(total) for order_id, total in rows}


def _lock(organisation_id: str, site_id: str, booking_id: str) -> SessionBooking:
    """The booking for a change, its session before it (ADR 9)."""
    wanted = (
        SessionBooking.organisation_id == organisation_id,
        SessionBooking.site_id == site_id,
        SessionBooking.id == booking_id,
    )
    session_id = db.session.scalar(sa.select(SessionBooking.session_id).where(*wanted))
    if session_id is not None:
        lock_sessions(organisation_id, [session_id])
    booking = db.session.scalar(
        sa.select(SessionBooking)
        .where(*wanted)
        .options(selectinload(SessionBooking.session))
        .with_for_update(of=SessionBooking)
        .execution_options(populate_existing=True)
    )
    if booking is None:
        raise NotFound("We couldn't find that booking.")
    return booking


def _visit(booking: SessionBooking) -> Visit:
    return Visit(
        status=booking.status,
        stage=booking.stage,
        checked_in_at=booking.checked_in_at,
        is_no_show=booking.is_no_show,
        is_cancelled=booking.cancelled_at is not None,
        is_session_cancelled=booking.session.deleted_at is not None,
    )


def _mark(booking: SessionBooking) -> str:
    return mark_of(
        _visit(booking),
        session_id=booking.session_id,
        places=booking.places,
        sequence=booking.sequence,
        updated_at=booking.updated_at,
    )


def _write(booking: SessionBooking, visit: Visit, now: dt.datetime) -> None:
    before = _visit(booking)
    if visit == before:
        return
    booking.stage = visit.stage
    booking.checked_in_at = visit.checked_in_at
    booking.is_no_show = visit.is_no_show
    booking.updated_at = now
    if visit.checked_in_at is not None and booking.released_places:
        _keep_places(booking, now)


def _keep_places(booking: SessionBooking, now: dt.datetime) -> None:
    """Who came has not given the places up after all: offers of them fall back."""
    booking.released_places = 0
    db.session.flush()
    wake(booking.organisation_id, [booking.session_id], now=now)
    raise_revision(booking.organisation_id, [booking.session_type_id])
