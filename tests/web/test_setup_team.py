"""Who leads sessions: what, where, and when they are away."""

import datetime as dt

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    fetch,
    make_group,
    make_organisation,
    make_practitioner,
    make_room,
    make_session,
    make_site,
    make_staff,
    make_type,
)

from blueprints.clock import read_clock
from models import (
    Organisation,
    Practitioner,
    Site,
    TimeOff,
    db,
    practitioner_sites,
    practitioner_types,
)

TEAM = "/staff/bath/team"


@pytest.fixture
def house(make):
    """Two sites of one organisation; Maren sets up Bath, Imogen both."""

    def build():
        site = make_site(slug="bath")
        north = make_site(
            slug="north",
            place="North",
            organisation=db.session.get_one(Organisation, site.organisation_id),
        )
        make_staff(site, rights=("SETTINGS_MANAGE", "RESERVATIONS_MANAGE"))
        make_staff(site, "imogen@example.com", rights=("SETTINGS_MANAGE",), everywhere=True)
        tomas = make_practitioner(site, title="Bath master")
        tomas.sites.append(north)
        db.session.commit()
        other = make_site(make_organisation(), slug="elsewhere")
        return {
            "site": site.id, "north": north.id, "tomas": tomas.id,
            "circuit": make_type(site, name="Circuit").id,
            "north_type": make_type(north, name="Sauna").id,
            "theirs": make_practitioner(other).id, "their_type": make_type(other).id,
            "elsewhere": other.id,
        }  # fmt: skip

    return make(build)


@pytest.fixture
def maren(visitor, house):
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    return visitor


@pytest.fixture
def imogen(other_visitor, house):
    other_visitor.sign_in("imogen@example.com", "thermal-waters", "/staff/sign-in")
    return other_visitor


@pytest.fixture
def links(app):
    def look(person_id):
        with app.app_context():
            sites, types = practitioner_sites.c, practitioner_types.c
            return (
                set(
                    db.session.scalars(
                        sa.select(sites.site_id).where(sites.practitioner_id == person_id)
                    )
                ),
                set(
                    db.session.scalars(
                        sa.select(types.session_type_id).where(types.practitioner_id == person_id)
                    )
                ),
            )

    return look


def people(app, model=Practitioner):
    with app.app_context():
        found = db.session.scalars(
            sa.select(model).order_by(model.id), execution_options=ANYWHERE
        ).all()
        db.session.expunge_all()
        return found


def mark(browser, url):
    return browser.get(url).one("[name=seen]")["value"]


def names(page):
    return [tag.get_text() for tag in page.all(".set-list b")]


def ahead(days=3, hour="10:00"):
    return f"{(read_clock() + dt.timedelta(days=days)).date()}T{hour}"


def test_somebody_is_added_once_with_where_they_work_and_what_they_lead(app, maren, house, links):
    fields = {
        "name": "Lena Frost", "title": "Yoga", "email": "lena@example.com", "bio": "Calm.",
        "sites": ["", house["site"]], "types": ["", house["circuit"]], "key": "k",
    }  # fmt: skip
    token = maren.token()
    for _ in range(2):
        maren.post(TEAM, {**fields, "csrf_token": token}, 303)
    lena = [row for row in people(app) if row.name == "Lena Frost"]
    assert len(lena) == 1
    assert links(lena[0].id) == ({house["site"]}, {house["circuit"]})
    page = maren.get(TEAM)
    assert names(page) == ["Lena Frost", "Tomas Vale"]
    assert "Yoga · Circuit" in page.text(".set-list")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""), ("name", "<b>L</b>"), ("name", "n" * 201), ("email", "lena"),
        ("title", "t" * 201), ("bio", "<script>"), ("sites", [""]),
    ],
)  # fmt: skip
def test_wrong_values_about_somebody_are_refused_at_their_field(app, maren, house, field, value):
    sites = ["", house["site"]]
    page = maren.post(TEAM, {"name": "Lena", "sites": sites, field: value}, 422)
    assert page.all(f".summary a[href='#{field}']")
    assert len(people(app)) == 2


