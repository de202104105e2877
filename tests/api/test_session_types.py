"""Session types through the API (2.1, R1-R4, R11, R14, R15, R21, R22, C1-C43)."""

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    fetch,
    make_group,
    make_room,
    make_rule,
    make_session,
    make_site,
    make_type,
    save,
)

from blueprints.clock import read_clock
from models import (
    Category,
    Media,
    MembershipType,
    Organisation,
    Session,
    SessionType,
    Site,
    db,
    new_uuid,
)
from services.api_tokens import make_token

TYPES = "/session-types"
ELSEWHERE = "65f1c0de65f1c0de65f1c0de"


@pytest.fixture
def shop(program, site_id):
    return program(site_id, "SETTINGS_MANAGE")


@pytest.fixture
def beside(make, site_id):
    """Another site of the organisation."""
    return make(lambda: make_site(fetch(Organisation, fetch(Site, site_id).organisation_id)).id)


@pytest.fixture
def foreign(make):
    """A site of another organisation."""
    return make(lambda: make_site().id)


@pytest.fixture
def kind_id(make, site_id):
    return make(lambda: make_type(fetch(Site, site_id)).id)


def refused(answer, *fields):
    assert sorted(answer["errors"]) == sorted(fields)


def at(site_id):
    return f"{TYPES}?site_id={site_id}"


def test_contract_9_a_type_made_from_its_name_alone(make, shop, site_id):
    made = shop.post(TYPES, {"name": "Evening bath"})["data"]
    organisation_id = make(lambda: fetch(Site, site_id).organisation_id)
    plain = {
        "name": "Evening bath", "site_id": site_id, "organisation_id": organisation_id,
        "description": "", "product_code": None, "external_id": None, "currency": "gbp",
        "duration": 60, "min_guests": 1, "max_guests": None, "visibility": "public",
        "private": False, "offered_online": False, "hidden_on_schedule": False,
        "image": None, "image_id": None, "price_rules": [], "categories": [], "category_ids": [],
        "recurrence_groups": [], "meta": {"title": None, "description": None},
        "customer_cancellation_permitted": "disallowed", "include_pricing_on_calendar": False,
        "permitted_membership_type_ids": [], "membership_booking_windows": [],
        "related_retail_offerings": [], "deleted_at": None, "slug": "evening-bath",
    }  # fmt: skip
    assert {name: made[name] for name in plain} == plain
    assert shop.get(f"{TYPES}/{made['id']}")["data"] == made


def everything(make, site_id):
    """A body with every field that can be written, and the ids that it refers to."""

    def build():
        site = fetch(Site, site_id)
        site.revenue_centres = ["SPA"]
        save(site)
        picture = Media(
            organisation_id=site.organisation_id, file_name="bath.jpg", mime_type="image/jpeg",
            size=10, original_url="", width=900, height=600,
        )  # fmt: skip
        category = Category(organisation_id=site.organisation_id, name="Baths", slug="baths")
        member = MembershipType(id=new_uuid(), organisation_id=site.organisation_id, name="River")
        ids = save(picture).id, save(category).id, save(member).id
        return *ids, make_type(site, name="Sauna").id

    picture, category, member, sauna = make(build)
    offered = {
        "offering_type": "session", "offering_id": sauna, "offering_name": "Sauna",
        "display_name": "Afterwards", "offering_config": {"guests": 2},
    }  # fmt: skip
    salt = {
        "offering_type": "retail", "offering_id": "42", "offering_name": "Salt",
        "display_name": "Salt", "offering_config": None,
    }  # fmt: skip
    return {
        "name": "Bath", "description": "*Warm*", "summary": "Warm.", "product_code": "P1",
        "external_id": "E1", "currency": "eur", "hidden_on_schedule": True, "image_id": picture,
        "offered_online": True, "visibility": "link_only", "private": True, "duration": 45,
        "max_baskets_per_session": 3, "max_advance_bookings_interval": "P1W",
        "min_advance_bookings_interval": "PT24H", "customers_only": True, "members_only": True,
        "max_bookings_per_member": 2, "permitted_membership_type_ids": [member],
        "membership_booking_windows_enabled": True,
        "membership_booking_windows": [
            {
                "membership_type_id": member, "max_advance_bookings_interval": "P1M",
                "min_advance_bookings_interval": None,
            }
        ],
        "customer_cancellation_permitted": "unpaid",
        "customer_cancellation_min_duration": "PT4H", "waitlist_enabled": True, "min_guests": 2,
        "max_guests": 4, "max_per_basket": 5, "max_per_guest": 6, "category_ids": [category],
        "meta": {"title": "T", "description": "D"}, "upsell_offerings": [offered],
        "cross_sell_offerings": [offered], "related_retail_offerings": [salt],
        "revenue_centre": "SPA", "include_pricing_on_calendar": True,
    }  # fmt: skip


