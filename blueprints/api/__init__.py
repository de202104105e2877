"""The Shop API: the contract, served from the same rules as the pages."""

from blueprints.api import (
    categories,
    customers,
    media,
    membership_types,
    practitioners,
    price_rules,
    recurrence_groups,
    rooms,
    routes,
    session_types,
    sites,
    zones,
)
from blueprints.api.area import bp

__all__ = [
    "bp",
    "categories",
    "customers",
    "media",
    "membership_types",
    "practitioners",
    "price_rules",
    "recurrence_groups",
    "rooms",
    "routes",
    "session_types",
    "sites",
    "zones",
]
