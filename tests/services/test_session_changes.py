"""The venue cancels, restores and resizes sessions on a real database."""

import datetime as dt
import threading
from contextlib import suppress

import pytest
import sqlalchemy as sa
from conftest import NOW
from factories import (
    ANYWHERE,
    fetch,
    make_booked_line,
    make_order,
    make_organisation,
    make_practitioner,
    make_room,
    make_session,
    make_site,
    make_type,
)

from domain.eligibility import Viewer
from domain.errors import HoldExpired, ImpactChanged, NotBookable, NotFound, RuleBroken, WrongState
from models import Job, LedgerEntry, Order, Session, SessionBooking, db, new_object_id
from services.basket import drop_line, find_basket, hold_places, review_basket
from services.checkout import book_for_staff, confirm_order, find_order
from services.doctor import examine, find_wrong_counters
from services.session_changes import (
    cancel_session,
    change_capacity,
    find_cancellable_session,
    find_places,
    find_restorable_session,
    restore_session,
)

pytestmark = pytest.mark.usefixtures("ctx")

LATER = NOW + dt.timedelta(minutes=5)


@pytest.fixture
def row():
    """A session of four places at £48 in a room for ten, eight days ahead."""
    site = make_site()
    kind = make_type(site)
    return make_session(kind, capacity=4, room_id=make_room(site, cap=10).id)


def impact(row, now=LATER):
    return find_cancellable_session(row.organisation_id, row.site_id, row.id, now=now).impact


def cancel(row, *, reason="The boiler is broken", seen=None, now=LATER):
    seen = impact(row, now).mark if seen is None else seen
    cancel_session(row.organisation_id, row.site_id, row.id, reason=reason, seen=seen, now=now)


def restore(row, now=LATER):
    found = find_restorable_session(row.organisation_id, row.site_id, row.id, now=now)
    restore_session(row.organisation_id, row.site_id, row.id, seen=found.clash_mark, now=now)


def change(row, *, seen=None, now=LATER, **wanted):
    found = find_places(row.organisation_id, row.site_id, row.id, now=now)[1]
    values = {
        "capacity": found.capacity,
        "max_baskets": found.max_baskets,
        "waitlist_enabled": found.waitlist_enabled,
        **wanted,
    }
    change_capacity(
        row.organisation_id, row.site_id, row.id,
        **values, seen=found.mark if seen is None else seen, now=now,
    )  # fmt: skip


def hold(row, guests=1, secret=None):
    return hold_places(
        row.organisation_id, row.id, session_type_id=row.session_type_id, guests=guests,
        viewer=Viewer(), basket_secret=secret, now=NOW,
    )  # fmt: skip


def pay(secret, amount):
    order = find_order(secret)
    db.session.add(
        LedgerEntry(
            id=new_object_id(), organisation_id=order.organisation_id, order_id=order.id,
            kind="payment", amount=-amount, currency="GBP", method="card", created_at=NOW,
        )
    )  # fmt: skip
    db.session.commit()


def balance(secret):
    db.session.expire_all()
    return sum(entry.amount for entry in find_order(secret).ledger)


def letters():
    jobs = db.session.scalars(sa.select(Job), execution_options=ANYWHERE)
    return sorted(job.payload["letter"] for job in jobs if job.payload["letter"].endswith("ed"))


def cancelled_letters():
    return [name for name in letters() if name == "booking_cancelled"]


def test_r12_cancelling_a_session_cancels_its_bookings_by_the_venue(row):
    secret = make_order(row, guests=2)
    cancel(row)
    line = find_order(secret).items[0].booking
    assert (line.cancelled_by, line.cancel_reason) == ("venue", "The boiler is broken")
    assert line.sequence == 1
    assert find_order(secret).state == "cancelled"
    found = fetch(Session, row.id)
    assert found.deleted_at == LATER
    assert (found.places_taken, found.parties_taken) == (0, 0)
    assert examine() == []


def test_m6_the_venue_gives_everything_back_whatever_the_policy(row):
    fetch(
        type(row.session_type), row.session_type_id
    ).customer_cancellation_permitted = "disallowed"
    db.session.commit()
    paid, deposit, unpaid = (make_order(row) for _ in range(3))
    pay(paid, 4800)
    pay(deposit, 1200)
    found = impact(row)
    assert (found.bookings, found.guests) == (3, 3)
    # Of three times £48, £60 were paid: that comes back, and the rest is no longer due.
    assert (found.no_longer_due, found.owed_back) == (8400, 6000)
    cancel(row)
    assert [balance(secret) for secret in (paid, deposit, unpaid)] == [-4800, -1200, 0]


