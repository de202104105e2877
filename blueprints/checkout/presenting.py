"""The people of a basket as the checkout form asks for them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.guests import most_people, people_needed, usual_assignment
from domain.people import MAX_NAME
from models import SessionBooking
from services.lines import asks_for_names, attending


@dataclass(frozen=True, slots=True)
class Guests:
    """Who comes: the people named so far, and for each line that asks, which of them.

    Number 0 is the booker, whose name stands above. Fields are `person-1` and on, `who-0` and on.
    """

    lines: tuple[SessionBooking, ...]
    names: tuple[str, ...]
    chosen: tuple[tuple[int, ...], ...]
    can_add: bool

    @classmethod
    def of(cls, held: Sequence[SessionBooking], typed: Mapping[str, Any]) -> "Guests":
        """From the held lines and what was typed; without an answer, the usual assignment."""
        lines = tuple(line for line in held if asks_for_names(line))
        plan = [attending(line) for line in lines]
        least, most = people_needed(plan), most_people(plan)
        asked = _whole(typed.get("people")) or least
        number = max(least, min(asked, most))
        usual = usual_assignment(plan, number)
        chosen = tuple(
            _numbers(typed[f"who-{n}"])
            if f"who-{n}" in typed and number > line.places
            else usual[n]
            for n, line in enumerate(lines)
        )
        names = tuple(str(typed.get(f"person-{n}", ""))[:MAX_NAME] for n in range(1, number))
        return cls(lines, names, chosen, number < most)

    @property
    def number(self) -> int:
        """People in all, the booker included."""
        return len(self.names) + 1

    def is_choice(self, line: SessionBooking) -> bool:
        """Whether there are more people than this line has places."""
        return self.number > line.places


def _whole(text: object) -> int:
    return int(str(text)) if re.fullmatch(r"\d{1,4}", str(text or "")) else 0


def _numbers(text: object) -> tuple[int, ...]:
    return tuple(int(part) for part in str(text).split(",") if re.fullmatch(r"\d{1,4}", part))
