"""What the letters about bookings say, when they say nothing, and the files that go with them."""

import datetime as dt

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    fetch,
    make_booked_line,
    make_form,
    make_room,
    make_session,
    make_site,
    make_type,
)
from icalendar import Calendar

from blueprints.clock import read_clock
from blueprints.mailing import Letter, compose, html_of, text_of, worded, write
from blueprints.palette import DARK, LIGHT, palette
from blueprints.working import drain
from domain.colour import ENOUGH, contrast
from domain.eligibility import Viewer
from domain.intake import Field
from domain.local_time import to_local
from domain.wording import Wording
from models import Guest, Job, Session, SessionBooking, Site, db, transaction
from services.basket import hold_places
from services.cancelling import cancel_for_staff
from services.checkout import book_for_staff, confirm_order, find_order
from services.desk import set_check_in
from services.intake_answers import find_guest_form, save_answers
from services.letters import post_about_booking
from services.outbox import list_jobs
from services.reminders import plan_reminder

pytestmark = pytest.mark.usefixtures("mail")

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def mail(app):
    before = dict(app.config), app.extensions["sundial-clock"]
    app.config.update(PUBLIC_ADDRESS="https://book.example", MAIL_FROM="Sundial <no-reply@b.ex>")
    with app.app_context():
        yield
        db.session.remove()
    app.config.update(before[0])
    app.extensions["sundial-clock"] = before[1]


@pytest.fixture
def clock(app):
    """Turns the shop's clock forward."""

    def turn(hours=0, **given):
        app.extensions["sundial-clock"] += dt.timedelta(hours=hours, **given)

    return turn


def coming(kind=None, hours=72, **given):
    """A session some hours from now, on the minute."""
    kind = kind or make_type()
    zone = fetch(Site, kind.site_id).zoneinfo
    start = (read_clock() + dt.timedelta(hours=hours)).replace(second=0, microsecond=0)
    return make_session(kind, local_start=to_local(start, zone), **given)


def book(session=None, **given):
    """A booking made now; its row."""
    return again(_order(session or coming(), **given))


def _order(*sessions, guests=1, email="ana@example.com", people=(), name="Ana Reyes"):
    secret = None
    for found in sessions:
        secret = hold_places(
            found.organisation_id,
            found.id,
            session_type_id=found.session_type_id,
            guests=guests,
            viewer=Viewer(),
            basket_secret=secret,
            account_id=None,
            now=read_clock(),
        )
    return confirm_order(
        sessions[0].organisation_id,
        secret,
        name=name,
        email=email,
        people=people,
        now=read_clock(),
    )


def again(secret):
    return find_order(secret).items[0].booking


def jobs(kind):
    db.session.rollback()
    return [job for job in list_jobs("mail") if job.payload["letter"] == kind]


def about(kind, booking):
    return {"letter": kind, "booking": booking.id, "sequence": booking.sequence}


def change(booking, **values):
    with transaction():
        row = fetch(SessionBooking, booking.id)
        for name, value in values.items():
            setattr(row, name, value)
    return fetch(SessionBooking, booking.id)


def cancel(booking):
    cancel_for_staff(
        booking.organisation_id, booking.site_id, booking.id, reason="Ill.", now=read_clock()
    )
    return fetch(SessionBooking, booking.id)


def events(data):
    calendar = Calendar.from_ical(data)
    return str(calendar["method"]), calendar.walk("VEVENT")


# ---------------------------------------------------------------- what is posted


def test_e1_one_confirmation_for_an_order_of_several_lines():
    kind = make_type()
    order = find_order(_order(coming(kind), coming(kind, hours=80)))
    [job] = jobs("booking_confirmed")
    assert (job.payload["order"], job.site_id) == (order.id, order.site_id)
    letter = write(job.payload)
    assert letter.to == "ana@example.com"
    assert letter.subject.startswith("You're booked: Thermal circuit and 1 more, ")
    assert [table.title for table in letter.details] == ["Thermal circuit"] * 2
    assert "To pay at Stillwater Bath: £96.00." in letter.paragraphs
    method, found = events(letter.calendar)
    # A REQUEST speaks of one UID (RFC 5546).
    assert (method, len(found)) == ("PUBLISH", 2)


