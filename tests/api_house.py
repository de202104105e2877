"""Two organisations with one of everything, as programs name it, and a token of every kind."""

import datetime as dt
import itertools
from dataclasses import dataclass, field
from typing import Any

from addresses import build_house
from factories import (
    fetch,
    make_customer,
    make_group,
    make_order,
    make_room,
    make_rule,
    make_session,
    make_type,
)

from blueprints.clock import read_clock
from models import (
    RIGHTS,
    Organisation,
    Room,
    SessionType,
    Site,
    db,
)
from services.api_tokens import make_token
from services.checkout import find_order
from services.staff import EVERYWHERE

CENTRE = "Waters"
LATER = "2026-07-01T10:00"


@dataclass
class ApiHouse:
    """A site's rows by the names that the API has for them, and tokens by what they may."""

    slug: str
    organisation_id: str
    site_id: str
    ids: dict[str, str]
    tokens: dict[str, str] = field(default_factory=dict)

    def reference(self, name: str) -> Any:
        """What a field of this name may be given: an id of ours, or a list of them."""
        if name == "price_rule_ids":
            return [self.ids["price_rule_id"]]
        singular = name.removesuffix("s")
        found = self.ids[REFERENCES.get(singular, singular)]
        return [found] if name.endswith("_ids") else found


REFERENCES = {
    "image_id": "media_id",
    "permitted_membership_type_id": "membership_type_id",
    "offering_id": "session_type_id",
    "id": "session_id",
}
"""Fields that name a thing otherwise than its address does."""


def build_api_house(slug: str, organisation_id: str = "") -> ApiHouse:
    """A venue with one of everything; with its own organisation unless one is named."""
    organisation = fetch(Organisation, organisation_id) if organisation_id else None
    known = build_house(RIGHTS, slug, organisation)
    site = fetch(Site, known["venue_id"][0])
    site.revenue_centres = [CENTRE]
    room = fetch(Room, known["room_id"][0])
    kind = make_type(site, name="Quiet hour")
    row = make_session(kind, local_start=LATER, capacity=8, room_id=room.id)
    db.session.commit()
    own = {
        name: values[0]
        for name, values in known.items()
        if name.endswith("_id") and name not in ("account_id",)
    }
    ids = {
        **own,
        "organisation_id": site.organisation_id,
        "site_id": site.id,
        "session_type_id": kind.id,
        "price_rule_id": kind.price_rules[0].id,
        "session_id": row.id,
        "recurrence_group_id": make_group(
            kind, room, recurrence_start=dt.date(2026, 7, 2), recurrence_end=dt.date(2026, 7, 30)
        ).id,
        "booking_id": _book(kind, room),
        "customer_id": make_customer(site.organisation_id, email=f"quiet@{slug}.example").id,
    }
    return ApiHouse(slug, site.organisation_id, site.id, ids)


def _book(kind: SessionType, room: Room) -> str:
    """A confirmed booking on a session of its own."""
    row = make_session(
        kind, local_start=f"2026-06-{_next_day():02}T07:00", capacity=8, room_id=room.id
    )
    return find_order(make_order(row, guests=2)).items[0].booking.id


_days = itertools.cycle(range(6, 31))
_places = itertools.count(1000, 1000)


def _next_day() -> int:
    return next(_days)


def make_fresh(house: ApiHouse, name: str) -> str:
    """One more thing of a kind, for a deed that uses it up."""
    kind = fetch(SessionType, house.ids["session_type_id"])
    room = fetch(Room, house.ids["room_id"])
    site = fetch(Site, house.site_id)
    makers: dict[str, Any] = {
        "session_type_id": lambda: make_type(site),
        "price_rule_id": lambda: make_rule(kind, price=100, position=next(_places)),
        "session_id": lambda: make_session(
            kind, local_start=f"2026-08-{_next_day():02}T10:00", room_id=room.id
        ),
        "recurrence_group_id": lambda: make_group(kind, room),
        "room_id": lambda: make_room(site, name="Little Hall"),
    }
    if name == "booking_id":
        return _book(kind, room)
    return str(makers[name]().id) if name in makers else house.ids[name]


def add_tokens(house: ApiHouse, near: ApiHouse) -> None:
    """A token of every kind: `near` is another site of the same organisation."""
    now = read_clock()

    def made(rights: Any, scope: str, lasts: int | None = None) -> str:
        ends = now + dt.timedelta(seconds=lasts) if lasts else None
        return make_token(
            house.organisation_id,
            name="A program",
            rights={scope: rights},
            by=None,
            expires_at=ends,
            now=now,
        )[1]

    house.tokens = {
        "all": made(RIGHTS, EVERYWHERE),
        "here": made(RIGHTS, house.site_id),
        "near": made(RIGHTS, near.site_id),
        "settings": made(["SETTINGS_MANAGE"], house.site_id),
        "reservations": made(["RESERVATIONS_MANAGE"], house.site_id),
    }
