"""The basket's pages: several sessions, people, the clock, what goes with them."""

import datetime as dt

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    NOW,
    fetch,
    make_account,
    make_member,
    make_session,
    make_site,
    make_type,
)

from blueprints.clock import read_clock
from models import Guest, Order, Session, SessionBooking, db


def shop(make, **kinds):
    """A site with a type and a session for each name; their session ids by name."""

    def build():
        site = make_site(slug="bath")
        return {
            name: make_session(
                make_type(site, slug=name, name=name.capitalize(), **given.pop("type", {})),
                **{"local_start": f"2026-06-{12 + number}T18:00", **given},
            ).id
            for number, (name, given) in enumerate(kinds.items())
        }

    return make(build)


def book(visitor, name, row, *, guests=2, status=303, key=None):
    fields = {"session_id": row, "guests": str(guests), "key": key or f"{name}{row}{guests}"}
    return visitor.post(f"/bath/book/{name}", fields, status)


def age_holds(app, minutes):
    with app.app_context():
        moment = read_clock() - dt.timedelta(minutes=minutes)
        db.session.execute(
            sa.update(SessionBooking).values(expires_at=moment + dt.timedelta(minutes=15)),
            execution_options=ANYWHERE,
        )
        db.session.execute(sa.update(Order).values(held_since=moment), execution_options=ANYWHERE)
        db.session.commit()


def taken(app, row):
    with app.app_context():
        return fetch(Session, row).places_taken


def line_action(page, number=0):
    return page.all("article.line")[number]["id"].removeprefix("line-")


def test_one_session_goes_straight_to_the_details_and_a_second_to_the_basket(visitor, make):
    rows = shop(make, bath={}, sauna={})
    first = book(visitor, "bath", rows["bath"])
    second = book(visitor, "sauna", rows["sauna"])
    assert first.response.headers["Location"] == "/bath/checkout"
    assert second.response.headers["Location"] == "/bath/basket"
    page = visitor.get("/bath/basket")
    assert [tag.get_text() for tag in page.all("article.line h2")] == ["Bath", "Sauna"]
    assert "£192.00" in page.text(".aside .total")
    assert page.one("time[data-countdown]")


def test_both_sessions_are_booked_by_one_press(app, visitor, make):
    rows = shop(make, bath={}, sauna={})
    for name in rows:
        book(visitor, name, rows[name])
    form = visitor.get("/bath/checkout").form("#details")
    done = visitor.post("/bath/checkout", {**form, "name": "Ana", "email": "a@example.com"}, 303)
    page = visitor.get(done.response.headers["Location"])
    assert len(page.all(".ticket")) == 2
    assert visitor.get("/bath/basket").text("h1") == "Your basket is empty"


def test_guests_are_changed_in_place_and_freed_at_once(app, visitor, make):
    rows = shop(make, bath={"capacity": 3})
    book(visitor, "bath", rows["bath"])
    line = line_action(visitor.get("/bath/basket"))
    visitor.post(f"/bath/basket/lines/{line}/guests", {"guests": "3"}, 303)
    assert "3 guests" in visitor.get("/bath/basket").text(".stepper output")
    assert taken(app, rows["bath"]) == 3
    page = visitor.post(f"/bath/basket/lines/{line}/guests", {"guests": "4"}, 409)
    assert "This session is full." in page.text(".note--bad")
    visitor.post(f"/bath/basket/lines/{line}/guests", {"guests": "1"}, 303)
    assert taken(app, rows["bath"]) == 1


@pytest.mark.parametrize("typed", ["", "two", "-1", "1.5", "99999", "²"])
def test_a_number_of_guests_that_is_none_is_answered_with_a_sentence(visitor, make, typed):
    rows = shop(make, bath={})
    book(visitor, "bath", rows["bath"])
    line = line_action(visitor.get("/bath/basket"))
    page = visitor.post(f"/bath/basket/lines/{line}/guests", {"guests": typed}, 422)
    assert "Enter a whole number of guests." in page.text(".note--bad")
    assert page.soup.title.get_text().startswith("Error:")


@pytest.mark.parametrize("guests", ["0", "101", "1000"])
def test_a_party_beyond_the_limits_is_refused_with_the_rules_sentence(visitor, make, guests):
    rows = shop(make, bath={"capacity": 200})
    book(visitor, "bath", rows["bath"])
    line = line_action(visitor.get("/bath/basket"))
    page = visitor.post(f"/bath/basket/lines/{line}/guests", {"guests": guests}, 422)
    assert "guest" in page.text(".note--bad")


