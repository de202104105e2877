"""Sessions: dated slots with their places (2.4, R5-R9, R11-R13, R16, R21)."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, WithJsonSchema

from blueprints.api.booking_shapes import SessionBooking, show_booking
from blueprints.api.kinds import (
    OBJECT_ID,
    Answer,
    Currency,
    DayOrMoment,
    FlagInAddress,
    Ids,
    Many,
    MinorUnits,
    Moment,
    MomentInAddress,
    ObjectId,
    One,
    Positive,
    Shape,
    SiteInAddress,
    Text,
    Uuid,
    Whole,
    absent,
)
from blueprints.api.operations import Call, operation
from blueprints.api.paging import Paged, say_page
from blueprints.api.summaries import PractitionerSummary, RoomSummary
from domain.api import Forbidden, WrongBody
from domain.errors import NotFound, RuleBroken
from domain.roles import SETTINGS
from domain.session_updates import find_problems
from services.session_lists import (
    SessionFilter,
    ShownSession,
    find_session,
    list_sessions,
)
from services.session_updates import (
    cancel_at_once,
    create_session,
    restore_at_once,
    update_session,
)
from services.whereabouts import find_session_site, find_type_site

TAG = "Sessions"
ADDED: dict[str, Any] = {"x-addition": True}
NAMES = {"local_start": "start_time", "time": "start_time", "type": "session_type_id"}

NoRoom = Annotated[None, WithJsonSchema({"type": "null", **ADDED})]
Number = Annotated[Whole, Field(ge=0)]


class Session(Answer):
    """One dated occurrence of a type. Bookings are made on it."""

    NOT_ITS_VERSION: ClassVar[frozenset[str]] = frozenset(
        (
            "bookings", "remaining_capacity", "is_full", "price", "price_source", "currency",
            "num_checked_in", "num_no_show", "num_waitlisted", "practitioner", "room",
        )
    )  # fmt: skip

    id: ObjectId
    organisation_id: Uuid
    site_id: Uuid
    """The one site it takes place at. Its bookings take it over."""
    session_type_id: ObjectId
    session_type_name: str
    """The type's name at the time the session was made; a later renaming does not change it."""
    recurrence_group_id: ObjectId | None
    """The series it came from; null for a single session."""
    start_time: Moment
    end_time: Moment
    duration: Positive
    """Minutes from start to end."""
    capacity: Positive
    """Places in all. A place is one guest."""
    remaining_capacity: Number
    """Places that can still be booked."""
    is_full: bool
    """No place left, or as many parties as `max_baskets` allows."""
    max_baskets: Positive | None
    """How many parties may book this session. Null is no limit. Taken from the type when made."""
    waitlist_enabled: bool
    practitioner_id: ObjectId | None
    """Who leads it; null when the session needs nobody."""
    practitioner: PractitionerSummary | None
    room_id: ObjectId | NoRoom
    """Room of the site; it caps the capacity. Null only for a session made without one."""
    room: RoomSummary | NoRoom
    price: MinorUnits
    """What one place costs a visitor now; 0 with `price_source` none."""
    price_source: Literal["override", "rule", "none"]
    """Where `price` comes from. With `none` customers cannot book."""
    currency: Currency
    num_checked_in: Number
    """Bookings checked in."""
    num_no_show: Number
    """Bookings marked as no-show."""
    num_waitlisted: Number
    """Customers on the waiting list now."""
    created_at: Moment
    updated_at: Moment
    deleted_at: Moment | None
    """When it was cancelled. Null while live."""
    bookings: Annotated[list[SessionBooking], Field(default_factory=list)]
    """Present when asked for. Cancelled bookings are left out."""


class SessionItem(One[Session]):
    """A session."""


class SessionList(Many[Session]):
    """A page of sessions."""


class SessionFields(Shape):
    """What of a session can be written."""

    capacity: Positive = absent()
    """Not below the places taken; not above the room's."""
    max_baskets: Positive | None = absent()
    """Null is no limit."""
    practitioner_id: ObjectId | None = absent()
    """An active practitioner of the site, or null."""
    start_time: Moment = absent()
    end_time: Moment = absent()
    """After the start."""
    duration: Positive = absent()
    """Minutes. 422 when it contradicts start and end."""
    price: MinorUnits | None = absent()
    """Sets a price for this session alone. Null goes back to the price rules."""
    waitlist_enabled: Annotated[bool, Field(strict=True)] = absent()


