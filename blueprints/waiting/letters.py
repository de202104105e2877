"""What the mails about the waiting list say."""

from typing import Any

from blueprints.booking_words import details_of
from blueprints.clock import read_clock
from blueprints.links import public_url
from blueprints.mailing import Letter, letter
from blueprints.rendering import say_amount
from domain.local_time import to_local
from domain.words import count, full_stop, say_day, say_moment, say_time
from services.waitlists import Standing, find_entry


@letter("waiting_joined")
def waiting_joined(payload: dict[str, Any]) -> Letter | None:
    standing = _standing(payload)
    if standing is None:
        return None
    return _letter(
        standing,
        f"You are on the waitlist for {standing.entry.session_type_name}",
        (
            f"You are on the waitlist for {_what(standing)}.",
            "When a place comes free for your party, we hold it for you and write to you. "
            "Nothing is charged before you accept.",
        ),
        "See where you stand",
        ("You can leave the list on the same page, with one press.",),
        is_useful=standing.state == "waiting",
    )


@letter("waiting_offer")
def waiting_offer(payload: dict[str, Any]) -> Letter | None:
    standing = _standing(payload)
    if standing is None:
        return None
    entry, venue = standing.entry, standing.venue
    is_open = standing.state == "offered" and entry.sequence == payload.get("sequence")
    until = say_moment(to_local(entry.expires_at, venue.zone)) if entry.expires_at else ""
    total = say_amount(standing.total, entry.order_item.currency, venue.locale)
    price = f"It costs {total}, to pay at {venue.name}." if standing.total else "It is free."
    held = "1 place is" if entry.places == 1 else f"{entry.places} places are"
    return _letter(
        standing,
        f"A place for you: {entry.session_type_name}, answer by {until}",
        (
            f"{held} free for you: {_what(standing)}.",
            f"We hold this for you until {until}. {price}",
            "Nothing is booked before you press Accept.",
        ),
        "See the offer",
        ("If you can't come, say so on the same page, and the next party is asked.",),
        is_useful=is_open,
    )


@letter("waiting_missed")
def waiting_missed(payload: dict[str, Any]) -> Letter | None:
    standing = _standing(payload)
    if standing is None:
        return None
    return _letter(
        standing,
        f"Your offer for {standing.entry.session_type_name} has run out",
        (
            f"The time to accept your offer is over: {_what(standing)}.",
            "The offer went to the next party, and nothing was charged. "
            "If you would still like to come, you can join the waitlist again.",
        ),
        "See what you can do",
        is_useful=standing.state == "missed",
    )


@letter("waiting_closed")
def waiting_closed(payload: dict[str, Any]) -> Letter | None:
    standing = _standing(payload)
    if standing is None:
        return None
    reason = standing.entry.cancel_reason.strip()
    return _letter(
        standing,
        f"You are off the waitlist for {standing.entry.session_type_name}",
        (
            _why_off(standing),
            *([full_stop(reason)] if reason else []),
            "Nothing was charged.",
        ),
        "See other dates",
        is_useful=standing.state in ("closed", "left"),
    )


def _why_off(standing: Standing) -> str:
    if standing.entry.session.deleted_at is not None:
        venue = standing.entry.order.site.full_name
        return f"{venue} has had to cancel {_what(standing)}. We're sorry."
    return f"You are no longer on the waitlist for {_what(standing)}."


def _standing(payload: dict[str, Any]) -> Standing | None:
    return find_entry(str(payload.get("booking", "")), now=read_clock())


def _what(standing: Standing) -> str:
    """Thermal circuit on Friday 12 June at 18:00, 2 guests."""
    entry = standing.entry
    local = entry.session.local_start
    when = f"{say_day(local.date())} at {say_time(local)}"
    return f"{entry.session_type_name} on {when}, {count(entry.places, 'guest')}"


def _letter(
    standing: Standing,
    subject: str,
    paragraphs: tuple[str, ...],
    button: str,
    small: tuple[str, ...] = (),
    *,
    is_useful: bool,
) -> Letter:
    order = standing.entry.order
    return Letter(
        to=order.email,
        name=order.name,
        subject=subject,
        paragraphs=paragraphs,
        action=(button, public_url("waiting.entry", secret=order.secret)),
        small=small,
        is_useful=is_useful,
        site=order.site,
        # Whoever is off the list has nothing to pay.
        details=(details_of(standing.entry, is_priced=standing.entry.cancelled_at is None),),
    )
