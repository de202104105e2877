"""Money at the desk on a real database: payments, refunds, waivers, mails, finding (M1-M6)."""

import datetime as dt
import threading
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    NOW,
    fetch,
    make_order,
    make_session,
    make_site,
    make_staff,
    make_type,
    save,
)
from sqlalchemy.exc import IntegrityError

from domain.errors import KeyReused, NotChangeable, NotFound, RuleBroken
from domain.ledger import LedgerChanged, Taking
from models import Customer, Job, LedgerEntry, Order, Organisation, Session, db, new_object_id
from services.cancelling import cancel, cancel_for_staff, cancel_guests
from services.changing import Door, door_of_order, find_standing
from services.checkout import find_order
from services.doctor import examine
from services.order_pages import Wanted, find_order_page, list_orders
from services.orders import Till, comp, refund, resend, take_payment
from services.session_changes import cancel_session, find_cancellable_session

pytestmark = pytest.mark.usefixtures("ctx")

LATER = NOW + dt.timedelta(minutes=5)
LONDON = ZoneInfo("Europe/London")


@pytest.fixture(autouse=True)
def _stays_sound(ctx):
    yield
    assert examine() == []


class Bought:
    """An order of one line with what a test asks of it."""

    def __init__(self, row=None, *, site=None, **given):
        row = row or make_session(make_type(site) if site else None)
        self.secret = make_order(row, **given)
        order = find_order(self.secret)
        self.id, self.line, self.session_id = order.id, order.items[-1].booking.id, row.id
        self.till = Till(order.organisation_id, order.site_id, "a" * 24)

    @property
    def page(self):
        db.session.rollback()
        return find_order_page(self.till.organisation_id, self.till.site_id, self.id, now=LATER)

    @property
    def balance(self):
        return self.page.books.balance

    @property
    def entries(self):
        return [(line.entry.kind, line.entry.amount) for line in self.page.ledger]

    def pay(self, amount, method="card", *, now=LATER, **given):
        return take_payment(self.till, self.id, amount=amount, method=method, now=now, **given)

    def back(self, amount, *, reason="Sorry", now=LATER, **given):
        return refund(self.till, self.id, amount=amount, reason=reason, now=now, **given)

    def waive(self, amount, *, reason="The sauna was cold", **given):
        return comp(self.till, self.id, amount=amount, reason=reason, now=LATER, **given)

    def end(self):
        cancel_for_staff(
            self.till.organisation_id, self.till.site_id, self.line, reason="Ill", now=LATER
        )


def refused(deed, *args, **given):
    with pytest.raises(RuleBroken) as caught:
        deed(*args, **given)
    return caught.value


def test_m1_a_payment_is_another_line_and_the_balance_is_the_sum():
    it = Bought(guests=2)
    assert it.pay(4800, "cash", note="  left  by the door ") == Taking(4800, 0)
    assert it.entries == [("charge", 9600), ("payment", -4800)]
    assert [line.balance for line in it.page.ledger] == [9600, 4800]
    last = it.page.ledger[-1].entry
    assert (last.method, last.note, last.by_id) == ("cash", "left by the door", "a" * 24)
    it.pay(4800, "voucher")
    assert (it.balance, it.page.books.captured) == (0, 9600)


def test_more_than_is_due_is_refused_but_cash_gives_change():
    it = Bought()
    no = refused(it.pay, 5000, "card")
    assert (no.code, no.field) == ("overpaid", "amount")
    assert "48.00 GBP" in no.sentence
    assert it.pay(5000, "cash") == Taking(4800, 200)
    assert it.balance == 0
    assert refused(it.pay, 100, "cash").code == "nothing_due"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": -100}, "amount"),
        ({"amount": 10**14, "method": "cash"}, "amount"),
        ({"method": "beads"}, "method"),
        ({"method": "other"}, "note"),
        ({"note": "x" * 201}, "note"),
    ],
)
def test_a_payment_that_will_not_do_writes_nothing(given, field):
    it = Bought()
    assert refused(it.pay, **{"amount": 100, **given}).field == field
    assert it.entries == [("charge", 4800)]