def test_d1_a_line_of_somebody_else_is_not_found(visitor, other_visitor, make):
    rows = shop(make, bath={})
    book(visitor, "bath", rows["bath"])
    book(other_visitor, "bath", rows["bath"])
    line = line_action(other_visitor.get("/bath/basket"))
    for url in (f"/bath/basket/lines/{line}/guests", f"/bath/checkout/lines/{line}/removal"):
        visitor.post(url, {"guests": "1"}, 404)
    visitor.post("/bath/basket/lines/nonsense/guests", {"guests": "1"}, 404)


def test_removing_a_line_frees_its_places_and_stays_in_the_basket(app, visitor, make):
    rows = shop(make, bath={}, sauna={})
    for name in rows:
        book(visitor, name, rows[name])
    line = line_action(visitor.get("/bath/basket"))
    gone = visitor.post(f"/bath/checkout/lines/{line}/removal", {"from": "basket"}, 303)
    assert gone.response.headers["Location"] == "/bath/basket"
    assert taken(app, rows["bath"]) == 0
    assert len(visitor.get("/bath/basket").all("article.line")) == 1


def test_h3_the_hold_is_kept_longer_from_the_basket_up_to_the_ceiling(app, visitor, make):
    rows = shop(make, bath={})
    book(visitor, "bath", rows["bath"])
    age_holds(app, 10)
    kept = visitor.post("/bath/checkout/renewal", {"from": "basket"}, 303)
    assert kept.response.headers["Location"] == "/bath/basket"
    left = visitor.get("/bath/basket").one("time[data-countdown]")["datetime"]
    assert left in ("PT15M0S", "PT14M59S", "PT14M58S")
    with app.app_context():
        moment = read_clock() - dt.timedelta(minutes=40)
        db.session.execute(sa.update(Order).values(held_since=moment), execution_options=ANYWHERE)
        db.session.commit()
    page = visitor.get("/bath/basket")
    assert not page.all(".holdbar button")
    assert "They have been held as long as we can" in page.text("[data-when-low]")


def test_h4_an_expired_basket_is_rebuilt_in_one_press_and_says_what_changed(app, visitor, make):
    rows = shop(make, bath={"capacity": 2}, sauna={})
    for name in rows:
        book(visitor, name, rows[name])
    age_holds(app, 20)
    with app.app_context():
        fetch(Session, rows["sauna"]).price = 9900
        fetch(Session, rows["bath"]).capacity = 2
        db.session.commit()
    page = visitor.get("/bath/basket")
    assert "Bath and Sauna went back on sale" in page.text(".note--warn")
    visitor.post("/bath/checkout/rebuild", {"from": "basket"}, 303)
    page = visitor.get("/bath/basket")
    said = " ".join(note.get_text(" ") for note in page.all(".note"))
    assert "Bath is held for you again." in said
    assert "Sauna is held again. It now costs £198.00 instead of £96.00." in said
    assert "£294.00" in page.text(".aside .total")


def test_h4_what_is_typed_while_the_hold_runs_out_comes_along_when_it_is_rebuilt(
    app, visitor, make
):
    rows = shop(make, bath={})
    book(visitor, "bath", rows["bath"])
    page = visitor.get("/bath/checkout")
    again = page.one("[data-when-over] button")
    assert (again["form"], again["formaction"]) == ("details", "/bath/checkout/rebuild")
    age_holds(app, 20)
    typed = {"name": "Ana Reyes", "email": "ana@example.com"}
    visitor.post("/bath/checkout/rebuild", typed, 303)
    form = visitor.get("/bath/checkout").form("#details")
    assert typed.items() <= form.items()


def test_h9_sessions_at_the_same_time_are_warned_about_and_may_be_kept(visitor, make):
    rows = shop(
        make,
        bath={"local_start": "2026-06-12T18:00"},
        sauna={"local_start": "2026-06-12T19:59"},
        steam={"local_start": "2026-06-12T21:59"},
    )
    for name in rows:
        book(visitor, name, rows[name])
    notes = [note.get_text(" ", strip=True) for note in visitor.get("/bath/basket").all(".note")]
    assert [note for note in notes if "overlap" in note] == [
        "Two at the same time. Bath and Sauna overlap. Keep both only if different guests go."
    ]


