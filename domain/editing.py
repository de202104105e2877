"""Two people editing one thing: the second is shown both versions and loses nothing (D4)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.errors import RuleBroken


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that somebody else saved meanwhile: what it says now."""

    field: str
    theirs: Any


class EditedMeanwhile(RuleBroken):
    """The thing is no longer as the form showed it; nothing was saved (D4).

    `differences` are the fields where what is saved now differs from what was sent, `mark` is
    that of what is saved now: sent again with it, the form overwrites knowingly.
    """

    code = "edited_meanwhile"

    def __init__(self, differences: tuple[Difference, ...], mark: str) -> None:
        super().__init__(
            "Somebody else saved this while you were editing. What you typed is kept below, "
            "beside what is saved now. Save again to replace it."
        )
        self.differences = differences
        self.mark = mark


def mark_of_values(values: Mapping[str, Any]) -> str:
    """A short text that differs when the values do; forms carry it in a hidden field `seen`."""
    text = json.dumps(dict(values), sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def check_edit(now: Mapping[str, Any], wanted: Mapping[str, Any], seen: str | None) -> None:
    """Raise EditedMeanwhile unless `seen` is the mark of what is saved `now`, or nothing differs.

    None is for whoever names nothing but what is to change (R3), and saw no form. Asked with the
    row locked, inside the transaction that saves.
    """
    mark = mark_of_values(now)
    differences = tuple(
        Difference(name, now[name]) for name in wanted if name in now and now[name] != wanted[name]
    )
    if seen is not None and seen != mark and differences:
        raise EditedMeanwhile(differences, mark)
