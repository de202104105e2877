"""The trail in words: a sentence for each thing that happened, and what may be undone."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from domain.trail_words import (
    LONG,
    NOUNS,
    UNDOABLE,
    Change,
    Field,
    Tongue,
    name_part,
    say_change,
    why_not_undone,
)

NAMES = {"r1": "Spring Hall", "r2": "Cold room", "t1": "Sauna", "m1": "River"}
TONGUE = Tongue(ZoneInfo("Europe/London"), lambda minor: f"£{minor / 100:.2f}", NAMES)
NINE = dt.datetime(2026, 6, 12, 9)  # noqa: DTZ001 - wall time
INSTANT = dt.datetime(2026, 6, 12, 17, tzinfo=dt.UTC)


def said(subject, *fields, act="changed", thing=""):
    return [one.text for one in say_change(Change(subject, act, fields, thing), TONGUE)]


@pytest.mark.parametrize(
    ("subject", "field", "sentence"),
    [
        ("rooms", ("name", "text", "A", "B"), "Changed the name from “A” to “B”"),
        ("rooms", ("cap", "number", 8, 9), "Changed the guests at most from 8 to 9"),
        ("rooms", ("zone_id", "ref", None, "r1"), "Set the zone to “Spring Hall”"),
        ("rooms", ("deleted_at", "instant", None, INSTANT), "Archived it"),
        ("rooms", ("deleted_at", "instant", INSTANT, None), "Restored it"),
        ("rooms", ("position", "number", 1, 2), "Moved it in the list"),
        (
            "sessions",
            ("local_start", "local", NINE, NINE + dt.timedelta(hours=1)),
            "Moved the start from Fri 12 June 09:00 to Fri 12 June 10:00",
        ),
        ("sessions", ("deleted_at", "instant", None, INSTANT), "Took the session away"),
        ("sessions", ("room_id", "ref", "r1", "r2"),
         "Changed the room from “Spring Hall” to “Cold room”"),
        ("sessions", ("room_id", "ref", "r1", "gone"),
         "Changed the room from “Spring Hall” to “something that is gone”"),
        ("sessions", ("price", "money", 4800, 5000),
         "Changed the price from £48.00 to £50.00"),
        ("session_bookings", ("checked_in_at", "instant", None, INSTANT), "Checked in"),
        ("session_bookings", ("checked_in_at", "instant", INSTANT, None),
         "Took the check-in back"),
        ("session_bookings", ("is_no_show", "flag", False, True), "Marked as not come"),
        ("session_bookings", ("places", "number", 2, 1),
         "Changed the booking from 2 guests to 1 guest"),
        ("session_types", ("members_only", "flag", False, True), "Members only: yes"),
        ("session_types", ("permitted_membership_type_ids", "json", [], ["m1"]),
         "Set the memberships that may book to River"),
        ("session_types", ("session_type_categories", "links", [], ["t1"]),
         "Added Sauna to the categories"),
        ("practitioners", ("practitioner_types", "links", ["t1"], []),
         "Took Sauna out of the types they lead"),
        ("price_rules", ("weekdays", "json", ["friday", "monday"], []),
         "Took the weekdays away, it was monday, friday"),
        ("accounts", ("password_hash", "secret", "…", "…"), "Changed the password"),
        ("memberships", ("last_day", "day", None, dt.date(2026, 7, 1)),
         "Set the last day to Wed 1 July 2026"),
        ("private_links", ("expires_at", "instant", None, INSTANT),
         "Set the end to Fri 12 June 18:00"),
    ],
)  # fmt: skip
def test_one_change_is_one_sentence(subject, field, sentence):
    assert said(subject, Field(*field)) == [sentence]


def test_what_follows_from_another_column_is_not_said_twice():
    fields = [
        Field("start_time", "instant", INSTANT, INSTANT),
        Field("end_time", "instant", INSTANT, INSTANT),
        Field("local_start", "local", NINE, NINE),
    ]
    assert len(said("sessions", *fields)) == 1


def test_long_texts_stand_below_their_sentence():
    field = Field("bio", "text", "short", "x" * (LONG + 1))
    [one] = say_change(Change("practitioners", "changed", (field,)), TONGUE)
    assert one.text == "Changed the bio"
    assert one.before == "“short”"
    assert one.after.count("x") == LONG + 1


@pytest.mark.parametrize("subject", NOUNS)
@pytest.mark.parametrize("act", ["made", "changed", "removed"])
def test_every_table_has_words_for_each_act(subject, act):
    assert all(said(subject, act=act, thing="Thing"))
    assert name_part(Change(subject, act, thing="x")).endswith("“x”")


@pytest.mark.parametrize(
    ("subject", "act", "names", "stays"),
    [
        ("rooms", "changed", ["cap"], ""),
        ("rooms", "made", [], "added or removed"),
        ("session_bookings", "changed", ["checked_in_at", "stage"], ""),
        ("session_bookings", "changed", ["session_id"], "Mails went out"),
        ("ledger_entries", "made", [], "Money moved"),
        ("sessions", "changed", ["local_start"], "Guests may have been told"),
        ("session_types", "changed", ["name"], ""),
        ("session_types", "changed", ["deleted_at"], "touched sessions"),
        ("price_rules", "removed", [], ""),
        ("customers", "changed", ["name"], "can't be undone here"),
    ],
)
def test_what_may_be_undone_and_why_the_rest_may_not(subject, act, names, stays):
    fields = tuple(Field(name, "text", "a", "b") for name in names)
    said_why = why_not_undone(Change(subject, act, fields))
    assert (said_why == "") == (stays == "")
    assert stays in said_why


def test_a_membership_that_ended_stays_ended():
    ended = Change("memberships", "changed", (Field("state", "text", "ended", "active"),))
    assert why_not_undone(ended)


def test_whatever_may_be_undone_has_a_name():
    assert set(UNDOABLE) <= set(NOUNS)
