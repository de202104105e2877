"""The venue changes a dated session: cancels it, brings it back, gives it other places."""

import datetime as dt
from collections.abc import Callable, Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from domain.changing import Books, cost_of
from domain.errors import ImpactChanged, NotFound, WrongState
from domain.reasons import check_reason
from domain.session_changes import (
    Impact,
    Places,
    check_cancelling,
    check_places,
    check_restoring,
    mark_of,
)
from models import (
    LedgerEntry,
    Order,
    Room,
    Session,
    SessionBooking,
    Site,
    db,
    new_object_id,
)
from services.clashes import busy_of, list_clashes
from services.fees import take_back_all
from services.idempotency import retrying
from services.ledger import let_comps_lapse
from services.letters import post_about_bookings
from services.lines import list_live_lines, list_live_lines_on, load_session_at
from services.places import (
    HOLDING,
    let_go_of_all_on,
    let_go_of_expired_on,
    lock_sessions,
    lock_site,
    raise_revision,
    recount,
)
from services.waiting import close_waiting
from services.waking import pass_on_expired, wake


@dataclass(frozen=True, slots=True)
class Changing:
    """A session with what cancelling it would touch, or what restoring it would meet."""

    session: Session
    impact: Impact
    clashes: tuple[Session, ...] = ()

    @property
    def clash_mark(self) -> str:
        """What the page showed of the clashes."""
        return mark_of(sorted(row.id for row in self.clashes))


def find_cancellable_session(
    organisation_id: str, site_id: str, session_id: str, *, now: dt.datetime
) -> Changing:
    """A session that could be cancelled, with what that touches (S3).

    Raises NotFound, and WrongState as `cancel_session` would.
    """
    row = load_session_at(organisation_id, site_id, session_id)
    if row.deleted_at is not None:
        raise WrongState("This session was cancelled already.")
    impact = _impact(list_live_lines(organisation_id, session_id, now))
    check_cancelling(end_time=row.end_time, checked_in=impact.checked_in, now=now)
    return Changing(row, impact)


def find_impacts(
    organisation_id: str, session_ids: Collection[str], *, now: dt.datetime
) -> dict[str, Impact]:
    """What cancelling each of these sessions would touch, in as few questions as for one (S3)."""
    by_session: dict[str, list[SessionBooking]] = {session_id: [] for session_id in session_ids}
    for line in list_live_lines_on(organisation_id, session_ids, now):
        by_session[line.session_id].append(line)
    return {session_id: _impact(lines) for session_id, lines in by_session.items()}


def cancel_session(
    organisation_id: str,
    site_id: str,
    session_id: str,
    *,
    reason: str,
    seen: str | None,
    check: Callable[[Session], None] | None = None,
    withdrawn_by: str | None = None,
    now: dt.datetime,
) -> None:
    """Cancel a session with its bookings, holds and waiting list (R12, M6).

    Every charge is taken back whatever the policy, so that what was paid is owed back (M4).
    Repeating changes nothing. `check` may refuse the locked session too; `withdrawn_by`
    the series or closed day that it went with, and comes back with. Raises RuleBroken without a
    reason, NotFound, WrongState, ImpactChanged when `seen` is not what it touches
    now (S3; None: whoever asks has not been shown anything).
    """
    why = check_reason(reason)

    def deed() -> None:
        # Orders come first (ADR 9). A booking made before the session's lock changes the mark.
        lines = list_live_lines(organisation_id, session_id, now)
        lock_orders(organisation_id, {line.order_id for line in lines})
        lock_sessions(organisation_id, [session_id])
        row = load_session_at(organisation_id, site_id, session_id)
        if row.deleted_at is not None:
            return
        if check is not None:
            check(row)
        let_go_of_expired_on(organisation_id, session_id, now)
        lines = list_live_lines(organisation_id, session_id, now)
        impact = _impact(lines)
        check_cancelling(end_time=row.end_time, checked_in=impact.checked_in, now=now)
        if seen is not None and impact.mark != seen:
            raise ImpactChanged
        sold = [line for line in lines if line.status == "confirmed"]
        row.deleted_at = row.updated_at = now
        row.cancel_reason, row.withdrawn_by = why, withdrawn_by
        db.session.flush()
        close_waiting(organisation_id, session_id, reason=why, now=now)
        let_go_of_all_on(organisation_id, session_id, by="venue", reason=why, now=now)
        _take_charges_back(sold, now)
        take_back_all(sold, "The venue cancelled the session", now=now)
        _cancel_empty_orders(organisation_id, {line.order_id for line in sold})
        _tell(organisation_id, site_id, sold, now)
        raise_revision(organisation_id, [row.session_type_id])

    retrying(deed, why)


