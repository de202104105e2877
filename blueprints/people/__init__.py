"""Customers, their memberships, and why somebody can't book: the staff's side of people."""

from blueprints.people import customers, erasing, files, history, merging, notes, types, why
from blueprints.people.area import bp

__all__ = ["bp", "customers", "erasing", "files", "history", "merging", "notes", "types", "why"]
