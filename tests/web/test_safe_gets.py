"""H7: whatever address is opened, by whomever, nothing in the database changes."""

import datetime as dt
import itertools

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    fetch,
    make_customer,
    make_order,
    make_session,
    make_site,
    make_staff,
    make_type,
)

from blueprints.clock import read_clock
from models import Job, PrivateLink, db
from services.changing import door_of_order
from services.checkout import find_order
from services.feeds import find_feed_key, start_feed
from services.giving_up import release_places
from services.private_links import NewLink, make_link
from services.waiting import join
from services.waitlists import find_standing

RIGHTS = ("RESERVATIONS_MANAGE", "SETTINGS_MANAGE", "CUSTOMERS_MANAGE")


@pytest.fixture
def house(make):
    """Offers that have run out, places given up, kept places: all that a look could tidy up."""

    def build():
        now = read_clock()
        earlier, day = now - dt.timedelta(hours=3), (now + dt.timedelta(days=5)).date()
        site = make_site(slug="bath")
        kind = make_type(site, waitlist_enabled=True, customer_cancellation_min_duration="P30D")
        row, other = (
            make_session(kind, local_start=f"{day}T{hour}:00", capacity=2, waitlist_enabled=True)
            for hour in (10, 15)
        )
        order = make_order(row, guests=2)
        line = find_order(order).items[0].booking.id
        release_places(door_of_order(order, line), line, 2, now=earlier)
        waiting = join(
            row.organisation_id, row.id, guests=2, name="Wan", email="w@example.com", now=earlier
        )
        entry = find_standing(waiting, now=now)
        assert entry.state == "missed"
        link = make_link(
            site.organisation_id, site.id,
            NewLink(kind.id, "Ines", other.local_start, "", 100, now + dt.timedelta(days=1), 5, 2),
            by="staff", now=now,
        )  # fmt: skip
        maren = make_staff(site, rights=RIGHTS)
        start_feed(maren.id)
        customer = make_customer(site.organisation_id, maren, email="maren@example.com")
        jobs = db.session.scalars(sa.select(Job.id), execution_options=ANYWHERE)
        return {
            "site": ["bath"],
            "secret": [order, waiting],
            "session_id": [row.id, other.id],
            "booking_id": [line, entry.entry.id],
            "link_id": [link],
            "type_id": [kind.id],
            "type_slug": [kind.slug],
            "customer_id": [customer.id],
            "job_id": list(jobs)[:1],
            "address": [f"{kind.slug}-{fetch(PrivateLink, link).key}"],
            "kind": ["booking_changed", "waiting_offer"],
            "key": [find_feed_key(maren.id)],
            "date": [str(day)],
        }

    return make(build)


def everything():
    """Every row of every table, apart from what counts tries."""
    return {
        name: sorted(map(repr, db.session.execute(sa.select(table), execution_options=ANYWHERE)))
        for name, table in db.metadata.tables.items()
        if "tries" not in name and "attempts" not in name
    }


def addresses(app, house):
    with app.test_request_context():
        adapter = app.url_map.bind("localhost")
        for rule in app.url_map.iter_rules():
            if "GET" not in (rule.methods or ()) or rule.endpoint.startswith("static"):
                continue
            choices = [house.get(name, ["1"]) for name in sorted(rule.arguments)]
            for values in itertools.product(*choices):
                url = adapter.build(
                    rule.endpoint, dict(zip(sorted(rule.arguments), values, strict=True))
                )
                yield rule, url


def test_h7_no_address_changes_anything_when_it_is_opened(app, visitor, make, house):
    before, opened = make(everything), 0
    looks = list(addresses(app, house))
    for door in (None, "/staff/sign-in"):
        if door:
            visitor.sign_in("maren@example.com", "thermal-waters", door)
            before = make(everything)
        for rule, url in looks:
            answer = visitor.client.get(url)
            assert answer.status_code < 500, url
            opened += answer.status_code == 200
            is_public = "public" in answer.headers.get("Cache-Control", "")
            assert not (is_public and "Set-Cookie" in answer.headers), url
            if door is None and "<site>" in rule.rule and rule.rule.startswith("/staff/"):
                assert answer.status_code in (302, 303, 401, 403, 404), url
        after = make(everything)
        assert [name for name in before if before[name] != after[name]] == []
    assert opened > 60