def test_nothing_is_posted_for_a_walk_in_or_without_an_address():
    session = coming(hours=0.2)
    book_for_staff(
        session.organisation_id,
        session.id,
        name="Kim",
        guests=1,
        email="kim@example.com",
        now=read_clock(),
    )
    assert list_jobs("mail") == []


def test_e1_a_confirmation_that_failed_posts_nothing():
    session = coming()
    with pytest.raises(Exception, match="after the @"):
        _order(session, email="not an address")
    assert list_jobs("mail") == []


def test_a_confirmation_says_when_where_who_and_what_it_costs():
    site = make_site(texts={"address": ["4 Weir Lane", "Bath BA1 5LS"]})
    room = make_room(site)
    booking = book(coming(make_type(site), room_id=room.id), guests=2)
    letter = write({"letter": "booking_confirmed", "order": booking.order_id})
    rows = dict(letter.details[0].rows)
    start = booking.session.local_start
    assert rows["Date"].endswith(str(start.year))
    assert rows["Time"].startswith(f"{start:%H:%M} to ")
    assert rows["Time"].endswith("(BST)")
    assert rows["Where"] == "Spring Hall, Stillwater Bath"
    assert rows["Guests"] == "Ana Reyes and 1 guest"
    assert rows["Price"] == "£96.00, to pay when you come"
    assert rows["Reference"] == booking.order.order_ref
    for text in (text_of(letter), html_of(letter)):
        for value in (*rows.values(), "4 Weir Lane, Bath BA1 5LS", "01225 000000"):
            assert value in text
        assert f"https://book.example/bookings/{booking.order.secret}" in text


def test_a_letter_carries_the_venues_name_and_answers_go_to_it():
    booking = book()
    message = compose(write({"letter": "booking_confirmed", "order": booking.order_id}), "key")
    assert message["From"] == "Stillwater Bath <no-reply@b.ex>"
    assert message["Reply-To"] == "hello@stillwater.example"
    assert message["Content-Language"] == "en-GB"
    kinds = [part.get_content_type() for part in message.walk() if not part.is_multipart()]
    assert kinds == ["text/plain", "text/html", "text/calendar", "application/ics"]
    inline, attached = list(message.walk())[-2:]
    assert inline.get_param("method") == "REQUEST"
    assert attached.get_filename() == "booking.ics"
    assert events(attached.get_content())[1][0]["uid"] == f"{booking.id}@sundial"
    assert events(inline.get_content())[1][0]["uid"] == f"{booking.id}@sundial"


def test_a_venue_without_an_address_or_with_a_wrong_one_has_no_reply_to():
    for email in ("", "nobody", "a@example.com\nBcc: b@example.com"):
        site = make_site(email=email)
        letter = Letter(to="a@example.com", subject="Hello", paragraphs=("x",), site=site)
        assert compose(letter, "key")["Reply-To"] is None


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
@pytest.mark.parametrize(
    "brand",
    [
        {},
        {"brand": "#ffe000", "brand_dark": "#332200", "on_brand": "#ffffff"},
        {"brand": "red;}", "neutrals": {"ink": ["#fefefe", "#010101"], "ground": "no"}},
    ],
)
def test_text_is_readable_in_any_venues_colours(brand, scheme):
    colours = palette(brand, scheme)
    assert all(len(colour) == 7 for colour in colours.values())
    for text, ground in (
        ("ink", "surface"),
        ("ink_3", "surface"),
        ("link", "surface"),
        ("foot", "ground"),
        ("foot_link", "ground"),
        ("on_accent", "accent"),
    ):
        assert contrast(colours[text], colours[ground]) >= ENOUGH, (text, ground)


