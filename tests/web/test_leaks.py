"""D2: what is sold by link alone, or not at all online, leaves no trace anywhere else.

The crawl walks the application's own map of addresses, so pages added later are looked at too.
"""

import datetime as dt
import html
import itertools
import re
from collections.abc import Iterator
from urllib.parse import quote, unquote, urlsplit

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    fetch,
    make_account,
    make_customer,
    make_practitioner,
    make_room,
    make_rule,
    make_session,
    make_site,
    make_type,
    save,
)

from blueprints.clock import read_clock
from domain.eligibility import Viewer
from models import Category, PrivateLink, SessionBooking, SessionType, db
from services.basket import hold_places
from services.checkout import confirm_order, find_order
from services.link_places import Way
from services.private_links import NewLink, make_link, revoke_link

SECRET_TYPES = {
    "quillwort-supper": ("Quillwort supper", 7771, {"visibility": "link_only"}),
    "borrowdale-rehearsal": ("Borrowdale rehearsal", 6661, {"visibility": "private"}),
    "tansy-clinic": ("Tansy clinic", 5551, {"offered_online": False}),
}
LINK_PRICE = 4441
DAY, MONTH = "2026-06-12", "2026-06"
QUERIES = (
    "",
    f"?month={MONTH}&date={DAY}&guests=2",
    f"?date={DAY}",
    "?q=quillwort&when=any&guests=1",
    "?q=zebrine&when=any",
    "?page=2&from=basket",
)


@pytest.fixture
def house(make):
    """One public offer that names the secret ones beside it, and all that must not be seen."""

    def build():
        site = make_site(slug="bath")
        categories = [
            save(Category(organisation_id=site.organisation_id, slug=slug, name=name))
            for slug, name in (("water", "Water"), ("zebrine", "Zebrine evenings"))
        ]
        room = make_room(site, name="Larkspur room")
        person = make_practitioner(site, name="Odalys Quent")
        kinds, sessions = {}, {}
        for slug, (name, price, given) in SECRET_TYPES.items():
            row = make_type(
                site, slug=slug, name=name, price=None, summary=f"Heliotrope {name}",
                description=f"Marjoram **{name}**", categories=[categories[1]], position=0,
                waitlist_enabled=True, product_code=f"PC-{slug}", **given,
            )  # fmt: skip
            make_rule(row, price=price, label="Saffron rate")
            kinds[slug] = row
            sessions[slug] = make_session(
                row, local_start=f"{DAY}T17:35", room_id=room.id, practitioner_id=person.id,
                capacity=2,
            )  # fmt: skip
        refs = [{"offering_type": "session", "offering_id": row.id} for row in kinds.values()]
        public = make_type(
            site, slug="open-bath", name="Open bath", categories=categories[:1], position=1,
            upsell_offerings=refs, cross_sell_offerings=refs, waitlist_enabled=True,
        )  # fmt: skip
        dated = make_session(public, local_start=f"{DAY}T10:00")
        make_session(public, local_start="2026-06-13T10:00")
        secret = kinds["quillwort-supper"]
        now, own = read_clock(), sessions["quillwort-supper"]
        wanted = [
            NewLink(public.id, "Wilhelmina", dated.local_start, "", LINK_PRICE, None, 5, 2),
            NewLink(secret.id, "Wilhelmina", None, "wilhelmina@example.com", LINK_PRICE),
            NewLink(public.id, "Wilhelmina", None, "", LINK_PRICE),
        ]
        links = [
            fetch(PrivateLink, make_link(
                site.organisation_id, site.id, one, by="staff", now=now))
            for one in wanted
        ]  # fmt: skip
        revoke_link(site.organisation_id, site.id, links[2].id, now=now)
        basket = hold_places(
            site.organisation_id, own.id, session_type_id=secret.id, guests=2, viewer=Viewer(),
            basket_secret=None, way=Way(type_key=fetch(SessionType, secret.id).link_key), now=now,
        )  # fmt: skip
        order = confirm_order(
            site.organisation_id, basket, name="Balthazar", email="balthazar@example.com", now=now
        )
        booking = find_order(order).items[0].booking
        make_customer(site.organisation_id, make_account(), email="ana@example.com")
        rows = [*kinds.values(), *sessions.values(), *links, booking]
        return {
            "tokens": [
                *SECRET_TYPES, *(f"PC-{slug}" for slug in SECRET_TYPES),
                *(name for name, _, _ in SECRET_TYPES.values()),
                *(f"{price // 100}.{price % 100}" for _, price, _ in SECRET_TYPES.values()),
                f"{LINK_PRICE // 100}.{LINK_PRICE % 100}",
                "Heliotrope", "Marjoram", "Saffron rate", "Zebrine evenings", "Larkspur",
                "Odalys", "Quent", "Wilhelmina", "Balthazar", "17:35", order,
                *(row.id for row in rows), *(link.key for link in links),
                *(row.link_key for row in kinds.values()),
            ],
            "ids": [row.id for row in rows],
            "session_ids": [row.id for row in sessions.values()],
            "kinds": {slug: row.id for slug, row in kinds.items()},
            "keys": {row.slug: row.link_key for row in kinds.values()},
            "link_keys": [link.key for link in links],
            "booking": booking.id, "public": public.id, "dated": dated.id,
        }  # fmt: skip

    return make(build)