def test_r22_sites_and_types_of_others_are_refused_by_name(maren, house):
    good = {"name": "Lena", "sites": ["", house["site"]]}
    for field, bad in (
        ("sites", house["elsewhere"]), ("sites", house["north"]), ("types", house["their_type"]),
        ("types", house["north_type"]), ("types", "x"),
    ):  # fmt: skip
        page = maren.post(TEAM, {**good, field: ["", bad]}, 422)
        assert page.all(f".summary a[href='#{field}']")


def test_who_sets_up_one_venue_leaves_the_others_alone(maren, imogen, house, links):
    url = f"{TEAM}/{house['tomas']}"
    imogen.post(
        url,
        {"seen": mark(imogen, url), "types": ["", house["circuit"], house["north_type"]]},
        303,
    )
    assert "Sauna" not in maren.get(url).text("#types")
    maren.post(url, {"seen": mark(maren, url), "types": [""]}, 303)
    assert links(house["tomas"]) == ({house["site"], house["north"]}, {house["north_type"]})
    # Leaving the venue takes him off its list, not out of the other.
    maren.post(url, {"seen": mark(maren, url), "sites": [""]}, 303)
    assert links(house["tomas"])[0] == {house["north"]}
    maren.get(url, 404)


def test_r6_nobody_leaves_a_venue_where_they_lead_coming_sessions(maren, make, house, links):
    def build():
        kind = make_type(fetch(Site, house["site"]))
        make_session(kind, local_start=ahead(), practitioner_id=house["tomas"])

    make(build)
    url = f"{TEAM}/{house['tomas']}"
    page = maren.post(url, {"seen": mark(maren, url), "sites": [""]}, 422)
    assert "They lead 1 coming session there" in page.text(".summary")
    assert house["site"] in links(house["tomas"])[0]


def test_d4_somebody_saved_meanwhile_is_shown_beside_what_was_typed(maren, house):
    url = f"{TEAM}/{house['tomas']}"
    seen = mark(maren, url)
    maren.post(url, {"seen": seen, "title": "Host", "types": ["", house["circuit"]]}, 303)
    page = maren.post(url, {"seen": seen, "title": "Guide", "types": [""]}, 409)
    assert page.text("#title-theirs") == "Saved meanwhile: Host"
    assert "Saved meanwhile: Circuit" in page.text("#types")
    assert page.one("#title")["value"] == "Guide"


def test_r6_who_leads_something_is_not_archived_and_the_page_leads_to_cover(
    app, maren, make, house
):
    tomas = house["tomas"]

    def build():
        kind = make_type(fetch(Site, house["site"]), name="Bathing")
        today = read_clock().date()
        make_group(kind, make_room(fetch(Site, house["site"])), name="Dawn", practitioner_id=tomas,
                   recurrence_start=today, recurrence_end=today + dt.timedelta(days=9))  # fmt: skip
        make_session(kind, local_start=ahead(), practitioner_id=tomas)

    make(build)
    page = maren.get(f"{TEAM}/{tomas}/archive")
    assert "leads 1 coming session and 1 series" in page.text(".note")
    assert page.all(f"a[href='/staff/bath/cover?practitioner={tomas}']")
    maren.post(f"{TEAM}/{tomas}/archive", {}, 409)
    assert all(row.deleted_at is None for row in people(app))


def test_r11_somebody_is_archived_and_restored(maren, house):
    url = f"{TEAM}/{house['tomas']}"
    for _ in range(2):
        maren.post(f"{url}/archive", {}, 303)
    assert names(maren.get(TEAM)) == []
    assert names(maren.get(f"{TEAM}?state=archived")) == ["Tomas Vale"]
    assert "Archived" in maren.get(url).text(".tools")
    for _ in range(2):
        maren.post(f"{url}/restoration", {}, 303)
    assert names(maren.get(TEAM)) == ["Tomas Vale"]


