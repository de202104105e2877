"""Series and closed days as staff meet them."""

import datetime as dt

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    fetch,
    make_group,
    make_order,
    make_practitioner,
    make_room,
    make_session,
    make_site,
    make_staff,
    make_type,
)

from blueprints.clock import read_clock
from domain.words import say_time, say_weekday_short
from models import ClosedDay, RecurrenceGroup, Session, SessionBooking, SessionType, Site, db
from services.scheduling import produce_sessions

DAY = dt.timedelta(days=1)
SIGN_IN = ("maren@example.com", "thermal-waters", "/staff/sign-in")


@pytest.fixture
def shop(make):
    """A type with one series of a fortnight at 09:00 and 18:00, every day from tomorrow on."""

    def build():
        site = make_site(slug="bath", opening_hours={})
        make_staff(site, rights=("SETTINGS_MANAGE", "RESERVATIONS_MANAGE"))
        kind = make_type(site, slug="circuit", name="Thermal circuit", duration=60)
        room, cold = make_room(site), make_room(site, name="Cold room", cap=6)
        person = make_practitioner(site)
        today = read_clock().date()
        group = make_group(
            kind,
            room,
            name="Mornings and evenings",
            weekdays=["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"],
            recurrence_start=today + DAY,
            recurrence_end=today + 14 * DAY,
        )
        produce_sessions(site.organisation_id, group.id, now=read_clock())
        return {
            "site": site.id, "organisation": site.organisation_id, "kind": kind.id,
            "group": group.id, "room": room.id, "cold": cold.id, "person": person.id,
            "today": today,
        }  # fmt: skip

    return make(build)


@pytest.fixture
def staff(visitor, shop):
    visitor.sign_in(*SIGN_IN)
    return visitor


def editor(shop):
    return f"/staff/bath/series/{shop['group']}"


def sent(page, **changes):
    """What a browser sends for the editor, lists and fields outside the form included."""
    fields = {}
    for field in page.soup.select("#series [name], [form=series][name]"):
        if field.name == "button" or (
            field.get("type") == "checkbox" and not field.has_attr("checked")
        ):
            continue
        if field.name == "select":
            chosen = field.select_one("option[selected]") or field.select_one("option")
            value = chosen["value"]
        else:
            value = field.get("value", "")
        fields.setdefault(field["name"], []).append(value)
    return {**fields, **changes}


def preview(staff, url, fields, status=200):
    """The same fields, with the mark of what they would do."""
    page = staff.post(f"{url}/preview", fields, status)
    return {**fields, "shown": page.one("[name=shown]")["value"]}, page


def rows(make, shop, **given):
    def load():
        query = sa.select(Session).where(Session.recurrence_group_id == shop["group"])
        found = db.session.scalars(
            query.order_by(Session.local_start), execution_options=ANYWHERE
        ).all()
        return [
            {
                "id": it.id,
                "start": it.local_start,
                "live": it.deleted_at is None,
                "room": it.room_id,
                "by": it.withdrawn_by,
                "capacity": it.capacity,
                "hand": list(it.overridden),
            }
            for it in found
        ]

    return make(load)


def book(make, shop, number=0):
    session_id = rows(make, shop)[number]["id"]
    make(lambda: make_order(fetch(Session, session_id), guests=2, now=read_clock()))
    return session_id


def test_the_times_of_a_type_are_listed(staff, shop):
    page = staff.get(f"/staff/bath/types/{shop['kind']}/times")
    assert "Mornings and evenings" in page.text(".rec")
    assert "28 sessions coming" in page.text(".rec")


def test_s3_the_editor_says_what_saving_does_before_it_does_it(staff, shop, make):
    page = staff.get(editor(shop))
    fields = sent(page, capacity="5", room_id=shop["cold"])
    fields, shown = preview(staff, editor(shop), fields)
    assert "28 sessions changed" in shown.text("#outlook")
    assert "Cold room, 5 places" in shown.text("#outlook")
    assert {row["capacity"] for row in rows(make, shop)} == {8}
    done = staff.post(editor(shop), fields, 303)
    assert done.response.location.endswith(f"/types/{shop['kind']}/times")
    assert {(row["capacity"], row["room"]) for row in rows(make, shop)} == {(5, shop["cold"])}
    assert "28 sessions changed" in staff.get(done.response.location).text()


def test_a_fragment_holds_the_outlook_and_its_mark_alone(staff, shop):
    fields = sent(staff.get(editor(shop)), capacity="5")
    headers = {"HX-Request": "true", "HX-Request-Type": "partial"}
    page = staff.post(f"{editor(shop)}/preview", fields, 200, headers=headers)
    assert "<html" not in page.html
    assert page.one("#outlook").select_one("[name=shown]")["form"] == "series"


