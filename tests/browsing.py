"""How a test uses a page besides the mouse, and the roster of a desk."""

import re

from playwright.sync_api import Locator, Page, expect

STAND_STILL = "window.setInterval = () => 0"
"""A page with this asks for no news."""
COUNT_CLICKS = """addEventListener("click", () => {
    sessionStorage.clicks = 1 + Number(sessionStorage.clicks || 0);
}, true)"""
FOCUS_IS_SEEN = """() => {
    const drawn = (it) => getComputedStyle(it).outlineStyle !== "none"
        && parseFloat(getComputedStyle(it).outlineWidth) > 0;
    const here = document.activeElement;
    if (!here.matches(":focus-visible")) return false;
    for (let it = here; it !== document.body; it = it.parentElement) if (drawn(it)) return true;
    return false;
}"""


class Keyboard:
    """Somebody who has no mouse, and must see where they are."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def walk_to(self, target: Locator) -> None:
        for _ in range(150):
            self.press("Tab")
            here = self.page.evaluate("document.activeElement.outerHTML")
            assert self.page.evaluate(FOCUS_IS_SEEN), f"Focus is not to be seen on {here}"
            if target.evaluate("it => it === document.activeElement"):
                expect(target).to_be_in_viewport()
                return
        raise AssertionError(f"Tab never comes to {target}")


def mark(page: Page) -> None:
    page.evaluate("window.isStillThisDocument = true")


def is_marked(page: Page) -> bool:
    return bool(page.evaluate("window.isStillThisDocument === true"))


def guest(page: Page, name: str) -> Locator:
    """The row of a guest on the roster."""
    return page.locator(".rs").filter(has=page.locator(".nm", has_text=name))


def press(page: Page, name: str, button: str) -> None:
    guest(page, name).get_by_role("button", name=re.compile(f"^{button}")).click()


def choose(page: Page, name: str, deed: str) -> None:
    """From the menu of a guest's row."""
    row = guest(page, name)
    row.locator("summary").click()
    row.get_by_role("button", name=deed).click()


def is_in_state(page: Page, name: str, state: str) -> None:
    expect(guest(page, name).locator(".state")).to_contain_text(state)