class SessionUpdate(SessionFields):
    """Changes of a session; what is absent stays.

    A body read from GET can be sent back. Counts, names, summaries and timestamps are ignored.
    """

    room_id: ObjectId | NoRoom = absent()
    """A room of the site. Null only where there is none yet."""
    id: Annotated[Text | None, Field(json_schema_extra=ADDED)] = absent()
    """May be sent with its present value, as the five that follow."""
    organisation_id: Annotated[Text | None, Field(json_schema_extra=ADDED)] = absent()
    site_id: Annotated[Text | None, Field(json_schema_extra=ADDED)] = absent()
    session_type_id: Annotated[Text | None, Field(json_schema_extra=ADDED)] = absent()
    recurrence_group_id: Annotated[Text | None, Field(json_schema_extra=ADDED)] = absent()
    currency: Annotated[Text | None, Field(json_schema_extra=ADDED)] = absent()


class SessionCreate(SessionFields):
    """A single session; what is absent is taken from its type and its room."""

    session_type_id: ObjectId
    """A live type; the session takes place at its site."""
    start_time: Moment
    """Lies ahead."""
    room_id: ObjectId | None = absent()
    """A room of the site, or null."""


class Bookings(Shape):
    """What is told of a session."""

    include_bookings: FlagInAddress = False
    """Embed the bookings, with who booked: any right at the site is enough to read them. It does
    nothing where no session is answered."""


class SessionQuery(Paged, Bookings):
    """Which sessions are wanted."""

    id: Annotated[Ids, Field(default_factory=list)]
    """Session ids, separated by commas."""
    session_type_id: Annotated[Ids, Field(default_factory=list)]
    """Session type ids, separated by commas."""
    recurrence_group_id: Annotated[Ids, Field(default_factory=list)]
    """Recurrence group ids, separated by commas."""
    practitioner_id: Annotated[Ids, Field(default_factory=list)]
    """Practitioner ids, separated by commas."""
    room_id: Annotated[Ids, Field(default_factory=list)]
    """Room ids, separated by commas."""
    zone_id: Annotated[Ids, Field(default_factory=list)]
    """Zone ids, separated by commas. A session is in the zone of its room."""
    site_id: SiteInAddress | None = None
    """Only this site. Without it, every site the caller has access to."""
    cancelled: FlagInAddress = False
    """True gives cancelled sessions and nothing else."""
    include_cancelled: FlagInAddress = False
    """Give cancelled sessions along with live ones."""
    date: DayOrMoment | None = None
    """One day, in the site's time zone; with a date-time the day that contains it."""
    dateFrom: DayOrMoment | None = None  # noqa: N815 - the contract's name (C19)
    """First day wanted. Spelled in camel case here, unlike every other filter."""
    dateTo: DayOrMoment | None = None  # noqa: N815 - the contract's name (C19)
    """Last day wanted, that day included."""
    start_time_from: MomentInAddress | None = None
    """Earliest start time, included."""
    start_time_to: MomentInAddress | None = None
    """Latest start time, included."""


IDS = ("id", "session_type_id", "recurrence_group_id", "practitioner_id", "room_id", "zone_id")


def show_session(shown: ShownSession) -> Session:
    """A session as the API says it."""
    row, price = shown.row, shown.price
    embedded: dict[str, Any] = {}
    if shown.bookings is not None:
        embedded["bookings"] = [show_booking(one) for one in shown.bookings]
    return Session(
        id=row.id,
        organisation_id=row.organisation_id,
        site_id=row.site_id,
        session_type_id=row.session_type_id,
        session_type_name=row.session_type_name,
        recurrence_group_id=row.recurrence_group_id,
        start_time=row.start_time,
        end_time=row.end_time,
        duration=shown.minutes,
        capacity=row.capacity,
        remaining_capacity=shown.places_left,
        is_full=shown.is_full,
        max_baskets=row.max_baskets,
        waitlist_enabled=row.waitlist_enabled,
        practitioner_id=row.practitioner_id,
        practitioner=_summary(PractitionerSummary, row.practitioner),
        room_id=row.room_id,
        room=_summary(RoomSummary, row.room),
        price=price.amount or 0,
        price_source=price.source,  # type: ignore[arg-type]
        currency=row.session_type.currency,
        num_checked_in=shown.counts.checked_in,
        num_no_show=shown.counts.no_show,
        num_waitlisted=shown.counts.waiting,
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
        **embedded,
    )


def _summary(shape: Any, row: Any) -> Any:
    return None if row is None else shape(id=row.id, name=row.name)


def _item(call: Call, session_id: str) -> SessionItem:
    with_bookings = call.query is not None and call.query.include_bookings
    shown = find_session(*call.here, session_id, with_bookings=with_bookings)
    return SessionItem(data=show_session(shown))


def _goes_to(call: Call, sent: Mapping[str, Any]) -> str:
    """The site of the type that is named; "" for one that is not here."""
    if not call.bearer.may_somewhere(SETTINGS):
        raise Forbidden(SETTINGS)
    named = sent.get("session_type_id")
    if not isinstance(named, str) or not re.fullmatch(OBJECT_ID, named):
        return ""
    try:
        return find_type_site(call.organisation_id, named)
    except NotFound:
        return ""


