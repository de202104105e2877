"""Webhooks: addresses of other programs, chosen and kept by whoever sets up a venue.

One of a single venue is kept by whoever may set that venue up, one of the whole organisation by
whoever may set up all of its venues. Like a token it stays when its maker leaves.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from domain.errors import NotFound, RuleBroken, WrongState
from domain.people import check_name
from domain.roles import SETTINGS, Grants, holds
from domain.webhooks import BY_HAND, MOST, OLDER_FOR, new_secret, read_kinds, read_url
from models import Account, Webhook, WebhookDelivery, db, new_object_id
from services.idempotency import once, retrying
from services.sealing import seal
from services.staff_rights import list_sites, lock_rights

USE = "sundial webhook secret"
"""What a webhook's secret is sealed for."""

_UNSYNCED = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Keeper:
    """Whoever asks, a colleague or a token, with what they hold in this organisation."""

    organisation_id: str
    grants: Grants

    def may_keep(self, site_id: str | None) -> bool:
        """Whether webhooks of that site are theirs; at None, those of the whole organisation."""
        return holds(self.grants, SETTINGS, site_id)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a webhook is to be; `site_id` None for all sites."""

    name: str
    url: str
    kinds: Collection[str]
    site_id: str | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A webhook and its secret, which nobody is shown again; "" when it was shown already."""

    id: str
    secret: str


@dataclass(frozen=True, slots=True)
class WebhookLine:
    """A webhook as its pages show it; the secret is in no list."""

    id: str
    name: str
    url: str
    kinds: tuple[str, ...]
    site_id: str | None
    site_name: str
    """Empty for one of all sites."""
    created_at: dt.datetime
    made_by: str
    paused_at: dt.datetime | None
    paused_why: str
    failing_since: dt.datetime | None
    older_until: dt.datetime | None


def list_webhooks(keeper: Keeper, *, site_id: str | None = None) -> list[WebhookLine]:
    """Those that are theirs to keep, by name; with `site_id` only those told of that site."""
    rows = db.session.scalars(
        sa.select(Webhook)
        .where(Webhook.organisation_id == keeper.organisation_id)
        .order_by(Webhook.name, Webhook.id)
    ).all()
    heard = [row for row in rows if site_id is None or row.site_id in (None, site_id)]
    return _lines(keeper, [row for row in heard if keeper.may_keep(row.site_id)])


def find_webhook(keeper: Keeper, webhook_id: str) -> WebhookLine:
    """One that is theirs; raises NotFound for every other (R1)."""
    return _lines(keeper, [find_own(keeper, webhook_id)])[0]


def hold_webhook(keeper: Keeper, webhook_id: str) -> WebhookLine:
    """One that is theirs, which nobody else changes until the transaction ends; or NotFound."""
    return _lines(keeper, [find_own(keeper, webhook_id, is_locked=True)])[0]


def list_places(keeper: Keeper) -> list[tuple[str | None, str]]:
    """For which sites they may make one, with their names; None for all sites."""
    sites = list_sites(keeper.organisation_id)
    whole: list[tuple[str | None, str]] = [(None, "")] if keeper.may_keep(None) else []
    return [*whole, *((one.id, one.full_name) for one in sites if keeper.may_keep(one.id))]


def make_webhook(
    keeper: Keeper,
    wish: Wish,
    *,
    by: str | None,
    seal_key: str,
    is_private_allowed: bool = False,
    is_paused: bool = False,
    key: str = "",
    now: dt.datetime,
) -> Made:
    """A new webhook, told of everything from now on or once it is resumed, and its secret.

    The same form twice makes one, and the second answer has "" for the secret (H6). Raises
    RuleBroken with the field, NotFound.
    """
    values = _checked(keeper, wish, is_private_allowed)
    made: list[str] = []
    secret = new_secret()

    def deed() -> str:
        made.clear()
        # Two who make the last one that there is room for do so one after the other.
        lock_rights(keeper.organisation_id)
        _check_room(keeper.organisation_id)
        maker = db.session.get(Account, by) if by else None
        row = Webhook(
            id=new_object_id(),
            organisation_id=keeper.organisation_id,
            **values,
            sealed_secret=seal(secret, key=seal_key, use=USE),
            created_by_id=maker.id if maker else None,
            created_by_name=maker.name if maker else "",
            created_at=now,
            paused_at=now if is_paused else None,
            paused_why=BY_HAND if is_paused else "",
        )
        db.session.add(row)
        db.session.flush()
        made.append(row.id)
        return row.id

    body = {"webhook": values, **({"paused": True} if is_paused else {})}
    webhook_id = once(keeper.organisation_id, key, body, deed, now)
    return Made(webhook_id, secret if made == [webhook_id] else "")


