"""A venue's own words: places, limits and what is left out."""

import pytest

from domain.wording import (
    KINDS,
    PLACES,
    Wording,
    fill,
    list_wording_problems,
    paragraphs,
    tidy,
)


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_our_own_words_are_without_fault(kind):
    assert list_wording_problems(kind.ours) == []
    assert kind.ours.subject


def test_places_are_filled_once_and_reach_no_further():
    assert fill("{name} at {time}", {"name": "{time}", "time": "18:00"}) == "{time} at 18:00"
    assert fill("See {session}.", {}) == "See ."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{name.__class__}", "There is no {name.__class__}."),
        ("{0}", "There is no {0}."),
        ("{}", "There is no {}."),
        ("{customer}", "There is no {customer}."),
        ("{name!r}", "There is no {name!r}."),
        ("a } b", "A brace stands alone."),
        ("{{name}}", "A brace stands alone."),
    ],
)
def test_unknown_places_are_refused_with_a_sentence(text, said):
    [problem] = list_wording_problems(Wording(opening=text))
    assert problem.field == "opening"
    assert problem.sentence.startswith(said)
    assert all(f"{{{name}}}" in problem.sentence for name in PLACES)


def test_every_text_that_is_too_long_is_named():
    long = Wording("s" * 121, "o" * 2001, "c" * 1001)
    assert [it.field for it in list_wording_problems(long)] == ["subject", "opening", "closing"]


def test_texts_are_tidied():
    assert tidy("  One\r\n\r\n\r\n\r\n two\x07 three ") == "One\n\ntwo three"
    assert tidy("One\r\nBcc: all@example.com", is_line=True) == "One Bcc: all@example.com"
    assert paragraphs("One\ntwo\n\nthree") == ("One\ntwo", "three")
