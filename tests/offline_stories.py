"""Pages of the minutes without a connection, and what the bar says then."""

from playwright.sync_api import Page, expect
from stories import MAREN, Story, at


def roster_without_connection(page: Page, shop) -> None:
    slot = shop.own_session(hours=3, capacity=6)
    shop.take_by_staff(slot, "Wilhelmina Oyelaran")
    shop.take_by_staff(slot, "Thaddeus Quill")
    page.goto(slot.roster)
    # The page asks by itself whether the connection is back: to that it gets no answer.
    page.route("**/healthz", lambda _route: None)
    page.evaluate("window.dispatchEvent(new Event('offline'))")
    expect(page.get_by_text("No connection since")).to_be_visible()


OFFLINE = [
    Story("no connection", at("/staff/no-connection"), MAREN),
    Story("roster without a connection", roster_without_connection, MAREN),
]
