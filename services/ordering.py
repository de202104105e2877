"""Things that staff put in order: one moves a step, and all are numbered anew."""

from collections.abc import Sequence
from typing import Protocol


class Ordered(Protocol):
    """A row with a place in its list."""

    id: str
    position: int


def step_row(rows: Sequence[Ordered], row_id: str, step: int) -> bool:
    """Move the row by `step` places within `rows`, which are in order and locked; False: stays."""
    order = [row.id for row in rows]
    if row_id not in order:
        return False
    old = order.index(row_id)
    new = max(0, min(len(order) - 1, old + step))
    order.insert(new, order.pop(old))
    for row in rows:
        row.position = order.index(row.id)
    return new != old
