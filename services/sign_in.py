"""Signing in by password; every try is counted before the password is looked at."""

import datetime as dt

import sqlalchemy as sa

from domain.errors import RuleBroken, SignInFailed
from domain.people import email_key
from domain.sign_in_tries import WINDOW, check_tries
from models import Account, SignInTry, db, new_object_id, transaction
from services.accounts import Identity, identity_of, is_password


def check_sign_in(email: str, password: str, *, who: str, now: dt.datetime) -> Identity:
    """The account that these belong to; `who` is the address under a keyed hash.

    Raises SignInFailed without saying which was wrong, TooManyTries for known and unknown alike.
    """
    note_try(who, now=now)
    account = db.session.scalar(sa.select(Account).where(Account.email_key == email_key(email)))
    if not is_password(account, password) or account is None:
        raise SignInFailed
    found = identity_of(account)
    with transaction():
        forget_tries(who)
    return found


def prove_password(
    account_id: str, password: str, *, field: str, who: str, now: dt.datetime
) -> None:
    """The signed-in person's own password again; raises RuleBroken on `field`, TooManyTries."""
    note_try(who, now=now)
    if not is_password(db.session.get(Account, account_id), password):
        raise RuleBroken("That isn't your password.", code="password_wrong", field=field)
    with transaction():
        forget_tries(who)


def note_try(who: str, *, now: dt.datetime) -> None:
    """Write a try down before it is made, so that many at once are counted too."""
    with transaction():
        lock_tries(who)
        check_tries(tries_of(who, since=now - WINDOW), now)
        db.session.add(SignInTry(id=new_object_id(), who=who, tried_at=now))


def lock_tries(who: str) -> None:
    """Tries of one address are counted one after the other; SQLite has one lock for all."""
    if db.engine.dialect.name == "postgresql":
        db.session.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(who))))


def tries_of(who: str, *, since: dt.datetime) -> list[dt.datetime]:
    """When this address was tried after `since`."""
    query = sa.select(SignInTry.tried_at).where(SignInTry.who == who, SignInTry.tried_at > since)
    return list(db.session.scalars(query))


def forget_tries(who: str) -> None:
    """Whoever has proved the address starts anew; in the caller's transaction."""
    db.session.execute(
        sa.delete(SignInTry).where(SignInTry.who == who),
        execution_options={"synchronize_session": False},
    )
