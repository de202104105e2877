"""Bookings through the API: read, made, moved, ended, checked in (2.5, R16, R20, R26-R28, H6)."""

import datetime as dt

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    fetch,
    make_account,
    make_customer,
    make_form,
    make_member,
    make_order,
    make_session,
    make_site,
    make_type,
)

from blueprints.clock import read_clock
from domain.eligibility import Viewer
from domain.intake import Field
from models import (
    AuditEntry,
    Customer,
    IdempotencyKey,
    Job,
    Order,
    Organisation,
    Session,
    SessionBooking,
    SessionType,
    Site,
    db,
    transaction,
)
from services.basket import hold_places
from services.checkout import find_order
from services.doctor import examine
from services.erasing import erase_customer, find_erasure
from services.session_changes import cancel_session, find_cancellable_session
from services.waiting import join

ANA = {"first_name": "Ana", "last_name": "Reyes", "email": "ana@example.com"}


@pytest.fixture(autouse=True)
def _stays_sound(app):
    yield
    with app.app_context():
        assert examine(now=read_clock()) == []


def soon(days=3, hour=18):
    return dt.datetime.combine((read_clock() + dt.timedelta(days=days)).date(), dt.time(hour))


@pytest.fixture
def now(make):
    return make(read_clock)


@pytest.fixture
def session_id(make, site_id):
    return make(lambda: make_session(make_type(fetch(Site, site_id)), local_start=soon()).id)


@pytest.fixture
def booking_id(make, session_id):
    return make(lambda: book(session_id))


@pytest.fixture
def shop(program, site_id):
    return program(site_id, "RESERVATIONS_MANAGE")


def book(session_id, **given):
    """A booking by the shop; its id."""
    order = find_order(make_order(fetch(Session, session_id), now=read_clock(), **given))
    return order.items[0].booking.id


def cancel(row):
    ids, now = (row.organisation_id, row.site_id, row.id), read_clock()
    seen = find_cancellable_session(*ids, now=now).impact.mark
    cancel_session(*ids, reason="Ill", seen=seen, now=now)


def wait(session_id):
    """A party on the waiting list of a session that is full; the entry's id."""
    with transaction():
        row = fetch(Session, session_id)
        row.waitlist_enabled, row.capacity = True, 1
    book(session_id)
    secret = join(
        row.organisation_id, session_id, guests=1, name="Jude", email="jude@example.com",
        now=read_clock(),
    )  # fmt: skip
    order = db.session.scalars(
        sa.select(Order).where(Order.secret == secret), execution_options=ANYWHERE
    ).one()
    return order.items[0].booking.id


def another(make, session_id, **given):
    """Another session of the same type."""

    def build():
        values = {"local_start": soon(4), **given}
        kind = fetch(SessionType, fetch(Session, session_id).session_type_id)
        return make_session(kind, **values).id

    return make(build)


def count(make, model):
    query = sa.select(sa.func.count()).select_from(model)
    return make(lambda: db.session.scalar(query, execution_options=ANYWHERE))


def test_a_booking_says_all_that_the_contract_says(shop, make, session_id, site_id):
    def build():
        form = Field("q1", "Injuries", required=True)
        kind = fetch(Session, session_id).session_type
        make_form(kind, form)
        found = book(session_id, guests=2, name="Ada van der Berg", email="ada@example.com")
        with transaction():
            fetch(SessionBooking, found).customer.phone = "+44 1225 000000"
        return found

    booking_id = make(build)
    said = shop.get(f"/session-bookings/{booking_id}")["data"]
    kept = make(lambda: fetch(SessionBooking, booking_id))
    assert said["id"] == booking_id
    assert said["session_id"] == session_id
    assert said["customer_id"] == kept.customer_id
    assert (said["first_name"], said["last_name"]) == ("Ada", "van der Berg")
    assert (said["email"], said["phone"]) == ("ada@example.com", "+44 1225 000000")
    assert (said["status"], said["stage"]) == ("confirmed", "not_arrived")
    assert (said["intake_form_required"], said["intake_forms_completed"]) == (True, False)
    assert (said["places"], said["unit_price"], said["total"]) == (2, 4800, 9600)
    assert said["currency"] == "gbp"
    assert said["cancelled_at"] is said["checked_in_at"] is said["waiting_since"] is None
    assert said["site_id"] == site_id