def test_m6_repeating_changes_nothing(row):
    secret = make_order(row)
    mark = impact(row).mark
    cancel(row, seen=mark)
    cancel(row, seen=mark, reason="Another reason")
    cancel(row, seen="whatever")
    assert balance(secret) == 0
    assert len(find_order(secret).ledger) == 2
    assert fetch(Session, row.id).cancel_reason == "The boiler is broken"
    assert len(cancelled_letters()) == 1


def test_m4_a_sum_paid_for_another_line_of_the_order_is_not_given_back_twice(row):
    other = make_session(fetch(type(row.session_type), row.session_type_id),
                         local_start="2026-06-13T18:00")  # fmt: skip
    secret = hold(row)
    hold(other, secret=secret)
    confirm_order(row.organisation_id, secret, name="Ana Reyes", email="ana@example.com", now=NOW)
    pay(secret, 6000)
    # £96 were charged and £60 paid: without this line £12 too much.
    assert impact(row).owed_back == 1200
    cancel(row)
    assert balance(secret) == -1200
    # The order lives on with its other line.
    assert find_order(secret).state == "confirmed"
    cancel(other)
    assert balance(secret) == -6000
    assert find_order(secret).state == "cancelled"


def test_a_held_line_ends_and_the_basket_says_why(row):
    secret = hold(row, 2)
    found = impact(row)
    assert (found.bookings, found.holds, found.held_places) == (0, 1, 2)
    cancel(row)
    basket = find_basket(secret, now=LATER)
    review = review_basket(basket, Viewer(), now=LATER)
    assert [line.cancel_reason for line in review.withdrawn] == ["The boiler is broken"]
    assert not review.lines
    assert not review.gone
    with pytest.raises(NotBookable) as refused:
        confirm_order(
            row.organisation_id, secret, name="Ana Reyes", email="ana@example.com", now=LATER
        )
    assert refused.value.code == "session_live"
    drop_line(row.organisation_id, secret, review.withdrawn[0].id, now=LATER)
    assert find_basket(secret, now=LATER) is None


def test_another_line_of_the_basket_is_kept_and_can_be_confirmed(row):
    other = make_session(fetch(type(row.session_type), row.session_type_id),
                         local_start="2026-06-13T18:00")  # fmt: skip
    secret = hold(row)
    hold(other, secret=secret)
    cancel(row)
    review = review_basket(find_basket(secret, now=LATER), Viewer(), now=LATER)
    assert (len(review.lines), len(review.withdrawn)) == (1, 1)
    confirm_order(
        row.organisation_id, secret, name="Ana Reyes", email="ana@example.com",
        seen=review.mark, now=LATER,
    )  # fmt: skip
    assert balance(secret) == 4800


def test_waiting_entries_are_closed_too(row):
    line = make_booked_line(row)
    waiting = make_booked_line(row, name="Jude Moss")
    waiting_id, order_id = waiting.id, waiting.order_id
    fetch(SessionBooking, waiting_id).status = "waitlisted"
    fetch(SessionBooking, waiting_id).waiting_since = NOW
    fetch(Order, order_id).state = "waiting"
    fetch(Session, row.id).places_taken = fetch(Session, row.id).parties_taken = 1
    db.session.commit()
    assert impact(row).waiting == 1
    cancel(row)
    assert fetch(SessionBooking, waiting_id).cancelled_by == "venue"
    assert fetch(SessionBooking, line.id).cancelled_by == "venue"
    assert find_wrong_counters() == []


@pytest.mark.parametrize(("who", "mails"), [("everyone", 1), ("confirmed", 1), ("nobody", 0)])
def test_r12_the_sites_settings_say_who_is_told(row, who, mails):
    site = fetch(type(make_site()), row.site_id)
    site.cancelled_session_notices = who
    db.session.commit()
    make_order(row)
    book_for_staff(row.organisation_id, row.id, name="Walk In", guests=1, now=NOW)
    walk_in = db.session.scalar(
        sa.select(SessionBooking).where(SessionBooking.is_walk_in), execution_options=ANYWHERE
    )
    walk_in.stage, walk_in.checked_in_at = "not_arrived", None
    db.session.commit()
    cancel(row)
    # A walk-in without an address is told by nobody.
    assert len(cancelled_letters()) == mails


def test_s3_what_it_touches_must_still_be_true(row):
    make_order(row)
    mark = impact(row).mark
    make_order(row, name="Jude Moss", email="jude@example.com")
    with pytest.raises(ImpactChanged):
        cancel(row, seen=mark)
    assert fetch(Session, row.id).deleted_at is None
    assert not cancelled_letters()
    pay_mark = impact(row).mark
    hold(row)
    with pytest.raises(ImpactChanged):
        cancel(row, seen=pay_mark)


