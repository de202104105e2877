"""Rooms, zones and categories: set up, changed, put in order, archived, deleted."""

import datetime as dt

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    fetch,
    make_group,
    make_organisation,
    make_room,
    make_session,
    make_site,
    make_staff,
    make_type,
    save,
)

from blueprints.clock import read_clock
from models import Category, Room, Session, SessionType, Site, Zone, db

ROOMS, ZONES, CATEGORIES = (f"/staff/bath/{name}" for name in ("rooms", "zones", "categories"))
SAUNA = {"name": "Sauna", "zone_id": "", "cap": "6", "turnaround": "15", "colour": "4"}


@pytest.fixture
def house(make):
    def build():
        site = make_site(slug="bath")
        make_staff(site, rights=("SETTINGS_MANAGE",))
        zone = save(Zone(organisation_id=site.organisation_id, site_id=site.id, name="Waters"))
        rooms = [
            make_room(site, name=name, cap=cap, position=number, zone_id=zone.id)
            for number, (name, cap) in enumerate((("Hall", 14), ("Vault", 10), ("Steps", 8)))
        ]
        other = make_site(make_organisation(), slug="elsewhere")
        theirs = save(Category(organisation_id=other.organisation_id, slug="theirs", name="Theirs"))
        their_zone = save(
            Zone(organisation_id=other.organisation_id, site_id=other.id, name="Theirs")
        )
        return {
            "site": site.id, "zone": zone.id, "rooms": [room.id for room in rooms],
            "their_room": make_room(other).id, "their_zone": their_zone.id, "theirs": theirs.id,
        }  # fmt: skip

    return make(build)


@pytest.fixture
def maren(visitor, house):
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    return visitor


@pytest.fixture
def rows(app):
    def look(model):
        with app.app_context():
            found = db.session.scalars(
                sa.select(model).order_by(model.id), execution_options=ANYWHERE
            ).all()
            db.session.expunge_all()
            return found

    return look


def names(page):
    return [tag.get_text() for tag in page.all(".set-list b")]


def mark(browser, url):
    return browser.get(url).one("[name=seen]")["value"]


def ahead(days=3):
    return f"{(read_clock() + dt.timedelta(days=days)).date()}T10:00"


# Rooms


def test_a_room_is_added_once_however_often_the_button_is_pressed(maren, house, rows):
    form = {**SAUNA, "zone_id": house["zone"], "key": "k1"}
    token = maren.token()
    for _ in range(2):
        maren.post(ROOMS, {**form, "csrf_token": token}, 303)
    sauna = [row for row in rows(Room) if row.name == "Sauna"]
    assert [(r.cap, r.turnaround, r.colour, r.position, r.zone_id) for r in sauna] == [
        (6, 15, 4, 3, house["zone"])
    ]
    maren.post(ROOMS, {**form, "name": "Other", "csrf_token": token}, 409)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("name", ""), ("name", "<b>"), ("name", "n" * 201), ("cap", "0"), ("cap", "many"),
        ("cap", "1001"), ("turnaround", "-5"), ("colour", "7"), ("zone_id", "nowhere"),
    ],
)  # fmt: skip
def test_r22_wrong_values_of_a_room_are_refused_at_their_field(maren, house, rows, field, text):
    before = len(rows(Room))
    page = maren.post(ROOMS, {**SAUNA, field: text}, 422)
    assert page.text("title").startswith("Error:")
    assert page.all(f".summary a[href='#{field}']")
    room = house["rooms"][0]
    maren.post(f"{ROOMS}/{room}", {"seen": mark(maren, f"{ROOMS}/{room}"), field: text}, 422)
    assert len(rows(Room)) == before


def test_r22_a_zone_of_another_organisation_is_none_of_this_venue(maren, house):
    page = maren.post(ROOMS, {**SAUNA, "zone_id": house["their_zone"]}, 422)
    assert "Choose a zone of this venue" in page.text(".summary")


