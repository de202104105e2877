"""A venue's settings as staff save them, group by group, and its move to another zone."""

import datetime as dt
import re

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    fetch,
    make_order,
    make_organisation,
    make_room,
    make_session,
    make_site,
    make_staff,
    make_type,
    save,
)

from blueprints.clock import read_clock
from domain.colour import contrast
from domain.local_time import to_local
from models import ClosedDay, Job, Organisation, Session, SessionBooking, Site, db

RIGHT = ("SETTINGS_MANAGE",)
SETTINGS = "/staff/bath/settings"
GROUPS = ("venue", "window", "times", "booking", "money", "look")


@pytest.fixture
def bath(make):
    def build():
        site = make_site(slug="bath", revenue_centres=["Bathing", "Kitchen"])
        make_staff(site, rights=RIGHT)
        make_staff(site, "owner@example.com", rights=RIGHT, everywhere=True)
        make_site(make_organisation(), slug="elsewhere")
        return site.id

    return make(build)


@pytest.fixture
def maren(visitor, bath):
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    return visitor


@pytest.fixture
def owner(other_visitor, bath):
    other_visitor.sign_in("owner@example.com", "thermal-waters", "/staff/sign-in")
    return other_visitor


@pytest.fixture
def site(app, bath):
    def look() -> Site:
        with app.app_context():
            row = fetch(Site, bath)
            db.session.expunge(row)
            return row

    return look


def mark(browser, url):
    return browser.get(url).one("[name=seen]")["value"]


def send(browser, group, status=303, **fields):
    url = f"{SETTINGS}/{group}"
    return browser.post(url, {"seen": mark(browser, url), **fields}, status)


def test_every_group_opens_and_is_saved_as_it_stands_without_a_trace(maren, site):
    before = site()
    for group in GROUPS:
        page = maren.get(f"{SETTINGS}/{group}")
        fields = page.form("form.card")
        fields |= {tag["name"]: tag.get_text().lstrip("\n") for tag in page.all("textarea")}
        for tag in page.all("select"):
            fields[tag["name"]] = tag.select_one("[selected]")["value"]
        maren.post(f"{SETTINGS}/{group}", fields, 303)
    after = site()
    assert after.revision == before.revision
    assert (after.texts, after.brand, after.opening_hours) == (
        before.texts,
        before.brand,
        before.opening_hours,
    )


def test_what_is_saved_is_kept_and_shown_at_once(maren, site):
    send(maren, "venue", name=" Still  water ", phone="+44 1225 1", address="1 Weir\n\nBath")
    kept = site()
    assert (kept.name, kept.phone, kept.texts["address"]) == (
        "Still water",
        "+44 1225 1",
        ["1 Weir", "Bath"],
    )
    assert kept.revision == 1
    assert "Still water" in maren.get("/bath/").text()
    assert maren.get(f"{SETTINGS}/venue").one("#name")["value"] == "Still water"


def test_d4_what_is_not_sent_stays_and_an_unticked_box_is_sent_as_false(maren, site):
    send(maren, "venue", name="Weir House")
    assert site().email == "hello@stillwater.example"
    assert site().is_public
    send(maren, "venue", is_public="no")
    assert not site().is_public
    assert site().name == "Weir House"
    maren.get("/bath/", 404)
    send(maren, "venue", is_public=["no", "yes"])
    assert site().is_public


def test_the_window_is_what_the_shop_says(maren):
    send(maren, "window", headline="Slow water", facts="38° | warm water\n7 | pools", legal="Ltd")
    page = maren.get("/bath/")
    assert page.text("h1") == "Slow water"
    assert "38° warm water" in page.text(".today")


def hours(**days):
    fields = {}
    for day, (opens, closes) in days.items():
        fields |= {f"{day}_open": ["no", "yes"], f"{day}_from": opens, f"{day}_to": closes}
    return fields


def test_opening_hours_are_kept_by_weekday_and_read_by_customers(maren, site):
    send(maren, "times", **hours(friday=("18:00", "00:00"), monday=("08:00", "20:00")), hours="")
    kept = site()
    assert kept.opening_hours == {"monday": ["08:00", "20:00"], "friday": ["18:00", "24:00"]}
    assert (kept.opens_at, kept.closes_at) == (dt.time(8), dt.time(23, 59))
    assert "Friday, 18:00 to 24:00" in maren.get("/bath/").text("footer")
    send(maren, "times", friday_open="no")
    assert list(site().opening_hours) == ["monday"]