def test_time_off_is_shown_with_the_sessions_that_it_hits(app, maren, make, house):
    tomas = house["tomas"]

    def build():
        kind = make_type(fetch(Site, house["site"]), name="Bathing", duration=60)
        for days, hour in ((3, "09:00"), (3, "10:00"), (4, "11:00"), (5, "09:00")):
            make_session(kind, local_start=ahead(days, hour), practitioner_id=tomas)
        make_session(kind, local_start=ahead(3, "12:00"))

    make(build)
    url = f"{TEAM}/{tomas}"
    times = make(lambda: {"local_start": ahead(3), "local_end": ahead(4, "12:00"), "reason": "Ill"})
    for _ in range(2):
        maren.post(f"{url}/time-off", times, 303)
    assert len(people(app, TimeOff)) == 1
    page = maren.get(url)
    assert "2 coming sessions meanwhile" in page.text(".away")
    assert page.all(".away time")[0].get_text().endswith("10:00")
    link = page.one(".away a[href*=cover]")["href"]
    assert link.startswith(f"/staff/bath/cover?practitioner={tomas}&from=")
    assert "Away" in maren.get(TEAM).text(".set-list")
    away = people(app, TimeOff)[0].id
    assert "is here after all" in maren.get(f"{url}/time-off/{away}/removal").text("main")
    for _ in range(2):
        maren.post(f"{url}/time-off/{away}/removal", {}, 303)
    maren.get(f"{url}/time-off/{away}/removal", 404)
    assert people(app, TimeOff) == []


@pytest.mark.parametrize(
    ("start", "end", "field"),
    [
        ("", "2026-06-05T10:00", "local_start"),
        ("2026-06-05T10:00", "tomorrow", "local_end"),
        ("2026-06-05T10:00", "2026-06-05T10:00", "local_end"),
        ("2026-06-05T10:00", "2026-06-04T10:00", "local_end"),
        ("2026-06-05T10:00", "2036-06-04T10:00", "local_end"),
        ("0001-01-01T00:00", "9999-12-31T23:59", "local_start"),
        ("2026-06-05T10:00Z", "2026-06-06T10:00", "local_start"),
    ],
)
def test_time_off_that_is_none_is_refused_and_kept_as_typed(app, maren, house, start, end, field):
    url = f"{TEAM}/{house['tomas']}/time-off"
    page = maren.post(url, {"local_start": start, "local_end": end, "reason": "Trip"}, 422)
    assert page.all(f".summary a[href='#{field}']")
    assert page.one("#local_start")["value"] == start
    assert page.one("#reason")["value"] == "Trip"
    assert people(app, TimeOff) == []


def test_d1_people_of_other_organisations_are_not_found(maren, house):
    url = f"{TEAM}/{house['theirs']}"
    times = {"local_start": "2026-06-05T10:00", "local_end": "2026-06-06T10:00"}
    for part in ("", "/archive", "/time-off/x/removal"):
        maren.get(url + part, 404)
        maren.post(url + part, {"name": "X"}, 404)
    maren.post(f"{url}/time-off", times, 404)
    maren.post(f"{url}/restoration", {}, 404)


def test_the_team_is_found_sorted_and_paged_by_address(app, maren, make, house):
    def asked(url=TEAM):
        seen = []

        def note(_c, _u, statement, *_rest):
            seen.append(statement)

        with app.app_context():
            engine = db.engine
        sa.event.listen(engine, "before_cursor_execute", note)
        try:
            page = maren.get(url)
        finally:
            sa.event.remove(engine, "before_cursor_execute", note)
        return len(seen), page

    few, _ = asked()

    def more():
        site = fetch(Site, house["site"])
        for number in range(60):
            make_practitioner(site, name=f"Person {number:02}")

    make(more)
    many, page = asked()
    assert many == few
    assert len(names(page)) == 50
    assert names(maren.get(f"{TEAM}?order=-name"))[0] == "Tomas Vale"
    assert names(maren.get(f"{TEAM}?q=person+07")) == ["Person 07"]
    assert names(maren.get(f"{TEAM}?type={house['circuit']}")) == []
    assert len(names(maren.get(f"{TEAM}?page=2"))) == 11
