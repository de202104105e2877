"""What staff may write about a customer or a booking."""

import unicodedata

from domain.errors import RuleBroken

MAX_NOTE = 2000


def check_note(text: str, *, field: str = "text") -> str:
    """A note of 1 to MAX_NOTE characters, trimmed, its lines kept; raises RuleBroken."""
    lines = unicodedata.normalize("NFC", text or "").replace("\r\n", "\n").replace("\r", "\n")
    note = "\n".join(line.rstrip() for line in lines.split("\n")).strip()
    if not note:
        raise RuleBroken("Write the note first.", code="note_missing", field=field)
    if len(note) > MAX_NOTE:
        raise RuleBroken(
            f"That is {len(note):,} characters long. A note has at most {MAX_NOTE:,}.",
            code="note_too_long",
            field=field,
        )
    if any(unicodedata.category(letter) == "Cc" and letter not in "\n\t" for letter in note):
        raise RuleBroken(
            "Leave out the characters that can't be seen.", code="note_markup", field=field
        )
    return note