def test_names_and_wording_are_text_and_never_markup():
    site = make_site(name="<b>Still</b>", texts={"address": ["<i>4</i>"]})
    letter = Letter(
        to="a@example.com", name="<img src=x>", subject="", paragraphs=("<p>",), site=site
    )
    html = html_of(worded(letter, Wording("<u>{name}</u>", "{venue}\n<script>", "")))
    for tag in ("<b>", "<i>", "<img", "<u>", "<script", "<p>Hello"):
        assert tag not in html
    assert "&lt;u&gt;&lt;img src=x&gt;&lt;/u&gt;" in html


# ---------------------------------------------------------------- what is true now


def test_a_confirmation_of_what_was_cancelled_meanwhile_is_not_sent():
    kind = make_type()
    order = find_order(_order(coming(kind), coming(kind, hours=80)))
    first, second = (item.booking for item in order.items)
    cancel(first)
    letter = write({"letter": "booking_confirmed", "order": order.id})
    assert len(letter.details) == 1
    assert events(letter.calendar)[0] == "REQUEST"
    cancel(second)
    assert write({"letter": "booking_confirmed", "order": order.id}) is None


def test_a_confirmation_that_comes_after_the_visit_is_not_sent(clock):
    booking = book(coming(hours=1))
    clock(4)
    assert write({"letter": "booking_confirmed", "order": booking.order_id}) is None
    assert write({"letter": "booking_confirmed", "order": "0" * 24}) is None


def test_a_change_is_told_as_it_is_now_and_only_for_the_last_version():
    booking = book()
    older = about("booking_changed", booking)
    other = coming(booking.session.session_type, hours=96)
    booking = change(booking, session_id=other.id, sequence=1)
    letter = write(about("booking_changed", booking))
    assert dict(letter.details[0].rows)["Time"].startswith(f"{other.local_start:%H:%M}")
    method, [event] = events(letter.calendar)
    assert (method, event["sequence"]) == ("REQUEST", 1)
    assert event["dtstart"].dt == other.start_time
    assert write(older) is None
    booking = change(booking, cancelled_at=read_clock(), cancelled_by="customer")
    assert write(about("booking_changed", booking)) is None


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("customer", "You cancelled it"),
        ("staff", "Stillwater Bath cancelled it."),
        ("venue", "had to cancel this session. We're sorry. The reason: No hot water."),
    ],
)
def test_e3_a_cancellation_says_by_whom_and_takes_it_out_of_the_calendar(by, said):
    booking = book()
    assert write(about("booking_cancelled", booking)) is None
    booking = cancel(booking)
    booking = change(booking, cancelled_by=by, sequence=1)
    with transaction():
        fetch(Session, booking.session_id).cancel_reason = "No hot water."
    letter = write(about("booking_cancelled", booking))
    text = text_of(letter)
    assert said in text
    # What staff noted for themselves is theirs.
    assert "Ill." not in text
    assert ("No hot water." in text) is (by == "venue")
    assert "£48.00 was taken off what you owe. There is nothing left to pay." in text
    method, [event] = events(letter.calendar)
    assert (method, event["status"], event["sequence"]) == ("CANCEL", "CANCELLED", 1)
    assert event["uid"] == f"{booking.id}@sundial"


def test_a_cancelled_line_leaves_what_the_others_cost():
    kind = make_type()
    order = find_order(_order(coming(kind), coming(kind, hours=80)))
    booking = cancel(order.items[0].booking)
    text = text_of(write(about("booking_cancelled", booking)))
    assert "£48.00 was taken off what you owe." in text
    assert "For what remains of your order, to pay at Stillwater Bath: £48.00." in text


# ---------------------------------------------------------------- reminders


def test_e2_the_reminder_is_due_before_the_start_and_flows_through_the_worker(clock):
    booking = book()
    [job] = jobs("booking_reminder")
    assert job.run_at == booking.session.start_time - 24 * HOUR
    drain()
    assert jobs("booking_reminder")[0].attempts == 0
    clock(49)
    drain()
    [job] = jobs("booking_reminder")
    assert job.done_at is not None
    assert job.error == "Not sent: no mail server is set."


def test_e2_none_for_a_booking_made_after_that_moment():
    book(coming(hours=23))
    book(coming(make_type(make_site(reminder_hours=0))))
    assert jobs("booking_reminder") == []


