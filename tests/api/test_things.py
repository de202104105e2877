"""What all things that sessions refer to have in common: whose they are, and who may do what."""

import json
from typing import Any

import pytest
import sqlalchemy as sa
from factories import (
    fetch,
    make_customer,
    make_practitioner,
    make_room,
    make_site,
    make_type,
    save,
)

from blueprints.api.operations import OPERATIONS
from blueprints.clock import read_clock
from models import (
    Category,
    Media,
    MembershipType,
    Organisation,
    Site,
    Zone,
    db,
    new_uuid,
    practitioner_types,
)

LISTS = "rooms zones practitioners categories sites customers media membership-types".split()
CHANGING = {
    "rooms": {"name": "Cedar"},
    "zones": {"name": "Cedar"},
    "practitioners": {"name": "Cedar"},
    "categories": {"name": "Cedar"},
    "sites": {"name": "Cedar"},
    "media": {"alt": "Cedar"},
}
OF_SITES = ("rooms", "zones", "practitioners", "sites")
TAGS = {
    "Rooms", "Zones", "Practitioners", "Categories", "Sites", "Customers", "Media",
    "Membership types",
}  # fmt: skip


def make_picture_row(site: Site, **given: Any) -> Media:
    return save(
        Media(
            id=new_uuid(), organisation_id=site.organisation_id, file_name="bath.jpg",
            mime_type="image/jpeg", size=10, original_url="", width=800, height=600,
            created_at=read_clock(), **given,
        )
    )  # fmt: skip


def make_things(site: Site, number: int = 1) -> dict[str, str]:
    """One of each thing, or more; by the part of its address the id of the last."""
    own, found = site.organisation_id, {"sites": site.id}
    for n in range(number):
        zone = save(Zone(organisation_id=own, site_id=site.id, name=f"Zone {n}"))
        kind = make_type(site)
        person = make_practitioner(site)
        db.session.execute(
            practitioner_types.insert().values(practitioner_id=person.id, session_type_id=kind.id)
        )
        picture = make_picture_row(site)
        kind.image_id = picture.id
        category = save(Category(organisation_id=own, slug=f"c-{own[:8]}-{n}", name=f"Warm {n}"))
        member = save(MembershipType(id=new_uuid(), organisation_id=own, name=f"River {n}"))
        found |= {
            "zones": zone.id,
            "rooms": make_room(site, zone_id=zone.id).id,
            "practitioners": person.id,
            "categories": category.id,
            "customers": make_customer(own, email=f"ana{n}@example.com").id,
            "media": picture.id,
            "membership-types": member.id,
        }
    return found


@pytest.fixture
def things(make, site_id):
    return make(lambda: make_things(fetch(Site, site_id)))


@pytest.fixture
def foreign(make):
    """The same in another organisation."""
    return make(lambda: make_things(make_site(slug="elsewhere")))


@pytest.fixture
def neighbour(make, site_id):
    """Another site of the same organisation."""

    def build() -> str:
        house = db.session.get_one(Organisation, fetch(Site, site_id).organisation_id)
        return make_site(house, slug="next-door").id

    return make(build)


def counted(app, deed):
    """How many statements `deed` takes."""
    statements = []
    with app.app_context():
        engine = db.engine

    def count(*given):
        statements.append(given[2])

    sa.event.listen(engine, "before_cursor_execute", count)
    try:
        deed()
    finally:
        sa.event.remove(engine, "before_cursor_execute", count)
    return len(statements)


def test_all_of_it_goes_beyond_the_contract_and_says_so():
    ours = [one for one in OPERATIONS.values() if one.tag in TAGS]
    assert len(ours) > 30
    assert all(one.is_addition for one in ours)


@pytest.mark.parametrize("kind", LISTS)
def test_r1_a_list_has_what_is_ones_own(program, site_id, things, foreign, kind):
    shown = program(site_id).get(f"/{kind}")
    ids = [one["id"] for one in shown["data"]]
    assert things[kind] in ids
    assert foreign[kind] not in ids
    assert shown["meta"]["total"] == len(ids) == 1


@pytest.mark.parametrize("kind", LISTS[:-1])
def test_r1_what_is_foreign_is_not_there_and_stays_as_it_is(program, site_id, foreign, kind):
    shop = program(site_id, everywhere=True)
    other = program(foreign["sites"])
    before = other.get(f"/{kind}/{foreign[kind]}")
    shop.get(f"/{kind}/{foreign[kind]}", 404)
    shop.get(f"/{kind}/{'0' * 24}", 404)
    shop.get(f"/{kind}/no-such-id", 404)
    if kind in CHANGING:
        shop.put(f"/{kind}/{foreign[kind]}", CHANGING[kind], 404)
        if kind != "sites":
            shop.delete(f"/{kind}/{foreign[kind]}", 404)
    assert other.get(f"/{kind}/{foreign[kind]}") == before


@pytest.mark.parametrize("kind", CHANGING)
def test_changing_needs_the_right_and_says_so_before_it_reads_the_body(
    program, site_id, things, kind
):
    shop = program(site_id, "RESERVATIONS_MANAGE")
    assert shop.put(f"/{kind}/{things[kind]}", {"name": 5}, 403)["code"] == "forbidden"
    if kind not in ("sites", "media"):
        shop.post(f"/{kind}", {}, 403)
    if kind != "sites":
        shop.delete(f"/{kind}/{things[kind]}", 403)


@pytest.mark.parametrize("kind", OF_SITES)
def test_r2_what_is_of_another_site_is_for_those_with_a_right_there(
    program, site_id, neighbour, things, kind
):
    shop = program(neighbour)
    shop.get(f"/{kind}/{things[kind]}", 403)
    shop.put(f"/{kind}/{things[kind]}", CHANGING[kind], 403)
    assert things[kind] not in [one["id"] for one in shop.get(f"/{kind}")["data"]]
    if kind != "sites":
        assert shop.get(f"/{kind}?site_id={site_id}")["data"] == []
        assert program(site_id).get(f"/{kind}?site_id={site_id}")["meta"]["total"] == 1