def change_webhook(
    keeper: Keeper, webhook_id: str, wish: Wish, *, is_private_allowed: bool = False
) -> None:
    """Name, address, events and site anew; what waits goes to the new address. Raises the same."""
    values = _checked(keeper, wish, is_private_allowed)

    def deed() -> None:
        row = find_own(keeper, webhook_id, is_locked=True)
        for name, value in values.items():
            setattr(row, name, value)

    retrying(deed)


def renew_secret(
    keeper: Keeper, webhook_id: str, *, seal_key: str, key: str = "", now: dt.datetime
) -> Made:
    """Another secret; the one before it signs along for a day. Raises NotFound."""
    made: list[str] = []
    secret = new_secret()

    def deed() -> str:
        made.clear()
        row = find_own(keeper, webhook_id, is_locked=True)
        row.sealed_older, row.older_until = row.sealed_secret, now + OLDER_FOR
        row.sealed_secret = seal(secret, key=seal_key, use=USE)
        db.session.flush()
        made.append(row.id)
        return row.id

    once(keeper.organisation_id, key, {"renew": webhook_id}, deed, now)
    return Made(webhook_id, secret if made else "")


def pause_webhook(keeper: Keeper, webhook_id: str, *, now: dt.datetime) -> None:
    """It is told nothing more; what waits is not sent. Again changes nothing. Raises NotFound."""

    def deed() -> None:
        row = find_own(keeper, webhook_id, is_locked=True)
        if row.paused_at is None:
            row.paused_at, row.paused_why = now, BY_HAND

    retrying(deed)


def resume_webhook(keeper: Keeper, webhook_id: str) -> None:
    """It is told what happens from now on. Again changes nothing. Raises NotFound."""

    def deed() -> None:
        row = find_own(keeper, webhook_id, is_locked=True)
        row.paused_at, row.paused_why = None, ""
        row.failing_since, row.failures = None, 0

    retrying(deed)


def remove_webhook(keeper: Keeper, webhook_id: str) -> None:
    """It is gone, with its log; what waits is not sent. Raises NotFound."""

    def deed() -> None:
        row = find_own(keeper, webhook_id)
        # Whole: nothing is written for it from here on (`webhook_events`).
        db.session.execute(
            sa.select(Webhook.id)
            .where(Webhook.organisation_id == keeper.organisation_id, Webhook.id == row.id)
            .with_for_update()
        )
        db.session.execute(
            sa.delete(WebhookDelivery).where(
                WebhookDelivery.organisation_id == keeper.organisation_id,
                WebhookDelivery.webhook_id == row.id,
            ),
            execution_options=_UNSYNCED,
        )
        db.session.delete(row)

    retrying(deed)


def find_own(keeper: Keeper, webhook_id: str, *, is_locked: bool = False) -> Webhook:
    """The row of one that is theirs, to be changed in the caller's transaction where locked."""
    query = (
        sa.select(Webhook)
        .where(Webhook.organisation_id == keeper.organisation_id, Webhook.id == webhook_id)
        .execution_options(populate_existing=True)
    )
    # Without its key: what happens meanwhile is told to it, and need not wait.
    row = db.session.scalar(query.with_for_update(key_share=True) if is_locked else query)
    if row is None or not keeper.may_keep(row.site_id):
        raise NotFound("We couldn't find that webhook.")
    return row


def _checked(keeper: Keeper, wish: Wish, is_private_allowed: bool) -> dict[str, Any]:
    name = check_name(wish.name, who="a name for it")
    read_url(wish.url, is_private_allowed=is_private_allowed)
    if wish.site_id not in {site_id for site_id, _ in list_places(keeper)}:
        # One that is foreign and one without access are the same to them (R1, R22).
        raise RuleBroken("Choose a venue from the list.", code="site_unknown", field="where")
    return {
        "name": name,
        "url": wish.url.strip(),
        "kinds": read_kinds(wish.kinds),
        "site_id": wish.site_id,
    }


def _check_room(organisation_id: str) -> None:
    query = sa.select(sa.func.count(Webhook.id)).where(Webhook.organisation_id == organisation_id)
    if (db.session.scalar(query) or 0) >= MOST:
        raise WrongState(f"There are {MOST} webhooks, and no more are possible. Delete one first.")


def _lines(keeper: Keeper, rows: Sequence[Webhook]) -> list[WebhookLine]:
    names = {one.id: one.full_name for one in list_sites(keeper.organisation_id)} if rows else {}
    return [
        WebhookLine(
            id=row.id,
            name=row.name,
            url=row.url,
            kinds=tuple(row.kinds),
            site_id=row.site_id,
            site_name=names.get(row.site_id or "", ""),
            created_at=row.created_at,
            made_by=row.created_by_name,
            paused_at=row.paused_at,
            paused_why=row.paused_why,
            failing_since=row.failing_since,
            older_until=row.older_until,
        )
        for row in rows
    ]
