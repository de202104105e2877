"""A story: how somebody comes to a page, told for the tests that look at it."""

from collections.abc import Callable
from dataclasses import dataclass

BATH = "/stillwater-bath"
ANA = "ana.reyes@example.com"
MAREN = "maren@stillwater.example"
IMOGEN = "imogen@stillwater.example"


@dataclass(frozen=True)
class Story:
    """How one comes to a page, as whom, and what the server answers on the way."""

    id: str
    come: Callable
    who: str = ""
    status: int = 200


def at(path: str) -> Callable:
    return lambda page, shop: page.goto(path)