def test_every_field_is_written_by_create_update_and_copy(make, shop, site_id, kind_id):
    body = everything(make, site_id)
    made = shop.post(TYPES, body)["data"]
    changed = shop.put(f"{TYPES}/{kind_id}", body)["data"]
    copied = shop.post(f"{TYPES}/{kind_id}/copy", {**body, "name": "Copied"})["data"]
    assert {name: made[name] for name in body} == body
    assert {name: changed[name] for name in body} == body
    assert {name: copied[name] for name in body} == {**body, "name": "Copied"}
    assert made["categories"] == [{"id": body["category_ids"][0], "name": "Baths"}]
    assert made["image"]["url"].startswith("http")
    assert made["image"]["size"] == 10


def test_c16_r3_what_was_fetched_is_sent_back_and_changes_nothing(make, shop, site_id):
    made = shop.post(TYPES, everything(make, site_id))["data"]
    url = f"{TYPES}/{made['id']}"
    assert shop.put(url, made)["data"] == made
    assert shop.put(url, {})["data"] == made
    copied = shop.post(f"{url}/copy", made)["data"]
    own = ("id", "slug", "updated_at", "price_rules", "recurrence_groups")
    assert {k: v for k, v in copied.items() if k not in own} == {
        k: v for k, v in made.items() if k not in own
    }
    refused(shop.put(url, {"id": ELSEWHERE, "name": ""}, 422), "id", "name")
    identity = {"id": "x", "site_id": new_uuid(), "organisation_id": new_uuid()}
    refused(shop.put(url, identity, 422), *identity)
    refused(shop.post(f"{url}/copy", identity, 422), *identity)
    assert shop.get(url)["data"] == made


def test_r3_null_clears_what_may_be_null_and_is_refused_elsewhere(make, shop, site_id):
    body = everything(make, site_id)
    made = shop.post(TYPES, body)["data"]
    url = f"{TYPES}/{made['id']}"
    cleared = {
        "description": "", "product_code": None, "external_id": None, "image_id": None,
        "max_baskets_per_session": None, "max_advance_bookings_interval": None,
        "min_advance_bookings_interval": None, "max_bookings_per_member": None,
        "permitted_membership_type_ids": [], "customer_cancellation_min_duration": None,
        "max_guests": None, "max_per_basket": None, "max_per_guest": None, "revenue_centre": None,
    }  # fmt: skip
    answer = shop.put(url, {**dict.fromkeys(cleared), "meta": {"title": None}})["data"]
    assert {name: answer[name] for name in cleared} == cleared
    assert answer["meta"] == {"title": None, "description": "D"}
    assert answer["image"] is None
    never = set(body) - {*cleared, "summary"}
    refused(shop.put(url, dict.fromkeys(never), 422), *never)


def test_iso_durations_go_out_as_they_were_written(shop, kind_id):
    url = f"{TYPES}/{kind_id}"
    for written in ("P7D", "P1W", "PT24H", "P1D", "P1Y2M3DT4H5M6S"):
        answer = shop.put(url, {"max_advance_bookings_interval": written})["data"]
        assert answer["max_advance_bookings_interval"] == written
    before = shop.get(url)["data"]["updated_at"]
    assert shop.put(url, {"max_advance_bookings_interval": written})["data"]["updated_at"] == before
    for wrong in ("p1w", "P", "PT", "1W", "P1.5D", "P99999D", ""):
        refused(
            shop.put(url, {"max_advance_bookings_interval": wrong}, 422),
            "max_advance_bookings_interval",
        )


@pytest.mark.parametrize(
    ("sent", "visibility", "members_only"),
    [
        ({"visibility": "hidden"}, "link_only", False),
        ({"visibility": "members_only"}, "public", True),
        ({"visibility": "members_only", "members_only": True}, "public", True),
        ({"visibility": "private"}, "private", False),
        ({"private": True}, "link_only", False),
        ({"private": True, "visibility": "public"}, "public", False),
        ({"private": False}, "public", False),
    ],
)
def test_c1_c2_both_vocabularies_of_visibility(shop, sent, visibility, members_only):
    made = shop.post(TYPES, {"name": "Bath", **sent})["data"]
    assert (made["visibility"], made["members_only"]) == (visibility, members_only)
    assert made["private"] == (visibility != "public")


