"""The pages of an order: finding it, its ledger, taking and giving back money, mailing again."""

import re

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    fetch,
    make_account,
    make_order,
    make_organisation,
    make_session,
    make_site,
    make_staff,
    make_type,
)

from blueprints.clock import read_clock
from models import Job, LedgerEntry, Session, db
from services.cancelling import cancel_for_staff
from services.checkout import find_order
from services.orders import Till, comp, refund, resend, take_payment

LIST = "/staff/bath/orders"
MINUS = "\N{MINUS SIGN}"


@pytest.fixture
def venue(make):
    """A site with an order of two guests at £48, and who may do what."""

    def build():
        site = make_site(slug="bath")
        row = make_session(make_type(site, name="Thermal circuit"))
        secret = make_order(row, guests=2, account_id=make_account().id)
        order = find_order(secret)
        make_staff(site)
        make_staff(site, "owner@example.com", rights=("RESERVATIONS_MANAGE", "ORDERS_MANAGE"))
        make_staff(site, "books@example.com", rights=("ORDERS_MANAGE",))
        return {
            "id": order.id, "secret": secret, "ref": order.order_ref, "session": row.id,
            "line": order.items[0].booking.id, "site": site.id, "customer": order.customer_id,
            "till": Till(site.organisation_id, site.id), "organisation": site.organisation_id,
        }  # fmt: skip

    return make(build)


@pytest.fixture
def owner(visitor, venue):
    visitor.sign_in("owner@example.com", "thermal-waters", "/staff/sign-in")
    return visitor


def at(venue, what=""):
    return f"{LIST}/{venue['id']}{what}"


def ledger(app):
    with app.app_context():
        rows = db.session.execute(
            sa.select(LedgerEntry.kind, LedgerEntry.amount).order_by(LedgerEntry.id),
            execution_options=ANYWHERE,
        ).all()
        return [tuple(row) for row in rows]


def pay(make, venue, amount, method="card", **given):
    make(
        lambda: take_payment(
            venue["till"], venue["id"], amount=amount, method=method, now=read_clock(), **given
        )
    )


def payment_form(owner, venue, **typed):
    form = owner.get(at(venue)).form("form[action$='/payments']")
    return {**{key: form[key] for key in ("seen", "key", "csrf_token", "amount")}, **typed}


def test_m1_a_payment_is_taken_and_the_ledger_shows_it(app, owner, venue):
    page = owner.get(at(venue))
    assert "Due £96.00" in page.text(".till")
    fields = payment_form(owner, venue, amount="46", method="card", note="Receipt 12")
    owner.post(at(venue, "/payments"), fields, 303)
    page = owner.get(at(venue))
    assert "£46.00 taken, card machine." in page.text("main")
    rows = [" ".join(row.get_text(" ").split()) for row in page.all(".ledger tbody tr")]
    assert re.search(r"Charged \+£96\.00 Balance £96\.00", rows[0])
    assert re.search(
        rf"Paid, card machine Receipt 12, Maren Ellis {MINUS}£46\.00 Balance £50\.00", rows[1]
    )
    assert page.one("#payment-amount")["value"] == "50.00"
    # The same press again is the same payment.
    owner.post(at(venue, "/payments"), fields, 303)
    assert ledger(app) == [("charge", 9600), ("payment", -4600)]


