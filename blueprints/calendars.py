"""Bookings as iCalendar: one UID for ever, a SEQUENCE for each change, times in UTC (E3).

A mail about one booking carries METHOD:REQUEST with ORGANIZER and ATTENDEE: that is what Apple,
Google and Outlook apply to the entry they have; PUBLISH they only offer to add. The organizer is
the address that the mail comes from, because programs take updates from that one only. RSVP is
FALSE and the guest has accepted, so nobody is asked for an answer. A REQUEST speaks of one UID
(RFC 5546), so an order of several lines goes as PUBLISH; later changes find each entry by its
UID. Times are instants: whatever the clocks do, they are right, and no VTIMEZONE has to agree.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from email.utils import parseaddr

from flask import current_app
from icalendar import Calendar, Event, vCalAddress, vText

from blueprints.links import public_url
from models import SessionBooking
from services.facts import venue_of

PUBLISH, REQUEST, CANCEL = "PUBLISH", "REQUEST", "CANCEL"


def calendar_file(
    bookings: Iterable[SessionBooking], *, method: str, url: str = "", now: dt.datetime
) -> bytes:
    """An .ics file of these bookings; REQUEST and CANCEL name who invites and who comes."""
    calendar = new_calendar(method)
    for booking in bookings:
        calendar.add_component(booking_event(booking, method=method, url=url, now=now))
    return bytes(calendar.to_ical())


def mail_method(bookings: Sequence[SessionBooking]) -> str:
    """How a mail about these bookings, which all stand, speaks to calendars."""
    return REQUEST if len(bookings) == 1 else PUBLISH


def new_calendar(method: str, name: str = "") -> Calendar:
    """An empty calendar of ours, named where it is subscribed to."""
    calendar = Calendar()
    calendar.add("prodid", "-//Sundial//Bookings//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method)
    if name:
        calendar.add("x-wr-calname", name)
        calendar.add("name", name)
    return calendar


def booking_event(
    booking: SessionBooking, *, method: str = PUBLISH, url: str = "", now: dt.datetime
) -> Event:
    """A booking as one event; a cancelled one says so under every method."""
    venue, session = venue_of(booking.order.site), booking.session
    link = url or public_url("bookings.booking", secret=booking.order.secret)
    room = [session.room.name] if session.room else []
    event = Event()
    event.add("uid", f"{booking.id}@sundial")
    event.add("dtstamp", now)
    event.add("last-modified", booking.updated_at)
    event.add("sequence", booking.sequence)
    event.add("summary", f"{booking.session_type_name}, {venue.name}")
    event.add("dtstart", session.start_time)
    event.add("dtend", session.end_time)
    event.add("location", ", ".join([*room, venue.name, *venue.texts["address"]]))
    event.add("description", f"Booking reference {booking.order.order_ref}.\n{link}")
    event.add("url", link)
    event.add("transp", "OPAQUE")
    is_over = method == CANCEL or booking.cancelled_at is not None
    event.add("status", "CANCELLED" if is_over else "CONFIRMED")
    if method != PUBLISH:
        _add_people(event, booking)
    return event


def _add_people(event: Event, booking: SessionBooking) -> None:
    organizer = vCalAddress(f"mailto:{parseaddr(str(current_app.config['MAIL_FROM']))[1]}")
    organizer.params["cn"] = vText(booking.order.site.full_name)
    event.add("organizer", organizer)
    guest = vCalAddress(f"mailto:{booking.order.email}")
    guest.params.update(
        {
            "cn": vText(booking.order.name),
            "role": vText("REQ-PARTICIPANT"),
            "partstat": vText("ACCEPTED"),
            "rsvp": vText("FALSE"),
        }
    )
    event.add("attendee", guest)