def test_r26_r27_a_check_in_is_set_without_a_body_and_keeps_its_first_time(shop, booking_id):
    at = f"/session-bookings/{booking_id}/check-in"
    first = shop.post(at, status=200)["data"]
    assert (first["stage"], first["is_no_show"]) == ("arrived", False)
    again = shop.post(at, {"is_checked_in": True}, status=200)["data"]
    assert again["checked_in_at"] == first["checked_in_at"] is not None
    undone = shop.post(at, {"is_checked_in": False}, status=200)["data"]
    assert (undone["checked_in_at"], undone["stage"]) == (None, "not_arrived")
    assert shop.post(at, {}, status=200)["data"]["checked_in_at"]


def test_r27_c40_a_no_show_may_be_set_before_the_start_and_undoes_a_check_in(shop, booking_id):
    shop.post(f"/session-bookings/{booking_id}/check-in", status=200)
    marked = shop.post(f"/session-bookings/{booking_id}/no-show", status=200)["data"]
    assert (marked["is_no_show"], marked["checked_in_at"]) == (True, None)
    assert marked["stage"] == "not_arrived"
    undone = shop.post(f"/session-bookings/{booking_id}/no-show", {"is_no_show": False}, status=200)
    assert undone["data"]["is_no_show"] is False


@pytest.mark.parametrize("value", [None, "true", 1, 0, [], {}])
def test_r28_a_flag_that_is_no_boolean_is_a_wrong_field(shop, booking_id, value):
    for action, field in (("check-in", "is_checked_in"), ("no-show", "is_no_show")):
        refused = shop.post(f"/session-bookings/{booking_id}/{action}", {field: value}, status=422)
        assert list(refused["errors"]) == [field]


@pytest.mark.parametrize("stage", ["in_treatment", "checked_out"])
def test_r28_a_guest_who_is_in_is_no_no_show(shop, booking_id, stage):
    moved = shop.post(f"/session-bookings/{booking_id}/stage", {"stage": stage}, status=200)
    assert moved["data"]["stage"] == stage
    assert moved["data"]["checked_in_at"]
    refused = shop.post(f"/session-bookings/{booking_id}/no-show", status=400)
    assert refused["code"] == "wrong_state"


@pytest.mark.parametrize("action", ["check-in", "no-show", "stage"])
@pytest.mark.parametrize("state", ["cancelled", "session", "waiting", "basket"])
def test_r28_the_wrong_state_is_400(shop, make, site_id, session_id, state, action):
    def build():
        row = fetch(Session, session_id)
        if state == "basket":
            secret = hold_places(
                row.organisation_id, row.id, session_type_id=row.session_type_id, guests=1,
                viewer=Viewer(), basket_secret=None, now=read_clock(),
            )  # fmt: skip
            order = db.session.scalars(
                sa.select(Order).where(Order.secret == secret), execution_options=ANYWHERE
            ).one()
            return order.items[0].booking.id
        if state == "waiting":
            return wait(session_id)
        found = book(session_id)
        if state == "session":
            cancel(row)
        return found

    booking_id = make(build)
    if state == "cancelled":
        shop.post(f"/session-bookings/{booking_id}/cancel", {"reason": "Ill"}, status=200)
    body = {"stage": "arrived"} if action == "stage" else None
    shop.post(f"/session-bookings/{booking_id}/{action}", body, status=400)


