"""The waiting list as people meet it, without JavaScript (W1-W5, H7)."""

import datetime as dt
import re
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    fetch,
    make_account,
    make_form,
    make_order,
    make_session,
    make_site,
    make_staff,
    make_type,
)

from blueprints.clock import read_clock
from blueprints.mailing import compose, text_of, write
from domain.intake import Field
from domain.venue_rules import RESERVED_SLUGS
from models import Job, Order, Session, SessionBooking, SessionType, db, transaction
from services.cancelling import cancel_for_staff
from services.checkout import find_order
from services.doctor import examine
from services.places import raise_revision
from services.waiting import join, leave
from services.waking import release_expired_holds

HOUR = dt.timedelta(hours=1)


@dataclass
class Facts:
    slug: str
    organisation_id: str
    site_id: str
    session_id: str
    type_id: str
    sold: str
    day: str

    @property
    def page(self) -> str:
        return f"/{self.slug}/sessions/{self.session_id}/waiting"

    @property
    def day_page(self) -> str:
        return f"/{self.slug}/book/circuit?date={self.day}"


@pytest.fixture
def full(make) -> Facts:
    """A sold-out session three days ahead, with a waiting list."""

    def build() -> Facts:
        now = read_clock()
        site = make_site()
        kind = make_type(site, slug="circuit", max_guests=4, waitlist_enabled=True)
        start = (now + dt.timedelta(days=3)).replace(hour=16, minute=0, tzinfo=None)
        row = make_session(kind, local_start=start.replace(second=0, microsecond=0), capacity=2)
        sold = make_order(row, guests=2, email="sold@example.com", now=now)
        day = row.local_start.date().isoformat()
        return Facts(site.slug, site.organisation_id, site.id, row.id, kind.id, sold, day)

    return make(build)


@pytest.fixture
def free(make, full):
    """Cancel what was sold, so that the list is woken."""

    def cancel() -> None:
        line = find_order(full.sold).items[0].booking
        cancel_for_staff(
            full.organisation_id, full.site_id, line.id, reason="Ill", now=read_clock()
        )

    return lambda: make(cancel)


def fields(page, **given) -> dict:
    return {**page.form("#waiting"), **given}


def join_as(browser, full, name="Ana Reyes", email="ana@example.com", guests="1") -> str:
    """Through the form; the address of the entry's page."""
    page = browser.get(full.page)
    answer = browser.post(full.page, fields(page, name=name, email=email, guests=guests), 303)
    return answer.response.location


def rows_in(make) -> tuple:
    """Everything that a GET could have changed."""

    def read() -> tuple:
        return tuple(
            db.session.scalar(
                sa.select(sa.func.count()).select_from(model), execution_options=ANYWHERE
            )
            for model in (Order, SessionBooking, Job)
        ) + tuple(
            db.session.execute(
                sa.select(
                    SessionBooking.status, SessionBooking.cancelled_at, SessionBooking.expires_at
                ).order_by(SessionBooking.id),
                execution_options=ANYWHERE,
            )
        )

    return make(read)


def test_waiting_is_no_venues_address():
    assert "waiting" in RESERVED_SLUGS


def test_a_full_session_leads_to_its_waiting_list_and_the_party_goes_along(visitor, full):
    page = visitor.get(f"{full.day_page}&guests=2")
    link = page.one(f"#slot-{full.session_id} .act a")
    assert link.get_text(" ", strip=True).startswith("Join the waitlist")
    form = visitor.get(link["href"])
    assert form.form("#waiting")["guests"] == "2"
    assert form.one("meta[name=robots]")["content"] == "noindex, nofollow"


def test_a_visitor_joins_and_reads_where_they_stand(visitor, other_visitor, full):
    first = join_as(visitor, full)
    second = join_as(other_visitor, full, "Ben Ode", "ben@example.com", "2")
    page = other_visitor.get(second)
    assert page.text("h1") == "You are number 2 of 2"
    assert "Ana" not in page.text("main")
    assert page.one("meta[name=robots]")["content"] == "noindex, nofollow"
    assert visitor.get(first).text("h1") == "You are number 1 of 2"


def test_the_offer_is_accepted_with_a_button_and_a_double_press_is_one_booking(
    visitor, full, free, make
):
    url = join_as(visitor, full, guests="2")
    free()
    page = visitor.get(url)
    assert page.text("h1") == "Your 2 places are held for you"
    assert "Accept, £96.00 at the venue" in page.text("#accept")
    assert page.one("time[data-countdown]")
    sent = page.form("#accept")
    target = page.one("#accept")["action"]
    first = visitor.post(target, sent, 303)
    again = visitor.post(target, sent, 303)
    assert first.response.location == again.response.location
    booked = visitor.get(first.response.location)
    assert "Booked" in booked.text("main")
    assert "£96.00" in booked.text(".total")
    assert visitor.get(url, 302).response.location == first.response.location
    assert make(examine) == []