@pytest.mark.parametrize(
    ("group", "field", "text", "at"),
    [
        ("venue", "name", "", "name"),
        ("venue", "name", "<b>Bath</b>", "name"),
        ("venue", "name", "x" * 201, "name"),
        ("venue", "email", "nobody", "email"),
        ("venue", "phone", "call us", "phone"),
        ("venue", "directions", "y" * 2001, "directions"),
        ("window", "facts", "38 degrees", "facts"),
        ("window", "headline", "<script>", "headline"),
        ("times", "locale", "tlh_QO", "locale"),
        ("booking", "hold_minutes", "46", "hold_minutes"),
        ("booking", "offer_minutes", "soon", "offer_minutes"),
        ("booking", "few_left", "-1", "few_left"),
        ("booking", "currency", "XXX", "currency"),
        ("booking", "currency", "DEM", "currency"),
        ("money", "revenue_centres", "Bathing\nbathing", "revenue_centres"),
        ("look", "accent", "blue", "accent"),
        ("look", "accent_dark", "#12", "accent_dark"),
        ("look", "radius", "40px", "radius"),
        ("look", "display", "comic", "display"),
    ],
)
def test_wrong_values_are_refused_at_their_field_and_nothing_typed_is_lost(
    maren, site, group, field, text, at
):
    before = site()
    page = send(maren, group, 422, **{field: text})
    assert page.text("title").startswith("Error:")
    assert page.all(f".summary a[href='#{at}']")
    assert page.one(f"#{at}")["aria-invalid"] == "true"
    if page.one(f"#{at}").name == "textarea":
        assert text in page.one(f"#{at}").get_text()
    elif page.one(f"#{at}").name == "input":
        assert page.one(f"#{at}")["value"] == text
    assert site().revision == before.revision


def test_hours_that_end_before_they_begin_are_refused_at_their_day(maren, site):
    page = send(maren, "times", 422, **hours(sunday=("22:00", "07:00")))
    assert page.all(".summary a[href='#sunday_from']")
    assert page.one("#sunday_to")["value"] == "07:00"
    assert "sunday" not in site().opening_hours


def test_nul_is_no_text_and_an_unknown_group_no_page(maren):
    maren.post(f"{SETTINGS}/venue", {"name": "a\0b", "seen": ""}, 400)
    maren.get(f"{SETTINGS}/wishes", 404)
    maren.post(f"{SETTINGS}/wishes", {}, 404)


def test_d4_the_second_of_two_editors_sees_both_versions_and_loses_nothing(maren, site):
    first = mark(maren, f"{SETTINGS}/venue")
    send(maren, "venue", name="Weir House", phone="1111")
    typed = {"seen": first, "name": "Mill House", "phone": "2222", "place": "Bath"}
    page = maren.post(f"{SETTINGS}/venue", typed, 409)
    assert page.one("#name")["value"] == "Mill House"
    assert page.text("#name-theirs") == "Saved meanwhile: Weir House"
    assert page.text("#phone-theirs") == "Saved meanwhile: 1111"
    assert not page.all("#place-theirs")
    assert site().name == "Weir House"
    maren.post(f"{SETTINGS}/venue", {**typed, "seen": page.one("[name=seen]")["value"]}, 303)
    assert (site().name, site().phone) == ("Mill House", "2222")


def test_d4_hours_that_somebody_else_saved_are_told_as_a_week(maren):
    first = mark(maren, f"{SETTINGS}/times")
    send(maren, "times", **hours(monday=("08:00", "20:00")))
    page = maren.post(f"{SETTINGS}/times", {"seen": first, **hours(monday=("09:00", "21:00"))}, 409)
    assert "Saved meanwhile: Monday, 08:00 to 20:00" in page.text(".week .theirs")
    assert page.one("#monday_from")["value"] == "09:00"


def test_r22_a_revenue_centre_in_use_stays_and_the_types_are_named(maren, make, bath, site):
    make(lambda: make_type(fetch(Site, bath), name="Thermal circuit", revenue_centre="Bathing"))
    page = send(maren, "money", 422, revenue_centres="Kitchen\nShop")
    assert "Bathing is used by Thermal circuit" in page.text(".summary")
    assert site().revenue_centres == ["Bathing", "Kitchen"]
    send(maren, "money", revenue_centres="Bathing\nShop")
    assert site().revenue_centres == ["Bathing", "Shop"]


