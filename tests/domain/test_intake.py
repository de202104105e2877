"""What a form may ask, how typed answers are read, and what is missing."""

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import RuleBroken
from domain.intake import (
    BOOKER,
    KINDS,
    MAX_FIELDS,
    MAX_LABEL,
    MOST_OPTIONS,
    WITH_OPTIONS,
    Field,
    check_form,
    fields_for,
    fresh_id,
    intake_form_required,
    intake_forms_completed,
    list_problems,
    missing,
    missing_by_position,
    read_answers,
)

NOW = dt.datetime(2026, 6, 4, 9, 0, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(hours=3)
PRESSURES = ("Light", "Medium", "Firm")


def ask(kind="text", **given):
    options = PRESSURES if kind in WITH_OPTIONS else ()
    return Field(**{"id": "q1", "label": "Question", "kind": kind, "options": options, **given})


def read(field, *texts, before=None, now=NOW, by="guest"):
    return read_answers([field], {field.id: texts}, now=now, by=by, before=before)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_makes_a_form_and_survives_being_kept(kind):
    (field,) = check_form([ask(kind, help="Help", asked_of="each_guest", required=False)])
    assert Field.of(field.as_kept()) == field


def test_a_form_is_tidied():
    (field,) = check_form([ask("choice", label="  How \n firm? ", options=(" Light ", "", "Firm"))])
    assert (field.label, field.options) == ("How firm?", ("Light", "Firm"))


def test_options_of_another_kind_are_left_out():
    assert check_form([ask("text", options=("a", "b"))])[0].options == ()


@pytest.mark.parametrize(
    ("field", "at"),
    [
        pytest.param(ask(label=""), "label-0", id="no words"),
        pytest.param(ask(label=" \n"), "label-0", id="only space"),
        pytest.param(ask(label="x" * (MAX_LABEL + 1)), "label-0", id="too long"),
        pytest.param(ask(label="<b>Hello</b>"), "label-0", id="markup"),
        pytest.param(ask(label="a\0b"), "label-0", id="a NUL"),
        pytest.param(ask(label="a\ud800b"), "label-0", id="half a surrogate pair"),
        pytest.param(ask(help="x" * 501), "help-0", id="long help"),
        pytest.param(ask(help="a < b"), "help-0", id="markup in the help"),
        pytest.param(ask(kind="file"), "kind-0", id="an unknown kind"),
        pytest.param(ask(asked_of="everybody"), "asked_of-0", id="asked of nobody we know"),
        pytest.param(ask("choice", options=("One",)), "options-0", id="one option"),
        pytest.param(ask("several", options=()), "options-0", id="no option"),
        pytest.param(ask("choice", options=("Yes", "yes")), "options-0", id="an option twice"),
        pytest.param(ask("choice", options=("a", "x" * 201)), "options-0", id="a long option"),
        pytest.param(ask("choice", options=("a", "<i>")), "options-0", id="markup in an option"),
        pytest.param(
            ask("several", options=tuple(str(n) for n in range(MOST_OPTIONS + 1))),
            "options-0",
            id="too many options",
        ),
        pytest.param(ask(id="Q 1"), "label-0", id="an id we never gave"),
    ],
)
def test_what_is_no_form_is_refused_at_its_field(field, at):
    with pytest.raises(RuleBroken) as refused:
        check_form([field])
    assert (refused.value.code, refused.value.field) == ("form_invalid", at)
    assert refused.value.sentence.endswith(".")


def test_the_longest_label_and_most_options_pass():
    most = tuple(str(number) for number in range(MOST_OPTIONS))
    assert check_form([ask("choice", label="x" * MAX_LABEL, options=most)])


def test_a_form_has_at_most_forty_questions_and_each_its_own_id():
    fields = [ask(id=f"q{number}") for number in range(MAX_FIELDS + 1)]
    assert check_form(fields[:-1])
    assert [it.field for it in list_problems(fields)] == ["fields"]
    assert [it.field for it in list_problems([ask(), ask()])] == ["label-1"]


def test_every_problem_is_told_at_once():
    problems = list_problems([ask(label=""), ask("choice", id="q2", options=())])
    assert [it.field for it in problems] == ["label-0", "options-1"]


def test_an_id_is_never_given_twice():
    assert fresh_id([]) == "q1"
    assert fresh_id(["q2", "q10", "mine"]) == "q11"


@pytest.mark.parametrize(
    ("kind", "typed", "kept"),
    [
        pytest.param("text", "  two \t words ", "two words", id="text on one line"),
        pytest.param("text", "a < b & c", "a < b & c", id="signs are just text"),
        pytest.param("text", "x" * 1000, "x" * 1000, id="text as long as may be"),
        pytest.param("long_text", "a\r\n\r\nb ", "a\n\nb", id="long text keeps its lines"),
        pytest.param("long_text", "x" * 20_000, "x" * 20_000, id="long text as long as may be"),
        pytest.param("choice", "Firm", "Firm", id="an option"),
        pytest.param("tick", "true", True, id="a tick"),
        pytest.param("date", "2024-02-29", "2024-02-29", id="a leap day"),
        pytest.param("date", " 1900-01-01 ", "1900-01-01", id="the first day"),
        pytest.param("number", "007", "7", id="zeros before"),
        pytest.param("number", "12,50", "12.5", id="a comma and zeros after"),
        pytest.param("number", "-0.0", "0", id="nothing at all"),
        pytest.param("number", "100", "100", id="a hundred"),
        pytest.param("number", "9" * 15, "9" * 15, id="a large one"),
    ],
)
def test_an_answer_is_read(kind, typed, kept):
    found = read(ask(kind), typed)
    assert found.values == {"q1": kept}
    assert found.errors == {}
    assert missing([ask(kind)], found.values) == ()


@pytest.mark.parametrize(
    ("kind", "typed"),
    [
        pytest.param("text", "x" * 1001, id="text too long"),
        pytest.param("long_text", "x" * 20_001, id="long text too long"),
        pytest.param("text", "a\x07b", id="a bell"),
        pytest.param("long_text", "a\0b", id="a NUL"),
        pytest.param("long_text", "a\ud800", id="half a surrogate pair"),
        pytest.param("choice", "Very firm", id="no option of ours"),
        pytest.param("several", "Very firm", id="none of ours among several"),
        pytest.param("tick", "on", id="a tick that our page never sends"),
        pytest.param("date", "12/06/1990", id="another way to write a date"),
        pytest.param("date", "2026-02-30", id="no such day"),
        pytest.param("date", "20260604", id="without dashes"),
        pytest.param("date", "1899-12-31", id="before the first day"),
        pytest.param("date", "2200-01-01", id="after the last day"),
        pytest.param("number", "1,000", id="a thousand with a comma, or one"),
        pytest.param("number", "1e5", id="an exponent"),
        pytest.param("number", "NaN", id="not a number"),
        pytest.param("number", "٣", id="digits of another script"),
        pytest.param("number", "9" * 16, id="too large"),
        pytest.param("signature", "<b>Ana</b>", id="markup for a name"),
        pytest.param("signature", "...", id="no name at all"),
        pytest.param("signature", "x" * 201, id="a name too long"),
    ],
)
def test_a_wrong_answer_is_told_and_not_kept(kind, typed):
    found = read(ask(kind), typed)
    assert found.values == {}
    assert found.errors["q1"].endswith(".")
    assert missing([ask(kind)], found.values)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("texts", [(), ("",), (" \n",)])
def test_nothing_typed_is_missing_where_required_and_no_error(kind, texts):
    for required in (True, False):
        field = ask(kind, required=required)
        found = read(field, *texts)
        assert (found.values, found.errors) == ({}, {})
        assert bool(missing([field], found.values)) is required


def test_several_keep_the_order_of_the_form_and_each_once():
    found = read(ask("several"), "Firm", "Light", "Firm")
    assert found.values == {"q1": ["Light", "Firm"]}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "several"])
