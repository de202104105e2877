"""Webhooks: what is told to other programs, to which addresses, signed how, and tried how often."""

import datetime as dt
import hashlib
import hmac
import ipaddress
import json
import re
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import SplitResult, urlsplit

from domain.errors import RuleBroken

PREFIX = "whsec_"
"""Programs that look for secrets in public places know ours by it."""

MOST = 20
"""Webhooks of an organisation: everything that happens is written down once for each."""

LONGEST_URL = 2000

PING = "ping"
KINDS: Mapping[str, str] = {
    "booking.created": "A booking was made",
    "booking.changed": "A booking was moved, or its guests changed",
    "booking.cancelled": "A booking was cancelled",
    "booking.checked_in": "Somebody was checked in",
    "booking.no_show": "Somebody did not come",
    "booking.stage_changed": "A visit reached another stage",
    "waitlist.joined": "A party joined a waitlist",
    "waitlist.offered": "A party was offered a place",
    "waitlist.left": "A party left a waitlist, or its entry ended",
    "session.created": "A session was added",
    "session.changed": "A session changed",
    "session.cancelled": "A session was cancelled",
    "session.restored": "A cancelled session came back",
    "session_type.created": "A session type was added",
    "session_type.changed": "A session type changed, or its prices, form or categories",
    "session_type.archived": "A session type was archived",
    "session_type.restored": "An archived session type came back",
}
"""What a webhook may be told, in the order in which the page offers it."""

GROUPS: Sequence[tuple[str, str]] = (
    ("booking", "Bookings"),
    ("waitlist", "Waitlists"),
    ("session", "Sessions"),
    ("session_type", "Session types"),
)

API_PATHS = {
    "session_booking": "/api/shop/session-bookings/",
    "session": "/api/shop/sessions/",
    "session_type": "/api/shop/session-types/",
}
"""Where the thing itself is read, with a token: nothing personal leaves by webhook."""

WAITS = (
    dt.timedelta(minutes=1),
    dt.timedelta(minutes=5),
    dt.timedelta(minutes=30),
    dt.timedelta(hours=2),
    dt.timedelta(hours=6),
    dt.timedelta(hours=12),
)
"""How long after each failure it is tried again; after one more it is given up."""

TRIES = len(WAITS) + 1
LONGEST_REST = dt.timedelta(minutes=30)
"""An address that doesn't answer is left alone so long at most: others wait behind it."""

FAILING_FOR = dt.timedelta(days=3)
"""A webhook that has failed for so long without one success is paused."""

OLDER_FOR = dt.timedelta(hours=24)
"""A secret that was replaced signs along for so long."""

ANSWER_KEPT = 500
"""Characters of an answer that the log keeps."""

BY_HAND, GONE, FAILING = "hand", "gone", "failing"
"""Why a webhook is paused."""


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the trail, as it was written with the change itself.

    `status` and `session_id` are those of the booking it is about, at the end of the deed.
    """

    subject: str
    subject_id: str
    about: str
    about_id: str
    act: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    site_id: str | None
    at: dt.datetime
    status: str = ""
    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to one thing; `changed` names fields, never what they hold."""

    kind: str
    thing: str
    id: str
    site_id: str | None
    at: dt.datetime
    changed: tuple[str, ...] = ()
    session_id: str | None = None


class UrlRefused(RuleBroken):
    """An address that nothing is sent to."""

    code = "url_refused"

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, field="url")


# What happened


_Told = Iterator[tuple[str, tuple[str, ...]]]

_BOOKING_FIELDS = {
    "session_id": "session_id",
    "places": "guests",
    "customer_id": "customer_id",
    "checked_in_at": "checked_in_at",
    "is_no_show": "is_no_show",
    "cancelled_at": "cancelled_at",
}
_OWN_KIND = {
    "cancelled_at": "booking.cancelled",
    "checked_in_at": "booking.checked_in",
    "is_no_show": "booking.no_show",
}
_SESSION_FIELDS = (
    *("start_time", "end_time", "capacity", "max_baskets", "waitlist_enabled"),
    *("practitioner_id", "room_id", "price", "session_type_name"),
)
_UNTOLD_OF_TYPE = ("deleted_at", "link_key")
_PARTS_OF_TYPE = {
    "price_rules": "price_rules",
    "intake_forms": "intake_form",
    "session_type_categories": "category_ids",
}