def test_the_few_left_of_a_site_decide_what_is_nearly_gone(maren, make, bath):
    def build():
        kind = make_type(fetch(Site, bath), slug="circuit", price=1000)
        day = (read_clock() + dt.timedelta(days=3)).date()
        make_session(kind, local_start=f"{day}T18:00", capacity=6)
        return day.isoformat()

    day = make(build)
    url = f"/bath/book/circuit?date={day}"
    assert not maren.get(url).all(".left--few")
    send(maren, "booking", few_left="6")
    assert maren.get(url).all(".left--few")
    send(maren, "booking", few_left="5")
    assert not maren.get(url).all(".left--few")


def test_types_in_another_currency_stay_and_are_counted(maren, make, bath, site):
    make(lambda: make_type(fetch(Site, bath)))
    send(maren, "booking", currency="ISK")
    assert site().currency == "ISK"
    assert "1 session type is sold in another currency" in maren.get(f"{SETTINGS}/booking").text()


def test_an_accent_that_cant_be_read_becomes_one_that_can_and_it_is_said(maren, site):
    send(maren, "look", accent="#f5d90a", accent_dark="", radius="2px", display="sans")
    brand = site().brand
    assert contrast(brand["brand"], "#faf8f4") >= 4.5
    assert brand["accent"] == "#f5d90a"
    assert brand["radius"] == "2px"
    page = maren.get(f"{SETTINGS}/look")
    sheet = page.all("link[rel=stylesheet]")[-1]["href"]
    assert page.one("#accent")["value"] == "#f5d90a"
    assert "too pale to read" in page.text("#preview")
    assert f"--brand: {brand['brand']};" in maren.get(sheet).html


def test_the_preview_draws_what_is_typed_and_saves_nothing(maren, site):
    before = site()
    page = maren.fragment(f"{SETTINGS}/look/preview?accent=%23f5d90a&accent_dark=")
    assert "too pale" in page.text("#preview")
    assert "Enter a colour" in maren.fragment(f"{SETTINGS}/look/preview?accent=zz").text("#preview")
    maren.get(f"{SETTINGS}/look/preview?accent=zz", 302)
    assert site().brand == before.brand


def test_the_settings_link_to_all_there_is_to_set_up(maren, owner):
    hrefs = {tag["href"] for tag in maren.get(SETTINGS).all("main a")}
    assert {f"{SETTINGS}/{group}" for group in GROUPS} <= hrefs
    assert {"/staff/bath/rooms", "/staff/bath/team", "/staff/bath/notices"} <= hrefs
    assert "/staff/bath/organisation" not in hrefs
    assert owner.get(SETTINGS).all("a[href='/staff/bath/venues/new']")


def test_the_organisation_is_renamed_by_who_sets_up_all_of_it(app, maren, owner):
    maren.get("/staff/bath/organisation", 403)
    maren.post("/staff/bath/organisation", {"name": "X"}, 403)
    seen = mark(owner, "/staff/bath/organisation")
    owner.post("/staff/bath/organisation", {"name": "<i>", "seen": seen}, 422)
    owner.post("/staff/bath/organisation", {"name": "River Houses", "seen": seen}, 303)
    owner.post("/staff/bath/organisation", {"name": "Other", "seen": seen}, 409)
    with app.app_context():
        names = set(db.session.scalars(sa.select(Organisation.name)))
    assert "River Houses" in names


# Another zone


@pytest.fixture
def summer(make, bath):
    """Tomorrow and yesterday at nine, the first sold twice with a mail address."""

    def build():
        kind = make_type(fetch(Site, bath), price=1000)
        now = read_clock()
        make_room(fetch(Site, bath))
        ahead = make_session(kind, local_start=f"{(now + dt.timedelta(days=9)).date()}T09:00")
        past = make_session(kind, local_start=f"{(now - dt.timedelta(days=9)).date()}T09:00")
        for number in range(2):
            make_order(ahead, email=f"p{number}@example.com", now=now)
        save(
            ClosedDay(
                organisation_id=ahead.organisation_id, site_id=bath,
                day=now.date(), created_at=now,
            )
        )  # fmt: skip
        return ahead.id, past.id

    return make(build)


def zone_page(browser, zone="Asia/Tokyo"):
    return browser.get(f"{SETTINGS}/zone?zone={zone}")


