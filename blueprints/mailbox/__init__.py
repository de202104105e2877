"""The last mails, to be read where there is no mail server; never in production."""

from blueprints.mailbox.routes import bp

__all__ = ["bp"]