def test_c1_c2_the_older_word_moves_what_is_listed_and_nothing_staff_only(shop, kind_id):
    url = f"{TYPES}/{kind_id}"
    assert shop.put(url, {"private": True})["data"]["visibility"] == "link_only"
    assert shop.put(url, {"private": False})["data"]["visibility"] == "public"
    shop.put(url, {"visibility": "private"})
    assert shop.put(url, {"private": False})["data"]["visibility"] == "private"
    contradiction = {"visibility": "members_only", "members_only": False}
    refused(shop.put(url, contradiction, 422), "members_only")


def test_contract_9_all_wrong_fields_are_named_at_once(shop, kind_id):
    body = {
        "name": "<b>x</b>", "duration": "60", "max_guests": 0, "currency": "xxx",
        "visibility": "secret", "image_id": new_uuid(), "category_ids": [ELSEWHERE],
        "revenue_centre": "MOON", "offered_online": "yes", "meta": {"title": "<b>"},
        "upsell_offerings": [{"offering_type": "session", "offering_id": ELSEWHERE}],
        "membership_booking_windows": "none", "min_guests": True,
    }  # fmt: skip
    fields = [name for name in body if name != "meta"] + ["meta.title"]
    refused(shop.put(f"{TYPES}/{kind_id}", body, 422), *fields)
    refused(shop.post(TYPES, body, 422), *fields)
    refused(shop.post(f"{TYPES}/{kind_id}/copy", body, 422), *fields)


def test_r22_what_is_not_here_is_refused_under_its_field(make, shop, kind_id, foreign):
    def build():
        site = fetch(Site, foreign)
        picture = Media(
            organisation_id=site.organisation_id, file_name="x.jpg", mime_type="image/jpeg",
            size=1, original_url="",
        )  # fmt: skip
        category = Category(organisation_id=site.organisation_id, name="Baths", slug="baths")
        return save(picture).id, save(category).id, make_type(site).id

    picture, category, other = make(build)
    offered = [{"offering_type": "session", "offering_id": other}]
    body = {
        "image_id": picture, "category_ids": [category], "upsell_offerings": offered,
        "cross_sell_offerings": [{"offering_type": "balloon", "offering_id": "1"}],
        "related_retail_offerings": offered, "revenue_centre": "SPA",
    }  # fmt: skip
    refused(shop.put(f"{TYPES}/{kind_id}", body, 422), *body)
    malformed = {
        "image_id": "x", "category_ids": ["x"], "permitted_membership_type_ids": ["x"],
        "upsell_offerings": [{"offering_type": "session", "offering_id": "x"}],
    }  # fmt: skip
    refused(shop.put(f"{TYPES}/{kind_id}", malformed, 422), *malformed)


def test_r22_membership_types_of_another_brand_are_dropped(make, shop, site_id, foreign, kind_id):
    def build(where):
        organisation_id = fetch(Site, where).organisation_id
        row = MembershipType(id=new_uuid(), organisation_id=organisation_id, name="River")
        return save(row).id

    own, other = make(lambda: build(site_id)), make(lambda: build(foreign))
    window = {"max_advance_bookings_interval": "P1D", "min_advance_bookings_interval": None}
    answer = shop.put(
        f"{TYPES}/{kind_id}",
        {
            "permitted_membership_type_ids": [other, own],
            "membership_booking_windows": [
                {"membership_type_id": other, **window},
                {"membership_type_id": own},
            ],
        },
    )["data"]
    assert answer["permitted_membership_type_ids"] == [own]
    assert answer["membership_booking_windows"] == [
        {"membership_type_id": own, **dict.fromkeys(window)}
    ]


def test_c26_a_type_is_made_at_the_site_that_is_named(make, program, site_id, beside, foreign):
    everywhere = program(site_id, everywhere=True)
    body = {"name": "Bath"}
    refused(everywhere.post(TYPES, body, 422), "site_id")
    refused(everywhere.post(at(foreign), body, 422), "site_id")
    refused(everywhere.post(at("x"), body, 422), "site_id")
    assert everywhere.post(at(beside), body)["data"]["site_id"] == beside
    one = program(site_id, "SETTINGS_MANAGE")
    assert one.post(TYPES, body)["data"]["site_id"] == site_id
    one.post(at(beside), body, 403)
    one.post(at(beside), {"name": ""}, 403)
    program(site_id, "RESERVATIONS_MANAGE").post(TYPES, {"name": 5}, 403)
    organisation_id = make(lambda: fetch(Site, site_id).organisation_id)
    one.post(TYPES, {**body, "organisation_id": organisation_id})
    theirs = make(lambda: fetch(Site, foreign).organisation_id)
    refused(one.post(TYPES, {**body, "organisation_id": theirs}, 422), "organisation_id")