def test_declining_and_leaving_say_what_happened_and_how_to_come_back(
    visitor, other_visitor, full, free
):
    mine = join_as(visitor, full)
    theirs = join_as(other_visitor, full, "Ben Ode", "ben@example.com")
    free()
    visitor.post(f"{mine}/refusal", {}, 303)
    page = visitor.get(mine)
    assert page.text("h1") == "You are off the waitlist"
    assert "You may join again" in page.text("main")
    assert page.all(f'a[href^="{full.page}"]')
    visitor.post(f"{mine}/departure", {}, 303)
    other_visitor.post(f"{theirs}/departure", {}, 303)
    assert other_visitor.get(theirs).text("h1") == "You are off the waitlist"


def test_an_offer_that_ran_out_is_refused_with_a_sentence_and_a_way_on(visitor, full, free, make):
    url = join_as(visitor, full)
    free()
    sent = visitor.get(url).form("#accept")
    make(lambda: release_expired_holds(read_clock() + 3 * HOUR))
    page = visitor.post(f"{url}/acceptance", sent, 409)
    assert "This offer has run out" in page.text("[role=alert]")
    assert page.text("title").startswith("Error:")
    assert page.text("h1") == "Your offer has run out"
    assert "You may join again, at the end of the list." in page.text("main")


def test_h7_opening_any_link_of_the_mails_and_pages_changes_nothing(visitor, full, free, make):
    url = join_as(visitor, full)
    free()
    before = rows_in(make)
    for path in (url, full.page, f"{url}/acceptance", f"{url}/refusal", f"{url}/departure"):
        page = visitor.get(path, 200 if path in (url, full.page) else 302)
        for link in page.all("main a[href^='/']"):
            visitor.client.get(str(link["href"]))
    for link in make(lambda: [text for _, text in letters()]):
        for path in re.findall(r"http://[^/]+(/\S+)", link):
            assert visitor.client.get(path).status_code == 200
    assert rows_in(make) == before


def letters() -> list[tuple[str, str]]:
    """Each waiting list's mail that is still of use: its name and its text."""
    jobs = db.session.scalars(sa.select(Job).order_by(Job.id), execution_options=ANYWHERE).all()
    found = []
    for job in jobs:
        if not job.payload["letter"].startswith("waiting_"):
            continue
        written = write(job.payload)
        if written is not None and written.is_useful:
            compose(written, job.dedupe_key)
            found.append((job.payload["letter"], f"{written.subject}\n{text_of(written)}"))
    return found


def test_the_mails_say_what_until_when_and_for_how_much(visitor, app, full, free, make):
    url = join_as(visitor, full)
    with app.test_request_context():
        (name, text), *rest = letters()
    assert (name, rest) == ("waiting_joined", [])
    assert "Thermal circuit on" in text
    assert url in text
    free()
    with app.test_request_context():
        # That one waits is of no use any more; the offer is.
        [(name, text)] = letters()
    assert name == "waiting_offer"
    assert "£48.00, to pay at Stillwater" in text
    assert re.search(r"We hold this for you until \w+ \d+ \w+ at \d\d:\d\d\.", text)
    make(lambda: release_expired_holds(read_clock() + 3 * HOUR))
    with app.test_request_context():
        [(name, text)] = letters()
    assert name == "waiting_missed"
    assert "you can join the waitlist again" in text


def test_a_letter_about_an_entry_taken_off_at_the_desk_says_so(visitor, app, full, make):
    make(lambda: make_staff(fetch_site(full)))
    url = join_as(visitor, full)
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    page = visitor.get(f"/staff/{full.slug}/sessions/{full.session_id}/waiting")
    removal = page.one("form[action$=removal]")["action"]
    visitor.post(removal, {}, 303)
    with app.test_request_context():
        [(name, text)] = letters()
    assert name == "waiting_closed"
    assert "The venue took you off the list." in text
    assert "The venue took you off the list." in visitor.get(url).text("main")


def fetch_site(full):
    from models import Site

    return fetch(Site, full.site_id)


def test_a_foreign_or_invented_secret_is_404_everywhere(visitor, full):
    for path in ("/waiting/nonsense", f"/waiting/{full.sold}"):
        visitor.get(path, 404)
        for deed in ("acceptance", "refusal", "departure"):
            visitor.post(f"{path}/{deed}", {}, 404)
    visitor.get("/waiting/a%00b", 404)


