"""Bookings of sessions (2.5): reading, making, moving and ending them; the front desk's actions."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from blueprints.api.booking_shapes import (
    ADDED,
    SessionBooking,
    SessionBookingItem,
    SessionBookingList,
    Stage,
    Status,
    show_booking,
)
from blueprints.api.kinds import (
    OBJECT_ID,
    SEVERAL,
    DayOrMoment,
    Flag,
    FlagInAddress,
    Ids,
    MinorUnits,
    MomentInAddress,
    ObjectId,
    One,
    Shape,
    SiteInAddress,
    Text,
    Whole,
    absent,
)
from blueprints.api.operations import Call, operation
from blueprints.api.paging import Paged, say_page
from domain.api import Forbidden
from domain.eligibility import MAX_PARTY
from domain.errors import NotAllowed, NotFound, RuleBroken
from domain.guests import Named
from domain.overrides import ABOUT_THE_PERSON, right_to_override
from domain.people import join_name
from domain.roles import RESERVATIONS, RIGHTS
from services.booking_rows import Wanted, find_booking_row, list_bookings
from services.bookings_made import (
    Booker,
    Party,
    book_as_customer,
    book_as_staff,
    cancel_booking,
    move_booking,
)
from services.desk import set_check_in, set_no_show, set_stage
from services.whereabouts import find_booking_site, find_session_site, list_site_ids

TAG = "Session bookings"
_OBJECT_ID = re.compile(OBJECT_ID.strip("^$"))


NAMES = {
    "name": "first_name",
    **{f"person-{number}": "guests" for number in range(MAX_PARTY)},
    "who-0": "guests",
    "who": "guests",
}
"""The API's names of what the pages' forms ask for."""


class GuestFields(Shape):
    """One person who comes."""

    first_name: Text = absent()
    last_name: Text = absent()
    email: Text | None = absent()


class _NumberOrNames:
    """Reads a number, or a list whose faults are named one by one."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(_read_party, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        number = {"type": "integer", "minimum": 1, "maximum": MAX_PARTY}
        return {"anyOf": [number, handler(schema)]}