def test_c26_a_token_of_two_sites_with_the_right_at_one_says_where(app, program, site_id, beside):
    with app.app_context():
        rights = {site_id: ["SETTINGS_MANAGE"], beside: ["RESERVATIONS_MANAGE"]}
        organisation_id = fetch(Site, site_id).organisation_id
        _, token = make_token(organisation_id, name="Two", rights=rights, by=None, now=read_clock())
    two = program(site_id)
    two.token = token
    refused(two.post(TYPES, {"name": "Bath"}, 422), "site_id")
    two.post(at(beside), {"name": "Bath"}, 403)
    two.post(at(site_id), {"name": "Bath"})


def names(answer):
    return [one["name"] for one in answer["data"]]


def test_r21_types_are_listed_by_name_found_by_it_and_paged(make, shop, site_id):
    def build():
        site = fetch(Site, site_id)
        for name in ("sauna", "Bath", "50% off_day", "Ice bath"):
            make_type(site, name=name)

    make(build)
    assert names(shop.get(TYPES)) == ["50% off_day", "Bath", "Ice bath", "sauna"]
    assert names(shop.get(f"{TYPES}?query=BATH")) == ["Bath", "Ice bath"]
    assert names(shop.get(f"{TYPES}?query=%25%20off_")) == ["50% off_day"]
    assert names(shop.get(f"{TYPES}?query=a_b")) == []
    page = shop.get(f"{TYPES}?per_page=3&page=2")
    assert names(page) == ["sauna"]
    assert page["meta"]["total"] == 4
    assert shop.get(f"{TYPES}?per_page=1000&page=9")["meta"]["per_page"] == 100
    for wrong in ("query=%00", "archived=maybe", "page=0", "per_page=x", "site_id=%00"):
        shop.get(f"{TYPES}?{wrong}", 400)


def test_r2_a_list_covers_the_sites_of_the_token(make, program, site_id, beside, foreign):
    make(lambda: [make_type(fetch(Site, one), name=one) for one in (site_id, beside, foreign)])
    one, every = program(site_id, "RESERVATIONS_MANAGE"), program(site_id, everywhere=True)
    assert names(one.get(TYPES)) == [site_id]
    assert sorted(names(every.get(TYPES))) == sorted((site_id, beside))
    assert names(every.get(at(beside))) == [beside]
    one.get(at(beside), 403)
    for stranger in (foreign, new_uuid(), "x", ""):
        assert names(one.get(at(stranger))) == names(every.get(at(stranger))) == []


def test_r1_r2_a_type_is_fetched_where_the_token_has_access(
    make, program, site_id, beside, foreign
):
    here, there, far = make(
        lambda: [make_type(fetch(Site, one)).id for one in (site_id, beside, foreign)]
    )
    shop = program(site_id, "RESERVATIONS_MANAGE")
    shop.get(f"{TYPES}/{here}")
    shop.get(f"{TYPES}/{there}", 403)
    for missing in (far, ELSEWHERE, "x"):
        shop.get(f"{TYPES}/{missing}", 404)
    for method, path in (("PUT", ""), ("DELETE", ""), ("POST", "/copy"), ("POST", "/restore")):
        shop.ask(method, f"{TYPES}/{here}{path}", 403, body={"name": ""})
        shop.ask(method, f"{TYPES}/{far}{path}", 404, body={})


def test_r11_r14_archiving_takes_groups_and_unsold_sessions_along(make, shop, site_id, kind_id):
    def build():
        kind = fetch(SessionType, kind_id)
        group = make_group(kind, make_room(fetch(Site, site_id)))
        return group.id, make_session(kind, local_start="2199-06-12T18:00").id

    group_id, session_id = make(build)
    url = f"{TYPES}/{kind_id}"
    shop.delete(url)
    shop.delete(url, 404)
    assert make(lambda: fetch(Session, session_id).deleted_at)
    gone = shop.get(url)["data"]
    assert gone["deleted_at"]
    assert names(shop.get(TYPES)) == []
    listed = shop.get(f"{TYPES}?archived=true")["data"][0]
    assert [one["id"] for one in listed["recurrence_groups"]] == [group_id]
    assert shop.put(url, {"name": "Renamed"})["data"]["deleted_at"] == gone["deleted_at"]
    back = shop.post(f"{url}/restore", status=200)["data"]
    assert back["deleted_at"] is None
    assert back["recurrence_groups"] == []
    assert shop.post(f"{url}/restore", status=200)["data"] == back


