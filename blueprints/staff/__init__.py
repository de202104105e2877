"""The staff of an organisation: people and their rights, invitations, API tokens."""

from blueprints.staff import browsers, invitations, letters, offers, people, tokens
from blueprints.staff.area import bp

__all__ = ["bp", "browsers", "invitations", "letters", "offers", "people", "tokens"]
