"""The page of a thing that the trail speaks of, and the address of its history."""

from typing import Any

from flask import url_for

_PAGES = {
    "categories": ("setup.category", "category_id"),
    "customers": ("people.customer", "customer_id"),
    "media": ("media.picture", "media_id"),
    "orders": ("orders.order", "order_id"),
    "practitioners": ("setup.person", "person_id"),
    "recurrence_groups": ("series.series", "group_id"),
    "rooms": ("setup.room", "room_id"),
    "session_types": ("types.one", "type_id"),
    "sessions": ("desk.roster", "session_id"),
    "webhooks": ("webhooks.one", "webhook_id"),
    "zones": ("setup.one_zone", "zone_id"),
}
_LISTS = {
    "accounts": "staff.people",
    "api_tokens": "staff.tokens",
    "kiosks": "kiosk.kiosks",
    "membership_types": "people.memberships",
    "organisations": "setup.organisation",
    "private_links": "links.links",
    "sites": "setup.settings",
    "staff_invitations": "staff.invitations",
}


def page_of(site: str, about: str, about_id: str, *, covers_all: bool) -> str:
    """Where it is seen and changed; empty where it has no page of its own, or none for them.

    `covers_all`: they hold their right at all venues, as the organisation's page asks.
    """
    if about == "organisations" and not covers_all:
        return ""
    if about == "webhooks" and not covers_all:
        # It may be one of all venues, whose page is not theirs.
        return url_for("webhooks.index", site=site)
    if about in _PAGES:
        endpoint, part = _PAGES[about]
        values: dict[str, Any] = {"site": site, part: about_id}
        return url_for(endpoint, **values)
    return url_for(_LISTS[about], site=site) if about in _LISTS else ""


PARTS = {
    "accounts": "account_id",
    "api_tokens": "token_id",
    "kiosks": "kiosk_id",
    "membership_types": "membership_type_id",
    "organisations": "organisation_id",
    "private_links": "link_id",
    "session_bookings": "booking_id",
    "sites": "venue_id",
    "staff_invitations": "invitation_id",
    **{about: part for about, (_, part) in _PAGES.items()},
}
"""What an id of each is called in an address."""


def history_of(site: str, about: str, about_id: str, **asked: Any) -> str:
    """The address of a thing's history; an undo is posted there."""
    values: dict[str, Any] = {"site": site, PARTS[about]: about_id, **asked}
    return url_for(f"trail.{about}", **values)
