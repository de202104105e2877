"""The kiosk at the door, and its sign-in in the back office."""

from blueprints.kiosk import house
from blueprints.kiosk.routes import bp

__all__ = ["bp", "house"]