def test_cash_gives_change_and_the_page_says_how_much(app, owner, venue):
    owner.post(at(venue, "/payments"), payment_form(owner, venue, amount="100", method="cash"), 303)
    assert "£96.00 taken, cash. Change: £4.00." in owner.get(at(venue)).text("main")
    page = owner.get(at(venue))
    assert not page.all("form[action$='/payments']")
    assert "Nothing due £0.00" in page.text(".till")


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"amount": ""}, "amount"),
        ({"amount": "a lot"}, "amount"),
        ({"amount": "1.234"}, "amount"),
        ({"amount": "0"}, "amount"),
        ({"amount": "-5"}, "amount"),
        ({"amount": "999999999999"}, "amount"),
        ({"amount": "96.01"}, "amount"),
        ({"method": ""}, "method"),
        ({"method": "beads"}, "method"),
        ({"method": "other"}, "note"),
        ({"note": "x" * 201}, "note"),
    ],
)
def test_what_will_not_do_is_said_beside_the_field_and_kept(app, owner, venue, typed, field):
    fields = payment_form(owner, venue, **{"amount": "20", "method": "card", **typed})
    page = owner.post(at(venue, "/payments"), fields, 422)
    assert page.soup.title.get_text().startswith("Error:")
    assert page.one(f"#payment-{field}-error")
    assert page.one(f".summary a[href='#payment-{field}']")
    assert page.one("#payment-amount")["value"] == fields["amount"]
    assert ledger(app) == [("charge", 9600)]
    owner.get(at(venue, "/payments"), 302)


def test_d4_a_page_that_is_behind_is_told_so(app, owner, venue, make):
    fields = payment_form(owner, venue, amount="20", method="card", note="Receipt 1")
    pay(make, venue, 5000)
    page = owner.post(at(venue, "/payments"), fields, 409)
    assert "Somebody else has just changed" in page.text(".summary")
    assert page.one("#payment-note")["value"] == "Receipt 1"
    assert "Due £46.00" in page.text(".till")
    fresh = {**page.form("form[action$='/payments']"), "method": "card"}
    owner.post(at(venue, "/payments"), fresh, 303)
    assert ledger(app) == [("charge", 9600), ("payment", -5000), ("payment", -2000)]


def test_one_key_with_another_sum_is_refused(app, owner, venue):
    fields = payment_form(owner, venue, amount="20", method="card")
    owner.post(at(venue, "/payments"), fields, 303)
    page = owner.post(at(venue, "/payments"), {**fields, "amount": "30"}, 409)
    assert "already sent with other answers" in page.text(".summary")
    assert ledger(app) == [("charge", 9600), ("payment", -2000)]


def test_m4_the_refund_shows_its_working_first(app, owner, venue, make):
    pay(make, venue, 6000, "card")
    pay(make, venue, 3600, "cash")
    page = owner.get(at(venue, "/refunds?amount=50"))
    rows = [" ".join(row.get_text(" ").split()) for row in page.all(".ledger tbody tr")]
    assert re.search(r"^Cash .* £36\.00 £36\.00$", rows[0])
    assert re.search(r"^Card machine .* £60\.00 £14\.00$", rows[1])
    assert "The most that can go back £96.00 Owed to the guest £0.00" in page.text("main")
    assert "£50.00 is due again afterwards." in page.text(".note--warn")
    fields = page.form("form[method=post][action$='/refunds']")
    assert page.text("form[method=post][action$='/refunds'] .btn").startswith("Give back £50.00")
    again = owner.post(at(venue, "/refunds"), fields, 422)
    assert again.one("#refund-reason-error")
    assert again.one("#refund-amount")["value"] == "50"
    for _ in range(2):
        owner.post(at(venue, "/refunds"), {**fields, "reason": "Too cold"}, 303)
    assert "£50.00 given back." in owner.get(at(venue)).text("main")
    assert ledger(app)[3:] == [("refund", 3600), ("refund", 1400)]


def test_m6_the_venue_cancels_and_the_page_offers_exactly_that(app, owner, venue, make):
    pay(make, venue, 2000)
    shown = owner.get(f"/staff/bath/sessions/{venue['session']}/cancel")
    fields = {**shown.form("form.form-card"), "reason": "Boiler"}
    owner.post(f"/staff/bath/sessions/{venue['session']}/cancel", fields, 303)
    page = owner.get(at(venue))
    assert "To give back £20.00" in page.text(".till")
    assert "The venue cancelled the session" in page.text(".story")
    link = page.one(f"a[href='{at(venue, '/refunds')}']")
    assert link.get_text(strip=True) == "Give back £20.00"
    page = owner.get(at(venue, "/refunds"))
    assert page.one("#refund-amount")["value"] == "20.00"
    fields = {**page.form("form[method=post][action$='/refunds']"), "reason": "Boiler"}
    owner.post(at(venue, "/refunds"), fields, 303)
    assert "Nothing due £0.00" in owner.get(at(venue)).text(".till")
    empty = owner.get(at(venue, "/refunds"))
    assert "All that was paid went back already." in empty.text("main")
    # A stale page, a colleague's second press: nothing more goes.
    owner.post(at(venue, "/refunds"), {**fields, "key": "another"}, 409)
    assert sum(amount for kind, amount in ledger(app) if kind == "refund") == 2000