def test_an_answer_that_comes_twice_is_told(kind):
    assert "twice" in read(ask(kind), "Light", "Firm").errors["q1"]


def test_an_unticked_box_is_no_answer():
    assert read(ask("tick"), "false").values == {}
    assert missing([ask("tick")], {"q1": False})


def test_a_signature_is_a_name_a_moment_and_a_hand():
    found = read(ask("signature"), "  Jude  Okafor ", by="booker")
    assert found.values["q1"] == {
        "name": "Jude Okafor",
        "signed_at": NOW.isoformat(),
        "by": "booker",
    }


def test_a_signature_stands_while_nothing_changes():
    form = [ask("signature"), ask(id="q2")]
    typed = {"q1": ["Jude Okafor"], "q2": ["None"]}
    first = read_answers(form, typed, now=NOW).values
    again = read_answers(form, typed, now=LATER, by="desk", before=first).values
    assert again == first


def test_whoever_changes_an_answer_signs_for_it():
    form = [ask("signature"), ask(id="q2")]
    first = read_answers(form, {"q1": ["Jude"], "q2": ["None"]}, now=NOW).values
    changed = read_answers(
        form, {"q1": ["Jude"], "q2": ["A nut allergy"]}, now=LATER, by="desk", before=first
    ).values
    assert changed["q1"] == {"name": "Jude", "signed_at": LATER.isoformat(), "by": "desk"}