class Crawler:
    """Fetches as one person and looks at every byte of every answer for the secrets."""

    def __init__(self, browser, tokens):
        self.browser, self.tokens = browser, tokens
        self.seen = {}
        self.waiting = []

    def fetch(self, url, *, fields=None, headers=None):
        client = self.browser.client
        if fields is None:
            response = client.get(url, headers=headers or {})
        else:
            response = client.post(url, data=fields, headers=headers or {})
        self.look(url, response)
        return response

    def look(self, url, response):
        assert response.status_code < 500, f"{url}: {response.status_code}"
        body = response.get_data(as_text=True)
        kept = [f"{name}: {value}" for name, value in response.headers if name != "Date"]
        said = "\n".join([*kept, body])
        # An address that the caller typed may be said back to them, and nothing more.
        for echo in {url, unquote(url), quote(url), quote(url, safe=""), html.escape(url)}:
            said = said.replace(echo, "")
        found = [token for token in self.tokens if token in said and token not in url]
        assert not found, f"{url} ({response.status_code}) shows {found}"
        if response.mimetype == "application/json":
            prices = [LINK_PRICE, *(price for _, price, _ in SECRET_TYPES.values())]
            assert not re.search(rf"\b(?:{'|'.join(map(str, prices))})\b", body), url
        return body

    def walk(self, urls, most=600):
        self.waiting = list(urls)
        while self.waiting and len(self.seen) < most:
            url = self.waiting.pop(0)
            if url in self.seen:
                continue
            response = self.fetch(url)
            self.seen[url] = response.status_code
            self.waiting += self._links(url, response)
            if "etag" in response.headers:
                again = self.fetch(url, headers={"If-None-Match": response.headers["ETag"]})
                assert again.status_code in (200, 304)
            if response.mimetype == "text/html" and response.status_code == 200:
                self.fetch(url, headers={"HX-Request": "true", "HX-Request-Type": "partial"})

    def _links(self, url, response) -> Iterator[str]:
        if "Location" in response.headers:
            yield _path(response.headers["Location"])
        if response.mimetype not in ("text/html", "application/xml", "text/plain"):
            return
        text = html.unescape(response.get_data(as_text=True))
        found = re.findall(r'(?:href|action|hx-get)="([^"#]+)', text)
        found += re.findall(r"https?://(?:localhost|127\.0\.0\.1)(?::\d+)?(/[^\s<]*)", text)
        for link in found:
            path = _path(link)
            if path.startswith("/") and not path.startswith("/static/"):
                yield path


def _path(url):
    parts = urlsplit(url)
    if parts.netloc and parts.hostname not in ("localhost", "127.0.0.1"):
        return ""
    return parts.path + (f"?{parts.query}" if parts.query else "")


