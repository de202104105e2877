"""The staff of an organisation: people and their rights, invitations, API tokens."""

from blueprints.staff import invitations, letters, offers, people, tokens
from blueprints.staff.area import bp

__all__ = ["bp", "invitations", "letters", "offers", "people", "tokens"]
