"""All that an organisation holds about one person, for them to have: made at the desk."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from domain.errors import NotFound
from models import (
    Customer,
    Guest,
    Job,
    Note,
    Order,
    Organisation,
    PrivateLink,
    Session,
    SessionBooking,
    db,
)
from services.account_export import (
    customer_as_told,
    memberships_by_customer,
    orders_by_customer,
)
from services.letters import MAIL
from services.person_traces import Person, person_of

Rows = list[dict[str, Any]]


def export_customer(organisation_id: str, customer_id: str, *, now: dt.datetime) -> dict[str, Any]:
    """Everything stored about this person in the organisation, as plain values; raises NotFound.

    Instants are ISO 8601 in UTC, money is whole minor units with its currency. Secrets and what
    other guests answered are left out.
    """
    row = db.session.scalar(
        sa.select(Customer).where(
            Customer.organisation_id == organisation_id,
            Customer.id == customer_id,
            Customer.erased_at.is_(None),
        )
    )
    if row is None:
        raise NotFound("We couldn't find that customer.")
    person = person_of(row)
    memberships = memberships_by_customer(person.customer_ids)
    orders = orders_by_customer(person.customer_ids)
    rows = db.session.scalars(
        sa.select(Customer)
        .where(Customer.organisation_id == organisation_id, Customer.id.in_(person.customer_ids))
        .order_by(Customer.created_at, Customer.id)
    ).all()
    house = db.session.get_one(Organisation, organisation_id)
    return {
        "exported_at": now.isoformat(),
        "organisation": house.name,
        "customers": [customer_as_told(one, memberships, orders) for one in rows],
        "notes": _notes(person),
        "baskets": _baskets(person),
        "waiting": _waiting(person),
        "guest_of_others": _guest_of_others(person),
        "mails": _mails(person),
        "private_links": _links(person),
    }


def sheets_of(told: Mapping[str, Any]) -> dict[str, Rows]:
    """The same as flat tables by name, for people who open them in a spreadsheet."""
    orders = [order for one in told["customers"] for order in one["orders"]]
    lines = [(order, line) for order in orders for line in order["lines"]]
    return {
        "person": [_flat(one, but=("memberships", "orders")) for one in told["customers"]],
        "memberships": [_flat(it) for one in told["customers"] for it in one["memberships"]],
        "orders": [_flat(order, but=("lines", "ledger")) for order in orders],
        "bookings": [
            {"order_ref": order["order_ref"], **_flat(line, but=("guests", "answers", "policy"))}
            for order, line in lines
        ],
        "guests": [
            {"booking": line["id"], **guest} for _, line in lines for guest in line["guests"]
        ],
        "answers": [
            {"booking": line["id"], "question": question, "answer": str(answer)}
            for _, line in lines
            for part in line["answers"]
            for question, answer in part["answers"].items()
        ],
        "payments": [
            {"order_ref": order["order_ref"], "currency": order["currency"], **entry}
            for order in orders
            for entry in order["ledger"]
        ],
        **{
            name: [_flat(one) for one in told[name]]
            for name in ("notes", "baskets", "waiting", "guest_of_others", "mails", "private_links")
        },
    }


def _flat(values: Mapping[str, Any], *, but: Iterable[str] = ()) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in but}


def _notes(person: Person) -> Rows:
    rows = db.session.scalars(
        sa.select(Note)
        .where(
            Note.organisation_id == person.organisation_id,
            sa.or_(
                Note.customer_id.in_(person.customer_ids),
                Note.session_booking_id.in_(person.booking_ids),
            ),
        )
        .order_by(Note.created_at, Note.id)
    )
    return [
        {
            "text": row.text,
            "written_by": row.author_name,
            "created_at": _instant(row.created_at),
            "booking": row.session_booking_id,
            "taken_away_at": _instant(row.taken_away_at),
        }
        for row in rows
    ]


def _baskets(person: Person) -> Rows:
    """What was begun with their address and never confirmed."""
    rows = db.session.scalars(
        sa.select(Order)
        .where(
            Order.organisation_id == person.organisation_id,
            Order.id.in_(person.order_ids),
            Order.confirmed_at.is_(None),
        )
        .order_by(Order.created_at, Order.id)
    )
    return [
        {
            "name": row.name,
            "email": row.email,
            "typed": row.typed,
            "state": row.state,
            "created_at": _instant(row.created_at),
        }
        for row in rows
    ]


def _waiting(person: Person) -> Rows:
    rows = db.session.execute(
        sa.select(SessionBooking, Session.start_time)
        .join(SessionBooking.session)
        .where(
            SessionBooking.organisation_id == person.organisation_id,
            SessionBooking.id.in_(person.booking_ids),
            SessionBooking.waiting_since.is_not(None),
        )
        .order_by(SessionBooking.waiting_since, SessionBooking.id)
    )
    return [
        {
            "session_type": row.session_type_name,
            "start_time": _instant(start),
            "places": row.places,
            "waiting_since": _instant(row.waiting_since),
            "offered_at": _instant(row.offered_at),
            "skip_reason": row.skip_reason,
            "status": row.status,
            "ended_at": _instant(row.cancelled_at),
        }
        for row, start in rows
    ]


def _guest_of_others(person: Person) -> Rows:
    rows = db.session.execute(
        sa.select(Guest.name, Guest.email, SessionBooking.session_type_name, Session.start_time)
        .join(SessionBooking, Guest.session_booking_id == SessionBooking.id)
        .join(Session, SessionBooking.session_id == Session.id)
        .where(Guest.organisation_id == person.organisation_id, Guest.id.in_(person.guest_ids))
        .order_by(Session.start_time, Guest.id)
    )
    return [
        {"name": name, "email": email, "session_type": kind, "start_time": _instant(start)}
        for name, email, kind, start in rows
    ]


def _mails(person: Person) -> Rows:
    """Which mails there are about their orders; sent ones are kept for 30 days."""
    rows = db.session.scalars(
        sa.select(Job)
        .where(
            Job.organisation_id == person.organisation_id,
            Job.kind == MAIL,
            sa.or_(
                Job.payload["order"].as_string().in_(person.order_ids),
                Job.payload["booking"].as_string().in_(person.booking_ids),
            ),
        )
        .order_by(Job.created_at, Job.id)
    )
    return [
        {
            "letter": str(row.payload.get("letter", "")),
            "created_at": _instant(row.created_at),
            "sent_at": _instant(row.done_at),
        }
        for row in rows
    ]


def _links(person: Person) -> Rows:
    rows = db.session.scalars(
        sa.select(PrivateLink)
        .where(
            PrivateLink.organisation_id == person.organisation_id,
            PrivateLink.customer_id.in_(person.customer_ids),
        )
        .order_by(PrivateLink.created_at, PrivateLink.id)
    )
    return [
        {
            "name": row.name,
            "created_at": _instant(row.created_at),
            "expires_at": _instant(row.expires_at),
            "first_seen_at": _instant(row.first_seen_at),
        }
        for row in rows
    ]


def _instant(moment: dt.datetime | None) -> str | None:
    return moment.isoformat() if moment else None