def test_t6_a_zone_is_previewed_then_changed(app, maren, summer, site):
    with app.app_context():
        before = {row: fetch(Session, row).start_time for row in summer}
        versions = set(
            db.session.scalars(sa.select(SessionBooking.sequence), execution_options=ANYWHERE)
        )
    page = zone_page(maren)
    assert "1 coming session," in page.text(".impact")
    assert "2 bookings get another instant" in page.text(".impact")
    maren.post(f"{SETTINGS}/zone", page.form("form[method=post].card"), 303)
    assert site().zone == "Asia/Tokyo"
    with app.app_context():
        ahead, past = (fetch(Session, row) for row in summer)
        assert to_local(ahead.start_time, site().zoneinfo) == ahead.local_start
        assert ahead.start_time != before[ahead.id]
        assert ahead.end_time - ahead.start_time == dt.timedelta(minutes=120)
        assert past.start_time == before[past.id]
        after = set(
            db.session.scalars(sa.select(SessionBooking.sequence), execution_options=ANYWHERE)
        )
        assert after == {number + 1 for number in versions}


def test_t6_reminders_are_planned_anew_at_the_new_instant(app, maren, summer, site):
    def reminders():
        with app.app_context():
            return db.session.execute(
                sa.select(Job.dedupe_key, Job.run_at).where(
                    Job.dedupe_key.startswith("booking_reminder:"), Job.done_at.is_(None)
                ),
                execution_options=ANYWHERE,
            ).all()

    before = reminders()
    maren.post(f"{SETTINGS}/zone", zone_page(maren).form("form[method=post].card"), 303)
    after = reminders()
    assert len(before) == len(after) == 2
    with app.app_context():
        start = fetch(Session, summer[0]).start_time
    assert {moment for _, moment in after} == {start - dt.timedelta(hours=24)}
    assert not {key for key, _ in before} & {key for key, _ in after}


def test_s3_a_zone_is_refused_when_the_facts_have_moved(app, maren, make, summer, site):
    fields = zone_page(maren).form("form[method=post].card")
    make(lambda: make_order(fetch(Session, summer[0]), email="q@example.com", now=read_clock()))
    page = maren.post(f"{SETTINGS}/zone", fields, 409)
    assert site().zone == "Europe/London"
    assert "3 bookings get" in page.text(".impact")
    maren.post(f"{SETTINGS}/zone", page.form("form[method=post].card"), 303)
    assert site().zone == "Asia/Tokyo"
    # The same press again finds the zone as it wants it.
    maren.post(f"{SETTINGS}/zone", fields, 303)


def test_t6_an_unknown_zone_is_refused_on_its_page(maren, site):
    page = maren.get(f"{SETTINGS}/zone?zone=Mars/Olympus", 422)
    assert "Choose a time zone" in page.text(".summary")
    maren.post(f"{SETTINGS}/zone", {"zone": "Mars/Olympus"}, 422)
    assert site().zone == "Europe/London"


def test_a_thousand_sessions_change_their_zone_in_few_statements(app, maren, make, bath, site):
    def build():
        kind = make_type(fetch(Site, bath))
        first = (read_clock() + dt.timedelta(days=2)).date()
        values = [f"{first + dt.timedelta(days=n // 4)}T{9 + n % 4:02}:00" for n in range(1200)]
        one = make_session(kind, local_start=values[0])
        columns = {c.name: getattr(one, c.name) for c in Session.__table__.columns}
        rows = []
        for number, text in enumerate(values[1:]):
            local = dt.datetime.fromisoformat(text)
            start = local.replace(tzinfo=dt.UTC)
            own = {"id": f"{number:024x}", "local_start": local, "start_time": start}
            rows.append({**columns, **own, "end_time": start + dt.timedelta(hours=1)})
        db.session.execute(sa.insert(Session), rows)
        db.session.commit()

    make(build)
    seen = []

    def note(_c, _u, statement, *_rest):
        seen.append(statement)

    fields = zone_page(maren).form("form[method=post].card")
    with app.app_context():
        engine = db.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        maren.post(f"{SETTINGS}/zone", fields, 303)
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
    assert site().zone == "Asia/Tokyo"
    assert len(seen) < 40
    assert len([text for text in seen if re.match(r"UPDATE sessions ", text)]) == 3


@pytest.mark.parametrize("path", ["categories", "media", "letters", "notices", "settings/look"])
def test_what_is_set_once_is_reached_from_the_settings_and_lights_their_place(maren, path):
    page = maren.get(f"/staff/bath/{path}")
    here = page.all(".rail nav a[aria-current]")
    assert [link.get_text() for link in here] == ["Settings"]
    assert "Settings" in page.text(".crumbs")
    assert maren.get(SETTINGS).one(f"main a[href='/staff/bath/{path}']")


def test_every_place_stands_once_in_the_menu(owner):
    places = [link["href"] for link in owner.get(SETTINGS).all(".rail nav a")]
    assert len(places) == len(set(places))
