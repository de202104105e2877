"""Private links as staff see, make and revoke them."""

from blueprints.private_links.routes import bp

__all__ = ["bp"]