def test_a_session_that_is_over_or_whose_guests_are_here_is_not_cancelled(row):
    line = make_booked_line(row)
    fetch(SessionBooking, line.id).stage = "arrived"
    fetch(SessionBooking, line.id).checked_in_at = NOW
    db.session.commit()
    with pytest.raises(WrongState, match="1 guest is here already"):
        cancel(row, seen="")
    with pytest.raises(WrongState, match="over"):
        cancel(row, seen="", now=row.end_time)


def test_it_asks_for_a_reason(row):
    with pytest.raises(RuleBroken) as refused:
        cancel(row, reason="  ")
    assert refused.value.field == "reason"


def test_another_organisations_session_is_not_found(row):
    other = make_site(make_organisation())
    for deed in (
        lambda: find_cancellable_session(other.organisation_id, other.id, row.id, now=LATER),
        lambda: cancel_session(
            other.organisation_id, other.id, row.id, reason="x", seen="", now=LATER
        ),
        lambda: restore_session(other.organisation_id, other.id, row.id, seen="", now=LATER),
        lambda: find_places(other.organisation_id, other.id, row.id, now=LATER),
        lambda: change_capacity(
            other.organisation_id, other.id, row.id, capacity=1, max_baskets=None,
            waitlist_enabled=False, seen="", now=LATER,
        ),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            deed()


def test_cancelling_asks_as_many_questions_for_2_bookings_as_for_12(row):
    many = make_session(
        fetch(type(row.session_type), row.session_type_id),
        capacity=20, local_start="2026-06-14T18:00",
    )  # fmt: skip
    for number in range(12):
        make_order(many, name=f"Guest {number}", email=f"g{number}@example.com")
        if number < 2:
            make_order(row, name=f"Guest {number}", email=f"g{number}@example.com")
    few = counted(lambda: cancel(row))
    assert counted(lambda: cancel(many)) == few
    assert len(cancelled_letters()) == 14


def counted(deed):
    db.session.remove()
    asked = []

    def note(_conn, _cursor, statement, *_rest):
        asked.append(statement.split("WHERE")[0][:160])

    sa.event.listen(db.engine, "before_cursor_execute", note)
    try:
        deed()
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", note)
    return asked


def test_r13_a_restored_session_has_its_own_values_and_nobody_on_it(row):
    secret = make_order(row, guests=2)
    change(row, capacity=6)
    cancel(row)
    restore(row)
    found = fetch(Session, row.id)
    assert found.deleted_at is None
    assert found.cancel_reason == ""
    assert (found.capacity, found.places_taken, found.parties_taken) == (6, 0, 0)
    assert found.local_start == dt.datetime.fromisoformat("2026-06-12T18:00")
    assert find_order(secret).items[0].booking.cancelled_at is not None
    make_order(row, guests=6, name="Jude Moss", email="jude@example.com")
    assert examine() == []


def test_r13_restoring_what_is_live_changes_nothing(row):
    make_order(row)
    restore_session(row.organisation_id, row.site_id, row.id, seen="", now=LATER)
    assert fetch(Session, row.id).places_taken == 1


def test_what_is_past_or_whose_type_is_archived_stays_cancelled(row):
    cancel(row)
    with pytest.raises(WrongState, match="come and gone"):
        restore(row, now=row.start_time)
    fetch(type(row.session_type), row.session_type_id).deleted_at = NOW
    db.session.commit()
    with pytest.raises(WrongState, match="archived"):
        restore(row)


def test_s4_restoring_names_the_clashes_with_turnaround_time(row):
    site = fetch(type(make_site()), row.site_id)
    room = make_room(site, name="Clay Room", turnaround=15)
    host = make_practitioner(site)
    kind = fetch(type(row.session_type), row.session_type_id)

    def at(start, **given):
        return make_session(kind, local_start=f"2026-06-12T{start}", **given)

    off = at("10:00", room_id=room.id, practitioner_id=host.id)
    cancel(off)
    in_turnaround = at("12:10", room_id=room.id)
    at("12:15", room_id=room.id)
    with_host = at("11:00", practitioner_id=host.id)
    at("12:00", practitioner_id=host.id)
    found = find_restorable_session(off.organisation_id, off.site_id, off.id, now=LATER)
    assert [clash.id for clash in found.clashes] == [with_host.id, in_turnaround.id]
    with pytest.raises(ImpactChanged):
        restore_session(off.organisation_id, off.site_id, off.id, seen="", now=LATER)
    restore(off)
    assert fetch(Session, off.id).deleted_at is None


def test_r5_changed_places_are_the_sessions_own_from_now_on(row):
    change(row, capacity=6, waitlist_enabled=True)
    found = fetch(Session, row.id)
    assert (found.capacity, found.max_baskets, found.waitlist_enabled) == (6, None, True)
    assert found.overridden == ["capacity", "waitlist_enabled"]
    change(row, max_baskets=3)
    assert fetch(Session, row.id).overridden == ["capacity", "max_baskets", "waitlist_enabled"]


def test_r8_never_below_what_is_taken_or_kept_and_never_above_the_room(row):
    make_order(row, guests=2)
    fetch(Session, row.id).places_kept = 1
    db.session.commit()
    with pytest.raises(RuleBroken, match="2 places are taken and 1 place is kept") as refused:
        change(row, capacity=2)
    assert refused.value.field == "capacity"
    with pytest.raises(RuleBroken, match="Spring Hall takes 10 places"):
        change(row, capacity=11)
    change(row, capacity=3)
    assert fetch(Session, row.id).capacity == 3


def test_r9_the_party_limit_is_never_below_the_parties_there_are(row):
    make_order(row)
    make_order(row, name="Jude Moss", email="jude@example.com")
    with pytest.raises(RuleBroken, match="2 parties are booked") as refused:
        change(row, max_baskets=1)
    assert refused.value.field == "max_baskets"
    change(row, max_baskets=2)
    with pytest.raises(RuleBroken, match="1 or more"):
        change(make_session(capacity=4), max_baskets=0)


def test_s3_changed_places_meanwhile_are_a_conflict(row):
    mark = find_places(row.organisation_id, row.site_id, row.id, now=LATER)[1].mark
    make_order(row)
    with pytest.raises(ImpactChanged):
        change(row, capacity=2, seen=mark)
    # What is wanted and what is there are the same: nothing to refuse.
    change(row, seen=mark)


def test_r5_a_cancelled_session_is_not_found_until_it_is_restored(row):
    cancel(row)
    with pytest.raises(NotFound, match="Restore it"):
        find_places(row.organisation_id, row.site_id, row.id, now=LATER)


def test_every_change_raises_the_types_revision(row):
    kind = type(row.session_type)

    def revision():
        return fetch(kind, row.session_type_id).revision

    seen = [revision()]
    for deed in (lambda: change(row, capacity=5), lambda: cancel(row), lambda: restore(row)):
        deed()
        seen.append(revision())
    assert seen == sorted(set(seen))


def test_m6_two_who_cancel_at_once_give_back_once(row, app):
    secret = make_order(row)
    mark, ids = impact(row).mark, (row.organisation_id, row.site_id, row.id)
    db.session.remove()
    ready = threading.Barrier(2)
    failed = []

    def deed():
        with app.app_context():
            ready.wait()
            try:
                cancel_session(*ids, reason="Twice", seen=mark, now=LATER)
            except Exception as error:
                failed.append(error)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=deed) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert balance(secret) == 0
    assert len(cancelled_letters()) == 1