def test_s3_saving_what_was_not_shown_shows_it_first(staff, shop, make):
    fields = sent(staff.get(editor(shop)), capacity="5")
    page = staff.post(editor(shop), fields, 409)
    assert page.soup.title.get_text().startswith("Error:")
    assert "28 sessions changed" in page.text("#outlook")
    assert page.one("#capacity")["value"] == "5"
    staff.post(editor(shop), sent(page), 303)
    assert {row["capacity"] for row in rows(make, shop)} == {5}


def test_s3_a_booking_made_meanwhile_is_a_conflict(staff, shop, make):
    fields, _ = preview(staff, editor(shop), sent(staff.get(editor(shop)), capacity="5"))
    book(make, shop)
    page = staff.post(editor(shop), fields, 409)
    assert "1 booked session" in page.text("#outlook")
    assert {row["capacity"] for row in rows(make, shop)} == {8}


def test_d4_the_second_of_two_editors_is_shown_both_versions(staff, shop, make):
    mine = sent(staff.get(editor(shop)), name="Mine")
    staff.post(editor(shop), sent(staff.get(editor(shop)), name="Theirs"), 303)
    page = staff.post(editor(shop), mine, 409)
    assert "Theirs" in page.text(".note--info")
    assert page.one("#name")["value"] == "Mine"
    staff.post(editor(shop), sent(page), 303)
    assert make(lambda: fetch(RecurrenceGroup, shop["group"]).name) == "Mine"


def test_pressing_save_twice_saves_once(staff, shop, make):
    fields, _ = preview(staff, editor(shop), sent(staff.get(editor(shop)), capacity="5"))
    staff.post(editor(shop), fields, 303)
    before = rows(make, shop)
    staff.post(editor(shop), fields, 303)
    assert rows(make, shop) == before


def test_a_new_series_is_made_once_with_its_sessions(staff, shop, make):
    url = f"/staff/bath/types/{shop['kind']}/times/new"
    page = staff.get(url)
    fields = sent(
        page, name="Dawn", weekdays=["", "monday"], time=["06:30"], time_id=[""], capacity="4",
        room_id=shop["cold"], practitioner_id=shop["person"],
        recurrence_start=str(shop["today"] + DAY), recurrence_end=str(shop["today"] + 21 * DAY),
    )  # fmt: skip
    fields, shown = preview(staff, url, fields)
    assert "3 sessions made" in shown.text("#outlook")
    for _ in range(2):
        staff.post(url, fields, 303)
    made = make(
        lambda: db.session.scalars(
            sa.select(RecurrenceGroup.id).where(RecurrenceGroup.name == "Dawn"),
            execution_options=ANYWHERE,
        ).all()
    )
    assert len(made) == 1
    assert len(rows(make, {"group": made[0]})) == 3


def test_c36_an_incomplete_series_is_saved_and_says_what_is_missing(staff, shop):
    url = f"/staff/bath/types/{shop['kind']}/times/new"
    fields = sent(staff.get(url), name="Some day", weekdays=["", "monday"])
    fields, shown = preview(staff, url, fields)
    assert "a start time, a room and places" in shown.text("#outlook")
    staff.post(url, fields, 303)
    listed = staff.get(f"/staff/bath/types/{shop['kind']}/times").text()
    assert "It still needs a start time, a room" in listed


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"capacity": "51"}, "Spring Hall takes 50 places"),
        ({"capacity": "0"}, "at least 1 place"),
        ({"capacity": "x"}, "whole number"),
        ({"recurrence_end": "2020-01-01"}, "lies before the first"),
        ({"recurrence_end": "2199-01-01"}, "more than 20,000 sessions"),
        ({"recurrence_start": "soon"}, "Enter a date"),
        ({"room_id": "f" * 24}, "one of the venue"),
        ({"practitioner_id": "f" * 24}, "works at this venue"),
        ({"time": ["25:00"], "time_id": [""]}, "like 09:00"),
        ({"time": ["09:00", "09:00"], "time_id": ["", ""]}, "there twice"),
        ({"time": ["09:00"], "time_id": ["f" * 24]}, "of this series"),
        ({"name": "x" * 121}, "at most 120"),
        ({"name": "<b>"}, "ordinary signs"),
    ],
)
def test_r23_what_may_not_be_saved_says_why_and_keeps_what_was_typed(
    staff, shop, make, changes, said
):
    before = rows(make, shop)
    fields = sent(staff.get(editor(shop)), **{"name": "Kept", **changes})
    page = staff.post(editor(shop), fields, 422)
    assert said in page.text(".summary")
    if "name" not in changes:
        assert page.one("#name")["value"] == "Kept"
    staff.post(f"{editor(shop)}/preview", fields, 422)
    assert rows(make, shop) == before


