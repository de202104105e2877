"""The Shop API: the contract, served from the same rules as the pages."""

from blueprints.api import (
    calendar,
    price_rules,
    recurrence_groups,
    routes,
    session_bookings,
    session_types,
    sessions,
    waiting_lists,
)
from blueprints.api.area import bp

__all__ = [
    "bp",
    "calendar",
    "price_rules",
    "recurrence_groups",
    "routes",
    "session_bookings",
    "session_types",
    "sessions",
    "waiting_lists",
]
