"""The document as people read it: made of the document alone, so that the two never differ."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from blueprints.api.document import build_document
from blueprints.api.examples import example_of, say_body
from domain.venue_rules import slug_of

PATTERNS = (
    ("[0-9a-f]{24}", "id"),
    ("^P(", "ISO 8601 duration"),
    ("[0-5][0-9]", "time, HH:MM"),
    ("[a-z]{3}", "currency code"),
)
FORMATS = {
    "uuid": "uuid",
    "date": "day",
    "date-time": "instant",
    "uri-reference": "address",
    "binary": "file",
}
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text: words, code, or the name of an object to read on at."""

    text: str
    is_code: bool = False
    target: str = ""


Pieces = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a body or an object, or a parameter."""

    name: str
    kind: Pieces
    is_required: bool
    is_nullable: bool
    is_addition: bool
    where: str
    description: Pieces
    fallback: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its code, what it means, the objects in it."""

    code: str
    description: Pieces
    holds: Pieces
    is_addition: bool

    @property
    def is_done(self) -> bool:
        """Whether the operation did what was asked."""
        return self.code.startswith("2")


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation."""

    id: str
    method: str
    path: str
    summary: str
    description: Pieces
    right: str
    rules: tuple[str, ...]
    is_addition: bool
    parameters: tuple[Field, ...]
    body: tuple[Field, ...]
    kind_of_body: str
    replies: tuple[Reply, ...]
    curl: str


@dataclass(frozen=True, slots=True)
class Thing:
    """An object that answers carry."""

    name: str
    description: Pieces
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Chapter:
    """What belongs to one tag: its operations, then the objects in their answers."""

    title: str
    anchor: str
    entries: tuple[Entry, ...]
    things: tuple[Thing, ...]


@cache
def build_reference() -> tuple[Chapter, ...]:
    """All chapters, in the order of the document."""
    said = build_document()
    schemas = said["components"]["schemas"]
    shown: set[str] = set()
    return tuple(_chapter(tag["name"], said, schemas, shown) for tag in said["tags"])


@cache
def chapters_of_things() -> dict[str, str]:
    """By the name of an object the chapter that it stands in."""
    return {thing.name: chapter.anchor for chapter in build_reference() for thing in chapter.things}


@cache
def errors_shape() -> tuple[Field, ...]:
    """The fields of every error."""
    schemas = build_document()["components"]["schemas"]
    return _fields(schemas["Error"], schemas)


def _chapter(
    tag: str, said: Mapping[str, Any], schemas: Mapping[str, Any], shown: set[str]
) -> Chapter:
    own = [
        (method.upper(), path, one)
        for path, methods in said["paths"].items()
        for method, one in methods.items()
        if isinstance(one, dict) and tag in one.get("tags", ())
    ]
    things = []
    for _, _, one in own:
        for name in _objects_of(one, schemas):
            if name not in shown:
                shown.add(name)
                things.append(
                    Thing(
                        name,
                        pieces(schemas[name].get("description", "")),
                        _fields(schemas[name], schemas),
                    )
                )
    return Chapter(
        tag,
        slug_of(tag),
        tuple(_entry(*each, schemas=schemas) for each in own),
        tuple(things),
    )


def _entry(method: str, path: str, one: Mapping[str, Any], schemas: Mapping[str, Any]) -> Entry:
    kind, sent = _content(one.get("requestBody", {}))
    schema = _resolve(sent, schemas)
    return Entry(
        id=one["operationId"],
        method=method,
        path=path,
        summary=one["summary"],
        description=pieces(one.get("description", "")),
        right=one.get("x-permission") or "",
        rules=tuple(one.get("x-rule", ())),
        is_addition=bool(one.get("x-addition")),
        parameters=tuple(_parameter(each) for each in one.get("parameters", ())),
        body=_fields(schema, schemas) if schema else (),
        kind_of_body=kind,
        replies=tuple(_reply(code, each) for code, each in one["responses"].items()),
        curl=_curl(method, path, one, kind, sent, schemas),
    )


def _parameter(one: Mapping[str, Any]) -> Field:
    schema = one["schema"]
    fallback = schema.get("default")
    return Field(
        name=one["name"],
        kind=_say(schema, {}),
        is_required=bool(one.get("required")),
        is_nullable=False,
        is_addition=bool(one.get("x-addition")),
        where=one["in"],
        description=pieces(one.get("description", "")),
        fallback="" if fallback in (None, "") else str(fallback).lower(),
    )


def _fields(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> tuple[Field, ...]:
    required = schema.get("required", ())
    return tuple(
        Field(
            name=name,
            kind=_say(one, schemas),
            is_required=name in required,
            is_nullable=_is_nullable(one),
            is_addition=bool(one.get("x-addition")),
            where="",
            description=pieces(one.get("description", "")),
        )
        for name, one in schema.get("properties", {}).items()
    )


def _reply(code: str, one: Mapping[str, Any]) -> Reply:
    name = _name(_content(one)[1])
    is_error = name == "Error"
    return Reply(
        code=code,
        description=pieces(one["description"]),
        holds=() if is_error or not name else _holds(name),
        is_addition=bool(one.get("x-addition")),
    )


def _content(one: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The type and the schema of a body or an answer; both empty where there is none."""
    for kind, said in one.get("content", {}).items():
        return kind, said["schema"]
    return "", {}


