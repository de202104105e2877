"""What a note may say."""

import pytest

from domain.errors import RuleBroken
from domain.notes import MAX_NOTE, check_note


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Tea, please \r\n no sugar  ", "Tea, please\n no sugar"),
        ("<b>bold</b> & =1+1", "<b>bold</b> & =1+1"),
        ("x" * MAX_NOTE, "x" * MAX_NOTE),
        ("Jose\u0301", "José"),
    ],
)
def test_a_note_is_kept_as_it_was_written(typed, kept):
    assert check_note(typed) == kept


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "Write the note"),
        (" \n\t ", "Write the note"),
        ("x" * (MAX_NOTE + 1), "2,001 characters"),
        ("a\x07b", "can't be seen"),
    ],
)
def test_what_is_no_note_is_refused(typed, said):
    with pytest.raises(RuleBroken, match=said):
        check_note(typed)
