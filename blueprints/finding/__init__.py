"""One search box for the desk, and where the code of a ticket leads."""

from blueprints.finding.routes import bp

__all__ = ["bp"]
