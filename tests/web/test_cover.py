"""The pages on which staff find cover, and watch long work."""

import datetime as dt

import pytest
import sqlalchemy as sa
from conftest import NOW
from factories import (
    ANYWHERE,
    fetch,
    make_order,
    make_organisation,
    make_practitioner,
    make_room,
    make_session,
    make_site,
    make_staff,
    make_type,
)

from blueprints.working import drain
from models import (
    LongWork,
    Session,
    SessionType,
    Site,
    TimeOff,
    db,
    practitioner_types,
    transaction,
)
from services.long_works import begin

DAY = "2026-06-12"


@pytest.fixture
def venue(make):
    """Tomas leads two sessions on one day; Ruth leads such sessions too."""

    def build():
        site = make_site(slug="bath")
        kind = make_type(site, name="Thermal circuit")
        hall = make_room(site, cap=10)
        tomas, ruth = (make_practitioner(site, name=name) for name in ("Tomas Vale", "Ruth Okoye"))
        with transaction():
            for person in (tomas, ruth):
                db.session.execute(
                    sa.insert(practitioner_types).values(
                        practitioner_id=person.id, session_type_id=kind.id
                    )
                )
        rows = [
            make_session(
                kind, local_start=f"{DAY}T{hour}:00", practitioner_id=tomas.id, room_id=hall.id
            ).id
            for hour in (10, 14)
        ]
        make_order(fetch(Session, rows[1]), guests=2)
        make_staff(site)
        stranger = make_session(make_type(make_site(make_organisation(), slug="far")))
        return {
            "site": site.id, "organisation": site.organisation_id, "kind": kind.id,
            "tomas": tomas.id, "ruth": ruth.id, "room": hall.id, "rows": rows,
            "stranger": stranger.id,
        }  # fmt: skip

    return make(build)


@pytest.fixture
def maren(visitor, venue):
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    return visitor


def at(venue, who="tomas", first=DAY, last=DAY):
    kind = "room" if who == "room" else "practitioner"
    return f"/staff/bath/cover?{kind}={venue[who]}&from={first}&to={last}"


def typed(page):
    """The form as it stands, with what its lists have chosen."""
    fields = page.form("form.cover-form")
    for box in page.all("form.cover-form select"):
        chosen = [option for option in box.select("option") if option.has_attr("selected")]
        fields[box["name"]] = chosen[0]["value"] if chosen else ""
    return fields


def read(make, model, row_id):
    def look():
        row = fetch(model, row_id)
        db.session.expunge(row)
        return row

    return make(look)


def test_the_page_asks_who_is_away_and_looks_a_week_ahead(maren):
    page = maren.get("/staff/bath/cover")
    assert "Who is away?" in page.text("main")
    assert page.one("#begins")["value"] == "2026-06-04"
    assert page.one("#ends")["value"] == "2026-06-11"
    assert {"Tomas Vale", "Ruth Okoye"} <= {option.get_text() for option in page.all("#who option")}


def test_somebody_is_proposed_for_each_session_and_one_press_applies_it(maren, venue, make):
    page = maren.get(at(venue))
    assert "2 sessions" in page.text(".panel-h")
    assert "Ruth Okoye, none that day" in page.text(f"#do-{venue['rows'][0]}")
    done = maren.post(at(venue), typed(page), 303)
    work = maren.get(done.response.headers["Location"])
    assert "Everything is done" in work.text("#work")
    assert "2 of 2" in work.text("#work")
    for row in venue["rows"]:
        assert read(make, Session, row).practitioner_id == venue["ruth"]
    assert make(
        lambda: db.session.scalar(
            sa.select(sa.func.count()).select_from(TimeOff), execution_options=ANYWHERE
        )
    )
    assert "No sessions to cover" in maren.get(work.one("#work a")["href"]).text("main")


