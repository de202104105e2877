"""A person is forgotten: what they booked and paid stays in the books, and nobody's name is on it.

What each table holds of a person, and what becomes of it, stands in `TRACES`; a column with text
that is neither there nor in HARMLESS fails a test.
"""

import datetime as dt
from collections.abc import Callable

import sqlalchemy as sa

from domain.editing import mark_of_values
from domain.erasing import CantErase, Coming, Erasure, PaidAhead, find_refusal
from domain.errors import ChangedSince, NotFound
from models import (
    Account,
    Archive,
    Customer,
    Guest,
    IntakeAnswer,
    LedgerEntry,
    Membership,
    Note,
    Order,
    PrivateLink,
    Session,
    SessionBooking,
    Site,
    db,
    unbound,
)
from services.account_closing import is_staff
from services.amending import end_line
from services.checkout import SOLD
from services.customer_rows import fold_into
from services.erased_texts import erase_texts
from services.idempotency import retrying
from services.person_traces import Person, person_of
from services.places import HOLDING, let_go, lock_sessions, raise_revision
from services.private_links import end_links_of
from services.waking import end_entry, wake

_EVERYWHERE = unbound("an account is one person's sign-in for the whole installation")


def find_erasure(organisation_id: str, customer_id: str, *, now: dt.datetime) -> Erasure:
    """What erasing this person would touch, and why it can't be done yet; raises NotFound."""
    return _erasure(_find(organisation_id, customer_id), now)


def erase_customer(
    organisation_id: str,
    customer_id: str,
    *,
    cancels: bool,
    seen: str,
    hash_address: Callable[[str], str],
    now: dt.datetime,
) -> None:
    """Forget this person in one transaction; the ledger and all sums stay. Twice is once.

    `cancels` ends what is still to come, without a mail: there is nobody to write to any more.
    Raises CantErase, ChangedSince when something else would be touched than was shown (S3),
    NotFound.
    """

    def deed() -> None:
        row = _find(organisation_id, customer_id)
        if row.erased_at is not None:
            return
        _lock(person_of(row), now)
        row = _find(organisation_id, customer_id)
        if row.erased_at is not None:
            return
        erasure = _erasure(row, now)
        refusal = find_refusal(erasure, cancels=cancels)
        if refusal is not None:
            raise refusal
        if erasure.mark != seen:
            raise ChangedSince(
                "Something changed since you looked at this page, so nothing was erased. "
                "This is how it stands now.",
                code="changed_meanwhile",
            )
        types = _end_what_is_open(person_of(row), now)
        if _balances(person_of(row))[1]:
            raise PaidAhead
        erase_traces(organisation_id, customer_id, hash_address=hash_address, now=now)
        raise_revision(organisation_id, types)

    retrying(deed)


def erase_traces(
    organisation_id: str,
    customer_id: str,
    *,
    hash_address: Callable[[str], str],
    now: dt.datetime,
) -> None:
    """Take the person out of every table; the caller's transaction, everything of them locked.

    A table that comes to hold something of a person adds its step to `erase_texts`, and its
    columns to `TRACES`.
    """
    row = _find(organisation_id, customer_id)
    is_known = bool(row.address_key or row.account_id)
    person = person_of(row)
    erase_texts(person, hash_address=hash_address, now=now)
    db.session.expire_all()
    row = _find(organisation_id, customer_id)
    for other in _rows(person):
        if other.id != row.id:
            # One person stays one in every report.
            other.phone = ""
            fold_into(other, row, now=now)
    row.name, row.email, row.phone = "Erased guest", "", ""
    row.email_key, row.account_id = None, None
    # Reports tell known customers from orders without an address: it stays one of those.
    row.address_key = f"erased {row.id}" if is_known else ""
    row.erased_at = now
    db.session.flush()


