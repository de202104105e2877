"""Which rules staff may book in spite of, and with which right; what each rule is called (R20)."""

from collections.abc import Iterable, Set

NOBODY = frozenset({"type_live", "session_live", "priced", "party_left", "places_left"})
"""Staff are bound by these too (R20); without a price there is nothing to charge (P4)."""

ABOUT_THE_PERSON = frozenset({"signed_in", "member", "max_bookings_per_member"})

ASKED = {
    "type_live": "The offer is not archived",
    "session_live": "The session takes place",
    "offered_online": "Booked online",
    "visible": "Sold in the shop",
    "priced": "Has a price",
    "signed_in": "An account, where one is needed",
    "member": "A membership, where one is needed",
    "window_open": "Booking has opened",
    "window_closed": "Booking has not closed",
    "min_guests": "Enough guests",
    "max_guests": "Not too many guests",
    "basket_full": "Room in the basket",
    "same_currency": "One currency in the basket",
    "max_per_basket": "Limit for one basket",
    "max_per_guest": "Limit for one guest",
    "max_bookings_per_member": "Limit for one member",
    "party_left": "Takes another party",
    "places_left": "Enough places",
}

IN_SPITE_OF = {
    "offered_online": "not booked online",
    "visible": "not sold in the shop",
    "signed_in": "needs an account",
    "member": "for members",
    "window_open": "booking not open yet",
    "window_closed": "booking closed",
    "min_guests": "too few guests",
    "max_guests": "too many guests",
    "max_per_basket": "limit for one basket",
    "max_per_guest": "limit for one guest",
    "max_bookings_per_member": "limit for one member",
}


def right_to_override(code: str) -> str | None:
    """The staff right that a failed check asks for; None where nobody may (R20)."""
    if code in NOBODY:
        return None
    return "CUSTOMERS_MANAGE" if code in ABOUT_THE_PERSON else "RESERVATIONS_MANAGE"


def may_override(codes: Iterable[str], rights: Set[str]) -> bool:
    """Whether somebody with these rights may book in spite of all these failed checks."""
    return all(right_to_override(code) in rights for code in codes)


def name_of(code: str) -> str:
    """What staff call a check, as something that holds or doesn't."""
    return ASKED.get(code) or code.replace("_", " ").capitalize()


def say_overridden(codes: Iterable[str]) -> str:
    """for members, booking closed: the rules that a booking was made in spite of."""
    return ", ".join(IN_SPITE_OF.get(code) or code.replace("_", " ") for code in codes)
