"""One session at a time: a new one, and another time, room, person or price for one that stands."""

import datetime as dt

import pytest
import sqlalchemy as sa
from conftest import NOW
from factories import (
    ANYWHERE,
    fetch,
    make_order,
    make_practitioner,
    make_room,
    make_session,
    make_site,
    make_staff,
    make_type,
    save,
)

from models import (
    ClosedDay,
    Job,
    LedgerEntry,
    Practitioner,
    Room,
    Session,
    SessionBooking,
    SessionType,
    Site,
    db,
)
from services.session_changes import cancel_session, find_cancellable_session

NEW = "/staff/bath/sessions/new"
WEEK = {
    day: ["07:00", "22:00"]
    for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
}


@pytest.fixture
def house(make):
    """A booked session of 12 June and an empty one beside it; another site with its own room."""

    def build():
        site = make_site(slug="bath", opening_hours=WEEK)
        hall = make_room(site, name="Spring Hall", cap=14, turnaround=15)
        loft = make_room(site, name="River Loft", cap=6, position=1)
        tomas = make_practitioner(site)
        kind = make_type(site, slug="circuit", max_baskets_per_session=5, waitlist_enabled=True)
        given = {"room_id": hall.id, "practitioner_id": tomas.id}
        booked = make_session(kind, **given)
        other = make_session(kind, local_start="2026-06-13T10:00", capacity=3, **given)
        make_order(booked, guests=2)
        make_order(booked, name="Jude Park", email="jude@example.com")
        make_staff(site)
        far = make_site(slug="far")
        return {
            "org": site.organisation_id, "site": site.id, "hall": hall.id, "loft": loft.id,
            "tomas": tomas.id, "type": kind.id, "booked": booked.id, "other": other.id,
            "far_room": make_room(far).id, "far_type": make_type(far).id,
            "far_person": make_practitioner(far, name="Ines Duarte").id,
            "far_session": make_session(make_type(far)).id,
        }  # fmt: skip

    return make(build)


@pytest.fixture
def maren(visitor, house):
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    return visitor


def wanted(house, **other):
    return {
        "key": "k1", "type": house["type"], "date": "2026-06-15", "time": "10:00",
        "room": house["hall"], "practitioner": house["tomas"], **other,
    }  # fmt: skip


def made(app, house):
    """The sessions beside the two of the house, as plain values."""
    with app.app_context():
        rows = db.session.scalars(
            sa.select(Session).where(
                Session.site_id == house["site"],
                Session.id.not_in([house["booked"], house["other"]]),
            ),
            execution_options=ANYWHERE,
        ).all()
        db.session.expunge_all()
        return rows


def stands(app, session_id):
    with app.app_context():
        row = fetch(Session, session_id)
        db.session.expunge(row)
        return row


def bookings(app, session_id):
    with app.app_context():
        rows = db.session.scalars(
            sa.select(SessionBooking)
            .where(SessionBooking.session_id == session_id, SessionBooking.cancelled_at.is_(None))
            .order_by(SessionBooking.id),
            execution_options=ANYWHERE,
        ).all()
        return [(row.id, row.places) for row in rows]


# A new session


def test_r7_r8_r9_what_is_left_empty_comes_from_the_type_and_the_room(app, maren, house):
    answer = maren.post(NEW, wanted(house), 303)
    (row,) = made(app, house)
    assert answer.response.location == f"/staff/bath/?date=2026-06-15#s-{row.id}"
    assert (row.capacity, row.max_baskets, row.waitlist_enabled) == (14, 5, True)
    assert row.end_time - row.start_time == dt.timedelta(hours=2)
    assert row.start_time == dt.datetime(2026, 6, 15, 9, tzinfo=dt.UTC)
    assert (row.price, row.recurrence_group_id, row.session_type_name) == (
        None, None, "Thermal circuit",
    )  # fmt: skip
    page = maren.get("/staff/bath/?date=2026-06-15")
    assert "is on the schedule" in page.text(".note--ok")
    assert page.one(f"#s-{row.id}")


def test_everything_can_be_said_by_hand(app, maren, house):
    maren.post(
        NEW,
        wanted(
            house, duration="45", capacity="3", max_baskets="2", waitlist_enabled="false",
            price="12.50", practitioner="",
        ),
        303,
    )  # fmt: skip
    (row,) = made(app, house)
    assert (row.capacity, row.max_baskets, row.waitlist_enabled, row.price) == (3, 2, False, 1250)
    assert row.end_time - row.start_time == dt.timedelta(minutes=45)
    assert row.practitioner_id is None


