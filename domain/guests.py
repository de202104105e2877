"""Who of a basket's people comes to which of its sessions (max_per_guest, H9)."""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from domain.errors import NotBookable, RuleBroken
from domain.people import guest_key
from domain.words import count, say_time, say_weekday_short

BOOKER = 0
"""The person at the first place is whoever books, unless they are left out by name."""


@dataclass(frozen=True, slots=True)
class Attending:
    """A line whose guests are named: how many come, and how often one of them may."""

    type_id: str
    name: str
    local_start: dt.datetime
    places: int
    max_per_guest: int | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """One person of a party, by name; the address may be empty."""

    name: str
    email: str = ""


@dataclass(frozen=True, slots=True)
class Stay:
    """When a line keeps its guests busy; instants, so that zones and clock changes don't matter."""

    name: str
    start: dt.datetime
    end: dt.datetime
    people: frozenset[int] = frozenset({BOOKER})


Assignment = tuple[tuple[int, ...], ...]
"""For each line the numbers of its people, in order."""


def people_needed(lines: Sequence[Attending]) -> int:
    """The fewest people with whom every line can be filled within its limit per guest."""
    needed = max((line.places for line in lines), default=0)
    for type_id in {line.type_id for line in lines}:
        same = [line for line in lines if line.type_id == type_id]
        limit = same[0].max_per_guest
        if limit:
            needed = max(needed, -(-sum(line.places for line in same) // limit))
    return needed


def most_people(lines: Sequence[Attending]) -> int:
    """The most people a basket can have: somebody else in every place."""
    return sum(line.places for line in lines)


def usual_assignment(lines: Sequence[Attending], people: int) -> Assignment:
    """Who comes unless told otherwise: the first people, each as often as the limit allows.

    With at least `people_needed` people every line is filled within the limits.
    """
    times: Counter[tuple[str, int]] = Counter()
    chosen = []
    for line in lines:
        # Whoever had the type least often so far goes first, which is why it always works out.
        order = sorted(range(people), key=lambda person: (times[line.type_id, person], person))
        if line.max_per_guest is None:
            order = list(range(people))
        who = tuple(sorted(order[: line.places]))
        times.update((line.type_id, person) for person in who)
        chosen.append(who)
    return tuple(chosen)


def number_people(booker: Named, party: Sequence[Named]) -> tuple[int, ...]:
    """Which person each of a party is: the booker, if they come, is BOOKER, the others follow.

    The booker is known by the address, or by the name of whoever has no address (H9).
    """
    found: list[int] = []
    for guest in party:
        is_booker = BOOKER not in found and _is_same(booker, guest)
        found.append(BOOKER if is_booker else len(found) + (BOOKER not in found))
    return tuple(found)


def _is_same(booker: Named, guest: Named) -> bool:
    if guest.email and booker.email:
        return guest_key(email=guest.email) == guest_key(email=booker.email)
    return guest_key(name=guest.name) == guest_key(name=booker.name)


def check_assignment(lines: Sequence[Attending], chosen: Assignment, keys: Sequence[str]) -> None:
    """Raise RuleBroken when a line has too few or too many people, or one comes too often.

    `keys` says for each person who they are (`people.guest_key`): two numbers with one key are
    one guest (H9). The error's field is `who-` and the number of the line.
    """
    times: Counter[tuple[str, str]] = Counter()
    for number, (line, who) in enumerate(zip(lines, chosen, strict=True)):
        field = f"who-{number}"
        where = f"{line.name} on {say_weekday_short(line.local_start.date())}"
        if not len(who) == len(set(who)) == line.places or any(
            not 0 <= one < len(keys) for one in who
        ):
            raise RuleBroken(
                f"Choose {count(line.places, 'guest')} for {where}, {say_time(line.local_start)}.",
                code="guests_chosen",
                field=field,
            )
        for one in who:
            seen = (line.type_id, keys[one])
            times[seen] += 1
            if line.max_per_guest is not None and times[seen] > line.max_per_guest:
                raise NotBookable(
                    f"One guest can have {line.name} {count(line.max_per_guest, 'time')}, "
                    "so choose somebody else for one of the places.",
                    code="max_per_guest",
                    field=field,
                )


def find_overlaps(stays: Sequence[Stay]) -> list[tuple[Stay, Stay]]:
    """Pairs that would have one person in two places at once; touching ones are fine (H9)."""
    in_order = sorted(stays, key=lambda stay: stay.start)
    return [
        (first, second)
        for first, second in combinations(in_order, 2)
        if second.start < first.end and first.start < second.end and first.people & second.people
    ]
