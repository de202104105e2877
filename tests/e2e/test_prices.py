"""Re-pricing a season: by drag, by keyboard, and without scripts."""

import re

import pytest
from browsing import Keyboard
from playwright.sync_api import Page, expect

IMOGEN = "imogen@stillwater.example"
WEEKEND_LAST = ["Tuesdays", "Otherwise", "Weekend"]
PREVIEW = re.compile("/prices/preview")


@pytest.fixture
def imogen(staff) -> Page:
    return staff(IMOGEN)


def names(page: Page) -> list[str]:
    return page.locator("[data-rule] .rname").all_inner_texts()


def what_is_previewed(page: Page) -> list[str]:
    """The numbers, the warnings, the month and the trace, as they are read out."""
    parts = ("#price-count", "#price-preview [role=status]", ".mcal", ".trace", ".conds")
    return [" ".join(page.locator(part).all_inner_texts()) for part in parts]


def by_keyboard(page: Page, path: str) -> None:
    page.goto(path)
    keys = Keyboard(page)
    keys.walk_to(page.get_by_role("button", name="Move rule 1 down"))
    for at in (2, 3):
        with page.expect_response(PREVIEW):
            keys.press("Enter" if at == 2 else "Alt+ArrowDown")
        expect(page.locator("[data-moved]")).to_have_text(f"Weekend is now rule {at} of 3.")
    expect(page.get_by_role("button", name="Move rule 3 up")).to_be_focused()


def by_drag(page: Page, path: str) -> None:
    page.goto(path)
    grip = page.locator("[data-rule]", has_text="Weekend").locator("[data-grip]").bounding_box()
    last = page.locator("[data-rule]", has_text="Otherwise").bounding_box()
    page.mouse.move(grip["x"] + 5, grip["y"] + 5)
    page.mouse.down()
    page.mouse.move(grip["x"] + 5, last["y"] + 10, steps=5)
    with page.expect_response(PREVIEW):
        page.mouse.move(grip["x"] + 5, last["y"] + last["height"] - 4, steps=5)
        page.mouse.up()


def by_form(page: Page, path: str) -> None:
    page.goto(path)
    for _ in range(2):
        page.locator("[data-rule]", has_text="Weekend").get_by_role(
            "button", name=re.compile("down$")
        ).click()


def test_drag_keyboard_and_plain_forms_come_to_the_same(staff, shop):
    path, seen = shop.prices_path(), []
    for move, script in ((by_keyboard, True), (by_drag, True), (by_form, False)):
        page = staff(IMOGEN, java_script_enabled=script)
        move(page, path)
        expect(page.locator("#price-preview")).to_contain_text("8 coming sessions change, 8 down")
        # Its other parts are changed with it, in the same turn.
        expect(page.locator("#price-count")).to_contain_text("8 coming sessions change")
        expect(page.locator(".htmx-request")).to_have_count(0)
        assert names(page) == WEEKEND_LAST
        seen.append(what_is_previewed(page))
        page.context.close()
    assert seen[0] == seen[1] == seen[2]
    assert "hidden by rule 2, Otherwise" in seen[0][1]
    assert shop.saved_prices(path)[0] == ("Weekend", 5800), "nothing was saved on the way"


def test_escape_lets_go_of_a_dragged_rule_where_it_was(imogen, shop):
    imogen.goto(shop.prices_path())
    grip = imogen.locator("[data-grip]").first.bounding_box()
    imogen.mouse.move(grip["x"] + 5, grip["y"] + 5)
    imogen.mouse.down()
    imogen.mouse.move(grip["x"] + 5, grip["y"] + 250, steps=5)
    assert names(imogen) != ["Weekend", "Tuesdays", "Otherwise"]
    imogen.keyboard.press("Escape")
    imogen.mouse.up()
    assert names(imogen) == ["Weekend", "Tuesdays", "Otherwise"]


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_a_season_is_repriced(staff, shop, script):
    path = shop.prices_path()
    page = staff(IMOGEN, java_script_enabled=script)
    page.goto(path)
    page.get_by_role("button", name="Add rule").click()
    page.get_by_label("Name optional").last.fill("Evenings")
    page.get_by_label(re.compile("^Price of Rule without|^Price of Evenings")).fill("52.50")
    page.get_by_label("Starts from").last.fill("17:00")
    if not script:
        page.get_by_role("button", name="Preview", exact=True).click()
    expect(page.locator("#price-preview")).to_contain_text("hidden by rule 3, Otherwise")
    page.locator("[data-rule]", has_text="Evenings").get_by_role(
        "button", name=re.compile("up$")
    ).click()
    expect(page.locator("#price-count")).to_contain_text("16 coming sessions change, 16 up")
    expect(page.locator("#price-preview")).to_contain_text("0 orders touched")
    page.get_by_role("button", name="Save prices").click()
    expect(page.get_by_text("Prices saved.")).to_be_visible()
    assert shop.saved_prices(path) == [
        ("Weekend", 5800),
        ("Tuesdays", 3400),
        ("Evenings", 5250),
        ("Otherwise", 4800),
    ]
    expect(page.locator("#price-count")).to_have_text("Nothing is changed yet.")


def test_a_day_of_the_calendar_says_why_it_costs_what_it_does(imogen, shop):
    imogen.goto(shop.prices_path())
    day = imogen.locator(".mcal button", has_text="£34").first
    day.click()
    expect(imogen.get_by_role("heading", name=re.compile("^Why £34 on Tuesday"))).to_be_visible()
    expect(imogen.locator(".trace .hit-row")).to_contain_text("Tuesdays")
    expect(imogen.locator(".mcal [aria-pressed]")).to_be_focused()
