"""What somebody with the source and bad intentions tries at the newer doors."""

import datetime as dt
from urllib.parse import quote

import pyotp
import pytest
import sqlalchemy as sa
from factories import fetch, make_order, make_session, make_site, make_staff, make_type, save

from blueprints.clock import read_clock
from models import Account, Organisation, SessionBooking, StaffGrant, db
from services.checkout import find_order
from services.second_factor import begin_authenticator, confirm_authenticator, find_unconfirmed_key

KEY = "a key for tests"
SETTINGS, DESK, ORDERS = "SETTINGS_MANAGE", "RESERVATIONS_MANAGE", "ORDERS_MANAGE"


@pytest.fixture
def house(make):
    """Two venues; Sana sets up both, and works the desk of one alone."""

    def build():
        bath = make_site(slug="bath")
        north = make_site(fetch(Organisation, bath.organisation_id), slug="north")
        sana = make_staff(bath, "sana@example.com", rights=(DESK, ORDERS))
        save(
            StaffGrant(
                account_id=sana.id, organisation_id=bath.organisation_id, site_id=None,
                right=SETTINGS, title="Set up",
            )
        )  # fmt: skip
        began = read_clock() - dt.timedelta(minutes=20)
        found = {}
        for site in (bath, north):
            row = make_session(make_type(site), local_start=f"{began:%Y-%m-%dT%H:%M}")
            early = read_clock() - dt.timedelta(days=3)
            order = find_order(make_order(row, name=f"Guest of {site.slug}", now=early))
            found[site.slug] = {"order": order.id, "booking": order.items[0].booking.id}
        return found

    return make(build)


@pytest.fixture
def sana(visitor, house):
    visitor.sign_in("sana@example.com", "thermal-waters", "/staff/sign-in")
    return visitor


def test_d1_a_right_at_all_sites_opens_no_history_that_another_right_opens(sana, house):
    """Setting up every venue is no reason to read what guests of another venue did."""
    for kind, key in (("orders", "order"), ("session-bookings", "booking")):
        sana.get(f"/staff/bath/trail/{kind}/{house['bath'][key]}")
        sana.get(f"/staff/bath/trail/{kind}/{house['north'][key]}", 404)
    log = sana.get("/staff/bath/trail").text()
    assert "Guest of bath" in log
    assert "Guest of north" not in log


def test_a_browser_that_ends_itself_forgets_what_the_desk_kept_in_it(sana):
    with sana.client.session_transaction() as visit:
        here = visit["_user_id"].split(".")[2]
    answer = sana.post(f"/account/browsers/{here}/end", {}, 303).response
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert "sign-in?next" in sana.get("/account/", 303).response.headers["Location"]


def test_a_tap_pressed_now_counts_from_now_whatever_it_says(sana, house, make):
    """Only a tap that says what it saw may come late: else anybody undoes a late fee."""
    url = f"/staff/bath/bookings/{house['bath']['booking']}/check-in"
    sana.post(url, {"set": "true", "key": "k1", "ago": "3600"}, 303)
    arrived = make(lambda: fetch(SessionBooking, house["bath"]["booking"]).checked_in_at)
    assert make(read_clock) - arrived < dt.timedelta(minutes=5)


@pytest.mark.parametrize("typed", ["csrf-token-stands-here", "<csrf-token>", "&lt;csrf-token&gt;"])
def test_what_people_write_is_never_taken_for_the_place_of_a_token(sana, typed):
    """Else a name that staff save again would hold their own token, for everybody to read."""
    page = sana.get("/staff/bath/find?q=" + quote(typed))
    assert page.one("main input[name=q]")["value"] == typed
    token = page.all("form[action$='/sign-out'] input[name=csrf_token]")[0]["value"]
    sana.post("/staff/sign-out", {"csrf_token": token}, 303)


def test_making_a_kiosk_leaves_no_page_of_the_desk_to_go_back_to(sana):
    answer = sana.post("/staff/bath/kiosks", {"name": "Front door"}, 303).response
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'


def test_no_password_stands_in_the_page_that_asks_who_is_there(visitor, house, make):
    def with_app():
        sana = db.session.scalars(
            sa.select(Account.id).where(Account.email_key == "sana@example.com")
        ).one()
        now = read_clock()
        begin_authenticator(sana, key=KEY, now=now)
        shows = pyotp.TOTP(find_unconfirmed_key(sana, key=KEY))
        confirm_authenticator(sana, shows.at(now), key=KEY, now=now)

    visitor.sign_in("sana@example.com", "thermal-waters", "/staff/sign-in")
    make(with_app)
    with visitor.client.session_transaction() as visit:
        visit["proved_at"] = (make(read_clock) - dt.timedelta(hours=1)).isoformat()
    typed = {"current": "thermal-waters", "password": "river stones at dusk"}
    page = visitor.post("/account/password", typed, 403)
    assert "Is it you?" in page.text("h1")
    assert not [word for word in typed.values() if word in page.html]
