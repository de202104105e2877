"""Today and the reports, as staff meet them: rights, periods, files, what needs attention."""

import csv
import datetime as dt
import io
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    fetch,
    make_form,
    make_group,
    make_order,
    make_organisation,
    make_practitioner,
    make_room,
    make_session,
    make_site,
    make_staff,
    make_type,
    save,
)

from blueprints.clock import read_clock
from blueprints.reports.charts import warmth
from blueprints.reports.pages import REPORTS
from domain.intake import Field
from models import (
    Account,
    Job,
    LedgerEntry,
    Organisation,
    Session,
    SessionBooking,
    SessionType,
    StaffGrant,
    db,
    new_object_id,
)
from services.checkout import find_order
from services.outbox import MOST_ATTEMPTS

LONDON = ZoneInfo("Europe/London")
TODAY, ALL = "/staff/bath/today", "/staff/bath/reports"
BOTH = ("REPORTS_VIEW", "RESERVATIONS_MANAGE")


def local(hours):
    """The wall time in London so many hours from now, on a whole minute."""
    moment = (read_clock() + dt.timedelta(hours=hours)).astimezone(LONDON)
    return moment.replace(second=0, microsecond=0, tzinfo=None)


@pytest.fixture
def house(make):
    """A venue with one booked session soon, and everything needed to report on it."""

    def build():
        site = make_site(slug="bath")
        make_staff(site, "maren@example.com", rights=BOTH)
        make_staff(site, "reader@example.com", rights=("REPORTS_VIEW",))
        make_staff(site, "desk@example.com", rights=("RESERVATIONS_MANAGE",))
        room, leader = make_room(site), make_practitioner(site)
        kind = make_type(site, name='=cmd|"A"', revenue_centre="Water")
        slot = make_session(
            kind, local_start=local(0.1), room_id=room.id, practitioner_id=leader.id
        )
        secret = make_order(slot, guests=2, now=read_clock())
        other = make_site(make_organisation(), slug="elsewhere")
        return {
            "site": site.id, "organisation": site.organisation_id, "type": kind.id,
            "room": room.id, "leader": leader.id, "slot": slot.id, "secret": secret,
            "booking": find_order(secret).items[0].booking.id,
            "foreign": [make_type(other).id, make_room(other).id, make_practitioner(other).id],
        }  # fmt: skip

    return make(build)


@pytest.fixture
def maren(visitor, house):
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    return visitor


def rows_of(page):
    text = page.response.get_data().decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


class TestRights:
    @pytest.mark.parametrize(
        "path", [TODAY, ALL, f"{ALL}/revenue", f"{ALL}/revenue.csv", f"{ALL}/compare?by=site"]
    )
    def test_who_may_not_see_reports_is_told_so_and_strangers_find_nothing(
        self, visitor, other_visitor, house, path
    ):
        visitor.get(path, 303)
        visitor.sign_in("desk@example.com", "thermal-waters", "/staff/sign-in")
        visitor.get(path, 403)
        other_visitor.sign_in("reader@example.com", "thermal-waters", "/staff/sign-in")
        other_visitor.get(path)
        other_visitor.get(path.replace("/bath/", "/elsewhere/"), 404)

    def test_with_reports_alone_one_lands_on_today_and_is_led_to_no_closed_door(
        self, visitor, house
    ):
        visitor.sign_in("reader@example.com", "thermal-waters", "/staff/sign-in")
        assert visitor.get("/staff/", 302).response.location == TODAY
        page = visitor.get(TODAY)
        assert "1 party expected" in page.text(".matters")
        assert not page.all(".matters a, .nextup a")
        # The menu leads to pages that open.
        for link in page.all(".rail nav a"):
            assert visitor.client.get(link["href"]).status_code in (200, 302), link

    def test_the_menu_begins_with_today_for_who_may_see_it(self, maren, visitor):
        links = maren.get("/staff/bath/").all(".rail nav a")
        assert links[0]["href"] == TODAY
        visitor.client.post("/staff/sign-out", data={"csrf_token": visitor.token()})
        visitor.sign_in("desk@example.com", "thermal-waters", "/staff/sign-in")
        assert TODAY not in visitor.get("/staff/bath/").html

    @pytest.mark.parametrize("name", ["type", "room", "practitioner"])
    def test_d1_a_foreign_id_is_not_found_on_any_report(self, maren, house, name):
        for foreign in (*house["foreign"], "x" * 300):
            maren.get(f"{ALL}/occupancy?{name}={foreign}", 404)
            maren.get(f"{ALL}/lead-time.csv?{name}={foreign}", 404)

    def test_what_is_no_report_is_not_found(self, maren):
        for path in ("/money", "/money.csv", "/revenue.csv?sheet=x", "/compare?by=colour"):
            maren.get(ALL + path, 404)
        # A NUL never gets as far as a query.
        maren.get(f"{ALL}/revenue?type=%00", 400)


