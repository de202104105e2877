"""The page to come back to, by an unguessable link."""

from blueprints.bookings import changes, fee_letters, intake, letters, moves, releases
from blueprints.bookings.routes import bp

__all__ = ["bp", "changes", "fee_letters", "intake", "letters", "moves", "releases"]
