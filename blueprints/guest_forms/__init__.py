"""A guest's own questions, by a link that shows nothing else of the order."""

from blueprints.guest_forms.routes import bp

__all__ = ["bp"]
