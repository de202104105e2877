"""The page of price rules in every state."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect
from stories import IMOGEN, Story


def prices(page: Page, shop) -> None:
    page.goto(shop.prices_path())
    expect(page.get_by_role("heading", name="Price rules")).to_be_visible()


def open_rule(page: Page, shop) -> None:
    prices(page, shop)
    page.locator(".rule-more > summary").first.click()


def new_rule(page: Page, shop) -> None:
    prices(page, shop)
    page.get_by_role("button", name="Add rule").click()
    expect(page.get_by_text("is not counted yet")).to_be_visible()


def hidden_rules(page: Page, shop) -> None:
    """The rule without conditions comes first: all others never apply."""
    prices(page, shop)
    up = page.locator("[data-rule]", has_text="Otherwise").locator("[data-move='-1']")
    for _ in range(2):
        with page.expect_response(re.compile("/prices/preview")):
            up.click()
    expect(page.get_by_text("never applies: hidden by rule 1").first).to_be_visible()


def gaps(page: Page, shop) -> None:
    prices(page, shop)
    while page.locator("[data-rule]").count() > 1:
        left = page.locator("[data-rule]").count() - 1
        page.locator("[data-rule]").last.get_by_role("button", name=re.compile("^Delete")).click()
        expect(page.locator("[data-rule]")).to_have_count(left)
    expect(page.get_by_text("so nobody can book")).to_be_visible()


def no_rules(page: Page, shop) -> None:
    gaps(page, shop)
    page.get_by_role("button", name=re.compile("^Delete")).click()
    expect(page.get_by_role("heading", name="No price yet")).to_be_visible()


def with_errors(page: Page, shop) -> None:
    new_rule(page, shop)
    page.get_by_role("button", name="Save prices").click()
    expect(page.get_by_role("alert")).to_be_visible()


def saved_meanwhile(page: Page, shop) -> None:
    path = shop.prices_path()
    page.goto(path)
    shop.change_prices(path)
    page.get_by_label(re.compile("^Price of")).first.fill("61")
    page.get_by_role("button", name="Save prices").click()
    expect(page.get_by_role("alert")).to_contain_text("somebody else saved")


def _story(name: str, come: Callable, status: int = 200) -> Story:
    return Story(f"prices{name}", come, IMOGEN, status)


PRICES = [
    _story("", prices),
    _story(", a rule opened", open_rule),
    _story(", a new rule", new_rule),
    _story(", hidden rules", hidden_rules),
    _story(", gaps", gaps),
    _story(", no rules", no_rules),
    _story(" with errors", with_errors, 422),
    _story(", saved meanwhile", saved_meanwhile, 409),
]