def test_r20_a_visitor_books_as_in_the_shop(shop, make, session_id):
    said = shop.post(
        "/session-bookings",
        {**ANA, "session_id": session_id, "guests": 2, "phone": "+44 1225 000000"},
    )["data"]
    assert (said["status"], said["places"], said["total"]) == ("confirmed", 2, 9600)
    assert (said["email"], said["phone"]) == ("ana@example.com", "+44 1225 000000")
    assert make(lambda: fetch(Session, session_id)).places_taken == 2
    assert shop.get(f"/session-bookings/{said['id']}")["data"] == said
    letters = make(lambda: [job.payload["letter"] for job in jobs()])
    assert "booking_confirmed" in letters


def jobs():
    return db.session.scalars(sa.select(Job), execution_options=ANYWHERE).all()


def test_guests_who_are_named_are_kept_and_the_booker_is_known_among_them(shop, session_id):
    guests = [
        {"first_name": "Jude", "last_name": "Park", "email": "jude@example.com"},
        {"first_name": "Ana", "last_name": "Reyes"},
    ]
    said = shop.post("/session-bookings", {**ANA, "session_id": session_id, "guests": guests})
    found = [(it["first_name"], it["last_name"], it["email"]) for it in said["data"]["guests"]]
    assert found == [
        ("Jude", "Park", "jude@example.com"),
        ("Ana", "Reyes", "ana@example.com"),
    ]
    assert said["data"]["places"] == 2


def test_h9_names_that_a_type_asks_for_are_asked_for(shop, make, site_id):
    def build():
        kind = make_type(fetch(Site, site_id), max_per_guest=1)
        return make_session(kind, local_start=soon()).id

    body = {**ANA, "session_id": make(build)}
    refused = shop.post("/session-bookings", {**body, "guests": 2}, status=422)
    assert list(refused["errors"]) == ["guests"]
    twice = [{"first_name": "Jude"}, {"first_name": "JUDE"}]
    refused = shop.post("/session-bookings", {**body, "guests": twice}, status=422)
    assert refused["code"] == "max_per_guest"
    unnamed = [{"first_name": "Ana", "last_name": "Reyes"}, {"first_name": "<b>"}]
    refused = shop.post("/session-bookings", {**body, "guests": unnamed}, status=422)
    assert list(refused["errors"]) == ["guests.1.first_name"]


@pytest.mark.parametrize(
    ("wrong", "fields"),
    [
        ({"guests": 0}, {"guests"}),
        ({"guests": "2"}, {"guests"}),
        ({"guests": []}, {"guests"}),
        ({"guests": [{"first_name": 5}]}, {"guests.0.first_name"}),
        ({"guests": 10**30}, {"guests"}),
        ({"guests": None}, {"guests"}),
        ({"email": "ana@"}, {"email"}),
        ({"email": ""}, {"email"}),
        ({"first_name": "", "last_name": ""}, {"first_name"}),
        ({"first_name": "a\0b"}, {"first_name"}),
        ({"phone": "call me"}, {"phone"}),
        ({"customer_id": "0" * 24}, {"customer_id"}),
        ({"customer_id": "x"}, {"customer_id"}),
        ({"session_id": "0" * 24}, {"session_id"}),
        ({"session_id": 7}, {"session_id"}),
        ({"booked_as": "king"}, {"booked_as"}),
        ({"guests": 0, "booked_as": "king"}, {"guests", "booked_as"}),
    ],
)
def test_every_wrong_field_is_named_and_nothing_is_left_behind(
    shop, make, session_id, wrong, fields
):
    body = {**ANA, "session_id": session_id, **wrong}
    refused = shop.post("/session-bookings", body, status=422)
    assert set(refused["errors"]) == fields
    assert count(make, Order) == count(make, SessionBooking) == count(make, Customer) == 0


def test_a_refusal_leaves_no_basket_behind_and_says_when_it_changes(shop, make, site_id, now):
    def build():
        kind = make_type(fetch(Site, site_id), max_advance_bookings_interval="P1D")
        return make_session(kind, local_start=soon(10)).id

    body = {**ANA, "session_id": make(build)}
    refused = shop.post("/session-bookings", body, status=422)
    assert refused["code"] == "window_open"
    opens = dt.datetime.fromisoformat(refused["changes_at"])
    assert opens > now
    assert count(make, Order) == count(make, SessionBooking) == count(make, Customer) == 0


