"""The reception desk: schedule, roster and everything that is tapped on it."""

from blueprints.desk import changes, fees, overview
from blueprints.desk.routes import bp

__all__ = ["bp", "changes", "fees", "overview"]
