"""Pages about webhooks: empty, as they open, refused, with what is shown once."""

from collections.abc import Callable

import sqlalchemy as sa
from factories import ANYWHERE
from playwright.sync_api import Page, expect
from stories import BATH, IMOGEN, Story, at

from blueprints.clock import read_clock
from domain.webhooks import KINDS
from models import Site, WebhookDelivery, db
from services.webhook_deliveries import send_test
from services.webhooks import Keeper, Wish, make_webhook, pause_webhook

HOOKS = f"/staff{BATH}/webhooks"
LONG = "Bookkeeping in the other office, with everything that has to do with money and no-shows"


def made(shop, *, is_paused: bool = False, failed: int = 0) -> tuple[str, str]:
    """A webhook with a test on its way; its id and the delivery's."""
    with shop.app.app_context():
        now = read_clock()
        site = db.session.scalars(
            sa.select(Site).where(Site.slug == BATH.strip("/")), execution_options=ANYWHERE
        ).one()
        keeper = Keeper(site.organisation_id, frozenset({(None, "SETTINGS_MANAGE")}))
        wish = Wish(LONG, f"https://hooks.example.com/{'a' * 120}", list(KINDS), site.id)
        hook = make_webhook(keeper, wish, by=None, seal_key="x", now=now).id
        delivery = send_test(keeper, hook, now=now)
        if failed:
            values = {"state": "failed", "attempts": failed, "status_code": 503, "tried_at": now}
            db.session.execute(
                sa.update(WebhookDelivery).values(
                    error="It answered 503.", answer="<html>busy</html>", **values
                ),
                execution_options=ANYWHERE,
            )
            db.session.commit()
        if is_paused:
            pause_webhook(keeper, hook, now=now)
        db.session.remove()
        return hook, delivery


def one(then: str = "", **given) -> Callable:
    def come(page: Page, shop) -> None:
        hook, _ = made(shop, **given)
        page.goto(f"{HOOKS}/{hook}{then}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()

    return come


def delivery(page: Page, shop) -> None:
    hook, delivery_id = made(shop, failed=7)
    page.goto(f"{HOOKS}/{hook}/deliveries/{delivery_id}")
    expect(page.get_by_text("It answered 503.")).to_be_visible()


def listed(page: Page, shop) -> None:
    made(shop)
    page.goto(HOOKS)
    expect(page.get_by_text(LONG).first).to_be_visible()


def refused(page: Page, shop) -> None:
    page.goto(f"{HOOKS}/new")
    page.get_by_role("button", name="Add the webhook").click()
    expect(page.get_by_role("alert")).to_be_visible()


def secret(page: Page, shop) -> None:
    page.goto(f"{HOOKS}/new")
    page.get_by_label("Name").fill("Till")
    page.get_by_label("Address").fill("https://till.example.com/in")
    page.get_by_role("button", name="Add the webhook").click()
    expect(page.get_by_label("Secret")).to_be_visible()


WEBHOOKS_STORIES = (
    Story("webhooks", listed, IMOGEN),
    Story("add a webhook", at(f"{HOOKS}/new"), IMOGEN),
    Story("add a webhook, with errors", refused, IMOGEN, status=422),
    Story("a webhook's secret, shown once", secret, IMOGEN),
    Story("a webhook", one(), IMOGEN),
    Story("a webhook with nothing that failed", one("?show=failed"), IMOGEN),
    Story("a paused webhook", one(is_paused=True), IMOGEN),
    Story("change a webhook", one("/edit"), IMOGEN),
    Story("renew a webhook's secret", one("/secret"), IMOGEN),
    Story("delete a webhook", one("/removal"), IMOGEN),
    Story("a delivery that failed", delivery, IMOGEN),
)
