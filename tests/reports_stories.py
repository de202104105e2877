"""Pages about how it goes: today, and each report full, empty and refused."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect
from stories import BATH, IMOGEN, Story, at

STAFF = f"/staff{BATH}"
LONG_AGO, BACKWARDS = "from=2001-01-01&to=2001-01-02", "from=2026-06-09&to=2026-06-01"
REPORTS = ("occupancy", "compare", "new-and-returning", "lead-time", "waitlist", "no-shows")


def opened(path: str) -> Callable:
    """A report with its longest table unfolded."""

    def come(page: Page, shop) -> None:
        page.goto(f"{STAFF}/reports/{path}")
        page.locator(".sheet-more > summary").first.click()
        expect(page.locator(".sheet-more table").first).to_be_visible()

    return come


def waiting_today(page: Page, shop) -> None:
    """With a party on a waitlist, and guests expected."""
    slot, _ = shop.full_session()
    shop.wait(slot, "Maximiliana von Hohenfels-Waldenburg", 1)
    shop.running_session()
    page.goto(f"{STAFF}/today")
    expect(page.locator("#attention")).to_be_visible()
    # Others may wait already, for other sessions.
    expect(page.get_by_text(re.compile(r"part(y waits|ies wait)")).first).to_be_visible()


REPORTING = [
    Story("today", at(f"{STAFF}/today"), IMOGEN),
    Story("today, with somebody waiting", waiting_today, IMOGEN),
    Story("today, a quiet venue", at("/staff/stillwater-reykjavik/today"), IMOGEN),
    Story("reports", at(f"{STAFF}/reports"), IMOGEN),
    *(Story(f"report, {name}", at(f"{STAFF}/reports/{name}"), IMOGEN) for name in REPORTS),
    Story("report, revenue with all its days", opened("revenue"), IMOGEN),
    Story("report, occupancy by the hour", opened("occupancy?period=week"), IMOGEN),
    Story("report, venues compared", at(f"{STAFF}/reports/compare?by=site&period=year"), IMOGEN),
    Story("report, nothing in these days", at(f"{STAFF}/reports/revenue?{LONG_AGO}"), IMOGEN),
    Story("report with errors", at(f"{STAFF}/reports/no-shows?{BACKWARDS}"), IMOGEN, status=422),
]
