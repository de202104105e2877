"""An organisation leaves: its archive asked for, made, downloaded, and at home in an empty shop."""

import re

import pytest
from factories import make_booked_line, make_session, make_site, make_staff, make_type
from playwright.sync_api import Page, expect

from blueprints.working import drain
from models import db

OWNER = "owner@example.com"
WORD = "thermal-waters"
RIGHTS = {"SETTINGS_MANAGE", "STAFF_MANAGE", "RESERVATIONS_MANAGE", "ORDERS_MANAGE"}
NAMES = ("Ada Lark", "Basil Moor", "Cleo Finch")


@pytest.fixture
def roster(empty_shop) -> str:
    """A small house with three parties in one session; the path of its roster."""
    with empty_shop.app.app_context():
        site = make_site(slug="bath")
        row = make_session(
            make_type(site, slug="circuit", name="Thermal circuit"), local_start="2026-06-04T12:00"
        )
        for name in NAMES:
            make_booked_line(row, name=name)
        make_staff(site, OWNER, rights=RIGHTS, everywhere=True)
        path = f"/staff/bath/sessions/{row.id}"
        db.session.remove()
    return path


def sign_in(page: Page, url: str, to: str) -> None:
    page.goto(f"{url}/staff/sign-in?next={to}")
    page.get_by_label("Work email").fill(OWNER)
    page.get_by_label("Password").fill(WORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(re.compile(f"{to}$"))


def test_an_archive_brings_the_same_rosters_to_an_empty_shop(
    visitor, empty_shop, open_shop, roster, tmp_path
):
    page = visitor()
    sign_in(page, empty_shop.url, roster)
    expect(page.locator(".rs")).to_have_count(len(NAMES))
    there = page.locator(".rs .who").all_inner_texts()

    page.goto(f"{empty_shop.url}/staff/bath/settings")
    page.get_by_role("link", name=re.compile("Your data|archive", re.I)).first.click()
    page.get_by_role("button", name="Make an archive").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    with empty_shop.app.app_context():
        while drain():
            pass
        db.session.remove()
    link = page.get_by_role("link", name="Download").first
    expect(link).to_be_visible()
    with page.expect_download() as download:
        link.click()
    file = tmp_path / "archive.zip"
    download.value.save_as(file)

    elsewhere = open_shop()
    run = elsewhere.app.test_cli_runner()
    args = ["import", str(file), "--owner", OWNER, "--password-stdin"]
    rehearsed = run.invoke(args=["import", str(file), "--dry-run"])
    assert "nothing speaks against it" in rehearsed.output
    taken = run.invoke(args=args, input=f"{WORD}\n")
    assert taken.exit_code == 0, taken.output
    new = visitor()
    sign_in(new, elsewhere.url, roster)
    expect(new.locator(".rs")).to_have_count(len(NAMES))
    assert new.locator(".rs .who").all_inner_texts() == there
