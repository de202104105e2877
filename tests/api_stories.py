"""The page about the API, with its contents opened."""

from playwright.sync_api import Page, expect
from stories import Story


def with_contents_open(page: Page, shop) -> None:
    page.goto("/api/docs")
    page.locator(".api-toc summary").nth(1).click()
    expect(page.locator(".api-toc details[open] a").first).to_be_visible()


API_STORIES = (Story("api docs", with_contents_open),)
