"""Bookings as programs make, move and end them: several steps of the pages, one deed of theirs."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from domain.changing import Cost
from domain.eligibility import CHECKS
from domain.errors import NotFound, RuleBroken, WrongState
from domain.guests import Named
from domain.people import check_email, check_name
from domain.venue_rules import check_phone
from models import Customer, Order, SessionBooking, db
from services.accounts import viewer_of
from services.basket import hold_places
from services.cancelling import cancel_for_staff, find_cancellable
from services.changing import Door, hold_standing, require_changeable
from services.checkout import confirm_order
from services.customers import hold_customer
from services.idempotency import once_as_one
from services.lines import load_session
from services.moving import find_target, move
from services.overrides import book_in_spite
from services.waiting import join, leave


@dataclass(frozen=True, slots=True)
class Booker:
    """Who books: a customer by id, or a name and an address; with both, these are the order's."""

    customer_id: str | None = None
    name: str = ""
    email: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Party:
    """Who comes: a number, or everybody by name."""

    guests: int = 1
    named: tuple[Named, ...] = ()

    @property
    def places(self) -> int:
        """How many places they take."""
        return len(self.named) or self.guests


def book_as_customer(
    organisation_id: str, session_id: str, *, who: Booker, party: Party, now: dt.datetime
) -> str:
    """Book as this person would in the shop; the booking's id (R20).

    Asked by the same rules, in the same order: hold, then confirm. A refusal leaves nothing
    behind. Raises RuleBroken for the fields, NotBookable with the code of the first check that
    failed.
    """

    def deed() -> str:
        person, booker = _known(organisation_id, who)
        named = _tidy(party.named)
        account_id = person.account_id if person else None
        found = load_session(organisation_id, session_id)
        secret = hold_places(
            organisation_id,
            session_id,
            session_type_id=found.session_type_id,
            guests=party.places,
            viewer=viewer_of(organisation_id, account_id, now=now),
            basket_secret=None,
            account_id=account_id,
            now=now,
        )
        confirm_order(
            organisation_id,
            secret,
            name=booker.name,
            email=booker.email,
            party=named,
            customer_id=person.id if person else None,
            account_id=account_id,
            now=now,
        )
        return _booking_of(organisation_id, secret, booker.phone)

    return once_as_one(organisation_id, "", {}, deed, now)


def book_as_staff(
    organisation_id: str,
    site_id: str,
    session_id: str,
    *,
    who: Booker,
    party: Party,
    reason: str,
    rights: Collection[str],
    now: dt.datetime,
) -> str:
    """Book as the desk would, in spite of what it may override with these rights; the booking.

    Places, parties, type and session being live, and a price bind it, too (R20). Raises
    RuleBroken for the fields, NotBookable, NotAllowed where a rule needs another right.
    """

    def deed() -> str:
        person, booker = _known(organisation_id, who, needs_address=False)
        booking_id = book_in_spite(
            organisation_id,
            site_id,
            session_id,
            customer_id=person.id if person else None,
            name=booker.name,
            email=booker.email,
            guests=party.places,
            reason=reason,
            shown=CHECKS,
            rights=frozenset(rights),
            account_id=None,
            party=_tidy(party.named),
            now=now,
        )
        _keep_phone(_load(organisation_id, booking_id), booker.phone)
        return booking_id

    return once_as_one(organisation_id, "", {}, deed, now)


def wait_for(
    organisation_id: str, session_id: str, *, who: Booker, guests: int, now: dt.datetime
) -> str:
    """Put a party on a full session's list as it would do itself; the entry's id (W1).

    Raises RuleBroken for the fields, NoWaitlist, StillFree, AlreadyWaiting, NotBookable.
    """

    def deed() -> str:
        person, booker = _known(organisation_id, who)
        secret = join(
            organisation_id,
            session_id,
            guests=guests,
            name=booker.name,
            email=booker.email,
            account_id=person.account_id if person else None,
            customer_id=person.id if person else None,
            now=now,
        )
        return _booking_of(organisation_id, secret, booker.phone)

    return once_as_one(organisation_id, "", {}, deed, now)


