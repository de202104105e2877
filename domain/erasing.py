"""Whether a person can be forgotten now, and what would be touched."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from domain.errors import RuleBroken
from domain.words import count


class CantErase(RuleBroken):
    """Something must be settled before this person can be forgotten."""

    code = "cant_erase"


class PaidAhead(CantErase):
    """Ending what is to come would leave money that nobody could give back."""

    def __init__(self) -> None:
        super().__init__(
            "Some of what is to come is paid. Cancel it and refund it first: "
            "nobody can find them once they are erased.",
            field="cancels",
        )


@dataclass(frozen=True, slots=True)
class Coming:
    """A booking that is still to come."""

    booking_id: str
    session_id: str
    name: str
    local_start: dt.datetime
    site_slug: str
    place: str


@dataclass(frozen=True, slots=True)
class Erasure:
    """What forgetting a person would touch (S3); `mark` stands for all of it.

    `archives` are those of the whole organisation: each may hold them.
    `due` and `owed_back` are minor units by currency. `account`: none, own (closed with it),
    shared (another venue knows it, so it stays theirs) or staff.
    """

    customer_id: str
    name: str
    erased_at: dt.datetime | None
    rows: int
    orders: int
    coming: tuple[Coming, ...]
    waiting: int
    memberships: int
    notes: int
    forms: int
    elsewhere: int
    links: int
    archives: int
    due: Mapping[str, int]
    owed_back: Mapping[str, int]
    account: str
    mark: str


def find_refusal(erasure: Erasure, *, cancels: bool) -> CantErase | None:
    """Why it can't be done yet, or None; `cancels`: what is to come may be ended with it."""
    if erasure.account == "staff":
        return CantErase(
            "They work at a venue with this account, so they can't be erased. "
            "End their access first."
        )
    if erasure.owed_back:
        return CantErase(
            "They are owed money. Refund it first: nobody can find them once they are erased."
        )
    if erasure.coming and not cancels:
        return CantErase(
            f"{count(len(erasure.coming), 'booking')} still to come. Cancel first, "
            "or tick that it all ends with this.",
            field="cancels",
        )
    return None