def test_h6_two_presses_make_one(app, maren, house):
    token = maren.token()
    for _ in range(2):
        maren.post(NEW, wanted(house, csrf_token=token), 303)
    assert len(made(app, house)) == 1


def test_s4_a_clash_is_shown_first_and_made_all_the_same(app, maren, house):
    fields = wanted(house, date="2026-06-12", time="18:30")
    page = maren.post(NEW, fields, 200)
    assert "Spring Hall has Thermal circuit at 18:00" in page.text(".note--warn")
    assert "Tomas Vale leads Thermal circuit at 18:00" in page.text(".note--warn")
    assert not made(app, house)
    assert page.one("#time")["value"] == "18:30"
    seen = page.form("main form")["seen"]
    maren.post(NEW, {**fields, "seen": seen}, 303)
    assert len(made(app, house)) == 1


def test_s4_a_room_needs_its_time_to_be_turned_round(maren, house):
    page = maren.post(NEW, wanted(house, date="2026-06-12", time="20:10", practitioner=""), 200)
    assert "needs its time to be turned round" in page.text(".note--warn")
    maren.post(NEW, wanted(house, date="2026-06-12", time="15:45", practitioner=""), 303)


def test_s3_what_came_up_meanwhile_is_shown_before_it_is_made(app, maren, house, make):
    fields = wanted(house, date="2026-06-12", time="18:30")
    seen = maren.post(NEW, fields, 200).form("main form")["seen"]
    make(lambda: save(closed_day(house)))
    page = maren.post(NEW, {**fields, "seen": seen}, 409)
    assert "closed day: Private hire" in page.text("main")
    assert not made(app, house)


def closed_day(house):
    return ClosedDay(
        organisation_id=house["org"], site_id=house["site"], day=dt.date(2026, 6, 12),
        reason="Private hire", created_at=NOW,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"date": "2026-06-14"}, "closed on Sundays"),
        ({"time": "05:00"}, "open from 07:00 to 22:00"),
        ({"time": "21:30"}, "open from 07:00 to 22:00"),
        ({"date": "2027-03-28", "time": "01:30"}, "begins at 02:30"),
        ({"date": "2026-10-25", "time": "01:30"}, "comes twice"),
    ],
)
def test_t2_closing_times_and_the_clocks_are_said_before(maren, house, fields, said):
    assert said in maren.post(NEW, wanted(house, **fields), 200).text(".note--warn")


def test_t2_a_time_that_does_not_exist_begins_after_the_gap_and_keeps_its_wall_time(
    app, maren, house
):
    fields = wanted(house, date="2027-03-28", time="01:30")
    seen = maren.post(NEW, fields, 200).form("main form")["seen"]
    maren.post(NEW, {**fields, "seen": seen}, 303)
    (row,) = made(app, house)
    assert row.start_time == dt.datetime(2027, 3, 28, 1, 30, tzinfo=dt.UTC)
    # As a series keeps it: the wall time is the truth, the instant is derived (T1).
    assert f"{row.local_start:%H:%M}" == "01:30"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"type": ""}, "type"),
        ({"type": "far_type"}, "type"),
        ({"room": "far_room"}, "room"),
        ({"practitioner": "far_person"}, "practitioner"),
        ({"room": "'; --"}, "room"),
        ({"date": "2026-02-30"}, "date"),
        ({"date": ""}, "date"),
        ({"time": "25:00"}, "time"),
        ({"time": "later"}, "time"),
        ({"date": "2026-06-01"}, "time"),
        ({"date": "9999-12-31"}, "date"),
        ({"duration": "0"}, "duration"),
        ({"duration": "99999999999"}, "duration"),
        ({"capacity": "15"}, "capacity"),
        ({"capacity": "-1"}, "capacity"),
        ({"room": "", "capacity": ""}, "capacity"),
        ({"max_baskets": "many"}, "max_baskets"),
        ({"price": "dear"}, "price"),
        ({"price": "999999999999"}, "price"),
    ],
)
def test_r6_r22_a_bad_field_is_named_and_nothing_typed_is_lost(app, maren, house, fields, field):
    fields = {name: house.get(value, value) for name, value in fields.items()}
    page = maren.post(NEW, wanted(house, duration="45") | fields, 422)
    assert page.one(".summary a")["href"] == f"#{field}"
    assert page.soup.title.get_text().startswith("Error:")
    assert page.one(f"#{field}")["aria-invalid"] == "true"
    if "duration" not in fields:
        assert page.one("#duration")["value"] == "45"
    assert not made(app, house)