def test_a_line_that_can_no_longer_be_booked_says_why_and_stops_the_way_on(app, visitor, make):
    rows = shop(make, bath={}, sauna={})
    for name in rows:
        book(visitor, name, rows[name])
    with app.app_context():
        fetch(Session, rows["bath"]).deleted_at = NOW
        db.session.commit()
    page = visitor.get("/bath/basket")
    assert "The venue has cancelled this session. Take it out to go on." in page.text(".line-why")
    assert not page.all(".aside a.btn")
    form = visitor.get("/bath/checkout").form("#details")
    page = visitor.post("/bath/checkout", {**form, "name": "Ana", "email": "a@example.com"}, 409)
    assert "Bath: The venue has cancelled this session." in page.text(".note--bad")
    assert taken(app, rows["sauna"]) == 2


class TestPeople:
    @pytest.fixture
    def rows(self, visitor, make):
        limit = {"type": {"max_per_guest": 1}}
        rows = shop(make, sound=limit, bath={})
        with visitor.app.app_context():
            kind = fetch(Session, rows["sound"]).session_type
            rows["again"] = make_session(kind, local_start="2026-06-20T18:00").id
        book(visitor, "sound", rows["sound"])
        book(visitor, "bath", rows["bath"])
        return rows

    def test_everybody_is_named_once_and_only_where_it_is_needed(self, app, visitor, rows):
        page = visitor.get("/bath/checkout")
        assert [tag["id"] for tag in page.all("#guests .input")] == ["person-1"]
        assert not page.all("#guests fieldset")

    def test_a_type_once_per_guest_asks_for_as_many_people_as_it_needs(self, app, visitor, rows):
        book(visitor, "sound", rows["again"])
        page = visitor.get("/bath/checkout")
        assert [tag["id"] for tag in page.all("#guests .input")] == [
            "person-1", "person-2", "person-3",
        ]  # fmt: skip
        assert len(page.all("#guests fieldset")) == 2
        assert [box["value"] for box in page.all("#who-1 input[checked]")] == ["2", "3"]

    def send(self, visitor, status, **fields):
        form = visitor.get("/bath/checkout").form("#details")
        form = {key: value for key, value in form.items() if not key.startswith("who-")}
        return visitor.post(
            "/bath/checkout",
            {**form, "name": "Ana Reyes", "email": "ana@example.com", **fields},
            status,
        )

    def test_the_choice_of_people_is_kept_refused_and_at_last_booked(self, app, visitor, rows):
        book(visitor, "sound", rows["again"])
        names = {"person-1": "Jude", "person-2": "Ines", "person-3": "Piet"}
        page = self.send(
            visitor, 422, **names, **{"who-0": ["", "0", "1"], "who-1": ["", "0", "2"]}
        )
        assert "choose somebody else" in page.text("#who-1-error")
        assert [box["value"] for box in page.all("#who-1 input[checked]")] == ["0", "2"]
        assert page.one("#person-3")["value"] == "Piet"
        assert "Jude" in page.text("#who-0")
        page = self.send(visitor, 422, **names, **{"who-0": [""], "who-1": ["", "2", "3"]})
        assert "Choose 2 guests for Sound" in page.text("#who-0-error")
        self.send(visitor, 303, **names, **{"who-0": ["", "0", "3"], "who-1": ["", "1", "2"]})
        with app.app_context():
            guests = db.session.scalars(
                sa.select(Guest.name).order_by(Guest.id), execution_options=ANYWHERE
            )
            assert list(guests) == ["Ana Reyes", "Piet", "Jude", "Ines"]

    def test_somebody_else_may_come_and_what_was_typed_stays(self, app, visitor, rows):
        book(visitor, "sound", rows["again"])
        typed = {"name": "Ana", "person-1": "Jude", "people": ["4", "5"]}
        page = visitor.post("/bath/checkout/people", typed, 303)
        assert page.response.headers["Location"] == "/bath/checkout#guests"
        page = visitor.get("/bath/checkout")
        assert page.one("#person-1")["value"] == "Jude"
        assert len(page.all("#guests .input")) == 3, "no more than there are places"

    @pytest.mark.parametrize("people", ["", "x", "-3", "9999999", "1", "0"])
    def test_a_forged_number_of_people_changes_nothing(self, visitor, rows, people):
        visitor.post("/bath/checkout/people", {"name": "Ana", "people": people}, 303)
        assert len(visitor.get("/bath/checkout").all("#guests .input")) == 1

    @pytest.mark.parametrize("who", ["0,0", "x", "7,8", "-1", "0,1,2,3"])
    def test_a_forged_choice_never_breaks_the_page(self, visitor, rows, who):
        book(visitor, "sound", rows["again"])
        names = {f"person-{n}": f"P{n}" for n in (1, 2, 3)}
        page = self.send(visitor, 422, **names, **{"who-0": who, "who-1": "2,3"})
        assert "to fix" in page.text(".summary")


