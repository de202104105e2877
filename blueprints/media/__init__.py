"""The library of pictures, and the addresses that they are shown from."""

from blueprints.media.routes import bp

__all__ = ["bp"]
