"""Session types as staff set them up."""

from blueprints.types import deeds, editor, routes
from blueprints.types.area import bp

__all__ = ["bp", "deeds", "editor", "routes"]