class TestExtras:
    def rows(self, make, **massage):
        rows = shop(make, bath={}, massage={"type": massage, "local_start": "2026-06-12T21:00"})

        def name():
            kinds = {key: fetch(Session, row).session_type for key, row in rows.items()}
            ref = {"offering_type": "session", "offering_id": kinds["massage"].id}
            kinds["bath"].cross_sell_offerings = [ref]
            kinds["bath"].upsell_offerings = [ref]
            db.session.commit()

        make(name)
        return rows

    def test_what_goes_with_a_visit_is_added_by_one_press(self, visitor, make):
        rows = self.rows(make)
        book(visitor, "bath", rows["bath"])
        page = visitor.get("/bath/checkout")
        extra = page.form("form.extra")
        assert extra["session_id"] == rows["massage"]
        done = visitor.post(str(page.one("form.extra")["action"]), extra, 303)
        assert done.response.headers["Location"] == "/bath/basket"
        page = visitor.get("/bath/basket")
        assert len(page.all("article.line")) == 2
        assert not page.all("form.extra")

    def test_what_cannot_be_booked_is_not_offered(self, visitor, make):
        rows = self.rows(make, members_only=True)
        book(visitor, "bath", rows["bath"])
        assert not visitor.get("/bath/checkout").all("form.extra")

    def test_the_ticket_names_what_may_come_next(self, visitor, make):
        rows = self.rows(make)
        book(visitor, "bath", rows["bath"])
        form = visitor.get("/bath/checkout").form("#details")
        done = visitor.post(
            "/bath/checkout", {**form, "name": "Ana", "email": "a@example.com"}, 303
        )
        page = visitor.get(done.response.headers["Location"])
        assert page.text(".extra h3") == "Massage"
        assert "date=2026-06-12" in str(page.one(".extra a")["href"])


def test_max_per_basket_is_told_on_the_page_before_it_is_pressed(visitor, make):
    rows = shop(make, bath={"type": {"max_per_basket": 1}})
    with visitor.app.app_context():
        again = make_session(
            fetch(Session, rows["bath"]).session_type, local_start="2026-06-14T10:00"
        )
        row = again.id
    book(visitor, "bath", rows["bath"])
    page = visitor.get("/bath/book/bath?date=2026-06-14")
    assert "One basket takes this at most 1 time." in page.text("#day")
    assert not page.all("#day form.slot")
    page = book(visitor, "bath", row, status=422)
    assert "One basket takes this at most 1 time." in page.text("#refusal")


def test_a_session_in_the_basket_may_be_booked_again_in_place_of_itself(visitor, make):
    rows = shop(make, bath={"type": {"max_per_basket": 1}})
    book(visitor, "bath", rows["bath"])
    page = visitor.get("/bath/book/bath?date=2026-06-12&guests=3")
    assert page.one("#day form.slot")
    book(visitor, "bath", rows["bath"], guests=3)
    assert "3 guests" in visitor.get("/bath/basket").text(".stepper output")


def test_the_baskets_pages_ask_as_many_questions_for_ten_lines_as_for_two(app, visitor, make):
    rows = shop(make, **{f"kind{n}": {} for n in range(10)})
    counted = []

    def count(*_args):
        counted[-1] += 1

    def questions(url):
        counted.append(0)
        with app.app_context():
            engine = db.engine
        sa.event.listen(engine, "before_cursor_execute", count)
        visitor.get(url)
        sa.event.remove(engine, "before_cursor_execute", count)
        return counted[-1]

    names = list(rows)
    for name in names[:2]:
        book(visitor, name, rows[name])
    few = [questions("/bath/basket"), questions("/bath/checkout")]
    for name in names[2:]:
        book(visitor, name, rows[name])
    assert [questions("/bath/basket"), questions("/bath/checkout")] == few