def test_r20_a_customer_books_with_their_own_memberships(program, make, site_id):
    def build():
        site = fetch(Site, site_id)
        kind = make_type(site, members_only=True)
        row = make_session(kind, local_start=soon())
        account = make_account()
        make_member(site.organisation_id, account)
        member = db.session.scalars(
            sa.select(Customer.id).where(Customer.account_id == account.id),
            execution_options=ANYWHERE,
        ).one()
        guest = make_customer(site.organisation_id, name="Jude Park", email="jude@example.com")
        return row.id, member, guest.id

    session_id, member_id, guest_id = make(build)
    desk = program(site_id, "RESERVATIONS_MANAGE")
    body = {"session_id": session_id}
    said = desk.post("/session-bookings", {**body, "customer_id": member_id})["data"]
    assert (said["customer_id"], said["first_name"]) == (member_id, "Ana")
    other = {**body, "customer_id": guest_id}
    assert desk.post("/session-bookings", other, status=422)["code"] == "member"
    # As the desk would, too: what concerns the person needs its own right.
    staff = {**other, "booked_as": "staff"}
    assert "CUSTOMERS_MANAGE" in desk.post("/session-bookings", staff, status=403)["message"]
    both = program(site_id, "RESERVATIONS_MANAGE", "CUSTOMERS_MANAGE")
    said = both.post("/session-bookings", staff)["data"]
    assert (said["customer_id"], said["checked_in_at"]) == (guest_id, None)
    kept = make(lambda: fetch(SessionBooking, said["id"]))
    assert (kept.overridden, kept.override_reason) == (["member"], "A program")


def test_r20_staff_are_bound_by_places_all_the_same(shop, make, session_id):
    make(lambda: book(session_id, guests=7))
    body = {"session_id": session_id, "first_name": "Jude", "booked_as": "staff"}
    assert shop.post("/session-bookings", {**body, "guests": 2}, status=422)["code"] == (
        "places_left"
    )
    said = shop.post("/session-bookings", body)["data"]
    assert (said["email"], said["last_name"], said["places"]) == ("", "", 1)


def test_h6_a_key_books_once_and_another_body_is_refused(shop, make, session_id):
    body, key = {**ANA, "session_id": session_id}, {"headers": {"Idempotency-Key": "till 7"}}
    first = shop.post("/session-bookings", body, **key)
    assert shop.post("/session-bookings", body, **key) == first
    assert shop.post("/session-bookings", {**body, "guests": 2}, status=422, **key)["code"] == (
        "key_reused"
    )
    assert count(make, SessionBooking) == 1


def test_h6_a_key_whose_person_was_erased_says_so_and_books_nothing(shop, make, session_id):
    body, key = {**ANA, "session_id": session_id}, {"headers": {"Idempotency-Key": "till 7"}}
    said = shop.post("/session-bookings", body, **key)["data"]

    def erase():
        row = fetch(Customer, said["customer_id"])
        seen = find_erasure(row.organisation_id, row.id, now=read_clock()).mark
        erase_customer(
            row.organisation_id, row.id, cancels=True, seen=seen,
            hash_address=lambda it: it, now=read_clock(),
        )  # fmt: skip

    make(erase)
    kept = make(lambda: db.session.scalars(
        sa.select(IdempotencyKey.answer), execution_options=ANYWHERE).one())  # fmt: skip
    assert "ana@example.com" not in kept
    assert shop.post("/session-bookings", body, status=410, **key)["code"] == "erased"
    assert count(make, SessionBooking) == 1