def test_d1_rooms_zones_and_categories_of_others_are_not_found(maren, house):
    room, zone, category = house["their_room"], house["their_zone"], house["theirs"]
    for url in (
        f"{ROOMS}/{room}", f"{ROOMS}/{room}/archive", f"{ZONES}/{zone}", f"{ZONES}/{zone}/removal",
        f"{CATEGORIES}/{category}", f"{CATEGORIES}/{category}/removal",
    ):  # fmt: skip
        maren.get(url, 404)
    for url in (f"{ROOMS}/{room}", f"{ROOMS}/{room}/archive", f"{ROOMS}/{room}/restoration",
                f"{ROOMS}/{room}/step", f"{ZONES}/{zone}", f"{ZONES}/{zone}/step",
                f"{CATEGORIES}/{category}", f"{CATEGORIES}/{category}/step"):  # fmt: skip
        maren.post(url, {"name": "X", "step": "up"}, 404)


def test_d1_deleting_what_is_of_others_deletes_nothing(maren, house, rows):
    maren.post(f"{ZONES}/{house['their_zone']}/removal", {}, 404)
    maren.post(f"{CATEGORIES}/{house['theirs']}/removal", {}, 404)
    assert house["their_zone"] in {row.id for row in rows(Zone)}
    assert house["theirs"] in {row.id for row in rows(Category)}


def test_d4_a_room_saved_meanwhile_is_shown_beside_what_was_typed(maren, house, rows):
    url = f"{ROOMS}/{house['rooms'][0]}"
    seen = mark(maren, url)
    maren.post(url, {"seen": seen, "cap": "12"}, 303)
    page = maren.post(url, {"seen": seen, "cap": "16", "name": "Great hall"}, 409)
    assert page.text("#cap-theirs") == "Saved meanwhile: 12"
    assert page.one("#cap")["value"] == "16"
    maren.post(url, {**page.form("form.form-card"), "zone_id": house["zone"]}, 303)
    kept = next(row for row in rows(Room) if row.id == house["rooms"][0])
    assert (kept.cap, kept.name, kept.zone_id) == (16, "Great hall", house["zone"])


def test_r8_lowering_the_cap_tells_the_sessions_above_it_and_changes_none(app, maren, make, house):
    def build():
        kind = make_type(fetch(Site, house["site"]), name="Circuit")
        room = house["rooms"][0]
        make_session(kind, local_start=ahead(), capacity=8, room_id=room)
        return make_session(kind, local_start=ahead(4), capacity=14, room_id=room).id

    big = make(build)
    url = f"{ROOMS}/{house['rooms'][0]}"
    answer = maren.post(url, {"seen": mark(maren, url), "cap": "10"}, 303)
    assert answer.response.location.endswith(url)
    page = maren.get(url)
    assert "1 coming session has more places than the 10" in page.text("#over-h")
    assert len(page.all(".hit-list li")) == 1
    with app.app_context():
        assert fetch(Session, big).capacity == 14


def test_r11_a_room_in_use_is_not_archived_and_says_why(maren, make, house, rows):
    room = house["rooms"][0]

    def build():
        kind = make_type(fetch(Site, house["site"]), name="Circuit")
        today = read_clock().date()
        make_group(
            kind, fetch(Room, room), name="Mornings",
            recurrence_start=today, recurrence_end=today + dt.timedelta(days=30),
        )  # fmt: skip
        return make_session(kind, local_start=ahead(), room_id=room).id

    session_id = make(build)
    page = maren.get(f"{ROOMS}/{room}/archive")
    assert "is needed by 1 coming session and 1 series" in page.text(".note")
    assert "Circuit, Mornings" in page.text()
    assert not page.all("main form button")
    maren.post(f"{ROOMS}/{room}/archive", {}, 409)
    assert rows(Room)[0].deleted_at is None

    def free():
        row = fetch(Session, session_id)
        row.room_id = None
        db.session.execute(sa.text("DELETE FROM recurrence_start_times"))
        db.session.execute(sa.text("DELETE FROM recurrence_groups"))
        db.session.commit()

    make(free)
    maren.post(f"{ROOMS}/{room}/archive", {}, 303)
    maren.post(f"{ROOMS}/{room}/archive", {}, 303)
    assert names(maren.get(ROOMS)) == ["Vault", "Steps"]
    assert names(maren.get(f"{ROOMS}?state=archived")) == ["Hall"]
    maren.post(f"{ROOMS}/{room}/restoration", {}, 303)
    maren.post(f"{ROOMS}/{room}/restoration", {}, 303)
    assert names(maren.get(ROOMS)) == ["Hall", "Vault", "Steps"]