def test_a_span_may_be_wall_times(maren, venue):
    page = maren.get(at(venue, first=f"{DAY}T13:00", last=f"{DAY}T15:00"))
    assert "1 session " in page.text(".panel-h")
    assert page.one("#begins")["type"] == "datetime-local"


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("soon", DAY, "Enter a date"),
        ("2026-06-31", DAY, "Enter a date"),
        (DAY, "2026-06-11", "Choose an end after the start"),
        (DAY, "2028-01-01", "at most a year"),
        (f"{DAY}T10:00Z", DAY, "Enter a date"),
        ("0001-01-01", DAY, "Enter a date"),
        (DAY, "9999-12-31", "Enter a date"),
    ],
)
def test_a_span_that_makes_no_sense_is_refused_and_kept(maren, venue, first, last, said):
    for page in (
        maren.get(at(venue, first=first, last=last), 422),
        maren.post(at(venue, first=first, last=last), {}, 422),
    ):
        assert said in page.text(".summary")
        assert page.soup.title.get_text().startswith("Error:")
        assert page.one("#begins")["value"] == first
        assert page.one("#ends")["value"] == last


def test_a_choice_that_is_refused_stands_beside_its_session_and_the_others_are_kept(maren, venue):
    first, second = venue["rows"]
    fields = {**typed(maren.get(at(venue))), f"do-{first}": "none", f"do-{second}": "nobody"}
    page = maren.post(at(venue), {**fields, "reason": "Ill", "time_off": "false"}, 422)
    assert page.one(f"#do-{second}")["aria-invalid"] == "true"
    assert page.one(f".summary a[href='#do-{second}']").get_text() == "Choose one of the list."
    assert page.one(f"#do-{first} option[selected]")["value"] == "none"
    assert page.one("#reason")["value"] == "Ill"
    assert not page.one("input[type=checkbox][name=time_off]").has_attr("checked")


def test_a_cancellation_without_a_reason_is_asked_for_one(maren, venue, make):
    fields = {**typed(maren.get(at(venue))), f"do-{venue['rows'][0]}": "cancel"}
    page = maren.post(at(venue), fields, 422)
    assert page.all(".summary a[href='#reason']")
    maren.post(at(venue), {**typed(page), "reason": "Tomas is ill"}, 303)
    assert read(make, Session, venue["rows"][0]).cancel_reason == "Tomas is ill"


def test_s3_what_moved_meanwhile_is_409_and_shown_with_the_choices_kept(maren, venue, make):
    second = venue["rows"][1]
    fields = {**typed(maren.get(at(venue))), f"do-{second}": "cancel", "reason": "Ill"}
    make(lambda: make_order(fetch(Session, second), guests=1, email="dev@example.com") and None)
    page = maren.post(at(venue), fields, 409)
    assert "The bookings of a session have changed" in page.text(".summary")
    assert page.one(f"#do-{second} option[selected]")["value"] == "cancel"
    assert "2 bookings" in page.text(f"li:has(#do-{second})")
    maren.post(at(venue), typed(page), 303)
    assert read(make, Session, second).deleted_at is not None


def test_r1_what_is_elsewhere_is_not_found(maren, venue):
    maren.get(f"/staff/bath/cover?practitioner={venue['stranger']}", 404)
    maren.get(f"/staff/bath/cover?room={venue['stranger']}", 404)
    maren.post(at(venue), {f"do-{venue['stranger']}": "none"}, 404)


def test_a_form_sent_empty_or_without_anybody_is_answered_calmly(maren, venue):
    assert "at least one session" in maren.post(at(venue), {}, 422).text(".summary")
    maren.post("/staff/bath/cover", {}, 303)


def test_a_room_out_of_use_has_its_sessions_moved_to_another(maren, venue, make):
    larger = make(lambda: make_room(fetch_site(venue), name="Vault Pools", cap=12).id)
    page = maren.get(at(venue, "room"))
    assert "Vault Pools, 12 places" in page.text(f"#do-{venue['rows'][0]}")
    assert not page.all("input[name=time_off]")
    assert "Run without" not in page.text("form.cover-form")
    maren.post(at(venue, "room"), typed(page), 303)
    assert {read(make, Session, row).room_id for row in venue["rows"]} == {larger}


def fetch_site(venue):
    return fetch(Site, venue["site"])