class TestReports:
    @pytest.mark.parametrize("name", REPORTS)
    def test_each_has_a_chart_in_words_its_tables_and_their_files(self, maren, house, name):
        page = maren.get(f"{ALL}/{name}?period=week")
        for chart in page.all("svg.chart"):
            assert chart["role"] == "img"
            for part in chart["aria-labelledby"].split():
                assert page.one(f"[id='{part}']").get_text(strip=True)
        assert page.all("svg.chart")
        files = [link["href"] for link in page.all("a[href*='.csv']")]
        assert len(files) == len(page.all("section[aria-labelledby^=sheet-]")) > 0
        for address in files:
            answer = maren.get(address)
            assert answer.response.mimetype == "text/csv"
            assert answer.response.get_data().startswith(b"\xef\xbb\xbf")
            head, *rows = rows_of(answer)
            assert all(len(row) == len(head) for row in rows)

    @pytest.mark.parametrize("name", REPORTS)
    def test_each_is_calm_when_there_is_nothing(self, maren, name):
        page = maren.get(f"{ALL}/{name}?from=2001-01-01&to=2001-01-02")
        assert "None" not in page.text("main")
        assert "nan" not in page.text("main").casefold()

    def test_the_revenue_of_the_page_the_file_and_the_ledger_are_one_sum(self, maren, house, make):
        def note():
            booking = fetch(SessionBooking, house["booking"])
            values = {"organisation_id": house["organisation"], "order_id": booking.order_id}
            for kind, amount, method in (("payment", -5000, "card"), ("adjustment", -1250, "")):
                save(
                    LedgerEntry(
                        id=new_object_id(), kind=kind, amount=amount, method=method,
                        currency="GBP", created_at=read_clock(), **values,
                    )
                )  # fmt: skip

        make(note)
        address = f"{ALL}/revenue?period=year"
        page = maren.get(address)
        assert "£83.50" in page.text(".report-figures")
        assert "Not tied to a session" in page.text("main")
        sheets = {
            key: rows_of(maren.get(f"{ALL}/revenue.csv?period=year&sheet={key}"))
            for key in ("centres", "ledger", "payments")
        }
        assert sheets["centres"][0][:3] == ["Revenue centre", "Recognised", "Recognised, currency"]
        assert sheets["centres"][1][0] == "Water"
        loose, total = sheets["centres"][2], sheets["centres"][3]
        assert "-12.50" in loose
        assert total[5:7] == ["83.50", "GBP"]
        assert sheets["ledger"][1][1::2] == ["96.00", "-12.50", "0.00", "83.50"]
        assert sheets["payments"][1][:2] == ["card", "50.00"]

    def test_d5_names_in_a_file_are_harmless_and_numbers_stay_numbers(self, maren):
        rows = rows_of(maren.get(f"{ALL}/compare.csv?period=year"))
        assert rows[1][0] == '\'=cmd|"A"'
        assert rows[1][1:4] == ["1", "2", "8"]
        assert rows[1][4] == "25.0"

    @pytest.mark.parametrize(
        ("query", "field", "words"),
        [
            ("from=2026-06-09&to=2026-06-01", "to", "comes before"),
            ("from=soon&to=2026-06-01", "from", "isn’t a date|isn't a date"),
            ("period=custom&to=2026-06-01", "from", "Enter the first day"),
            ("from=2020-01-01&to=2026-06-01", "to", "two years"),
            ("period=fortnight", None, "Choose one of the periods"),
        ],
    )
    def test_a_bad_period_is_refused_with_a_sentence_and_the_form_is_kept(
        self, maren, house, query, field, words
    ):
        page = maren.get(f"{ALL}/occupancy?{query}&room={house['room']}", 422)
        assert page.soup.title.get_text().startswith("Error:")
        assert any(word in page.text("[role=alert]") for word in words.split("|"))
        assert page.one("select[name=room] option[selected]")["value"] == house["room"]
        if field:
            assert page.one(f"#{field}")["aria-invalid"] == "true"
            assert page.one(f"[role=alert] a[href='#{field}']")
            typed = dict(pair.split("=") for pair in query.split("&"))
            assert page.one(f"#{field}")["value"] == typed.get(field, "")
        assert not page.all(".kpi")
        assert maren.get(f"{ALL}/occupancy.csv?{query}", 422).response.mimetype != "text/csv"

    def test_filters_and_days_stay_when_another_report_or_period_is_chosen(self, maren, house):
        query = f"type={house['type']}&from=2026-06-01&to=2026-06-30"
        page = maren.get(f"{ALL}/occupancy?{query}")
        for link in page.all(".report-tabs a, .seg a, .nudge a"):
            assert f"type={house['type']}" in link["href"]
            maren.get(link["href"])
        assert "from=2026-07-01" in page.all(".nudge a")[1]["href"]
        assert "to=2026-07-31" in page.all(".nudge a")[1]["href"]

    def test_a_heat_table_says_its_numbers_in_words_too(self, maren):
        cell = maren.get(f"{ALL}/occupancy?period=week").all(".heat td[title]")
        full = [one for one in cell if one.get_text(strip=True).startswith("25")]
        assert full
        assert "2 of 8 places" in full[0].get_text()
        assert [warmth(tenths) for tenths in (None, 0, 250, 999, 1000)] == [0, 1, 2, 6, 6]

    def test_venues_are_compared_only_where_their_reports_may_be_seen(self, maren, house, make):
        def more():
            for slug, place in (("york", "York"), ("hull", "Hull")):
                site = make_site(fetch_organisation(house["organisation"]), slug=slug, place=place)
                make_session(make_type(site), local_start=local(30))
                if slug == "york":
                    grant(site)

        make(more)
        page = maren.get(f"{ALL}/compare?by=site&period=year")
        assert "Stillwater York" in page.text("main")
        assert "Hull" not in page.text("main")


