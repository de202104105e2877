"""Running a session: roster, check-in, no-show, stages, their fees, walk-ins (R26-R28)."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from domain.errors import NotFound
from domain.fees import Charged, check_waivable, waivable_until
from domain.ledger import MAX_NOTE
from domain.local_time import local_day, to_utc
from domain.overrides import say_overridden
from domain.reasons import check_reason
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
    Order,
    Session,
    SessionBooking,
    SessionType,
    db,
)
from services.customers import names_of_accounts
from services.fees import find_standing_fees, rules_of, settle_fee, take_back, tell_waived
from services.idempotency import once
from services.intake import Completion, completion, own_position
from services.ledger import balances_of
from services.lines import load_session_at
from services.notes import Noted, notes_of_bookings
from services.places import lock_sessions, raise_revision
from services.waitlists import WaitingLine, count_waiting, list_waiting
from services.waking import wake

MOST_KEPT = 12
"""Rosters that a desk's browser fetches ahead for the minutes without a connection."""


@dataclass(frozen=True, slots=True)
class StandingFee:
    """A fee that stands on a booking, and until when it can be waived (None: without an end)."""

    charged: Charged
    until: dt.datetime | None
    may_waive: bool


@dataclass(frozen=True, slots=True)
class RosterLine:
    """One booking on the roster."""

    id: str
    name: str
    email: str
    phone: str
    order_ref: str
    order_id: str
    currency: str
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
    fee: StandingFee | None = None
    notes: tuple[Noted, ...] = ()
    """What colleagues noted about it, the newest first."""
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
    waits: tuple[WaitingLine, ...] = ()
    """Parties on the waiting list, in their order."""

    @property
    def waiting(self) -> int:
        """How many parties are on the waiting list."""
        return len(self.waits)

    @property
    def to_collect(self) -> tuple[int, int]:
        """What is due on these orders in all, in minor units, and from how many parties."""
        due = {line.order_id: line.balance for line in self.lines if line.balance > 0}
        return sum(due.values()), len(due)

    @property
    def forms_missing(self) -> int:
        """How many bookings lack an answer."""
        return sum(not line.forms.completed for line in self.lines)

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


def find_roster(organisation_id: str, site_id: str, session_id: str, *, now: dt.datetime) -> Roster:
    """The session's confirmed bookings by name, and who waits; raises NotFound.

    As many statements for sixty guests as for five.
    """
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
            joinedload(SessionBooking.order_item),
            joinedload(SessionBooking.customer),
            selectinload(SessionBooking.guests),
        )
        .order_by(SessionBooking.id)
    ).all()
    sold = [booking for booking in bookings if booking.status == "confirmed"]
    balances = balances_of(organisation_id, [booking.order_id for booking in sold])
    names = names_of_accounts(booking.booked_by_id for booking in sold)
    forms = completion(sold)
    fees = find_standing_fees(organisation_id, [it.id for it in sold if it.fee])
    noted = notes_of_bookings(organisation_id, [it.id for it in sold])
    lines = [
        _line(
            it,
            balances.get(it.order_id, 0),
            names,
            forms[it.id],
            _standing_fee(it, fees.get(it.id), now),
            tuple(noted.get(it.id, ())),
        )
        for it in sold
    ]
    held = sum(b.places for b in bookings if b.status in ("new", "in_progress"))
    ordered = tuple(sorted(lines, key=lambda line: line.name.casefold()))
    waits: tuple[WaitingLine, ...] = ()
    if count_waiting(organisation_id, session_id):
        waits = list_waiting(organisation_id, site_id, session_id, now=now).lines
    return Roster(row, ordered, held, waits)


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
    by_id: str | None = None,
    now: dt.datetime,
    sent: Sent = PRESSED,
) -> Tapped:
    """Check a party in, or undo it. Raises NotFound, WrongState, TapConflict (R26, R27).

    A late guest pays the agreed fee, and undoing it takes that back while it may be waived.
    """
    return _tap(
        (organisation_id, site_id, booking_id),
        lambda visit, at: check_in(visit, arrived=arrived, now=at),
        {"check_in": arrived},
        sent,
        by_id=by_id,
        now=now,
    )


def set_no_show(
    organisation_id: str,
    site_id: str,
    booking_id: str,
    *,
    missed: bool,
    by_id: str | None = None,
    now: dt.datetime,
    sent: Sent = PRESSED,
) -> Tapped:
    """Mark a no-show, or undo it; its fee comes and goes with it.

    Raises NotFound, WrongState, TapConflict (R26-R28).
    """
    return _tap(
        (organisation_id, site_id, booking_id),
        lambda visit, _at: mark_no_show(visit, missed=missed),
        {"no_show": missed},
        sent,
        by_id=by_id,
        now=now,
    )