def values_for(house, name):
    """What stands in an address of ours: known values, secret ones, and plain nonsense."""
    near = [
        f"{slug}-{key[:-1]}" for slug, key in house["keys"].items()
    ] + [
        f"{slug}-{'A' * 22}" for slug in SECRET_TYPES
    ] + [f"open-bath-{key}" for key in house["keys"].values()] + [
        f"{slug}-{house['keys'][slug]}" for slug in ("borrowdale-rehearsal", "tansy-clinic")
    ] + [f"{slug}-{house['link_keys'][0]}" for slug in SECRET_TYPES] + [
        f"open-bath-{house['link_keys'][2]}"
    ]  # fmt: skip
    known = {
        "site": ["bath", "york"],
        "type_slug": ["open-bath", *SECRET_TYPES, "quillwort"],
        "category": ["water", "zebrine", "private", "timetable", "nothing"],
        "address": near,
        "revision": ["0", "1"],
        "session_id": [house["dated"], *house["session_ids"]],
        "type_id": [house["public"], *house["kinds"].values()],
        "booking_id": [house["booking"], "0" * 24],
    }
    return known.get(name, ["x", house["booking"], *house["session_ids"][:1]])


def addresses(app, house, method):
    """Every address of the map that is no staff page, filled in every way that we know."""
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            # Programs are asked for a token first, whatever they name (tests/web/test_rights.py).
            if method not in (rule.methods or ()) or rule.rule.startswith(("/staff", "/api/shop/")):
                continue
            names = sorted(rule.arguments)
            for chosen in itertools.product(*(values_for(house, name) for name in names)):
                _, url = rule.build(dict(zip(names, chosen, strict=True)))
                yield rule, url


def all_pages(app, house):
    found = [url for _, url in addresses(app, house, "GET")]
    return [
        *found,
        *(f"{url}{query}" for url in found if "/bath" in url for query in QUERIES if query),
        "/nothing", "/bath/nothing/at/all", "/staff/bath/links", "/robots.txt", "/sitemap.xml",
        *(f"/api/v1/session-types/{type_id}" for type_id in house["kinds"].values()),
    ]  # fmt: skip


def buy_public(browser, house):
    """A basket and an order beside which related offers are shown."""
    page = browser.get(f"/bath/book/open-bath?date={DAY}")
    fields = page.form(f"#slot-{house['dated']} form")
    browser.post("/bath/book/open-bath", fields, 303)
    return browser


def confirm(browser):
    form = browser.get("/bath/checkout").form("form[action='/bath/checkout']")
    return browser.post(
        "/bath/checkout", {**form, "name": "Ana Reyes", "email": "ana@example.com"}, 303
    ).response.headers["Location"]


def test_d2_a_visitor_meets_no_secret_on_any_page(visitor, house):
    crawler = Crawler(visitor, house["tokens"])
    crawler.walk(all_pages(visitor.app, house))
    assert crawler.seen["/bath/book/open-bath"] == 200
    assert crawler.seen["/sitemap.xml"] == 200
    for slug in SECRET_TYPES:
        assert crawler.seen[f"/bath/book/{slug}"] == 404
    assert sum(status == 200 for status in crawler.seen.values()) > 12


def test_d2_a_customer_with_a_basket_and_an_order_meets_no_secret(visitor, house):
    visitor.sign_in("ana@example.com", "quiet-rooms")
    order = confirm(buy_public(visitor, house))
    buy_public(visitor, house)
    crawler = Crawler(visitor, house["tokens"])
    crawler.walk([order, "/bath/basket", *all_pages(visitor.app, house)])
    assert crawler.seen[order] == 200
    assert crawler.seen["/account/"] == 200
    assert crawler.seen["/account/data.json"] == 200


def test_d2_no_form_takes_a_secret_session_or_tells_of_it(visitor, house, make):
    """Every form that anybody may send, with every secret id in it."""
    crawler = Crawler(visitor, house["tokens"])
    before = make(lambda: db.session.scalar(_bookings(), execution_options=ANYWHERE))
    for rule, url in list(addresses(visitor.app, house, "POST")):
        for session_id in house["session_ids"]:
            fields = {
                "csrf_token": visitor.token(), "session_id": session_id, "guests": "1", "date": DAY,
                "places": "1", "name": "Bob", "email": "bob@example.com", "key": "",
                "type_id": house["kinds"]["quillwort-supper"],
            }  # fmt: skip
            response = crawler.fetch(url, fields=fields)
            if "type_slug" in rule.arguments or "session_id" in rule.arguments:
                # A list that anybody may see answers 409 as long as there is room.
                is_open = url == f"/bath/sessions/{house['dated']}/waiting"
                # A dead link says that it is dead, and nothing else.
                gone = (410,) if "address" in rule.arguments else ()
                expected = (409,) if is_open else (404, 422, *gone)
                assert response.status_code in expected, f"{url}: {response.status_code}"
    after = make(lambda: db.session.scalar(_bookings(), execution_options=ANYWHERE))
    assert after == before


