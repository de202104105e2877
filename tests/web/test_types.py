"""Session types as staff set them up: the list, the pages of one, copying, archiving."""

import datetime as dt

import pytest
from factories import (
    fetch,
    make_group,
    make_order,
    make_organisation,
    make_room,
    make_session,
    make_site,
    make_staff,
    make_type,
    save,
)
from web.test_session_type import count_queries

from blueprints.clock import read_clock
from models import Category, MembershipType, Session, SessionType, Site, db, new_uuid


@pytest.fixture
def house(make):
    def build():
        site = make_site(slug="bath", revenue_centres=["Water", "Table"])
        make_staff(site, rights=("SETTINGS_MANAGE", "RESERVATIONS_MANAGE"))
        kind = make_type(
            site, name="Thermal circuit", slug="circuit", description="**Warm** water."
        )
        return {"site": site.id, "organisation": site.organisation_id, "type": kind.id}

    return make(build)


@pytest.fixture
def maren(visitor, house):
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    return visitor


def url(house, page="details"):
    return f"/staff/bath/types/{house['type']}/{page}"


def soon(days=3, hour=10):
    day = (read_clock() + dt.timedelta(days=days)).date()
    return dt.datetime.combine(day, dt.time(hour))


def typed(page):
    """What a browser would send for the editor as it stands."""
    fields = []
    for it in page.all("#editor input, #editor textarea, #editor select"):
        if it.get("type") in ("checkbox", "radio") and not it.has_attr("checked"):
            continue
        if it.name == "textarea":
            value = it.get_text().removeprefix("\n")
        elif it.name == "select":
            chosen = it.select_one("option[selected]") or it.select_one("option")
            value = chosen.get("value", chosen.get_text())
        else:
            value = it.get("value", "")
        fields.append((it["name"], value))
    found = {}
    for name, value in fields:
        found.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def test_a_type_is_made_from_its_name_alone_and_once(maren, make, house):
    page = maren.get("/staff/bath/types/new")
    fields = {**page.form("form.form-card"), "name": "Évening bath"}
    for _press in range(2):
        where = maren.post("/staff/bath/types/new", fields, 303).response.location
    rows = make(
        lambda: [
            (
                *(row.slug, row.duration, row.min_guests, row.max_guests, row.visibility),
                *(row.customer_cancellation_permitted, row.include_pricing_on_calendar),
            )
            for row in db.session.query(SessionType).filter_by(
                organisation_id=house["organisation"], name="Évening bath"
            )
        ]
    )
    assert rows == [("evening-bath", 60, 1, None, "public", "allowed", True)]
    page = maren.get(where)
    assert "Not offered online" in page.text(".hurdles")
    assert "No sessions scheduled" in page.text(".hurdles")


@pytest.mark.parametrize("name", ["", "   ", "<b>Bath</b>", "x" * 300])
def test_d5_a_name_that_is_none_is_refused_and_kept(maren, house, name):
    page = maren.post("/staff/bath/types/new", {"name": name, "key": "k1"}, 422)
    assert page.soup.title.get_text().startswith("Error:")
    assert page.one("#name")["value"] == name


def test_saving_what_is_shown_changes_nothing(maren, house, make):
    before = make(lambda: fetch(SessionType, house["type"]).revision)
    for tab in ("details", "access"):
        maren.post(url(house, tab), typed(maren.get(url(house, tab))), 303)
        assert "Nothing has changed" in maren.get(url(house, tab)).text("main")
    assert make(lambda: fetch(SessionType, house["type"]).revision) == before


