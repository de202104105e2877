"""What each field of a session type may hold, with the sentence for anything else (2.1, R4)."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.durations import Interval
from domain.errors import RuleBroken
from domain.fees import MAX_LATE_MINUTES, MAX_WAIVABLE_HOURS
from domain.ledger import MAX_SUM
from domain.money import read_amount
from domain.people import check_name

VISIBILITIES = ("public", "link_only", "private")
CANCELLING = ("allowed", "disallowed", "unpaid")
MAX_DURATION = 1440
MAX_NUMBER = 1000
MAX_DESCRIPTION = 20_000
MAX_LINES = 20
MAX_OFFERINGS = 100
MAX_DEPTH = 8
MOST_NUMBER = 2**53
SESSION = "session"
"""The kind of an offering that is a session type."""

SHOP_WORDS = frozenset(
    (
        "all api basket book checkout day media month new private search sessions static timetable"
    ).split()
)
"""Words that addresses of the shop use below its venue, or may come to use: no type and no
category has one of them. What no venue can have is in domain/venue_rules.py."""

CURRENCIES = frozenset(
    (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP"
        " BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP"
        " GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES"
        " KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU"
        " MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON"
        " RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND"
        " TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW"
    ).split()
)

DETAILS = (
    "name", "slug", "summary", "description", "image_id", "category_ids", "duration", "currency",
    "bring", "spec", "meta_title", "meta_description", "product_code", "external_id",
    "revenue_centre", "cross_sell_offerings", "upsell_offerings", "related_retail_offerings",
)  # fmt: skip
"""What a type is: the fields of its first page."""

ACCESS = (
    "visibility", "offered_online", "customers_only", "members_only",
    "permitted_membership_type_ids", "max_advance_bookings_interval",
    "min_advance_bookings_interval", "membership_booking_windows_enabled",
    "membership_booking_windows", "customer_cancellation_permitted",
    "customer_cancellation_min_duration", "late_after_minutes", "late_fee", "no_show_fee",
    "fees_waivable_hours", "min_guests", "max_guests", "max_baskets_per_session",
    "max_per_basket", "max_per_guest", "max_bookings_per_member", "waitlist_enabled",
    "hidden_on_schedule", "include_pricing_on_calendar",
)  # fmt: skip
"""Who may book it, when, and how many: the fields of its second page."""

NEW_TYPE: Mapping[str, Any] = {
    "duration": 60,
    "min_guests": 1,
    "visibility": "public",
    "customer_cancellation_permitted": "disallowed",
    "include_pricing_on_calendar": False,
}
"""A type made from its name alone (CONTRACT 9); not yet offered online."""

NEW_ON_PAGE: Mapping[str, Any] = {
    "customer_cancellation_permitted": "allowed",
    "include_pricing_on_calendar": True,
}
"""What the page asks for beside the name: people expect prices on a calendar, and a way back;
what a program leaves out is what the contract says."""

FIXED = ("id", "site_id", "organisation_id")
"""What a type is once and for all: it may be repeated, as whoever fetched it does (C16)."""

INTERVALS = (
    "max_advance_bookings_interval",
    "min_advance_bookings_interval",
    "customer_cancellation_min_duration",
)

WINDOWS = "membership_booking_windows"

OFFERINGS = ("cross_sell_offerings", "upsell_offerings", "related_retail_offerings")

FEES = ("late_fee", "no_show_fee")
"""Sums for one guest: given as text with its currency, or in minor units."""

UNITS = {"minutes": "PT{}M", "hours": "PT{}H", "days": "P{}D", "weeks": "P{}W", "months": "P{}M"}
"""How people say an interval, and how it is stored; days, weeks and months step the calendar."""

_SHAPES = {
    "minutes": r"PT(\d+)M",
    "hours": r"PT(\d+)H",
    "days": r"P(\d+)D",
    "weeks": r"P(\d+)W",
    "months": r"P(\d+)M",
}
_MARKUP = re.compile(r"<[^>]*>|[<>]")
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class WrongFields(RuleBroken):
    """Some fields can't be saved as they are; all are named at once (CONTRACT 9)."""

    code = "wrong_fields"

    def __init__(self, problems: list[RuleBroken]) -> None:
        first = problems[0]
        super().__init__(first.sentence, field=first.field)
        self.problems = tuple(problems)


