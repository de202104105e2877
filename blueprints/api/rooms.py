"""Rooms of a site: where sessions take place."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

from blueprints.api.kinds import (
    Answer,
    FlagInAddress,
    Ids,
    Many,
    Moment,
    ObjectId,
    One,
    Shape,
    SiteInAddress,
    Text,
    Uuid,
    Whole,
    absent,
)
from blueprints.api.operations import Call, asked_site, operation
from blueprints.api.paging import Paged, say_page
from domain.errors import RuleBroken
from domain.roles import SETTINGS
from domain.venue_rules import COLOURS, ROOM_CAP, TURNAROUND, find_problems
from models import Room as RoomRow
from services.rooms import (
    ROOM_RULES,
    add_room,
    archive_room,
    find_room,
    page_rooms,
    restore_room,
    save_room,
)
from services.whereabouts import find_room_site

TAG = "Rooms"
NAMES = {"cap": "capacity"}
NEW = {"turnaround": 0, "colour": 1}

Capacity = Annotated[Whole, Field(ge=ROOM_CAP[0], le=ROOM_CAP[1])]
Turnaround = Annotated[Whole, Field(ge=TURNAROUND[0], le=TURNAROUND[1])]
Colour = Annotated[Whole, Field(ge=COLOURS[0], le=COLOURS[1])]


class Room(Answer):
    """A room of a site. A session in it never has more places than it takes."""

    id: ObjectId
    site_id: Uuid
    zone_id: ObjectId | None
    """Zone that it lies in; null for none."""
    name: str
    capacity: Capacity
    """Guests that it takes at once."""
    turnaround: Turnaround
    """Minutes kept free after each session."""
    colour: Colour
    """Which of the calendar's six colours it has."""
    position: Annotated[int, Field(ge=0)]
    """Place in the order of the calendar's columns, from 0."""
    deleted_at: Moment | None
    """Since when it is archived; null while it is in use."""


class RoomFields(Shape):
    """What of a room can be written."""

    name: Text = absent()
    zone_id: ObjectId | None = absent()
    """A zone of the same site; null for none."""
    capacity: Capacity = absent()
    """Guests that it takes at once. Sessions that have more places already keep them."""
    turnaround: Turnaround = absent()
    """Minutes kept free after each session."""
    colour: Colour = absent()
    """Which of the calendar's six colours it has."""


class RoomCreate(RoomFields):
    """A new room: at least its name and how many guests it takes."""

    name: Text
    capacity: Capacity
    """Guests that it takes at once."""


class RoomUpdate(RoomFields):
    """Changes of a room; what is absent stays."""


class RoomItem(One[Room]):
    """A room."""


class RoomList(Many[Room]):
    """A page of rooms."""


class RoomQuery(Paged):
    """Which rooms are wanted."""

    site_id: SiteInAddress | None = None
    """Only of this site; otherwise of all that the token may see."""
    zone_id: Ids | None = None
    """Zone ids, separated by commas."""
    archived: FlagInAddress = False
    """True lists the archived rooms instead of those in use."""


class NewAtQuery(Shape):
    """Where something is to be made."""

    site_id: SiteInAddress | None = None
    """Site to make it at. It can be left out when the token may do this at one site only."""


def show_room(row: RoomRow) -> Room:
    """A room as the API says it."""
    return Room(
        id=row.id,
        site_id=row.site_id,
        zone_id=row.zone_id,
        name=row.name,
        capacity=row.cap,
        turnaround=row.turnaround,
        colour=row.colour,
        position=row.position,
        deleted_at=row.deleted_at,
    )


def _item(call: Call, room_id: str) -> RoomItem:
    return RoomItem(data=show_room(find_room(*call.here, room_id)))


def _values(call: Call) -> dict[str, Any]:
    """The fields that were sent, as the page has them (R3)."""
    return {"cap" if name == "capacity" else name: it for name, it in call.given.items()}


def _problems(call: Call) -> Iterable[RuleBroken]:
    return find_problems(ROOM_RULES, _values(call))


@operation(
    "listRooms",
    "GET",
    "/rooms",
    tag=TAG,
    summary="List rooms",
    description="Site by site, in the order of the calendar's columns.",
    query=RoomQuery,
    gives=RoomList,
    codes=(400, 401),
    rules=("R1", "R2", "R21"),
    is_addition=True,
)
def list_all_rooms(call: Call) -> RoomList:
    wanted = call.query
    found = page_rooms(
        call.organisation_id,
        call.sites(wanted.site_id),
        zone_ids=wanted.zone_id,
        is_archived=wanted.archived,
        cut=wanted.cut,
    )
    return say_page(found, RoomList, show_room)


@operation(
    "createRoom",
    "POST",
    "/rooms",
    tag=TAG,
    summary="Set up a room",
    description="It comes last in the order of the calendar's columns.",
    right=SETTINGS,
    goes_to=asked_site,
    query=NewAtQuery,
    body=RoomCreate,
    gives=RoomItem,
    status=201,
    codes=(400, 401, 403, 422),
    rules=("R22",),
    is_addition=True,
    also=_problems,
    names=NAMES,
)
def create_room(call: Call) -> RoomItem:
    room_id = add_room(*call.here, {**NEW, **_values(call)}, now=call.now)
    return _item(call, room_id)


@operation(
    "getRoom",
    "GET",
    "/rooms/<room_id>",
    tag=TAG,
    summary="Fetch one room",
    description="Archived ones, too.",
    of=find_room_site,
    gives=RoomItem,
    codes=(401, 403, 404),
    rules=("R1", "R2"),
    is_addition=True,
    current=_item,
)
def get_room(call: Call, room_id: str) -> RoomItem:
    return _item(call, room_id)


@operation(
    "updateRoom",
    "PUT",
    "/rooms/<room_id>",
    tag=TAG,
    summary="Change a room",
    description="Every field is optional; a field that is not sent keeps its value. Sessions stay "
    "as they are, whatever the room takes from now on.",
    right=SETTINGS,
    of=find_room_site,
    body=RoomUpdate,
    gives=RoomItem,
    codes=(400, 401, 403, 404, 422),
    rules=("R3", "R22"),
    is_addition=True,
    current=_item,
    also=_problems,
    names=NAMES,
)
def update_room(call: Call, room_id: str) -> RoomItem:
    save_room(*call.here, room_id, _values(call), seen=None)
    return _item(call, room_id)


@operation(
    "archiveRoom",
    "DELETE",
    "/rooms/<room_id>",
    tag=TAG,
    summary="Archive a room",
    description="No series or session can be put there any more; an archived one stays archived. "
    "409 while coming sessions or live series need it.",
    right=SETTINGS,
    of=find_room_site,
    codes=(401, 403, 404, 409),
    rules=("R11",),
    is_addition=True,
    current=_item,
)
def archive_one_room(call: Call, room_id: str) -> None:
    archive_room(*call.here, room_id, now=call.now)


@operation(
    "restoreRoom",
    "POST",
    "/rooms/<room_id>/restore",
    tag=TAG,
    summary="Bring an archived room back",
    description="One that is in use stays as it is.",
    right=SETTINGS,
    of=find_room_site,
    gives=RoomItem,
    codes=(401, 403, 404),
    rules=("R11",),
    is_addition=True,
)
def restore_one_room(call: Call, room_id: str) -> RoomItem:
    restore_room(*call.here, room_id)
    return _item(call, room_id)
