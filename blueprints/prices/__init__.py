"""The price rules of a session type: one draft, its preview, and saving it."""

from blueprints.prices.routes import bp

__all__ = ["bp"]
