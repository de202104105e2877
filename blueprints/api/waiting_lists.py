"""Waiting lists: who waits for a session, joining and leaving (W1, W4)."""

from typing import Annotated

from pydantic import Field

from blueprints.api.booking_shapes import SessionBookingItem, SessionBookingList, show_booking
from blueprints.api.kinds import Whole
from blueprints.api.operations import Call, operation
from blueprints.api.paging import Paged, say_page
from blueprints.api.session_bookings import (
    NAMES,
    CustomerFields,
    booker_of,
    item_of,
)
from domain.eligibility import MAX_PARTY
from domain.roles import RESERVATIONS
from services.booking_rows import list_waiting_rows
from services.bookings_made import stop_waiting, wait_for
from services.whereabouts import find_booking_site, find_session_site

TAG = "Waiting lists"


class WaitingListJoin(CustomerFields):
    """A party that wants to wait."""

    guests: Annotated[Whole, Field(ge=1, le=MAX_PARTY)] = 1
    """How many they are."""


class WaitingListQuery(Paged):
    """Which page of the list is wanted."""


@operation(
    "listSessionWaitingList",
    "GET",
    "/sessions/<session_id>/waiting-list",
    tag=TAG,
    summary="List who waits for a session",
    description="In their order, those with an offer too. What has ended is not on it.",
    right=RESERVATIONS,
    of=find_session_site,
    query=WaitingListQuery,
    gives=SessionBookingList,
    codes=(400, 401, 403, 404),
    rules=("R10", "R21"),
    is_addition=True,
)
def list_waiting_list(call: Call, session_id: str) -> SessionBookingList:
    found = list_waiting_rows(call.organisation_id, session_id, cut=call.query.cut)
    return say_page(found, SessionBookingList, show_booking)


@operation(
    "joinSessionWaitingList",
    "POST",
    "/sessions/<session_id>/waiting-list",
    tag=TAG,
    summary="Put a party on the waiting list of a full session",
    description="As the party would do itself: every rule of booking but the room is asked, and "
    "it is told by mail. Nobody is booked without a new step.",
    right=RESERVATIONS,
    of=find_session_site,
    body=WaitingListJoin,
    gives=SessionBookingItem,
    status=201,
    codes=(400, 401, 403, 404, 422),
    rules=("R10", "R20"),
    is_addition=True,
    names=NAMES,
)
def join_waiting_list(call: Call, session_id: str) -> SessionBookingItem:
    booking_id = wait_for(
        call.organisation_id,
        session_id,
        who=booker_of(call.body),
        guests=call.body.guests,
        now=call.now,
    )
    return item_of(call, booking_id)


@operation(
    "leaveSessionWaitingList",
    "POST",
    "/session-bookings/<booking_id>/leave-waiting-list",
    tag=TAG,
    summary="Take a party off the waiting list at its own wish",
    description="An open offer goes to the next party. Whoever is booked, or off the list "
    "already: 400.",
    right=RESERVATIONS,
    of=find_booking_site,
    gives=SessionBookingItem,
    codes=(400, 401, 403, 404),
    rules=("R10", "R28"),
    is_addition=True,
    wrong_state=400,
)
def leave_waiting_list(call: Call, booking_id: str) -> SessionBookingItem:
    stop_waiting(*call.here, booking_id, now=call.now)
    return item_of(call, booking_id)
