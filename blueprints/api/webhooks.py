"""Webhooks: where other programs are told what happens, and the log of what was sent."""

from typing import Annotated, Any, Literal

from flask import current_app
from pydantic import Field

from blueprints.api.kinds import (
    Answer,
    Flag,
    Many,
    Moment,
    ObjectId,
    One,
    Shape,
    Text,
    Uuid,
    absent,
)
from blueprints.api.operations import Call, operation
from blueprints.api.paging import Paged, say_page
from blueprints.signing_in import installation_key
from domain.api import Forbidden
from domain.roles import SETTINGS
from services.paging import PageOf
from services.webhook_deliveries import page_deliveries, send_again, send_test
from services.webhooks import (
    Keeper,
    WebhookLine,
    Wish,
    change_webhook,
    find_webhook,
    hold_webhook,
    list_webhooks,
    make_webhook,
    pause_webhook,
    remove_webhook,
    renew_secret,
    resume_webhook,
)

TAG = "Webhooks"
NAMES = {"where": "site_id", "kinds": "events"}

Kind = Literal[
    "booking.created",
    "booking.changed",
    "booking.cancelled",
    "booking.checked_in",
    "booking.no_show",
    "booking.stage_changed",
    "waitlist.joined",
    "waitlist.offered",
    "waitlist.left",
    "session.created",
    "session.changed",
    "session.cancelled",
    "session.restored",
    "session_type.created",
    "session_type.changed",
    "session_type.archived",
    "session_type.restored",
]


class Webhook(Answer):
    """An address that is told what happens, signed."""

    id: ObjectId
    name: str
    url: str
    events: list[Kind]
    """What it is told."""
    site_id: Uuid | None
    """The one site that it is told of; null is told of all."""
    is_paused: bool
    """It is told nothing, and what waits is not sent."""
    paused_why: Literal["", "hand", "gone", "failing"]
    """By somebody, because the address answered 410, or after days without one success."""
    created_at: Moment


class NewWebhook(Webhook):
    """A webhook with its secret, which is shown this once."""

    secret: str
    """What its deliveries are signed with; empty when the same key came again."""


class WebhookFields(Shape):
    """What of a webhook can be written."""

    name: Text = absent()
    url: Text = absent()
    """An https address that is reachable from outside."""
    events: list[Kind] = absent()
    site_id: Uuid | None = absent()
    is_paused: Flag = absent()


class WebhookCreate(WebhookFields):
    """A new webhook."""

    name: Text
    url: Text
    events: Annotated[list[Kind], Field(min_length=1)]


class WebhookUpdate(WebhookFields):
    """Changes of a webhook; what is absent stays."""


class WebhookDelivery(Answer):
    """One event on its way to one webhook."""

    id: ObjectId
    event_id: ObjectId
    """The same for every webhook and every repetition."""
    event: str
    state: Literal["waiting", "delivered", "failed"]
    is_again: bool
    """Sent once more by hand."""
    attempts: Annotated[int, Field(ge=0)]
    status_code: int | None
    answer: str
    """How the receiver's answer began."""
    error: str
    payload: dict[str, Any]
    created_at: Moment
    tried_at: Moment | None
    next_at: Moment | None


class WebhookItem(One[Webhook]):
    """A webhook."""


class NewWebhookItem(One[NewWebhook]):
    """A webhook with its secret."""


class WebhookList(Many[Webhook]):
    """A page of webhooks."""


class WebhookDeliveryList(Many[WebhookDelivery]):
    """A page of a webhook's log, newest first."""


class DeliveryQuery(Paged):
    """Which deliveries are wanted."""

    state: Literal["waiting", "delivered", "failed"] | None = None
    """Only those that wait, came, or were given up."""


class Sent(Answer):
    """What was put on its way."""

    delivery_id: ObjectId


class SentItem(One[Sent]):
    """A delivery that was put on its way."""


def _keeper(call: Call) -> Keeper:
    """Whose webhooks are asked for; raises Forbidden for who can set up nothing at all."""
    if not call.bearer.may(SETTINGS, None) and not call.sites_with(SETTINGS):
        raise Forbidden(SETTINGS)
    return Keeper(call.organisation_id, call.bearer.grants)


def _facts(line: WebhookLine) -> dict[str, Any]:
    return {
        "id": line.id,
        "name": line.name,
        "url": line.url,
        "events": list(line.kinds),
        "site_id": line.site_id,
        "is_paused": line.paused_at is not None,
        "paused_why": line.paused_why,
        "created_at": line.created_at,
    }


def _show(line: WebhookLine) -> Webhook:
    return Webhook(**_facts(line))


def _item(call: Call, webhook_id: str) -> WebhookItem:
    return WebhookItem(data=_show(find_webhook(_keeper(call), webhook_id)))


def _held(call: Call, webhook_id: str) -> WebhookItem:
    """Of several who saw the same, one may change it: it is of no site to wait behind."""
    return WebhookItem(data=_show(hold_webhook(_keeper(call), webhook_id)))


def _is_private_allowed() -> bool:
    return bool(current_app.config["WEBHOOK_PRIVATE"])


@operation(
    "listWebhooks",
    "GET",
    "/webhooks",
    tag=TAG,
    summary="List webhooks",
    description="Those that the token may set up, by name.",
    query=Paged,
    gives=WebhookList,
    codes=(400, 401, 403),
    is_addition=True,
)
def list_all(call: Call) -> WebhookList:
    cut = call.query.cut
    lines = list_webhooks(_keeper(call))
    shown = lines[cut.offset : cut.offset + cut.size]
    return say_page(PageOf(shown, len(lines), cut), WebhookList, _show)


