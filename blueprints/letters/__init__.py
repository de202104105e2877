"""Staff's side of the mails: what each kind says, in the venue's own words, with a preview."""

from blueprints.letters.routes import bp

__all__ = ["bp"]
