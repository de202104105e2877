"""Two rows for one person become one, and nothing of either is lost (S3)."""

from functools import partial
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    NOW,
    fetch,
    make_account,
    make_customer,
    make_order,
    make_organisation,
    make_session,
    make_site,
    make_staff,
    make_type,
    save,
)
from sqlalchemy import event
from storms import storm, together

from domain.eligibility import Viewer
from domain.errors import ChangedSince, NotFound
from domain.merging import FIELDS, KEPT, OTHER, CantMerge, Side, merged_values, open_fields
from models import (
    Base,
    Customer,
    FindingWord,
    FormerCustomer,
    Membership,
    MembershipType,
    Order,
    PrivateLink,
    SessionBooking,
    db,
    new_uuid,
)
from services.basket import hold_places
from services.checkout import confirm_order, find_or_add_customer, find_order
from services.customer_rows import MOVED
from services.customers import find_successor
from services.doctor import examine
from services.erasing import erase_customer, find_erasure
from services.merging import find_merge, list_doubles, merge_customers
from services.notes import About, add_note, list_notes
from services.persons import list_person
from services.trail import Reader, list_trail
from services.waiting import join

__all__ = ["storm"]


@pytest.fixture
def site(ctx):
    return make_site(slug="bath")


def merge(stays, goes, **given):
    own = stays.organisation_id
    values = {"chosen": dict.fromkeys(FIELDS, KEPT), "by_id": "maren", "now": NOW, **given}
    if "seen" not in values:
        values["seen"] = find_merge(own, stays.id, goes.id).mark
    return merge_customers(own, stays.id, goes.id, **values)


def pair(site, **given):
    """Ana with an address, and the same Ana with another one."""
    own = site.organisation_id
    stays = make_customer(own, name="Ana Reyes", email="ana@example.com", phone="077 1")
    other = {"name": "ana reyes", "email": "ana@work.example", **given}
    return stays, make_customer(own, **other)


def test_everything_moves_and_the_old_address_leads_on(site):
    stays, goes = pair(site)
    slot = make_session(make_type(site), capacity=8)
    make_order(slot, email="ana@work.example", name="Ana")
    kind = save(MembershipType(id=new_uuid(), organisation_id=site.organisation_id, name="River"))
    for row, state in ((stays, "ended"), (goes, "active")):
        save(
            Membership(
                organisation_id=site.organisation_id, customer_id=row.id, state=state,
                membership_type_id=kind.id, first_day=NOW.date(), created_at=NOW,
            )
        )  # fmt: skip
    save(
        PrivateLink(
            organisation_id=site.organisation_id, site_id=site.id, key="k", created_at=NOW,
            session_type_id=slot.session_type_id, customer_id=goes.id,
        )
    )  # fmt: skip
    about = About(customer_id=goes.id)
    add_note(site.organisation_id, about, "Tea", author_id=make_staff(site).id, now=NOW)
    shown = find_merge(site.organisation_id, stays.id, goes.id)
    assert shown.fields == ("name", "email")
    impact = shown.impact
    assert (impact.orders, impact.bookings, impact.memberships, impact.notes, impact.links) == (
        1, 1, 1, 1, 1,
    )  # fmt: skip
    merge(stays, goes, chosen={"name": KEPT, "email": OTHER})
    row = fetch(Customer, stays.id)
    assert (row.name, row.email, row.email_key, row.phone) == (
        "Ana Reyes", "ana@work.example", "ana@work.example", "077 1",
    )  # fmt: skip
    for model in (Order, SessionBooking, PrivateLink):
        ids = db.session.scalars(sa.select(model.customer_id), execution_options=ANYWHERE).all()
        assert set(ids) == {stays.id}
    held = db.session.scalars(sa.select(Membership), execution_options=ANYWHERE).one()
    assert (held.customer_id, held.state) == (stays.id, "active")
    assert [it.text for it in list_notes(site.organisation_id, About(customer_id=stays.id))] == [
        "Tea"
    ]
    assert find_successor(site.organisation_id, goes.id) == stays.id
    # Twice is once; and a chain leads to its end.
    assert merge(stays, goes, seen="x") == stays.id
    third = make_customer(site.organisation_id, name="A.R.", email="")
    merge(third, fetch(Customer, stays.id))
    assert find_successor(site.organisation_id, goes.id) == third.id
    assert examine(now=NOW) == []
    # Found by the words of the name that stayed, and of no other; told of as one.
    found = sa.select(FindingWord.customer_id, FindingWord.word)
    words = db.session.execute(
        found.where(FindingWord.customer_id.is_not(None)), execution_options=ANYWHERE
    ).all()
    assert {row[0] for row in words} == {third.id}
    reader = Reader(site.organisation_id, site.id, ZoneInfo(site.zone), str, sees_all=True)
    told = list_trail(reader, [("customers", third.id)])
    assert {line.about_id for deed in told.deeds for line in deed.lines} >= {
        stays.id, goes.id, third.id,
    }  # fmt: skip