def find_restorable_session(
    organisation_id: str, site_id: str, session_id: str, *, now: dt.datetime
) -> Changing:
    """A cancelled session with the sessions it would clash with (S4).

    Raises NotFound, and WrongState as `restore_session` would.
    """
    row = load_session_at(organisation_id, site_id, session_id)
    if row.deleted_at is None:
        raise WrongState("This session takes place. There is nothing to restore.")
    _check_restoring(row, now)
    return Changing(row, _impact([]), tuple(_clashes(row)))


def restore_session(
    organisation_id: str, site_id: str, session_id: str, *, seen: str | None, now: dt.datetime
) -> None:
    """A cancelled session takes place again, with its own values and nobody on it (R13).

    Its bookings stay cancelled. A live one stays as it is. Raises NotFound, WrongState for a past
    one or an archived type, ImpactChanged when its clashes are not those `seen` (S4; None lets
    them through, R6).
    """

    def deed() -> None:
        # Its type is not archived meanwhile.
        lock_site(organisation_id, site_id, shared=True)
        lock_sessions(organisation_id, [session_id])
        row = load_session_at(organisation_id, site_id, session_id)
        if row.deleted_at is None:
            return
        _check_restoring(row, now)
        if seen is not None:
            found = Changing(row, _impact([]), tuple(_clashes(row)))
            if found.clash_mark != seen:
                raise ImpactChanged
        row.deleted_at, row.cancel_reason, row.updated_at = None, "", now
        row.withdrawn_by = None
        db.session.flush()
        recount(organisation_id, session_id)
        raise_revision(organisation_id, [row.session_type_id])

    retrying(deed)


def find_places(
    organisation_id: str, site_id: str, session_id: str, *, now: dt.datetime
) -> tuple[Session, Places]:
    """A live session and its places as they are; NotFound for a cancelled one (R5)."""
    row = _load_live(organisation_id, site_id, session_id, now)
    return row, _places(row)


def change_capacity(
    organisation_id: str,
    site_id: str,
    session_id: str,
    *,
    capacity: int,
    max_baskets: int | None,
    waitlist_enabled: bool,
    seen: str,
    now: dt.datetime,
) -> None:
    """Other places, another party limit, a waiting list or none, for this session alone (R5).

    What comes free is offered to who waits, in the same transaction (H10); who waits already
    stays when the list is closed. Raises RuleBroken with its field (R8, R9), NotFound, WrongState,
    ImpactChanged when `seen` is not what is there now (S3).
    """

    def deed() -> None:
        lock_sessions(organisation_id, [session_id])
        row = _load_live(organisation_id, site_id, session_id, now)
        if pass_on_expired(organisation_id, [session_id], now):
            db.session.refresh(row)
        places = _places(row)
        check_places(places, capacity=capacity, max_baskets=max_baskets)
        wanted = {
            "capacity": capacity,
            "max_baskets": max_baskets,
            "waitlist_enabled": waitlist_enabled,
        }
        changed = {name: value for name, value in wanted.items() if value != getattr(row, name)}
        if changed and places.mark != seen:
            raise ImpactChanged
        for name, value in changed.items():
            setattr(row, name, value)
        if changed:
            # The series leaves these alone from now on.
            row.overridden = sorted({*row.overridden, *changed})
            row.updated_at = now
        db.session.flush()
        wake(organisation_id, [session_id], now=now)
        raise_revision(organisation_id, [row.session_type_id])

    retrying(deed)


def _load_live(organisation_id: str, site_id: str, session_id: str, now: dt.datetime) -> Session:
    row = load_session_at(organisation_id, site_id, session_id)
    if row.deleted_at is not None:
        raise NotFound("This session was cancelled. Restore it before you change it.")
    if row.end_time <= now:
        raise WrongState("This session is over, so its places stay as they were.")
    return row


def _impact(lines: list[SessionBooking]) -> Impact:
    sold = [line for line in lines if line.status == "confirmed"]
    held = [line for line in lines if line.status in HOLDING]
    facts = [f"{line.id}:{line.status}:{line.places}:{_worth(line)}" for line in lines]
    back = _owed_back(sold)
    return Impact(
        bookings=len(sold),
        guests=sum(line.places for line in sold),
        holds=len(held),
        held_places=sum(line.places for line in held),
        waiting=sum(line.status == "waitlisted" for line in lines),
        checked_in=sum(line.places for line in sold if line.checked_in_at is not None),
        no_longer_due=sum(_worth(line) for line in sold) - back,
        owed_back=back,
        mark=mark_of([*facts, str(back)]),
    )


