"""The shopfront: the list of venues, a venue's offers, and the month of prices."""

from blueprints.shop import private, robots
from blueprints.shop.routes import bp

__all__ = ["bp", "private", "robots"]
