"""The minutes without a connection: the desk's worker, and what it asks the house for."""

from blueprints.offline.routes import bp

__all__ = ["bp"]