def test_r6_who_and_what_is_archived_can_not_be_chosen(maren, house, make):
    def archive():
        for model, key in ((Room, "loft"), (Practitioner, "tomas"), (SessionType, "type")):
            fetch(model, house[key]).deleted_at = NOW
        db.session.commit()

    make(archive)
    page = maren.get(NEW)
    values = {option["value"] for option in page.all("option")}
    assert not values & {house["loft"], house["tomas"], house["type"]}
    for field, key in (("room", "loft"), ("practitioner", "tomas")):
        page = maren.post(NEW, wanted(house, **{field: house[key]}), 422)


def test_the_form_is_filled_from_its_address(maren, house):
    page = maren.get(f"{NEW}?date=2026-06-20&time=09:15&room={house['loft']}&type={house['type']}")
    assert (page.one("#date")["value"], page.one("#time")["value"]) == ("2026-06-20", "09:15")
    assert page.one(f"#room option[value='{house['loft']}']").has_attr("selected")
    assert "2 hours" in page.text("#duration-hint")
    maren.get(f"{NEW}?date=nonsense&type=%00x", 400)
    maren.get(f"{NEW}?date=nonsense&type=x&room=y")


# Another time, room, person, price


def edit(house, key="booked"):
    return f"/staff/bath/sessions/{house[key]}/edit"


def filled(page, **other):
    """What a browser would send for the form, selects too."""
    fields = page.form("main form")
    for select in page.all("main form select"):
        chosen = select.select_one("option[selected]") or select.select_one("option")
        fields[select["name"]] = chosen["value"]
    tick = page.soup.select_one("[type=checkbox][name=waitlist_enabled]")
    fields["waitlist_enabled"] = (
        "true" if tick is not None and tick.has_attr("checked") else "false"
    )
    return {**fields, **other}


def test_one_step_is_enough_when_nobody_is_touched(app, maren, house):
    page = maren.get(edit(house))
    maren.post(edit(house), filled(page, price="60", practitioner="none"), 303)
    row = stands(app, house["booked"])
    assert (row.price, row.practitioner_id) == (6000, None)
    assert row.overridden == ["practitioner_id", "price"]
    assert row.start_time == dt.datetime(2026, 6, 12, 17, tzinfo=dt.UTC)


def test_p5_frozen_bookings_keep_their_price_and_the_rules_come_back(app, maren, house):
    maren.post(edit(house), filled(maren.get(edit(house)), price="60"), 303)
    page = maren.get(f"/staff/bath/sessions/{house['booked']}")
    assert "£60" in page.text("aside")
    assert "£96 due" in page.text("#roster")
    page = maren.get(edit(house))
    assert page.one("#price")["value"] == "60"
    assert "£48" in page.text("#price-hint")
    maren.post(edit(house), filled(page, price=""), 303)
    row = stands(app, house["booked"])
    assert (row.price, row.overridden) == (None, [])


def test_the_present_price_sent_back_is_no_override(app, maren, house):
    maren.post(edit(house), filled(maren.get(edit(house)), price="48"), 303)
    row = stands(app, house["booked"])
    assert (row.price, row.overridden) == (None, [])


def test_s3_a_new_time_shows_whom_it_touches_and_then_is_done(app, maren, house):
    page = maren.post(edit(house), filled(maren.get(edit(house)), time="19:00"), 200)
    said = page.text(".impact-card")
    assert "Friday 12 June at 18:00 Friday 12 June at 19:00" in said
    assert "Ana Reyes" in said
    assert "2 places" in said
    assert "£96.00 due at the visit" in said
    assert stands(app, house["booked"]).local_start.hour == 18
    maren.post(edit(house), filled(page), 303)
    row = stands(app, house["booked"])
    assert (row.local_start.hour, row.overridden) == (19, ["start_time"])
    assert len(bookings(app, house["booked"])) == 2
    with app.app_context():
        letters = db.session.scalars(sa.select(Job), execution_options=ANYWHERE).all()
        assert sum("booking_changed" in str(job.payload) for job in letters) == 2


