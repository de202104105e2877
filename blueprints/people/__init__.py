"""Customers, their memberships, and why somebody can't book: the staff's side of people."""

from blueprints.people import customers, files, types, why
from blueprints.people.area import bp

__all__ = ["bp", "customers", "files", "types", "why"]
