"""Forms in versions, asked of bookings, answered by people who may save at the same moment."""

import datetime as dt
import threading

import pytest
import sqlalchemy as sa
from conftest import NOW
from factories import (
    ANYWHERE,
    fetch,
    make_booked_line,
    make_form,
    make_session,
    make_site,
    make_type,
)
from sqlalchemy import event

from domain.errors import AnswersChanged, FormChanged, FormClosed, NotFound, RuleBroken
from domain.intake import BOOKER, Field
from models import IntakeAnswer, IntakeForm, SessionBooking, SessionType, db
from services.checkout import book_for_staff
from services.desk import find_roster
from services.intake import completion, find_type_form, save_form
from services.intake_answers import (
    find_booking_forms,
    find_desk_forms,
    find_guest_form,
    save_answers,
)
from services.places import let_go

pytestmark = pytest.mark.usefixtures("ctx")

WHEN = Field("q1", "Is there an occasion?")
PRESSURE = Field("q2", "How firm?", "choice", asked_of="each_guest", options=("Light", "Firm"))
SIGN = Field("q3", "Sign", "signature", asked_of="each_guest")
LATER = NOW + dt.timedelta(hours=1)


@pytest.fixture
def kind():
    """Everyone by name, so that guests are rows."""
    return make_type(max_per_guest=1, name="Massage for two")


@pytest.fixture
def booking(kind):
    make_form(kind, WHEN, PRESSURE, SIGN)
    return make_booked_line(make_session(kind), guests=2, names=("Jude Okafor",))


def fill(booking, typed, *, seen=None, by="booker", now=LATER):
    """Save with the marks of what is there now, unless `seen` says otherwise."""
    if seen is None:
        forms = find_booking_forms(booking.order.secret, booking.id, now=NOW)
        seen = {position: forms.of(position).seen for position in typed}
    return save_answers(booking.organisation_id, booking.id, typed, seen=seen, by=by, now=now)


def parts(booking):
    return find_booking_forms(booking.order.secret, booking.id, now=NOW).parts


def state(booking):
    return completion([fetch(SessionBooking, booking.id)])[booking.id]


def walk_in(kind, guests):
    """A party whose guests gave no names."""
    session = make_session(kind, local_start="2026-06-04T11:00")
    booking_id = book_for_staff(
        session.organisation_id, session.id, name="Ana Reyes", guests=guests, now=NOW
    )
    return fetch(SessionBooking, booking_id)


def answers(booking):
    rows = db.session.scalars(
        sa.select(IntakeAnswer).where(IntakeAnswer.session_booking_id == booking.id),
        execution_options=ANYWHERE,
    )
    return {row.position: row for row in rows}


def test_a_form_is_kept_in_versions_and_the_type_knows_the_one_in_force(kind):
    revision = fetch(SessionType, kind.id).revision
    assert make_form(kind, WHEN) == 1
    assert make_form(kind, WHEN, PRESSURE, expected=1) == 2
    row = fetch(SessionType, kind.id)
    assert (row.intake_form_version, row.intake_asks_guests) == (2, True)
    assert row.revision == revision + 2
    found = find_type_form(kind.organisation_id, kind.site_id, kind.id)
    assert [it.version for it in found.versions] == [2, 1]
    assert found.fields == (WHEN, PRESSURE)
    assert found.versions[1].fields == (WHEN,)


def test_saving_what_is_there_makes_no_version(kind):
    make_form(kind, WHEN)
    assert make_form(kind, WHEN, expected=1) is None
    assert make_form(kind, WHEN, expected=0) is None
    assert fetch(SessionType, kind.id).intake_form_version == 1


def test_asking_nothing_any_more_is_a_version_too(kind):
    make_form(kind, PRESSURE)
    assert make_form(kind, expected=1) == 2
    row = fetch(SessionType, kind.id)
    assert (row.intake_form_version, row.intake_asks_guests) == (None, False)
    booking = make_booked_line(make_session(kind))
    assert booking.intake_form_id is None
    assert make_form(kind, PRESSURE, expected=2) == 3


def test_d4_of_two_editors_the_stale_one_is_told(kind):
    make_form(kind, WHEN)
    make_form(kind, WHEN, PRESSURE, expected=1)
    with pytest.raises(FormChanged) as refused:
        make_form(kind, SIGN, expected=1)
    assert "version 2" in refused.value.sentence
    assert find_type_form(kind.organisation_id, kind.site_id, kind.id).latest == 2


