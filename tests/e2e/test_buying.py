"""From the shop window to the ticket, as people buy: by mouse, thumb, keyboard, without script."""

from playwright.sync_api import expect

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def test_x(visitor, shop):
    slot = shop.slot(months_ahead=1)
    print(slot)
    page = visitor()
    page.goto("/stillwater-bath/")
    page.locator("a", has_text="Thermal circuit").first.click()
    page.get_by_role("link", name="July 2026", exact=True).first.click()
    expect(page.locator("#month-name")).to_have_text("July 2026")
    page.locator(slot.day_link).click()
    expect(page.locator(slot.row)).to_be_visible()
    page.get_by_role("button", name="More guests").click()
    expect(page.locator(".stepper output")).to_have_text("2")
    page.locator(slot.row).get_by_role("button", name="Book").click()
    page.get_by_label("Full name").fill("Noor van den Bergh")
    page.get_by_label("Email").fill("noor@example.com")
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator(".ref")).to_be_visible()
    print(page.locator(".ref").inner_text(), page.url)
