"""From held places to a booking: details, confirmation, and the hold's clock."""

from blueprints.checkout.routes import bp

__all__ = ["bp"]
