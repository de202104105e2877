"""Long work: how far it is, what was refused, and how to stop it."""

from blueprints.works.routes import bp

__all__ = ["bp"]
