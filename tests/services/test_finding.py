"""Bookings are found by everything that names them, at their own venue, at once after a change."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from conftest import NOW
from factories import (
    ANYWHERE,
    fetch,
    make_booked_line,
    make_order,
    make_session,
    make_site,
    make_type,
)

from models import (
    Customer,
    FindingWord,
    Order,
    Organisation,
    SessionBooking,
    Site,
    db,
    transaction,
)
from services.checkout import find_order
from services.doctor import examine
from services.facts import venue_of
from services.finding import MOST, PAGE, find_bookings, find_ticket, rebuild_words
from services.waiting import join

pytestmark = pytest.mark.usefixtures("ctx")


@pytest.fixture
def kind():
    return make_type(make_site(slug="bath"), max_guests=6, max_per_guest=1)


@pytest.fixture
def row(kind):
    return make_session(kind, local_start="2026-06-04T11:00", capacity=40)


@pytest.fixture
def venue(row):
    return venue_of(fetch(Site, row.site_id))


def book(row, name="Ana Reyes", email="ana@example.com", **given) -> SessionBooking:
    return find_order(make_order(row, name=name, email=email, **given)).items[0].booking


@contextmanager
def counting() -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection, _cursor, statement, *_rest) -> None:
        seen.append(statement)

    sa.event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", note)


def found(venue, text, **given):
    return [line.id for line in find_bookings(venue, text, now=NOW, **given).lines]


def test_a_booking_is_found_by_name_reference_mail_phone_ticket_and_id(row, venue):
    booking = book(row, guests=2, people=("Jude Þórsson",))
    book(row, "Somebody Else", "else@example.com")
    customer = fetch(Customer, booking.customer_id)
    customer.phone = "+44 7700 900123"
    db.session.commit()
    for text in (
        "reyes", "AN REY", "jude thors", "ana jude", booking.order.order_ref.lower(),
        booking.order.order_ref[-6:], "ana@exa", "07700 900123", "0123", booking.check_in_code,
        f"https://x.example/bookings/tickets/{booking.check_in_code}", booking.id,
    ):  # fmt: skip
        assert found(venue, text) == [booking.id], text
    for text in (
        "",
        "a",
        "%",
        "_____",
        "ana else",
        "\0",
        "ana@x\0",
        "x" * 5000,
        "e" * 60,
        booking.id[:-1],
    ):
        assert booking.id not in found(venue, text), text


def test_d1_another_venues_bookings_are_never_found(row, venue):
    near = make_site(fetch(Organisation, row.organisation_id), slug="next-door")
    for site in (near, make_site(slug="reykjavik")):
        theirs = book(make_session(make_type(site), local_start="2026-06-04T11:00"))
        for text in ("ana", theirs.order.order_ref, theirs.check_in_code, theirs.id, "ana@exam"):
            assert found(venue, text) == []


def test_holds_are_none_and_cancelled_and_waiting_ones_are_called_so(kind, venue, row):
    gone, here = book(row), book(row)
    fetch(SessionBooking, gone.id).cancelled_at = NOW
    fetch(SessionBooking, gone.id).cancelled_by = "customer"
    full = make_session(kind, local_start="2026-06-05T11:00", capacity=1, waitlist_enabled=True)
    book(full, "Early Edda", "edda@example.com")
    join(full.organisation_id, full.id, guests=1, name="Ana Reyes", email="w@example.com", now=NOW)
    db.session.commit()
    states = {line.id: line.state for line in find_bookings(venue, "reyes", now=NOW).lines}
    assert states.pop(gone.id) == "cancelled"
    assert states.pop(here.id) == "due"
    assert list(states.values()) == ["waiting"]


def test_today_comes_first_then_what_comes_then_the_past_latest_first(kind, venue):
    days = ["2026-06-02", "2026-06-03", "2026-06-04", "2026-06-05", "2026-06-09"]
    made = {}
    for day in days:
        made[day] = book(
            make_session(kind, local_start=f"{day}T11:00"), now=NOW - dt.timedelta(days=3)
        ).id
    finding = find_bookings(venue, "reyes", now=NOW)
    assert [line.id for line in finding.lines] == [
        made[f"2026-06-0{day}"] for day in (4, 5, 9, 3, 2)
    ]
    assert [(when, len(lines)) for when, lines in finding.groups] == [
        ("today", 1),
        ("coming", 2),
        ("past", 2),
    ]


def test_only_a_whole_reference_or_a_ticket_means_the_one(row, venue):
    booking = book(row)
    ref = booking.order.order_ref
    for text in (ref, ref.lower().replace(" ", "-"), ref[-6:], booking.check_in_code, booking.id):
        assert find_bookings(venue, text, now=NOW).the_one.id == booking.id
    for text in ("ana", ref[:-1], "ana@example.com"):
        assert find_bookings(venue, text, now=NOW).the_one is None


def test_many_are_paged_in_constant_queries(row, venue):
    ids = {book(row).id for _ in range(3)}
    with counting() as few:
        assert set(found(venue, "reyes")) == ids
    ids |= {book(row).id for _ in range(PAGE)}
    with counting() as many:
        first = found(venue, "reyes")
    assert len(many) == len(few)
    second = find_bookings(venue, "reyes", now=NOW, page=2)
    assert len(first) == PAGE
    assert (second.total, second.pages) == (PAGE + 3, 2)
    assert {*first, *(line.id for line in second.lines)} == ids
    assert found(venue, "reyes", page=99) == [line.id for line in second.lines]
    assert not second.is_cut
    assert MOST > PAGE


def words(**which):
    column, value = next(iter(which.items()))
    return set(
        db.session.scalars(
            sa.select(FindingWord.word).where(getattr(FindingWord, column) == value),
            execution_options=ANYWHERE,
        )
    )


def test_a_change_of_name_is_found_at_once_however_it_is_written(row, venue):
    booking = book(row, guests=2, people=("Jude Moss",))
    order, organisation_id = booking.order, row.organisation_id
    order.name = "Berta Kerr"
    db.session.commit()
    assert found(venue, "berta") == [booking.id]
    for guest in fetch(SessionBooking, booking.id).guests:
        if guest.name == "Ana Reyes":
            guest.name = "Berta Kerr"
    db.session.commit()
    # The customer's row still has the first name, and leads here.
    assert found(venue, "reyes") == [booking.id]
    customer = fetch(Customer, booking.customer_id)
    db.session.execute(
        sa.update(Customer)
        .where(Customer.organisation_id == organisation_id, Customer.id == customer.id)
        .values(name="", email="", phone="")
    )
    db.session.commit()
    assert words(customer_id=customer.id) == set()
    assert found(venue, "reyes") == []
    guest = next(one for one in fetch(SessionBooking, booking.id).guests if "Jude" in one.name)
    guest_id = guest.id
    fetch(SessionBooking, booking.id).guests.remove(guest)
    db.session.delete(guest)
    db.session.commit()
    assert words(guest_id=guest_id) == set()
    assert found(venue, "jude") == []


def test_rows_that_are_written_many_at_once_are_found(row, venue):
    fresh = {
        "id": "c" * 24, "organisation_id": row.organisation_id, "name": "Many Written",
        "email": "", "phone": "", "created_at": NOW,
    }  # fmt: skip
    db.session.execute(sa.insert(Customer), [fresh])
    db.session.commit()
    assert words(customer_id="c" * 24) == {"many", "written"}


def test_the_doctor_finds_words_that_went_astray_and_they_can_be_made_anew(row, venue):
    booking = book(row)
    assert examine(now=NOW) == []
    table = Order.__table__
    db.session.connection().execute(
        sa.update(table).where(table.c.id == booking.order_id).values(name="Past The Models")
    )
    db.session.commit()
    assert any(booking.order_id in said for said in examine(now=NOW))
    with transaction():
        rebuild_words(row.organisation_id)
    assert examine(now=NOW) == []
    assert found(venue, "models past") == [booking.id]


def test_a_ticket_has_a_code_of_its_own_that_opens_nothing(row):
    first, second = book(row), make_booked_line(row)
    assert len(first.check_in_code) == 20
    assert first.check_in_code != second.check_in_code
    assert first.check_in_code not in first.order.secret
    assert find_ticket(first.check_in_code) == (row.site_id, row.id, first.id)
    assert find_ticket("0" * 20) is None
