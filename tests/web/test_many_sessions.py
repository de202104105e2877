"""The statements of the desk's pages do not grow with rows: 10,000 sessions, 50,000 bookings."""

import datetime as dt
import itertools
import secrets
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from conftest import NOW, app_on
from factories import (
    make_group,
    make_order,
    make_practitioner,
    make_room,
    make_session,
    make_site,
    make_staff,
    make_type,
)
from sqlalchemy import event

from domain.local_time import end_of, to_utc
from domain.words import WEEKDAYS
from models import (
    RIGHTS,
    Order,
    OrderItem,
    Session,
    SessionBooking,
    db,
    new_object_id,
    refresh_statistics,
)

FEW, MANY, EACH = (8, 20), (100, 100), 5
"""Days and sessions a day; bookings of a session."""


def _site(days, a_day):
    """A site with one of its staff, and sessions of 5 bookings each."""
    site = make_site(slug="bath")
    kinds = [make_type(site, name=f"Type {n}") for n in range(10)]
    rooms = [make_room(site, name=f"Room {n}", position=n) for n in range(10)]
    person = make_practitioner(site)
    first = dt.datetime(2026, 6, 1, 7)  # noqa: DTZ001 - wall time
    group = make_group(
        kinds[0],
        rooms[0],
        weekdays=list(WEEKDAYS),
        start_times=[(first + dt.timedelta(minutes=80 * n)).time() for n in range(10)],
        recurrence_end=first.date() + dt.timedelta(days=days - 1),
    )
    make_staff(site, rights=RIGHTS)
    busy = make_session(kinds[0], local_start="2026-06-12T18:00", room_id=rooms[0].id, capacity=20)
    for n in range(EACH):
        make_order(busy, email=f"guest{n}@example.com", name=f"Guest {n}")
    _fill(site, kinds, rooms, days, a_day, group, person)
    return {
        "id": busy.id, "type": kinds[0].id, "room": rooms[0].id, "person": person.id,
        "series": group.id,
    }  # fmt: skip


