"""What was changed, said for people: a line of the trail in words, and what may be undone."""

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from domain.roles import WORDS
from domain.words import WEEKDAYS, count, say_time, say_weekday_short

LONG = 80
"""Texts beyond so many letters are shown below the sentence, before and after."""

SECRET = "…"  # noqa: S105 - stands for one

NOUNS = {
    "accounts": "account",
    "api_token_grants": "right",
    "api_tokens": "API token",
    "archives": "archive",
    "authenticators": "authenticator app",
    "categories": "category",
    "closed_days": "closed day",
    "customers": "customer",
    "former_customers": "double",
    "guests": "guest",
    "intake_answers": "answers",
    "intake_forms": "form",
    "kiosks": "kiosk",
    "ledger_entries": "line of the books",
    "letter_wordings": "letter",
    "media": "picture",
    "membership_types": "membership",
    "memberships": "membership",
    "notes": "note",
    "order_items": "line of the order",
    "orders": "order",
    "organisations": "organisation",
    "passkeys": "passkey",
    "practitioners": "team member",
    "price_rules": "price rule",
    "private_links": "private link",
    "recovery_codes": "recovery code",
    "recurrence_groups": "series",
    "recurrence_start_times": "start time",
    "rooms": "room",
    "session_bookings": "booking",
    "session_types": "session type",
    "sessions": "session",
    "sites": "venue",
    "staff_grants": "right",
    "staff_invitations": "invitation",
    "time_off": "time off",
    "webhooks": "webhook",
    "zones": "zone",
}
"""What a row of each table is called."""

_LABELS = {
    "cap": "guests at most",
    "blurb": "text",
    "few_left": "nearly gone from",
    "alt": "description",
    "slug": "address",
    "position": "place in the list",
    "local_start": "start",
    "customer_cancellation_permitted": "cancelling",
    "customer_cancellation_min_duration": "cancelling until",
    "max_baskets": "parties at most",
    "max_baskets_per_session": "parties at most",
    "max_advance_bookings_interval": "time ahead that booking opens",
    "min_advance_bookings_interval": "time ahead that booking closes",
    "include_pricing_on_calendar": "prices on the calendar",
    "charged": "sum charged",
    "adjusted": "sum adjusted",
    "hold_minutes": "minutes that a basket holds places",
    "offer_minutes": "minutes that an offered place is kept",
    "late_after_minutes": "minutes until somebody is late",
    "no_show_fee": "no-show fee",
    "fees_waivable_hours": "hours in which a fee can be waived",
    "practitioner_id": "leader",
    "recurrence_start": "first day",
    "recurrence_end": "last day",
    "zone": "time zone",
    "practitioner_sites": "venues",
    "practitioner_types": "types they lead",
    "permitted_membership_type_ids": "memberships that may book",
    "membership_type_ids": "memberships it is for",
    "expires_at": "end",
    "is_public": "shown to the public",
    "locale": "way of writing sums",
    "session_type_categories": "categories",
    "stage": "stage",
    "texts": "texts of the shop window",
    "staff_second_factor": "second factor for all staff",
    "email_key": "address",
    "author_name": "author",
    "brand": "look",
    "kinds": "events",
    "url": "address",
}

_SAID_ELSEWHERE = {
    ("sessions", "start_time"),
    ("sessions", "end_time"),
    ("sessions", "withdrawn_by"),
    ("sessions", "overridden"),
    ("sessions", "deleted_by"),
    ("session_bookings", "cancelled_by"),
    ("session_bookings", "expires_at"),
    ("session_bookings", "order_item_id"),
    ("session_bookings", "session_type_id"),
    ("session_bookings", "is_no_show"),
    ("archives", "asked_by_id"),
    ("customers", "email_key"),
    ("kiosks", "ended_by_id"),
    ("notes", "taken_away_by_id"),
    ("staff_invitations", "accepted_by_id"),
    ("staff_invitations", "email_key"),
    ("staff_invitations", "expires_at"),
    ("staff_invitations", "invited_by_id"),
    ("customers", "address_key"),
    ("accounts", "email_key"),
    ("session_types", "intake_asks_guests"),
    ("webhooks", "paused_why"),
    ("webhooks", "sealed_older"),
    ("orders", "confirmed_at"),
}
"""Columns that follow from another one, which is said."""


@dataclass(frozen=True, slots=True)
class Field:
    """One column with what it held: `kind` says how its values are read."""

    name: str
    kind: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Change:
    """One row that was made, changed or removed; `thing` is what it is called, if anything."""

    subject: str
    act: str
    fields: tuple[Field, ...] = ()
    thing: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence, and long values that stand below it."""

    text: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Tongue:
    """What values are said with: the site's zone, its money, the names of ids."""

    zone: ZoneInfo
    money: Callable[[int], str]
    names: Mapping[str, str]