def test_who_books_with_the_address_that_was_given_up_is_the_one_that_stays(site):
    stays, goes = pair(site)
    merge(stays, goes)
    order = find_order(
        make_order(make_session(make_type(site)), email="Ana@Work.example", name="Ana")
    )
    assert order.customer_id == stays.id


def test_c8_a_guest_with_the_given_up_address_counts_as_the_account_that_stays(site):
    account = make_account()
    stays = make_customer(site.organisation_id, account)
    goes = make_customer(site.organisation_id, name="Ana Reyes", email="ana@work.example")
    merge(stays, goes)
    guest = find_or_add_customer(site.organisation_id, "Ana", "ana@work.example", None, NOW)
    assert guest.id != stays.id
    assert set(list_person(guest)) == {stays.id, guest.id}
    db.session.rollback()


def test_the_account_and_its_address_stay_whichever_row_stays(site):
    stays = make_customer(site.organisation_id, name="Ana", email="old@example.com")
    goes = make_customer(site.organisation_id, make_account())
    shown = find_merge(site.organisation_id, stays.id, goes.id)
    assert shown.fields == ("name",)
    merge(stays, goes)
    row = fetch(Customer, stays.id)
    assert (row.account_id, row.email, row.email_key) == (
        goes.account_id, "ana@example.com", "ana@example.com",
    )  # fmt: skip
    former = fetch(FormerCustomer, goes.id)
    assert former.email_key == "old@example.com"


def test_two_accounts_stay_two(site):
    stays = make_customer(site.organisation_id, make_account())
    goes = make_customer(site.organisation_id, make_account("b@example.com"), email="b@example.com")
    with pytest.raises(CantMerge, match="an account of their own"):
        merge(stays, goes)


def test_s3_what_was_shown_must_still_be_so(site):
    stays, goes = pair(site)
    mark = find_merge(site.organisation_id, stays.id, goes.id).mark
    make_order(make_session(make_type(site)), email="ana@work.example", name="Ana")
    with pytest.raises(ChangedSince):
        merge(stays, goes, seen=mark)
    assert fetch(Customer, goes.id)


def test_whoever_waits_twice_keeps_one_place(site):
    stays, goes = pair(site)
    slot = make_session(make_type(site, waitlist_enabled=True), capacity=1, waitlist_enabled=True)
    make_order(slot, email="first@example.com", name="First")
    for row in (goes, stays):
        join(site.organisation_id, slot.id, guests=1, name="Ana", email=row.email, now=NOW)
    merge(stays, goes)
    waiting = db.session.scalars(
        sa.select(SessionBooking.customer_id).where(
            SessionBooking.status == "waitlisted", SessionBooking.cancelled_at.is_(None)
        ),
        execution_options=ANYWHERE,
    ).all()
    assert waiting == [stays.id]
    assert examine(now=NOW) == []


def test_d1_foreign_customers_are_not_found(site):
    stays, goes = pair(site)
    elsewhere = make_site(make_organisation(), slug="elsewhere").organisation_id
    stranger = make_customer(elsewhere, name="S", email="s@example.com")
    for one, other in ((stays, stranger), (stranger, goes)):
        with pytest.raises(NotFound):
            find_merge(site.organisation_id, one.id, other.id)


def test_all_that_names_a_customer_is_moved():
    named = {
        table.name
        for table in Base.metadata.sorted_tables
        for key in table.foreign_keys
        if key.target_fullname == "customers.id"
    }
    # Words of a name go with the row that had it.
    assert named == {model.__tablename__ for model in MOVED} | {"memberships", "finding_words"}


