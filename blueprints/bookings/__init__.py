"""The page to come back to, by an unguessable link."""

from blueprints.bookings import changes, intake, letters, moves, releases
from blueprints.bookings.routes import bp

__all__ = ["bp", "changes", "intake", "letters", "moves", "releases"]
