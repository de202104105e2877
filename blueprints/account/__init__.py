"""A customer's sign-in and own bookings."""

from blueprints.account.routes import bp

__all__ = ["bp"]