def test_a_drag_and_the_form_say_the_same_and_save_nothing(app, maren, house):
    typed = maren.post(edit(house), filled(maren.get(edit(house)), time="19:00"), 200)
    dragged = maren.get(f"{edit(house)}?time=19:00&room={house['hall']}&from=schedule")
    assert dragged.text(".impact-card") == typed.text(".impact-card")
    assert filled(dragged) | {"from": ""} == filled(typed) | {"from": ""} | {
        "csrf_token": filled(dragged)["csrf_token"]
    }
    assert stands(app, house["booked"]).local_start.hour == 18
    answer = maren.post(edit(house), filled(dragged), 303)
    assert answer.response.location == f"/staff/bath/?date=2026-06-12#s-{house['booked']}"


def test_each_booking_goes_its_own_way(app, maren, house):
    (ana, _), (jude, _) = bookings(app, house["booked"])
    page = maren.get(f"{edit(house)}?time=19:00")
    target = f"move:{house['other']}"
    assert page.all(f"#choice-{ana} option[value='{target}']")
    refused = maren.post(
        edit(house), filled(page, **{f"choice-{ana}": target, f"choice-{jude}": "cancel"}), 422
    )
    assert refused.one(".summary a")["href"] == "#reason"
    kept = refused.one(f"#choice-{ana} option[selected]")
    assert kept["value"] == target
    maren.post(edit(house), filled(refused, reason="The boiler needs a repair"), 303)
    assert bookings(app, house["other"]) == [(ana, 2)]
    assert bookings(app, house["booked"]) == []
    with app.app_context():
        ledger = db.session.scalars(
            sa.select(LedgerEntry.amount).where(LedgerEntry.kind == "adjustment"),
            execution_options=ANYWHERE,
        ).all()
        assert ledger == [-4800]


def test_all_can_move_at_once_and_a_place_too_small_is_refused(app, maren, house):
    page = maren.get(f"{edit(house)}?time=19:00")
    sent = filled(page, default=f"move:{house['other']}", reason="The boiler needs a repair")
    maren.post(edit(house), sent, 303)
    assert sum(places for _, places in bookings(app, house["other"])) == 3
    assert stands(app, house["booked"]).places_taken == 0


def test_fewer_places_than_are_taken_ask_who_goes(app, maren, house):
    page = maren.post(edit(house), filled(maren.get(edit(house)), capacity="2"), 200)
    assert "1 place fewer than are taken" in page.text(".impact-card")
    page = maren.post(edit(house), filled(page), 422)
    assert "1 place too many would stay" in page.text(".summary")
    jude = bookings(app, house["booked"])[1][0]
    sent = filled(page, **{f"choice-{jude}": "cancel"}, reason="The boiler needs a repair")
    maren.post(edit(house), sent, 303)
    assert stands(app, house["booked"]).capacity == 2


def test_s3_a_booking_that_came_meanwhile_is_a_conflict(app, maren, house, make):
    page = maren.get(f"{edit(house)}?time=19:00")
    make(
        lambda: make_order(fetch(Session, house["booked"]), name="Late Lotte", email="l@x.example")
    )
    answer = maren.post(edit(house), filled(page), 409)
    assert "Late Lotte" in answer.text(".impact-card")
    assert answer.one("#time")["value"] == "19:00"
    assert stands(app, house["booked"]).local_start.hour == 18
    maren.post(edit(house), filled(answer), 303)
    assert stands(app, house["booked"]).local_start.hour == 19


def test_another_wish_after_the_impact_is_shown_again(app, maren, house):
    page = maren.get(f"{edit(house)}?time=19:00")
    again = maren.post(edit(house), filled(page, time="19:30"), 200)
    assert "19:30" in again.text(".impact-card")
    assert stands(app, house["booked"]).local_start.hour == 18


def test_s4_a_clash_is_shown_and_then_done_anyway(app, maren, house):
    page = maren.get(f"{edit(house, 'other')}?date=2026-06-12&time=18:30")
    assert "Spring Hall has Thermal circuit at 18:00" in page.text(".note--warn")
    assert "Change it anyway" in page.text(".impact-card")
    maren.post(edit(house, "other"), filled(page), 303)
    assert stands(app, house["other"]).local_start == dt.datetime(2026, 6, 12, 18, 30)  # noqa: DTZ001


