"""An organisation's archive: its members, its limits, and how a value stands in a line."""

import datetime as dt
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from domain.errors import RuleBroken

FORMAT = 1
"""Raised when an archive of before could no longer be read as it was."""

MANIFEST = "manifest.json"
MOST_MEMBERS = 200_000
MOST_BYTES = 16 * 1024**3
"""What all members may be together once they are unpacked."""
LONGEST_LINE = 8 * 1024**2
LARGEST_FILE = 64 * 1024**2
"""Of one picture, and of the manifest."""
MOST_SQUEEZED = 400
"""How many times larger than its place in the archive a member of size may be."""

_MEMBER = re.compile(r"(?:data|csv|calendar|media)/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,150}")
_MARKUP = re.compile(r"[<>]")


class ArchiveFault(RuleBroken):
    """The archive can't be taken in; the sentence says which part of it, and why."""

    code = "archive_fault"


@dataclass(frozen=True, slots=True)
class Column:
    """A column as a line of the archive must fill it.

    `kind` is text, whole, truth, instant, wall, day, time, json or file. `most` are characters of
    a text or bits of a whole number. `shape` is the type of a JSON value, None for any.
    """

    name: str
    kind: str
    may_be_empty: bool = False
    most: int | None = None
    shape: type | None = None
    is_name: bool = False


def is_member_name(name: str) -> bool:
    """Whether an archive of ours can hold a member of this name; no path leads out of it."""
    return bool(_MEMBER.fullmatch(name))


def write_value(kind: str, value: Any) -> Any:
    """As it stands in a line: instants in UTC with a Z, wall times and days by ISO 8601."""
    if value is None or kind in ("text", "whole", "truth", "json", "file"):
        return value
    if kind == "instant":
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat()


def read_value(column: Column, given: Any) -> Any:
    """The value of a column in a line; raises ArchiveFault with a sentence without the place."""
    if given is None:
        if not column.may_be_empty:
            raise ArchiveFault("it is empty")
        return None
    return _READERS[column.kind](column, given)


def read_line(line: bytes, columns: Mapping[str, Column]) -> dict[str, Any]:
    """The values of a row by column; raises ArchiveFault that names the column."""
    found = parse_json(line)
    if not isinstance(found, dict):
        raise ArchiveFault("it is no row.")
    strange = [name for name in found if name not in columns]
    if strange:
        raise ArchiveFault(f"there is no column {_shorten(strange[0])}.")
    missing = [name for name in columns if name not in found]
    if missing:
        raise ArchiveFault(f"the column {missing[0]} is missing.")
    row = {}
    for name, column in columns.items():
        try:
            row[name] = read_value(column, found[name])
        except ArchiveFault as fault:
            raise ArchiveFault(f"column {name}: {fault.sentence}.") from fault
    return row


def parse_json(text: bytes) -> Any:
    """JSON as the standard has it, each name once; raises ArchiveFault."""
    try:
        return json.loads(
            text.decode("utf-8"), parse_constant=_refuse, object_pairs_hook=_once_each
        )
    except (ValueError, RecursionError) as error:
        raise ArchiveFault("it can't be read as JSON.") from error


def write_json(value: Any) -> bytes:
    """One line of JSON in UTF-8, with its end."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _refuse(_name: str) -> Any:
    raise ValueError


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _shorten(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"


def _read_text(column: Column, given: Any) -> str:
    if not isinstance(given, str):
        raise ArchiveFault("it is no text")
    _check_text(given)
    if column.most is not None and len(given) > column.most:
        raise ArchiveFault(f"it is longer than {column.most} characters")
    if column.is_name and _MARKUP.search(given):
        raise ArchiveFault("a name has no < or > in it")
    return given


def _check_text(text: str) -> None:
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ArchiveFault("it holds characters that no text has")


def _read_whole(column: Column, given: Any) -> int:
    if not isinstance(given, int) or isinstance(given, bool):
        raise ArchiveFault("it is no whole number")
    edge = 1 << ((column.most or 32) - 1)
    if not -edge <= given < edge:
        raise ArchiveFault("the number is too large")
    return given


def _read_truth(_column: Column, given: Any) -> bool:
    if not isinstance(given, bool):
        raise ArchiveFault("it is neither true nor false")
    return given


def _read_moment(parse: Callable[[str], Any]) -> Callable[[Column, Any], Any]:
    def read(column: Column, given: Any) -> Any:
        try:
            found = parse(given)
            if write_value(column.kind, found) == given:
                return found
        except (TypeError, ValueError, OverflowError):
            pass
        raise ArchiveFault(f"it is no {_MOMENTS[column.kind]}")

    return read


def _instant(text: str) -> dt.datetime:
    found = dt.datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError
    return found


def _wall(text: str) -> dt.datetime:
    found = dt.datetime.fromisoformat(text)
    if found.tzinfo is not None:
        raise ValueError
    return found


def _time(text: str) -> dt.time:
    found = dt.time.fromisoformat(text)
    if found.tzinfo is not None:
        raise ValueError
    return found


def _read_json(column: Column, given: Any) -> Any:
    if column.shape is not None and not isinstance(given, column.shape):
        raise ArchiveFault(f"it is no {'list' if column.shape is list else 'group of values'}")
    _check_json(given)
    return given


def _check_json(given: Any) -> None:
    left = [given]
    while left:
        one = left.pop()
        if isinstance(one, str):
            _check_text(one)
        elif isinstance(one, float) and not math.isfinite(one):
            raise ArchiveFault("it holds a number without end")
        elif isinstance(one, dict):
            left += [*one, *one.values()]
        elif isinstance(one, list):
            left += one


def _read_file(_column: Column, given: Any) -> str:
    if not isinstance(given, str) or not (is_member_name(given) and given.startswith("media/")):
        raise ArchiveFault("it names no file of the archive")
    return given


_MOMENTS = {
    "instant": "instant in UTC, like 2026-06-04T09:00:00Z",
    "wall": "date and time",
    "day": "date",
    "time": "time of the day",
}

_READERS: dict[str, Callable[[Column, Any], Any]] = {
    "text": _read_text,
    "whole": _read_whole,
    "truth": _read_truth,
    "instant": _read_moment(_instant),
    "wall": _read_moment(_wall),
    "day": _read_moment(dt.date.fromisoformat),
    "time": _read_moment(_time),
    "json": _read_json,
    "file": _read_file,
}
