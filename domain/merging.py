"""Two rows for one person: which may be merged, and what the one that stays says."""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.errors import RuleBroken

FIELDS = ("name", "email", "phone")
"""What is chosen field by field where the two differ, in the order of the page."""

KEPT, OTHER = "kept", "other"
"""Whose value stays: that of the customer who stays, or of the one who goes."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two, as far as merging asks."""

    id: str
    name: str
    email: str
    phone: str
    account_id: str | None
    is_erased: bool = False


class CantMerge(RuleBroken):
    """These two stay two."""

    code = "cant_merge"


def find_refusal(stays: Side, goes: Side) -> CantMerge | None:
    """Why the two can't be merged, or None."""
    if stays.id == goes.id:
        return CantMerge("Choose two different customers.")
    if stays.is_erased or goes.is_erased:
        return CantMerge("One of them was erased, so there is nothing to merge.")
    if stays.account_id and goes.account_id and stays.account_id != goes.account_id:
        return CantMerge(
            "Both sign in with an account of their own, so they can't be merged here. "
            "If it is one person, they close one of the accounts first; then this works."
        )
    return None


def open_fields(stays: Side, goes: Side) -> tuple[str, ...]:
    """The fields in which both say something and not the same: these are chosen.

    The address of whoever signs in is their account's, so it is never chosen.
    """
    signs_in = bool(stays.account_id or goes.account_id)
    return tuple(
        field
        for field in FIELDS
        if not (field == "email" and signs_in)
        and getattr(stays, field)
        and getattr(goes, field)
        and getattr(stays, field) != getattr(goes, field)
    )


def merged_values(stays: Side, goes: Side, chosen: Mapping[str, str]) -> dict[str, str]:
    """What the one that stays says afterwards; raises RuleBroken where a choice is missing."""
    values = {}
    open_to_choice = open_fields(stays, goes)
    for field in FIELDS:
        kept, other = getattr(stays, field), getattr(goes, field)
        values[field] = kept or other
        if field == "email" and goes.account_id and not stays.account_id:
            values[field] = other
        if field in open_to_choice:
            if chosen.get(field) not in (KEPT, OTHER):
                raise RuleBroken(f"Choose which {field} stays.", code=f"{field}_open", field=field)
            values[field] = kept if chosen[field] == KEPT else other
    return values
