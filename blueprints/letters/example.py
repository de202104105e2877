"""A made-up letter of each kind: a preview shows no guest's booking."""

import datetime as dt

from blueprints.booking_words import Details
from blueprints.links import public_url
from blueprints.mailing import Letter, worded
from blueprints.rendering import say_amount
from domain.local_time import local_day
from domain.wording import KINDS, Wording
from domain.words import say_day
from models import Site

NAME, REFERENCE, PRICE = "Ana Reyes", "AB 7K2M9Q", 9600


def example_letter(
    kind: str, site: Site, session: str, words: Wording, *, now: dt.datetime
) -> Letter:
    """What Ana would read who has booked `session` a week from now, in these words."""
    day = local_day(now, site.zoneinfo) + dt.timedelta(days=7)
    rows = (
        ("Date", f"{say_day(day)} {day.year}"),
        ("Time", "18:00 to 20:00"),
        ("Where", site.full_name),
        ("Guests", f"{NAME} and 1 guest"),
        ("Price", say_amount(PRICE, site.currency, site.locale)),
        ("Reference", REFERENCE),
    )
    found = Letter(
        to="ana@example.com",
        name=NAME,
        subject=KINDS[kind].title,
        paragraphs=tuple(text for text in (KINDS[kind].fact,) if text),
        details=(Details(session, rows),),
        action=(KINDS[kind].button, public_url("shop.home", site=site.slug)),
        site=site,
        words={"session": session, "date": say_day(day), "time": "18:00", "reference": REFERENCE},
    )
    return worded(found, words)
