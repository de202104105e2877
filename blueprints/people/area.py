from typing import Any

from flask import Blueprint, request

from blueprints.configuration import MAX_BODY

bp = Blueprint("people", __name__, url_prefix="/staff")

CUSTOMERS = "CUSTOMERS_MANAGE"
RESERVATIONS = "RESERVATIONS_MANAGE"

_TAKE_FILES = ("people.preview_import", "people.apply_import_of_members")


@bp.url_value_preprocessor
def _allow_a_file(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """A file of the most that we read, and what a form wraps round it; asked before the door."""
    if endpoint in _TAKE_FILES:
        request.max_content_length = request.max_form_memory_size = 2 * MAX_BODY
