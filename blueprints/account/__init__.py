"""A customer's account: doors, mailed links, own bookings and settings."""

from blueprints.account import (
    bookings,
    closing,
    confirming,
    details,
    doors,
    feed,
    letters,
    links,
    passkeys,
    second_step,
    security,
)
from blueprints.account.area import bp

__all__ = [
    "bookings",
    "bp",
    "closing",
    "confirming",
    "details",
    "doors",
    "feed",
    "letters",
    "links",
    "passkeys",
    "second_step",
    "security",
]
