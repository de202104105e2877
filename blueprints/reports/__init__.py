"""How it goes: the day at a glance, and reports with their charts, tables and files."""

from blueprints.reports.routes import bp

__all__ = ["bp"]