@pytest.mark.parametrize("kind", ["categories", "media", "customers", "membership-types"])
def test_what_is_the_organisations_is_for_those_with_the_right_at_any_site(
    program, neighbour, things, kind
):
    shop = program(neighbour, "SETTINGS_MANAGE", "CUSTOMERS_MANAGE")
    assert [one["id"] for one in shop.get(f"/{kind}")["data"]] == [things[kind]]
    if kind in CHANGING:
        shop.put(f"/{kind}/{things[kind]}", CHANGING[kind])


@pytest.mark.parametrize("kind", CHANGING)
def test_r3_what_is_absent_stays_and_an_empty_body_changes_nothing(program, site_id, things, kind):
    shop, path = program(site_id), f"/{kind}/{things[kind]}"
    first = shop.ask("GET", path, 200)
    assert shop.put(path, {}) == first.get_json()
    changed = shop.ask("PUT", path, 200, body=CHANGING[kind])
    assert changed.get_json()["data"] == {**first.get_json()["data"], **CHANGING[kind]}
    assert changed.headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize("kind", CHANGING)
def test_a_version_that_was_seen_may_be_changed_and_no_other(program, site_id, things, kind):
    shop, path = program(site_id), f"/{kind}/{things[kind]}"
    seen = {"If-Match": shop.ask("GET", path, 200).headers["ETag"]}
    shop.put(path, CHANGING[kind], headers=seen)
    name = next(iter(CHANGING[kind]))
    shop.put(path, {name: "Willow"}, 412, headers=seen)
    assert shop.get(path)["data"][name] == "Cedar"
    if kind != "sites":
        shop.delete(path, 412, headers=seen)


@pytest.mark.parametrize("kind", ["rooms", "zones"])
def test_c26_a_new_thing_is_made_at_the_only_site_or_at_the_one_named(
    program, site_id, neighbour, foreign, kind
):
    body = {"name": "Cedar", "capacity": 4}
    assert program(site_id).post(f"/{kind}", body)["data"]["site_id"] == site_id
    shop = program(site_id, everywhere=True)
    assert list(shop.post(f"/{kind}", body, 422)["errors"]) == ["site_id"]
    made = shop.post(f"/{kind}?site_id={neighbour}", body)["data"]
    assert made["site_id"] == neighbour
    for site in (foreign["sites"], new_uuid(), "none"):
        assert list(shop.post(f"/{kind}?site_id={site}", body, 422)["errors"]) == ["site_id"]
    program(site_id).post(f"/{kind}?site_id={neighbour}", body, 403)


@pytest.mark.parametrize("kind", ["rooms", "zones", "categories", "practitioners"])
def test_h6_the_same_key_makes_one_thing(program, site_id, kind):
    shop, key = program(site_id), {"Idempotency-Key": "k-1"}
    body = {"name": "Cedar", "capacity": 4, "site_ids": [site_id]}
    first, again = (shop.post(f"/{kind}", body, headers=key) for _ in range(2))
    assert first == again
    assert shop.get(f"/{kind}")["meta"]["total"] == 1


@pytest.mark.parametrize("kind", LISTS)
def test_a_page_takes_as_many_statements_for_thirty_as_for_three(app, make, program, site_id, kind):
    make(lambda: make_things(fetch(Site, site_id), 3))
    shop = program(site_id)
    shop.get(f"/{kind}")
    few = counted(app, lambda: shop.get(f"/{kind}?per_page=100"))

    def add_more():
        site = fetch(Site, site_id)
        own = site.organisation_id
        if kind == "sites":
            house = db.session.get_one(Organisation, own)
            for n in range(5):
                make_site(house, slug=f"more-{n}")
            return
        for n in range(10):
            zone = Zone(organisation_id=own, site_id=site.id, name=f"More {n}")
            db.session.add_all(
                [
                    zone,
                    Category(organisation_id=own, slug=f"m-{n}", name=f"More {n}"),
                    MembershipType(id=new_uuid(), organisation_id=own, name=f"More {n}"),
                ]
            )
            make_picture_row(site)
            make_room(site)
            make_practitioner(site)
            make_customer(own, email=f"more{n}@example.com")

    make(add_more)
    assert counted(app, lambda: shop.get(f"/{kind}?per_page=100")) == few


@pytest.mark.parametrize("kind", LISTS)
def test_r21_lists_page(make, program, site_id, kind):
    make(lambda: make_things(fetch(Site, site_id), 3))
    shop = program(site_id)
    if kind == "sites":
        return
    pages = [shop.get(f"/{kind}?per_page=2&page={n}") for n in (1, 2, 3)]
    assert [len(one["data"]) for one in pages] == [2, 1, 0]
    assert len({it["id"] for one in pages for it in one["data"]}) == 3
    assert pages[0]["meta"] | {"total": 3, "last_page": 2} == pages[0]["meta"]
    shop.get(f"/{kind}?page=0", 400)


def test_bodies_that_cannot_be_read_are_told_so(program, site_id, things):
    shop = program(site_id)
    for kind in CHANGING:
        path = f"/{kind}/{things[kind]}"
        shop.ask("PUT", path, 400, data="{")
        shop.ask("PUT", path, 422, data="[]")
        for wrong in ("a\0b", "\ud800", None, 5, "x" * 5000):
            name = next(iter(CHANGING[kind]))
            said = shop.ask("PUT", path, 422, data=json.dumps({name: wrong})).get_json()
            assert list(said["errors"]) == [name]