def test_p8_yen_have_no_decimals():
    site = make_site(currency="JPY")
    it = Bought(make_session(make_type(site, price=1500)))
    no = refused(it.pay, 1501, "card")
    assert "Only 1500 JPY is due" in no.sentence
    it.pay(1500)
    assert it.balance == 0


def test_h6_the_same_form_twice_is_one_payment_and_another_body_is_refused():
    it = Bought()
    assert it.pay(5000, "cash", key="one") == it.pay(5000, "cash", key="one")
    assert it.entries == [("charge", 4800), ("payment", -4800)]
    with pytest.raises(KeyReused):
        it.pay(4000, "cash", key="one")


def test_d4_what_a_colleague_wrote_meanwhile_is_a_conflict():
    it = Bought()
    seen = it.page.mark
    it.pay(1000, seen=seen)
    for deed in (it.pay, it.back, it.waive):
        with pytest.raises(LedgerChanged):
            deed(1000, seen=seen)
    assert it.entries == [("charge", 4800), ("payment", -1000)]


def test_m4_a_refund_goes_back_where_it_came_from_the_newest_first():
    it = Bought(guests=2)
    it.pay(6000, "card", now=NOW + dt.timedelta(minutes=1))
    it.pay(3600, "cash", now=NOW + dt.timedelta(minutes=2))
    it.back(5000)
    ledger = it.page.entries
    backs = [(e.method, e.amount, e.refund_of) for e in ledger if e.kind == "refund"]
    card, cash = (e.id for e in ledger if e.kind == "payment")
    assert backs == [("cash", 3600, cash), ("card", 1400, card)]
    assert it.balance == 5000
    no = refused(it.back, 4601)
    assert (no.code, no.field) == ("refund_sum", "amount")
    it.back(4600)
    assert refused(it.back, 1).code == "nothing_to_refund"
    assert it.page.books.refundable == 0


def test_a_refund_and_a_waiver_need_a_reason():
    it = Bought()
    it.pay(1000)
    for deed in (it.back, it.waive):
        assert refused(deed, 100, reason="  ").field == "reason"


def test_comp_takes_off_what_is_due_and_never_more():
    it = Bought()
    it.pay(2000)
    no = refused(it.waive, 2801)
    assert (no.code, no.field) == ("comp_sum", "amount")
    it.waive(2800)
    assert (it.balance, it.page.comped) == (0, 2800)
    assert refused(it.waive, 1).code == "nothing_due"


def test_m4_what_was_waived_is_never_paid_out():
    it = Bought()
    it.waive(2000)
    it.pay(1800)
    it.end()
    assert it.balance == -1800
    assert (it.page.owed_back, it.page.comped) == (1800, 0)
    it.back(1800)
    assert it.balance == 0


def test_a_waiver_stays_while_what_it_waives_stands():
    it = Bought(guests=2)
    it.waive(5000)
    cancel_guests(
        Door(it.till.organisation_id, site_id=it.till.site_id), it.line, number=1, now=LATER
    )
    assert (it.balance, it.page.comped) == (0, 4800)


def test_m6_the_venue_cancels_and_exactly_what_was_paid_is_owed_back():
    row = make_session(capacity=6)
    paid, part, waived = Bought(row), Bought(row, guests=2), Bought(row)
    paid.pay(4800)
    part.pay(1200, "cash")
    waived.waive(4800)
    found = find_cancellable_session(row.organisation_id, row.site_id, row.id, now=LATER)
    assert found.impact.owed_back == 6000
    cancel_session(
        row.organisation_id, row.site_id, row.id,
        reason="Boiler", seen=found.impact.mark, now=LATER,
    )  # fmt: skip
    assert [it.page.owed_back for it in (paid, part, waived)] == [4800, 1200, 0]
    assert waived.balance == 0
    paid.back(paid.page.owed_back)
    assert (paid.balance, paid.page.owed_back) == (0, 0)