def set_stage(
    organisation_id: str,
    site_id: str,
    booking_id: str,
    *,
    stage: str,
    by_id: str | None = None,
    now: dt.datetime,
    sent: Sent = PRESSED,
) -> Tapped:
    """Move the visit to a stage. Raises NotFound, WrongState, TapConflict (R27)."""
    return _tap(
        (organisation_id, site_id, booking_id),
        lambda visit, at: move_to_stage(visit, stage, now=at),
        {"stage": stage},
        sent,
        by_id=by_id,
        now=now,
    )


def find_fee(
    organisation_id: str, site_id: str, booking_id: str, *, now: dt.datetime
) -> tuple[SessionBooking, StandingFee | None]:
    """A booking with the fee that stands on it, None for none; raises NotFound (D1)."""
    booking = db.session.scalar(
        _at(organisation_id, site_id, booking_id).options(
            joinedload(SessionBooking.session).joinedload(Session.room),
            joinedload(SessionBooking.order),
            joinedload(SessionBooking.order_item),
            selectinload(SessionBooking.guests),
        )
    )
    if booking is None:
        raise _unknown()
    standing = find_standing_fees(organisation_id, [booking_id]).get(booking_id)
    return booking, _standing_fee(booking, standing, now)


def waive_fee(
    organisation_id: str,
    site_id: str,
    booking_id: str,
    *,
    reason: str,
    by_id: str | None = None,
    key: str = "",
    now: dt.datetime,
) -> str:
    """Take a fee back with a reason, in the time that was agreed; its session's id (M1).

    The visit stays as it is. Raises NotFound, RuleBroken without a reason, for no fee, and for
    one that is too old.
    """

    def deed() -> str:
        why = check_reason(reason)
        booking = _lock(organisation_id, site_id, booking_id)
        standing = find_standing_fees(organisation_id, [booking_id]).get(booking_id)
        fee = check_waivable(rules_of(booking), standing, now)
        take_back(booking, fee, why[:MAX_NOTE], by_id=by_id, now=now)
        tell_waived(booking, fee, now=now)
        booking.updated_at = now
        return booking.session_id

    body: dict[str, object] = {"waive": booking_id, "reason": reason}
    return once(organisation_id, key, body, deed, now)


def _tap(
    place: tuple[str, str, str],
    deed: Callable[[Visit, dt.datetime], Visit],
    wanted: dict[str, str | bool],
    sent: Sent,
    *,
    by_id: str | None,
    now: dt.datetime,
) -> Tapped:
    """Do one tap under the booking's lock, once for its key, unless it meets another change.

    The fee goes along with the visit.
    """

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
        if after != before:
            settle_fee(booking, before, after, by_id=by_id, now=now)
            _write(booking, after, now)
        return f"{booking.session_id} {_mark(booking)}"

    answer = once(place[0], sent.key, {"booking": place[2], **wanted}, tapped, now)
    return Tapped(*answer.split())


def _standing_fee(
    booking: SessionBooking, charged: Charged | None, now: dt.datetime
) -> StandingFee | None:
    if charged is None:
        return None
    until = waivable_until(rules_of(booking), charged.at)
    return StandingFee(charged, until, until is None or now <= until)


def _line(
    booking: SessionBooking,
    balance: int,
    names: dict[str, str],
    forms: Completion,
    fee: StandingFee | None,
    notes: tuple[Noted, ...],
) -> RosterLine:
    own = own_position(booking)
    return RosterLine(
        id=booking.id,
        name=booking.order.name,
        email=booking.order.email,
        phone=booking.customer.phone if booking.customer else "",
        order_ref=booking.order.order_ref,
        order_id=booking.order_id,
        currency=booking.order.currency,
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
        fee=fee,
        notes=notes,
        mark=_mark(booking),
    )


def _at(organisation_id: str, site_id: str, booking_id: str) -> sa.Select[SessionBooking]:
    return sa.select(SessionBooking).where(
        SessionBooking.organisation_id == organisation_id,
        SessionBooking.site_id == site_id,
        SessionBooking.id == booking_id,
    )


def _unknown() -> NotFound:
    return NotFound("We couldn't find that booking.")


def _lock(organisation_id: str, site_id: str, booking_id: str) -> SessionBooking:
    """The booking for a change: its order first, whose books a fee touches, its session (ADR 9)."""
    wanted = _at(organisation_id, site_id, booking_id)
    order_id = db.session.scalar(wanted.with_only_columns(SessionBooking.order_id))
    if order_id is None:
        raise _unknown()
    db.session.execute(
        sa.select(Order.id)
        .where(Order.organisation_id == organisation_id, Order.id == order_id)
        .with_for_update(key_share=True)
    )
    # Only whoever has the order's lock moves its lines: the session stays this one.
    session_id = db.session.scalars(wanted.with_only_columns(SessionBooking.session_id)).one()
    lock_sessions(organisation_id, [session_id])
    return db.session.scalars(
        wanted.options(
            selectinload(SessionBooking.session), selectinload(SessionBooking.order_item)
        )
        .with_for_update(of=SessionBooking)
        .execution_options(populate_existing=True)
    ).one()


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