def test_rights_are_those_at_the_bookings_site_and_come_before_the_fields(
    program, make, site_id, session_id, booking_id
):
    def build():
        theirs = make_site()
        own = make_site(fetch(Organisation, fetch(Site, site_id).organisation_id))
        return theirs.id, own.id

    their_id, own_id = make(build)
    writes = [
        ("/session-bookings", {"session_id": session_id, "guests": 0}),
        *((f"/session-bookings/{booking_id}/{act}", {}) for act in (
            "cancel", "move", "stage", "check-in", "no-show", "leave-waiting-list",
        )),
    ]  # fmt: skip
    for path, body in writes:
        program(site_id, "SETTINGS_MANAGE").post(path, body, status=403)
        program(own_id).post(path, body, status=403)
        foreign = program(their_id)
        if path == "/session-bookings":
            refused = foreign.post(path, {**ANA, "session_id": session_id}, status=422)
            assert list(refused["errors"]) == ["session_id"]
        else:
            foreign.post(path, body, status=404)
    assert program(site_id, "SETTINGS_MANAGE").get("/session-bookings", status=403)
    program(site_id, "SETTINGS_MANAGE").get(f"/session-bookings/{booking_id}", status=403)
    program(their_id).get(f"/session-bookings/{booking_id}", status=404)
    assert program(their_id).get("/session-bookings")["data"] == []
    assert program(own_id).get("/session-bookings")["data"] == []
    assert program(own_id).get(f"/session-bookings?site_id={site_id}")["data"] == []


def test_m7_a_move_takes_the_new_price_and_says_the_difference(shop, make, session_id, booking_id):
    dearer, full = (another(make, session_id, price=6000), another(make, session_id, capacity=1))
    make(lambda: book(full, email="jude@example.com"))
    at = f"/session-bookings/{booking_id}/move"
    refused = shop.post(at, {"session_id": full}, status=422)
    assert refused["code"] == "places_left"
    moved = shop.post(at, {"session_id": dearer}, status=200)
    assert (moved["price_difference"], moved["to_pay"], moved["to_return"]) == (1200, 6000, 0)
    assert (moved["data"]["session_id"], moved["data"]["unit_price"]) == (dearer, 6000)
    assert shop.post(at, {"session_id": dearer}, status=400)["code"] == "same_session"
    assert make(lambda: fetch(Session, session_id)).places_taken == 0


@pytest.mark.parametrize("which", ["unknown", "another type", "another organisation"])
def test_r22_a_target_that_is_none_is_a_wrong_field(shop, make, site_id, booking_id, which):
    def build():
        if which == "unknown":
            return "0" * 24
        site = fetch(Site, site_id) if which == "another type" else make_site()
        return make_session(make_type(site), local_start=soon()).id

    body = {"session_id": make(build)}
    refused = shop.post(f"/session-bookings/{booking_id}/move", body, status=422)
    assert list(refused["errors"]) == ["session_id"]


def test_r28_a_booking_is_cancelled_once_with_a_reason(shop, make, session_id, booking_id):
    at = f"/session-bookings/{booking_id}/cancel"
    assert list(shop.post(at, {"reason": " "}, status=422)["errors"]) == ["reason"]
    assert shop.post(at, {"reason": "Ill"}, status=200)["data"]["cancelled_at"]
    assert shop.post(at, {"reason": "Ill"}, status=400)["code"] == "cancelled"
    assert make(lambda: fetch(Session, session_id)).places_taken == 0
    # It is still found by its id, and in the list for who asks for it.
    assert shop.get(f"/session-bookings/{booking_id}")["data"]["cancelled_at"]
    assert shop.get("/session-bookings")["data"] == []
    assert len(shop.get("/session-bookings?include_cancelled=true")["data"]) == 1


def test_a_guest_who_came_is_not_cancelled_without_undoing_it(shop, booking_id):
    shop.post(f"/session-bookings/{booking_id}/check-in", status=200)
    at = f"/session-bookings/{booking_id}/cancel"
    assert shop.post(at, {"reason": "Ill"}, status=400)["code"] == "checked_in"


