"""What is taken as a picture, and in which sizes it is shown (STACK R10)."""

from dataclasses import dataclass

from domain.errors import RuleBroken

MAX_BYTES = 12 * 1024 * 1024
MAX_PIXELS = 40_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF")
WIDTHS = (480, 960, 1600)
"""Widths that browsers choose from; a smaller picture is never enlarged."""

MIME_TYPES = {"avif": "image/avif", "webp": "image/webp", "jpg": "image/jpeg"}
"""What each is kept as, best first; JPEG is what every browser shows."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as pages show it: a drawing of ours by its path, or an upload by its id and size.

    It may be kept with a page: a picture never changes under its address.
    """

    id: str
    original_url: str
    alt: str
    width: int | None = None
    height: int | None = None


class NotAPicture(RuleBroken):
    """What was sent can't be shown as a picture."""

    code = "not_a_picture"

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, field="picture")


class TooLarge(NotAPicture):
    """More bytes or pixels than are taken; refused before anything is made of them."""

    code = "too_large"


class PictureInUse(RuleBroken):
    """A picture that something shows is not deleted; says where."""

    code = "picture_in_use"


def check_bytes(size: int) -> None:
    """Raises TooLarge above 12 MB, NotAPicture for nothing at all."""
    if size == 0:
        raise NotAPicture("Choose a picture first.")
    if size > MAX_BYTES:
        raise TooLarge(
            "That file is larger than 12 MB. Save it smaller, 1600 pixels wide is plenty."
        )


def widths_of(width: int) -> tuple[int, ...]:
    """The widths in which a picture of this width is kept, smallest first."""
    smaller = tuple(one for one in WIDTHS if one < width)
    return smaller if width > WIDTHS[-1] else (*smaller, width)