def _worth(line: SessionBooking) -> int:
    """What it costs: its price, and a fee that stands on it."""
    return _price(line) + line.fee


def _price(line: SessionBooking) -> int:
    return line.order_item.unit_price * line.places


def _owed_back(sold: list[SessionBooking]) -> int:
    """What these lines' orders would be owed after losing them: never more than was paid (M4)."""
    lost: dict[str, int] = {}
    orders: dict[str, Order] = {}
    for line in sold:
        orders[line.order_id] = line.order
        lost[line.order_id] = lost.get(line.order_id, 0) + _worth(line)
    back = 0
    for order_id, order in orders.items():
        books = Books.of((entry.kind, entry.amount) for entry in order.ledger)
        back += cost_of(books, -lost[order_id]).to_return - cost_of(books, 0).to_return
    return back


def lock_orders(organisation_id: str, order_ids: set[str]) -> None:
    """Lock orders in order of id, before their sessions (ADR 9)."""
    db.session.execute(
        sa.select(Order.id)
        .where(Order.organisation_id == organisation_id, Order.id.in_(order_ids))
        .order_by(Order.id)
        .with_for_update(key_share=True)
    ).all()


def _take_charges_back(sold: list[SessionBooking], now: dt.datetime) -> None:
    db.session.add_all(
        LedgerEntry(
            id=new_object_id(),
            organisation_id=line.organisation_id,
            order_id=line.order_id,
            kind="adjustment",
            amount=-_price(line),
            currency=line.order_item.currency,
            created_at=now,
        )
        for line in sold
        if _price(line)
    )
    db.session.flush()
    if sold:
        orders = {line.order_id for line in sold}
        let_comps_lapse(sold[0].organisation_id, orders, now=now)


def _cancel_empty_orders(organisation_id: str, order_ids: set[str]) -> None:
    """An order is cancelled with its last line (DECISIONS)."""
    live = (
        sa.select(SessionBooking.id)
        .where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.order_id == Order.id,
            SessionBooking.cancelled_at.is_(None),
        )
        .exists()
    )
    db.session.execute(
        sa.update(Order)
        .where(
            Order.organisation_id == organisation_id,
            Order.id.in_(order_ids),
            Order.state == "confirmed",
            sa.not_(live),
        )
        .values(state="cancelled"),
        execution_options={"synchronize_session": False},
    )


def _tell(organisation_id: str, site_id: str, sold: list[SessionBooking], now: dt.datetime) -> None:
    who = db.session.scalar(
        sa.select(Site.cancelled_session_notices).where(
            Site.organisation_id == organisation_id, Site.id == site_id
        )
    )
    if who == "nobody" or not sold:
        return
    told = db.session.scalars(
        sa.select(SessionBooking)
        .join(SessionBooking.order)
        .where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.id.in_([line.id for line in sold]),
            Order.email != "",
        )
        .execution_options(populate_existing=True)
    ).all()
    post_about_bookings("booking_cancelled", told, now=now)


def _check_restoring(row: Session, now: dt.datetime) -> None:
    check_restoring(
        start_time=row.start_time, is_type_live=row.session_type.deleted_at is None, now=now
    )


def _clashes(row: Session) -> list[Session]:
    """Live sessions in its room (with the time to turn it round) or of its practitioner (S4)."""
    found = list_clashes(row.organisation_id, [busy_of(row)], instead_of=[row.id])
    ids = {clash.other.key for clash in found if clash.other}
    if not ids:
        return []
    return list(
        db.session.scalars(
            sa.select(Session)
            .where(Session.organisation_id == row.organisation_id, Session.id.in_(ids))
            .options(joinedload(Session.room), joinedload(Session.practitioner))
            .order_by(Session.start_time, Session.id)
        )
    )


def _places(row: Session) -> Places:
    room: Room | None = row.room
    waiting = db.session.scalar(
        sa.select(sa.func.count(SessionBooking.id)).where(
            SessionBooking.organisation_id == row.organisation_id,
            SessionBooking.session_id == row.id,
            SessionBooking.status == "waitlisted",
            SessionBooking.cancelled_at.is_(None),
        )
    )
    return Places(
        capacity=row.capacity,
        max_baskets=row.max_baskets,
        waitlist_enabled=row.waitlist_enabled,
        taken=row.places_taken,
        kept=row.places_kept,
        parties=row.parties_taken,
        waiting=waiting or 0,
        room=room.name if room else "",
        room_cap=room.cap if room else None,
    )
