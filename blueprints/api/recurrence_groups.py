"""Recurrence groups: weekly patterns that produce the sessions of a type (2.3, R23-R25)."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import Field

from blueprints.api.kinds import (
    OBJECT_ID,
    DayInAddress,
    FlagInAddress,
    Ids,
    SiteInAddress,
    in_order,
)
from blueprints.api.operations import Call, operation
from blueprints.api.paging import Paged, say_page
from blueprints.api.recurrence_group_shapes import (
    RecurrenceStartTime,
    SessionRecurrenceGroup,
    SessionRecurrenceGroupCreate,
    SessionRecurrenceGroupItem,
    SessionRecurrenceGroupList,
    SessionRecurrenceGroupUpdate,
)
from blueprints.api.summaries import PractitionerSummary, RoomSummary
from domain.api import Forbidden, WrongBody
from domain.errors import NotFound, RuleBroken
from domain.roles import SETTINGS
from domain.series_patterns import TimeWish
from services.series_rows import (
    SeriesFilter,
    SeriesLine,
    add_series,
    archive_live_series,
    bring_back_series,
    change_series,
    find_series_line,
    list_series_lines,
    list_wrong_fields,
)
from services.whereabouts import find_group_site, find_type_site

TAG = "Recurrence groups"
NAMES = {"times": "start_times"}


class GroupQuery(Paged):
    """Which groups are wanted."""

    archived: FlagInAddress = False
    """True gives archived ones along with live ones; otherwise only live ones."""
    recurrence_end_from: DayInAddress | None = None
    """Keep groups that end on this day or later. Groups without an end are kept."""
    recurrence_end_to: DayInAddress | None = None
    """Keep groups that end on this day or earlier. Groups without an end are dropped."""
    session_type_id: Annotated[Ids | None, Field(json_schema_extra={"x-commas": True})] = None
    """Session type ids, separated by commas; the repeated form is accepted too."""
    site_id: SiteInAddress | None = None
    """Only this site. Without it, every site the token has access to."""


def show_group(line: SeriesLine) -> SessionRecurrenceGroup:
    """A group as the API says it."""
    group = line.group
    times = [
        RecurrenceStartTime(id=row.id, value=f"{row.value:%H:%M}") for row in group.start_times
    ]
    room, person = line.room, line.practitioner
    return SessionRecurrenceGroup(
        id=group.id,
        session_type_id=group.session_type_id,
        name=group.name,
        capacity=group.capacity,
        practitioner=PractitionerSummary(id=person.id, name=person.name) if person else None,
        room=RoomSummary(id=room.id, name=room.name) if room else None,
        recurrence_start=group.recurrence_start,
        recurrence_end=group.recurrence_end,
        start_time=times[0].value if len(times) == 1 else None,
        start_times=times,
        weekdays=in_order(group.weekdays),
        deleted_at=group.deleted_at,
    )


def _item(call: Call, recurrence_group_id: str) -> SessionRecurrenceGroupItem:
    line = find_series_line(*call.here, recurrence_group_id)
    return SessionRecurrenceGroupItem(data=show_group(line))


def _values(call: Call) -> dict[str, Any]:
    """The fields that were sent, as the domain has them (R3)."""
    values = dict(call.given)
    if "weekdays" in values:
        values["weekdays"] = tuple(in_order(values["weekdays"]))
    if "start_times" in values:
        values["start_times"] = tuple(
            TimeWish(one.id or "", dt.time.fromisoformat(one.value))
            for one in values["start_times"]
        )
    if "start_time" in values:
        values["start_time"] = dt.time.fromisoformat(values["start_time"])
    return values


def _goes_to(call: Call, sent: Mapping[str, Any]) -> str:
    """The site of the type that is named; "" for one that is not here."""
    if not call.bearer.may_somewhere(SETTINGS):
        raise Forbidden(SETTINGS)
    type_id = sent.get("session_type_id")
    if not isinstance(type_id, str) or not re.fullmatch(OBJECT_ID, type_id):
        return ""
    try:
        return find_type_site(call.organisation_id, type_id)
    except NotFound:
        return ""


def _problems_of_new(call: Call) -> Iterable[RuleBroken]:
    if not call.site_id:
        sentence = "There is no session type with this id here."
        return [RuleBroken(sentence, code="reference", field="session_type_id")]
    type_id = call.given["session_type_id"]
    return list_wrong_fields(*call.here, _values(call), type_id=type_id, now=call.now)


def _problems(call: Call) -> Iterable[RuleBroken]:
    group_id = call.ids["recurrence_group_id"]
    return list_wrong_fields(*call.here, _values(call), group_id=group_id, now=call.now)


@operation(
    "listSessionRecurrenceGroups",
    "GET",
    "/recurrence-groups",
    tag=TAG,
    summary="List recurrence groups",
    description="In the order in which they were made.",
    query=GroupQuery,
    gives=SessionRecurrenceGroupList,
    codes=(400, 401),
    rules=("R1", "R2", "R21"),
)
def list_recurrence_groups(call: Call) -> SessionRecurrenceGroupList:
    asked = call.query
    wanted = SeriesFilter(
        site_ids=call.sites(asked.site_id),
        type_ids=asked.session_type_id,
        with_archived=asked.archived,
        ends_from=asked.recurrence_end_from,
        ends_to=asked.recurrence_end_to,
    )
    found = list_series_lines(call.organisation_id, wanted, asked.cut)
    return say_page(found, SessionRecurrenceGroupList, show_group)


@operation(
    "createSessionRecurrenceGroup",
    "POST",
    "/recurrence-groups",
    tag=TAG,
    summary="Create a recurrence group",
    description="Only the type is required. A group that lacks a room, days, times or a capacity "
    "is saved and produces no sessions until it is complete.",
    right=SETTINGS,
    goes_to=_goes_to,
    body=SessionRecurrenceGroupCreate,
    gives=SessionRecurrenceGroupItem,
    status=201,
    codes=(400, 401, 403, 422),
    rules=("R22", "R23", "R24"),
    also=_problems_of_new,
    wrong_state=422,
    names=NAMES,
)
def create_recurrence_group(call: Call) -> SessionRecurrenceGroupItem:
    if not call.site_id:
        raise WrongBody([*_problems_of_new(call)])
    made = add_series(*call.here, call.given["session_type_id"], _values(call), now=call.now)
    return _item(call, made)


@operation(
    "getSessionRecurrenceGroup",
    "GET",
    "/recurrence-groups/<recurrence_group_id>",
    tag=TAG,
    summary="Fetch one recurrence group",
    description="An archived one, too.",
    of=find_group_site,
    gives=SessionRecurrenceGroupItem,
    codes=(401, 403, 404),
    rules=("R1", "R2"),
    is_addition=True,
    current=_item,
)
def get_recurrence_group(call: Call, recurrence_group_id: str) -> SessionRecurrenceGroupItem:
    return _item(call, recurrence_group_id)


@operation(
    "updateSessionRecurrenceGroup",
    "PUT",
    "/recurrence-groups/<recurrence_group_id>",
    tag=TAG,
    summary="Change a recurrence group",
    description="Every field is optional; a field that is not sent keeps its value. Its coming "
    "sessions follow; booked ones are left for staff, and ones changed by hand keep what was "
    "changed. An archived group is not found until it is restored.",
    right=SETTINGS,
    of=find_group_site,
    body=SessionRecurrenceGroupUpdate,
    gives=SessionRecurrenceGroupItem,
    codes=(400, 401, 403, 404, 422),
    rules=("R3", "R22", "R23", "R24"),
    current=_item,
    also=_problems,
    names=NAMES,
)
def update_recurrence_group(call: Call, recurrence_group_id: str) -> SessionRecurrenceGroupItem:
    change_series(*call.here, recurrence_group_id, _values(call), now=call.now)
    return _item(call, recurrence_group_id)


@operation(
    "deleteSessionRecurrenceGroup",
    "DELETE",
    "/recurrence-groups/<recurrence_group_id>",
    tag=TAG,
    summary="Archive a recurrence group",
    description="Soft delete; it produces no further sessions. Coming sessions without bookings "
    "are cancelled with it, those with bookings stay.",
    right=SETTINGS,
    of=find_group_site,
    codes=(401, 403, 404),
    rules=("R11", "R25"),
    current=_item,
)
def archive_recurrence_group(call: Call, recurrence_group_id: str) -> None:
    archive_live_series(*call.here, recurrence_group_id, now=call.now)


@operation(
    "restoreSessionRecurrenceGroup",
    "POST",
    "/recurrence-groups/<recurrence_group_id>/restore",
    tag=TAG,
    summary="Restore an archived recurrence group",
    description="Brings back the sessions that went with it and makes what is missing. 409 while "
    "its type is archived: restore the type first.",
    right=SETTINGS,
    of=find_group_site,
    gives=SessionRecurrenceGroupItem,
    codes=(401, 403, 404),
    rules=("R11", "R14", "R25"),
    current=_item,
)
def restore_recurrence_group(call: Call, recurrence_group_id: str) -> SessionRecurrenceGroupItem:
    bring_back_series(*call.here, recurrence_group_id, now=call.now)
    return _item(call, recurrence_group_id)
