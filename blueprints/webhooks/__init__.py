"""Webhooks in the back office: addresses of other programs, and the log of what was sent."""

from blueprints.webhooks import deliveries, pages, secrets
from blueprints.webhooks.area import bp

__all__ = ["bp", "deliveries", "pages", "secrets"]
