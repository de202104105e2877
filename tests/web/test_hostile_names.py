"""D5: what people typed is text on every page, whatever it looks like."""

import pytest
import sqlalchemy as sa
from addresses import addresses, build_house
from factories import ANYWHERE

from models import (
    RIGHTS,
    Category,
    ClosedDay,
    Customer,
    LongWork,
    Media,
    Order,
    Organisation,
    Practitioner,
    PriceRule,
    RecurrenceGroup,
    Room,
    Session,
    SessionType,
    Site,
    TimeOff,
    Zone,
    db,
)

HOSTILE = "\"'><img src=x onerror=alert(1)></title></script><b"
TYPED = (
    (Organisation, "name"),
    (Site, "name", "place", "address", "phone"),
    (Room, "name"),
    (Zone, "name"),
    (Practitioner, "name", "bio"),
    (Category, "name", "blurb"),
    (SessionType, "name", "summary", "meta_title", "meta_description"),
    (Session, "session_type_name"),
    (Media, "alt", "file_name"),
    (ClosedDay, "reason"),
    (TimeOff, "reason"),
    (RecurrenceGroup, "name"),
    (PriceRule, "label"),
    (LongWork, "title"),
    (Customer, "name"),
    (Order, "name"),
)


@pytest.fixture
def hostile(make):
    def build():
        house = build_house(RIGHTS, "bath")
        for table, *names in TYPED:
            known = [name for name in names if hasattr(table, name)]
            db.session.execute(
                sa.update(table).values(dict.fromkeys(known, HOSTILE)), execution_options=ANYWHERE
            )
        db.session.commit()
        return house

    return make(build)


def test_d5_no_name_becomes_markup_on_any_page(visitor, hostile):
    visitor.sign_in("maren@bath.example", "thermal-waters", "/staff/sign-in")
    shown = 0
    for _, url in list(addresses(visitor.app, hostile, most=1)):
        page = visitor.client.get(url)
        if page.mimetype != "text/html" or page.status_code != 200:
            continue
        html = page.get_data(as_text=True)
        assert "<img src=x" not in html, url
        assert "\"'>" not in html, url
        shown += "&lt;img src=x" in html
    assert shown > 25
