"""The organisation's own data, to take along: archives made, watched, fetched and deleted."""

from blueprints.archives.routes import bp

__all__ = ["bp"]
