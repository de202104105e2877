"""How a booking is said (2.5); sessions embed it, too."""

from typing import Annotated, Any, Literal

from pydantic import Field

from blueprints.api.kinds import (
    Answer,
    Currency,
    Many,
    MinorUnits,
    Moment,
    ObjectId,
    One,
    Positive,
    Uuid,
)
from domain.people import split_name
from models import Guest as GuestRow
from services.booking_rows import BookingRow

Status = Literal["new", "in_progress", "confirmed", "waitlisted"]
Stage = Literal["not_arrived", "arrived", "in_treatment", "checked_out"]

ADDED: dict[str, Any] = {"x-addition": True}


class Guest(Answer):
    """One named person of a booking; places without a name have none."""

    id: ObjectId
    first_name: str
    last_name: str
    email: Annotated[str | None, Field(json_schema_extra={"format": "email"})]


class SessionBooking(Answer):
    """One customer's attendance at one session."""

    id: ObjectId
    """Id of the booking."""
    session_id: ObjectId
    session_type_id: ObjectId
    session_type_name: str
    """Name of the type when the session was made."""
    organisation_id: Uuid
    site_id: Uuid
    customer_id: ObjectId
    first_name: str
    last_name: str
    email: str
    """May be empty for a walk-in."""
    phone: str
    """May be empty for a walk-in."""
    guests: list[Guest]
    order_id: ObjectId
    order_item_id: ObjectId
    order_ref: str
    """Short reference that people can read out."""
    intake_form_required: bool
    """A form is asked for."""
    intake_forms_completed: bool
    """The forms asked for are filled in."""
    status: Status
    """How far the booking has got. `in_progress` is an order being paid."""
    stage: Stage
    """How far the visit has got."""
    checked_in_at: Moment | None
    """When the guest was checked in; null when not."""
    is_no_show: bool
    created_at: Moment
    updated_at: Moment
    places: Annotated[Positive, Field(json_schema_extra=ADDED)]
    """How many places it takes, or waits for."""
    unit_price: Annotated[MinorUnits, Field(json_schema_extra=ADDED)]
    """What one place costs, as agreed at booking."""
    total: Annotated[MinorUnits, Field(json_schema_extra=ADDED)]
    """What all its places cost, as agreed at booking."""
    currency: Annotated[Currency, Field(json_schema_extra=ADDED)]
    cancelled_at: Annotated[Moment | None, Field(json_schema_extra=ADDED)]
    """When it ended; null while it stands."""
    waiting_since: Annotated[Moment | None, Field(json_schema_extra=ADDED)]
    """When the party joined the waiting list; null for whoever never waited."""
    offered_until: Annotated[Moment | None, Field(json_schema_extra=ADDED)]
    """Until when a waiting party may take the places it was offered; null without an offer."""


class SessionBookingItem(One[SessionBooking]):
    """A booking."""


class SessionBookingList(Many[SessionBooking]):
    """A page of bookings."""


def show_booking(row: BookingRow) -> SessionBooking:
    """A booking as the API says it; its names are the customer's."""
    booking, customer = row.booking, row.booking.customer
    first_name, last_name = split_name(customer.name if customer else booking.order.name)
    return SessionBooking(
        id=booking.id,
        session_id=booking.session_id,
        session_type_id=booking.session_type_id,
        session_type_name=booking.session_type_name,
        organisation_id=booking.organisation_id,
        site_id=booking.site_id,
        customer_id=booking.customer_id or "",
        first_name=first_name,
        last_name=last_name,
        email=customer.email if customer else booking.order.email,
        phone=customer.phone if customer else "",
        guests=[_guest(guest) for guest in booking.guests],
        order_id=booking.order_id,
        order_item_id=booking.order_item_id,
        order_ref=booking.order.order_ref,
        intake_form_required=row.forms.required,
        intake_forms_completed=row.forms.completed,
        status=booking.status,  # type: ignore[arg-type]
        stage=booking.stage,  # type: ignore[arg-type]
        checked_in_at=booking.checked_in_at,
        is_no_show=booking.is_no_show,
        created_at=booking.created_at,
        updated_at=booking.updated_at,
        places=booking.places,
        unit_price=booking.order_item.unit_price,
        total=row.total,
        currency=booking.order_item.currency,
        cancelled_at=booking.cancelled_at,
        waiting_since=booking.waiting_since,
        offered_until=row.offered_until,
    )


def _guest(guest: GuestRow) -> Guest:
    first_name, last_name = split_name(guest.name)
    return Guest(id=guest.id, first_name=first_name, last_name=last_name, email=guest.email or None)