def test_time_off_alone_can_be_recorded(maren, venue, make):
    url = at(venue, first="2026-07-01", last="2026-07-02")
    page = maren.get(url)
    back = maren.post(url, page.form("main form[method=post]"), 303).response.headers["Location"]
    page = maren.get(back)
    assert "The time off is saved." in page.text("main")
    assert not page.all("main form[method=post]")


def test_many_changes_are_the_workers_and_their_page_follows_it(maren, venue, make):
    def more():
        for day in range(13, 25):
            make_session(
                fetch_type(venue), local_start=f"2026-06-{day}T10:00",
                practitioner_id=venue["tomas"], room_id=venue["room"],
            )  # fmt: skip

    make(more)
    url = at(venue, last="2026-06-30")
    to = maren.post(url, typed(maren.get(url)), 303).response.headers["Location"]
    page = maren.get(to)
    assert "0 of 14" in page.text("#work")
    assert page.one("#work").has_attr("data-poll")
    assert page.one("progress")["value"] == "0"
    make(lambda: drain() and None)
    after = maren.fragment(to)
    assert "<html" not in after.html
    assert "14 of 14" in after.text("#work")
    assert not after.one("#work").has_attr("data-poll")
    assert "14 of 14" in maren.get("/staff/bath/works").text("main")


def fetch_type(venue):
    return fetch(SessionType, venue["kind"])


def work_of(venue, make, number=3, now=NOW, **changes):
    def build():
        with transaction():
            work_id = begin(
                venue["organisation"], venue["site"], kind="cover", title="Cover for Tomas Vale",
                items=[{"name": f"Thermal circuit {n}"} for n in range(number)],
                key="one", account_id=None, back="/staff/bath/cover", now=now,
            )  # fmt: skip
            for name, value in changes.items():
                setattr(fetch(LongWork, work_id), name, value)
        return work_id

    return make(build)


def test_a_work_can_be_stopped_and_says_so_after_a_reload(maren, venue, make):
    url = f"/staff/bath/works/{work_of(venue, make)}"
    page = maren.get(url)
    assert maren.post(page.one("#work form")["action"], {}, 303)
    page = maren.get(url)
    assert "It was stopped" in page.text("#work")
    assert not page.all("#work form")


def test_what_was_refused_is_read_with_its_name(maren, venue, make):
    failures = [{"item": 0, "name": "Thermal circuit, Fri 12 June at 10:00", "said": "It began."}]
    work = work_of(
        venue, make, 3, state="done", done=3, failures=failures, finished_at=NOW
    )  # fmt: skip
    page = maren.get(f"/staff/bath/works/{work}")
    assert "Left as it was: 1" in page.text("#work")
    assert "Thermal circuit, Fri 12 June at 10:00 It began." in page.text(".refused")
    assert "2 changes done" in page.text("#work")


def test_a_work_that_nobody_takes_up_says_that_the_worker_may_not_run(maren, venue, make):
    work = work_of(venue, make, now=NOW - dt.timedelta(minutes=5))
    assert "worker may not be running" in maren.get(f"/staff/bath/works/{work}").text("#work")


@pytest.mark.parametrize("deed", ["stop", "restart"])
def test_the_address_of_a_button_leads_back_to_its_page(maren, venue, make, deed):
    work = work_of(venue, make)
    page = maren.get(f"/staff/bath/works/{work}/{deed}", 302)
    assert page.response.headers["Location"] == f"/staff/bath/works/{work}"


def test_no_works_yet_and_a_page_that_is_none(maren):
    assert "Nothing here" in maren.get("/staff/bath/works").text("main")
    for number in ("0", "x", "9999"):
        maren.get(f"/staff/bath/works?page={number}", 404)


def test_works_are_paged(maren, venue, make):
    def build():
        for n in range(21):
            with transaction():
                begin(
                    venue["organisation"], venue["site"], kind="cover", title=f"Work {n}",
                    items=[], key=str(n), account_id=None, now=NOW + dt.timedelta(minutes=n),
                )  # fmt: skip

    make(build)
    first, second = (maren.get(f"/staff/bath/works?page={n}") for n in (1, 2))
    assert len(first.all(".posted")) == 20
    assert "Work 0" in second.text("main")
    assert first.all("a[href='/staff/bath/works?page=2']")