def test_an_answer_that_no_longer_fits_is_missing():
    assert missing([ask("choice")], {"q1": "Very firm"})
    assert missing([ask("several")], {"q1": ["Light", "Very firm"]})
    assert missing([ask("signature")], {"q1": {"name": ""}})
    assert missing([ask("date")], {"q1": "soon"})


def test_each_person_is_asked_their_own():
    form = [ask(), ask(id="q2", asked_of="each_guest"), ask(id="q3", required=False)]
    assert [it.id for it in fields_for(form, BOOKER)] == ["q1", "q3"]
    assert [it.id for it in fields_for(form, 4)] == ["q2"]
    found = missing_by_position(form, [0, 1], {0: {"q2": "yes"}})
    assert {position: [it.id for it in lacking] for position, lacking in found.items()} == {
        BOOKER: ["q1"],
        1: ["q2"],
    }


def test_required_and_completed():
    form = [ask(), ask(id="q2", asked_of="each_guest")]
    optional = [replace(field, required=False) for field in form]
    assert intake_form_required(form)
    assert not intake_form_required(optional)
    assert not intake_form_required([])
    assert not intake_forms_completed(form, [0], {BOOKER: {"q1": "x"}})
    assert intake_forms_completed(form, [0], {BOOKER: {"q1": "x"}, 0: {"q2": "y"}})
    assert intake_forms_completed(optional, [0, 1], {})


FIELDS = st.builds(
    Field,
    id=st.sampled_from(["q1", "q2", "q3"]),
    label=st.text(max_size=20),
    kind=st.sampled_from(list(KINDS)),
    required=st.booleans(),
    asked_of=st.sampled_from(["booker", "each_guest"]),
    options=st.lists(st.sampled_from(["a", "b", " c ", ""]), max_size=4).map(tuple),
)
TYPED = st.dictionaries(
    st.sampled_from(["q1", "q2", "q3", "other"]),
    st.lists(
        st.text(max_size=12) | st.sampled_from(["a", "b", "true", "false", "2026-06-04", "12,5"]),
        max_size=3,
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(FIELDS, max_size=3, unique_by=lambda field: field.id), TYPED)
def test_whatever_is_typed_is_read_told_or_missing_and_reads_the_same_again(fields, typed):
    """No answer is lost, none is invented, and none changes by being saved again."""
    if list_problems(fields):
        return
    form = check_form(fields)
    found = read_answers(form, typed, now=NOW)
    assert not found.values.keys() & found.errors.keys()
    assert found.values.keys() | found.errors.keys() <= {field.id for field in form}
    open_ids = {field.id for field in missing(form, found.values)}
    assert open_ids == {f.id for f in form if f.required and f.id not in found.values}
    again = {
        name: [value["name"]]
        if isinstance(value, dict)
        else value
        if isinstance(value, list)
        else ["true" if value is True else value]
        for name, value in found.values.items()
    }
    assert read_answers(form, again, now=LATER, before=found.values).values == found.values


@settings(max_examples=100, deadline=None)
@given(st.lists(FIELDS, max_size=3, unique_by=lambda field: field.id))
def test_a_form_that_passes_passes_again_unchanged(fields):
    if not list_problems(fields):
        form = check_form(fields)
        assert check_form(form) == form
