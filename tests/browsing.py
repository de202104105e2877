"""How a test uses a page besides the mouse."""

from playwright.sync_api import Locator, Page, expect

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