def _holds(name: str) -> Pieces:
    inner = _inner(name)
    if not inner:
        return (Piece(name, target=name),)
    if name.endswith("List"):
        return (Piece("a page of "), Piece(inner, target=inner), Piece(", with meta and links"))
    return (Piece("data", is_code=True), Piece(" with a "), Piece(inner, target=inner))


def _inner(name: str) -> str:
    """The object that an answer wraps in data."""
    schemas = build_document()["components"]["schemas"]
    data = schemas[name].get("properties", {}).get("data", {})
    return _name(data) or _name(data.get("items", {}))


def _objects_of(one: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    """The names of all objects in what an operation takes and answers, the outermost first."""
    roots: list[Mapping[str, Any]] = []
    for code, each in one["responses"].items():
        if code.startswith("2"):
            roots.append(_content(each)[1])
    for name in _names_in(roots, schemas):
        if not name.endswith(("Item", "List")) and name not in ("PageMeta", "PageLinks"):
            yield name
    # The body's own fields stand with the operation.
    yield from list(_names_in([_content(one.get("requestBody", {}))[1]], schemas))[1:]


def _names_in(roots: Iterable[Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    waiting, seen = list(roots), set()
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            name = _name(one)
            if name and name not in seen:
                seen.add(name)
                yield name
                waiting.append(schemas[name].get("properties", schemas[name]))
            waiting += [it for it in one.values() if isinstance(it, dict | list)]


def _resolve(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    name = _name(schema)
    return schemas[name] if name else schema


def _name(schema: Any) -> str:
    if not isinstance(schema, dict):
        return ""
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _is_nullable(schema: Mapping[str, Any]) -> bool:
    kinds = schema.get("type")
    is_listed = isinstance(kinds, list) and "null" in kinds
    return is_listed or any(one.get("type") == "null" for one in schema.get("anyOf", ()))


def _say(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Pieces:
    """What a value may be, in words."""
    name = _name(schema)
    if name:
        return (Piece(name, target=name),) if name in schemas else (Piece(name),)
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            kinds = [_say(one, schemas) for one in schema[word] if one.get("type") != "null"]
            return _joined(kinds, " or ")
    if "enum" in schema:
        return _joined([(Piece(str(one), is_code=True),) for one in schema["enum"]], ", ")
    if "const" in schema:
        return (Piece(str(schema["const"]), is_code=True),)
    if schema.get("type") == "array":
        return (Piece("list of "), *_say(schema.get("items", {}), schemas))
    return (Piece(_say_plain(schema)),)


def _say_plain(schema: Mapping[str, Any]) -> str:
    kinds = schema.get("type", "any")
    kind = (
        next((one for one in kinds if one != "null"), "any") if isinstance(kinds, list) else kinds
    )
    if kind == "string":
        pattern = str(schema.get("pattern", ""))
        known = next((word for part, word in PATTERNS if part in pattern), "")
        return FORMATS.get(schema.get("format", ""), known or "text")
    if kind in ("integer", "number"):
        return f"whole number{_limits(schema)}"
    return {"boolean": "true or false", "object": "object"}.get(str(kind), str(kind))


def _limits(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f", {least} to {most}"
    if least is not None:
        return f", {least} or more"
    return f", at most {most}" if most is not None else ""


def _joined(kinds: Sequence[Pieces], between: str) -> Pieces:
    found: list[Piece] = []
    for kind in kinds:
        found += [Piece(between), *kind] if found else kind
    return tuple(found)


def pieces(text: str) -> Pieces:
    """A text of the document with what stands between backticks as code."""
    parts = _CODE.split(" ".join(text.split()))
    return tuple(Piece(part, is_code=n % 2 == 1) for n, part in enumerate(parts) if part)


def _curl(
    method: str,
    path: str,
    one: Mapping[str, Any],
    kind: str,
    schema: Mapping[str, Any],
    schemas: Mapping[str, Any],
) -> str:
    """A call as it is typed in a shell; SUNDIAL is the address, TOKEN the token."""
    words = {
        each["name"]: str(example_of(each["schema"], schemas))
        for each in one.get("parameters", ())
        if each["in"] == "path"
    }
    url = "$SUNDIAL/api" + re.sub(r"{(\w+)}", lambda found: words[found[1]], path)
    lines = [f'curl "{url}"', '-H "Authorization: Bearer $TOKEN"']
    if method not in ("GET", "POST") or (method == "POST" and not schema):
        lines[0] = f'curl -X {method} "{url}"'
    if method == "POST":
        lines.append('-H "Idempotency-Key: $(uuidgen)"')
    if kind.startswith("multipart"):
        sent = example_of(schema, schemas)
        lines += [f'-F "{name}={value}"' for name, value in sent.items()]
    elif schema:
        lines += ['-H "Content-Type: application/json"', f"-d '{say_body(schema, schemas)}'"]
    return " \\\n  ".join(lines)
