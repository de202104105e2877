"""The document of the API (OpenAPI 3.1), made of what the operations declare."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from blueprints.api.kinds import Problem
from blueprints.api.operations import MOST_KEY, OPERATIONS, Operation

VERSION = "1.0.0"
JSON = "application/json"
_TEMPLATE = "#/components/schemas/{model}"

FIRST = (
    "Session types",
    "Price rules",
    "Recurrence groups",
    "Sessions",
    "Session bookings",
    "Waiting lists",
    "Calendar",
)
"""The order of the chapters; all others follow by their names."""

ABOUT = """\
Session types, price rules, recurrence groups, sessions and session bookings of a venue, served
by the same rules as its pages. What is marked `x-addition` goes beyond the published contract.

A token belongs to an organisation and has rights at its sites. Ids of another organisation are
answered with 404. A PUT writes only the fields that it carries: an absent one stays, null clears.
"""

CODES = {
    400: "The body is not JSON, a value in the address can't be read, or the booking is not in a "
    "state that allows this.",
    401: "No token, or one that is not valid.",
    403: "A valid token, without the right that this needs at the site.",
    404: "No such thing, or one of another organisation.",
    409: "Something else has changed meanwhile, or the thing is in a state that doesn't allow "
    "this. Nothing was done.",
    410: "Done once, about a person who has been erased since. It is not done again, and what was "
    "answered then is gone.",
    412: "The thing is no longer as `If-Match` says. Nothing was changed.",
    413: "The file is larger than we take.",
    422: "The body was read, and at least one field is wrong; `errors` says which.",
    429: "Too many requests in a short time. `Retry-After` says how many seconds to wait.",
}


@cache
def build_document() -> dict[str, Any]:
    """The whole document; the same for everybody."""
    schemas = _schemas()
    paths: dict[str, dict[str, Any]] = {}
    for one in OPERATIONS.values():
        paths.setdefault(_path(one), {})[one.method.lower()] = _operation(one)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Shop API", "version": VERSION, "description": ABOUT},
        "servers": [{"url": "/api"}],
        "security": [{"bearerAuth": []}],
        "tags": [
            {"name": tag} for tag in sorted({it.tag for it in OPERATIONS.values()}, key=_rank)
        ],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearerAuth": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token made in the back office under Staff.",
                }
            },
            "schemas": schemas,
        },
    }


def _rank(tag: str) -> tuple[int, str]:
    return (FIRST.index(tag) if tag in FIRST else len(FIRST), tag)


def _schemas() -> dict[str, Any]:
    wanted: list[tuple[type[BaseModel], Any]] = [(Problem, "serialization")]
    for one in OPERATIONS.values():
        if one.body is not None:
            wanted.append((one.body, "validation"))
        if one.gives is not None:
            wanted.append((one.gives, "serialization"))
    _, made = models_json_schema(list(dict.fromkeys(wanted)), ref_template=_TEMPLATE)
    schemas: dict[str, Any] = _tidy(made["$defs"])
    return {"Error" if name == "Problem" else name: it for name, it in sorted(schemas.items())}


def _operation(one: Operation) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": one.id,
        "tags": [one.tag],
        "summary": one.summary,
        "x-permission": one.right,
        "responses": {str(code): it for code, it in sorted(_responses(one).items())},
    }
    if one.description:
        said["description"] = one.description
    if one.rules:
        said["x-rule"] = list(one.rules)
    if one.is_addition:
        said["x-addition"] = True
    parameters = [*_path_parameters(one), *_query_parameters(one), *_headers(one)]
    if parameters:
        said["parameters"] = parameters
    if one.body is not None:
        said["requestBody"] = {
            "required": one.needs_body,
            "content": _json_of(one.body, "multipart/form-data" if one.file else JSON),
        }
    return said


def _responses(one: Operation) -> dict[int, Any]:
    done: dict[str, Any] = {"description": "Done." if one.gives is None else "What was asked for."}
    if one.gives is not None:
        done["content"] = _json_of(one.gives)
    if one.current is not None:
        done["headers"] = {
            "ETag": {
                "description": "Names this version; send it back as `If-Match`.",
                "schema": {"type": "string"},
            }
        }
    found: dict[int, Any] = {one.status: done}
    for code in one.codes:
        found[code] = _refusal(code)
    for code in _added_codes(one):
        if code not in found:
            found[code] = {**_refusal(code), "x-addition": True}
    return found


def _added_codes(one: Operation) -> Iterable[int]:
    yield 429
    if one.query is not None or one.method == "POST":
        yield 400
    if one.is_write:
        yield 409
    if one.is_write and one.current is not None:
        yield 412
    if one.method == "POST":
        # A key that came with another body (H6), or whose answer was about an erased person.
        yield 422
        yield 410


def _refusal(code: int) -> dict[str, Any]:
    said: dict[str, Any] = {
        "description": CODES[code],
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    header = {401: "WWW-Authenticate", 429: "Retry-After"}.get(code)
    if header:
        said["headers"] = {header: {"schema": {"type": "string"}}}
    return said


def _path(one: Operation) -> str:
    return re.sub(r"<(\w+)>", lambda found: "{" + _camel(found[1]) + "}", f"/shop{one.path}")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


_UUIDS = ("site_id", "media_id")


def _path_parameters(one: Operation) -> list[dict[str, Any]]:
    object_id = {"type": "string", "pattern": "^[0-9a-f]{24}$"}
    uuid = {"type": "string", "format": "uuid"}
    return [
        {
            "name": _camel(name),
            "in": "path",
            "required": True,
            "schema": uuid if name in _UUIDS else object_id,
        }
        for name in re.findall(r"<(\w+)>", one.path)
    ]


def _query_parameters(one: Operation) -> list[dict[str, Any]]:
    if one.query is None:
        return []
    schema = _tidy(one.query.model_json_schema(by_alias=True))
    found = []
    for name, value in schema["properties"].items():
        kind = _never_null(value)
        said: dict[str, Any] = {"name": name, "in": "query", "schema": kind}
        if name in schema.get("required", ()):
            said["required"] = True
        for word in ("description", "x-addition"):
            if word in kind:
                said[word] = kind.pop(word)
        if kind.pop("x-commas", False):
            said |= {"style": "form", "explode": False}
        found.append(said)
    return found


def _headers(one: Operation) -> list[dict[str, Any]]:
    found = []
    if one.method == "POST":
        found.append(
            _header(
                "Idempotency-Key",
                "The same key and body again give the same answer (H6).",
                maxLength=MOST_KEY,
            )
        )
    if one.is_write and one.method != "POST" and one.current is not None:
        found.append(_header("If-Match", "The ETag that was seen; 412 when it is another now."))
    return found


def _header(name: str, description: str, **limits: int) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "description": description,
        "schema": {"type": "string", **limits},
        "x-addition": True,
    }


def _json_of(model: type[BaseModel], kind: str = JSON) -> dict[str, Any]:
    return {kind: {"schema": {"$ref": _TEMPLATE.format(model=model.__name__)}}}


def _never_null(kind: dict[str, Any]) -> dict[str, Any]:
    """What an address can say: it has no word for null, there it stands for an absent value."""
    real = [one for one in kind.get("anyOf", ()) if one != {"type": "null"}]
    rest = {word: it for word, it in kind.items() if word != "anyOf"}
    return {**real[0], **rest} if len(real) == 1 else {**kind, "anyOf": real} if real else kind


def _tidy(schema: Any) -> Any:
    """Without the library's titles, and without the null that stands for an absent field."""
    if isinstance(schema, list):
        return [_tidy(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {}
    for name, value in schema.items():
        if (name == "title" and isinstance(value, str)) or (name == "default" and value is None):
            continue
        found[_LIMITS.get(name, name) if isinstance(value, int) else name] = _tidy(value)
    return found


_LIMITS = {
    "ge": "minimum",
    "le": "maximum",
    "min_length": "minLength",
    "max_length": "maxLength",
}
"""What the library calls the limits of a value that a validator of ours has read first."""
