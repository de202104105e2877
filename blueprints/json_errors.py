"""From a refusal to JSON: the one table of statuses of the API, and the body of every error."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from flask import Response, json

from domain.api import Erased, Forbidden, Stale, TooMany, Unauthenticated, Unreadable
from domain.editing import EditedMeanwhile
from domain.errors import ImpactChanged, NotAllowed, NotFound, RuleBroken, WrongState
from domain.pictures import PictureInUse, TooLarge
from domain.replaying import TapConflict

STATUS_OF: Mapping[type[RuleBroken], int] = {
    Unreadable: 400,
    Unauthenticated: 401,
    NotAllowed: 403,
    Forbidden: 403,
    NotFound: 404,
    Erased: 410,
    Stale: 412,
    EditedMeanwhile: 409,
    ImpactChanged: 409,
    TapConflict: 409,
    WrongState: 409,
    PictureInUse: 409,
    TooLarge: 413,
    TooMany: 429,
}
"""Everything else is a field or a rule that says no: 422."""

SENTENCES = {
    400: "The request could not be read.",
    404: "There is nothing at this address.",
    405: "This address can't be used like this.",
    413: "That is more than one request may send.",
    500: "Something broke on our side. Nothing was changed; try again in a minute.",
}


def say_refusal(
    broken: RuleBroken, *, status: int = 0, names: Mapping[str, str] | None = None
) -> Response:
    """A refusal as the API says it; `names` are the API's names of fields that ours differ from."""
    status = status or status_of(broken)
    errors: dict[str, list[str]] = {}
    for field, sentence in list_problems(broken) if status == 422 else ():
        errors.setdefault((names or {}).get(field, field), []).append(sentence)
    message = broken.sentence if len(errors) < 2 else "Some fields are not valid."
    changes_at = getattr(broken, "changes_at", None)
    response = say_json(status, message, code=broken.code, errors=errors, changes_at=changes_at)
    if isinstance(broken, TooMany):
        response.headers["Retry-After"] = str(broken.seconds)
    return response


def list_problems(broken: RuleBroken) -> list[tuple[str, str]]:
    """Every field that a refusal names, with its sentence."""
    found = []
    for problem in getattr(broken, "problems", None) or (broken,):
        field, sentence = (
            (problem.field, problem.sentence) if isinstance(problem, RuleBroken) else problem
        )
        if field:
            found.append((field, sentence))
    return found


def status_of(broken: RuleBroken) -> int:
    """The status of a refusal."""
    return next((code for kind, code in STATUS_OF.items() if isinstance(broken, kind)), 422)


def say_status(status: int) -> Response:
    """A status of HTTP's own, as JSON."""
    return say_json(status, SENTENCES.get(status, "That didn't work."))


def say_json(
    status: int,
    message: str,
    *,
    code: str = "",
    errors: Mapping[str, list[str]] | None = None,
    changes_at: dt.datetime | None = None,
) -> Response:
    """The body of every error."""
    body: dict[str, Any] = {"message": message}
    if code:
        body["code"] = code
    if changes_at is not None:
        body["changes_at"] = changes_at.isoformat()
    if errors:
        body["errors"] = errors
    response = Response(json.dumps(body), status, mimetype="application/json")
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="Sundial"'
    return response