def test_r21_the_list_is_filtered_in_the_database(shop, make, site_id, session_id, booking_id):
    later = another(make, session_id)
    second = make(lambda: book(later, email="jude@example.com", name="Jude Park"))
    other = shop.get(f"/session-bookings/{second}")["data"]
    day, next_day = (
        make(lambda it=it: fetch(Session, it)).local_start.date() for it in (session_id, later)
    )
    shop.post(f"/session-bookings/{second}/check-in", status=200)

    def found(query):
        return [it["id"] for it in shop.get(f"/session-bookings?{query}")["data"]]

    assert found("") == [booking_id, second]
    assert found(f"id={second}") == found(f"session_id={later}") == [second]
    assert found(f"id={second},{booking_id}") == [booking_id, second]
    assert found(f"session_type_id={other['session_type_id']}") == [booking_id, second]
    assert found(f"customer_id={other['customer_id']}") == [second]
    assert found(f"order_ref={other['order_ref'].replace(' ', '%20')}") == [second]
    assert found("stage=arrived") == found("status=confirmed&stage=arrived,in_treatment")
    assert found("stage=arrived") == [second]
    assert found("status=waitlisted,new") == []
    assert found(f"date={day}") == found(f"dateTo={day}") == [booking_id]
    assert found(f"dateFrom={next_day}") == found(f"date={next_day}T12:00:00Z") == [second]
    assert found(f"site_id={site_id}&per_page=1&page=2") == [second]
    assert found("id=x,0") == found("site_id=elsewhere") == []
    assert found("date=9999-12-31") == found("dateTo=0001-01-01") == []
    for wrong in ("stage=lost", "date=soon", "include_cancelled=perhaps", "order_ref=%00"):
        shop.get(f"/session-bookings?{wrong}", status=400)


def test_what_changed_since_comes_in_the_order_of_changes(shop, make, session_id, booking_id, now):
    second = make(lambda: book(session_id, email="jude@example.com"))
    for found in (booking_id, second):
        with_moment(make, found, now - dt.timedelta(hours=5))
    shop.post(f"/session-bookings/{booking_id}/check-in", status=200)
    since = (now - dt.timedelta(hours=6)).isoformat().replace("+", "%2B")
    ids = [it["id"] for it in shop.get(f"/session-bookings?updated_from={since}")["data"]]
    assert ids == [second, booking_id]
    since = (now - dt.timedelta(hours=1)).isoformat().replace("+", "%2B")
    ids = [it["id"] for it in shop.get(f"/session-bookings?updated_from={since}")["data"]]
    assert ids == [booking_id]


def with_moment(make, booking_id, moment):
    def write():
        with transaction():
            fetch(SessionBooking, booking_id).updated_at = moment

    make(write)


def test_a_page_of_bookings_takes_as_many_statements_however_many_it_has(
    app, shop, make, session_id
):
    def count_statements():
        seen = []
        with app.app_context():
            engine = db.engine

        def note(*_args):
            seen.append(1)

        sa.event.listen(engine, "before_cursor_execute", note)
        try:
            shop.get("/session-bookings?per_page=100")
        finally:
            sa.event.remove(engine, "before_cursor_execute", note)
        return len(seen)

    def fill(numbers):
        def build():
            kind = fetch(Session, session_id).session_type
            if kind.intake_form_version is None:
                make_form(kind, Field("q1", "Injuries", asked_of="each_guest"))
            for number in numbers:
                name = f"Guest {number}"
                row = make_session(kind, local_start=soon(number + 4))
                book(row.id, guests=2, people=("Jude",), name=name, email=f"g{number}@example.com")

        make(build)

    fill(range(2))
    shop.get("/session-bookings")
    few = count_statements()
    fill(range(2, 9))
    assert count_statements() == few


def test_the_trail_names_the_token(shop, make, booking_id):
    shop.post(f"/session-bookings/{booking_id}/check-in", status=200)

    def last():
        return db.session.scalars(
            sa.select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1),
            execution_options=ANYWHERE,
        ).one()

    entry = make(last)
    assert (entry.subject, entry.subject_id) == ("session_bookings", booking_id)
    assert (entry.actor_kind, entry.actor_name) == ("token", "A program")
    assert entry.actor_id
    assert entry.door == "api.action_check_in_session_booking"
