"""Dated sessions one by one: a new one, and another time, room or person for one that stands."""

from blueprints.sessions import edits, making
from blueprints.sessions.area import bp

__all__ = ["bp", "edits", "making"]