def _read_party(value: Any, handler: Any) -> Any:
    if isinstance(value, list):
        return handler(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_PARTY:
        return value
    raise PydanticCustomError("party", f"Say how many guests, 1 to {MAX_PARTY}, or name them.")


Coming = Annotated[list[GuestFields], Field(min_length=1, max_length=MAX_PARTY), _NumberOrNames()]
"""A number of guests, or all of them by name."""


class CustomerFields(Shape):
    """Who books: a customer of the organisation, or somebody by name and address."""

    customer_id: ObjectId | None = absent()
    """A customer of the organisation, whose name and address stand where none are sent."""
    first_name: Text = absent()
    last_name: Text = absent()
    email: Text = absent()
    phone: Text = absent()
    """Kept where no number is known yet."""


class SessionBookingCreate(CustomerFields):
    """A new booking."""

    session_id: ObjectId
    guests: Coming = absent()
    """How many come, or all of them by name; 1 when left out."""
    booked_as: Literal["customer", "staff"] = "customer"
    """`customer`: every rule of the shop. `staff`: bound by places, parties and the type being
    live only; what the customer could not have booked is kept with the booking."""
    reason: Text = absent()
    """Of staff: why it is booked; without one, the token's name is kept."""


class SessionBookingCancel(Shape):
    """The end of a booking."""

    reason: Text
    """Why; the customer reads it."""
    tell_customer: Flag = True
    """Whether the customer gets a mail about it."""


class SessionBookingMove(Shape):
    """Another session of the same type at the same site."""

    session_id: ObjectId
    tell_customer: Flag = True
    """Whether the customer gets a mail about it."""


class SessionBookingMoved(One[SessionBooking]):
    """A booking after its move."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    price_difference: Annotated[Whole, Field(json_schema_extra=ADDED)]
    """What it costs more than before, below 0 less, in minor units."""
    to_pay: Annotated[MinorUnits, Field(json_schema_extra=ADDED)]
    """What is due on its order now."""
    to_return: Annotated[MinorUnits, Field(json_schema_extra=ADDED)]
    """What of the order's payments can go back."""


class SessionBookingStage(Shape):
    """How far the visit has got."""

    stage: Stage


class CheckInRequest(Shape):
    """A check-in; without a body it is set."""

    is_checked_in: Flag = True
    """False undoes the check-in."""


class NoShowRequest(Shape):
    """A no-show; without a body it is set."""

    is_no_show: Flag = True
    """False takes the mark away."""


class BookingQuery(Paged):
    """Which bookings are wanted."""

    id: Ids | None = None
    session_id: Ids | None = None
    session_type_id: Ids | None = None
    customer_id: Ids | None = None
    order_ref: Text | None = None
    """The reference of an order, as people read it out."""
    status: Annotated[list[Status], *SEVERAL] | None = None
    stage: Annotated[list[Stage], *SEVERAL] | None = None
    site_id: SiteInAddress | None = None
    include_cancelled: FlagInAddress = False
    date: DayOrMoment | None = None
    """The day of the session at its site."""
    dateFrom: DayOrMoment | None = None  # noqa: N815 - the contract's word
    """Sessions of this day or later."""
    dateTo: DayOrMoment | None = None  # noqa: N815 - the contract's word
    """Sessions of this day or earlier."""
    updated_from: MomentInAddress | None = None
    """What has changed then or later, in the order of changes."""


def booker_of(body: CustomerFields) -> Booker:
    """Who books, as the services have it."""
    return Booker(
        customer_id=body.customer_id,
        name=join_name(body.first_name or "", body.last_name or ""),
        email=body.email or "",
        phone=body.phone or "",
    )


def require_desk(call: Call, asked: str | None) -> frozenset[str]:
    """The sites whose bookings this token may read: those where it works the desk."""
    sites = frozenset(
        site_id
        for site_id in list_site_ids(call.organisation_id)
        if call.bearer.may(RESERVATIONS, site_id)
    )
    if asked is not None:
        return sites & {asked}
    if not sites:
        raise Forbidden(RESERVATIONS)
    return sites


def item_of(call: Call, booking_id: str) -> SessionBookingItem:
    """A booking as it stands."""
    return SessionBookingItem(data=show_booking(find_booking_row(*call.here, booking_id)))


def _spellings(reference: str) -> list[str]:
    """References are in capitals, and so they may be asked for without."""
    return [reference.strip(), reference.strip().upper()]


def _ids(given: list[str] | None) -> list[str] | None:
    """A malformed one matches nothing (C15)."""
    if given is None:
        return None
    return [one for one in given if _OBJECT_ID.fullmatch(one)]


@operation(
    "listSessionBookings",
    "GET",
    "/session-bookings",
    tag=TAG,
    summary="List bookings",
    description="By the start of their sessions; with `updated_from` in the order of changes. "
    f"Those of the sites at which the token has {RESERVATIONS}. What lies in a basket is none.",
    query=BookingQuery,
    gives=SessionBookingList,
    codes=(400, 401, 403),
    rules=("R1", "R2", "R21"),
    is_addition=True,
)
def list_session_bookings(call: Call) -> SessionBookingList:
    asked = call.query
    found = list_bookings(
        call.organisation_id,
        Wanted(
            ids=_ids(asked.id),
            session_ids=_ids(asked.session_id),
            session_type_ids=_ids(asked.session_type_id),
            customer_ids=_ids(asked.customer_id),
            order_refs=None if asked.order_ref is None else _spellings(asked.order_ref),
            statuses=asked.status,
            stages=asked.stage,
            site_ids=require_desk(call, asked.site_id),
            first_day=asked.date or asked.dateFrom,
            last_day=asked.date or asked.dateTo,
            updated_from=asked.updated_from,
            with_cancelled=asked.include_cancelled,
        ),
        cut=asked.cut,
    )
    return say_page(found, SessionBookingList, show_booking)


@operation(
    "getSessionBooking",
    "GET",
    "/session-bookings/<booking_id>",
    tag=TAG,
    summary="Fetch one booking",
    description="Cancelled ones, too.",
    right=RESERVATIONS,
    of=find_booking_site,
    gives=SessionBookingItem,
    codes=(401, 403, 404),
    rules=("R1", "R2"),
    is_addition=True,
    current=item_of,
)
def get_session_booking(call: Call, booking_id: str) -> SessionBookingItem:
    return item_of(call, booking_id)


def _site_of_new(call: Call, sent: Mapping[str, Any]) -> str:
    """Where the session takes place; "" for one that is not known, which the fields tell then."""
    session_id = sent.get("session_id")
    try:
        return find_session_site(call.organisation_id, _id(session_id))
    except NotFound:
        return ""


def _id(given: Any) -> str:
    return given if isinstance(given, str) and _OBJECT_ID.fullmatch(given) else ""


@operation(
    "createSessionBooking",
    "POST",
    "/session-bookings",
    tag=TAG,
    summary="Make a booking",
    description=f"Needs {RESERVATIONS} at the session's site. As a customer it is refused by the "
    "same rules, with the same codes, as on the venue's pages; nothing is left behind then. As "
    "staff, what concerns the person (an account, a membership, a member's limit) needs "
    "CUSTOMERS_MANAGE, too.",
    body=SessionBookingCreate,
    gives=SessionBookingItem,
    status=201,
    codes=(400, 401, 403, 422),
    rules=("R8", "R9", "R16", "R19", "R20"),
    is_addition=True,
    right=RESERVATIONS,
    goes_to=_site_of_new,
    names=NAMES,
)
def create_session_booking(call: Call) -> SessionBookingItem:
    body = call.body
    if not call.site_id:
        raise RuleBroken("There is no session with this id.", code="unknown", field="session_id")
    who, party = booker_of(body), _party(body)
    if body.booked_as == "customer":
        booking_id = book_as_customer(
            call.organisation_id, body.session_id, who=who, party=party, now=call.now
        )
    else:
        booking_id = _as_staff(call, who, party)
    return item_of(call, booking_id)


def _as_staff(call: Call, who: Booker, party: Party) -> str:
    rights = [right for right in RIGHTS if call.bearer.may(right, call.site_id)]
    try:
        return book_as_staff(
            *call.here,
            call.body.session_id,
            who=who,
            party=party,
            reason=call.body.reason or call.bearer.name,
            rights=rights,
            now=call.now,
        )
    except NotAllowed as error:
        needed = {right_to_override(code) or "" for code in ABOUT_THE_PERSON}
        raise Forbidden(" and ".join(sorted(needed))) from error


def _party(body: SessionBookingCreate) -> Party:
    coming: Any = body.guests if "guests" in body.model_fields_set else 1
    if isinstance(coming, int):
        return Party(coming)
    return Party(
        named=tuple(
            Named(join_name(one.first_name or "", one.last_name or ""), one.email or "")
            for one in coming
        )
    )


@operation(
    "cancelSessionBooking",
    "POST",
    "/session-bookings/<booking_id>/cancel",
    tag=TAG,
    summary="Cancel a booking for the venue",
    description="Its places are free at once and its charge is taken back; what was paid is "
    "refunded on its order. A booking that has ended, waits, or whose guest came: 400.",
    right=RESERVATIONS,
    of=find_booking_site,
    body=SessionBookingCancel,
    gives=SessionBookingItem,
    codes=(400, 401, 403, 404, 422),
    rules=("R28", "R29"),
    is_addition=True,
    wrong_state=400,
)
def cancel_session_booking(call: Call, booking_id: str) -> SessionBookingItem:
    body = call.body
    cancel_booking(
        *call.here, booking_id, reason=body.reason, tells=body.tell_customer, now=call.now
    )
    return item_of(call, booking_id)


@operation(
    "moveSessionBooking",
    "POST",
    "/session-bookings/<booking_id>/move",
    tag=TAG,
    summary="Move a booking to another session of its type",
    description="It stays the same booking. Its price becomes that of the new session, and the "
    "difference goes to the order's ledger. When the places there went meanwhile, the old ones "
    "are kept.",
    right=RESERVATIONS,
    of=find_booking_site,
    body=SessionBookingMove,
    gives=SessionBookingMoved,
    codes=(400, 401, 403, 404, 422),
    rules=("R8", "R9", "R16", "R28"),
    is_addition=True,
    wrong_state=400,
)
def move_session_booking(call: Call, booking_id: str) -> SessionBookingMoved:
    body = call.body
    cost = move_booking(
        *call.here, booking_id, body.session_id, tells=body.tell_customer, now=call.now
    )
    return SessionBookingMoved(
        data=item_of(call, booking_id).data,
        price_difference=cost.difference,
        to_pay=cost.to_pay,
        to_return=cost.to_return,
    )


@operation(
    "setSessionBookingStage",
    "POST",
    "/session-bookings/<booking_id>/stage",
    tag=TAG,
    summary="Move a visit on, or back",
    description="Leaving `not_arrived` checks the guest in.",
    right=RESERVATIONS,
    of=find_booking_site,
    body=SessionBookingStage,
    gives=SessionBookingItem,
    codes=(400, 401, 403, 404, 422),
    rules=("R27", "R28"),
    is_addition=True,
    wrong_state=400,
)
def set_session_booking_stage(call: Call, booking_id: str) -> SessionBookingItem:
    set_stage(*call.here, booking_id, stage=call.body.stage, now=call.now)
    return item_of(call, booking_id)


@operation(
    "actionCheckInSessionBooking",
    "POST",
    "/session-bookings/<booking_id>/check-in",
    tag=TAG,
    summary="Check a guest in, or undo it",
    description="For the front desk and for kiosks. Without a body it checks the guest in.",
    right=RESERVATIONS,
    of=find_booking_site,
    body=CheckInRequest,
    needs_body=False,
    gives=SessionBookingItem,
    codes=(400, 401, 403, 404, 422),
    rules=("R26", "R27", "R28"),
    wrong_state=400,
)
def check_in(call: Call, booking_id: str) -> SessionBookingItem:
    set_check_in(*call.here, booking_id, arrived=call.body.is_checked_in, now=call.now)
    return item_of(call, booking_id)


@operation(
    "actionMarkSessionBookingNoShow",
    "POST",
    "/session-bookings/<booking_id>/no-show",
    tag=TAG,
    summary="Mark a guest as a no-show, or undo it",
    description="Meant for after the start, when nobody came. Without a body it sets the mark.",
    right=RESERVATIONS,
    of=find_booking_site,
    body=NoShowRequest,
    needs_body=False,
    gives=SessionBookingItem,
    codes=(400, 401, 403, 404, 422),
    rules=("R26", "R27", "R28"),
    wrong_state=400,
)
def mark_no_show(call: Call, booking_id: str) -> SessionBookingItem:
    set_no_show(*call.here, booking_id, missed=call.body.is_no_show, now=call.now)
    return item_of(call, booking_id)
