"""The pages on which the venue cancels, restores and resizes a session, and who is told what."""

import datetime as dt

import pytest
import sqlalchemy as sa
from conftest import NOW
from factories import (
    ANYWHERE,
    fetch,
    make_account,
    make_order,
    make_organisation,
    make_room,
    make_session,
    make_site,
    make_staff,
    make_type,
)

from models import LedgerEntry, Session, SessionBooking, SessionType, Site, db, new_object_id
from services.checkout import find_order


@pytest.fixture
def venue(make):
    """A site with a session of four places, booked by Ana for two, and a receptionist."""

    def build():
        site = make_site(slug="bath")
        kind = make_type(site, slug="circuit", name="Thermal circuit")
        row = make_session(kind, capacity=4, room_id=make_room(site, cap=10).id)
        ana = make_account()
        secret = make_order(row, guests=2, account_id=ana.id)
        make_staff(site)
        make_staff(site, "owner@example.com", rights=("SETTINGS_MANAGE",))
        return {"session": row.id, "secret": secret, "site": site.id, "type": kind.id,
                "organisation": site.organisation_id}  # fmt: skip

    return make(build)


@pytest.fixture
def maren(visitor, venue):
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    return visitor


def at(venue, what=""):
    return f"/staff/bath/sessions/{venue['session']}{what}"


def read(app, model, row_id):
    with app.app_context():
        row = fetch(model, row_id)
        db.session.expunge(row)
        return row


def test_s3_the_page_says_what_cancelling_touches_and_does_it(app, maren, other_visitor, venue):
    page = maren.get(at(venue, "/cancel"))
    assert "1 booking, 2 guests" in page.text("dl.impact")
    assert "£96.00 is no longer to be paid" in page.text("dl.impact")
    fields = {**page.form("form.form-card"), "reason": "The boiler is broken"}
    answer = maren.post(at(venue, "/cancel"), fields, 303)
    assert answer.response.headers["Location"] == at(venue)
    roster = maren.get(at(venue))
    assert "The session is cancelled." in roster.text()
    assert "The boiler is broken." in roster.text(".note--warn")
    assert roster.all(f"a[href='{at(venue, '/restore')}']")
    assert not roster.all(f"a[href='{at(venue, '/places')}']")
    ticket = other_visitor.get(f"/bookings/{venue['secret']}")
    assert "was cancelled by Stillwater. The boiler is broken." in ticket.text(".note--warn")
    # The same press again: nothing more happens.
    maren.post(at(venue, "/cancel"), fields, 303)
    with app.app_context():
        assert len(find_order(venue["secret"]).ledger) == 2


@pytest.fixture
def elsewhere(make, venue):
    """Another session of the type with three places, and Bea booked with Ana on the first."""

    def build():
        kind, row = fetch(SessionType, venue["type"]), fetch(Session, venue["session"])
        other = make_session(kind, local_start=row.local_start + dt.timedelta(days=1), capacity=3)
        make_order(row, name="Bea", email="bea@example.com")
        return other.id

    return make(build)


def live_lines(make, session_id):
    query = sa.select(SessionBooking.id, SessionBooking.places).where(
        SessionBooking.session_id == session_id, SessionBooking.cancelled_at.is_(None)
    )
    return make(
        lambda: sorted(
            db.session.execute(query, execution_options=ANYWHERE).all(), key=lambda it: -it.places
        )
    )


def test_who_is_booked_on_a_cancelled_session_moves_or_goes_with_it(
    app, maren, venue, elsewhere, make
):
    (ana, _), (bea, _) = live_lines(make, venue["session"])
    page = maren.get(at(venue, "/cancel"))
    assert "Bea" in page.text(".touched-list")
    move = f"move:{elsewhere}"
    fields = {**page.form("form.form-card"), f"choice-{ana}": move, "default": "cancel"}
    refused = maren.post(at(venue, "/cancel"), fields, 422)
    assert refused.one(f"#choice-{ana} option[selected]")["value"] == move
    fields = {**fields, "reason": "The boiler is broken"}
    maren.post(at(venue, "/cancel"), fields, 303)
    assert live_lines(make, elsewhere) == [(ana, 2)]
    assert read(app, SessionBooking, bea).cancelled_by == "venue"
    assert read(app, Session, venue["session"]).deleted_at is not None
    maren.post(at(venue, "/cancel"), fields, 303)
    assert live_lines(make, elsewhere) == [(ana, 2)]


