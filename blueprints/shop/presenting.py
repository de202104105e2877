"""The words and drawings of a session type's page, from what the services found."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from flask import url_for

from blueprints.rendering import say_price
from domain import words
from domain.calendar import Day, say_cell
from domain.durations import Interval
from domain.eligibility import largest_party
from domain.fees import say_fees
from domain.local_time import local_day
from services.timetable import DaySlot, MonthLink, TypePage

CLASS_OF_STATE = {
    "available": "is-available",
    "few": "is-few",
    "waiting_list": "is-soldout",
    "full": "is-soldout",
    "opens_later": "is-far",
    "members_only": "is-member",
    "sign_in": "is-available",
    "booked": "is-available",
    "too_soon": "is-soon",
}
NOTE_OF_STATE = {
    "waiting_list": "Waitlist",
    "full": "Full",
    "members_only": "Members",
    "sign_in": "Sign in",
    "too_soon": "Call us",
    "booked": "Booked",
    "over": "Over",
    "unscheduled": "Not yet",
    "closed": "Closed",
    "nothing": "Not on sale",
}


FLAGS = {"member": "Members", "early": "Early"}
"""What a membership gives on a date, in a word."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One date of the table as it is drawn."""

    day: Day
    iso: str
    number: int
    css: str
    href: str
    is_chosen: bool
    sentence: str
    flag: str
    flag_icon: str
    price_code: str
    price: str
    note: str
    marks: tuple[tuple[str, str], ...]


class Facts:
    """The facts under the title."""

    def __init__(self, page: TypePage) -> None:
        self.page = page

    @property
    def party(self) -> str:
        least, most = max(1, self.page.offer.min_guests), self.page.offer.max_guests
        if most is None:
            return f"{words.count(least, 'guest')} or more" if least > 1 else "any number of guests"
        if least == most:
            return words.count(most, "guest")
        return f"{least} to {most} guests"

    @property
    def lines(self) -> list[tuple[str, str]]:
        page = self.page
        found = [("clock", words.say_duration(page.duration)), ("users", self._places)]
        if page.rooms:
            found.append(("map-pin", " and ".join(page.rooms[:2])))
        if page.offer.members_only:
            found.append(("lock", "For members"))
        elif page.offer.customers_only:
            found.append(("user", "For customers with an account"))
        return found

    @property
    def _places(self) -> str:
        if self.page.offer.min_guests > 1 or self.page.offer.max_guests:
            return self.party[0].upper() + self.party[1:]
        return f"{words.count(self.page.most_places, 'place')} at most"

    @property
    def cancelling(self) -> str:
        page = self.page
        if page.cancellation == "disallowed":
            return "This booking can't be cancelled online. Call the venue if plans change."
        limit = say_interval(page.cancellation_limit) if page.cancellation_limit else ""
        until = f"until {limit} before it starts" if limit else "until it starts"
        if page.cancellation == "unpaid":
            return f"Free to cancel {until}, as long as nothing has been paid."
        return f"Free to cancel {until}."

    @property
    def fees(self) -> str:
        page = self.page
        currency, locale = page.offer.currency, page.venue.locale
        return say_fees(page.fees, lambda minor: say_price(minor, currency, locale))