@dataclass(slots=True)
class Reading:
    """What was read of the fields given: tidy values, and what is wrong with the others."""

    values: dict[str, Any] = field(default_factory=dict)
    problems: list[RuleBroken] = field(default_factory=list)


def read_fields(given: Mapping[str, Any], before: Mapping[str, Any]) -> Reading:
    """Tidy the fields `given`, absent ones left alone, and check them against those `before` (R3).

    Knows nothing of the venue: whether what is referred to exists is asked elsewhere (R22).
    """
    reading = Reading()
    for name, value in _one_visibility(given, before, reading).items():
        rule = _RULES.get(name)
        if rule is None:
            continue
        try:
            reading.values[name] = _as_it_was(name, value, rule(value), before)
        except RuleBroken as broken:
            _note(reading, name, broken)
    after = {**before, **reading.values}
    for check in (_guests_in_order, _window_in_order, _late_is_said):
        try:
            check(after, reading.values)
        except RuleBroken as broken:
            reading.problems.append(broken)
    return reading


def find_other_identity(
    given: Mapping[str, Any], own: Mapping[str, str | None]
) -> list[RuleBroken]:
    """What is `given` as another identity than its `own`, each under its field (C16)."""
    return [
        RuleBroken("This can't be another one.", code="fixed", field=name)
        for name, value in own.items()
        if name in given and given[name] != value
    ]


def slug_of(name: str) -> str:
    """An address made of a name: "Évening bath" is "evening-bath"."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-") or "session"
    return f"{slug}-sessions" if slug in SHOP_WORDS else slug


def check_slug(text: Any) -> str:
    """The last part of a type's address, or RuleBroken."""
    slug = str(text or "").strip().lower()
    if not _SLUG.fullmatch(slug) or len(slug) > 80:
        raise RuleBroken(
            "Use small letters, digits and hyphens, like evening-bath.", code="slug", field="slug"
        )
    if slug in SHOP_WORDS:
        raise RuleBroken(f"“{slug}” is used by the shop itself. Add a word.", code="slug")
    return slug


def interval_of(number: str, unit: str) -> str | None:
    """The ISO duration of what a person typed and chose; None when nothing is typed.

    Raises RuleBroken. An ISO duration typed as it is counts too.
    """
    typed = number.strip()
    if not typed:
        return None
    if unit == "exact" or typed.upper().startswith("P"):
        Interval.parse(typed)
        return typed.upper()
    if unit not in UNITS:
        raise RuleBroken("Choose minutes, hours, days, weeks or months.", code="duration")
    if not (typed.isascii() and typed.isdecimal() and len(typed) <= 4):
        raise RuleBroken(f"Enter a whole number of {unit}, at most 9999.", code="duration")
    return UNITS[unit].format(int(typed))


def split_interval(text: str | None) -> tuple[str, str]:
    """The number and unit of a stored interval, "" for none; "exact" when it has no one unit."""
    if not text:
        return "", "days"
    for unit, shape in _SHAPES.items():
        match = re.fullmatch(shape, text)
        if match:
            return str(int(match[1])), unit
    return text, "exact"


def say_interval(text: str | None) -> str:
    """2 days, 1 hour; empty for none."""
    number, unit = split_interval(text)
    if not number or unit == "exact":
        return number
    return f"{number} {unit.removesuffix('s') if number == '1' else unit}"


def state_of(*, is_archived: bool, visibility: str, offered_online: bool) -> str:
    """Where a type can be bought: on_sale, link_only, staff_only or archived (R30)."""
    if is_archived:
        return "archived"
    if not offered_online or visibility == "private":
        return "staff_only"
    return "on_sale" if visibility == "public" else "link_only"


def tidy_windows(value: Any) -> list[dict[str, Any]]:
    """Booking windows by membership type in one shape and order, one for each.

    Those that a form leaves empty are left out; one that a program writes without an end on
    either side says that these members may book at any time.
    """
    found: list[dict[str, Any]] = []
    for window in value or []:
        opens = _interval(window.get("max_advance_bookings_interval"))
        closes = _interval(window.get("min_advance_bookings_interval"))
        _check_window(opens, closes, WINDOWS)
        if any(one["membership_type_id"] == window["membership_type_id"] for one in found):
            raise RuleBroken("One membership type is there twice.", code="twice", field=WINDOWS)
        if opens or closes or not _is_typed_window(window):
            found.append(
                {
                    "membership_type_id": str(window["membership_type_id"]),
                    "max_advance_bookings_interval": opens,
                    "min_advance_bookings_interval": closes,
                }
            )
    return sorted(found, key=lambda window: str(window["membership_type_id"]))


