"""What changing a booking costs, and how much of it may go (M2, M4, M7)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from domain.eligibility import MAX_PARTY
from domain.errors import NotChangeable
from domain.words import count


@dataclass(frozen=True, slots=True)
class Books:
    """An order's ledger in sums of minor units, none below 0 but `balance` (M1).

    `balance` is what is still to be paid, `captured` what was ever paid, `refunded` what of it
    went back.
    """

    balance: int = 0
    captured: int = 0
    refunded: int = 0

    @classmethod
    def of(cls, entries: Iterable[tuple[str, int]]) -> "Books":
        """From kind and amount of each entry; payments are below 0, refunds above."""
        sums = {"payment": 0, "refund": 0}
        balance = 0
        for kind, amount in entries:
            balance += amount
            if kind in sums:
                sums[kind] += amount
        return cls(balance, -sums["payment"], sums["refund"])

    @property
    def refundable(self) -> int:
        """The most that can go back (M4)."""
        return max(0, self.captured - self.refunded)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a change does to an order's money, in minor units.

    `difference` is what the lines cost more (below 0: less), `to_pay` and `to_return` how the
    order stands afterwards; one of the two is 0.
    """

    difference: int
    to_pay: int
    to_return: int

    @property
    def taken_back(self) -> int:
        """What is no longer charged."""
        return max(0, -self.difference)


def cost_of(books: Books, difference: int) -> Cost:
    """How the books stand when the lines cost `difference` more; returns at most M4's limit."""
    after = books.balance + difference
    return Cost(difference, max(0, after), min(max(0, -after), books.refundable))


def least_party(policy: Mapping[str, Any]) -> int:
    """The fewest guests that were agreed for this line; at least 1 (M8)."""
    return max(1, policy.get("min_guests") or 1)


def most_leaving(places: int, policy: Mapping[str, Any]) -> int:
    """How many guests at most can leave while the line stays; 0 when only the whole line can."""
    return max(0, places - least_party(policy))


def check_leaving(places: int, leaving: int, policy: Mapping[str, Any]) -> None:
    """Raise NotChangeable unless 1 to `most_leaving` guests leave."""
    if leaving < 1:
        raise NotChangeable("Choose who can't come.", code="guests_leaving", field="who")
    least, most = least_party(policy), most_leaving(places, policy)
    if leaving <= most:
        return
    if least == 1 and leaving >= places:
        sentence = "That is everybody. Cancel the whole booking instead."
    elif most == 0:
        sentence = f"This is for {count(least, 'guest')} or more. Cancel the whole booking instead."
    else:
        sentence = f"This is for {count(least, 'guest')} or more, so at most {most} can leave."
    raise NotChangeable(sentence, code="min_guests", field="who")


def check_growing(places: int, more: int) -> None:
    """Raise NotChangeable unless at least one guest comes along, and the party stays a party."""
    if more < 1:
        raise NotChangeable("Say who comes along.", code="guests_coming", field="who")
    if places + more > MAX_PARTY:
        raise NotChangeable(
            f"A party is at most {MAX_PARTY} guests.", code="guests_coming", field="who"
        )


def check_release(places: int, released: int, policy: Mapping[str, Any]) -> None:
    """Raise NotChangeable unless all places go, or so many that an agreed party stays."""
    if released == places or 1 <= released <= most_leaving(places, policy):
        return
    raise NotChangeable("Choose how many places you give up.", code="release_size", field="places")


def release_sizes(places: int, policy: Mapping[str, Any]) -> tuple[int, ...]:
    """The numbers of places that can be given to the waiting list, all of them last."""
    return (*range(1, most_leaving(places, policy) + 1), places)


def renumbered(
    before: Iterable[int], leaving: Iterable[int], after: Iterable[int]
) -> dict[int, int]:
    """Where the people who stay are found once others have left: old position to new, if moved.

    `before` and `after` are the positions of the party before and after; names keep theirs, and
    whoever has no name takes the lowest free number.
    """
    gone = set(leaving)
    stay, places = [it for it in sorted(before) if it not in gone], sorted(after)
    kept = set(stay) & set(places)
    old = [it for it in stay if it not in kept]
    new = [it for it in places if it not in kept]
    return dict(zip(old, new, strict=True))