@pytest.mark.parametrize("typed", ["0", "x", "20.01", "-1", "", "9" * 40])
def test_a_refund_that_will_not_do_says_why(app, owner, venue, make, typed):
    pay(make, venue, 2000)
    page = owner.get(at(venue, f"/refunds?amount={typed}"), 422)
    assert not page.all("form[method=post][action$='/refunds']")
    owner.post(at(venue, "/refunds"), {"amount": typed, "reason": "x", "key": "k"}, 422)
    assert len(ledger(app)) == 2


def test_nothing_paid_is_nothing_to_give_back(owner, venue):
    assert "Nothing was paid on this order." in owner.get(at(venue, "/refunds")).text("main")


def test_comp_needs_a_reason_and_shows_on_both_sides(app, owner, other_visitor, venue):
    form = owner.get(at(venue)).form("form[action$='/comps']")
    page = owner.post(at(venue, "/comps"), {**form, "amount": "10"}, 422)
    assert page.one("details.waive").has_attr("open")
    assert page.one("#comp-reason-error")
    assert page.one("#comp-amount")["value"] == "10"
    owner.post(at(venue, "/comps"), {**form, "amount": "96.01", "reason": "Sorry"}, 422)
    owner.post(at(venue, "/comps"), {**form, "amount": "10", "reason": "Cold sauna"}, 303)
    page = owner.get(at(venue))
    assert "£10.00 waived." in page.text("main")
    assert f"Waived {MINUS}£10.00" in page.text(".till")
    assert "Cold sauna, Maren Ellis" in page.text(".ledger")
    ticket = other_visitor.get(f"/bookings/{venue['secret']}")
    assert f"Taken off by Stillwater {MINUS}£10.00" in ticket.text(".paid")
    assert "To pay at Stillwater £86.00" in ticket.text(".paid")
    # Why is for colleagues.
    assert "Cold sauna" not in ticket.html


def test_m1_the_customers_page_says_what_was_paid_and_what_is_due(other_visitor, venue, make):
    def paid():
        return other_visitor.get(f"/bookings/{venue['secret']}").text(".paid")

    assert "Paid" not in paid()
    pay(make, venue, 4600, note="Receipt 12")
    assert f"Paid {MINUS}£46.00 To pay at Stillwater £50.00" in paid()
    pay(make, venue, 5000, "cash")
    assert f"Paid {MINUS}£96.00 All paid £0.00" in paid()
    assert "Receipt 12" not in paid()
    make(
        lambda: cancel_for_staff(
            venue["organisation"], venue["site"], venue["line"], reason="Ill", now=read_clock()
        )
    )
    assert "Stillwater gives you back £96.00" in paid()
    make(
        lambda: refund(
            venue["till"], venue["id"], amount=9600, reason="Private words", now=read_clock()
        )
    )
    assert "Given back to you £96.00" in paid()
    assert "Private words" not in paid()


