"""A recurrence group as it is sent and answered (2.3)."""

from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from blueprints.api.kinds import (
    Answer,
    Day,
    Many,
    Moment,
    ObjectId,
    One,
    Positive,
    Shape,
    Text,
    TimeOfDay,
    Weekday,
    absent,
)
from blueprints.api.summaries import PractitionerSummary, RoomSummary

ADDITION: dict[str, Any] = {"x-addition": True}


def _each_once(value: list[str]) -> list[str]:
    if len(set(value)) < len(value):
        raise PydanticCustomError("twice", "Name each day once.")
    return value


Weekdays = Annotated[
    list[Weekday], AfterValidator(_each_once), Field(json_schema_extra={"uniqueItems": True})
]


class RecurrenceStartTime(Answer):
    """A start time on each of the days."""

    id: ObjectId
    value: TimeOfDay


class RecurrenceStartTimeInput(Shape):
    """An item with a known `id` keeps it; without one it is new; one that is missing is removed."""

    id: ObjectId = absent()
    value: TimeOfDay


class SessionRecurrenceGroup(Answer):
    """A weekly pattern that produces the sessions of a type."""

    NOT_ITS_VERSION: ClassVar[frozenset[str]] = frozenset()

    id: ObjectId
    session_type_id: ObjectId
    name: Text
    """Free name, empty when none was given."""
    capacity: Positive | None
    """Places in each session it produces. Null only while the group is incomplete."""
    practitioner: PractitionerSummary | None
    """Who leads the sessions; null when nobody is set."""
    room: RoomSummary | None
    """Where the sessions are. Null only while the group is incomplete."""
    recurrence_start: Day | None
    """First day, included. Null starts on the day the group was made."""
    recurrence_end: Day | None
    """Last day, included. Null goes on."""
    start_time: Annotated[TimeOfDay | None, Field(json_schema_extra={"deprecated": True})]
    """The only start time, when there is exactly one; otherwise null."""
    start_times: list[RecurrenceStartTime]
    """Start times on each of the days, earliest first."""
    weekdays: Weekdays
    deleted_at: Moment | None
    """When it was archived; null while live."""


class SessionRecurrenceGroupFields(Shape):
    """What of a group can be written."""

    name: Text = absent()
    """Free name."""
    practitioner_id: ObjectId | None = absent()
    """Who leads the sessions. Null sets nobody."""
    room_id: ObjectId | None = absent()
    """Where the sessions are. Null: not chosen yet."""
    weekdays: Weekdays = absent()
    start_time: Annotated[TimeOfDay, Field(json_schema_extra={"deprecated": True})] = absent()
    """Short for one start time; ignored when `start_times` is sent."""
    start_times: list[RecurrenceStartTimeInput] = absent()
    capacity: Positive | None = absent()
    """Places in each session. Null: not chosen yet."""
    recurrence_start: Day | None = absent()
    """First day."""
    recurrence_end: Day | None = absent()
    """Last day; not before the first."""

    @model_validator(mode="before")
    @classmethod
    def _ignore_the_older_field(cls, sent: Any) -> Any:
        if isinstance(sent, dict) and "start_times" in sent:
            return {name: value for name, value in sent.items() if name != "start_time"}
        return sent


class SessionRecurrenceGroupCreate(SessionRecurrenceGroupFields):
    """A new group; only its type is required."""

    session_type_id: ObjectId
    """The type it belongs to."""


class SessionRecurrenceGroupUpdate(SessionRecurrenceGroupFields):
    """Changes of a group; what is absent stays."""

    id: Annotated[Text, Field(json_schema_extra=ADDITION)] = absent()
    """May be repeated; can't be another."""
    session_type_id: Annotated[Text, Field(json_schema_extra=ADDITION)] = absent()
    """May be repeated; can't be another."""


class SessionRecurrenceGroupItem(One[SessionRecurrenceGroup]):
    """A recurrence group."""


class SessionRecurrenceGroupList(Many[SessionRecurrenceGroup]):
    """A page of recurrence groups."""
