import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import RuleBroken
from domain.people import (
    MAX_NAME,
    check_email,
    check_name,
    email_key,
    fold_name,
    fold_phone,
    guest_key,
    join_name,
    split_name,
)

COMPOSED, DECOMPOSED = "Jos\u00e9", "Jose\u0301"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        pytest.param("Ana Reyes", "Ana Reyes", id="as it is"),
        pytest.param("  Ana \t Reyes\n", "Ana Reyes", id="untidy"),
        pytest.param(DECOMPOSED, COMPOSED, id="decomposed"),
        pytest.param("Siân O’Brien-Łuczak", "Siân O’Brien-Łuczak", id="marks and signs"),
        pytest.param("山田 太郎", "山田 太郎", id="another script"),
        pytest.param("Ben & Co", "Ben & Co", id="an ampersand is no markup"),
        pytest.param("x" * MAX_NAME, "x" * MAX_NAME, id="as long as may be"),
    ],
)
def test_d5_a_name_is_tidied_and_kept(typed, kept):
    assert check_name(typed) == kept


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        pytest.param("", "name_missing", id="empty"),
        pytest.param(" \n\t ", "name_missing", id="only space"),
        pytest.param(None, "name_missing", id="absent"),
        pytest.param("x" * (MAX_NAME + 1), "name_too_long", id="one letter too long"),
        pytest.param("<b>Ana</b>", "name_markup", id="a tag"),
        pytest.param("<script>alert(1)</script>", "name_markup", id="a script"),
        pytest.param("Ana <", "name_markup", id="half a tag"),
        pytest.param("Ana >", "name_markup", id="the other half"),
        pytest.param("Ana\x00Reyes", "name_markup", id="a control character"),
        pytest.param("Ana\ud800", "name_markup", id="half a surrogate pair"),
    ],
)
def test_d5_markup_in_a_name_is_refused_at_its_field(typed, code):
    with pytest.raises(RuleBroken) as refused:
        check_name(typed, field="first_name")
    assert (refused.value.code, refused.value.field) == (code, "first_name")
    assert refused.value.sentence.endswith(".")


def test_d5_the_sentence_for_a_missing_name_says_whose():
    with pytest.raises(RuleBroken) as refused:
        check_name("", who="the guest’s name")
    assert refused.value.sentence == "Enter the guest’s name."


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=210))
def test_d5_no_name_that_passes_carries_markup_and_none_changes_twice(typed):
    try:
        kept = check_name(typed)
    except RuleBroken:
        return
    assert kept
    assert len(kept) <= MAX_NAME
    assert not set(kept) & set("<>\x00\n\r\t")
    assert check_name(kept) == kept


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        pytest.param(" ana@example.com ", "ana@example.com", id="space around"),
        pytest.param("ana+yoga@mail.example.co.uk", "ana+yoga@mail.example.co.uk", id="plus"),
        pytest.param("Ana@Example.com", "Ana@Example.com", id="case is kept"),
        pytest.param("jose\u0301@example.com", "jos\u00e9@example.com", id="composed"),
    ],
)
def test_d5_a_plausible_address_is_kept(typed, kept):
    assert check_email(typed) == kept


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        pytest.param("", "email_missing", id="empty"),
        pytest.param("  ", "email_missing", id="only space"),
        pytest.param("ana", "email_incomplete", id="no at"),
        pytest.param("ana@", "email_incomplete", id="ends with at"),
        pytest.param("@example.com", "email_invalid", id="nobody"),
        pytest.param("ana@example", "email_invalid", id="no dot"),
        pytest.param("ana@@example.com", "email_invalid", id="two ats"),
        pytest.param("ana..r@example.com", "email_invalid", id="two dots"),
        pytest.param("ana r@example.com", "email_invalid", id="space inside"),
        pytest.param("ana@example.com\nBcc: b@example.com", "email_invalid", id="a header"),
        pytest.param("<ana@example.com>", "email_invalid", id="angle brackets"),
        pytest.param("a" * 250 + "@example.com", "email_invalid", id="too long"),
    ],
)
def test_d5_an_address_that_cannot_be_written_to_is_refused(typed, code):
    with pytest.raises(RuleBroken) as refused:
        check_email(typed)
    assert (refused.value.code, refused.value.field) == (code, "email")
    assert refused.value.sentence.endswith(".")