def _problems(call: Call) -> Iterable[RuleBroken]:
    return find_problems(call.given)


def _problems_of_new(call: Call) -> Iterable[RuleBroken]:
    if not call.site_id:
        sentence = "Choose one of your session types."
        yield RuleBroken(sentence, code="type", field="session_type_id")
    yield from find_problems(call.given)


@operation(
    "listSessions",
    "GET",
    "/sessions",
    tag=TAG,
    summary="List sessions",
    description="By start time. Cancelled ones are left out unless asked for.",
    query=SessionQuery,
    gives=SessionList,
    codes=(400, 401),
    rules=("R1", "R2", "R16", "R21"),
)
def get_sessions(call: Call) -> SessionList:
    wanted = call.query
    found = list_sessions(
        call.organisation_id,
        SessionFilter(
            ids={name: getattr(wanted, name) for name in IDS},
            site_ids=call.sites(wanted.site_id),
            cancelled=wanted.cancelled,
            include_cancelled=wanted.include_cancelled,
            first_day=[day for day in (wanted.date, wanted.dateFrom) if day],
            last_day=[day for day in (wanted.date, wanted.dateTo) if day],
            starts_from=wanted.start_time_from,
            starts_to=wanted.start_time_to,
        ),
        with_bookings=wanted.include_bookings,
        cut=wanted.cut,
    )
    return say_page(found, SessionList, show_session)


@operation(
    "createSession",
    "POST",
    "/sessions",
    tag=TAG,
    summary="Add a single session",
    description="Outside of every series. Needs SETTINGS_MANAGE at the type's site. Two sessions "
    "at once in one room or with one practitioner are let through.",
    right=SETTINGS,
    goes_to=_goes_to,
    body=SessionCreate,
    gives=SessionItem,
    status=201,
    codes=(400, 401, 403, 422),
    rules=("R6", "R7", "R8", "R9", "R22"),
    is_addition=True,
    also=_problems_of_new,
    names=NAMES,
)
def add_session(call: Call) -> SessionItem:
    if not call.site_id:
        raise WrongBody([*_problems_of_new(call)])
    return _item(call, create_session(*call.here, call.given, now=call.now))


@operation(
    "getSession",
    "GET",
    "/sessions/<session_id>",
    tag=TAG,
    summary="Fetch one session",
    description="A cancelled session is answered too, with `deleted_at` set.",
    of=find_session_site,
    query=Bookings,
    gives=SessionItem,
    codes=(401, 404),
    rules=("R1", "R2", "R11"),
    current=_item,
)
def get_session(call: Call, session_id: str) -> SessionItem:
    return _item(call, session_id)


@operation(
    "updateSession",
    "PUT",
    "/sessions/<session_id>",
    tag=TAG,
    summary="Change one session",
    description="Changes this occurrence only; neither the type nor the recurrence group is "
    "touched. Who is booked stays booked, and is told of another time or room.",
    right=SETTINGS,
    of=find_session_site,
    query=Bookings,
    body=SessionUpdate,
    gives=SessionItem,
    codes=(400, 401, 403, 404, 422),
    rules=("R3", "R5", "R6", "R7", "R8", "R9", "R10", "R24"),
    current=_item,
    also=_problems,
    names=NAMES,
)
def put_session(call: Call, session_id: str) -> SessionItem:
    update_session(*call.here, session_id, call.given, now=call.now)
    return _item(call, session_id)


@operation(
    "deleteSession",
    "DELETE",
    "/sessions/<session_id>",
    tag=TAG,
    summary="Cancel one session",
    description="Its bookings are cancelled and refunded in full; who is told depends on the "
    "site's settings for cancelled sessions. 409 for one that is over, or whose guests are here. "
    "Restorable.",
    right=SETTINGS,
    of=find_session_site,
    query=Bookings,
    codes=(401, 403, 404),
    rules=("R11", "R12"),
    current=_item,
)
def delete_session(call: Call, session_id: str) -> None:
    cancel_at_once(*call.here, session_id, now=call.now)


@operation(
    "restoreSession",
    "POST",
    "/sessions/<session_id>/restore",
    tag=TAG,
    summary="Restore a cancelled session",
    description="Brings it back with its own former values. Bookings cancelled with it stay "
    "cancelled. 409 when its time has passed, or its type is archived. Takes no body.",
    right=SETTINGS,
    of=find_session_site,
    gives=SessionItem,
    codes=(401, 403, 404),
    rules=("R11", "R13"),
    current=_item,
)
def post_restore_session(call: Call, session_id: str) -> SessionItem:
    restore_at_once(*call.here, session_id, now=call.now)
    return _item(call, session_id)