def test_e2_moving_replaces_the_reminder_and_a_raised_sequence_silences_it(clock):
    booking = book()
    old = about("booking_reminder", booking)
    other = coming(booking.session.session_type, hours=96)
    booking = change(booking, session_id=other.id, sequence=1)
    assert write(old) is None
    with transaction():
        plan_reminder(fetch(SessionBooking, booking.id), now=read_clock())
        plan_reminder(fetch(SessionBooking, booking.id), now=read_clock())
    [job] = jobs("booking_reminder")
    assert (job.payload["sequence"], job.run_at) == (1, other.start_time - 24 * HOUR)


def test_e2_none_for_what_is_cancelled_waiting_or_here_already():
    booking = book()
    payload = about("booking_reminder", booking)
    assert write(payload) is not None
    place = (booking.organisation_id, booking.site_id, booking.id)
    set_check_in(*place, arrived=True, now=booking.session.start_time)
    assert write(payload) is None
    set_check_in(*place, arrived=False, now=booking.session.start_time)
    booking = cancel(booking)
    assert write(payload) is None
    with transaction():
        db.session.execute(sa.delete(Job), execution_options=ANYWHERE)
        plan_reminder(booking, now=read_clock())
    waiting = change(book(), status="waitlisted", sequence=1)
    with transaction():
        db.session.execute(sa.delete(Job), execution_options=ANYWHERE)
        plan_reminder(waiting, now=read_clock())
    assert jobs("booking_reminder") == []


def test_e2_after_an_outage_only_while_it_helps(clock):
    booking = book()
    clock(70.9)
    assert write(about("booking_reminder", booking)) is not None
    clock(0.2)
    assert write(about("booking_reminder", booking)) is None


def test_e1_two_causes_of_one_version_are_one_letter():
    booking = book()
    with transaction():
        post_about_booking("booking_changed", booking, now=read_clock())
        post_about_booking("booking_changed", booking, now=read_clock())
    assert len(jobs("booking_changed")) == 1


# ---------------------------------------------------------------- forms of guests

ASKED = Field(id="f1", kind="text", label="Any injuries?", required=True, asked_of="each_guest")


def with_guests():
    kind = make_type()
    make_form(kind, ASKED)
    return book(coming(kind), guests=3, people=("Ben Cole", "Cara Diaz"))


def test_the_booker_is_sent_the_links_of_guests_without_an_address():
    booking = with_guests()
    [job] = jobs("guest_form")
    letter = write(job.payload)
    assert letter.to == "ana@example.com"
    links = dict(letter.details[0].rows)
    assert set(links) == {"Ben Cole", "Cara Diaz"}
    secrets = {guest.name: guest.form_secret for guest in booking.guests}
    assert links["Ben Cole"] == f"https://book.example/forms/{secrets['Ben Cole']}"
    save_answers(
        booking.organisation_id,
        booking.id,
        {1: {"f1": ["None"]}},
        seen={1: find_guest_form(secrets["Ben Cole"], now=read_clock()).part.seen},
        by="guest",
        now=read_clock(),
    )
    assert set(dict(write(job.payload).details[0].rows)) == {"Cara Diaz"}
    cancel(booking)
    assert write(job.payload) is None


def test_a_guest_with_an_address_gets_the_own_link_and_nothing_of_the_order():
    booking = with_guests()
    guest = next(it for it in booking.guests if it.name == "Ben Cole")
    with transaction():
        fetch(Guest, guest.id).email = "ben@example.com"
    letter = write({"letter": "guest_form", "booking": booking.id, "guest": guest.id})
    assert (letter.to, letter.name) == ("ben@example.com", "Ben Cole")
    text = text_of(letter)
    assert f"https://book.example/forms/{guest.form_secret}" in text
    for private in (booking.order.secret, booking.order.order_ref, "Reyes", "Cara", "£"):
        assert private not in text
    assert write({"letter": "guest_form", "booking": booking.id, "guest": "0" * 24}) is None


# ---------------------------------------------------------------- calendar files


