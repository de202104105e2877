"""What calendar programs subscribe to, and the timetable page beside it."""

from blueprints.feeds.routes import bp

__all__ = ["bp"]
