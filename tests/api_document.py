"""The API's document and the contract, made comparable.

References are followed, `allOf` and "or null" are folded into one form.
"""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from blueprints.api.document import build_document

CONTRACT = Path(__file__).resolve().parent / "api" / "contract" / "shop-api.openapi.yaml"

METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
WORDS = ("pattern", "format", "minimum", "maximum", "minLength", "maxLength", "minItems")


@dataclass
class Kind:
    """What a value may be; `parts` are the kinds of a value that may be of several."""

    types: set[str] = field(default_factory=set)
    words: dict[str, Any] = field(default_factory=dict)
    enum: set[Any] | None = None
    items: "Kind | None" = None
    fields: dict[str, "Kind"] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)
    values: "Kind | None" = None
    parts: "list[Kind]" = field(default_factory=list)
    is_addition: bool = False
    is_read_only: bool = False
    default: Any = None


@dataclass
class Said:
    """What a document says of one operation."""

    method: str
    path: str
    right: str | None
    is_addition: bool
    parameters: dict[tuple[str, str], dict[str, Any]]
    needs_body: bool | None
    body: Kind | None
    answers: dict[str, Kind | None]
    added_codes: set[str]


class Document:
    """A document, operation by operation."""

    def __init__(self, source: dict[str, Any]) -> None:
        self.source = source
        self.operations = {
            said["operationId"]: self._operation(path, method, item, said)
            for path, item in source["paths"].items()
            for method, said in item.items()
            if method in METHODS
        }

    def follow(self, node: Any) -> Any:
        """The node itself, whichever reference leads to it."""
        while isinstance(node, dict) and "$ref" in node:
            found: Any = self.source
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = {**found, **{k: v for k, v in node.items() if k != "$ref"}}
        return node

    def kind(self, schema: Any) -> Kind:
        """The one form of a schema."""
        schema = self.follow(schema)
        types = schema.get("type", [])
        found = Kind(
            types={types} if isinstance(types, str) else set(types),
            words={word: schema[word] for word in WORDS if word in schema},
            is_addition=bool(schema.get("x-addition")),
            is_read_only=bool(schema.get("readOnly")),
            default=schema.get("default"),
        )
        if schema.get("uniqueItems"):
            found.words["uniqueItems"] = True
        options = schema.get("enum", [schema["const"]] if "const" in schema else None)
        if options is not None:
            found.enum = {one for one in options if one is not None}
            if None in options:
                found.types.add("null")
        if "items" in schema:
            found.items = self.kind(schema["items"])
        found.fields = {name: self.kind(it) for name, it in schema.get("properties", {}).items()}
        found.required = set(schema.get("required", ()))
        if isinstance(schema.get("additionalProperties"), dict):
            found.values = self.kind(schema["additionalProperties"])
        for part in schema.get("allOf", ()):
            _narrow(found, self.kind(part))
        self._choose(found, schema.get("anyOf") or schema.get("oneOf") or ())
        if found.fields and not found.types:
            found.types = {"object"}
        return found

    def _choose(self, found: Kind, schemas: Any) -> None:
        parts = [self.kind(one) for one in schemas]
        real = [one for one in parts if one.types != {"null"}]
        if len(real) == 1:
            _narrow(found, real[0])
        elif real:
            found.parts = real
            found.types |= {one for part in real for one in part.types}
        if len(real) < len(parts):
            found.types.add("null")

    def _operation(self, path: str, method: str, item: Any, said: Any) -> Said:
        listed = [
            self.follow(one) for one in (*item.get("parameters", ()), *said.get("parameters", ()))
        ]
        body = self.follow(said["requestBody"]) if "requestBody" in said else None
        right = said.get("x-permission")
        answers = {code: self.follow(it) for code, it in said["responses"].items()}
        return Said(
            method=method,
            path=path,
            right=right.get("name") if isinstance(right, dict) else right,
            is_addition=bool(said.get("x-addition")),
            parameters={(one["in"], one["name"]): one for one in listed},
            needs_body=None if body is None else bool(body.get("required")),
            body=None if body is None else self._content(body),
            answers={code: self._content(it) for code, it in answers.items()},
            added_codes={code for code, it in answers.items() if it.get("x-addition")},
        )

    def _content(self, node: Any) -> Kind | None:
        content = node.get("content", {}).get("application/json")
        return self.kind(content["schema"]) if content else None


def _narrow(found: Kind, other: Kind) -> None:
    """`found` where `other` holds as well."""
    if found.types and other.types:
        found.types = found.types & other.types or other.types
    found.types = found.types or set(other.types)
    found.words = {**other.words, **found.words}
    found.enum = other.enum if found.enum is None else found.enum
    found.items = found.items or other.items
    found.values = found.values or other.values
    found.parts = found.parts or other.parts
    found.required |= other.required
    found.is_addition |= other.is_addition
    found.is_read_only |= other.is_read_only
    found.default = other.default if found.default is None else found.default
    for name, kind in other.fields.items():
        if name in found.fields:
            _narrow(found.fields[name], kind)
        else:
            found.fields[name] = kind


@cache
def contract() -> Document:
    """The published contract."""
    return Document(yaml.safe_load(CONTRACT.read_text()))


@cache
def ours() -> Document:
    """What the code makes of its own operations."""
    return Document(build_document())
