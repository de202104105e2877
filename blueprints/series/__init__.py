"""Series of session types and the closed days of a venue, as staff set them up."""

from blueprints.series import archiving, days, editor
from blueprints.series.area import bp

__all__ = ["archiving", "bp", "days", "editor"]