def _fill(site, kinds, rooms, days, a_day, group, person):
    """Sessions of an hour, at most one each eight minutes of the day, in one insert each.

    Those of every 80 minutes are led by one person, and stand in one series.
    """
    common = {"organisation_id": site.organisation_id, "site_id": site.id}
    org = {"organisation_id": site.organisation_id}
    rows = {Session: [], Order: [], OrderItem: [], SessionBooking: []}
    starts = {row.value: row.id for row in group.start_times}
    for day, slot in itertools.product(range(days), range(0, 100, 100 // a_day)):
        n, is_led = slot % 10, slot % 10 == 0
        local = dt.datetime(2026, 6, 1, 7) + dt.timedelta(days=day, minutes=8 * slot)  # noqa: DTZ001
        start = to_utc(local, site.zoneinfo)
        session = {
            **common, "id": new_object_id(), "session_type_id": kinds[n].id,
            "session_type_name": kinds[n].name, "start_time": start,
            "end_time": end_of(start, 60), "local_start": local, "capacity": 12,
            "places_taken": EACH, "parties_taken": EACH, "room_id": rooms[n].id,
            "practitioner_id": person.id if is_led else None,
            "recurrence_group_id": group.id if is_led else None,
            "recurrence_date": local.date() if is_led else None,
            "start_time_id": starts[local.time()] if is_led else None,
            "created_at": NOW, "updated_at": NOW,
        }  # fmt: skip
        rows[Session].append(session)
        for _ in range(EACH):
            order, item = new_object_id(), new_object_id()
            rows[Order].append({
                **common, "id": order, "secret": secrets.token_urlsafe(12), "order_ref": order,
                "state": "confirmed", "name": "Ana Reyes", "email": "ana@example.com",
                "currency": "GBP", "created_at": NOW, "updated_at": NOW,
            })  # fmt: skip
            rows[OrderItem].append({
                **org, "id": item, "order_id": order, "places": 1, "unit_price": 4800,
                "currency": "GBP", "price_source": "rule",
            })  # fmt: skip
            rows[SessionBooking].append({
                **common, "id": new_object_id(), "session_id": session["id"],
                "session_type_id": session["session_type_id"], "session_type_name": "Type",
                "order_item_id": item, "order_id": order, "places": 1, "status": "confirmed",
                "created_at": NOW, "updated_at": NOW,
            })  # fmt: skip
    for model, values in rows.items():
        names = {column.name for column in model.__table__.columns}
        db.session.execute(
            sa.insert(model.__table__),
            [{name: value for name, value in row.items() if name in names} for row in values],
        )
    db.session.commit()


@pytest.fixture(scope="module")
def shops(databases):
    """Two applications: one with few rows, one with many; each with the id of a booked session."""
    found = []
    for number in (FEW, MANY):
        app = app_on(databases.make())
        with app.app_context():
            found.append((app, _site(*number)))
            refresh_statistics()
            db.session.remove()
    yield found
    for app, _ in found:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


PAGES = {
    "day": "/staff/bath/?date=2026-06-12",
    "week": "/staff/bath/?date=2026-06-12&view=week",
    "month": "/staff/bath/?date=2026-06-12&view=month",
    "agenda": "/staff/bath/?date=2026-06-05&view=agenda",
    "new": "/staff/bath/sessions/new?date=2026-06-12",
    "edit": "/staff/bath/sessions/{id}/edit",
    "edit with its impact": "/staff/bath/sessions/{id}/edit?time=19:00",
    "roster": "/staff/bath/sessions/{id}",
    "cancel": "/staff/bath/sessions/{id}/cancel",
    "types": "/staff/bath/types",
    "a type": "/staff/bath/types/{type}/details",
    "who may book": "/staff/bath/types/{type}/access",
    "archive a type": "/staff/bath/types/{type}/archive",
    "copy a type": "/staff/bath/types/{type}/copy",
    "prices": "/staff/bath/types/{type}/prices",
    "times": "/staff/bath/types/{type}/times",
    "series": "/staff/bath/series/{series}",
    "archive a series": "/staff/bath/series/{series}/archive",
    "closed days": "/staff/bath/closed-days",
    "close a day": "/staff/bath/closed-days/new?first=2026-06-06&reason=Repairs",
    "rooms": "/staff/bath/rooms",
    "a room": "/staff/bath/rooms/{room}",
    "archive a room": "/staff/bath/rooms/{room}/archive",
    "team": "/staff/bath/team",
    "a person": "/staff/bath/team/{person}",
    "archive a person": "/staff/bath/team/{person}/archive",
    "cover": "/staff/bath/cover?practitioner={person}&from=2026-06-06&to=2026-06-06",
    "works": "/staff/bath/works",
    "settings": "/staff/bath/settings",
    "another zone": "/staff/bath/settings/zone?zone=Europe/Paris",
    "categories": "/staff/bath/categories",
    "zones": "/staff/bath/zones",
    "pictures": "/staff/bath/media",
}


@pytest.fixture
def browse(visitor):
    """A signed-in receptionist's browser that counts the statements of a page."""

    def start(app):
        browser = type(visitor)(app.test_client(), app)
        browser.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")

        def count(url):
            asked = []

            def note(_connection, _cursor, statement, *_):
                asked.append(statement)

            with app.app_context():
                engine = db.engine
            event.listen(engine, "before_cursor_execute", note)
            page = browser.get(url)
            assert page.response.status_code == 200
            event.remove(engine, "before_cursor_execute", note)
            return len(asked)

        return SimpleNamespace(count=count)

    return start


@pytest.mark.parametrize("url", PAGES.values(), ids=PAGES)
def test_statements_are_as_many_for_many_rows_as_for_few(shops, browse, url):
    numbers = [browse(app).count(url.format(**ids)) for app, ids in shops]
    assert numbers[0] == numbers[1]
    assert numbers[1] <= 25


@pytest.mark.parametrize("view", ["day", "week", "month", "agenda"])
def test_a_filter_adds_no_statement(shops, browse, view):
    app, _ = shops[1]
    url = f"/staff/bath/?date=2026-06-12&view={view}"
    browser = browse(app)
    assert browser.count(f"{url}&type=a&type=b&room=c") <= browser.count(url)


def test_the_planner_of_sqlite_finds_bookings_by_their_session(shops, on_postgresql):
    if on_postgresql:
        pytest.skip("PostgreSQL looks at its rows by itself")
    app, _ = shops[1]
    asked = (
        "EXPLAIN QUERY PLAN SELECT id FROM session_bookings"
        " WHERE organisation_id = 'a' AND session_id = 'b' AND cancelled_at IS NULL"
    )
    with app.app_context():
        plan = [row[3] for row in db.session.connection().exec_driver_sql(asked)]
        db.session.remove()
    assert plan
    assert all("(session_id=" in line for line in plan), plan
