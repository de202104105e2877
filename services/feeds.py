"""A person's own calendar feed: its unguessable address, and what stands in it."""

import datetime as dt
import secrets

import sqlalchemy as sa

from domain.errors import NotFound
from models import Account, SessionBooking, db, transaction
from services.accounts import lock_account
from services.own_bookings import list_own_bookings

BACK = dt.timedelta(days=90)
"""How long what is over stays in the feed, so that calendars learn of late changes."""


def find_feed_key(account_id: str) -> str | None:
    """The unguessable part of the feed's address; None while there is no feed."""
    return db.session.scalar(sa.select(Account.feed_key).where(Account.id == account_id))


def start_feed(account_id: str) -> None:
    """Give the account a feed; one that it has stays as it is. Raises NotFound."""
    with transaction():
        account = lock_account(account_id)
        account.feed_key = account.feed_key or _fresh_key()


def renew_feed(account_id: str, *, was: str) -> None:
    """Another address instead of `was`, which answers no more. Pressed twice it changes once."""
    with transaction():
        account = lock_account(account_id)
        if account.feed_key is not None and account.feed_key == was:
            account.feed_key = _fresh_key()


def stop_feed(account_id: str) -> None:
    """No feed any more: its address answers as if it had never been."""
    with transaction():
        lock_account(account_id).feed_key = None


def read_feed(key: str, *, now: dt.datetime) -> list[SessionBooking]:
    """What is coming and what was in the last 90 days, cancelled ones too; raises NotFound."""
    account_id = db.session.scalar(sa.select(Account.id).where(Account.feed_key == key))
    if account_id is None:
        raise NotFound("There is no calendar at this address. Its owner may have renewed it.")
    return [
        row
        for row in list_own_bookings(account_id, since=now - BACK)
        if row.cancelled_by != "expired"
    ]


def _fresh_key() -> str:
    return secrets.token_urlsafe(32)