def say_change(change: Change, tongue: Tongue) -> tuple[Said, ...]:
    """What happened to one row, a sentence for each thing that is worth one."""
    noun = NOUNS.get(change.subject, change.subject.replace("_", " "))
    if change.act != "changed":
        return (Said(_say_whole(change, noun, tongue)),)
    said = []
    for field in change.fields:
        if (change.subject, field.name) in _SAID_ELSEWHERE:
            continue
        said.append(_say_field(change.subject, field, tongue))
    if not said:
        fields = [field for field in change.fields if _is_no_show(field)]
        said = [_say_no_show(field) for field in fields] or [Said(f"Changed the {noun}")]
    return tuple(said)


def name_part(change: Change) -> str:
    """What a row is called that is shown on the page of another: “Price rule ‘Early’”."""
    noun = NOUNS.get(change.subject, change.subject.replace("_", " ")).capitalize()
    return f"{noun} “{change.thing}”" if change.thing else noun


def _say_whole(change: Change, noun: str, tongue: Tongue) -> str:
    """A row that came or went."""
    came = change.act == "made"
    if change.subject in GRANTS:
        return _say_grant(change, tongue)
    said = (_MADE if came else _REMOVED).get(change.subject)
    named = f"{noun} “{change.thing}”" if change.thing else noun
    return said or f"{'Added' if came else 'Removed'} the {named}"


GRANTS = ("staff_grants", "api_token_grants")
"""Rights: each is a row, and named by where it holds."""


def _say_grant(change: Change, tongue: Tongue) -> str:
    """Which right, and where."""
    came = change.act == "made"
    held = {field.name: field.after if came else field.before for field in change.fields}
    right, site_id = str(held.get("right", "")), held.get("site_id")
    called = WORDS[right].name if right in WORDS else right or "a right"
    where = tongue.names.get(str(site_id), "a venue that is gone") if site_id else "all venues"
    return f"Gave the right “{called}” at {where}" if came else f"Took “{called}” at {where} away"


_REMOVED = {
    "archives": "Deleted the archive of everything",
    "authenticators": "Switched the authenticator app off",
    "recovery_codes": "Ended the recovery codes",
}
_MADE = {
    "archives": "Asked for an archive of everything",
    "authenticators": "Switched the authenticator app on",
    "former_customers": "Made a double one with this customer",
    "kiosks": "Signed the kiosk in",
    "notes": "Wrote a note",
    "recovery_codes": "Made new recovery codes",
    "staff_invitations": "Sent the invitation",
    "orders": "Sent the order",
    "session_bookings": "Made the booking",
    "intake_answers": "Filled in the form",
    "ledger_entries": "Wrote a line of the books",
    "guests": "Named a guest",
}


def _is_no_show(field: Field) -> bool:
    return field.name == "is_no_show"


def _say_no_show(field: Field) -> Said:
    return Said("Marked as not come" if field.after else "Took back that they did not come")


def _say_field(subject: str, field: Field, tongue: Tongue) -> Said:
    special = _SPECIAL.get((subject, field.name)) or _SPECIAL.get(("", field.name))
    if special is not None:
        return Said(special(field.before, field.after, lambda v: _say(field.kind, v, tongue)))
    label = _LABELS.get(field.name) or _label(field.name)
    if field.kind == "links":
        return Said(_say_links(label, field, tongue))
    before, after = (_say(field.kind, value, tongue) for value in (field.before, field.after))
    if field.kind == "secret" or before == after:
        return Said(f"Changed the {label}")
    if max(len(before), len(after)) > LONG or "\n" in before + after:
        return Said(f"Changed the {label}", before, after)
    return Said(_say_plainly(label, field, before, after))


def _say_plainly(label: str, field: Field, before: str, after: str) -> str:
    if field.kind == "flag":
        return f"{label.capitalize()}: {after}"
    if field.before in _NOTHING:
        return f"Set the {label} to {after}"
    if field.after in _NOTHING:
        return f"Took the {label} away, it was {before}"
    return f"Changed the {label} from {before} to {after}"


_NOTHING: tuple[Any, ...] = (None, "", [], {})


def _say_links(label: str, field: Field, tongue: Tongue) -> str:
    came, went = (_say_list(value, tongue) for value in (field.after, field.before))
    said = [f"Added {came} to the {label}"] if field.after else []
    said += [f"took {went} out of the {label}"] if field.before else []
    text = ", and ".join(said)
    return text[:1].upper() + text[1:]