def test_h9_composed_and_decomposed_names_are_one_guest():
    assert COMPOSED != DECOMPOSED
    assert guest_key(name=COMPOSED) == guest_key(name=DECOMPOSED)
    assert email_key(f"{COMPOSED}@example.com") == email_key(f"{DECOMPOSED}@example.com")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"name": "Ana Reyes"}, {"name": " ana  REYES "}, id="case and space"),
        pytest.param({"name": "Strauß"}, {"name": "STRAUSS"}, id="casefold, not lower"),
        pytest.param({"name": "\uff21na"}, {"name": "Ana"}, id="full width letters"),
        pytest.param({"email": "Ana@Example.com"}, {"email": " ana@example.com"}, id="e-mail"),
        pytest.param(
            {"email": "a@example.com", "name": "Ana"},
            {"email": "a@example.com", "name": "Ben"},
            id="e-mail before name",
        ),
        pytest.param(
            {"guest_id": "7", "email": "a@example.com"},
            {"guest_id": "7", "email": "b@example.com"},
            id="id before e-mail",
        ),
        pytest.param({"email": "  ", "name": "Ana"}, {"name": "Ana"}, id="a blank e-mail is none"),
    ],
)
def test_h9_two_spellings_of_one_guest_are_one(one, other):
    assert guest_key(**one) == guest_key(**other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"name": "Ana Reyes"}, {"name": "Anna Reyes"}, id="another name"),
        pytest.param({"name": "Jose"}, {"name": COMPOSED}, id="an accent counts"),
        pytest.param({"name": "7"}, {"guest_id": "7"}, id="a name is no id"),
        pytest.param(
            {"name": "a@example.com"}, {"email": "a@example.com"}, id="a name is no e-mail"
        ),
    ],
)
def test_h9_two_guests_stay_two(one, other):
    assert guest_key(**one) != guest_key(**other)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_h9_no_unicode_form_makes_another_guest(name, form):
    spelt = unicodedata.normalize(form, name)
    assert guest_key(name=f" {spelt} ") == guest_key(name=name)


@pytest.mark.parametrize(
    ("one", "other"),
    [("anna@straße.de", "anna@strasse.de"), ("\ufb01n@example.com", "fin@example.com")],
)
def test_two_mailboxes_never_share_a_key(one, other):
    assert email_key(one) != email_key(other)


@pytest.mark.parametrize(
    ("spellings", "folded"),
    [
        (("José Ibáñez", "JOSÉ  ibanez", "Jose\u0301 Iban\u0303ez"), "jose ibanez"),
        (("Straße", "STRASSE"), "strasse"),
        (("Søren Łukasz", "soren lukasz"), "soren lukasz"),
        (("Þórdís Æsa", "thordis aesa"), "thordis aesa"),
    ],
)
def test_a_name_is_found_in_any_of_its_spellings(spellings, folded):
    assert {fold_name(name) for name in spellings} == {folded} == {fold_name(folded)}


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        ("+44 (0)1225 000-000", "441225000000"),
        ("0044 1225 000 000", "441225000000"),
        ("01225/000.000", "01225000000"),
        ("ask at the desk", ""),
    ],
)
def test_a_phone_number_is_its_digits(written, digits):
    assert fold_phone(written) == digits


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Ada Lovelace", ("Ada", "Lovelace")),
        ("Ada King Lovelace", ("Ada King", "Lovelace")),
        ("Ada van der Berg", ("Ada", "van der Berg")),
        ("ada king lovelace", ("ada", "king lovelace")),
        ("Prince", ("Prince", "")),
        ("", ("", "")),
        ("山田太郎", ("山田太郎", "")),
    ],
)
def test_a_name_has_a_first_and_a_last_part_and_is_whole_again(name, parts):
    assert split_name(name) == parts
    assert join_name(*parts) == name