def fetch_organisation(organisation_id):
    return fetch(Organisation, organisation_id)


def grant(site):
    account = db.session.scalar(sa.select(Account).where(Account.email == "maren@example.com"))
    save(
        StaffGrant(
            account_id=account.id, organisation_id=site.organisation_id, site_id=site.id,
            right="REPORTS_VIEW", title="",
        )
    )  # fmt: skip


class TestToday:
    def test_it_says_what_needs_attention_and_leads_to_where_it_is_mended(self, maren, house, make):
        def trouble():
            site = fetch(Session, house["slot"])
            kind = fetch_type(house["type"])
            group = make_group(kind, None, practitioner_id=house["leader"])
            make_session(kind, local_start=local(0.5), recurrence_group_id=group.id)
            full = make_session(kind, local_start=local(50), capacity=4, waitlist_enabled=True)
            wait(full)
            # Asked of the party that is booked for today.
            make_form(kind, Field("allergies", "Allergies", "text", required=True))
            make_order(site, guests=1, email="late@example.com", now=read_clock())
            fail(house)

        make(trouble)
        page = maren.get(TODAY)
        said = page.text(".matters")
        for words in (
            "2 parties expected at the desk now",
            "with nobody to lead",
            "1 party waits where 4 places are free",
            "1 party has forms to fill in",
            "1 mail could not be sent",
            "£144.00 to be paid on 2 orders of today",
        ):
            assert words in said
        for link in page.all(".matters a"):
            maren.get(link["href"])

    def test_nothing_to_do_says_so_calmly(self, maren, house, make):
        def calm():
            db.session.execute(sa.delete(Job), execution_options=ANYWHERE)
            order = find_order(house["secret"])
            owed = sum(entry.amount for entry in order.ledger)
            save(
                LedgerEntry(
                    id=new_object_id(), organisation_id=order.organisation_id, order_id=order.id,
                    kind="payment", amount=-owed, currency=order.currency, method="cash",
                    created_at=read_clock(),
                )
            )  # fmt: skip
            fetch(SessionBooking, house["booking"]).stage = "arrived"
            db.session.commit()

        make(calm)
        page = maren.get(TODAY)
        assert "Nothing needs you right now" in page.text("[aria-labelledby=attention]")
        assert not page.all(".matters")

    def test_it_is_live_as_the_schedule_is(self, maren):
        page = maren.get(TODAY)
        part = page.one("[data-poll]")
        assert (part["id"], part["hx-get"]) == ("now", TODAY)
        fragment = maren.fragment(TODAY)
        assert "<html" not in fragment.html
        assert fragment.one("#now .nextup")
        assert not fragment.all(".kpis")

    def test_figures_of_today_count_guests_places_and_revenue(self, maren):
        said = maren.get(TODAY).text(".kpis")
        assert "2 of 8 places" in said
        assert "£96 " in said

    def test_the_number_of_statements_is_constant(self, app, maren, house, make):
        def count():
            number = []

            def note(_c, _cursor, statement, *_rest):
                number.append(statement)

            with app.app_context():
                engine = db.engine
            sa.event.listen(engine, "before_cursor_execute", note)
            try:
                maren.get(TODAY)
            finally:
                sa.event.remove(engine, "before_cursor_execute", note)
            return len(number)

        before = count()

        def more():
            for number in range(4):
                slot = make_session(fetch_type(house["type"]), local_start=local(0.2))
                make_order(slot, email=f"g{number}@example.com", now=read_clock())

        make(more)
        assert count() == before


def fetch_type(type_id):
    return fetch(SessionType, type_id)


def wait(full):
    """Somebody who was passed over: waits although there are places."""
    secret = make_order(full, email="wim@example.com", now=read_clock())
    entry = find_order(secret).items[0].booking
    entry.status, entry.waiting_since = "waitlisted", read_clock()
    entry.session.places_taken = entry.session.parties_taken = 0
    db.session.commit()


def fail(house):
    save(
        Job(
            id=new_object_id(), organisation_id=house["organisation"], site_id=house["site"],
            kind="mail", payload={"letter": "account_closed", "to": "x@example.com"},
            dedupe_key=new_object_id(), run_at=read_clock(), created_at=read_clock(),
            attempts=MOST_ATTEMPTS,
        )
    )  # fmt: skip