def test_m6_cancelling_against_buyers_loses_nothing(row, app):
    """Whoever buys while the session is cancelled is refused, or cancelled with it."""
    ids, type_id = (row.organisation_id, row.site_id, row.id), row.session_type_id
    db.session.remove()
    ready = threading.Barrier(4)
    failed = []

    def buy(number):
        secret = hold_places(
            ids[0], ids[2], session_type_id=type_id, guests=1, viewer=Viewer(),
            basket_secret=None, now=NOW,
        )  # fmt: skip
        confirm_order(ids[0], secret, name="Ana Reyes", email=f"g{number}@example.com", now=NOW)

    def stop(_number):
        for _ in range(20):
            mark = find_cancellable_session(*ids, now=LATER).impact.mark
            with suppress(ImpactChanged):
                return cancel_session(*ids, reason="x", seen=mark, now=LATER)
        raise AssertionError("never calm enough to be cancelled")

    def run(deed, number):
        with app.app_context():
            ready.wait()
            try:
                with suppress(NotBookable, HoldExpired, NotFound):
                    deed(number)
            except Exception as error:
                failed.append(error)
            db.session.remove()

    threads = [
        threading.Thread(target=run, args=(stop if number == 3 else buy, number))
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    found = fetch(Session, ids[2])
    assert found.deleted_at is not None
    assert (found.places_taken, found.parties_taken) == (0, 0)
    assert examine() == []