def test_m5_after_a_payment_at_the_desk_an_unpaid_policy_no_longer_lets_the_customer_cancel():
    it = Bought(make_session(make_type(customer_cancellation_permitted="unpaid")))
    door = door_of_order(it.secret, it.line)
    assert find_standing(door, it.line, now=LATER).refusal is None
    it.pay(100, "cash")
    with pytest.raises(NotChangeable) as no:
        cancel(door, it.line, now=LATER)
    assert no.value.code == "paid"
    # What was paid and went back was paid all the same: "unpaid" is no payment ever (M5).
    it.back(100)
    with pytest.raises(NotChangeable):
        cancel(door, it.line, now=LATER)


def test_d1_another_sites_order_and_a_basket_are_not_found():
    it, other = Bought(), Bought()
    for till in (other.till, Till(it.till.organisation_id, other.till.site_id)):
        for deed in (
            lambda till=till: take_payment(till, it.id, amount=1, method="cash", now=LATER),
            lambda till=till: refund(till, it.id, amount=1, reason="x", now=LATER),
            lambda till=till: comp(till, it.id, amount=1, reason="x", now=LATER),
            lambda till=till: resend(till, it.id, letter="booking_confirmed", key="", now=LATER),
            lambda till=till: find_order_page(till.organisation_id, till.site_id, it.id, now=LATER),
        ):
            with pytest.raises(NotFound):
                deed()
    order = fetch(Order, it.id)
    order.state = "basket"
    db.session.commit()
    with pytest.raises(NotFound):
        it.pay(100)
    order.state = "confirmed"
    db.session.commit()


@pytest.mark.parametrize(
    "deed", ["UPDATE ledger_entries SET note = 'x'", "DELETE FROM ledger_entries"]
)
def test_m1_the_database_itself_refuses_to_change_a_ledger(deed):
    it = Bought()
    with pytest.raises(IntegrityError, match="append only"):
        db.session.execute(sa.text(deed))
    db.session.rollback()
    assert it.entries == [("charge", 4800)]


@pytest.mark.parametrize(
    ("kind", "amount", "names"),
    [("payment", 100, False), ("refund", -100, False), ("charge", -1, False),
     ("adjustment", 0, False), ("refund", 1001, False), ("refund", 601, True)],
)  # fmt: skip
def test_m4_the_database_itself_refuses_a_wrong_line(kind, amount, names):
    it = Bought()
    it.pay(400, "cash")
    it.pay(600, "card", now=LATER + dt.timedelta(seconds=1))
    card = it.page.entries[-1].id
    row = LedgerEntry(
        id=new_object_id(), organisation_id=it.till.organisation_id, order_id=it.id, kind=kind,
        amount=amount, currency="GBP", refund_of_id=card if names else None, created_at=LATER,
    )  # fmt: skip
    with pytest.raises(IntegrityError):
        save(row)
    db.session.rollback()


def test_erasing_a_persons_data_touches_no_line_of_the_ledger():
    it = Bought()
    it.pay(4800)
    before = it.entries
    customer = fetch(Customer, fetch(Order, it.id).customer_id)
    customer.name, customer.email, customer.address_key = "Erased", "", ""
    order = fetch(Order, it.id)
    order.name, order.email = "Erased", ""
    db.session.commit()
    assert it.entries == before