def test_r22_rooms_and_people_of_another_venue_are_refused(staff, shop, make):
    def build():
        other = make_site()
        return make_room(other).id, make_practitioner(other).id

    room, person = make(build)
    fields = sent(staff.get(editor(shop)), room_id=room, practitioner_id=person)
    page = staff.post(editor(shop), fields, 422)
    assert len(page.all(".summary p")) == 2


def test_start_times_are_added_and_taken_out_without_script(staff, shop):
    page = staff.get(editor(shop))
    page = staff.post(f"{editor(shop)}/preview", sent(page, do="time"), 200)
    assert len(page.all("[name=time]")) == 3
    page = staff.post(f"{editor(shop)}/preview", sent(page, do="without-0"), 200)
    assert [field.get("value") for field in page.all("[name=time]")] == ["18:00", ""]
    assert "14 sessions taken away" in page.text("#outlook")


def test_s2_booked_sessions_are_kept_moved_along_or_cancelled(staff, shop, make):
    ids = [book(make, shop, number) for number in (0, 2, 4)]
    page = staff.get(editor(shop))
    times = [field["value"] for field in page.all("[name=time]")]
    assert times == ["09:00", "18:00"]
    fields = sent(page, time=["09:30", "18:00"], reason="The pump is loud before nine")
    fields, shown = preview(staff, editor(shop), fields)
    assert "3 booked sessions to decide" in shown.text("#outlook")
    assert "starts 09:30" in shown.text(".booked-one")
    fields |= {f"choice-{ids[1]}": "along", f"choice-{ids[2]}": "cancel"}
    staff.post(editor(shop), fields, 303)
    found = {row["id"]: row for row in rows(make, shop)}
    assert [found[i]["start"].strftime("%H:%M") for i in ids] == ["09:00", "09:30", "09:00"]
    assert [found[i]["live"] for i in ids] == [True, True, False]
    assert found[ids[1]]["hand"] == []
    ended = make(
        lambda: db.session.scalars(
            sa.select(SessionBooking.cancelled_by).where(SessionBooking.session_id == ids[2]),
            execution_options=ANYWHERE,
        ).all()
    )
    assert ended == ["venue"]


def test_m7_guests_of_sessions_that_go_move_to_the_nearest_that_has_room(staff, shop, make):
    ids = [book(make, shop, number) for number in (0, 2)]
    fields = sent(staff.get(editor(shop)), time=["18:00"], time_id=[sent_id(staff, shop, 1)])
    fields, shown = preview(staff, editor(shop), fields)
    assert [tag.text for tag in shown.soup.select(".booked-one option[value=move]")] == [
        f"Move all to {said} (8 left)" for said in evenings(make, shop, (1, 3))
    ]
    staff.post(editor(shop), {**fields, "all": "move"}, 422)
    staff.post(editor(shop), {**fields, "all": "move", "reason": "No more mornings"}, 303)
    found = {row["id"]: row for row in rows(make, shop)}
    assert [found[session_id]["live"] for session_id in ids] == [False, False]
    stands = make(
        lambda: db.session.execute(
            sa.select(Session.start_time, SessionBooking.cancelled_at)
            .join(Session, Session.id == SessionBooking.session_id)
            .order_by(Session.start_time),
            execution_options=ANYWHERE,
        ).all()
    )
    assert [(start.hour in (17, 18), gone) for start, gone in stands] == [(True, None)] * 2


def sent_id(staff, shop, number):
    return sent(staff.get(editor(shop)))["time_id"][number]


def evenings(make, shop, numbers):
    found = rows(make, shop)
    starts = [found[number]["start"] for number in numbers]
    return [f"{say_weekday_short(start.date())}, {say_time(start)}" for start in starts]


def test_cancelling_booked_sessions_needs_a_reason(staff, shop, make):
    session_id = book(make, shop)
    fields, _ = preview(staff, editor(shop), sent(staff.get(editor(shop)), weekdays=[""]))
    page = staff.post(editor(shop), {**fields, f"choice-{session_id}": "cancel"}, 422)
    assert "Say why" in page.text("#outlook")
    assert rows(make, shop)[0]["live"]


