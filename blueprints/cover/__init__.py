"""A practitioner falls ill, a room is out of use: who and what stands in."""

from blueprints.cover.routes import bp

__all__ = ["bp"]