def test_every_field_of_the_contract_is_kept(maren, house, make):
    def build():
        category = save(Category(organisation_id=house["organisation"], slug="c", name="Water"))
        kind = save(
            MembershipType(id=new_uuid(), organisation_id=house["organisation"], name="River")
        )
        other = make_type(fetch(Site, house["site"]), name="Sauna")
        return category.id, kind.id, other.id

    category, membership, other = make(build)
    details = {
        **typed(maren.get(url(house))),
        "name": "Evening circuit", "slug": "evening", "summary": "Short.", "description": "*Hm*",
        "category_ids": ["", category], "duration": "90", "currency": "eur", "bring": "Towel\nCap",
        "spec": "Water: 38 degrees", "meta_title": "T", "meta_description": "D",
        "product_code": "P1", "external_id": "X1", "revenue_centre": "Table",
        "cross_sell_offerings": ["", other], "upsell_offerings": ["", other],
        "related_retail_offerings": "Salt",
    }  # fmt: skip
    maren.post(url(house), details, 303)
    access = {
        **typed(maren.get(url(house, "access"))),
        "visibility": "link_only", "offered_online": ["false", "true"],
        "customers_only": ["false", "true"], "members_only": ["false", "true"],
        "permitted_membership_type_ids": ["", membership],
        "max_advance_bookings_interval-number": "2",
        "max_advance_bookings_interval-unit": "weeks",
        "min_advance_bookings_interval-number": "90",
        "min_advance_bookings_interval-unit": "minutes",
        "membership_booking_windows_enabled": ["false", "true"],
        "membership_booking_windows": ["", membership],
        f"window-{membership}-opens-number": "1", f"window-{membership}-opens-unit": "months",
        "customer_cancellation_permitted": "unpaid",
        "customer_cancellation_min_duration-number": "24",
        "customer_cancellation_min_duration-unit": "hours",
        "min_guests": "2", "max_guests": "6", "max_baskets_per_session": "3",
        "max_per_basket": "2", "max_per_guest": "1", "max_bookings_per_member": "1",
        "waitlist_enabled": ["false", "true"], "hidden_on_schedule": ["false", "true"],
        "include_pricing_on_calendar": "false",
    }  # fmt: skip
    maren.post(url(house, "access"), access, 303)

    def read():
        row = fetch(SessionType, house["type"])
        return row, [one.id for one in row.categories]

    row, categories = make(read)
    assert (row.name, row.slug, row.summary, row.description) == (
        "Evening circuit", "evening", "Short.", "*Hm*",
    )  # fmt: skip
    assert (categories, row.duration, row.currency) == ([category], 90, "EUR")
    assert row.details == {"bring": ["Towel", "Cap"], "spec": [["Water", "38 degrees"]]}
    assert (row.meta_title, row.meta_description, row.product_code) == ("T", "D", "P1")
    assert (row.external_id, row.revenue_centre) == ("X1", "Table")
    assert row.cross_sell_offerings == [{"offering_type": "session", "offering_id": other}]
    assert row.upsell_offerings == row.cross_sell_offerings
    assert row.related_retail_offerings[0]["offering_name"] == "Salt"
    assert (row.visibility, row.offered_online, row.customers_only, row.members_only) == (
        "link_only", True, True, True,
    )  # fmt: skip
    assert row.permitted_membership_type_ids == [membership]
    assert row.max_advance_bookings_interval == "P2W"
    assert row.min_advance_bookings_interval == "PT90M"
    assert row.membership_booking_windows_enabled
    assert row.membership_booking_windows[0]["max_advance_bookings_interval"] == "P1M"
    assert row.customer_cancellation_permitted == "unpaid"
    assert row.customer_cancellation_min_duration == "PT24H"
    limits = (row.min_guests, row.max_guests, row.max_baskets_per_session, row.max_per_basket)
    assert limits == (2, 6, 3, 2)
    assert (row.max_per_guest, row.max_bookings_per_member) == (1, 1)
    assert (row.waitlist_enabled, row.hidden_on_schedule) == (True, True)
    assert row.include_pricing_on_calendar is False
    page = maren.get(url(house, "access"))
    maren.post(url(house, "access"), typed(page), 303)
    assert "Nothing has changed" in maren.get(url(house, "access")).text("main")


def test_d4_an_absent_field_stays_and_an_unticked_box_is_sent_as_false(maren, house, make):
    seen = maren.get(url(house, "access")).one("input[name=seen]")["value"]
    maren.post(url(house, "access"), {"seen": seen, "offered_online": "false"}, 303)
    row = make(lambda: fetch(SessionType, house["type"]))
    assert row.offered_online is False
    assert row.include_pricing_on_calendar is True


