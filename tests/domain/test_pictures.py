"""In which sizes a picture is kept."""

import pytest

from domain.pictures import MAX_BYTES, NotAPicture, TooLarge, check_bytes, widths_of


@pytest.mark.parametrize(
    ("width", "kept"),
    [
        (1, (1,)),
        (480, (480,)),
        (481, (480, 481)),
        (960, (480, 960)),
        (1600, (480, 960, 1600)),
        (2400, (480, 960, 1600)),
    ],
)
def test_a_picture_is_never_enlarged(width, kept):
    assert widths_of(width) == kept


def test_too_many_bytes_and_none_at_all_are_refused():
    check_bytes(MAX_BYTES)
    with pytest.raises(TooLarge):
        check_bytes(MAX_BYTES + 1)
    with pytest.raises(NotAPicture):
        check_bytes(0)
