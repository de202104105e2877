"""The page to come back to, by an unguessable link."""

from blueprints.bookings import intake, letters
from blueprints.bookings.routes import bp

__all__ = ["bp", "intake", "letters"]