def events_of(changes: Iterable[Change]) -> tuple[Event, ...]:
    """What the changes of one deed come to: each kind once for each thing, in their order.

    What was created is not said to have changed as well, nor what is gone.
    """
    found: dict[tuple[str, str], Event] = {}
    for change in changes:
        thing, say = _SAYS.get(change.about, ("", _of_nothing))
        for kind, fields in say(change):
            key = (kind, change.about_id)
            event = found.get(key) or Event(
                kind, thing, change.about_id, change.site_id, change.at,
                session_id=change.session_id,
            )  # fmt: skip
            names = dict.fromkeys((*event.changed, *fields))
            found[key] = replace(event, changed=tuple(names))
    swallowed = {
        (f"{kind.partition('.')[0]}.changed", thing_id)
        for kind, thing_id in found
        if kind.endswith((".created", ".cancelled", ".archived"))
    }
    return tuple(event for key, event in found.items() if key not in swallowed)


def session_made(session_id: str, site_id: str, at: dt.datetime) -> Event:
    """A session that its series brought: the trail speaks of the series only."""
    return Event("session.created", "session", session_id, site_id, at)


def _of_nothing(_: Change) -> _Told:
    yield from ()


def _of_booking(change: Change) -> _Told:
    if change.subject == "guests":
        names = {*change.before, *change.after}
        if change.status == "confirmed" and names != {"form_secret"}:
            yield "booking.changed", ("guests",)
    elif change.subject == "session_bookings":
        if change.act == "made":
            yield from _of_made(str(change.after.get("status")))
        elif change.act == "changed":
            yield from _of_changed_booking(change)


def _of_made(status: str) -> _Told:
    if status == "confirmed":
        yield "booking.created", ()
    elif status == "waitlisted":
        yield "waitlist.joined", ()


def _of_changed_booking(change: Change) -> _Told:
    after = change.after
    if after.get("status") == "confirmed":
        yield "booking.created", ()
    if after.get("offered_at") is not None:
        yield "waitlist.offered", ()
    if change.status == "confirmed":
        yield from _of_standing(after)
    elif after.get("cancelled_at") is not None:
        yield "waitlist.left", ()


def _of_standing(after: Mapping[str, Any]) -> _Told:
    """A booking that stands; what is taken back has no kind of its own."""
    for name, kind in _OWN_KIND.items():
        if after.get(name):
            yield kind, ()
    if "stage" in after:
        yield "booking.stage_changed", ("stage",)
    fields = [name for name in after if not (name in _OWN_KIND and after[name])]
    names = tuple(_BOOKING_FIELDS[name] for name in fields if name in _BOOKING_FIELDS)
    if names:
        yield "booking.changed", names


def _of_session(change: Change) -> _Told:
    if change.subject != "sessions":
        return
    if change.act == "made":
        yield "session.created", ()
    elif change.act == "removed":
        if change.before.get("deleted_at") is None:
            yield "session.cancelled", ()
    else:
        yield from _of_end(change, "session.cancelled", "session.restored")
        fields = tuple(name for name in _SESSION_FIELDS if name in change.after)
        if fields:
            yield "session.changed", fields


def _of_type(change: Change) -> _Told:
    part = _PARTS_OF_TYPE.get(change.subject)
    if part is not None:
        yield "session_type.changed", (part,)
    elif change.subject != "session_types":
        return
    elif change.act == "made":
        yield "session_type.created", ()
    elif change.act == "removed":
        yield "session_type.archived", ()
    else:
        yield from _of_end(change, "session_type.archived", "session_type.restored")
        names = dict.fromkeys((*change.before, *change.after))
        fields = [_PARTS_OF_TYPE.get(name, name) for name in names if name not in _UNTOLD_OF_TYPE]
        if fields:
            yield "session_type.changed", tuple(fields)


def _of_end(change: Change, ended: str, back: str) -> _Told:
    if "deleted_at" in change.after:
        yield (ended if change.after["deleted_at"] is not None else back), ()


_SAYS = {
    "session_bookings": ("session_booking", _of_booking),
    "sessions": ("session", _of_session),
    "session_types": ("session_type", _of_type),
}


# What is sent


def payload_of(event_id: str, event: Event, organisation_id: str) -> dict[str, Any]:
    """What a webhook says of an event: ids, kinds and names of fields, nothing personal."""
    told: dict[str, Any] = {"object": event.thing, "id": event.id}
    if event.session_id:
        told["session_id"] = event.session_id
    if event.changed:
        told["changed"] = list(event.changed)
    if event.thing in API_PATHS:
        told["url"] = API_PATHS[event.thing] + event.id
    return {
        "id": event_id,
        "type": event.kind,
        "created_at": event.at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "organisation_id": organisation_id,
        "site_id": event.site_id,
        "data": told,
    }


def body_of(payload: Mapping[str, Any], public_address: str) -> bytes:
    """The bytes that are sent and signed; addresses of ours become whole ones."""
    told = dict(payload["data"])
    if "url" in told:
        told["url"] = public_address + told["url"]
    return json.dumps({**payload, "data": told}, ensure_ascii=False, indent=1).encode()


def new_secret() -> str:
    """A secret nobody can guess: 256 random bits behind the prefix."""
    return PREFIX + secrets.token_urlsafe(32)