def test_r15_a_copy_takes_rules_and_groups_along_when_asked(make, shop, site_id, kind_id):
    def build():
        kind = fetch(SessionType, kind_id)
        make_rule(kind, price=900, position=1, weekdays=["friday"])
        group = make_group(kind, make_room(fetch(Site, site_id)))
        group.recurrence_start, group.recurrence_end = read_clock().date(), None
        save(group)
        make_session(kind)

    make(build)
    url = f"{TYPES}/{kind_id}/copy"
    bare = shop.post(url, data="")["data"]
    assert (bare["name"], bare["price_rules"]) == ("Thermal circuit", [])
    assert bare["recurrence_groups"] == []
    full = shop.post(f"{url}?include_price_rules=1&include_recurrence_groups=true", {})["data"]
    assert [one["price"] for one in full["price_rules"]] == [4800, 900]
    assert [len(one["start_times"]) for one in full["recurrence_groups"]] == [2]

    def sessions(type_id):
        every = sa.select(sa.func.count()).where(Session.session_type_id == type_id)
        return make(lambda: db.session.scalar(every, execution_options=ANYWHERE))

    assert sessions(bare["id"]) == 0
    assert sessions(full["id"]) > 20
    shop.post(f"{url}?include_price_rules=maybe", {}, 400)


def test_d4_only_whoever_saw_the_present_version_changes_it(shop, kind_id):
    url = f"{TYPES}/{kind_id}"
    seen = shop.ask("GET", url).headers["ETag"]
    changed = shop.ask("PUT", url, 200, body={"name": "One"}, headers={"If-Match": seen})
    shop.ask("PUT", url, 412, body={"name": "Two"}, headers={"If-Match": seen})
    shop.ask("DELETE", url, 412, headers={"If-Match": seen})
    assert shop.ask("GET", url).headers["ETag"] == changed.headers["ETag"]
    shop.ask("DELETE", url, 204, headers={"If-Match": changed.headers["ETag"]})


def test_h6_a_key_makes_one_type(shop):
    key = {"headers": {"Idempotency-Key": "1"}}
    first = shop.post(TYPES, {"name": "Bath"}, **key)
    assert shop.post(TYPES, {"name": "Bath"}, **key) == first
    assert len(names(shop.get(TYPES))) == 1


def test_r21_a_page_takes_as_many_statements_whatever_is_on_it(make, app, shop, site_id):
    def build(number):
        site = fetch(Site, site_id)
        room = make_room(site)
        for _ in range(number):
            kind = make_type(site)
            kind.upsell_offerings = [{"offering_type": "session", "offering_id": kind.id}]
            make_group(save(kind), room)

    def count():
        asked = []
        with app.app_context():
            engine = db.engine
        note = lambda *args: asked.append(args[2])  # noqa: E731
        sa.event.listen(engine, "before_cursor_execute", note)
        try:
            shop.get(f"{TYPES}?per_page=30")
        finally:
            sa.event.remove(engine, "before_cursor_execute", note)
        return len(asked)

    make(lambda: build(3))
    count()
    few = count()
    make(lambda: build(12))
    assert count() == few


def test_never_a_500_whatever_stands_in_a_body(shop, kind_id):
    url = f"{TYPES}/{kind_id}"
    for body in (
        {"name": "a\0b"},
        {"name": "\ud800"},
        {"duration": 10**30},
        {"duration": 1441},
        {"max_guests": -1},
        {"name": "x" * 10_000},
        {"product_code": "x" * 10_000},
        {"meta": []},
        {"image_id": "\0"},
        {"category_ids": [None]},
        {"upsell_offerings": [{}]},
        {"upsell_offerings": [{"offering_type": "session", "offering_id": "\0"}]},
        {"membership_booking_windows": [{"membership_type_id": "x" * 9999}]},
        [],
        "text",
        None,
    ):
        answer = shop.ask("PUT", url, json=body)
        assert answer.status_code == 422 or body is None, body
    shop.ask("PUT", url, 400, data="{")
    shop.ask("PUT", url, 400, data="")
