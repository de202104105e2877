"""The history of things: what was changed, by whom, and how to undo it."""

from blueprints.trail.routes import bp

__all__ = ["bp"]