def test_m5_after_a_desk_payment_the_unpaid_policy_closes_the_door(
    visitor, other_visitor, make, app
):
    def build():
        site = make_site(slug="bath")
        row = make_session(make_type(site, customer_cancellation_permitted="unpaid"))
        secret = make_order(row, account_id=make_account().id)
        make_staff(site, "owner@example.com", rights=("ORDERS_MANAGE",))
        return secret, find_order(secret).id

    secret, order_id = make(build)
    ticket = other_visitor.get(f"/bookings/{secret}")
    assert ticket.all("a[href$='/cancellation']")
    door = str(ticket.all("a[href$='/cancellation']")[0]["href"])
    fields = other_visitor.get(door).form("main form")
    visitor.sign_in("owner@example.com", "thermal-waters", "/staff/sign-in")
    form = visitor.get(f"{LIST}/{order_id}").form("form[action$='/payments']")
    form = {**form, "amount": "1", "method": "cash"}
    visitor.post(f"{LIST}/{order_id}/payments", form, 303)
    assert not other_visitor.get(f"/bookings/{secret}").all("a[href$='/cancellation']")
    refused = other_visitor.post(door, fields, 422)
    assert "It is paid for" in refused.text("main")
    assert ledger(app) == [("charge", 4800), ("payment", -100)]


def test_e1_the_confirmation_goes_once_more_for_each_form(app, owner, venue):
    def mails():
        with app.app_context():
            jobs = db.session.scalars(sa.select(Job), execution_options=ANYWHERE)
            return len([job for job in jobs if job.payload["letter"] == "booking_confirmed"])

    form = owner.get(at(venue)).form("form[action$='/mails']")
    for _ in range(2):
        owner.post(at(venue, "/mails"), form, 303)
    assert mails() == 2
    page = owner.get(at(venue))
    assert "“Confirmation” goes to ana@example.com once more." in page.text("main")
    assert page.text(".story").count("Confirmation") == 2
    for letter in ("", "account_closed", "booking_cancelled"):
        page = owner.post(at(venue, "/mails"), {**form, "letter": letter, "key": letter}, 422)
        assert page.one("#mail-letter")
    assert mails() == 2


def test_the_story_has_everything_in_order(owner, venue, make):
    pay(make, venue, 4600)
    owner.post(f"/staff/bath/bookings/{venue['line']}/check-in", {"set": "true"}, 303)
    times = [tag["datetime"] for tag in owner.get(at(venue)).all(".story time")]
    assert times == sorted(times)
    story = owner.get(at(venue)).text(".story")
    for said in ("Confirmed", "Charged +£96.00", f"Paid, card machine {MINUS}£46.00", "Checked in"):
        assert said in story


def test_the_list_finds_sorts_and_pages_by_its_address(owner, venue, make):
    def more():
        row = fetch(Session, venue["session"])
        for number in range(3):
            make_order(row, name=f"Guest {number}", email=f"g{number}@example.com")

    make(more)
    assert len(owner.get(LIST).all(".order-row")) == 4
    page = owner.get(f"{LIST}?q=guest&owing=due&sort=name")
    assert [row.b.get_text() for row in page.all(".order-row")] == ["Guest 0", "Guest 1", "Guest 2"]
    assert page.one("#owing option[selected]")["value"] == "due"
    assert "Orders 3 found" in page.text("h1")
    assert "No order matches" in owner.get(f"{LIST}?q=nobody").text("main")
    assert "No order matches" in owner.get(f"{LIST}?owing=back").text("main")
    one = owner.get(f"{LIST}?q={venue['ref'].split()[-1].lower()}")
    assert one.one(".order-row")["href"] == at(venue)


@pytest.mark.parametrize("query", ["from=x", "to=2026-13-01", "from=2026-06-05&to=2026-06-01"])
def test_days_that_cannot_be_read_are_said(owner, venue, query):
    page = owner.get(f"{LIST}?{query}")
    assert page.soup.title.get_text().startswith("Error:")
    assert page.one("#days-error")
    assert len(page.all(".order-row")) == 1


@pytest.mark.parametrize(
    "query", ["page=x", "page=-1", "page=99", "sort=x&owing=y&state=z", "q=%25"]
)
def test_a_strange_address_is_a_list_all_the_same(owner, venue, query):
    owner.get(f"{LIST}?{query}")


def test_no_orders_yet(visitor, make):
    make(lambda: make_staff(make_site(slug="bath"), rights=("ORDERS_MANAGE",)))
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    assert "No orders yet" in visitor.get(LIST).text("main")