def _label(name: str) -> str:
    words = name.removeprefix("is_").replace("_ids", "").replace("_id", "").replace("_at", "")
    return words.replace("_", " ")


_Say = Callable[[Any], str]


def _ended(word: str, back: str) -> Callable[[Any, Any, _Say], str]:
    return lambda before, after, _: word if after is not None else back


_SPECIAL: dict[tuple[str, str], Callable[[Any, Any, _Say], str]] = {
    ("", "deleted_at"): _ended("Archived it", "Restored it"),
    ("sessions", "deleted_at"): _ended("Took the session away", "Brought the session back"),
    ("sessions", "local_start"): lambda b, a, say: f"Moved the start from {say(b)} to {say(a)}",
    ("session_bookings", "checked_in_at"): _ended("Checked in", "Took the check-in back"),
    ("session_bookings", "cancelled_at"): _ended("Cancelled the booking", "Brought it back"),
    ("session_bookings", "session_id"): lambda b, a, say: (
        f"Moved the booking from {say(b)} to {say(a)}"
    ),
    ("session_bookings", "places"): lambda b, a, _: (
        f"Changed the booking from {count(b, 'guest')} to {count(a, 'guest')}"
    ),
    ("session_bookings", "released_places"): lambda b, a, _: (
        f"Offered {count(a, 'place')} to the waitlist" if a else "Kept the places after all"
    ),
    ("session_bookings", "offered_at"): _ended("Offered a place", "Took the offer back"),
    ("session_bookings", "waiting_since"): _ended("Joined the waiting list", "Left the list"),
    ("session_bookings", "intake_form_id"): lambda b, a, _: "Took over the form of the type",
    ("session_bookings", "stage"): lambda b, a, _: f"Stage: {_plain(a)}",
    ("session_bookings", "status"): lambda b, a, _: f"The booking is {_plain(a)}",
    ("orders", "state"): lambda b, a, _: f"The order is {_plain(a)}",
    ("accounts", "password_hash"): lambda b, a, _: "Changed the password",
    ("accounts", "feed_key"): lambda b, a, _: "Changed the address of the own calendar",
    ("accounts", "session_token"): lambda b, a, _: "Signed out everywhere",
    ("api_tokens", "revoked_at"): _ended("Revoked the token", "Let the token work again"),
    ("archives", "ready_at"): _ended("The archive of everything was ready", "It is not ready"),
    ("kiosks", "ended_at"): _ended("Signed the kiosk out", "Signed the kiosk in again"),
    ("notes", "taken_away_at"): _ended("Took a note away", "Brought a note back"),
    ("recovery_codes", "used_at"): _ended("Used a recovery code", "Took a recovery code back"),
    ("session_types", "link_key"): lambda b, a, _: "Made a new private address",
    ("staff_invitations", "letter"): lambda b, a, _: "Sent the invitation again",
    ("staff_invitations", "accepted_at"): _ended("Accepted the invitation", "Took that back"),
    ("staff_invitations", "withdrawn_at"): _ended("Withdrew the invitation", "Opened it again"),
    ("webhooks", "paused_at"): _ended("Paused the webhook", "Resumed the webhook"),
    ("webhooks", "sealed_secret"): lambda b, a, _: "Renewed the secret",
    ("memberships", "state"): lambda b, a, _: f"The membership is {_plain(a)}",
    ("private_links", "revoked_at"): _ended("Revoked the link", "Opened the link again"),
    ("intake_answers", "answers"): lambda b, a, _: "Changed the answers",
    ("intake_answers", "completed_at"): _ended("Completed the form", "The form has gaps again"),
    ("", "position"): lambda b, a, _: "Moved it in the list",
}


def _plain(text: Any) -> str:
    return str(text).replace("_", " ")


def _say(kind: str, value: Any, tongue: Tongue) -> str:
    """One value as a person would say it."""
    if value is None or value == "":
        return "nothing"
    way = _WAYS.get(kind)
    return way(value, tongue) if way else f"“{value}”" if kind == "text" else str(value)


def _say_local(value: dt.datetime, _: Tongue) -> str:
    return f"{say_weekday_short(value.date())} {say_time(value)}"


def _say_list(value: Any, tongue: Tongue) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        in_order = sorted(value, key=WEEKDAYS.index) if set(value) <= set(WEEKDAYS) else value
        return ", ".join(tongue.names.get(one, one) for one in in_order) or "nothing"
    if isinstance(value, str):
        return tongue.names.get(value, value)
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True)


