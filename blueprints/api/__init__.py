"""The Shop API: the contract, served from the same rules as the pages."""

from blueprints.api import (
    calendar,
    categories,
    customers,
    media,
    membership_types,
    practitioners,
    price_rules,
    recurrence_groups,
    rooms,
    routes,
    session_bookings,
    session_types,
    sessions,
    sites,
    waiting_lists,
    webhooks,
    zones,
)
from blueprints.api.area import bp

__all__ = [
    "bp",
    "calendar",
    "categories",
    "customers",
    "media",
    "membership_types",
    "practitioners",
    "price_rules",
    "recurrence_groups",
    "rooms",
    "routes",
    "session_bookings",
    "session_types",
    "sessions",
    "sites",
    "waiting_lists",
    "webhooks",
    "zones",
]