def test_all_move_at_once_and_what_does_not_fit_leaves_the_session_as_it_was(
    app, maren, venue, elsewhere, make
):
    page = maren.get(at(venue, "/cancel"))
    fields = {**page.form("form.form-card"), "default": f"move:{elsewhere}", "reason": "Flooding"}
    make(lambda: make_order(fetch(Session, elsewhere), name="Cleo", email="cleo@example.com"))
    again = maren.post(at(venue, "/cancel"), fields, 409)
    assert "left as it was" in again.text(".summary")
    assert read(app, Session, venue["session"]).deleted_at is None
    rest = {**again.form("form.form-card"), "default": "cancel", "reason": "Flooding"}
    maren.post(at(venue, "/cancel"), rest, 303)
    assert live_lines(make, venue["session"]) == []


def test_the_account_says_who_cancelled_and_why(maren, other_visitor, venue):
    fields = {**maren.get(at(venue, "/cancel")).form("form.form-card"), "reason": "Flooding"}
    maren.post(at(venue, "/cancel"), fields, 303)
    other_visitor.sign_in("ana@example.com", "quiet-rooms")
    card = other_visitor.get("/account/?show=cancelled").text("article.bk")
    assert "Cancelled by Stillwater" in card
    assert "Flooding" in card


def test_s3_a_booking_made_meanwhile_is_a_conflict_that_keeps_the_reason(app, maren, venue, make):
    fields = {**maren.get(at(venue, "/cancel")).form("form.form-card"), "reason": "Flooding"}

    def another():
        make_order(fetch(Session, venue["session"]), name="Jude Moss", email="jude@example.com")

    make(another)
    page = maren.post(at(venue, "/cancel"), fields, 409)
    assert "2 bookings, 3 guests" in page.text("dl.impact")
    assert page.one("#reason")["value"] == "Flooding"
    assert page.soup.title.get_text().startswith("Error:")
    assert read(app, Session, venue["session"]).deleted_at is None
    fresh = {**page.form("form.form-card")}
    maren.post(at(venue, "/cancel"), fresh, 303)
    assert read(app, Session, venue["session"]).deleted_at is not None


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_a_reason_that_will_not_do_is_said_beside_the_field(maren, venue, reason):
    page = maren.post(at(venue, "/cancel"), {"reason": reason, "seen": ""}, 422)
    assert page.one("#reason")["aria-invalid"] == "true"


def test_the_basket_says_that_the_venue_cancelled(maren, other_visitor, venue, make):
    page = other_visitor.get("/bath/book/circuit?date=2026-06-12")
    other_visitor.post("/bath/book/circuit", page.form("form.slot"), 303)
    shown = maren.get(at(venue, "/cancel"))
    assert "1 place in 1 basket" in shown.text("dl.impact")
    maren.post(at(venue, "/cancel"), {**shown.form("form.form-card"), "reason": "Flooding"}, 303)
    for door in ("/bath/basket", "/bath/checkout"):
        note = other_visitor.get(door)
        assert "The venue cancelled this session: Thermal circuit" in note.text(".note--warn")
        assert "Flooding." in note.text(".note--warn")
    refused = other_visitor.post(
        "/bath/checkout", {"name": "Jude", "email": "jude@example.com"}, 409
    )
    assert "The venue cancelled this session" in refused.text("main")
    aside = note.one("form[action*='/removal']")
    other_visitor.post(str(aside["action"]), {"from": "basket"}, 303)
    assert "Your basket is empty" in other_visitor.get("/bath/basket").text("h1")