class TestCalendarForEachPerson:
    """The calendar shows each person what that person can book."""

    @pytest.fixture
    def member(self, make):
        def build():
            site = make_site(slug="bath")
            account = make_account()
            kind = make_member(site.organisation_id, account, last_day=dt.date(2026, 6, 20))
            windows = [
                {"membership_type_id": kind.id, "max_advance_bookings_interval": "P1M",
                 "min_advance_bookings_interval": None}
            ]  # fmt: skip
            early = make_type(
                site, slug="early", max_advance_bookings_interval="P3D",
                membership_booking_windows_enabled=True, membership_booking_windows=windows,
            )  # fmt: skip
            make_session(early)
            make_session(early, local_start="2026-06-22T18:00")
            only = make_type(site, slug="only", members_only=True)
            make_session(only)
            make_session(only, local_start="2026-06-21T18:00")
            make_session(make_type(site, slug="account", customers_only=True))
            return account.email

        return make(build)

    def cell(self, visitor, kind, date="2026-06-12"):
        return visitor.get(f"/bath/book/{kind}?month=2026-06").text(f"#day-{date}")

    def test_a_closed_date_tells_the_moment_at_which_it_opens(self, visitor, member):
        assert "opens for booking on Tuesday 9 June at 18:00" in self.cell(visitor, "early")
        page = visitor.get("/bath/book/early?date=2026-06-12")
        assert "Booking opens on Tuesday 9 June at 18:00." in page.text("#day")

    def test_early_access_is_open_to_the_member_until_the_membership_ends(self, visitor, member):
        visitor.sign_in(member, "quiet-rooms")
        assert "early for members" in self.cell(visitor, "early")
        assert "opens for booking on Friday 19 June" in self.cell(visitor, "early", "2026-06-22")

    def test_member_days_say_members_to_others_and_are_open_to_members(self, visitor, member):
        assert "members only" in self.cell(visitor, "only")
        visitor.sign_in(member, "quiet-rooms")
        assert "for members, from £48" in self.cell(visitor, "only")
        assert "members only" in self.cell(visitor, "only", "2026-06-21")
        page = visitor.get("/bath/book/only?date=2026-06-21")
        assert "Your membership doesn't cover it." in page.text("#day")

    def test_days_for_people_with_an_account_ask_to_sign_in(self, visitor, member):
        assert "sign in" in self.cell(visitor, "account")
        page = visitor.get("/bath/book/account?date=2026-06-12")
        assert page.one("#day .why a")["href"].startswith("/account/sign-in?next=")
        visitor.sign_in(member, "quiet-rooms")
        assert "from £48" in self.cell(visitor, "account")


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("/bath/checkout", 400),
        ("/bath/checkout/renewal", 400),
        ("/bath/checkout/rebuild", 400),
        ("/bath/checkout/people", 400),
        ("/bath/basket/lines/x/guests", 400),
        ("/nowhere/checkout", 404),
    ],
)
def test_an_old_token_is_answered_calmly_at_every_door_of_the_basket(visitor, make, url, status):
    rows = shop(make, bath={})
    book(visitor, "bath", rows["bath"])
    visitor.post(url, {"csrf_token": "old", "name": "Ana"}, status)


def test_the_address_of_a_refused_change_leads_back_to_the_basket(visitor, make):
    shop(make, bath={})
    page = visitor.get("/bath/basket/lines/x/guests", 302)
    assert page.response.headers["Location"] == "/bath/basket"


def test_who_signs_in_with_a_full_basket_need_not_type_what_is_known(visitor, make):
    rows = shop(make, bath={})
    make(make_account)
    book(visitor, "bath", rows["bath"])
    visitor.sign_in("ana@example.com", "quiet-rooms")
    form = visitor.get("/bath/checkout").form("#details")
    assert (form["name"], form["email"]) == ("Ana Reyes", "ana@example.com")


@pytest.mark.parametrize(("minutes", "warned"), [(12, False), (14, True)])
def test_h3_the_last_two_minutes_are_told_without_script_too(app, visitor, make, minutes, warned):
    rows = shop(make, bath={})
    book(visitor, "bath", rows["bath"])
    age_holds(app, minutes)
    for url in ("/bath/basket", "/bath/checkout"):
        note = visitor.get(url).one("[data-when-low]")
        assert note.has_attr("hidden") is not warned
        assert "Keep my places" in note.get_text()


