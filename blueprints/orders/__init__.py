"""A site's orders: finding one, its money, and the mails about it."""

from blueprints.orders.routes import bp

__all__ = ["bp"]
