"""From held places to a booking, all lines or none (H2, H6, M1)."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import selectinload

from domain.eligibility import Viewer
from domain.errors import BasketChanged, HoldExpired, NotBookable, NotFound, OtherAddress
from domain.guests import (
    BOOKER,
    Assignment,
    Named,
    check_assignment,
    number_people,
    people_needed,
    usual_assignment,
)
from domain.people import check_email, check_name, email_key, guest_key
from models import (
    Account,
    Customer,
    FormerCustomer,
    Guest,
    LedgerEntry,
    Order,
    SessionBooking,
    db,
    new_object_id,
)
from services.accounts import viewer_of
from services.confirming import post_confirmation
from services.facts import offer_of, slot_of, venue_of
from services.idempotency import once
from services.intake import attach_forms
from services.lines import (
    BY_SECRET,
    WHOLE,
    asks_for_names,
    attending,
    basket_mark,
    expired_lines,
    held_refusal,
    hold_line,
    is_theirs,
    live_lines,
    load_session,
    lock_order,
    new_order,
    withdrawn_lines,
)
from services.persons import ask_member_limit, lock_person
from services.places import raise_revision, sell

LIMITED = "This has a limit for each person. Sign in to book it with this address, or ask us."
"""Says the same whoever owns the address, and nothing of what they have booked."""

SOLD = ("confirmed", "cancelled")
"""States of an order that has once been confirmed."""


def confirm_order(
    organisation_id: str,
    secret: str,
    *,
    name: str,
    email: str,
    people: Sequence[str] = (),
    who: Sequence[Sequence[int]] | None = None,
    account_id: str | None = None,
    seen: str = "",
    key: str = "",
    party: Sequence[Named] = (),
    customer_id: str | None = None,
    now: dt.datetime,
) -> str:
    """Turn a basket's holds into bookings, all of them or none; the order's secret (H2, H6).

    `people` are the names after the booker's, who is number 0; `who` has, for each line that
    asks for names, the numbers of the people who come, None for the usual assignment. `seen` is
    the mark of the basket that was shown (`basket_mark`): another one is not confirmed unseen.
    `party` names everybody who comes to its only line instead; `customer_id` is whose booking it
    becomes, where that is known already.
    Raises RuleBroken for the fields, BasketChanged, HoldExpired, NotBookable, KeyReused.
    """
    body: dict[str, Any] = {
        "basket": secret,
        "name": name,
        "email": email,
        "people": list(people),
        "who": [list(numbers) for numbers in who] if who is not None else None,
    }

    def deed() -> str:
        order = lock_order(organisation_id, secret)
        if order.state in SOLD:
            return order.secret
        # An offer of the waiting list is accepted by its own door (W3).
        if order.state != "basket" or not is_theirs(order, account_id):
            raise NotFound("We couldn't find that basket.")
        if seen and seen != basket_mark(order, live_lines(order, now=now)):
            raise HoldExpired if expired_lines(order, now=now) else BasketChanged
        booker, address = check_name(name), check_email(email)
        viewer = viewer_of(organisation_id, account_id, now=now)
        lines = _confirmable_lines(order, viewer, now)
        _check_whose_links(lines, address, account_id)
        if party:
            name_party(lines[0], Named(booker, address), party)
        else:
            name_guests(lines, [booker, *people], address, who)
        customer = booker_of(organisation_id, customer_id, booker, address, account_id, now)
        check_member_limit(lines, customer, now, is_own=account_id is not None)
        settle(order, lines, customer, booker, address, now)
        raise_revision(organisation_id, [line.session_type_id for line in lines])
        return order.secret

    return once(organisation_id, key, body, deed, now)


def book_for_staff(
    organisation_id: str,
    session_id: str,
    *,
    name: str,
    guests: int,
    email: str = "",
    key: str = "",
    now: dt.datetime,
) -> str:
    """A walk-in: booked and checked in at once; the booking's id.

    Bound by places, parties and the type being live only (R20, DECISIONS Staff bookings).
    """
    body = {"session": session_id, "name": name, "guests": guests, "email": email}

    def deed() -> str:
        booker = check_name(name, who="the guest's name")
        address = check_email(email) if email.strip() else ""
        found = load_session(organisation_id, session_id)
        order = new_order(organisation_id, found, None, now, sold_by="staff")
        line = hold_line(order, found, guests, Viewer(is_staff=True), now)
        customer = find_or_add_customer(organisation_id, booker, address, None, now)
        settle(order, [line], customer, booker, address, now, is_told=False)
        line.is_walk_in = True
        line.stage, line.checked_in_at = "arrived", now
        raise_revision(organisation_id, [found.session_type_id])
        return line.id

    return once(organisation_id, key, body, deed, now)


def is_confirmed(secret: str) -> bool:
    """Whether this basket has become an order."""
    query = sa.select(Order.id).where(Order.secret == secret, Order.state.in_(SOLD))
    return db.session.scalar(query, execution_options=BY_SECRET) is not None


def find_order(secret: str) -> Order:
    """The order at an unguessable link, cancelled or not; raises NotFound."""
    order = db.session.scalar(
        sa.select(Order)
        .where(Order.secret == secret, Order.state.in_(SOLD))
        .options(*WHOLE, selectinload(Order.ledger)),
        execution_options=BY_SECRET,
    )
    if order is None:
        raise NotFound("We couldn't find that booking. Check the link you were given.")
    return order


def _confirmable_lines(order: Order, viewer: Viewer, now: dt.datetime) -> list[SessionBooking]:
    """The held lines, each asked once more whether this person may have it (R20)."""
    lines = live_lines(order, now=now)
    if not lines and withdrawn_lines(order):
        raise NotBookable("The venue has cancelled this session.", code="session_live")
    if not lines or expired_lines(order, now=now):
        raise HoldExpired
    for line in lines:
        others = [other for other in lines if other is not line]
        refusal = held_refusal(order, line, others, viewer, now)
        if refusal is not None:
            named = f"{line.session_type_name}: " if others else ""
            raise NotBookable(named + refusal.sentence, code=refusal.code)
    return lines


def _check_whose_links(
    lines: Sequence[SessionBooking], address: str, account_id: str | None
) -> None:
    """A private link for one person is used with their address, or signed in as them (D2)."""
    for line in lines:
        person = line.private_link.customer if line.private_link else None
        if person is None or (account_id and person.account_id == account_id):
            continue
        known: set[str | None] = {person.address_key}
        if person.account_id:
            account = db.session.get(Account, person.account_id)
            known.add(account.email_key if account else None)
        if email_key(address) not in known - {None, ""}:
            raise OtherAddress


def name_guests(
    lines: Sequence[SessionBooking],
    people: Sequence[str],
    email: str,
    who: Sequence[Sequence[int]] | None,
) -> None:
    """Write who comes to the lines that ask for names; the first of `people` is the booker."""
    asked = [line for line in lines if asks_for_names(line)]
    if not asked:
        return
    plan = [attending(line) for line in asked]
    number = max(len(people), people_needed(plan))
    chosen = (
        usual_assignment(plan, number)
        if who is None
        else tuple(tuple(numbers) for numbers in [*who, *[()] * len(plan)][: len(plan)])
    )
    coming = {person for numbers in chosen for person in numbers}
    named = [
        Named(
            _person_name(people, person) if person in coming else "",
            email if person == BOOKER else "",
        )
        for person in range(number)
    ]
    _write_guests(asked, chosen, named)


def name_party(line: SessionBooking, booker: Named, party: Sequence[Named]) -> None:
    """Write everybody of a party whose names are given, whether the type asks for them or not.

    Raises NotBookable where one of them comes too often.
    """
    numbers = number_people(booker, party)
    others = [guest for guest, number in zip(party, numbers, strict=True) if number != BOOKER]
    _write_guests([line], (numbers,), [booker, *others])


def _write_guests(
    lines: Sequence[SessionBooking], chosen: Assignment, people: Sequence[Named]
) -> None:
    keys = [guest_key(email=person.email, name=person.name) for person in people]
    check_assignment([attending(line) for line in lines], chosen, keys)
    for line, numbers in zip(lines, chosen, strict=True):
        line.guests.clear()
        db.session.flush()
        for position, person in enumerate(numbers):
            line.guests.append(
                Guest(
                    id=new_object_id(),
                    organisation_id=line.organisation_id,
                    position=position,
                    name=people[person].name,
                    email=people[person].email,
                )
            )


def _person_name(people: Sequence[str], person: int) -> str:
    if person == BOOKER:
        return people[BOOKER]
    typed = people[person] if person < len(people) else ""
    return check_name(typed, field=f"person-{person}", who=f"a name for guest {person + 1}")


def check_member_limit(
    lines: Sequence[SessionBooking], customer: Customer, now: dt.datetime, *, is_own: bool
) -> None:
    """Baskets of one person, signed in or not, must not pass the limit together (C8).

    Who has not signed in is not told what the owner of the address has booked.
    """
    limited = [line for line in lines if line.session.session_type.max_bookings_per_member]
    if not limited:
        return
    person = lock_person(customer)
    for line in limited:
        offer = offer_of(line.session.session_type, venue_of(line.order.site))
        over, as_member = ask_member_limit(customer, person, offer, slot_of(line.session), now)
        if not over.passed:
            raise NotBookable(over.sentence if is_own else LIMITED, code=over.code)
        if as_member:
            line.order_item.policy = {**line.order_item.policy, "as_member": True}


def booker_of(
    organisation_id: str,
    customer_id: str | None,
    name: str,
    email: str,
    account_id: str | None,
    now: dt.datetime,
) -> Customer:
    """The customer who is named by id, else whose name and address it is; raises NotFound."""
    if customer_id is None:
        return find_or_add_customer(organisation_id, name, email, account_id, now)
    row = _held(Customer.organisation_id == organisation_id, Customer.id == customer_id)
    if row is None:
        raise NotFound("We couldn't find that customer.")
    return row


def find_or_add_customer(
    organisation_id: str, name: str, email: str, account_id: str | None, now: dt.datetime
) -> Customer:
    """The booker's row: a signed-in person's own, whatever address the order has; else by address.

    A stranger's booking is never put into an account that has the same address.
    """
    # An account closed meanwhile, in another window, books on as a guest would.
    account = db.session.get(Account, account_id) if account_id else None
    account_id = account.id if account else None
    address = account.email if account else email
    found = _customer_of(organisation_id, account, address)
    if found is not None:
        return found
    owner = _with_address(organisation_id, address) if account is None and address else None
    fresh = Customer(
        id=new_object_id(),
        organisation_id=organisation_id,
        account_id=account_id,
        name=name,
        email=address,
        email_key=email_key(address) if address and owner is None else None,
        # An address given up at a merge counts as that of the person it was merged with.
        address_key=owner.address_key if owner else email_key(address),
        created_at=now,
    )
    try:
        with db.session.begin_nested():
            db.session.add(fresh)
    except IntegrityError:
        # Two first bookings of one person at once: the other one's row is theirs.
        found = _customer_of(organisation_id, account, address)
        if found is None:
            raise
        return found
    return fresh


def _customer_of(organisation_id: str, account: Account | None, address: str) -> Customer | None:
    if account is not None:
        own = _held(Customer.organisation_id == organisation_id, Customer.account_id == account.id)
        if own is not None:
            return own
    found = _with_address(organisation_id, address) if address else None
    if found is None or found.account_id is not None:
        return None
    if account is not None:
        found.account_id = account.id
    return found


def _with_address(organisation_id: str, email: str) -> Customer | None:
    """Whose address it is, or was until rows were merged."""
    key = email_key(email)
    former = sa.select(FormerCustomer.customer_id).where(
        FormerCustomer.organisation_id == organisation_id, FormerCustomer.email_key == key
    )
    in_house = Customer.organisation_id == organisation_id
    return _held(in_house, Customer.email_key == key) or _held(in_house, Customer.id.in_(former))


def _held(*which: sa.ColumnElement[bool]) -> Customer | None:
    """Neither erased nor merged before we commit: whoever does that waits, or is waited for."""
    return db.session.scalar(
        sa.select(Customer)
        .where(*which, Customer.erased_at.is_(None))
        .order_by(Customer.id)
        .limit(1)
        .with_for_update(read=True, key_share=True)
        .execution_options(populate_existing=True)
    )


def settle(
    order: Order,
    lines: Sequence[SessionBooking],
    customer: Customer,
    name: str,
    email: str,
    now: dt.datetime,
    *,
    is_told: bool = True,
) -> None:
    """Sell the lines to this customer, charge them and post the confirmation (H2, M1, E1).

    `is_told` is False for who stands at the desk. Raises HoldExpired.
    """
    order.state, order.confirmed_at = "confirmed", now
    order.name, order.email, order.customer_id = name, email, customer.id
    db.session.flush()
    for line in sorted(lines, key=lambda line: line.id):
        if not sell(line, customer.id, now):
            raise HoldExpired
    attach_forms(order.organisation_id, lines)
    total = sum(line.order_item.unit_price * line.places for line in lines)
    if total:
        db.session.add(
            LedgerEntry(
                id=new_object_id(),
                organisation_id=order.organisation_id,
                order_id=order.id,
                kind="charge",
                amount=total,
                currency=order.currency,
                created_at=now,
            )
        )
    if is_told:
        post_confirmation(order, lines, now)