def test_rooms_are_put_in_order_found_and_sorted_by_address(maren, house):
    hall, vault, _ = house["rooms"]
    maren.post(f"{ROOMS}/{vault}/step", {"step": "up"}, 303)
    maren.post(f"{ROOMS}/{vault}/step", {"step": "up"}, 303)
    assert names(maren.get(ROOMS)) == ["Vault", "Hall", "Steps"]
    maren.post(f"{ROOMS}/{hall}/step", {"step": "down"}, 303)
    maren.post(f"{ROOMS}/{hall}/step", {"step": "sideways"}, 303)
    assert names(maren.get(ROOMS)) == ["Vault", "Steps", "Hall"]
    assert names(maren.get(f"{ROOMS}?order=cap")) == ["Hall", "Vault", "Steps"]
    assert names(maren.get(f"{ROOMS}?order=name&q=S")) == ["Steps"]
    assert names(maren.get(f"{ROOMS}?zone=none")) == []
    assert names(maren.get(f"{ROOMS}?zone={house['zone']}&page=99")) == ["Vault", "Steps", "Hall"]
    assert "No such room" in maren.get(f"{ROOMS}?q=%25").text()
    maren.get(f"{ROOMS}?page=x&order=;drop&state=1&zone={'z' * 500}")


def test_addresses_of_presses_lead_back(maren, house):
    room = house["rooms"][0]
    for part in ("step", "restoration"):
        assert maren.get(f"{ROOMS}/{room}/{part}", 303).response.location.endswith(room)
    assert maren.get(f"{ZONES}/{house['zone']}/step", 303).response.location.endswith("/zones")
    maren.get(f"{CATEGORIES}/x/step", 404)


def test_the_list_of_rooms_asks_as_much_for_sixty_as_for_three(app, maren, make, house):
    def asked():
        seen = []

        def note(_c, _u, statement, *_rest):
            seen.append(statement)

        with app.app_context():
            engine = db.engine
        sa.event.listen(engine, "before_cursor_execute", note)
        try:
            page = maren.get(ROOMS)
        finally:
            sa.event.remove(engine, "before_cursor_execute", note)
        return len(seen), page

    few, _ = asked()

    def more():
        site = fetch(Site, house["site"])
        for number in range(60):
            make_room(site, name=f"Cell {number}", zone_id=house["zone"])

    make(more)
    many, page = asked()
    assert many == few
    assert len(names(page)) == 50
    assert "Page 1 of 2" in page.text(".pager")
    assert len(names(maren.get(page.one(".pager a")["href"]))) == 13


# Zones


def test_zones_are_added_renamed_ordered_and_deleted_without_their_rooms(maren, house, rows):
    maren.post(ZONES, {"name": "Upstairs", "key": "z"}, 303)
    maren.post(ZONES, {"name": "<i>"}, 422)
    upstairs = next(row.id for row in rows(Zone) if row.name == "Upstairs")
    maren.post(f"{ZONES}/{upstairs}/step", {"step": "up"}, 303)
    assert names(maren.get(ZONES)) == ["Upstairs", "Waters"]
    url = f"{ZONES}/{upstairs}"
    seen = mark(maren, url)
    maren.post(url, {"name": "Attic", "seen": seen}, 303)
    page = maren.post(url, {"name": "Loft", "seen": seen}, 409)
    assert page.text("#name-theirs") == "Saved meanwhile: Attic"
    maren.post(url, {"name": "", "seen": seen}, 422)
    assert "3 rooms lie there" in maren.get(f"{ZONES}/{house['zone']}/removal").text("main")
    maren.post(f"{ZONES}/{house['zone']}/removal", {}, 303)
    maren.post(f"{ZONES}/{house['zone']}/removal", {}, 404)
    assert names(maren.get(ZONES)) == ["Attic"]
    assert {row.zone_id for row in rows(Room)} == {None}


