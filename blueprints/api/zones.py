"""Zones of a site: the parts of the house that its rooms lie in."""

from typing import Annotated

from pydantic import Field

from blueprints.api.kinds import (
    Answer,
    Many,
    ObjectId,
    One,
    Shape,
    SiteInAddress,
    Text,
    Uuid,
    absent,
)
from blueprints.api.operations import Call, asked_site, operation
from blueprints.api.paging import Paged, say_page
from blueprints.api.rooms import NewAtQuery
from domain.roles import SETTINGS
from models import Zone as ZoneRow
from services.rooms import add_zone, find_zone, page_zones, remove_zone, save_zone
from services.whereabouts import find_zone_site

TAG = "Zones"


class Zone(Answer):
    """A part of a site. A session is in the zone of its room."""

    id: ObjectId
    site_id: Uuid
    name: str
    position: Annotated[int, Field(ge=0)]
    """Place in the order of the calendar, from 0."""


class ZoneCreate(Shape):
    """A new zone."""

    name: Text


class ZoneUpdate(Shape):
    """Changes of a zone; what is absent stays."""

    name: Text = absent()


class ZoneItem(One[Zone]):
    """A zone."""


class ZoneList(Many[Zone]):
    """A page of zones."""


class ZoneQuery(Paged):
    """Which zones are wanted."""

    site_id: SiteInAddress | None = None
    """Only of this site; otherwise of all that the token may see."""


def show_zone(row: ZoneRow) -> Zone:
    """A zone as the API says it."""
    return Zone(id=row.id, site_id=row.site_id, name=row.name, position=row.position)


def _item(call: Call, zone_id: str) -> ZoneItem:
    return ZoneItem(data=show_zone(find_zone(*call.here, zone_id)))


@operation(
    "listZones",
    "GET",
    "/zones",
    tag=TAG,
    summary="List zones",
    description="Site by site, in the order of the calendar.",
    query=ZoneQuery,
    gives=ZoneList,
    codes=(400, 401),
    rules=("R1", "R2", "R21"),
    is_addition=True,
)
def list_all_zones(call: Call) -> ZoneList:
    wanted = call.query
    found = page_zones(call.organisation_id, call.sites(wanted.site_id), cut=wanted.cut)
    return say_page(found, ZoneList, show_zone)


@operation(
    "createZone",
    "POST",
    "/zones",
    tag=TAG,
    summary="Set up a zone",
    description="It comes last in the order.",
    right=SETTINGS,
    goes_to=asked_site,
    query=NewAtQuery,
    body=ZoneCreate,
    gives=ZoneItem,
    status=201,
    codes=(400, 401, 403, 422),
    is_addition=True,
)
def create_zone(call: Call) -> ZoneItem:
    return _item(call, add_zone(*call.here, call.body.name, now=call.now))


@operation(
    "getZone",
    "GET",
    "/zones/<zone_id>",
    tag=TAG,
    summary="Fetch one zone",
    of=find_zone_site,
    gives=ZoneItem,
    codes=(401, 403, 404),
    rules=("R1", "R2"),
    is_addition=True,
    current=_item,
)
def get_zone(call: Call, zone_id: str) -> ZoneItem:
    return _item(call, zone_id)


@operation(
    "updateZone",
    "PUT",
    "/zones/<zone_id>",
    tag=TAG,
    summary="Rename a zone",
    right=SETTINGS,
    of=find_zone_site,
    body=ZoneUpdate,
    gives=ZoneItem,
    codes=(400, 401, 403, 404, 422),
    rules=("R3",),
    is_addition=True,
    current=_item,
)
def update_zone(call: Call, zone_id: str) -> ZoneItem:
    if call.given:
        save_zone(*call.here, zone_id, call.body.name, seen=None)
    return _item(call, zone_id)


@operation(
    "deleteZone",
    "DELETE",
    "/zones/<zone_id>",
    tag=TAG,
    summary="Remove a zone",
    description="A real delete. Its rooms stay and lie in no zone.",
    right=SETTINGS,
    of=find_zone_site,
    codes=(401, 403, 404),
    rules=("R11",),
    is_addition=True,
    current=_item,
)
def delete_zone(call: Call, zone_id: str) -> None:
    remove_zone(*call.here, zone_id)