@pytest.mark.parametrize(
    ("start", "end_utc"),
    [
        # The clocks go forward at 01:00 UTC, in the middle of this one …
        ("2027-03-28T00:30", "2027-03-28T02:30"),
        ("2026-10-24T18:00", "2026-10-24T19:00"),
        # … and back here: two hours have passed when the wall says one.
        ("2026-10-25T00:30", "2026-10-25T01:30"),
        ("2026-10-25T18:00", "2026-10-25T20:00"),
    ],
)
def test_e3_times_are_right_across_clock_changes(start, end_utc):
    session = make_session(local_start=start)
    booking = book(session)
    letter = write({"letter": "booking_confirmed", "order": booking.order_id})
    _, [event] = events(letter.calendar)
    assert event["dtstart"].dt == session.start_time
    assert event["dtend"].dt == dt.datetime.fromisoformat(f"{end_utc}+00:00")
    assert event["dtend"].dt - event["dtstart"].dt == 2 * HOUR


def test_e3_times_of_the_past_change_are_right_too():
    session = make_session(local_start="2026-03-29T00:30")
    booking = make_booked_line(coming(session.session_type))
    booking = change(
        booking, session_id=session.id, cancelled_at=read_clock(), cancelled_by="venue"
    )
    letter = write(about("booking_cancelled", booking))
    _, [event] = events(letter.calendar)
    assert event["dtstart"].dt == dt.datetime(2026, 3, 29, 0, 30, tzinfo=dt.UTC)
    assert event["dtend"].dt == dt.datetime(2026, 3, 29, 2, 30, tzinfo=dt.UTC)
    assert dict(letter.details[0].rows)["Time"].startswith("00:30 to 03:30")


def test_e3_what_invites_names_who_invites_and_who_comes_and_asks_for_no_answer():
    booking = book()
    letter = write({"letter": "booking_confirmed", "order": booking.order_id})
    _, [event] = events(letter.calendar)
    # Programs take an update from the organizer only, so it is the address that mails come from.
    assert event["organizer"] == "mailto:no-reply@b.ex"
    assert event["organizer"].params["CN"] == "Stillwater Bath"
    assert event["attendee"] == "mailto:ana@example.com"
    assert event["attendee"].params["RSVP"] == "FALSE"
    assert event["attendee"].params["PARTSTAT"] == "ACCEPTED"
    assert event["url"] == f"https://book.example/bookings/{booking.order.secret}"


def test_e3_the_page_offers_what_stands_and_what_was_cancelled(visitor):
    kind = make_type()
    order = find_order(_order(coming(kind), coming(kind, hours=80)))
    first, second = (item.booking for item in order.items)
    url = f"/bookings/{order.secret}"
    visitor.get(f"{url}/cancelled.ics", 404)
    method, found = events(visitor.client.get(f"{url}/calendar.ics").data)
    assert (method, len(found)) == ("PUBLISH", 2)
    assert "attendee" not in found[0]
    change(first, sequence=3)
    cancel(first)
    method, [event] = events(visitor.client.get(f"{url}/calendar.ics").data)
    assert (method, event["uid"]) == ("PUBLISH", f"{second.id}@sundial")
    link = visitor.get(url).one("a[href$='cancelled.ics']")["href"]
    answer = visitor.client.get(link)
    assert answer.content_type == "text/calendar; charset=utf-8; method=CANCEL"
    method, [event] = events(answer.data)
    assert (method, event["uid"], event["status"]) == ("CANCEL", f"{first.id}@sundial", "CANCELLED")
    # Cancelling is a change like any other.
    assert event["sequence"] == 4
    cancel(second)
    method, found = events(visitor.client.get(f"{url}/calendar.ics").data)
    assert (method, len(found)) == ("CANCEL", 2)


def test_e1_what_is_posted_names_the_site_whose_staff_may_read_it():
    booking = with_guests()
    rows = db.session.scalars(sa.select(Job), execution_options=ANYWHERE).all()
    assert {job.site_id for job in rows} == {booking.site_id}
    assert {job.payload["letter"] for job in rows} == {
        "booking_confirmed",
        "booking_reminder",
        "guest_form",
    }