def test_d4_the_second_of_two_editors_sees_both_versions(app, maren, house):
    first, second = maren.get(edit(house, "other")), maren.get(edit(house, "other"))
    maren.post(edit(house, "other"), filled(first, capacity="5"), 303)
    page = maren.post(edit(house, "other"), filled(second, price="20"), 409)
    assert "Saved meanwhile: 5" in page.text("main")
    assert (page.one("#capacity")["value"], page.one("#price")["value"]) == ("3", "20")
    assert stands(app, house["other"]).price is None
    maren.post(edit(house, "other"), filled(page, capacity="5"), 303)
    row = stands(app, house["other"])
    assert (row.capacity, row.price) == (5, 2000)


def test_what_is_not_sent_stays(app, maren, house):
    page = maren.get(edit(house, "other"))
    was = page.form("main form")["was"]
    maren.post(edit(house, "other"), {"was": was, "capacity": "4"}, 303)
    row = stands(app, house["other"])
    assert (row.capacity, row.waitlist_enabled, row.max_baskets) == (4, True, 5)
    assert row.room_id == house["hall"]
    maren.post(edit(house, "other"), {"was": was}, 303)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"room": "far_room"}, "room"),
        ({"room": "loft"}, "room"),
        ({"practitioner": "far_person"}, "practitioner"),
        ({"capacity": "15"}, "capacity"),
        ({"capacity": ""}, "capacity"),
        ({"duration": "-5"}, "duration"),
        ({"date": "2026-06-01"}, "time"),
        ({"time": "soon"}, "time"),
        ({"max_baskets": "1"}, "max_baskets"),
        ({"price": "1.999"}, "price"),
    ],
)
def test_r6_r8_r9_a_bad_edit_is_named_and_kept(app, maren, house, fields, field):
    fields = {name: house.get(value, value) for name, value in fields.items()}
    page = maren.post(edit(house), filled(maren.get(edit(house)), **fields), 422)
    assert page.one(".summary a")["href"] == f"#{field}"
    assert page.one(f"#{field}")["aria-invalid"] == "true"
    assert stands(app, house["booked"]).overridden == []


def test_a_link_with_nonsense_says_so(maren, house):
    page = maren.get(f"{edit(house)}?time=soon&room={house['far_room']}", 422)
    assert page.all(".summary a")


def test_r5_a_cancelled_session_is_not_edited(maren, house, make):
    def cancel():
        here = (house["org"], house["site"], house["booked"])
        seen = find_cancellable_session(*here, now=NOW).impact.mark
        cancel_session(*here, reason="The boiler", seen=seen, now=NOW)

    make(cancel)
    maren.get(edit(house), 404)
    maren.post(edit(house), {"capacity": "3"}, 404)


def test_d1_a_foreign_session_is_not_found(maren, house):
    maren.get(edit(house, "far_session"), 404)
    maren.post(edit(house, "far_session"), {"capacity": "3"}, 404)
    maren.get("/staff/bath/sessions/nothing/edit", 404)


def test_of_a_past_session_only_who_led_it_changes(app, maren, house, make):
    past = make(
        lambda: make_session(fetch(SessionType, house["type"]), local_start="2026-06-02T10:00").id
    )
    url = f"/staff/bath/sessions/{past}/edit"
    page = maren.get(url)
    assert not page.all("#time")
    maren.post(url, filled(page, practitioner=house["tomas"], waitlist_enabled="true"), 303)
    assert stands(app, past).practitioner_id == house["tomas"]
    page = maren.post(url, {"was": maren.get(url).form("main form")["was"], "capacity": "3"}, 422)
    assert "This session is over" in page.text(".summary")


def test_the_roster_leads_to_the_form_and_the_form_to_the_rest(maren, house):
    roster = maren.get(f"/staff/bath/sessions/{house['booked']}")
    assert roster.one(f"aside a[href='{edit(house)}']")
    page = maren.get(edit(house))
    assert page.one(f"a[href='/staff/bath/sessions/{house['booked']}/cancel']")


def test_other_desks_and_customers_have_no_such_pages(other_visitor, house, make):
    make(
        lambda: make_staff(
            fetch(Site, house["site"]), "cora@example.com", rights=("CUSTOMERS_MANAGE",)
        )
    )
    for url in (NEW, edit(house)):
        assert other_visitor.get(url, 303).response.location.startswith("/staff/sign-in")
    other_visitor.sign_in("cora@example.com", "thermal-waters", "/staff/sign-in")
    for url in (NEW, edit(house)):
        other_visitor.get(url, 403)
        other_visitor.post(url, {}, 403)
