"""A customer's account: doors, mailed links, own bookings and settings."""

from blueprints.account import bookings, closing, details, doors, feed, letters, links
from blueprints.account.area import bp

__all__ = ["bookings", "bp", "closing", "details", "doors", "feed", "letters", "links"]