def test_r13_restoring_brings_the_session_back_without_its_bookings(app, maren, venue):
    fields = {**maren.get(at(venue, "/cancel")).form("form.form-card"), "reason": "Flooding"}
    maren.post(at(venue, "/cancel"), fields, 303)
    page = maren.get(at(venue, "/restore"))
    assert "4 places, all of them free" in page.text("form.form-card")
    maren.post(at(venue, "/restore"), page.form("form.form-card"), 303)
    assert "Nobody has booked yet" in maren.get(at(venue)).text()
    assert read(app, Session, venue["session"]).places_taken == 0
    # A stale page leads back instead of failing.
    answer = maren.client.get(at(venue, "/restore"))
    assert (answer.status_code, answer.headers["Location"]) == (303, at(venue))


def test_s4_a_clash_is_shown_before_restoring(maren, venue, make):
    fields = {**maren.get(at(venue, "/cancel")).form("form.form-card"), "reason": "Flooding"}
    maren.post(at(venue, "/cancel"), fields, 303)
    before = maren.get(at(venue, "/restore"))

    def another():
        row = fetch(Session, venue["session"])
        make_session(row.session_type, local_start="2026-06-12T19:00", room_id=row.room_id)

    make(another)
    page = maren.post(at(venue, "/restore"), before.form("form.form-card"), 409)
    assert "It clashes with 1 session" in page.text(".note--warn")
    maren.post(at(venue, "/restore"), page.form("form.form-card"), 303)


def test_r8_places_are_changed_within_what_is_taken_and_the_room(app, maren, venue):
    page = maren.get(at(venue, "/places"))
    assert "2 of 4 taken or held" in page.text("dl.impact")
    fields = page.form("form.form-card")
    for typed, said in (("1", "2 places are taken"), ("11", "Spring Hall takes 10 places"),
                        ("lots", "whole number"), ("9" * 60, "whole number")):  # fmt: skip
        again = maren.post(at(venue, "/places"), {**fields, "capacity": typed}, 422)
        assert said in again.text(".field--error")
        assert again.one("#capacity")["value"] == typed
    maren.post(
        at(venue, "/places"),
        {**fields, "capacity": "6", "max_baskets": "3", "waitlist_enabled": "true"},
        303,
    )
    found = read(app, Session, venue["session"])
    assert (found.capacity, found.max_baskets, found.waitlist_enabled) == (6, 3, True)
    assert found.overridden == ["capacity", "max_baskets", "waitlist_enabled"]


def test_d4_what_is_not_sent_stays_and_an_old_page_is_a_conflict(app, maren, venue, make):
    fields = maren.get(at(venue, "/places")).form("form.form-card")
    maren.post(at(venue, "/places"), {**fields, "capacity": "6", "max_baskets": "3"}, 303)
    page = maren.post(at(venue, "/places"), {**fields, "capacity": "5", "max_baskets": "3"}, 409)
    assert "2 of 6 taken" in page.text("dl.impact")
    assert page.one("#capacity")["value"] == "5"
    seen = page.form("form.form-card")["seen"]
    maren.post(at(venue, "/places"), {"capacity": "5", "seen": seen}, 303)
    assert read(app, Session, venue["session"]).max_baskets == 3


def test_d1_pages_of_another_site_or_organisation_are_not_found(maren, visitor, venue, make):
    def elsewhere():
        site = make_site(make_organisation(), slug="leeds")
        return make_session(make_type(site)).id

    foreign = make(elsewhere)
    for what in ("cancel", "restore", "places"):
        maren.get(f"/staff/bath/sessions/{foreign}/{what}", 404)
        fields = {"reason": "x", "capacity": "3", "seen": ""}
        maren.post(f"/staff/bath/sessions/{foreign}/{what}", fields, 404)
        maren.get(f"/staff/leeds/sessions/{foreign}/{what}", 404)


def test_only_who_may_manage_reservations_comes_in(visitor, other_visitor, venue):
    for what in ("cancel", "restore", "places"):
        answer = visitor.client.get(at(venue, f"/{what}"))
        assert "/staff/sign-in" in answer.headers["Location"]
    other_visitor.sign_in("owner@example.com", "thermal-waters", "/staff/sign-in")
    other_visitor.get(at(venue, "/cancel"), 403)
    other_visitor.get("/staff/bath/notices")


def test_h7_looking_changes_nothing(app, maren, venue):
    before = read(app, Session, venue["session"]).updated_at
    for what in ("/cancel", "/places"):
        maren.get(at(venue, what))
    assert read(app, Session, venue["session"]).updated_at == before


