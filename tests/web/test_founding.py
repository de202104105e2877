"""From nothing to a venue's first booking, and further venues of an organisation."""

import datetime as dt

import pytest
import sqlalchemy as sa
from factories import ANYWHERE, fetch, make_group, make_site, make_staff, make_type

from blueprints.clock import read_clock
from models import RIGHTS, Account, Organisation, Room, SessionBooking, Site, StaffGrant, db
from services.scheduling import produce_sessions

ASKED = {
    "--organisation": "River Houses",
    "--code": "river",
    "--site": "Mill House",
    "--slug": "mill-house",
    "--zone": "Europe/Paris",
    "--currency": "EUR",
    "--owner": "Ines Moreau",
    "--email": "ines@example.com",
}


@pytest.fixture
def found(app):
    def call(password="slow warm water", **changed):
        given = {**ASKED, **{f"--{name}": value for name, value in changed.items()}}
        args = [part for pair in given.items() for part in pair]
        return app.test_cli_runner().invoke(
            args=["found", *args, "--password-stdin"], input=f"{password}\n"
        )

    return call


def rows(app, model):
    with app.app_context():
        found = db.session.scalars(sa.select(model), execution_options=ANYWHERE).all()
        db.session.expunge_all()
        return found


def test_an_empty_machine_gets_an_organisation_a_venue_and_an_owner_with_all_rights(app, found):
    answer = found()
    assert answer.exit_code == 0, answer.output
    assert "/staff/mill-house/settings" in answer.output
    assert [(row.name, row.code) for row in rows(app, Organisation)] == [("River Houses", "RIVER")]
    site = rows(app, Site)[0]
    assert (site.zone, site.currency, site.slug) == ("Europe/Paris", "EUR", "mill-house")
    grants = rows(app, StaffGrant)
    assert {grant.right for grant in grants} == set(RIGHTS)
    assert {grant.site_id for grant in grants} == {None}
    assert "slow warm water" not in answer.output


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "code: There is an organisation with the code RIVER already"),
        ({"code": "OTHER"}, "slug: The address /mill-house is taken"),
        ({"code": "OTHER", "slug": "other"}, "email: ines@example.com has an account already"),
        ({"code": "OTHER", "slug": "other", "email": "INES@example.com"}, "has an account already"),
    ],
)
def test_doubles_are_refused_clearly_and_nothing_is_written(app, found, changed, said):
    found()
    answer = found(**changed)
    assert answer.exit_code == 1
    assert said in answer.output
    assert len(rows(app, Organisation)) == len(rows(app, Site)) == len(rows(app, Account)) == 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"zone": "Mars/Olympus"}, "zone: "), ({"currency": "XXX"}, "currency: "),
        ({"slug": "staff"}, "one of our own pages"), ({"slug": "A b"}, "slug: "),
        ({"email": "ines"}, "email: "), ({"owner": "<b>"}, "owner: "),
        ({"organisation": ""}, "organisation: "), ({"code": "!"}, "code: "),
        ({"password": "short"}, "password: "), ({"password": ""}, "password: "),
        ({"site": "n" * 201}, "name: "), ({"locale": "tlh"}, "locale: "),
    ],
)  # fmt: skip
def test_wrong_values_are_refused_before_anything_is_written(app, found, changed, said):
    answer = found(**changed)
    assert answer.exit_code == 1, answer.output
    assert said in answer.output
    assert rows(app, Organisation) == []


def test_a_new_venue_from_nothing_to_its_first_booking_by_a_customer(
    app, found, make, visitor, other_visitor
):
    found()
    owner = visitor
    owner.sign_in("ines@example.com", "slow warm water", "/staff/sign-in")
    base = "/staff/mill-house"
    owner.get(f"{base}/settings")
    room = {"name": "Pool", "zone_id": "", "cap": "8", "turnaround": "0", "colour": "1"}
    owner.post(f"{base}/rooms", room, 303)
    site_id = rows(app, Site)[0].id
    owner.post(f"{base}/team", {"name": "Luc", "sites": ["", site_id], "types": [""]}, 303)
    owner.post(f"{base}/categories", {"name": "Water", "slug": "water"}, 303)

    def offer():
        kind = make_type(fetch(Site, site_id), slug="bathe", name="Bathe", price=2000)
        pool = db.session.scalars(sa.select(Room), execution_options=ANYWHERE).one()
        today = read_clock().date()
        group = make_group(
            kind, pool, weekdays=["monday", "tuesday", "wednesday", "thursday", "friday"],
            recurrence_start=today + dt.timedelta(days=3),
            recurrence_end=today + dt.timedelta(days=10),
        )  # fmt: skip
        produce_sessions(kind.organisation_id, group.id, now=read_clock())

    make(offer)
    page = other_visitor.get("/mill-house/book/bathe")
    chosen = page.form("form.slot[aria-label='09:00']")
    held = other_visitor.post("/mill-house/book/bathe", chosen, 303)
    page = other_visitor.get(held.response.location)
    fields = page.form("form[action$='/checkout']")
    fields |= {"name": "Ana Reyes", "email": "ana@example.com"}
    other_visitor.post("/mill-house/checkout", fields, 303)
    assert [row.status for row in rows(app, SessionBooking)] == ["confirmed"]


NEW = {
    "name": "Mill House", "place": "Nord", "slug": "mill-nord", "zone": "Europe/Oslo",
    "currency": "NOK", "locale": "nb_NO",
}  # fmt: skip


@pytest.fixture
def bath(make):
    def build():
        site = make_site(slug="bath")
        make_staff(site, rights=("SETTINGS_MANAGE",))
        make_staff(site, "owner@example.com", rights=("SETTINGS_MANAGE",), everywhere=True)

    make(build)


@pytest.fixture
def owner(visitor, bath):
    visitor.sign_in("owner@example.com", "thermal-waters", "/staff/sign-in")
    return visitor


def test_who_sets_up_all_venues_adds_another_and_may_set_it_up(app, owner):
    token = owner.token()
    for _ in range(2):
        answer = owner.post("/staff/bath/venues/new", {**NEW, "key": "k", "csrf_token": token}, 303)
    assert answer.response.location.endswith("/staff/mill-nord/settings")
    assert "Mill House Nord" in owner.get("/staff/mill-nord/settings").text("h1")
    assert len(rows(app, Site)) == 2
    owner.get("/mill-nord/")


def test_who_sets_up_one_venue_adds_none(other_visitor, bath):
    other_visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    other_visitor.get("/staff/bath/venues/new", 403)
    other_visitor.post("/staff/bath/venues/new", NEW, 403)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("name", ""), ("slug", "bath"), ("slug", "account"), ("slug", ""), ("zone", "Here"),
        ("currency", "DEM"), ("locale", "xx"), ("place", "<b>"),
    ],
)  # fmt: skip
def test_a_venue_with_a_wrong_value_is_refused_at_its_field(app, owner, field, text):
    page = owner.post("/staff/bath/venues/new", {**NEW, field: text}, 422)
    assert page.all(f".summary a[href='#{field}']")
    assert len(rows(app, Site)) == 1