def test_a_form_that_is_none_is_not_saved(kind):
    with pytest.raises(RuleBroken) as refused:
        make_form(kind, Field("q1", ""))
    assert refused.value.field == "label-0"
    assert find_type_form(kind.organisation_id, kind.site_id, kind.id).versions == ()


def test_d1_another_sites_type_is_not_found(kind):
    other = make_site()
    for organisation_id, site_id in (
        (other.organisation_id, other.id),
        (kind.organisation_id, other.id),
    ):
        with pytest.raises(NotFound):
            find_type_form(organisation_id, site_id, kind.id)
        with pytest.raises(NotFound):
            save_form(organisation_id, site_id, kind.id, [WHEN], expected=0, now=NOW)


def test_a_booking_is_asked_what_was_in_force_and_keeps_it(kind, booking):
    make_form(kind, Field("q1", "Something else"), expected=1)
    assert fetch(IntakeForm, booking.intake_form_id).version == 1
    assert [part.fields for part in parts(booking)] == [
        (WHEN,),
        (PRESSURE, SIGN),
        (PRESSURE, SIGN),
    ]
    fill(booking, {BOOKER: {"q1": ["A birthday"]}})
    newer = make_booked_line(make_session(kind, local_start="2026-06-13T10:00"))
    assert parts(newer)[0].fields[0].label == "Something else"
    versions = find_type_form(kind.organisation_id, kind.site_id, kind.id).versions
    assert [(it.version, it.answers) for it in versions] == [(2, 0), (1, 1)]


def test_a_type_without_a_form_asks_nothing(kind):
    booking = make_booked_line(make_session(kind))
    found = state(booking)
    assert (found.has_form, found.required, found.completed) == (False, False, True)
    assert parts(booking) == ()


def test_each_guest_gets_a_link_that_cannot_be_guessed(booking):
    secrets = [guest.form_secret for guest in booking.guests]
    assert len(set(secrets)) == 2
    assert all(len(secret) == 24 for secret in secrets)


def test_guests_get_no_link_when_only_the_booker_is_asked(kind):
    make_form(kind, WHEN)
    booking = make_booked_line(make_session(kind), guests=2, names=("Jude Okafor",))
    assert [guest.form_secret for guest in booking.guests] == [None, None]


def test_the_booker_fills_in_for_guests_without_a_name():
    kind = make_type()
    make_form(kind, PRESSURE)
    row = make_session(kind)
    walk_in = book_for_staff(row.organisation_id, row.id, name="Ana Reyes", guests=3, now=NOW)
    booking = fetch(SessionBooking, walk_in)
    assert [(it.position, it.name) for it in parts(booking)] == [
        (0, "Ana Reyes"),
        (1, "Guest 2"),
        (2, "Guest 3"),
    ]
    fill(booking, {0: {"q2": ["Firm"]}})
    fill(booking, {2: {"q2": ["Light"]}})
    assert state(booking).missing == ("Guest 2: 1 answer",)


def test_a_booker_who_stays_at_home_is_asked_nothing_of_a_guest(kind):
    make_form(kind, WHEN, PRESSURE)
    names = ("Jude Okafor", "Noor Haddad")
    booking = make_booked_line(make_session(kind), guests=2, names=names, who=(1, 2))
    assert [(it.position, it.name, it.is_own) for it in parts(booking)] == [
        (BOOKER, "Ana Reyes", True),
        (0, "Jude Okafor", False),
        (1, "Noor Haddad", False),
    ]
    assert state(booking).missing == (
        "Ana Reyes: 1 answer",
        "Jude Okafor: 1 answer",
        "Noor Haddad: 1 answer",
    )


def test_positions_with_a_gap_belong_to_those_who_are_left(kind):
    make_form(kind, PRESSURE)
    booking = make_booked_line(make_session(kind), guests=3, names=("Jude", "Noor"))
    row = fetch(SessionBooking, booking.id)
    row.guests.remove(row.guests[1])
    row.places = 2
    db.session.commit()
    assert [(it.position, it.name) for it in parts(booking)] == [(0, "Ana Reyes"), (2, "Noor")]