class CalendarText:
    """Addresses, sentences and drawings of the calendar and the day panel."""

    def __init__(self, page: TypePage, now: dt.datetime, private: str = "") -> None:
        self.page = page
        # The private address that the page was opened by: every link on it stays there.
        self.private = private
        self.today = local_day(now, page.venue.zone)
        self.now = now

    def url(
        self,
        *,
        month: tuple[int, int] | None = None,
        date: dt.date | None = None,
        guests: int | None = None,
        anchor: str | None = None,
    ) -> str:
        """This page at another month, day or party."""
        query: dict[str, Any] = {}
        if month:
            query["month"] = f"{month[0]:04}-{month[1]:02}"
        if date:
            query["date"] = date.isoformat()
        party = self.page.guests if guests is None else guests
        if party != max(1, self.page.offer.min_guests):
            query["guests"] = party
        if self.private:
            endpoint, query["address"] = "shop.private", self.private
        else:
            endpoint, query["type_slug"] = "shop.session_type", self.page.slug
        return url_for(endpoint, site=self.page.venue.slug, _anchor=anchor, **query)

    @property
    def hold_url(self) -> str:
        """Where Book is sent: a private page's own address, which proves the way once more."""
        site = self.page.venue.slug
        if self.private:
            return url_for("shop.hold_private", site=site, address=self.private)
        return url_for("shop.hold", site=site, type_slug=self.page.slug)

    def waiting_url(self, session_id: str) -> str:
        """Where a full session's list is joined; a link-only type's by its own address alone."""
        party: dict[str, Any] = {"session_id": session_id, "guests": self.page.guests}
        party["site"] = self.page.venue.slug
        if self.page.offer.visibility == "public":
            return url_for("waiting.join_form", **party)
        return url_for("waiting.private_form", address=self.private, **party)

    @property
    def here(self) -> str:
        """The address that shows just this again."""
        month = self.page.month
        return self.url(month=(month.year, month.month), date=self.page.date)

    @property
    def month_name(self) -> str:
        return words.say_month(self.page.month.year, self.page.month.month)

    @property
    def weeks(self) -> list[list[Cell | None]]:
        return [
            [self._cell(day) if day else None for day in week] for week in self.page.month.weeks
        ]

    def price(self, minor: int) -> str:
        return say_price(minor, self.page.offer.currency, self.page.venue.locale)

    @property
    def currency_code(self) -> str:
        """The code that stands before prices where the currency has no short sign."""
        sample = self.price(1)
        return sample[:3] if sample[:3].isalpha() else ""

    def month_note(self, link: MonthLink) -> str:
        """from £34, opens 1 July, or nothing bookable."""
        if link.lowest is not None:
            return self._from(link.lowest) if self.page.shows_prices else "open"
        if link.opens_on is not None:
            return f"opens {words.say_short_day(link.opens_on)}"
        return {
            "waiting_list": "full",
            "full": "full",
            "members_only": "members",
            "sign_in": "sign in",
            "booked": "booked",
            "unscheduled": "not yet",
        }.get(link.state, "nothing free")

    def total(self, slot: DaySlot) -> str:
        amount = (slot.offering.price.amount or 0) * self.page.guests
        return self.price(amount)

    def end(self, slot: DaySlot) -> str:
        """The wall time at which it ends; on the night of a clock change the wall decides."""
        return words.say_time(slot.offering.slot.end_time.astimezone(self.page.venue.zone))

    @property
    def day_title(self) -> str:
        return words.say_day(self.page.date) if self.page.date else "Choose a day"

    @property
    def day_note(self) -> str:
        bookable = sum(slot.offering.is_bookable for slot in self.page.slots)
        if not self.page.slots:
            return self._empty_note
        if not bookable:
            return "Nothing to book online on this day."
        party = words.count(self.page.guests, "guest")
        return f"{words.count(bookable, 'session')} to book, for {party}"

    @property
    def _empty_note(self) -> str:
        if self.page.date is None:
            if self.page.month.nearest_state == "unscheduled":
                return "This is not yet scheduled. Please look again later."
            return self._nearest_note
        day = self.page.month.day(self.page.date)
        if day is None:
            return "No sessions on this day."
        return {
            "past": "This day has passed.",
            "unscheduled": "This day is not yet scheduled. Please look again later.",
        }.get(day.state, "No sessions on this day.")

    @property
    def _nearest_note(self) -> str:
        """Of a month in which nothing can be booked: why, and what would change it."""
        month = self.page.month
        if month.opens_on is not None:
            return f"Booking opens from {words.say_day(month.opens_on)}, day by day."
        return {
            "members_only": "This month is for members.",
            "sign_in": "These sessions are for customers with an account.",
            "waiting_list": "Every session of this month is full.",
            "full": "Every session of this month is full.",
        }.get(month.nearest_state, "No day in this month can be booked.")

    @property
    def limits(self) -> tuple[int, int]:
        return max(1, self.page.offer.min_guests), largest_party(self.page.offer)

    def _from(self, minor: int) -> str:
        return "free" if minor == 0 else f"from {self.price(minor)}"

    def _cell(self, day: Day) -> Cell:
        page = self.page
        shown = self.price(day.from_price) if day.from_price is not None else ""
        chosen = day.date == page.date and day.is_link
        note = NOTE_OF_STATE.get(day.state, "")
        if day.state == "opens_later" and day.opens_on:
            note = f"from {words.say_short_day(day.opens_on)}"
        if day.sessions_available and not page.shows_prices:
            shown, note = "", "Open"
        return Cell(
            day=day,
            iso=day.date.isoformat(),
            number=day.date.day,
            css=" ".join(
                [CLASS_OF_STATE.get(day.state, "is-past" if day.state == "past" else "is-closed")]
                + ["is-cheapest"] * (day.is_cheapest and page.shows_prices)
                + ["is-today"] * day.is_today
                + ["is-member"] * bool(day.thanks_to)
            ),
            href=self.url(date=day.date, anchor="day"),
            is_chosen=chosen,
            sentence=say_cell(day, shown),
            flag=f"{day.places_left} left" if day.state == "few" else FLAGS.get(day.thanks_to, ""),
            flag_icon="badge-check" if day.thanks_to and day.state != "few" else "",
            price_code=shown[:4] if self.currency_code and shown != "Free" else "",
            price=shown.removeprefix(f"{self.currency_code} ") if self.currency_code else shown,
            note=note,
            marks=tuple(_mark(hour, kind) for hour, kind in day.marks),
        )


def say_interval(text: str) -> str:
    """P1D as a person says it: 1 day; PT24H: 24 hours."""
    interval = Interval.parse(text)
    minutes, _ = divmod(interval.seconds, 60)
    parts = []
    if interval.months:
        parts.append(words.count(interval.months, "month"))
    if interval.days:
        parts.append(words.count(interval.days, "day"))
    if minutes:
        parts.append(words.say_duration(minutes))
    return " ".join(parts)


def _mark(hour: float, kind: str) -> tuple[str, str]:
    """Where on the 64 units of the day line (06:00 to 22:48) a session stands."""
    place = min(max((hour - 6) * 3.8, 0), 59)
    return (f"{place + (0.4 if kind == 'off' else 0):.1f}", kind)
