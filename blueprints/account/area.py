"""The area itself, and what its pages share."""

from typing import Any

from flask import Blueprint, Response

from blueprints.forms import Form
from blueprints.rendering import render
from blueprints.signing_in import limited
from domain.errors import RuleBroken
from domain.sign_in_tries import TooManyTries

bp = Blueprint("account", __name__, url_prefix="/account")


def refused(
    template: str, form: Form, broken: RuleBroken | None = None, **context: Any
) -> Response:
    """The page again with what was typed and why it did not do: 422, or 429 with the wait."""
    seconds = broken.seconds if isinstance(broken, TooManyTries) else 0
    if broken is not None:
        form.refuse(broken)
    page = render(template, status=429 if seconds else 422, form=form, is_personal=True, **context)
    return limited(page, seconds)
