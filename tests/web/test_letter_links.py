"""H7: every link of every letter can be opened by a scanner, and nothing has changed then."""

import datetime as dt
import re
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    fetch,
    make_account,
    make_form,
    make_order,
    make_session,
    make_site,
    make_staff,
    make_type,
)

from blueprints.clock import read_clock
from blueprints.mailing import LETTERS, html_of, text_of, write
from domain.eligibility import Viewer
from domain.intake import Field
from domain.local_time import to_local
from models import AccountLink, Base, Order, SessionBooking, Site, db, new_uuid, transaction
from services.basket import drop_line, find_basket, hold_places
from services.checkout import confirm_order, find_order
from services.desk import set_no_show, waive_fee
from services.ledger import find_entries
from services.staff_invitations import invite
from services.waiting import close_waiting, join
from services.waking import release_expired_holds

HOME = "https://book.example"


def booked():
    """An order of two named guests, three days from now, with a form for each."""
    kind = make_type(make_site())
    asked = Field(id="f1", kind="text", label="Injuries?", required=True, asked_of="each_guest")
    make_form(kind, asked)
    start = to_local(read_clock() + dt.timedelta(days=3), fetch(Site, kind.site_id).zoneinfo)
    session = make_session(kind, local_start=start.replace(microsecond=0))
    secret = hold_places(
        session.organisation_id,
        session.id,
        session_type_id=kind.id,
        guests=2,
        viewer=Viewer(),
        basket_secret=None,
        account_id=None,
        now=read_clock(),
    )
    confirm_order(
        session.organisation_id,
        secret,
        name="Ana Reyes",
        email="ana@example.com",
        people=["Ben Cole"],
        now=read_clock(),
    )
    return find_order(secret).items[0].booking


def about_booking(**values):
    def payload():
        booking = booked()
        with transaction():
            row = fetch(SessionBooking, booking.id)
            for name, value in values.items():
                setattr(row, name, value() if callable(value) else value)
        return {"booking": booking.id, "sequence": 0}

    return payload


def waiting(state):
    """A party on the list of a full session, in this state."""

    def payload():
        offer = make_type(make_site(), waitlist_enabled=True)
        start = to_local(read_clock() + dt.timedelta(days=3), dt.UTC).replace(tzinfo=None)
        row = make_session(
            offer, local_start=start.replace(microsecond=0), capacity=1, waitlist_enabled=True
        )
        taken = hold_places(
            row.organisation_id, row.id, session_type_id=offer.id, guests=1, viewer=Viewer(),
            basket_secret=None, now=read_clock(),
        )  # fmt: skip
        secret = join(
            row.organisation_id, row.id, guests=1, name="Ana Reyes", email="ana@example.com",
            now=read_clock(),
        )  # fmt: skip
        now = read_clock()
        if state == "closed":
            with transaction():
                close_waiting(row.organisation_id, row.id, reason="Boiler", now=now)
        elif state != "waiting":
            line = find_basket(taken, now=now).items[0].booking.id
            drop_line(row.organisation_id, taken, line, now=now)
        if state == "missed":
            with transaction():
                entry = find_order_of(secret).items[0].booking
                entry.expires_at = now
            release_expired_holds(now)
        entry = find_order_of(secret).items[0].booking
        return {"booking": entry.id, "sequence": entry.sequence}

    return payload


def find_order_of(secret):
    return db.session.scalars(
        sa.select(Order).where(Order.secret == secret), execution_options=ANYWHERE
    ).one()


def with_link(purpose):
    def payload():
        account = make_account() if purpose != "register" else None
        link = AccountLink(
            id=new_uuid(),
            purpose=purpose,
            account_id=account.id if account else None,
            email="ana@example.com",
            created_at=read_clock(),
            expires_at=read_clock() + dt.timedelta(minutes=10),
        )
        with transaction():
            db.session.add(link)
        return {"link": link.id}

    return payload


def notice():
    return {"to": "ana@example.com", "name": "Ana Reyes", "address": "new@example.com"}


def invited():
    site = make_site()
    owner = make_staff(site, rights=("STAFF_MANAGE",))
    invitation_id = invite(
        site.organisation_id, site.id, email="noa@example.com", name="Noa", title="Host",
        rights={site.id: ["STAFF_MANAGE"]}, by=owner.id, now=read_clock(),
    )  # fmt: skip
    return {"invitation": invitation_id, "number": 1}


