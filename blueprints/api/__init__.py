"""The Shop API: the contract, served from the same rules as the pages."""

from blueprints.api import price_rules, routes, session_bookings, waiting_lists
from blueprints.api.area import bp

__all__ = ["bp", "price_rules", "routes", "session_bookings", "waiting_lists"]