def plain_text(value: Any, *, most: int) -> str:
    """One line of text without markup or unseen characters (D5); raises RuleBroken."""
    text = " ".join(unicodedata.normalize("NFC", str(value or "")).split())
    if len(text) > most:
        raise RuleBroken(f"That is too long. Use at most {most} characters.", code="too_long")
    if _MARKUP.search(text):
        raise RuleBroken("Leave out the < and > signs.", code="markup")
    if any(_is_unseen(letter) for letter in text):
        raise RuleBroken("Leave out the characters that can't be seen.", code="markup")
    return text


def _note(reading: Reading, name: str, broken: RuleBroken) -> None:
    reading.problems.append(
        RuleBroken(broken.sentence, code=broken.code, field=broken.field or name)
    )


def _one_visibility(
    given: Mapping[str, Any], before: Mapping[str, Any], reading: Reading
) -> dict[str, Any]:
    """`visibility` and `private` brought into one form, old words read (C1, C2)."""
    found = {name: value for name, value in given.items() if name != "private"}
    if "visibility" not in given and "private" in given:
        now, is_private = before.get("visibility", "public"), given["private"] in (True, "true")
        if now != "private":
            found["visibility"] = "link_only" if is_private else "public"
    if found.get("visibility") == "hidden":
        found["visibility"] = "link_only"
    if found.get("visibility") == "members_only":
        if given.get("members_only") in (False, "false"):
            sentence = "Members only contradicts itself here. Choose one."
            _note(reading, "members_only", RuleBroken(sentence, code="contradiction"))
        found["visibility"], found["members_only"] = "public", True
    return found


def _as_it_was(name: str, given: Any, value: Any, before: Mapping[str, Any]) -> Any:
    """What a page could only show in other words is no change; what is written anew is kept so.

    A form shows PT120M as 120 minutes; a program that writes P1W over P7D reads P1W afterwards.
    """
    was = before.get(name)
    if name in INTERVALS and _is_typed(given):
        return was if value and was and Interval.parse(value) == Interval.parse(was) else value
    if name == WINDOWS:
        # A window without an end on either side looks like none in a form.
        open_ones = [one for one in was or () if not any(one.get(edge) for edge in INTERVALS[:2])]
        typed = {one["membership_type_id"] for one in given or () if _is_typed_window(one)}
        named = {one["membership_type_id"] for one in value}
        kept = [one for one in open_ones if one["membership_type_id"] in typed - named]
        return sorted([*value, *kept], key=lambda one: str(one["membership_type_id"]))
    return _with_names(value, was or ()) if name in OFFERINGS else value


def _is_typed(given: Any) -> bool:
    """A number and a unit, as a form sends them."""
    return isinstance(given, list | tuple)


def _is_typed_window(window: Mapping[str, Any]) -> bool:
    return any(_is_typed(window.get(edge)) for edge in INTERVALS[:2])