def test_all_wrong_fields_are_named_at_once_and_nothing_is_lost(maren, house, make):
    fields = {**typed(maren.get(url(house))), "name": "<b>", "slug": "New!", "duration": "0"}
    page = maren.post(url(house), fields, 422)
    assert {it["href"] for it in page.all(".summary a")} == {"#name", "#slug", "#duration"}
    assert page.one("#slug")["value"] == "New!"
    assert page.soup.title.get_text().startswith("Error:")
    assert make(lambda: fetch(SessionType, house["type"]).name) == "Thermal circuit"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("image_id", "11111111-2222-3333-4444-555555555555"),
        ("category_ids", ["", "nothing-here"]),
        ("revenue_centre", "Elsewhere"),
        ("cross_sell_offerings", ["", "0123456789abcdef01234567"]),
        ("currency", "XXQ"),
        ("slug", "basket"),
        ("spec", "no colon"),
    ],
)
def test_r22_what_does_not_exist_here_is_refused_under_its_field(maren, house, field, value):
    page = maren.post(url(house), {**typed(maren.get(url(house))), field: value}, 422)
    assert [it["href"] for it in page.all(".summary a")] == [f"#{field}"]


def test_r22_foreign_membership_types_are_dropped_without_an_error(maren, house, make):
    def build():
        away = make_organisation()
        return save(MembershipType(id=new_uuid(), organisation_id=away.id, name="Away")).id

    foreign = make(build)
    fields = {
        **typed(maren.get(url(house, "access"))),
        "permitted_membership_type_ids": ["", foreign],
    }
    maren.post(url(house, "access"), fields, 303)
    assert make(lambda: fetch(SessionType, house["type"]).permitted_membership_type_ids) == []


def test_an_address_is_used_once_at_a_site(maren, house, make):
    make(lambda: make_type(fetch(Site, house["site"]), slug="sauna"))
    fields = {**typed(maren.get(url(house))), "slug": "sauna"}
    assert "has this address already" in maren.post(url(house), fields, 422).text(".summary")


def test_d4_the_second_of_two_is_shown_both_and_may_overwrite_knowingly(maren, house, make):
    first, second = (typed(maren.get(url(house))) for _ in range(2))
    maren.post(url(house), {**first, "name": "Theirs", "summary": "Theirs too"}, 303)
    page = maren.post(url(house), {**second, "name": "Ours"}, 409)
    assert page.one("#name")["value"] == "Ours"
    assert "Saved meanwhile: Theirs" in page.text("#name-theirs")
    assert "Theirs too" in page.text("#summary-theirs")
    assert make(lambda: fetch(SessionType, house["type"]).name) == "Theirs"
    maren.post(url(house), {**typed(page)}, 303)
    assert make(lambda: fetch(SessionType, house["type"]).name) == "Ours"


def test_the_description_is_previewed_cleaned_with_and_without_script(maren, house, make):
    fields = {
        **typed(maren.get(url(house))),
        "do": "preview",
        "description": "**Strong** <script>alert(1)</script> [x](javascript:alert(1))",
    }
    page = maren.post(url(house), fields, 200)
    assert page.one("#preview strong").get_text() == "Strong"
    assert not page.all("#preview script, #preview a[href^=javascript]")
    assert "<script>" in page.one("#description").get_text()
    part = maren.post(url(house), fields, 200, headers={"HX-Request-Type": "partial"})
    assert part.html.strip().startswith("<div")
    assert part.one("#preview strong")
    assert make(lambda: fetch(SessionType, house["type"]).description) == "**Warm** water."


def test_r14_archiving_shows_its_impact_and_is_refused_when_that_moved(maren, house, make):
    def build():
        kind = fetch(SessionType, house["type"])
        make_group(kind, make_room(fetch(Site, house["site"])))
        sold = make_session(kind, local_start=soon(3))
        free = [make_session(kind, local_start=soon(day)) for day in (4, 5)]
        make_order(sold, guests=2, now=read_clock())
        return sold.id, [one.id for one in free]

    sold, free = make(build)
    page = maren.get(url(house, "archive"))
    assert "2 coming sessions that nobody booked are cancelled" in page.text("dl")
    assert "1 session stands, with 1 booking and 2 guests" in page.text("dl")
    assert "1 series archived with it" in page.text("dl")
    make(lambda: make_session(fetch(SessionType, house["type"]), local_start=soon(6)))
    page = maren.post(url(house, "archive"), page.form("form.form-card"), 409)
    maren.post(url(house, "archive"), page.form("form.form-card"), 303)
    gone = [make(lambda one=one: fetch(Session, one)) for one in free]
    assert {(row.deleted_at is not None, row.withdrawn_by) for row in gone} == {(True, "archive")}
    assert make(lambda: fetch(Session, sold).deleted_at) is None
    assert "Archived" in maren.get(url(house)).text("header")
    maren.get("/bath/book/circuit", 404)
    maren.post(url(house, "restore"), {}, 303)
    assert "restore them under Times" in maren.get(url(house)).text("main")
    assert make(lambda: fetch(SessionType, house["type"]).deleted_at) is None