def with_fee(**gone):
    """A no-show that was charged for; with a reason it was waived since."""

    def payload():
        start = read_clock() - dt.timedelta(hours=2)
        local = to_local(start, dt.UTC).replace(tzinfo=None, microsecond=0)
        offer = make_type(make_site(zone="UTC"), no_show_fee=2500)
        row = make_session(offer, local_start=local)
        order = find_order(make_order(row, now=start - dt.timedelta(days=1)))
        at = (row.organisation_id, row.site_id, order.items[0].booking.id)
        set_no_show(*at, missed=True, now=read_clock() - dt.timedelta(hours=1))
        charge = next(it for it in find_entries(at[0], order.id) if it.fee)
        if gone:
            waive_fee(*at, now=read_clock(), **gone)
        return {"booking": at[2], "fee": charge.id}

    return payload


EXAMPLES = {
    "register": with_link("register"),
    "no_account": with_link("register"),
    "already_registered": with_link("sign_in"),
    "sign_in": with_link("sign_in"),
    "reset": with_link("reset"),
    "change_address": with_link("change_address"),
    "address_change_asked": notice,
    "address_changed": notice,
    "password_changed": notice,
    "account_closed": notice,
    "second_factor_off": notice,
    "recovery_code_used": notice,
    "passkey_added": notice,
    "booking_confirmed": lambda: {"order": booked().order_id},
    "booking_changed": about_booking(),
    "booking_cancelled": about_booking(cancelled_at=read_clock, cancelled_by="customer"),
    "booking_reminder": about_booking(),
    "waiting_joined": waiting("waiting"),
    "waiting_offer": waiting("offered"),
    "waiting_missed": waiting("missed"),
    "waiting_closed": waiting("closed"),
    "staff_invitation": invited,
    "fee_charged": with_fee(),
    "fee_waived": with_fee(reason="Ill"),
    "guest_form": lambda: {"booking": booked().id, "guest": ""},
}
"""Name of a letter to a function that makes what it is about and gives its payload."""


def test_h7_every_letter_has_an_example_here():
    assert set(EXAMPLES) == set(LETTERS)


def test_m1_a_letter_about_a_fee_says_what_the_books_say_now(app):
    with app.app_context():
        charged = write({"letter": "fee_charged", **with_fee()()})
        assert charged.subject == "No-show fee: £25.00"
        assert "We charged a no-show fee of £25.00" in text_of(charged)
        gone = with_fee(reason="Ill")()
        assert not write({"letter": "fee_charged", **gone}).is_useful
        assert "The no-show fee of £25.00 was taken off" in text_of(
            write({"letter": "fee_waived", **gone})
        )
        db.session.remove()


def dump():
    db.session.rollback()
    return {
        table.name: sorted(map(repr, db.session.connection().execute(sa.select(table))))
        for table in Base.metadata.sorted_tables
    }


def links_of(letter):
    found = re.findall(r'href="([^"]+)"', html_of(letter))
    found += re.findall(r"https?://\S+", text_of(letter))
    return {link.replace("&amp;", "&") for link in found if link.startswith(HOME)}


@pytest.mark.parametrize("kind", sorted(LETTERS))
def test_h7_links_in_letters_change_nothing_when_they_are_opened(app, kind):
    before = dict(app.config)
    app.config["PUBLIC_ADDRESS"] = HOME
    try:
        with app.app_context():
            letter = write({"letter": kind, **EXAMPLES[kind]()})
            assert letter is not None
            assert letter.is_useful
            links = links_of(letter)
            assert links or letter.action is None
            stood = dump()
            db.session.remove()
        for link in links:
            for _ in range(2):
                # A stranger's scanner: no cookies, and HEAD before GET.
                client = app.test_client()
                path = urlsplit(link)._replace(scheme="", netloc="").geturl()
                for answer in (client.head(path), client.get(path)):
                    assert answer.status_code in (200, 303), (kind, link, answer.status_code)
        with app.app_context():
            assert dump() == stood
            db.session.remove()
    finally:
        app.config.update(before)
