"""Places and parties of a session (R8, R9, H1, H2, H8)."""

FEW_LEFT = 4
"""With so many places left or fewer a session is "nearly gone", where a site says nothing."""


def places_left(capacity: int, places_taken: int) -> int:
    """Places nobody holds, never below 0 (R8)."""
    return max(0, capacity - places_taken)


def parties_left(max_baskets: int | None, parties_taken: int) -> int | None:
    """Parties the session still takes; None when any number may come (R9)."""
    return None if max_baskets is None else max(0, max_baskets - parties_taken)


def is_full(capacity: int, places_taken: int, max_baskets: int | None, parties_taken: int) -> bool:
    """No further booking fits, by places or by parties (C24)."""
    return places_taken >= capacity or parties_left(max_baskets, parties_taken) == 0