def test_r15_a_copy_keeps_the_name_and_takes_rules_only_when_asked(maren, house, make):
    page = maren.get(url(house, "copy"))
    fields = {**page.form("form.form-card"), "name": ""}
    where = maren.post(url(house, "copy"), fields, 303).response.location
    assert maren.post(url(house, "copy"), fields, 303).response.location == where
    row = make(lambda: fetch(SessionType, where.split("/")[-2]))
    assert (row.name, row.slug, row.offered_online) == ("Thermal circuit", "thermal-circuit", False)
    assert make(lambda: len(fetch(SessionType, row.id).price_rules)) == 1
    fields = {"name": "Bare", "key": "another"}
    where = maren.post(url(house, "copy"), fields, 303).response.location
    assert make(lambda: fetch(SessionType, where.split("/")[-2]).price_rules) == []


def test_the_list_says_what_each_type_is_and_what_it_lacks(maren, house, make):
    def build():
        site = fetch(Site, house["site"])
        make_session(fetch(SessionType, house["type"]), local_start=soon(2))
        make_type(site, name="Hidden bath", visibility="link_only")
        make_type(site, name="Old bath", deleted_at=read_clock())
        make_type(site, name="For staff", offered_online=False)

    make(build)
    page = maren.get("/staff/bath/types")
    row = page.text(f"a[href='{url(house)}']")
    assert "On sale" in row
    assert "from £48" in row
    assert "1 coming session" in row
    assert "Old bath" not in page.text("main")
    assert "Old bath" in maren.get("/staff/bath/types?state=archived").text(".types")
    assert "Hidden bath" in maren.get("/staff/bath/types?state=link_only").text(".types")
    assert "Nothing fits" in maren.get("/staff/bath/types?q=zzz").text("main")
    assert maren.get("/staff/bath/").one(".rail a[href='/staff/bath/types']")
    assert maren.get("/staff/bath/types?sort=next&page=99999&category=x%00&state=odd", 400)
    for sort in ("next", "coming", "changed", "odd"):
        maren.get(f"/staff/bath/types?sort={sort}&page=99999")


def test_the_list_asks_as_much_for_200_types_as_for_one(app, maren, house, make):
    one = count_queries(app, lambda: maren.client.get("/staff/bath/types"))

    def build():
        site = fetch(Site, house["site"])
        db.session.add_all(
            SessionType(
                organisation_id=site.organisation_id, site_id=site.id, slug=f"t{n}",
                name=f"Type {n}", currency="GBP", link_key=f"k{n}", duration=60,
                created_at=read_clock(), updated_at=read_clock(),
            )
            for n in range(200)
        )  # fmt: skip
        db.session.commit()

    make(build)
    assert len(count_queries(app, lambda: maren.client.get("/staff/bath/types"))) == len(one)
    page = maren.get("/staff/bath/types")
    assert len(page.all(".types li")) == 25
    assert "Page 1 of 9" in page.text(".pager")


def test_d1_another_organisations_types_are_not_found(visitor, house, make):
    make(lambda: make_staff(make_site(slug="away"), "x@example.com", rights=("SETTINGS_MANAGE",)))
    visitor.sign_in("x@example.com", "thermal-waters", "/staff/sign-in")
    for site in ("away", "bath"):
        for path in ("details", "access", "copy", "archive", "restore"):
            visitor.get(f"/staff/{site}/types/{house['type']}/{path}", 404)
            visitor.post(f"/staff/{site}/types/{house['type']}/{path}", {"name": "x"}, 404)


def test_search_engines_read_what_staff_wrote(maren, house, make):
    fields = {**typed(maren.get(url(house))), "meta_title": "Bath spa", "meta_description": "Dip."}
    maren.post(url(house), fields, 303)
    page = maren.get("/bath/book/circuit")
    assert page.soup.title.get_text().startswith("Bath spa")
    assert page.one("meta[name=description]")["content"] == "Dip."