@pytest.mark.parametrize("many", [1, 15])
def test_doubles_share_an_address_a_phone_or_a_name(site, many):
    own = site.organisation_id
    for n in range(many):
        make_customer(own, name=f"José {n}x", email=f"{n}@example.com", phone="+44 77 0090 0123")
        make_customer(own, name=f"JOSE {n}X", email=f"{n}@work.example", phone=f"12345{n}")
    make_customer(own, name="Q", email="0@example.com", email_key=None)
    asked = []
    engine = db.engine

    def note(_conn, _cursor, statement, *_rest):
        asked.append(statement)

    db.session.rollback()
    event.listen(engine, "before_cursor_execute", note)
    found = list_doubles(own)
    event.remove(engine, "before_cursor_execute", note)
    assert len(asked) == 2
    said = [(group.shared, group.total) for group in found.groups]
    assert said[0] == ("the same email", 2)
    assert said.count(("the same name", 2)) == many
    assert (("the same phone", many) in said) == (many > 1)


def test_a_choice_is_asked_only_where_both_say_something_else():
    one = Side("1", "Ana", "", "1", None)
    other = Side("2", "Anna", "a@example.com", "1", None)
    assert open_fields(one, other) == ("name",)
    assert merged_values(one, other, {"name": OTHER}) == {
        "name": "Anna", "email": "a@example.com", "phone": "1",
    }  # fmt: skip


# ---------------------------------------------------------------- at the same moment


def build(app, number):
    with app.app_context():
        site = make_site()
        kind = make_type(site)
        slot = make_session(kind, capacity=20)
        stays = make_customer(site.organisation_id, name="Ana", email="ana@example.com")
        goes = make_customer(site.organisation_id, name="Ana", email="other@example.com")
        secret = hold(slot)
        return site.organisation_id, stays.id, goes.id, secret


def hold(slot):
    return hold_places(
        slot.organisation_id, slot.id, session_type_id=slot.session_type_id, guests=1,
        viewer=Viewer(), basket_secret=None, now=NOW,
    )  # fmt: skip


def buy(own, secret):
    return confirm_order(own, secret, name="Ana", email="other@example.com", now=NOW)


def test_c8_a_booking_made_while_two_are_merged_is_the_one_that_stays(storm):
    for number in range(6):
        own, stays, goes, secret = build(storm, number)
        with storm.app_context():
            mark = find_merge(own, stays, goes).mark
        joined = partial(
            merge_customers, own, stays, goes, chosen=dict.fromkeys(FIELDS, KEPT), seen=mark,
            by_id="m", now=NOW,
        )  # fmt: skip
        said = together(storm, partial(buy, own, secret), joined)
        with storm.app_context():
            order = find_order(secret)
            merged = said[1] == stays
            # Quicker than the merge: the page showed less than there is, so nothing was done.
            assert merged or said[1] == "changed_meanwhile"
            assert order.customer_id == (stays if merged else goes)
            rows = db.session.scalars(
                sa.select(Customer.id).where(Customer.organisation_id == own)
            ).all()
            assert sorted(rows) == sorted([stays] if merged else [stays, goes])
            db.session.remove()


def test_a_booking_made_while_they_are_erased_is_no_longer_theirs(storm):
    for number in range(6):
        own, _, goes, secret = build(storm, number)
        with storm.app_context():
            mark = find_erasure(own, goes, now=NOW).mark
        together(
            storm,
            partial(buy, own, secret),
            partial(
                erase_customer, own, goes, cancels=False, seen=mark,
                hash_address=str, now=NOW,
            ),
        )  # fmt: skip
        with storm.app_context():
            order, row = find_order(secret), fetch(Customer, goes)
            assert (row.erased_at is None) == (order.customer_id == goes)
            db.session.remove()


@pytest.mark.parametrize("of_booking", [False, True])
def test_a_note_written_while_they_are_erased_is_erased_or_refused(storm, of_booking):
    for number in range(4):
        own, _, goes, secret = build(storm, number)
        with storm.app_context():
            booking = find_order(buy(own, secret)).items[0].booking.id
            about = About(booking_id=booking) if of_booking else About(customer_id=goes)
            mark = find_erasure(own, goes, now=NOW).mark
            author = make_account(f"m{number}{of_booking}@example.com").id
            db.session.remove()
        said = together(
            storm,
            partial(add_note, own, about, "Limps", author_id=author, now=NOW),
            partial(erase_customer, own, goes, cancels=True, seen=mark, hash_address=str, now=NOW),
        )
        with storm.app_context():
            is_erased = fetch(Customer, goes).erased_at is not None
            assert is_erased or said[1] == "changed_meanwhile"
            assert len(list_notes(own, about)) == (not is_erased)
            db.session.remove()