@operation(
    "createWebhook",
    "POST",
    "/webhooks",
    tag=TAG,
    summary="Add a webhook",
    description="The answer holds the secret that its deliveries are signed with, this once.",
    body=WebhookCreate,
    gives=NewWebhookItem,
    status=201,
    codes=(400, 401, 403, 422),
    is_addition=True,
    names=NAMES,
    tells_secret=True,
)
def create(call: Call) -> NewWebhookItem:
    keeper, body = _keeper(call), call.body
    made = make_webhook(
        keeper,
        Wish(body.name, body.url, body.events, body.site_id),
        by=None,
        seal_key=installation_key(),
        is_private_allowed=_is_private_allowed(),
        is_paused=bool(body.is_paused),
        key=call.key,
        now=call.now,
    )
    line = find_webhook(keeper, made.id)
    return NewWebhookItem(data=NewWebhook(**_facts(line), secret=made.secret))


@operation(
    "getWebhook",
    "GET",
    "/webhooks/<webhook_id>",
    tag=TAG,
    summary="Fetch one webhook",
    gives=WebhookItem,
    codes=(401, 403, 404),
    is_addition=True,
    current=_item,
)
def get(call: Call, webhook_id: str) -> WebhookItem:
    return _item(call, webhook_id)


@operation(
    "updateWebhook",
    "PUT",
    "/webhooks/<webhook_id>",
    tag=TAG,
    summary="Change, pause or resume a webhook",
    body=WebhookUpdate,
    gives=WebhookItem,
    codes=(400, 401, 403, 404, 422),
    is_addition=True,
    current=_held,
    names=NAMES,
)
def update(call: Call, webhook_id: str) -> WebhookItem:
    keeper = _keeper(call)
    given = dict(call.given)
    is_paused = given.pop("is_paused", None)
    if given:
        # Held: who writes other fields meanwhile waits, and theirs stay (R3).
        now = _facts(hold_webhook(keeper, webhook_id))
        wish = {name: given.get(name, now[name]) for name in ("name", "url", "events", "site_id")}
        change_webhook(
            keeper,
            webhook_id,
            Wish(wish["name"], wish["url"], wish["events"], wish["site_id"]),
            is_private_allowed=_is_private_allowed(),
        )
    if is_paused:
        pause_webhook(keeper, webhook_id, now=call.now)
    elif is_paused is not None:
        resume_webhook(keeper, webhook_id)
    return _item(call, webhook_id)


@operation(
    "deleteWebhook",
    "DELETE",
    "/webhooks/<webhook_id>",
    tag=TAG,
    summary="Remove a webhook",
    description="A real delete, with its log. What waits is not sent.",
    codes=(401, 403, 404),
    is_addition=True,
    current=_held,
)
def delete(call: Call, webhook_id: str) -> None:
    remove_webhook(_keeper(call), webhook_id)


@operation(
    "renewWebhookSecret",
    "POST",
    "/webhooks/<webhook_id>/renew-secret",
    tag=TAG,
    summary="Renew a webhook's secret",
    description="The one before it signs along for a day.",
    gives=NewWebhookItem,
    codes=(400, 401, 403, 404),
    is_addition=True,
    tells_secret=True,
)
def renew(call: Call, webhook_id: str) -> NewWebhookItem:
    keeper = _keeper(call)
    made = renew_secret(keeper, webhook_id, seal_key=installation_key(), key=call.key, now=call.now)
    line = find_webhook(keeper, webhook_id)
    return NewWebhookItem(data=NewWebhook(**_facts(line), secret=made.secret))


@operation(
    "testWebhook",
    "POST",
    "/webhooks/<webhook_id>/test",
    tag=TAG,
    summary="Send a webhook a ping",
    gives=SentItem,
    status=202,
    codes=(400, 401, 403, 404),
    is_addition=True,
)
def test(call: Call, webhook_id: str) -> SentItem:
    return SentItem(data=Sent(delivery_id=send_test(_keeper(call), webhook_id, now=call.now)))


@operation(
    "listWebhookDeliveries",
    "GET",
    "/webhooks/<webhook_id>/deliveries",
    tag=TAG,
    summary="Read a webhook's log",
    description="Newest first; kept for 30 days.",
    query=DeliveryQuery,
    gives=WebhookDeliveryList,
    codes=(400, 401, 403, 404),
    is_addition=True,
)
def list_log(call: Call, webhook_id: str) -> WebhookDeliveryList:
    found = page_deliveries(_keeper(call), webhook_id, call.query.cut, state=call.query.state or "")
    return say_page(found, WebhookDeliveryList, _show_delivery)


def _show_delivery(row: Any) -> WebhookDelivery:
    return WebhookDelivery(
        id=row.id,
        event_id=row.event_id,
        event=row.kind,
        state=row.state,
        is_again=row.is_again,
        attempts=row.attempts,
        status_code=row.status_code,
        answer=row.answer,
        error=row.error,
        payload=row.payload,
        created_at=row.created_at,
        tried_at=row.tried_at,
        next_at=row.next_at,
    )


@operation(
    "replayWebhookDelivery",
    "POST",
    "/webhooks/<webhook_id>/deliveries/<delivery_id>/replay",
    tag=TAG,
    summary="Send a delivery again",
    description="The same event, as a delivery of its own.",
    gives=SentItem,
    status=202,
    codes=(400, 401, 403, 404),
    is_addition=True,
)
def replay(call: Call, webhook_id: str, delivery_id: str) -> SentItem:
    sent = send_again(_keeper(call), webhook_id, delivery_id, now=call.now)
    return SentItem(data=Sent(delivery_id=sent))