@pytest.mark.parametrize(
    "change",
    [{"visibility": "link_only"}, {"visibility": "private"}, {"offered_online": False}],
)
def test_d2_the_list_of_what_is_not_in_the_shop_is_404(visitor, full, make, change):
    def hide() -> None:
        with transaction():
            for name, value in change.items():
                setattr(fetch(SessionType, full.type_id), name, value)

    make(hide)
    page = visitor.get(full.page, 404)
    assert "Thermal" not in page.html
    visitor.post(full.page, {"name": "A", "email": "a@b.example", "guests": "1"}, 404)


def test_another_venues_session_is_404(visitor, full, make):
    slug = make(lambda: make_site().slug)
    visitor.get(f"/{slug}/sessions/{full.session_id}/waiting", 404)
    visitor.get(f"/{full.slug}/sessions/nonsense/waiting", 404)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": ""}, "name"),
        ({"email": "nobody"}, "email"),
        ({"guests": ""}, "guests"),
        ({"guests": "many"}, "guests"),
        ({"guests": "0"}, "guests"),
        ({"guests": "99999"}, "guests"),
        ({"guests": "3"}, "guests"),
        ({"guests": "5"}, "guests"),
        ({"name": "x" * 2000}, "name"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_typed_is_lost(
    visitor, full, given, field
):
    values = {"name": "Ana Reyes", "email": "ana@example.com", "guests": "1", **given}
    page = visitor.post(full.page, values, 422)
    assert page.text("title").startswith("Error:")
    assert page.text(f"#{field}-error")
    kept = "email" if field == "name" else "name"
    assert page.one(f"#{kept}")["value"] == values[kept]


def test_who_waits_already_is_told_without_a_second_entry(visitor, other_visitor, full):
    join_as(visitor, full)
    page = other_visitor.get(full.page)
    sent = fields(page, name="Ana", email="ana@example.com", guests="1")
    answer = other_visitor.post(full.page, sent, 422)
    assert "on the waitlist already" in answer.text("#email-error")


def test_joining_is_slowed_down(visitor, full, app, monkeypatch):
    monkeypatch.setitem(app.config, "SIGN_IN_LIMIT", "2 per hour")
    monkeypatch.setattr("blueprints.security.sign_in_tries", _fresh_limiter())
    for number in range(3):
        sent = {"name": "Ana", "email": f"a{number}@example.com", "guests": "1"}
        visitor.post(full.page, sent, 303 if number < 2 else 429)


def _fresh_limiter():
    from limits.storage import MemoryStorage
    from limits.strategies import MovingWindowRateLimiter

    return MovingWindowRateLimiter(MemoryStorage())


def test_a_session_with_room_sends_people_to_book(visitor, full, free):
    free()
    page = visitor.get(full.page)
    assert "There is room for your party now" in page.text("main")
    assert page.text("main .btn") == "Book it"
    answer = visitor.post(full.page, {"name": "A", "email": "a@b.example", "guests": "1"}, 409)
    assert "There is room for you now" in answer.text("[role=alert]")


def test_the_shop_shows_full_while_an_offer_is_open(visitor, other_visitor, full, free):
    join_as(visitor, full, guests="2")
    free()
    page = other_visitor.get(full.day_page)
    assert "Full" in page.text(f"#slot-{full.session_id}")
    assert not page.all(f"#slot-{full.session_id} form")


@pytest.mark.parametrize("has_list", [True, False])
def test_r10_w1_a_place_on_offer_is_free_nowhere_in_public(
    visitor, other_visitor, full, free, make, has_list
):
    """Calendar, day, month strip, timetable, its feed and what the shop suggests say the same."""
    join_as(visitor, full, guests="2")
    free()

    def close_list() -> None:
        fetch(Session, full.session_id).waitlist_enabled = has_list
        raise_revision(full.organisation_id, [full.type_id])
        db.session.commit()

    make(close_list)
    page = other_visitor.get(full.day_page)
    cell = page.one(f"#day-{full.day}")
    assert ("waitlist" in cell.get_text().casefold()) == has_list
    assert "is-soldout" in str(cell) or "full" in str(cell).casefold()
    assert "£" not in cell.get_text()
    assert bool(page.all(f"#slot-{full.session_id} .act a")) == has_list
    said = "Full, with a waitlist" if has_list else "Full"
    timetable = other_visitor.get(f"/{full.slug}/timetable")
    assert said in timetable.text("td.state")
    feed = other_visitor.client.get(f"/{full.slug}/timetable.ics").get_data(as_text=True)
    assert f"{said.replace(',', chr(92) + ',')}." in feed.replace("\r\n ", "")
    assert "left" not in page.text(f"#slot-{full.session_id} .left")
    for words in ("1 place", "2 places", "places left"):
        assert words not in timetable.text("main") + feed


def test_a_signed_in_customer_finds_the_entry_among_the_own_bookings(visitor, full, free, make):
    make(lambda: make_account().id)
    visitor.sign_in("ana@example.com", "quiet-rooms")
    page = visitor.get(full.page)
    assert page.form("#waiting")["email"] == "ana@example.com"
    url = visitor.post(full.page, fields(page), 303).response.location
    own = visitor.get("/account/")
    assert "Number 1 of 1" in own.text("section[aria-labelledby=waiting-h]")
    assert own.one(f'a[href="{url}"]')
    free()
    assert "Offered until" in visitor.get("/account/").text("section[aria-labelledby=waiting-h]")
    visitor.post(f"{url}/acceptance", {}, 303)
    after = visitor.get("/account/")
    assert not after.all("section[aria-labelledby=waiting-h]")
    assert "Thermal circuit" in after.text("main")


def test_names_are_asked_on_the_offer_and_kept_when_one_is_missing(visitor, full, free, make):
    question = Field(id="health", label="Allergies", kind="text", asked_of="each_guest")
    make(lambda: make_form(fetch(SessionType, full.type_id), question))
    url = join_as(visitor, full, guests="2")
    free()
    page = visitor.post(f"{url}/acceptance", {"person-1": ""}, 422)
    assert page.text("#person-1-error")
    visitor.post(f"{url}/acceptance", {"person-1": "Ben Ode"}, 303)


def test_an_entry_of_a_session_that_has_started_or_was_cancelled_says_so(visitor, full, make):
    url = join_as(visitor, full)

    def cancel() -> None:
        with transaction():
            row = fetch(Session, full.session_id)
            row.deleted_at, row.cancel_reason = read_clock(), "The boiler is cold."

    make(cancel)
    page = visitor.get(url)
    assert "The boiler is cold." in page.text("main")
    assert not page.all(f'a[href^="{full.page}"]')


# The desk


@pytest.fixture
def clerk(other_visitor, full, make):
    make(lambda: make_staff(fetch_site(full)))
    other_visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    return other_visitor


def test_w5_staff_reach_the_list_from_the_roster_and_read_why(clerk, full, make):
    def wait() -> None:
        for name, guests in (("Ana", 2), ("Ben", 1), ("Cleo", 1)):
            join(
                full.organisation_id, full.session_id, guests=guests, name=name,
                email=f"{name}@example.com", now=read_clock(),
            )  # fmt: skip
        with transaction():
            fetch(Session, full.session_id).capacity = 3

    make(wait)
    roster = clerk.get(f"/staff/{full.slug}/sessions/{full.session_id}")
    link = next(a for a in roster.all("aside a") if "Waitlist" in a.get_text())
    assert link.get_text() == "Waitlist: 3 parties"
    page = clerk.get(str(link["href"]))
    lines = page.all(".waitlist > li")
    assert [line.b.get_text() for line in lines] == ["Ana", "Ben", "Cleo"]
    assert not lines[0].select("form[action$=offer]"), "two don't fit into one place"
    cleo = lines[2].select_one("form[action$=offer]")["action"]
    clerk.post(cleo, {}, 303)
    page = clerk.get(str(link["href"]))
    texts = [" ".join(line.get_text(" ").split()) for line in page.all(".waitlist > li")]
    assert "Passed over The desk offered a place to another party, out of turn." in texts[0]
    assert "Offered until" in texts[2]
    refused = clerk.post(lines[1].select_one("form[action$=offer]")["action"], {}, 409)
    assert "Needs 1 place, 0 are free." in refused.text("[role=alert]")


def test_the_desks_list_needs_the_right_and_the_venue(clerk, visitor, full, make):
    path = f"/staff/{full.slug}/sessions/{full.session_id}/waiting"
    assert "/staff/sign-in" in visitor.get(path, 303).response.location
    other = make(lambda: make_site().slug)
    clerk.get(f"/staff/{other}/sessions/{full.session_id}/waiting", 404)
    clerk.get(f"/staff/{full.slug}/sessions/nonsense/waiting", 404)
    for deed in ("offer", "removal"):
        clerk.post(f"/staff/{full.slug}/waiting/nonsense/{deed}", {}, 404)


def test_an_entry_that_has_gone_meanwhile_is_said_at_the_desk(clerk, full, make):
    secret = make(
        lambda: join(
            full.organisation_id, full.session_id, guests=1, name="Ana",
            email="ana@example.com", now=read_clock(),
        )
    )  # fmt: skip

    def open_a_place() -> None:
        with transaction():
            fetch(Session, full.session_id).capacity = 3

    make(open_a_place)
    page = clerk.get(f"/staff/{full.slug}/sessions/{full.session_id}/waiting")
    offer = page.one("form[action$=offer]")["action"]
    make(lambda: leave(secret, now=read_clock()))
    refused = clerk.post(offer, {}, 409)
    assert "it has ended, or has an offer" in refused.text("[role=alert]")
    assert "Nobody is waiting" in refused.text("main")