_WAYS: dict[str, Callable[[Any, Tongue], str]] = {
    "money": lambda value, tongue: tongue.money(value),
    "instant": lambda value, tongue: _say_local(value.astimezone(tongue.zone), tongue),
    "local": _say_local,
    "day": lambda value, _: f"{say_weekday_short(value)} {value.year}",
    "time": lambda value, _: say_time(value),
    "flag": lambda value, _: "yes" if value else "no",
    "ref": lambda value, tongue: f"“{tongue.names.get(value, 'something that is gone')}”",
    "json": _say_list,
    "secret": lambda value, _: SECRET,
}


_DOORS = {
    "account": "their account",
    "bookings": "the booking’s own page",
    "checkout": "the shop",
    "shop": "the shop",
    "desk": "the desk",
    "house": "the desk",
    "orders": "orders",
    "people": "customers",
    "setup": "settings",
    "types": "session types",
    "prices": "prices",
    "series": "series",
    "sessions": "sessions",
    "letters": "letters",
    "links": "private links",
    "media": "pictures",
    "intake": "forms",
    "guest_forms": "a guest’s own form",
    "waiting": "the waiting list",
    "cover": "cover",
    "kiosk": "the kiosk",
    "staff": "staff",
    "archives": "the archive",
    "finding": "the search box",
    "offline": "the desk",
    "trail": "the history",
    "webhooks": "webhooks",
}


def say_door(door: str) -> str:
    """Through which part of the product it came; a job's or command's own name stays."""
    area = door.partition(".")[0]
    return f"through {_DOORS.get(area, area.replace('_', ' '))}" if door else ""


# What may be undone


UNDOABLE: dict[str, tuple[str, ...]] = {
    "rooms": ("name", "zone_id", "cap", "turnaround", "colour", "deleted_at"),
    "practitioners": ("name", "title", "bio", "email", "deleted_at"),
    "categories": ("name", "slug", "blurb"),
    "zones": ("name",),
    "media": ("alt",),
    "membership_types": ("name", "deleted_at"),
    "memberships": ("state", "first_day", "last_day"),
    "sites": (
        *("name", "place", "email", "phone", "is_public", "opening_hours", "locale"),
        *("hold_minutes", "few_left", "currency", "revenue_centres"),
        *("address", "directions", "headline", "lede", "strap", "description", "facts", "legal"),
        *("hours", "accent", "accent_dark", "radius", "display"),
        *("offer_minutes", "reminder_hours", "cancelled_session_notices"),
    ),
    "letter_wordings": ("subject", "opening", "closing"),
    "session_bookings": ("checked_in_at", "is_no_show", "stage"),
    "session_types": (),
    "price_rules": (),
}
"""Tables whose edits can be undone, and the columns of each; empty: all that its editor saves."""

_REFUSALS = {
    "ledger_entries": "Money moved. Write what is right on the order instead.",
    "orders": "Mails went out with it. Cancel or change the booking instead.",
    "sessions": "Guests may have been told. Change the session on its own page.",
    "recurrence_groups": "It touched many sessions. Change the series on its own page.",
    "recurrence_start_times": "It touched many sessions. Change the series on its own page.",
    "closed_days": "It touched many sessions. Open the day again on its own page.",
    "session_bookings": "Mails went out with it. Change the booking on its own page.",
    "staff_grants": "Rights are given and taken on the page of staff.",
    "api_tokens": "A token that was revoked stays so. Make a new one.",
    "api_token_grants": "A token keeps its rights. Make a new one.",
    "webhooks": "Change, pause or delete the webhook on its own page.",
    "kiosks": "A kiosk is signed in on its own device.",
    "notes": "Notes are written, taken away and brought back where they stand.",
    "staff_invitations": "A letter went out with it. Withdraw or send it on its own page.",
    "accounts": "Only its owner changes an account.",
}


def why_not_undone(change: Change) -> str:
    """The sentence that says why an edit can't be undone; empty when it can be."""
    refusal = _REFUSALS.get(change.subject, "This can't be undone here.")
    columns = UNDOABLE.get(change.subject)
    if columns is None:
        return refusal
    if change.subject == "price_rules":
        return ""
    if change.act != "changed":
        return "What was added or removed is changed on its own page."
    names = {field.name for field in change.fields}
    if change.subject == "session_types" and names & {"deleted_at", "intake_form_version"}:
        return "It touched sessions and forms. Change it on the type's own page."
    if columns and not names <= {*columns}:
        return refusal
    if change.subject == "memberships" and _state_before(change.fields) == "ended":
        return "A membership that ended stays ended. Give a new one."
    return ""


def _state_before(fields: Sequence[Field]) -> Any:
    return next((field.before for field in fields if field.name == "state"), None)
