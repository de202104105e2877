"""Running a session: roster, check-in, no-show, stages, walk-ins (R26-R28)."""

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from domain.errors import NotFound
from domain.overrides import say_overridden
from domain.visits import Visit, check_in, mark_no_show, move_to_stage
from models import (
    Order,
    Session,
    SessionBooking,
    SessionType,
    db,
    transaction,
)
from services.customers import names_of_accounts
from services.intake import Completion, completion, own_position
from services.lines import load_session_at
from services.places import lock_sessions, raise_revision
from services.waitlists import count_waiting
from services.waking import wake


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

    @property
    def in_spite_of(self) -> str:
        """The rules that it was booked in spite of, in words; empty for most."""
        return say_overridden(self.overridden)

    @property
    def state(self) -> str:
        """due, arrived, in, out or noshow: the class of its row (VISUAL, Roster row)."""
        if self.is_no_show:
            return "noshow"
        return {
            "not_arrived": "due",
            "arrived": "arrived",
            "in_treatment": "in",
            "checked_out": "out",
        }[self.stage]


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


def set_check_in(
    organisation_id: str, site_id: str, booking_id: str, *, arrived: bool, now: dt.datetime
) -> str:
    """Check a party in, or undo it; its session's id. Raises NotFound, WrongState (R26, R27)."""
    with transaction():
        booking = _lock(organisation_id, site_id, booking_id)
        _write(booking, check_in(_visit(booking), arrived=arrived, now=now), now)
        return booking.session_id


def set_no_show(
    organisation_id: str, site_id: str, booking_id: str, *, missed: bool, now: dt.datetime
) -> str:
    """Mark a no-show, or undo it; its session's id (R26-R28)."""
    with transaction():
        booking = _lock(organisation_id, site_id, booking_id)
        _write(booking, mark_no_show(_visit(booking), missed=missed), now)
        return booking.session_id


def set_stage(
    organisation_id: str, site_id: str, booking_id: str, *, stage: str, now: dt.datetime
) -> str:
    """Move the visit to a stage; its session's id (R27)."""
    with transaction():
        booking = _lock(organisation_id, site_id, booking_id)
        _write(booking, move_to_stage(_visit(booking), stage, now=now), now)
        return booking.session_id


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
    )


def _balances(organisation_id: str, order_ids: list[str]) -> dict[str, int]:
    rows = db.session.execute(
        sa.select(Order.id, Order.balance).where(
            Order.organisation_id == organisation_id, Order.id.in_(order_ids)
        )
    )
    return {row[0]: row[1] for row in rows}


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