def _find(organisation_id: str, customer_id: str) -> Customer:
    row = db.session.scalar(
        sa.select(Customer)
        .where(Customer.organisation_id == organisation_id, Customer.id == customer_id)
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound("We couldn't find that customer.")
    return row


def _rows(person: Person) -> list[Customer]:
    query = sa.select(Customer).where(
        Customer.organisation_id == person.organisation_id, Customer.id.in_(person.customer_ids)
    )
    return list(db.session.scalars(query.order_by(Customer.id)))


def _lock(person: Person, now: dt.datetime) -> None:
    """Orders, sessions, bookings, then the person's rows, each in order of id (ADR 9)."""
    own = person.organisation_id
    db.session.execute(
        sa.select(Order.id)
        .where(Order.organisation_id == own, Order.id.in_(person.touched_order_ids))
        .order_by(Order.id)
        .with_for_update()
    ).all()
    lock_sessions(own, _sessions_to_lock(person, now))
    db.session.execute(
        sa.select(SessionBooking.id)
        .where(SessionBooking.organisation_id == own, SessionBooking.id.in_(person.booking_ids))
        .order_by(SessionBooking.id)
        .with_for_update()
    ).all()
    db.session.execute(
        sa.select(Customer.id)
        .where(Customer.organisation_id == own, Customer.id.in_(person.customer_ids))
        .order_by(Customer.id)
        .with_for_update()
    ).all()


def _sessions_to_lock(person: Person, now: dt.datetime) -> set[str]:
    kept = db.session.scalars(
        sa.select(PrivateLink.session_id).where(
            PrivateLink.organisation_id == person.organisation_id,
            PrivateLink.customer_id.in_(person.customer_ids),
            PrivateLink.session_id.is_not(None),
        )
    )
    return {row.session_id for row in _open(person, now)} | {it for it in kept if it}


def _open(person: Person, now: dt.datetime) -> list[SessionBooking]:
    """What still takes a place, or waits for one: booked and to come, held, waiting."""
    return list(
        db.session.scalars(
            sa.select(SessionBooking)
            .join(SessionBooking.session)
            .where(
                SessionBooking.organisation_id == person.organisation_id,
                SessionBooking.id.in_(person.booking_ids),
                SessionBooking.cancelled_at.is_(None),
                sa.or_(
                    SessionBooking.status != "confirmed",
                    sa.and_(Session.start_time > now, SessionBooking.checked_in_at.is_(None)),
                ),
            )
            .order_by(SessionBooking.id)
            .execution_options(populate_existing=True)
        )
    )


def _end_what_is_open(person: Person, now: dt.datetime) -> set[str]:
    """End it, wake who waits there, and answer with the types whose pages change."""
    freed, types = set(), end_links_of(person.organisation_id, person.customer_ids, now=now)
    for booking in _open(person, now):
        freed.add(booking.session_id)
        types.add(booking.session_type_id)
        if booking.status == "confirmed":
            end_line(booking, by="staff", now=now)
            booking.sequence += 1
        elif booking.waiting_since is not None:
            end_entry(booking, by="staff", now=now)
        elif booking.status in HOLDING:
            let_go(booking, by="staff", now=now)
    db.session.flush()
    wake(person.organisation_id, freed, now=now)
    return types


def _erasure(row: Customer, now: dt.datetime) -> Erasure:
    person = person_of(row)
    own = person.organisation_id
    coming = _coming(person, now)
    due, owed = _balances(person)
    theirs = SessionBooking.id.in_(person.booking_ids)
    numbers = {
        "rows": len(person.customer_ids),
        "orders": _count(Order, Order.organisation_id == own, Order.id.in_(person.order_ids),
                         Order.state.in_(SOLD)),
        "waiting": _count(
            SessionBooking, SessionBooking.organisation_id == own, theirs,
            SessionBooking.cancelled_at.is_(None), SessionBooking.waiting_since.is_not(None),
            SessionBooking.status != "confirmed",
        ),
        "memberships": _count(
            Membership, Membership.organisation_id == own,
            Membership.customer_id.in_(person.customer_ids),
        ),
        "notes": _count(
            Note, Note.organisation_id == own,
            sa.or_(
                Note.customer_id.in_(person.customer_ids),
                Note.session_booking_id.in_(person.booking_ids),
            ),
        ),
        "forms": _count(
            IntakeAnswer, IntakeAnswer.organisation_id == own,
            IntakeAnswer.session_booking_id.in_(person.booking_ids),
        ),
        "elsewhere": _count(Guest, Guest.organisation_id == own, Guest.id.in_(person.guest_ids)),
        "links": _count(
            PrivateLink, PrivateLink.organisation_id == own,
            PrivateLink.customer_id.in_(person.customer_ids),
        ),
        "archives": _count(Archive, Archive.organisation_id == own),
    }  # fmt: skip
    account = _account_of(person)
    facts = {
        **numbers,
        "coming": [it.booking_id for it in coming],
        "money": [due, owed],
        "person": [row.name, row.email, str(row.erased_at), account],
    }
    return Erasure(
        customer_id=row.id,
        name=row.name,
        erased_at=row.erased_at,
        coming=coming,
        due=due,
        owed_back=owed,
        account=account,
        mark=mark_of_values(facts),
        **numbers,
    )


def _count(model: type, *which: sa.ColumnElement[bool]) -> int:
    return db.session.scalar(sa.select(sa.func.count()).select_from(model).where(*which)) or 0


def _coming(person: Person, now: dt.datetime) -> tuple[Coming, ...]:
    rows = db.session.execute(
        sa.select(SessionBooking, Session.local_start, Site.slug, Site.name, Site.place)
        .join(SessionBooking.session)
        .join(Site, SessionBooking.site_id == Site.id)
        .where(
            SessionBooking.organisation_id == person.organisation_id,
            SessionBooking.id.in_(person.booking_ids),
            SessionBooking.status == "confirmed",
            SessionBooking.cancelled_at.is_(None),
            SessionBooking.checked_in_at.is_(None),
            Session.start_time > now,
        )
        .order_by(Session.start_time, SessionBooking.id)
    )
    return tuple(
        Coming(
            row.id, row.session_id, row.session_type_name, start, slug, f"{name} {place}".strip()
        )
        for row, start, slug, name, place in rows
    )


def _balances(person: Person) -> tuple[dict[str, int], dict[str, int]]:
    """By currency what the person still owes, and what the house owes them."""
    rows = db.session.execute(
        sa.select(Order.currency, sa.func.sum(LedgerEntry.amount))
        .join(LedgerEntry, LedgerEntry.order_id == Order.id)
        .where(Order.organisation_id == person.organisation_id, Order.id.in_(person.order_ids))
        .group_by(Order.id, Order.currency)
    )
    due: dict[str, int] = {}
    owed: dict[str, int] = {}
    for currency, amount in rows:
        side = due if amount > 0 else owed
        if amount:
            side[currency] = side.get(currency, 0) + abs(int(amount))
    return due, owed


def _account_of(person: Person) -> str:
    """What becomes of the sign-in: none, staff, shared (stays) or own (closed)."""
    if not person.account_id or db.session.get(Account, person.account_id) is None:
        return "none"
    if is_staff(person.account_id):
        return "staff"
    return "own" if person.closes_account else "shared"


__all__ = ["CantErase", "erase_customer", "erase_traces", "find_erasure"]