def test_d3_only_who_may_handle_orders_comes_in(visitor, venue):
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    for url in (LIST, at(venue), at(venue, "/refunds"), at(venue, "/payments")):
        visitor.get(url, 403)
    for what in ("/payments", "/refunds", "/comps", "/mails"):
        visitor.post(at(venue, what), {"amount": "1"}, 403)
    roster = visitor.get(f"/staff/bath/sessions/{venue['session']}")
    assert "£96 due" in roster.text(".rs")
    assert not roster.all("a.balance")
    assert not roster.all(f"a[href='{LIST}']")


def test_the_roster_the_customer_and_the_mail_lead_to_the_order(owner, venue, make):
    assert owner.get(f"/staff/bath/sessions/{venue['session']}").one("a.balance")["href"] == at(
        venue
    )
    job = make(
        lambda: db.session.scalar(
            sa.select(Job.id).where(Job.kind == "mail").order_by(Job.id), execution_options=ANYWHERE
        )
    )
    assert owner.get(f"/staff/bath/outbox/{job}").one(f"a[href='{at(venue)}']")


def test_who_has_orders_alone_lands_there(visitor, venue):
    visitor.sign_in("books@example.com", "thermal-waters", "/staff/sign-in")
    assert visitor.get("/staff/", 302).response.headers["Location"] == LIST
    page = visitor.get(at(venue))
    assert not page.all(".bookings-s a")
    assert not page.all(".story a")


def test_d1_another_sites_order_is_not_found(owner, venue, make):
    def foreign():
        row = make_session(make_type(make_site(make_organisation(), slug="other")))
        return find_order(make_order(row)).id

    order_id = make(foreign)
    for what in ("", "/refunds", "/payments", "/comps", "/mails"):
        owner.get(f"{LIST}/{order_id}{what}", 404)
    for what in ("/payments", "/refunds", "/comps", "/mails"):
        owner.post(f"{LIST}/{order_id}{what}", {"amount": "1"}, 404)
    owner.get(f"{LIST}/nothing", 404)


def test_p8_yen_are_typed_and_shown_whole(visitor, make, app):
    def build():
        site = make_site(slug="bath", currency="JPY")
        row = make_session(make_type(site, price=1500))
        make_staff(site, rights=("ORDERS_MANAGE",))
        return find_order(make_order(row)).id

    order_id = make(build)
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    page = visitor.get(f"{LIST}/{order_id}")
    assert page.one("#payment-amount")["value"] == "1500"
    fields = {**page.form("form[action$='/payments']"), "method": "card"}
    page = visitor.post(f"{LIST}/{order_id}/payments", {**fields, "amount": "15.00"}, 422)
    assert "Enter a sum like 1500." in page.text("#payment-amount-error")
    visitor.post(f"{LIST}/{order_id}/payments", fields, 303)
    assert ledger(app) == [("charge", 1500), ("payment", -1500)]


def test_h7_looking_writes_nothing(app, owner, venue):
    before = ledger(app)
    for url in (LIST, at(venue), at(venue, "/refunds"), at(venue, "/refunds?amount=1")):
        owner.client.get(url)
    assert ledger(app) == before


def test_a_page_of_an_order_asks_as_much_with_a_long_ledger(app, owner, venue, make):
    def statements():
        seen = []

        def note(_c, _cursor, statement, *_):
            seen.append(statement)

        with app.app_context():
            engine = db.engine
        sa.event.listen(engine, "before_cursor_execute", note)
        try:
            owner.get(at(venue))
        finally:
            sa.event.remove(engine, "before_cursor_execute", note)
        return len(seen)

    pay(make, venue, 100)
    before = statements()

    def more():
        for number in range(5):
            now = read_clock()
            take_payment(venue["till"], venue["id"], amount=100, method="cash", now=now)
            resend(venue["till"], venue["id"], letter="booking_confirmed", key=f"{number}", now=now)
        comp(venue["till"], venue["id"], amount=100, reason="x", now=read_clock())

    make(more)
    assert statements() == before
