"""A session type's month as data: the same answers as on its page (P7, S5)."""

from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from blueprints.api.kinds import (
    Answer,
    Currency,
    Day,
    MinorUnits,
    Moment,
    NumberInAddress,
    ObjectId,
    One,
    Positive,
    Shape,
    Text,
    Whole,
    exactly,
)
from blueprints.api.operations import Call, operation
from domain.calendar import Day as DayOfMonth
from domain.calendar import say_reason
from services.timetable import TypePage, find_type_calendar
from services.whereabouts import find_type_site

MONTH = "[0-9]{4}-(0[1-9]|1[0-2])"
Month = Annotated[
    Text,
    exactly(MONTH, "Use a month such as 2026-06."),
    WithJsonSchema({"type": "string", "pattern": f"^{MONTH}$"}),
]


class CalendarDay(Answer):
    """One day of the month, as a visitor meets it."""

    date: Day
    state: Literal[
        "available", "few", "waiting_list", "opens_later", "members_only", "sign_in", "too_soon",
        "full", "booked", "nothing", "over", "unscheduled", "closed", "past",
    ]  # fmt: skip
    """What stands for the day: of several sessions the state that is nearest to bookable."""
    sessions: Annotated[Whole, Field(ge=0)]
    """How many of its sessions this party can book."""
    from_price: MinorUnits | None
    """The least that a place costs in one of them; null when there is none."""
    code: str | None
    """The rule that says no, where no session can be booked; null when it is no rule's."""
    reason: str | None
    """Why no session can be booked, in a sentence; null when one can."""
    changes_at: Moment | None
    """When time alone makes another answer of one of its sessions; null when it does not."""


class SessionCalendar(Answer):
    """The month of a session type for a party."""

    session_type_id: ObjectId
    month: Month
    guests: Positive
    currency: Currency
    lowest_price: MinorUnits | None
    """The least from-price of the month."""
    days: list[CalendarDay]
    """Every day of the month, the first one first."""
    valid_until: Moment | None
    """Until when all of it stays true, if nobody books or changes anything."""


class SessionCalendarItem(One[SessionCalendar]):
    """The month of a session type."""


class CalendarQuery(Shape):
    """Which month is wanted, and for how many."""

    month: Month | None = None
    """Left out it is the first month in which something can be booked."""
    guests: NumberInAddress | None = None
    """How many would come; left out it is the fewest that the type takes."""


def show_calendar(session_type_id: str, page: TypePage) -> SessionCalendar:
    """A month as the API says it."""
    month = page.month
    return SessionCalendar(
        session_type_id=session_type_id,
        month=f"{month.year:04}-{month.month:02}",
        guests=page.guests,
        currency=page.offer.currency,
        lowest_price=month.lowest,
        days=[_show_day(day) for week in month.weeks for day in week if day],
        valid_until=month.valid_until,
    )


def _show_day(day: DayOfMonth) -> CalendarDay:
    return CalendarDay(
        date=day.date,
        state=day.state,  # type: ignore[arg-type]
        sessions=day.sessions_available,
        from_price=day.from_price,
        code=day.code or None,
        reason=say_reason(day) or None,
        changes_at=day.changes_at,
    )


@operation(
    "getSessionTypeCalendar",
    "GET",
    "/session-types/<session_type_id>/calendar",
    tag="Session types",
    summary="Fetch a month of a session type",
    description="From-price, state and reason of each day, as the type's page shows them to a "
    "visitor. A type that is sold by its link alone is shown as to whoever has the link.",
    of=find_type_site,
    query=CalendarQuery,
    gives=SessionCalendarItem,
    codes=(400, 401, 403, 404, 422),
    rules=("R16", "R20", "R30"),
    is_addition=True,
)
def get_session_type_calendar(call: Call, session_type_id: str) -> SessionCalendarItem:
    wanted = call.query.month
    page = find_type_calendar(
        *call.here,
        session_type_id,
        month=(int(wanted[:4]), int(wanted[5:])) if wanted else None,
        guests=call.query.guests,
        now=call.now,
    )
    return SessionCalendarItem(data=show_calendar(session_type_id, page))
