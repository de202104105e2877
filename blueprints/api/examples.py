"""Bodies as somebody might send them, made of the document's schemas."""

import json
import re
from collections.abc import Mapping
from typing import Any

WORDS: Mapping[str, Any] = {
    "name": "Thermal circuit",
    "title": "Yoga teacher",
    "bio": "Teaches slowly and laughs often.",
    "blurb": "Two hours of warm water.",
    "slug": "warm-water",
    "label": "Early bird",
    "email": "ana@example.com",
    "phone": "+44 1225 000000",
    "first_name": "Ana",
    "last_name": "Reyes",
    "alt": "The warm pool in the morning",
    "place": "Bath",
    "address": ["4 Weir Lane", "Bath"],
    "directions": "By the bridge, through the garden.",
    "locale": "en_GB",
    "currency": "gbp",
    "description": "Two hours of **warm water**.",
    "summary": "Water, steam and rest.",
    "note": "Prefers the morning.",
    "reason": "The boiler is being mended.",
    "price": 4800,
    "capacity": 8,
    "duration": 120,
    "guests": 2,
    "places": 2,
    "hold_minutes": 15,
    "offer_minutes": 120,
    "few_left": 4,
    "turnaround": 15,
    "colour": 3,
    "url": "/hooks/sundial",
    "opening_hours": {"monday": ["07:00", "22:00"], "tuesday": ["07:00", "22:00"]},
    "hours": ["Monday and Tuesday, 07:00 to 22:00"],
    "revenue_centres": ["Spa", "Studio"],
    "site_ids": ["5e0c6f5e-2a0b-4c55-9d0e-5a1b7c9d2e3f"],
    "time_from": "09:00",
    "time_to": "12:00",
}
"""What stands in a field of this name; whatever else fits is made of its schema."""

OF: Mapping[str, Mapping[str, Any]] = {
    "Room": {"name": "Spring Hall", "capacity": 20},
    "Zone": {"name": "Ground floor"},
    "Practitioner": {"name": "Tomas Vale"},
    "Category": {"name": "Warm water"},
    "Site": {"name": "Stillwater"},
}
"""Words of some objects, by what the names of their bodies begin with."""

FORMATS = {
    "date": "2026-06-04",
    "date-time": "2026-06-04T09:00:00Z",
    "uuid": "5e0c6f5e-2a0b-4c55-9d0e-5a1b7c9d2e3f",
    "binary": "@picture.jpg",
}
PATTERNS = (
    ("[0-9a-f]{24}", "6a1f0c2e9b3d4e5f60718293"),
    ("^P(", "PT4H"),
    ("[0-5][0-9]", "18:30"),
    ("[a-z]{3}", "gbp"),
)
MOST = 5
"""Fields that an example has at the most, unless more are required."""


def example_of(
    schema: Mapping[str, Any],
    schemas: Mapping[str, Any],
    name: str = "",
    words: Mapping[str, Any] = WORDS,
) -> Any:
    """A value that fits a schema; `name` is that of the field it stands in."""
    schema, words = _look_inside(schema, schemas, words)
    if "enum" in schema or "const" in schema:
        return schema.get("const", next(iter(schema.get("enum", ())), None))
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), None)
    if kind == "object":
        return _object(schema, schemas, name, words)
    if kind == "array":
        return _list(schema, schemas, name, words)
    return _plain(schema, kind, name, words)


def say_body(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    """An example as it is typed: one field a line."""
    return json.dumps(example_of(schema, schemas), indent=2, ensure_ascii=False)


def _look_inside(
    schema: Mapping[str, Any], schemas: Mapping[str, Any], words: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The schema that a reference or a choice means, with the words of the object it names."""
    while True:
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            own = OF.get(name.removesuffix("Create").removesuffix("Update"), {})
            schema, words = schemas[name], {**words, **own}
            continue
        choice = next((schema[one] for one in ("anyOf", "allOf", "oneOf") if one in schema), None)
        if choice is None:
            return schema, words
        schema = next((one for one in choice if one.get("type") != "null"), {})


def _object(
    schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str, words: Mapping[str, Any]
) -> Any:
    fields: Mapping[str, Any] = schema.get("properties", {})
    if not fields:
        return words[name] if isinstance(words.get(name), dict) else {}
    required = list(schema.get("required", ()))
    chosen = required + [
        one
        for one in fields
        if one not in required and not fields[one].get("deprecated") and one in words
    ]
    rest = [one for one in fields if one not in chosen and not fields[one].get("deprecated")]
    chosen = (chosen + rest)[: max(MOST, len(required))]
    return {one: example_of(fields[one], schemas, one, words) for one in fields if one in chosen}


def _list(
    schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str, words: Mapping[str, Any]
) -> Any:
    if isinstance(words.get(name), list):
        return words[name]
    one = example_of(schema.get("items", {}), schemas, name.removesuffix("s"), words)
    return [one] * max(1, schema.get("minItems", 1))


def _plain(schema: Mapping[str, Any], kind: Any, name: str, words: Mapping[str, Any]) -> Any:
    if kind == "boolean":
        return True
    if kind in ("integer", "number"):
        return _number(schema, words.get(name))
    pattern, said = schema.get("pattern", ""), words.get(name)
    if schema.get("format") in FORMATS:
        return FORMATS[schema["format"]]
    if isinstance(said, str) and re.search(pattern, said):
        return said
    return _of_pattern(pattern) or name.replace("_", " ").capitalize()


def _of_pattern(pattern: str) -> str:
    return next((word for part, word in PATTERNS if part in pattern), "")


def _number(schema: Mapping[str, Any], said: Any) -> int:
    least = schema.get("minimum", 0)
    if isinstance(said, int) and least <= said <= schema.get("maximum", said):
        return said
    return int(max(least, 1) if schema.get("maximum", 1) >= 1 else least)