def test_a_walk_in_is_asked_too(kind):
    make_form(kind, WHEN)
    session = make_session(kind, local_start="2026-06-04T11:00")
    booking_id = book_for_staff(
        session.organisation_id, session.id, name="Walter", guests=2, now=NOW
    )
    assert fetch(SessionBooking, booking_id).intake_form_id is not None
    found = find_desk_forms(session.organisation_id, session.site_id, booking_id, now=NOW)
    save_answers(
        found.organisation_id, booking_id, {BOOKER: {"q1": ["None"]}},
        seen={BOOKER: found.of(BOOKER).seen}, by="desk", now=NOW,
    )  # fmt: skip
    assert completion([fetch(SessionBooking, booking_id)])[booking_id].completed


def test_half_filled_answers_are_kept_but_not_completed(booking):
    saved = fill(booking, {0: {"q2": ["Firm"]}})
    assert (saved.errors, saved.missing) == ({}, 1)
    row = answers(booking)[0]
    assert (row.answers, row.completed_at) == ({"q2": "Firm"}, None)
    fill(booking, {0: {"q2": ["Firm"], "q3": ["Ana Reyes"]}})
    assert answers(booking)[0].completed_at == LATER


def test_taking_an_answer_back_makes_it_unfinished_again(booking):
    fill(booking, {BOOKER: {"q1": ["A birthday"]}})
    fill(booking, {BOOKER: {"q1": [""]}})
    row = answers(booking)[BOOKER]
    assert (row.answers, row.completed_at) == ({}, None)


def test_what_can_be_read_is_kept_when_the_rest_cannot(booking):
    saved = fill(booking, {0: {"q2": ["Very firm"], "q3": ["Ana Reyes"]}})
    assert saved.errors == {0: {"q2": "Choose from the list."}}
    assert saved.missing == 1
    assert answers(booking)[0].answers["q3"]["name"] == "Ana Reyes"


def test_nothing_typed_writes_nothing(booking):
    fill(booking, {0: {}, BOOKER: {}})
    assert answers(booking) == {}


def test_answers_to_what_nobody_asked_are_dropped(booking):
    fill(booking, {BOOKER: {"q1": ["x"], "q2": ["Firm"], "nonsense": ["y"]}})
    assert answers(booking)[BOOKER].answers == {"q1": "x"}


def test_who_is_missing_what(booking):
    first = state(booking)
    assert (first.has_form, first.required, first.completed) == (True, True, False)
    assert first.missing == ("Ana Reyes: 3 answers", "Jude Okafor: 2 answers")
    done = {"q2": ["Firm"], "q3": ["Jude Okafor"]}
    fill(booking, {BOOKER: {"q1": ["None"]}, 0: done})
    assert state(booking).missing == ("Jude Okafor: 2 answers",)
    fill(booking, {1: done})
    assert (state(booking).completed, state(booking).missing) == (True, ())


def test_two_guests_of_one_name_are_two_people():
    kind = make_type()
    make_form(kind, PRESSURE)
    booking = make_booked_line(make_session(kind), guests=2, names=("Sam",), name="Sam")
    assert state(booking).missing == ("Sam: 1 answer", "Sam: 1 answer")


def test_a_roster_asks_the_same_number_of_questions_however_long(kind):
    make_form(kind, WHEN, PRESSURE)
    session = make_session(kind, capacity=20)

    def cost():
        db.session.expunge_all()
        number = 0

        def count(*_):
            nonlocal number
            number += 1

        event.listen(db.engine, "before_cursor_execute", count)
        find_roster(session.organisation_id, session.site_id, session.id, now=NOW)
        event.remove(db.engine, "before_cursor_execute", count)
        return number

    for number in range(2):
        fill(make_booked_line(session, guests=1, name=f"Ana {number}"), {BOOKER: {"q1": ["x"]}})
    few = cost()
    for _ in range(6):
        fill(make_booked_line(session, guests=2, names=("Jude",)), {1: {"q2": ["Firm"]}})
    assert cost() == few


def test_d4_one_who_saves_over_unseen_answers_is_told(booking):
    before = {1: parts(booking)[2].seen}
    fill(booking, {1: {"q2": ["Light"]}}, seen=before, by="guest")
    with pytest.raises(AnswersChanged):
        fill(booking, {1: {"q2": ["Firm"]}}, seen=before)
    assert answers(booking)[1].answers == {"q2": "Light"}