def _with_names(
    value: list[dict[str, Any]], was: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Goods keep the name they had: nothing else here knows what they are called."""
    names = {
        (one.get("offering_type"), one.get("offering_id")): one.get("offering_name") for one in was
    }
    found = []
    for one in value:
        if one["offering_type"] != SESSION and not one.get("offering_name"):
            kept = names.get((one["offering_type"], one["offering_id"]))
            one = {**one, "offering_name": kept or one.get("display_name") or one["offering_id"]}
        found.append(one)
    return found


def _guests_in_order(after: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    least, most = after.get("min_guests"), after.get("max_guests")
    if not {"min_guests", "max_guests"} & set(values) or least is None or most is None:
        return
    if most < least:
        raise RuleBroken(
            f"Enter {least} or more, or leave it empty for any number.",
            code="guests_in_order",
            field="max_guests",
        )


def _window_in_order(after: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    names = ("max_advance_bookings_interval", "min_advance_bookings_interval")
    if not set(names) & set(values):
        return
    opens, closes = (after.get(name) for name in names)
    _check_window(opens, closes, names[0])


def _late_is_said(after: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    if not {"late_fee", "late_after_minutes"} & set(values) or after.get("late_fee") is None:
        return
    if after.get("late_after_minutes") is None:
        raise RuleBroken(
            "Say after how many minutes somebody is late, or leave the fee empty.",
            code="late_after",
            field="late_after_minutes",
        )


def _check_window(opens: str | None, closes: str | None, name: str) -> None:
    if not opens or not closes:
        return
    # A month has 28 to 31 days: refused is only what can never be right.
    if _seconds(Interval.parse(opens), 31) < _seconds(Interval.parse(closes), 28):
        raise RuleBroken(
            "Booking would close before it opens. Let it open earlier, or close later.",
            code="window_in_order",
            field=name,
        )


def _seconds(interval: Interval, days_of_a_month: int) -> int:
    return (interval.months * days_of_a_month + interval.days) * 86400 + interval.seconds


def _name(value: Any) -> str:
    return check_name(str(value or ""), who="a name")


def _line(most: int) -> Callable[[Any], str]:
    return lambda value: plain_text(value, most=most)


def _line_or_none(most: int) -> Callable[[Any], str | None]:
    return lambda value: plain_text(value, most=most) or None


def _markdown(value: Any) -> str:
    text = unicodedata.normalize("NFC", str(value or "")).replace("\r\n", "\n").strip()
    if len(text) > MAX_DESCRIPTION:
        sentence = f"That is too long. Use at most {MAX_DESCRIPTION:,} characters."
        raise RuleBroken(sentence, code="too_long")
    if any(_is_unseen(letter) for letter in text if letter not in "\n\t"):
        raise RuleBroken("Leave out the characters that can't be seen.", code="markup")
    return text


def _is_unseen(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cs") or letter in _TURNING


def _currency(value: Any) -> str:
    code = str(value or "").strip().upper()
    if code not in CURRENCIES:
        raise RuleBroken("Enter a currency's three letters, like GBP.", code="currency")
    return code


def _whole(
    least: int, most: int, what: str, *, may_be_empty: bool, empty: str = "for no limit"
) -> Callable[[Any], int | None]:
    def rule(value: Any) -> int | None:
        if value is None or value == "":
            if may_be_empty:
                return None
        elif not isinstance(value, bool):
            text = str(value).strip()
            is_number = text.isascii() and text.isdecimal() and len(text) < 8
            if is_number and least <= int(text) <= most:
                return int(text)
        ending = f", or leave it empty {empty}" if may_be_empty else ""
        raise RuleBroken(f"Enter a whole number {what}{ending}.", code="number")

    return rule


def _yes_or_no(value: Any) -> bool:
    if value in (True, "true"):
        return True
    if value in (False, "false"):
        return False
    raise RuleBroken("Tick it or leave it.", code="yes_or_no")


def _sum(value: Any) -> int | None:
    """A sum above 0 in minor units; nothing, and 0, are no sum."""
    if isinstance(value, list | tuple):
        text, currency = value
        if not str(text).strip():
            return None
        try:
            value = read_amount(str(text), str(currency))
        except ValueError as error:
            raise RuleBroken("Enter a sum like 10 or 12.50.", code="sum") from error
    if value in (None, "", 0):
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < MAX_SUM:
        raise RuleBroken("That is more than anything costs here.", code="sum")
    return value


def _one_of(words: tuple[str, ...]) -> Callable[[Any], str]:
    def rule(value: Any) -> str:
        if value not in words:
            raise RuleBroken("Choose one of these.", code="choice")
        return str(value)

    return rule


def _interval(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, list | tuple):
        return interval_of(*value)
    Interval.parse(str(value))
    return str(value).strip().upper()


def _ids(value: Any) -> list[str]:
    found = value if isinstance(value, list | tuple) else []
    return sorted({str(one) for one in found if _ID.fullmatch(str(one))})


def _id_or_none(value: Any) -> str | None:
    return str(value).strip() or None if value else None


def _lines(value: Any) -> list[str]:
    lines = [plain_text(line, most=120) for line in (value or [])]
    found = [line for line in lines if line]
    if len(found) > MAX_LINES:
        raise RuleBroken(f"Use at most {MAX_LINES} lines.", code="too_long")
    return found


def _spec(value: Any) -> list[list[str]]:
    pairs = []
    for pair in value or []:
        name, said = (plain_text(part, most=120) for part in pair)
        if not name or not said:
            raise RuleBroken("Write each line like “Water: 38 degrees”.", code="spec")
        pairs.append([name, said])
    if len(pairs) > MAX_LINES:
        raise RuleBroken(f"Use at most {MAX_LINES} lines.", code="too_long")
    return pairs


def _offerings(value: Any) -> list[dict[str, Any]]:
    found = [_offering(one) for one in value or []]
    if len(found) > MAX_OFFERINGS:
        raise RuleBroken(f"Name at most {MAX_OFFERINGS} of them.", code="too_long")
    return found


def _offering(one: Mapping[str, Any]) -> dict[str, Any]:
    """A reference to another offering with what is said of it; a session has its type's name."""
    texts = {
        name: plain_text(one.get(name), most=200)
        for name in ("offering_type", "offering_id", "offering_name", "display_name")
    }
    if not texts["offering_type"] or not texts["offering_id"]:
        raise RuleBroken("Say what each of them is: its kind and its id.", code="offering")
    if texts["offering_type"] == SESSION:
        texts.pop("offering_name")
    found: dict[str, Any] = {name: text for name, text in texts.items() if text}
    if one.get("offering_config") is not None:
        found["offering_config"] = _plain_json(dict(one["offering_config"]))
    return found


def _plain_json(value: Any, depth: int = 0) -> Any:
    """The same value if every database and every reader of JSON can keep it; raises RuleBroken."""
    if depth > MAX_DEPTH:
        raise RuleBroken("That is too deep. Say it in fewer levels.", code="too_long")
    if isinstance(value, dict):
        for name in value:
            _plain_json(name)
        return {name: _plain_json(each, depth + 1) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain_json(each, depth + 1) for each in value]
    is_odd = (
        any(_is_unseen(letter) for letter in value if letter not in "\n\t")
        if isinstance(value, str)
        else isinstance(value, int | float) and not -MOST_NUMBER <= value <= MOST_NUMBER
    )
    if is_odd:
        raise RuleBroken("Leave out what can't be seen or counted.", code="markup")
    return value


_NUMBER = f"from 1 to {MAX_NUMBER}"
_RULES: Mapping[str, Callable[[Any], Any]] = {
    "name": _name,
    "slug": check_slug,
    "summary": _line(300),
    "description": _markdown,
    "image_id": _id_or_none,
    "category_ids": _ids,
    "duration": _whole(1, MAX_DURATION, "of minutes from 1 to 1440", may_be_empty=False),
    "currency": _currency,
    "bring": _lines,
    "spec": _spec,
    "meta_title": _line(120),
    "meta_description": _line(320),
    "product_code": _line_or_none(100),
    "external_id": _line_or_none(100),
    "revenue_centre": _line_or_none(100),
    "cross_sell_offerings": _offerings,
    "upsell_offerings": _offerings,
    "related_retail_offerings": _offerings,
    "visibility": _one_of(VISIBILITIES),
    "offered_online": _yes_or_no,
    "customers_only": _yes_or_no,
    "members_only": _yes_or_no,
    "permitted_membership_type_ids": _ids,
    "max_advance_bookings_interval": _interval,
    "min_advance_bookings_interval": _interval,
    "membership_booking_windows_enabled": _yes_or_no,
    "membership_booking_windows": tidy_windows,
    "customer_cancellation_permitted": _one_of(CANCELLING),
    "customer_cancellation_min_duration": _interval,
    "late_after_minutes": _whole(
        0,
        MAX_LATE_MINUTES,
        f"of minutes up to {MAX_LATE_MINUTES}",
        may_be_empty=True,
        empty="if nobody pays for being late",
    ),
    "late_fee": _sum,
    "no_show_fee": _sum,
    "fees_waivable_hours": _whole(
        1,
        MAX_WAIVABLE_HOURS,
        f"of hours from 1 to {MAX_WAIVABLE_HOURS}",
        may_be_empty=True,
        empty="for no end",
    ),
    "min_guests": _whole(1, MAX_NUMBER, _NUMBER, may_be_empty=False),
    "max_guests": _whole(1, MAX_NUMBER, _NUMBER, may_be_empty=True),
    "max_baskets_per_session": _whole(1, MAX_NUMBER, _NUMBER, may_be_empty=True),
    "max_per_basket": _whole(1, MAX_NUMBER, _NUMBER, may_be_empty=True),
    "max_per_guest": _whole(1, MAX_NUMBER, _NUMBER, may_be_empty=True),
    "max_bookings_per_member": _whole(1, MAX_NUMBER, _NUMBER, may_be_empty=True),
    "waitlist_enabled": _yes_or_no,
    "hidden_on_schedule": _yes_or_no,
    "include_pricing_on_calendar": _yes_or_no,
}