def sign(secret: str, at: int, body: bytes) -> str:
    """HMAC-SHA256 of "<unix time>.<body>" in hex: the time is signed, so nobody can renew it."""
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


def signature_header(secrets_: Iterable[str], at: int, body: bytes) -> str:
    """`t=<unix time>,v1=<hex>`, with a v1 for each secret that is valid."""
    return ",".join((f"t={at}", *(f"v1={sign(secret, at, body)}" for secret in secrets_)))


def wait_after(attempt: int) -> dt.timedelta | None:
    """How long to wait after the `attempt`th failure, from 1; None when it is given up."""
    return WAITS[attempt - 1] if attempt <= len(WAITS) else None


def rest_after(failures: int) -> dt.timedelta:
    """How long an address that failed so often in a row is left alone by everything."""
    return min(wait_after(failures) or LONGEST_REST, LONGEST_REST)


def read_kinds(wanted: Collection[str]) -> list[str]:
    """The chosen kinds in our order; raises RuleBroken."""
    if not set(wanted) <= set(KINDS):
        raise RuleBroken("Choose events from the list.", code="kind_unknown", field="kinds")
    if not wanted:
        raise RuleBroken("Choose at least one event.", code="no_kinds", field="kinds")
    return [kind for kind in KINDS if kind in wanted]


# Where it goes


@dataclass(frozen=True, slots=True)
class Address:
    """Where a webhook goes, taken apart."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def host_header(self) -> str:
        """The host as HTTP names it: without the port that goes without saying."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"https": 443, "http": 80}[self.scheme]
        return host if self.port == usual else f"{host}:{self.port}"


_WRITTEN = re.compile(r"[!-~]+")
_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_-]{1,63}\.?", re.I)
_OWN = ("localhost", ".localhost", ".local", ".internal", ".home.arpa")
_ODD = "That address can’t be read. Copy it whole, like https://example.com/sundial."


def read_url(text: str, *, is_private_allowed: bool = False) -> Address:
    """An address that something may be sent to; raises UrlRefused.

    What its name leads to is asked when something is sent (`check_public`): names change.
    """
    parts, host, port = _take_apart((text or "").strip())
    if parts.scheme != "https" and not (is_private_allowed and parts.scheme == "http"):
        raise UrlRefused("Use an address that begins with https://.")
    if "@" in parts.netloc:
        raise UrlRefused("Leave out the user name and password: we sign what we send instead.")
    if parts.fragment:
        raise UrlRefused("Leave out the part after #: it is never sent.")
    if not is_private_allowed:
        _check_host(host)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    usual = 443 if parts.scheme == "https" else 80
    return Address(parts.scheme, host, port or usual, target)


def _take_apart(url: str) -> tuple[SplitResult, str, int | None]:
    if not url:
        raise UrlRefused("Enter the address that we send to.")
    if len(url) > LONGEST_URL:
        raise UrlRefused(f"That address is too long. Use at most {LONGEST_URL} characters.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise UrlRefused(_ODD) from error
    if not _WRITTEN.fullmatch(url) or not host or "\\" in url or port == 0:
        raise UrlRefused(_ODD)
    return parts, host, port


def _check_host(host: str) -> None:
    number = _number_of(host)
    if number is not None and not is_public(number):
        raise UrlRefused("That address is inside a private network. We send to public ones only.")
    if number is None and (not _HOST.fullmatch(host) or "." not in host.rstrip(".")):
        raise UrlRefused(_ODD)
    if f".{host.rstrip('.').lower()}".endswith(tuple("." + it.lstrip(".") for it in _OWN)):
        raise UrlRefused("That address is inside a private network. We send to public ones only.")


def _number_of(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def is_public(address: str) -> bool:
    """Whether an IP address is reached over the internet, looked at through every wrapping."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(
        one.is_global and not one.is_multicast and not one.is_reserved and not one.is_unspecified
        for one in (found, *_wrapped(found))
        if not (one is found and _is_mapped(found))
    )


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def _is_mapped(found: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None


def _wrapped(
    found: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> Iterator[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 one leads to: mapped, tunnelled or translated."""
    if isinstance(found, ipaddress.IPv4Address):
        return
    for one in (found.ipv4_mapped, found.sixtofour, *(found.teredo or ())):
        if one is not None:
            yield one
    if found in _NAT64:
        yield ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)


def check_public(addresses: Sequence[str]) -> None:
    """Every address that a name leads to is public; raises UrlRefused.

    Every one: whoever owns the name could answer with a good and a bad one.
    """
    if not addresses:
        raise UrlRefused("The name in the address leads nowhere.")
    if not all(is_public(address) for address in addresses):
        raise UrlRefused("The name leads into a private network. We send to public ones only.")
