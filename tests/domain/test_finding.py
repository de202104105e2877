"""What is typed finds what is kept, however it was written."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.finding import (
    MOST_WORDS,
    Typed,
    fold,
    is_last_name,
    is_meant,
    kept_words,
    phone_key,
    read_code,
    read_typed,
    reference_key,
)

CODE = "0123456789abcdef0123"
LETTERS = st.sampled_from(string.ascii_letters + "éÉøØþÞßŁæñ'-\u0131\u0130ş")
WORDS = st.text(LETTERS, min_size=1, max_size=12)
NAMES = st.lists(WORDS, min_size=1, max_size=MOST_WORDS).map(" ".join)


def finds(typed: str, **kept: str) -> bool:
    """Brute force over the words of one row."""
    words = kept_words(
        names=[kept.get("name", "")],
        email=kept.get("email", ""),
        phone=kept.get("phone", ""),
        reference=kept.get("reference", ""),
    )
    return any(
        all(any(one.start <= word < one.end or word in one.exact for word in words) for one in way)
        for way in read_typed(typed).ways
    )


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("Ana Reyes", "ana"),
        ("Ana Reyes", "REYES ana"),
        ("Ana Reyes", "an re"),
        ("José Núñez", "jose nunez"),
        ("Jose\u0301 Nun\u0303ez", "josé núñez"),
        ("Guðrún Þórsdóttir", "gudrun thors"),
        ("Søren Ærø", "soren aero"),
        ("Anneliese Groß", "gross"),
        ("Zoë O’Brien", "obrien"),
        ("Zoë O'Brien", "o’brien"),
        ("Maximiliana von Hohenfels-Waldenburg", "waldenburg max"),
        ("\u0130pek I\u015f\u0131k", "ipek isik"),
        ("李小龍", "李小"),
    ],
)
def test_a_name_is_found_by_the_begin_of_its_words(name, typed):
    assert finds(typed, name=name)


@pytest.mark.parametrize(
    "typed", ["eyes", "ana ortega", "a", "", "%", "_", "an%", "a_a", "..", "'"]
)
def test_a_name_is_not_found_by_what_is_not_in_it(typed):
    assert not finds(typed, name="Ana Reyes") or fold(typed) == "an"


@given(NAMES, st.data())
def test_every_begin_of_every_word_of_a_name_finds_it(name, data):
    words = fold(name).split()
    parts = [word[: data.draw(st.integers(1, len(word)))] for word in words]
    typed = " ".join(data.draw(st.permutations(parts)))
    if max(map(len, parts), default=0) >= 2:
        assert finds(typed, name=name)


@given(st.text(max_size=60))
def test_whatever_is_typed_is_read(text):
    typed = read_typed(text)
    assert typed.is_empty or typed.code or typed.row_id or typed.ways
    assert fold(fold(text)) == fold(text)
    kept_words(names=[text], email=text, phone=text, reference=text)
    is_last_name(text, [text])


@pytest.mark.parametrize(
    ("kept", "typed"),
    [
        ("+354 611 2345", "611 2345"),
        ("611 2345", "+354 611 2345"),
        ("611-2345", "00354 6112345"),
        ("07700 900123", "+44 7700 900123"),
        ("+44 (0)7700 900123", "07700 900123"),
        ("+44 7700 900123", "0123"),
        ("+44 7700 900123", "900 123"),
    ],
)
def test_a_phone_number_is_found_by_its_last_digits(kept, typed):
    assert finds(typed, phone=kept)


@pytest.mark.parametrize("typed", ["123", "611 2346", "9 611 23", "+44 7700 900124"])
def test_another_number_is_not_found(typed):
    assert not finds(typed, phone="+354 611 2345")


@given(st.text(string.digits, min_size=7, max_size=11), st.sampled_from(("44", "354", "1")))
def test_a_national_number_and_the_same_with_its_country_find_each_other(digits, country):
    if phone_key(digits) and len(phone_key(digits)) >= 7:
        national, whole = f"0{digits}", f"+{country} {digits.lstrip('0')}"
        assert finds(national, phone=whole)
        assert finds(whole, phone=national)


@pytest.mark.parametrize(
    "typed",
    ["STW KWXQ68", "stw kwxq68", "stw-kwxq68", "STWKWXQ68", "kwxq68", "stw kw", " stw  kwxq 68 "],
)
def test_a_reference_is_found_however_it_is_typed(typed):
    assert finds(typed, reference="STW KWXQ68")


def test_letters_that_are_misread_in_a_reference_are_one():
    assert finds("soil 23v56", reference="S01L 23U56")
    assert reference_key("OIL-u") == reference_key("01i V")
    assert not finds("STW KWXQ69", reference="STW KWXQ68")


@pytest.mark.parametrize(
    "scanned",
    [
        CODE,
        CODE.upper(),
        f"https://book.example/bookings/tickets/{CODE}",
        f"https://book.example/bookings/tickets/{CODE}/ ",
        f"httpsÖ--book.example-bookings-tickets-{CODE}",
    ],
)
def test_a_ticket_is_read_also_by_a_scanner_with_another_keyboard(scanned):
    assert read_code(scanned) == CODE
    assert read_typed(scanned).code == CODE


@pytest.mark.parametrize(
    "text", ["", CODE[:-1], f"a{CODE}", f"{CODE}0123", f"/{CODE}/calendar.ics"]
)
def test_what_is_no_code_is_none(text):
    assert read_code(text) == ""


def test_mail_is_found_by_its_begin_and_id_by_itself():
    assert finds("Ana.Reyes@ex", email="ana.reyes@example.com")
    assert not finds("reyes@example.com", email="ana.reyes@example.com")
    assert read_typed("6A1F00000000000000000001").row_id == "6a1f00000000000000000001"


def test_only_a_whole_reference_means_one_order():
    assert is_meant(read_typed("stw kwxq68"), "STW KWXQ68")
    assert is_meant(read_typed("KWXQ68"), "STW KWXQ68")
    assert is_meant(Typed("", code=CODE), "STW KWXQ68")
    assert not is_meant(read_typed("stw kwx"), "STW KWXQ68")
    assert not is_meant(read_typed("ana"), "STW KWXQ68")


@pytest.mark.parametrize(
    ("typed", "name", "fits"),
    [
        ("Reyes", "Ana Reyes", True),
        ("reyes ortega", "Ana Reyes Ortega", True),
        ("Reyes", "Ana Reyes Ortega", True),
        ("ANA REYES", "Ana Reyes", True),
        ("Þórsdóttir", "Guðrún Thorsdottir", True),
        ("waldenburg", "Max von Hohenfels-Waldenburg", True),
        ("Cher", "Cher", True),
        ("Ana", "Ana Reyes", False),
        ("Rey", "Ana Reyes", False),
        ("", "Ana Reyes", False),
        ("%", "Ana Reyes", False),
        ("Reyes", "", False),
    ],
)
def test_a_last_name_fits_whole_or_not_at_all(typed, name, fits):
    assert is_last_name(typed, [name]) is fits