def test_s4_clashes_are_shown_by_date_and_forbid_nothing(staff, shop, make):
    def build():
        at = dt.datetime.combine(shop["today"] + 2 * DAY, dt.time(9, 30))
        kind = make_type(fetch(Site, shop["site"]), name="Yoga")
        make_session(kind, local_start=at, room_id=shop["cold"])

    make(build)
    fields = sent(staff.get(editor(shop)), room_id=shop["cold"], capacity="6")
    fields, shown = preview(staff, editor(shop), fields)
    assert "1 clash" in shown.text("#outlook")
    assert "Cold room is taken at 09:30 by Yoga" in shown.text("#outlook")
    staff.post(editor(shop), fields, 303)


def test_r25_archiving_takes_unsold_sessions_and_restoring_brings_them_back(staff, shop, make):
    booked = book(make, shop)
    page = staff.get(f"{editor(shop)}/archive")
    assert "27 sessions taken away" in page.text("main")
    assert "1 booked session stays" in page.text("main")
    staff.post(f"{editor(shop)}/archive", page.form("main form"), 303)
    assert [row["id"] for row in rows(make, shop) if row["live"]] == [booked]
    staff.get(f"{editor(shop)}/archive", 303)
    listed = staff.get(f"/staff/bath/types/{shop['kind']}/times")
    assert "1 archived series" in listed.text("main")
    page = staff.get(f"{editor(shop)}/restoration")
    assert "27 sessions brought back" in page.text("main")
    staff.post(f"{editor(shop)}/restoration", page.form("main form"), 303)
    assert all(row["live"] for row in rows(make, shop))
    staff.post(f"{editor(shop)}/restoration", page.form("main form"), 303)


def test_s3_archiving_what_was_booked_meanwhile_is_a_conflict(staff, shop, make):
    page = staff.get(f"{editor(shop)}/archive")
    book(make, shop)
    again = staff.post(f"{editor(shop)}/archive", page.form("main form"), 409)
    assert "1 booked session stays" in again.text("main")


def test_an_archived_series_is_not_saved(staff, shop):
    fields = sent(staff.get(editor(shop)), capacity="5")
    page = staff.get(f"{editor(shop)}/archive")
    staff.post(f"{editor(shop)}/archive", page.form("main form"), 303)
    assert "archived" in staff.post(editor(shop), fields, 409).text(".summary")
    staff.get(editor(shop))


def closing(staff, shop, *, first=3, last=None, status=200, **given):
    url = f"/staff/bath/closed-days/new?first={shop['today'] + first * DAY}&reason=Repairs"
    if last:
        url += f"&last={shop['today'] + last * DAY}"
    return staff.get(url, status)


def close(staff, page, status=303, **given):
    return staff.post("/staff/bath/closed-days/new", {**page.form("main form"), **given}, status)


def test_closing_a_day_takes_its_sessions_and_opening_brings_them_back(staff, shop, make):
    single = make(
        lambda: (
            make_session(
                fetch(SessionType, shop["kind"]),
                local_start=dt.datetime.combine(shop["today"] + 3 * DAY, dt.time(12)),
            ).id
        )
    )
    page = closing(staff, shop)
    assert "3 sessions that nobody booked" in page.text("main")
    close(staff, page)
    day = shop["today"] + 3 * DAY
    gone = [row for row in rows(make, shop) if not row["live"]]
    assert {(row["start"].date(), row["by"]) for row in gone} == {(day, "closed_day")}
    assert make(lambda: fetch(Session, single).withdrawn_by) == "closed_day"
    listed = staff.get("/staff/bath/closed-days")
    assert "3 sessions taken out" in listed.text(".closed-list")
    # Its series leaves the day out too, and says so.
    assert "Repairs. 2 sessions left out" in staff.get(editor(shop)).text("#outlook")
    url = listed.one(".closed-list a")["href"]
    page = staff.get(url)
    staff.post(url, page.form("main form"), 303)
    assert all(row["live"] for row in rows(make, shop))
    assert make(lambda: fetch(Session, single).deleted_at) is None
    staff.post(url, page.form("main form"), 404)


def test_customers_see_that_the_day_is_closed_and_why(staff, other_visitor, shop):
    close(staff, closing(staff, shop))
    day = shop["today"] + 3 * DAY
    page = other_visitor.get(f"/bath/book/circuit?month={day:%Y-%m}")
    assert "closed: Repairs." in page.text("main")


def test_booked_sessions_of_a_closed_day_are_kept_or_cancelled(staff, shop, make):
    kept, ended = book(make, shop, 4), book(make, shop, 5)
    page = closing(staff, shop)
    assert "2 bookings, 4 guests" in page.text("main")
    assert "Ana Reyes" in page.text(".booked")
    close(staff, page, **{f"choice-{ended}": "cancel"})
    found = {row["id"]: row for row in rows(make, shop)}
    assert found[kept]["live"]
    assert (found[ended]["live"], found[ended]["by"]) == (False, "closed_day")


