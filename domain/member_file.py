"""Members as a CSV file: what is wrong with a line, and how cells are written harmless (D5)."""

import csv
import datetime as dt
import io
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from domain.errors import RuleBroken
from domain.memberships import STATES, read_day
from domain.people import check_email, check_name

MAX_BYTES = 1024 * 1024
MAX_LINES = 5000

HEADER = ("email", "name", "membership type", "first day", "last day", "state")
_NEEDED = HEADER[:4]
_ACTIVE = ("=", "+", "-", "@", "\t", "\r")


class FileRefused(RuleBroken):
    """The file as a whole can't be read as members."""

    code = "file_refused"

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, field="file")


@dataclass(frozen=True, slots=True)
class Row:
    """One line as it stands: where it begins, its own text, its cells by column."""

    number: int
    text: str
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a line asks for; `state` None leaves a known membership's state alone (D4)."""

    email: str
    name: str
    type: str
    first_day: dt.date
    last_day: dt.date | None
    state: str | None


def decode(raw: bytes) -> str:
    """The text of a file in UTF-8, with or without its mark; raises FileRefused."""
    if len(raw) > MAX_BYTES:
        raise FileRefused("This file is larger than 1 MB. Split it and import the parts.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileRefused(
            "This isn't a text file in UTF-8. Save it again as “CSV UTF-8” and choose that."
        ) from error
    if any(letter < " " and letter not in "\t\r\n" for letter in text):
        raise FileRefused("This isn't a CSV file. Choose one that was saved as “CSV UTF-8”.")
    return text


def read_rows(text: str) -> list[Row]:
    """The lines after the heading, empty ones left out; raises FileRefused."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise FileRefused("This file is empty. Its first line names the columns.")
    lines = text.split("\n")
    found = _cells(text, _separator(lines))
    if not found:
        raise FileRefused("This file is empty. Its first line names the columns.")
    heading = [_heading(cell) for cell in found[0][1]]
    missing = [name for name in _NEEDED if name not in heading]
    if missing:
        raise FileRefused(
            f"The first line names the columns, and we miss: {', '.join(missing)}. "
            "The sample file shows how."
        )
    if len(found) - 1 > MAX_LINES:
        raise FileRefused(f"One file takes {MAX_LINES:,} lines. Split it and import the parts.")
    rows = []
    ends = [start for start, _ in found[1:]] + [len(lines) + 1]
    for (start, cells), after in zip(found[1:], ends[1:], strict=True):
        raw = "\n".join(lines[start - 1 : after - 1]).strip()
        rows.append(Row(start, raw, _named(heading, cells)))
    return rows


def check_row(row: Row) -> Wanted:
    """What the line asks for; raises RuleBroken with what is wrong with it."""
    cell = row.cells
    if "" in cell:
        raise RuleBroken("It has more cells than the first line has columns.", code="cells")
    if not cell.get("email"):
        raise RuleBroken("The email address is missing.", code="email_missing")
    if not cell.get("membership type"):
        raise RuleBroken("The membership type is missing.", code="type_missing")
    last = cell.get("last day", "")
    state = cell.get("state", "").casefold()
    if state and state not in STATES:
        raise RuleBroken(f"The state is one of {', '.join(STATES)}, or empty.", code="state")
    return Wanted(
        email=check_email(cell["email"]),
        name=check_name(cell["name"]) if cell.get("name") else "",
        type=cell["membership type"],
        first_day=read_day(cell.get("first day", ""), what="first day", field="first_day"),
        last_day=read_day(last, what="last day", field="last_day") if last else None,
        state=state or None,
    )


def harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula (D5)."""
    return f"'{cell}" if cell.startswith(_ACTIVE) else cell


def write_rows(rows: Iterable[Sequence[str]]) -> str:
    """A CSV file with its heading, every cell harmless (D5)."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(HEADER)
    writer.writerows([harmless(cell) for cell in row] for row in rows)
    return file.getvalue()


def fold(text: str) -> str:
    """What two spellings of one membership type have in common."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _separator(lines: Sequence[str]) -> str:
    first = next(line for line in lines if line.strip())
    return ";" if first.count(";") > first.count(",") else ","


def _cells(text: str, separator: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    found, start = [], 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                found.append((start, cells))
            start = reader.line_num + 1
    except csv.Error as error:
        raise FileRefused(
            f"We can't read on from line {start}. Look for a quotation mark that is not closed."
        ) from error
    return found


def _heading(cell: str) -> str:
    return fold(cell.replace("_", " "))


def _named(heading: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    named = {name: _plain(cell) for name, cell in zip(heading, cells, strict=False) if name}
    if any(cell.strip() for cell in cells[len(heading) :]):
        named[""] = "too many"
    return named


def _plain(cell: str) -> str:
    """The cell without the mark that `harmless` put before it."""
    cell = cell.strip()
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_ACTIVE) else cell