def test_the_same_answers_sent_twice_are_no_conflict(booking):
    before = {1: parts(booking)[2].seen}
    typed = {1: {"q2": ["Light"], "q3": ["Jude Okafor"]}}
    fill(booking, typed, seen=before, by="guest")
    fill(booking, typed, seen=before, by="guest", now=LATER + dt.timedelta(minutes=1))
    assert answers(booking)[1].answers["q3"]["signed_at"] == LATER.isoformat()


def test_a_conflict_at_one_person_saves_neither(booking):
    seen = {part.position: part.seen for part in parts(booking)}
    fill(booking, {0: {"q2": ["Light"]}}, seen=seen)
    with pytest.raises(AnswersChanged):
        fill(booking, {BOOKER: {"q1": ["x"]}, 0: {"q2": ["Firm"]}}, seen=seen)
    assert set(answers(booking)) == {0}


def test_two_people_who_save_at_the_same_moment_lose_nothing(ctx, booking):
    """Different people's parts never meet; of one part the slower saver is told."""
    seen = {part.position: part.seen for part in parts(booking)}
    organisation_id, booking_id = booking.organisation_id, booking.id
    db.session.remove()
    gate = threading.Barrier(3)
    told = []

    def save(position, pressure):
        with ctx.app_context():
            gate.wait(10)
            typed = {position: {"q2": [pressure]}}
            try:
                save_answers(organisation_id, booking_id, typed, seen=seen, by="guest", now=LATER)
            except AnswersChanged:
                told.append(position)
            db.session.remove()

    threads = [
        threading.Thread(target=save, args=args)
        for args in ((0, "Firm"), (1, "Light"), (1, "Firm"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert set(answers(fetch(SessionBooking, booking_id))) == {0, 1}
    assert told == [1]


def test_a_cancelled_booking_takes_no_more_answers(booking):
    let_go(fetch(SessionBooking, booking.id), by="customer", now=NOW)
    db.session.commit()
    with pytest.raises(FormClosed) as refused:
        fill(booking, {BOOKER: {"q1": ["x"]}})
    assert "cancelled" in refused.value.sentence
    with pytest.raises(FormClosed):
        find_guest_form(booking.guests[1].form_secret, now=NOW)


def test_a_session_that_the_venue_cancelled_takes_no_more_answers(booking):
    booking.session.deleted_at = NOW
    db.session.commit()
    with pytest.raises(FormClosed):
        fill(booking, {BOOKER: {"q1": ["x"]}})


def test_answers_are_taken_until_the_session_ends(booking):
    end = booking.session.end_time
    fill(booking, {BOOKER: {"q1": ["x"]}}, now=end - dt.timedelta(seconds=1))
    with pytest.raises(FormClosed) as refused:
        fill(booking, {BOOKER: {"q1": ["y"]}}, now=end)
    assert "over" in refused.value.sentence
    assert answers(booking)[BOOKER].answers == {"q1": "x"}


def test_a_guest_who_is_not_in_the_booking_is_not_found(booking):
    for position in (2, 99):
        with pytest.raises(NotFound):
            fill(booking, {position: {"q2": ["Firm"]}}, seen={position: ""})


def test_d1_links_open_only_what_they_are_for(kind, booking):
    other = make_booked_line(make_session(kind, local_start="2026-06-13T10:00"))
    with pytest.raises(NotFound):
        find_booking_forms(other.order.secret, booking.id, now=NOW)
    for wrong in ("", "nothing", booking.order.secret):
        with pytest.raises(NotFound):
            find_guest_form(wrong, now=NOW)
    elsewhere = make_site()
    with pytest.raises(NotFound):
        find_desk_forms(elsewhere.organisation_id, elsewhere.id, booking.id, now=NOW)
    with pytest.raises(NotFound):
        save_answers(elsewhere.organisation_id, booking.id, {}, seen={}, by="desk", now=NOW)


def test_a_guests_link_knows_nothing_else_of_the_order(booking):
    fill(booking, {BOOKER: {"q1": ["A secret birthday"]}, 0: {"q2": ["Firm"]}})
    found = find_guest_form(booking.guests[1].form_secret, now=NOW)
    assert found.part.name == "Jude Okafor"
    assert found.part.fields == (PRESSURE, SIGN)
    assert found.part.answers == {}
    assert found.visit.booker_first_name == "Ana"