def stop_waiting(organisation_id: str, site_id: str, booking_id: str, *, now: dt.datetime) -> None:
    """Take a party off the list at its own wish (W4).

    Raises WrongState for whoever is not on it: booked, off it already, or never on it; NotFound.
    """

    def deed() -> str:
        booking = _load(organisation_id, booking_id)
        if booking.site_id != site_id:
            raise NotFound("We couldn't find that booking.")
        if booking.waiting_since is None:
            raise WrongState("This booking isn't on a waitlist.")
        if booking.cancelled_at is not None:
            raise WrongState("This party is off the list already: they left or were late.")
        leave(_secret_of(booking), now=now)
        return booking_id

    once_as_one(organisation_id, "", {}, deed, now)


def cancel_booking(
    organisation_id: str,
    site_id: str,
    booking_id: str,
    *,
    reason: str,
    tells: bool = True,
    now: dt.datetime,
) -> None:
    """End a booking for the venue, which a program does once. Raises as `cancel_for_staff` does,
    and NotChangeable for one that has ended already (R28).
    """

    def deed() -> str:
        find_cancellable(organisation_id, site_id, booking_id, now=now)
        return cancel_for_staff(
            organisation_id, site_id, booking_id, reason=reason, tells=tells, now=now
        )

    once_as_one(organisation_id, "", {}, deed, now)


def move_booking(
    organisation_id: str,
    site_id: str,
    booking_id: str,
    session_id: str,
    *,
    tells: bool = True,
    now: dt.datetime,
) -> Cost:
    """Move a booking to another session of its type, as the desk does; what that costs (M7).

    Raises NotChangeable for the booking, RuleBroken with its field for a session that isn't one
    of them, NotBookable with the code of the check.
    """
    door = Door(organisation_id, site_id=site_id, tells=tells)
    costs: list[Cost] = []

    def deed() -> str:
        # Held from here on: what is told of the cost is what the move then does.
        standing = hold_standing(door, booking_id, session_id, now)
        require_changeable(standing)
        try:
            target = find_target(door, standing, session_id, now=now)
        except NotFound as error:
            raise _unknown("session_id", "session of this type at this site") from error
        costs[:] = [target.cost]
        return move(door, booking_id, session_id, seen_price=target.unit_price, now=now)

    once_as_one(organisation_id, "", {}, deed, now)
    return costs[0]


def _known(
    organisation_id: str, who: Booker, *, needs_address: bool = True
) -> tuple[Customer | None, Booker]:
    """The customer who is named, and the name and address for the order."""
    person = _find_customer(organisation_id, who.customer_id) if who.customer_id else None
    name, email = who.name, who.email
    if person is not None:
        name, email = name.strip() or person.name, email.strip() or person.email
    has_address = needs_address or bool(email.strip())
    booker = replace(
        who,
        name=check_name(name, who="the customer's name"),
        email=check_email(email) if has_address else "",
        phone=check_phone(who.phone),
    )
    return person, booker


def _find_customer(organisation_id: str, customer_id: str) -> Customer:
    try:
        return hold_customer(organisation_id, customer_id)
    except NotFound as error:
        raise _unknown("customer_id", "customer") from error


def _unknown(field: str, what: str) -> RuleBroken:
    return RuleBroken(f"There is no {what} with this id.", code="unknown", field=field)


def _tidy(party: Sequence[Named]) -> tuple[Named, ...]:
    return tuple(
        Named(
            check_name(
                guest.name,
                field=f"guests.{number}.first_name",
                who=f"a name for guest {number + 1}",
            ),
            check_email(guest.email, field=f"guests.{number}.email") if guest.email.strip() else "",
        )
        for number, guest in enumerate(party)
    )


def _booking_of(organisation_id: str, secret: str, phone: str) -> str:
    booking = db.session.scalars(
        sa.select(SessionBooking)
        .join(Order, SessionBooking.order_id == Order.id)
        .where(SessionBooking.organisation_id == organisation_id, Order.secret == secret)
        .execution_options(populate_existing=True)
    ).one()
    _keep_phone(booking, phone)
    return booking.id


def _keep_phone(booking: SessionBooking, phone: str) -> None:
    """A number is learnt; one that is known is the customer's own to change."""
    if phone and booking.customer is not None and not booking.customer.phone:
        booking.customer.phone = phone


def _load(organisation_id: str, booking_id: str) -> SessionBooking:
    booking = db.session.scalar(
        sa.select(SessionBooking)
        .where(SessionBooking.organisation_id == organisation_id, SessionBooking.id == booking_id)
        .execution_options(populate_existing=True)
    )
    if booking is None:
        raise NotFound("We couldn't find that booking.")
    return booking


def _secret_of(booking: SessionBooking) -> str:
    return booking.order.secret
