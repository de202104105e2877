"""A booking as an .ics file: one UID for ever, times in UTC (E3)."""

import datetime as dt

from icalendar import Calendar, Event

from models import Order, SessionBooking
from services.facts import Venue


def calendar_file(
    order: Order, lines: list[SessionBooking], venue: Venue, url: str, now: dt.datetime
) -> bytes:
    """The order's lines as events."""
    calendar = Calendar()
    calendar.add("prodid", "-//Sundial//Bookings//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    for line in lines:
        event = Event()
        event.add("uid", f"{line.id}@sundial")
        event.add("dtstamp", now)
        event.add("sequence", 0)
        event.add("summary", f"{line.session_type_name}, {venue.name}")
        event.add("dtstart", line.session.start_time)
        event.add("dtend", line.session.end_time)
        place = [line.session.room.name] if line.session.room else []
        event.add("location", ", ".join([*place, venue.name, *venue.texts.get("address", [])]))
        event.add("description", f"Booking reference {order.order_ref}.\n{url}")
        event.add("url", url)
        event.add("status", "CONFIRMED")
        calendar.add_component(event)
    return calendar.to_ical()
