"""The search box of the desk, and where the code on a ticket leads."""

import datetime as dt

import pytest
from factories import make_booked_line, make_session, make_site, make_staff, make_type

from blueprints.clock import read_clock
from blueprints.links import ticket_link
from blueprints.rendering import qr_code
from blueprints.security import SCANNING


@pytest.fixture
def venue(make):
    """Two venues of two organisations with Ana Reyes booked at each, and their receptionists."""

    def build():
        made = {}
        for slug in ("bath", "reykjavik"):
            site = make_site(slug=slug)
            soon = (read_clock() + dt.timedelta(days=2)).date()
            row = make_session(make_type(site), local_start=f"{soon}T11:00")
            booking = make_booked_line(row)
            make_staff(site, f"maren@{slug}.example")
            made[slug] = {
                "id": booking.id, "ref": booking.order.order_ref, "code": booking.check_in_code,
                "secret": booking.order.secret, "session": row.id,
            }  # fmt: skip
        return made

    return make(build)


@pytest.fixture
def maren(visitor, venue):
    visitor.sign_in("maren@bath.example", "thermal-waters", "/staff/sign-in")
    return visitor


def roster_of(booking, slug="bath"):
    return f"/staff/{slug}/sessions/{booking['session']}#b-{booking['id']}"


def test_every_staff_page_has_the_box_and_it_finds_without_script(maren, venue):
    page = maren.get("/staff/bath/")
    assert page.one("form.find-box")["action"] == "/staff/bath/find"
    assert page.one(".tabbar a[href='/staff/bath/find']")
    found = maren.get("/staff/bath/find?q=rey+an")
    assert found.one(".hit-row")["href"] == roster_of(venue["bath"])
    assert "Ana Reyes" in found.text(".hit-row")
    assert "Booked" in found.text(".hit-row")


def test_the_roster_has_a_line_where_a_hit_leads(maren, venue):
    target = roster_of(venue["bath"])
    assert maren.get(target.split("#")[0]).one(f"#{target.split('#')[1]}")


def test_while_typing_only_the_results_are_answered(maren, venue):
    part = maren.fragment("/staff/bath/find?box=1&q=" + venue["bath"]["ref"])
    assert "<html" not in part.html
    assert part.one("#found.find-pop .hit-row")
    assert part.one(".find-all a")["href"].startswith("/staff/bath/find?q=")
    assert maren.fragment("/staff/bath/find?box=1&q=").one("#found").has_attr("hidden")


@pytest.mark.parametrize("what", ["ref", "code", "id"])
def test_enter_on_a_reference_or_a_ticket_opens_the_roster(maren, venue, what):
    answer = maren.get(f"/staff/bath/find?q={venue['bath'][what]}", 303)
    assert answer.response.headers["Location"] == roster_of(venue["bath"])


@pytest.mark.parametrize("what", ["ref", "code", "id"])
def test_d1_another_organisations_booking_is_not_found(maren, venue, what):
    page = maren.get(f"/staff/bath/find?q={venue['reykjavik'][what]}")
    assert not page.all(".hit-row")
    assert "No booking matches" in page.text()


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "Two letters are enough"),
        ("a", "A little more, please"),
        ("%25", "A little more, please"),
        ("%5F%5F", "A little more, please"),
        ("zzzz", "No booking matches"),
        ("x" * 3000, "No booking matches"),
        ("%3Cb%3Ebold", "No booking matches"),
    ],
)
def test_what_finds_nothing_says_what_to_do(maren, typed, says):
    page = maren.get(f"/staff/bath/find?q={typed}&page=banana")
    assert says in page.text("main")
    assert not page.all("main b:-soup-contains('bold')")


def test_a_nul_is_refused(maren):
    maren.get("/staff/bath/find?q=a%00b", 400)


def test_only_pages_that_scan_may_use_the_camera(maren):
    policy = "Permissions-Policy"
    assert maren.get("/staff/bath/find").response.headers[policy] == SCANNING
    assert "camera=()" in maren.get("/staff/bath/").response.headers[policy]


def test_the_code_of_a_ticket_finds_the_booking_and_opens_nothing(maren, other_visitor, venue):
    ticket = other_visitor.get(f"/bookings/{venue['bath']['secret']}")
    code = venue["bath"]["code"]
    assert ticket.one(".qr svg")
    assert code not in ticket.html, "the code is drawn, not written"
    # Whoever photographs it reads the same page as for any code.
    page = other_visitor.get(f"/bookings/tickets/{code}")
    assert "This is a ticket" in page.text()
    assert page.html == other_visitor.get(f"/bookings/tickets/{'0' * 20}").html
    for trace in ("Ana", venue["bath"]["ref"], venue["bath"]["secret"]):
        assert trace not in page.html
    for way in ("", "/calendar.ics"):
        other_visitor.get(f"/bookings/{code}{way}", 404)
    # At the venue's own desk it opens the roster, at another one nothing.
    answer = maren.get(f"/bookings/tickets/{code}", 303)
    assert answer.response.headers["Location"] == roster_of(venue["bath"])
    assert "This is a ticket" in maren.get(f"/bookings/tickets/{venue['reykjavik']['code']}").text()


def test_the_qr_code_on_a_ticket_holds_its_own_address(app, visitor, venue):
    with app.test_request_context():
        drawn = str(qr_code(ticket_link(venue["bath"]["code"]), "A title"))
    shape = drawn.split(' d="')[1].split('"')[0]
    assert shape in visitor.get(f"/bookings/{venue['bath']['secret']}").html
