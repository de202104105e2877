"""The waiting list: joining it, an entry's own page, and the list at the desk."""

from blueprints.waiting import desk, letters
from blueprints.waiting.routes import bp

__all__ = ["bp", "desk", "letters"]