class TestStrangers:
    """Nobody learns from a refusal what the owner of an address has booked."""

    @pytest.fixture
    def rows(self, make):
        def build():
            site = make_site(slug="bath")
            account = make_account()
            make_member(site.organisation_id, account)
            kind = make_type(site, slug="yoga", max_bookings_per_member=1)
            return {"yoga": make_session(kind).id}

        return make(build)

    def buy(self, visitor, rows, status):
        book(visitor, "yoga", rows["yoga"], guests=1, key=visitor.token())
        form = visitor.get("/bath/checkout").form("#details")
        given = {**form, "name": "Ana", "email": "ana@example.com"}
        return visitor.post("/bath/checkout", given, status)

    def test_the_sentence_says_nothing_of_bookings_or_memberships(
        self, visitor, other_visitor, rows
    ):
        self.buy(visitor, rows, 303)
        page = self.buy(other_visitor, rows, 409)
        said = page.text(".note--bad")
        assert "This has a limit for each person." in said
        assert "booked this" not in said
        assert "member" not in said

    def test_address_after_address_is_slowed_down(
        self, app, visitor, other_visitor, rows, monkeypatch
    ):
        monkeypatch.setitem(app.config, "SIGN_IN_LIMIT", "3 per hour")
        self.buy(visitor, rows, 303)
        book(other_visitor, "yoga", rows["yoga"], guests=1)
        form = other_visitor.get("/bath/checkout").form("#details")
        given = {**form, "name": "Ana", "email": "ana@example.com"}
        said = [other_visitor.post("/bath/checkout", given).status for _ in range(5)]
        assert said == [409, 409, 409, 429, 429]


class TestStaleTabs:
    """Two tabs, Back, a rebuilt basket: nothing is booked that the page did not show."""

    def details(self, visitor):
        form = visitor.get("/bath/checkout").form("#details")
        return {**form, "name": "Ana", "email": "a@example.com"}

    def refused(self, visitor, form):
        page = visitor.post("/bath/checkout", form, 409)
        assert "Your basket has changed since this page was opened." in page.text(".note--bad")
        assert page.one("#name")["value"] == "Ana"
        return page

    def test_another_session_added_elsewhere_is_shown_before_it_is_booked(self, visitor, make):
        rows = shop(make, bath={}, sauna={})
        book(visitor, "bath", rows["bath"], guests=1)
        form = self.details(visitor)
        book(visitor, "sauna", rows["sauna"], guests=5)
        page = self.refused(visitor, form)
        visitor.post("/bath/checkout", {**form, **page.form("#details")}, 303)

    def test_another_number_of_guests_is_shown_first(self, visitor, make):
        rows = shop(make, bath={})
        book(visitor, "bath", rows["bath"], guests=1)
        form = self.details(visitor)
        line = line_action(visitor.get("/bath/basket"))
        visitor.post(f"/bath/basket/lines/{line}/guests", {"guests": "6"}, 303)
        self.refused(visitor, form)

    def test_p6_another_price_is_shown_first(self, app, visitor, make):
        rows = shop(make, bath={})
        book(visitor, "bath", rows["bath"])
        form = self.details(visitor)
        age_holds(app, 20)
        with app.app_context():
            fetch(Session, rows["bath"]).price = 9900
            db.session.commit()
        visitor.post("/bath/checkout/rebuild", {}, 303)
        self.refused(visitor, form)

    def test_back_after_confirm_does_not_book_the_next_basket(self, visitor, make):
        rows = shop(make, bath={}, sauna={})
        book(visitor, "bath", rows["bath"])
        form = self.details(visitor)
        visitor.post("/bath/checkout", form, 303)
        book(visitor, "sauna", rows["sauna"])
        self.refused(visitor, form)


class TestWhoseBasket:
    @pytest.fixture
    def row(self, make):
        def build():
            site = make_site(slug="bath")
            make_account()
            make_account("bo@example.com", "Bo Lind")
            return make_session(make_type(site, slug="bath")).id

        return make(build)

    def test_a_basket_ends_with_the_sign_in_that_made_it(self, visitor, other_visitor, row):
        for browser in (visitor, other_visitor):
            browser.sign_in("ana@example.com", "quiet-rooms")
        book(visitor, "bath", row)
        form = visitor.get("/bath/checkout").form("#details")
        other_visitor.post("/account/sign-out-everywhere", {}, 303)
        assert visitor.get("/bath/checkout").text("h1") == "Your basket is empty"
        visitor.post("/bath/checkout", {**form, "name": "Bob", "email": "bob@example.com"}, 409)
        visitor.sign_in("bo@example.com", "quiet-rooms")
        assert "ana@example.com" not in visitor.get("/bath/checkout").html
        assert not visitor.get("/bath/book/bath").all(".basket-link .count")

    def test_a_visitors_basket_comes_along_to_the_sign_in(self, visitor, row):
        book(visitor, "bath", row)
        visitor.sign_in("ana@example.com", "quiet-rooms")
        form = visitor.get("/bath/checkout").form("#details")
        visitor.post("/bath/checkout", form, 303)
