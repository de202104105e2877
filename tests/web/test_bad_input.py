"""Nothing that can be typed or sent breaks a page of the desk: a seeded walk over all its forms."""

import random
from urllib.parse import urljoin, urlsplit

import pytest
from addresses import addresses, build_house
from bs4 import BeautifulSoup

from models import RIGHTS

BAD = (
    "\0", "x" * 10_000, "", "1e9", "-1", "１２", "0", "2147483648", "9" * 30, "0001-01-01",  # noqa: RUF001
    "9999-12-31", "9999-12-31T23:59", "2026-02-30", "24:00", "25:61", "no-such-id", "NaN", "[]",
    "<script>alert(1)</script>", "\"'><img src=x>", "[x](javascript:alert(1))", "../../x",
)  # fmt: skip
IN_ADDRESSES = (
    "page", "sort", "date", "from", "to", "view", "q", "room", "month", "first", "last", "zone",
)  # fmt: skip
TIMES_EACH = 2


@pytest.fixture
def maren(visitor, make):
    house = make(lambda: build_house(RIGHTS, "bath"))
    visitor.sign_in("maren@bath.example", "thermal-waters", "/staff/sign-in")
    pages = [
        url
        for rule, url in addresses(visitor.app, house, most=1)
        if rule.rule.startswith("/staff/<site>")
    ]
    return visitor, pages


def forms_of(client, pages):
    """Each form that the pages send, once, with the names of its fields."""
    found = {}
    for url in pages:
        page = client.get(url)
        if page.mimetype != "text/html":
            continue
        for form in BeautifulSoup(page.get_data(as_text=True), "html.parser").select("form"):
            names = sorted({str(field["name"]) for field in form.select("[name]")})
            target = urlsplit(urljoin(url, str(form["action"])))
            if form.get("method") == "post" and target.path.startswith("/staff/bath/"):
                found[target.path] = [name for name in names if name != "csrf_token"]
    return found


def test_d5_no_form_of_the_desk_breaks_on_what_is_sent(maren):
    visitor, pages = maren
    chance, token = random.Random(5), visitor.token()  # noqa: S311 - the same every time
    forms = forms_of(visitor.client, pages)
    assert len(forms) > 40
    for path, names in forms.items():
        for _ in range(TIMES_EACH):
            sent = {name: chance.choice(BAD) for name in names if chance.random() < 0.9}
            twice = {name: [value, chance.choice(BAD)] for name, value in sent.items()}
            answer = visitor.client.post(path, data={**twice, "csrf_token": token})
            assert answer.status_code < 500, f"{path} {sent}"


def test_d5_no_address_of_the_desk_breaks_a_page(maren):
    visitor, pages = maren
    chance = random.Random(6)  # noqa: S311 - the same every time
    for url in pages:
        for _ in range(TIMES_EACH):
            asked = {name: chance.choice(BAD[:20]) for name in IN_ADDRESSES}
            answer = visitor.client.get(url, query_string={**asked, "q": "x" * 500})
            assert answer.status_code < 500, f"{url} {asked}"