def _bookings():
    return sa.select(sa.func.count()).select_from(SessionBooking)


@pytest.mark.parametrize("slug", SECRET_TYPES)
def test_d2_a_secret_answers_just_as_what_never_was(visitor, house, slug):
    session_id = house["session_ids"][list(SECRET_TYPES).index(slug)]
    fields = {"csrf_token": visitor.token(), "guests": "1", "date": DAY, "key": ""}
    unknown, nobody = "never-was", "0" * 24
    pairs = [
        (f"/bath/book/{slug}", f"/bath/book/{unknown}"),
        (f"/bath/book/{slug}?date={DAY}&guests=2", f"/bath/book/{unknown}?date={DAY}&guests=2"),
        (f"/bath/book/{slug}?month=0001-99", f"/bath/book/{unknown}?month=0001-99"),
        (f"/bath/{slug}/", f"/bath/{unknown}/"),
        (f"/bath/private/{slug}-{'A' * 22}", f"/bath/private/{unknown}-{'A' * 22}"),
        ("/bath/zebrine/", f"/bath/{unknown}/"),
    ]
    for secret_url, unknown_url in pairs:
        ours, theirs = visitor.client.get(secret_url), visitor.client.get(unknown_url)
        assert _same(ours) == _same(theirs), secret_url
        assert ours.status_code == 404
    for url in ("/bath/book/open-bath", f"/bath/book/{slug}", f"/bath/book/{unknown}"):
        ours = visitor.client.post(url, data={**fields, "session_id": session_id})
        theirs = visitor.client.post(url, data={**fields, "session_id": nobody})
        assert _same(ours) == _same(theirs), url
        assert ours.status_code == 404


def _same(response):
    kept = {k: v for k, v in response.headers if k not in ("Date", "Set-Cookie", "Request-Id")}
    body = re.sub(r'name="csrf_token" value="[^"]*"', "", response.get_data(as_text=True))
    return response.status_code, kept, body


def test_d2_the_private_page_has_no_tag_in_common_with_the_public_one(visitor, house):
    public = visitor.get(f"/bath/book/open-bath?date={DAY}")
    private = visitor.get(f"/bath/private/open-bath-{house['link_keys'][0]}?date={DAY}")
    assert "£44.41" in private.text(".slots")
    assert "ETag" not in private.response.headers
    answer = visitor.client.get(
        f"/bath/private/open-bath-{house['link_keys'][0]}?date={DAY}",
        headers={"If-None-Match": public.response.headers["ETag"]},
    )
    assert answer.status_code == 200
    again = visitor.get(f"/bath/book/open-bath?date={DAY}")
    assert again.response.headers["ETag"] == public.response.headers["ETag"]
    assert "44.41" not in again.html


def test_r30_the_sitemap_and_robots_name_public_pages_only(visitor, house):
    text = visitor.client.get("/sitemap.xml").get_data(as_text=True)
    paths = [_path(url) for url in re.findall(r"<loc>([^<]+)</loc>", text)]
    assert paths == ["/", "/bath/", "/bath/water/", "/bath/book/open-bath"]
    for path in paths[1:]:
        visitor.get(path)
    robots = visitor.client.get("/robots.txt").get_data(as_text=True)
    assert "Disallow: /staff/" in robots
    assert "/sitemap.xml" in robots


def test_the_crawl_would_see_a_leak(visitor, house, make):
    """Made public, the same offer is found at once, by name, price, place and id."""

    def publish():
        row = fetch(SessionType, house["kinds"]["quillwort-supper"])
        row.visibility, row.revision = "public", row.revision + 1
        row.updated_at = read_clock() + dt.timedelta(seconds=1)
        db.session.commit()

    make(publish)
    with pytest.raises(AssertionError, match="Quillwort supper"):
        Crawler(visitor, house["tokens"]).walk(all_pages(visitor.app, house))
    for token in ("Quillwort supper", "77.71", "Zebrine evenings"):
        with pytest.raises(AssertionError, match=token):
            Crawler(visitor, [token]).walk(all_pages(visitor.app, house))