def test_s3_bookings_of_a_closed_day_move_each_or_all(staff, shop, make):
    """28 sessions, two a day: the fifth and sixth are those of the day that closes."""
    named, nearest = book(make, shop, 4), book(make, shop, 5)
    make(lambda: make_order(fetch(Session, nearest), name="Bea", now=read_clock()))
    page = closing(staff, shop)
    target = rows(make, shop)[9]["id"]
    assert page.all(f"[name=choice-{named}] option[value='move:{target}']")
    # Those of the day itself are no place to go.
    assert not page.all(f"option[value='move:{nearest}']")
    assert page.text(".booked").count("Nearest with room") == 2
    close(staff, page, **{f"choice-{named}": f"move:{target}", "all": "move"})
    found = rows(make, shop)
    assert [row["by"] for row in found if not row["live"]] == ["closed_day"] * 2

    def places(row):
        return make(lambda: fetch(Session, row["id"]).places_taken)

    assert {n: places(row) for n, row in enumerate(found) if places(row)} == {6: 3, 9: 2}


def test_m7_bookings_that_fit_nowhere_stay_and_the_session_takes_place(staff, shop, make):
    booked = book(make, shop, 4)

    def fill():
        query = sa.update(Session).where(Session.id != booked).values(places_kept=8)
        db.session.execute(query, execution_options=ANYWHERE)
        db.session.commit()

    make(fill)
    page = closing(staff, shop)
    assert not page.all("option[value^=move]")
    answer = close(staff, page, all="move")
    assert "has room for everybody" in staff.get(answer.response.location).text()
    assert next(row for row in rows(make, shop) if row["id"] == booked)["live"]


def test_s3_closing_a_day_that_was_booked_meanwhile_is_a_conflict(staff, shop, make):
    page = closing(staff, shop)
    book(make, shop, 4)
    again = close(staff, page, 409)
    assert "1 booking, 2 guests" in again.text("main")
    assert (
        make(lambda: db.session.scalars(sa.select(ClosedDay), execution_options=ANYWHERE).all())
        == []
    )
    close(staff, again)


def test_closing_twice_changes_nothing(staff, shop, make):
    page = closing(staff, shop, last=4)
    close(staff, page)
    before = rows(make, shop)
    close(staff, page)
    assert rows(make, shop) == before
    assert "2 days of them are closed already" in closing(staff, shop, last=4).text("main")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("first=&reason=x", "Enter the day"),
        ("first=soon&reason=x", "Enter a date"),
        ("first=2020-01-01&reason=x", "is over"),
        ("first=2199-01-02&last=2199-01-01&reason=x", "lies before"),
        ("first=2190-01-02&last=2199-01-01&reason=x", "a year at most"),
        ("first=2199-01-02&reason=", "Say why"),
    ],
)
def test_a_day_that_cannot_be_closed_says_why(staff, shop, query, said):
    page = staff.get(f"/staff/bath/closed-days/new?{query}", 422)
    assert said in page.text(".summary")


def test_d1_series_and_days_of_another_venue_are_not_found(staff, shop, make):
    def build():
        other = make_site()
        kind = make_type(other)
        return kind.id, make_group(kind, make_room(other)).id

    kind, group = make(build)
    for path in (f"types/{kind}/times", f"types/{kind}/times/new", f"series/{group}",
                 f"series/{group}/archive", f"series/{group}/restoration",
                 f"closed-days/{'f' * 24}/removal"):  # fmt: skip
        staff.get(f"/staff/bath/{path}", 404)
    for path in (f"types/{kind}/times/new", f"series/{group}", f"series/{group}/preview",
                 f"series/{group}/archive", f"series/{group}/restoration"):  # fmt: skip
        staff.post(f"/staff/bath/{path}", {}, 404)


def test_addresses_of_a_preview_lead_back_to_their_page(staff, shop):
    page = staff.get(f"{editor(shop)}/preview", 303)
    assert page.response.location.endswith(editor(shop))


def test_times_ask_the_same_number_of_queries_for_any_number_of_series(staff, shop, make, app):
    def count():
        seen = []
        with app.app_context():
            engine = db.engine
        sa.event.listen(engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
        staff.get(f"/staff/bath/types/{shop['kind']}/times")
        return len(seen)

    def build():
        kind = fetch(SessionType, shop["kind"])
        for _ in range(12):
            make_group(kind, None)

    before = count()
    make(build)
    assert count() <= before + 1