def test_a_cancelled_sessions_places_are_not_found_until_restored(maren, venue):
    fields = {**maren.get(at(venue, "/cancel")).form("form.form-card"), "reason": "Flooding"}
    maren.post(at(venue, "/cancel"), fields, 303)
    maren.get(at(venue, "/places"), 404)
    answer = maren.client.get(at(venue, "/cancel"))
    assert answer.status_code == 303


@pytest.fixture
def owner(other_visitor, venue):
    other_visitor.sign_in("owner@example.com", "thermal-waters", "/staff/sign-in")
    return other_visitor


def test_notices_are_saved_and_shown_on_the_cancelling_page(app, owner, maren, venue):
    page = owner.get("/staff/bath/notices")
    fields = {"was": page.one("input[name=was]")["value"], "cancelled_session_notices": "nobody",
              "offer_minutes": "60", "reminder_hours": "0"}  # fmt: skip
    owner.post("/staff/bath/notices", fields, 303)
    site = read(app, Site, venue["site"])
    assert (site.cancelled_session_notices, site.offer_minutes, site.reminder_hours) == (
        "nobody", 60, 0,
    )  # fmt: skip
    assert "Nobody gets a mail" in maren.get(at(venue, "/cancel")).text("dl.impact")


@pytest.mark.parametrize(
    ("field", "typed"),
    [("offer_minutes", "4"), ("offer_minutes", "2881"), ("offer_minutes", ""),
     ("reminder_hours", "-1"), ("reminder_hours", "169"), ("reminder_hours", "soon"),
     ("cancelled_session_notices", "everybody")],
)  # fmt: skip
def test_notices_out_of_bounds_are_refused_and_kept_as_typed(owner, field, typed):
    page = owner.get("/staff/bath/notices")
    fields = {"was": page.one("input[name=was]")["value"], field: typed}
    page = owner.post("/staff/bath/notices", fields, 422)
    assert page.soup.title.get_text().startswith("Error:")
    if field != "cancelled_session_notices":
        assert page.one(f"#{field}")["value"] == typed


def test_d4_notices_saved_by_somebody_else_meanwhile_are_a_conflict(app, owner, venue):
    was = owner.get("/staff/bath/notices").one("input[name=was]")["value"]
    # Sent alone: what is not sent stays as it is.
    owner.post("/staff/bath/notices", {"was": was, "offer_minutes": "60"}, 303)
    page = owner.post("/staff/bath/notices", {"was": was, "offer_minutes": "90"}, 409)
    assert "60 minutes to decide" in page.text(".note--warn")
    assert page.one("#offer_minutes")["value"] == "90"
    assert read(app, Site, venue["site"]).offer_minutes == 60
    fresh = page.one("input[name=was]")["value"]
    owner.post("/staff/bath/notices", {"was": fresh, "offer_minutes": "90"}, 303)
    assert read(app, Site, venue["site"]).offer_minutes == 90


def test_m6_who_has_paid_reads_what_comes_back(maren, other_visitor, venue, make):
    def pay():
        order = find_order(venue["secret"])
        entry = LedgerEntry(
            id=new_object_id(), organisation_id=order.organisation_id, order_id=order.id,
            kind="payment", amount=-9600, currency="GBP", method="card", created_at=NOW,
        )  # fmt: skip
        db.session.add(entry)
        db.session.commit()

    make(pay)
    shown = maren.get(at(venue, "/cancel"))
    assert "£96.00 was paid and goes back in full" in shown.text("dl.impact")
    maren.post(at(venue, "/cancel"), {**shown.form("form.form-card"), "reason": "Flooding"}, 303)
    page = other_visitor.get(f"/bookings/{venue['secret']}")
    assert "what you paid comes back to you: £96.00" in page.text(".note--warn")
    assert "Stillwater gives you back £96.00" in page.text(".paid")
    other_visitor.sign_in("ana@example.com", "quiet-rooms")
    card = other_visitor.get("/account/?show=cancelled").text("article.bk")
    assert "£96.00 comes back to you" in card
