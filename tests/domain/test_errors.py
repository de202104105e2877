import pytest

from domain import errors
from domain.errors import RuleBroken

EVERY = [
    found
    for found in vars(errors).values()
    if isinstance(found, type) and issubclass(found, RuleBroken)
]
ONE_OF_EACH = [
    errors.NotFound(),
    errors.HoldExpired(),
    errors.HoldCeilingReached(),
    errors.KeyReused(),
    errors.SignInFailed(),
    errors.NotAllowed(),
]


@pytest.mark.parametrize("broken", ONE_OF_EACH, ids=lambda broken: broken.code)
def test_r20_every_refusal_of_the_shop_has_its_own_code_and_a_sentence(broken):
    assert broken.code not in ("", RuleBroken.code)
    assert broken.sentence[0].isupper()
    assert broken.sentence.endswith(".")
    assert str(broken) == broken.sentence


def test_r20_no_two_refusals_share_a_code():
    codes = [broken.code for broken in ONE_OF_EACH]
    assert len(set(codes)) == len(codes)
    assert errors.WrongState.code == "wrong_state"


def test_r1_d1_missing_and_foreign_are_one_refusal():
    assert errors.NotFound.code == "not_found"
    assert "allowed" not in errors.NotFound().sentence


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_r20_whatever_says_no_can_be_caught_as_one_kind(kind):
    assert issubclass(kind, RuleBroken)
    assert kind.__doc__


def test_r20_a_code_given_with_the_sentence_stands():
    broken = errors.NotBookable("Only 1 place left.", code="places_left")
    assert (broken.code, broken.sentence, broken.field) == (
        "places_left",
        "Only 1 place left.",
        None,
    )