# Categories


def add(maren, name, slug, status=303):
    return maren.post(CATEGORIES, {"name": name, "slug": slug, "blurb": "", "key": slug}, status)


def test_categories_have_addresses_of_their_own_in_the_organisation(maren, rows):
    add(maren, "In the water", "water")
    page = add(maren, "Wet", "water", 409)
    page = maren.post(CATEGORIES, {"name": "Wet", "slug": "water", "key": "other"}, 422)
    assert "“In the water” has this address already" in page.text(".summary")
    assert page.one("#name")["value"] == "Wet"
    # Another organisation may use the same.
    add(maren, "Theirs too", "theirs")
    for slug in ("", "A b", "-x", "y" * 61, "basket", "timetable"):
        maren.post(CATEGORIES, {"name": "X", "slug": slug}, 422)
    assert names(maren.get(CATEGORIES)) == ["In the water", "Theirs too"]


def test_categories_are_edited_ordered_and_deleted_with_what_they_unlink(
    app, maren, make, house, rows
):
    add(maren, "In the water", "water")
    add(maren, "On the mat", "mat")
    ids = {row.slug: row.id for row in rows(Category)}

    def build():
        kind = make_type(fetch(Site, house["site"]), slug="circuit", name="Circuit")
        kind.categories = [fetch(Category, ids["water"])]
        db.session.commit()
        return kind.id

    kind = make(build)
    assert "In the water" in maren.get("/bath/").text()
    maren.post(f"{CATEGORIES}/{ids['mat']}/step", {"step": "up"}, 303)
    assert names(maren.get(CATEGORIES)) == ["On the mat", "In the water"]
    url = f"{CATEGORIES}/{ids['water']}"
    seen = mark(maren, url)
    maren.post(url, {"name": "Water", "seen": seen}, 303)
    page = maren.post(url, {"name": "Pools", "blurb": "Warm", "seen": seen}, 409)
    assert page.text("#name-theirs") == "Saved meanwhile: Water"
    maren.post(url, {"slug": "mat", "seen": mark(maren, url)}, 422)
    page = maren.get(f"{url}/removal")
    assert "1 session type stands under it" in page.text("main")
    assert "Circuit, Stillwater Bath" in page.text("main")
    maren.post(f"{url}/removal", {}, 303)
    maren.post(f"{url}/removal", {}, 404)
    assert names(maren.get(CATEGORIES)) == ["On the mat"]
    with app.app_context():
        assert fetch(SessionType, kind).deleted_at is None
    assert "Water" not in [tag.get_text() for tag in maren.get("/bath/").all("nav a")]


def test_an_empty_house_says_what_to_do_first(visitor, make):
    def build():
        make_staff(make_site(slug="bath"), rights=("SETTINGS_MANAGE",))

    make(build)
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    for url, said in (
        (ROOMS, "No rooms yet"),
        (ZONES, "No zones yet"),
        (CATEGORIES, "No categories yet"),
        ("/staff/bath/team", "Nobody yet"),
    ):
        assert visitor.get(url).text(".empty h2") == said


def test_staff_without_the_right_set_up_nothing(visitor, make, house):
    make(
        lambda: make_staff(
            fetch(Site, house["site"]), "desk@example.com", rights=("RESERVATIONS_MANAGE",)
        )
    )
    visitor.sign_in("desk@example.com", "thermal-waters", "/staff/sign-in")
    for url in (ROOMS, ZONES, CATEGORIES, "/staff/bath/team", "/staff/bath/settings"):
        visitor.get(url, 403)
    visitor.post(ROOMS, SAUNA, 403)