def both_at_once(app, deed):
    """Two colleagues press at the same moment; what each was told."""
    ready, said = threading.Barrier(2), []

    def press(number):
        with app.app_context():
            ready.wait()
            try:
                said.append(deed(number))
            except RuleBroken as broken:
                said.append(broken.code)
            except Exception as error:
                said.append(error)
            finally:
                db.session.remove()

    db.session.remove()
    threads = [threading.Thread(target=press, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(said, key=str)


@pytest.mark.parametrize("seen", ["", "mark"])
def test_m4_two_colleagues_at_once_refund_once(app, seen):
    for _ in range(4):
        it = Bought()
        it.pay(4800)
        mark = it.page.mark if seen else ""
        said = both_at_once(app, lambda n, it=it, mark=mark: it.back(4800, seen=mark, key=f"k{n}"))
        assert said == [4800, "ledger_changed" if seen else "nothing_to_refund"]
        assert it.entries.count(("refund", 4800)) == 1


def test_h6_two_clicks_at_once_are_one_refund_and_one_payment(app):
    it = Bought()
    assert both_at_once(app, lambda n: it.pay(2400, key="same").taken) == [2400, 2400]
    assert both_at_once(app, lambda n: it.back(1000, key="again")) == [1000, 1000]
    assert it.entries == [("charge", 4800), ("payment", -2400), ("refund", 1000)]


def test_two_colleagues_at_once_never_take_more_than_is_due(app):
    it = Bought()
    assert both_at_once(app, lambda n: it.pay(3000, key=f"p{n}").taken) == [3000, "overpaid"]
    assert it.balance == 1800


def test_m4_the_database_stops_two_refunds_that_forgot_the_lock(app):
    """Without the order's lock both sums look right; the guard of the table still stops one."""
    it = Bought()
    it.pay(4800)

    def write(_number):
        row = LedgerEntry(
            id=new_object_id(), organisation_id=it.till.organisation_id, order_id=it.id,
            kind="refund", amount=4800, currency="GBP", created_at=LATER,
        )  # fmt: skip
        try:
            save(row)
        except IntegrityError:
            db.session.rollback()
            return "stopped"
        return "written"

    assert both_at_once(app, write) == ["stopped", "written"]


def letters(it, letter="booking_confirmed"):
    jobs = db.session.scalars(sa.select(Job), execution_options=ANYWHERE)
    return [job for job in jobs if job.payload["letter"] == letter]


def test_e1_a_letter_goes_again_once_for_each_form():
    it = Bought()
    assert len(letters(it)) == 1
    for key in ("a", "a", "b"):
        assert resend(it.till, it.id, letter="booking_confirmed", key=key, now=LATER) == (
            "ana@example.com"
        )
    assert len(letters(it)) == 3
    assert [mail.letter for mail in it.page.mails].count("booking_confirmed") == 3
    assert refused(
        resend, it.till, it.id, letter="booking_cancelled", key="c", now=LATER
    ).code == "letter"  # fmt: skip
    it.end()
    assert it.page.letters == ("booking_cancelled",)
    resend(it.till, it.id, letter="booking_cancelled", key="d", now=LATER)
    assert len(letters(it, "booking_cancelled")) == 2
    no = refused(resend, it.till, it.id, letter="booking_confirmed", key="e", now=LATER)
    assert no.code == "letter"
    no = refused(resend, it.till, it.id, letter="account_closed", key="f", now=LATER)
    assert no.code == "letter"


def test_an_order_without_an_address_is_mailed_nothing():
    it = Bought()
    order = fetch(Order, it.id)
    order.email = ""
    db.session.commit()
    assert it.page.letters == ()
    no = refused(resend, it.till, it.id, letter="booking_confirmed", key="", now=LATER)
    assert no.code == "no_address"


class TestFinding:
    @pytest.fixture
    def shop(self):
        site = make_site()
        row = make_session(make_type(site), capacity=20)
        names = ("Ana Reyes", "Émile Zöe", "Jude Moss")
        orders = [
            Bought(row, name=name, email=f"p{number}@example.com", guests=number + 1,
                   now=NOW + dt.timedelta(days=number))
            for number, name in enumerate(names)
        ]  # fmt: skip
        orders[0].pay(4800)
        orders[1].pay(9600)
        orders[1].end()
        return site, orders

    def ask(self, site, page=1, size=25, now=LATER, **wanted):
        found = list_orders(
            site.organisation_id,
            site.id,
            Wanted(**wanted),
            zone=LONDON,
            now=now,
            page=page,
            size=size,
        )
        assert len(found.lines) == min(size, max(0, found.total - size * (found.page - 1)))
        return [line.name.split()[0] for line in found.lines]

    @pytest.mark.parametrize(
        ("wanted", "names"),
        [
            ({}, ["Jude", "Émile", "Ana"]),
            ({"sort": "oldest"}, ["Ana", "Émile", "Jude"]),
            ({"sort": "most"}, ["Jude", "Émile", "Ana"]),
            ({"sort": "name"}, ["Ana", "Jude", "Émile"]),
            ({"search": "moss"}, ["Jude"]),
            ({"search": "Émile"}, ["Émile"]),
            ({"search": "P0@EXAMPLE"}, ["Ana"]),
            ({"search": "jude ana"}, []),
            ({"search": "%"}, []),
            ({"owing": "due"}, ["Jude"]),
            ({"owing": "back"}, ["Émile"]),
            ({"owing": "settled"}, ["Ana"]),
            ({"state": "cancelled"}, ["Émile"]),
            ({"state": "confirmed"}, ["Jude", "Ana"]),
            ({"state": "basket"}, ["Jude", "Émile", "Ana"]),
            ({"first_day": dt.date(2026, 6, 5)}, ["Jude", "Émile"]),
            ({"last_day": dt.date(2026, 6, 5)}, ["Émile", "Ana"]),
            ({"first_day": dt.date(2026, 6, 5), "last_day": dt.date(2026, 6, 5)}, ["Émile"]),
        ],
    )
    def test_orders_are_found_by_what_is_known_of_them(self, shop, wanted, names):
        assert self.ask(shop[0], **wanted) == names

    def test_what_is_due_of_a_visit_that_has_begun_is_overdue(self, shop):
        start = fetch(Session, shop[1][0].session_id).start_time
        assert self.ask(shop[0], owing="overdue", now=start - dt.timedelta(seconds=1)) == []
        assert self.ask(shop[0], owing="overdue", now=start) == ["Jude"]

    def test_by_reference_and_phone_and_page(self, shop):
        site, orders = shop
        customer = fetch(Customer, orders[2].page.order.customer_id)
        customer.phone = "01225 000 111"
        db.session.commit()
        assert self.ask(site, search="225000111") == ["Jude"]
        assert self.ask(site, search=orders[0].page.order.order_ref.lower()) == ["Ana"]
        assert self.ask(site, size=2, page=2) == ["Ana"]
        assert self.ask(site, size=2, page=99) == ["Ana"]

    def test_d1_another_site_sees_none_of_them(self, shop):
        other = make_site(db.session.get_one(Organisation, shop[0].organisation_id))
        assert self.ask(other) == []

    def test_t5_days_are_those_of_the_site(self, shop):
        site = shop[0]
        row = make_session(make_type(site))
        # 23:30 UTC on the 10th is the 11th in London.
        Bought(row, name="Late Lou", email="l@example.com",
               now=dt.datetime(2026, 6, 10, 23, 30, tzinfo=dt.UTC))  # fmt: skip
        assert self.ask(site, first_day=dt.date(2026, 6, 11)) == ["Late"]
        assert self.ask(site, search="lou", last_day=dt.date(2026, 6, 10)) == []

    def test_ten_orders_ask_as_much_as_two(self, shop):
        site = shop[0]

        def statements(deed):
            db.session.rollback()
            seen = []

            def note(_c, _cursor, statement, *_):
                seen.append(statement)

            sa.event.listen(db.engine, "before_cursor_execute", note)
            try:
                deed()
            finally:
                sa.event.remove(db.engine, "before_cursor_execute", note)
            return len([text for text in seen if text.lstrip().startswith("SELECT")])

        ids = (site.organisation_id, site.id)

        def look():
            return list_orders(*ids, Wanted(owing="due"), zone=LONDON, now=LATER)

        before = statements(look)
        row = make_session(make_type(site), capacity=20)
        for number in range(8):
            Bought(row, email=f"q{number}@example.com").pay(100)
        assert statements(look) == before <= 3
        one = shop[1][0]
        few = statements(lambda: one.page)
        for number in range(6):
            one.back(100, key=f"x{number}", now=LATER + dt.timedelta(seconds=number))
        assert statements(lambda: one.page) == few


def test_who_took_it_is_named():
    site = make_site()
    maren = make_staff(site, rights=("ORDERS_MANAGE",))
    it = Bought(make_session(make_type(site)))
    take_payment(
        Till(site.organisation_id, site.id, maren.id), it.id,
        amount=4800, method="cash", now=LATER,
    )  # fmt: skip
    assert it.page.names == {maren.id: "Maren Ellis"}
