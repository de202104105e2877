"""The browsers that are signed in to an account: listed, and ended one by one or all."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from domain.browsers import say_browser
from domain.errors import NotFound
from domain.second_factor import KEPT_FOR, UNUSED_FOR
from models import Account, SignIn, db, new_uuid, transaction
from services.accounts import Identity, fresh_token, lock_account
from services.idempotency import retrying

USE_IS_NOTED_EVERY = dt.timedelta(minutes=1)

_UNSYNCED = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class OpenBrowser:
    """A signed-in browser as its owner reads of it; instants in UTC."""

    id: str
    browser: str
    address: str
    is_kept: bool
    created_at: dt.datetime
    last_used_at: dt.datetime


def begin_sign_in(
    found: Identity,
    *,
    user_agent: str,
    address: str,
    is_kept: bool,
    instead_of: str | None = None,
    now: dt.datetime,
) -> str:
    """Write down that a browser is signed in from here on; the id for its cookie.

    What it was signed in to before, `instead_of`, ends. Raises NotFound when the account was
    closed, or signed out everywhere, in between.
    """

    def deed() -> str:
        if lock_account(found.id).session_token != found.session_token:
            raise NotFound("You were signed out meanwhile. Sign in again.")
        _forget_old(found.id, now)
        _end(SignIn.id == (instead_of or ""), now=now)
        row = SignIn(
            id=new_uuid(),
            account_id=found.id,
            user_agent=user_agent[:400],
            address=address[:64],
            is_kept=is_kept,
            created_at=now,
            last_used_at=now,
        )
        db.session.add(row)
        db.session.flush()
        return row.id

    return retrying(deed)


def find_signed_in(sign_in_id: str, account_id: str) -> tuple[Account, dt.datetime] | None:
    """The account of a browser's cookie and when the browser last sent something; one query.

    None when that sign-in was ended or the account is gone.
    """
    row = db.session.execute(
        sa.select(Account, SignIn.last_used_at)
        .join(SignIn, SignIn.account_id == Account.id)
        .where(SignIn.id == sign_in_id, Account.id == account_id, SignIn.ended_at.is_(None))
    ).one_or_none()
    return None if row is None else (row[0], row[1])


def note_use(sign_in_id: str, *, now: dt.datetime) -> None:
    """The browser has sent something; written once a minute at most."""
    with transaction():
        db.session.execute(
            sa.update(SignIn)
            .where(SignIn.id == sign_in_id, SignIn.last_used_at <= now - USE_IS_NOTED_EVERY)
            .values(last_used_at=now),
            execution_options=_UNSYNCED,
        )


def list_sign_ins(account_id: str) -> list[OpenBrowser]:
    """The browsers that are signed in, the one used last first."""
    rows = db.session.scalars(
        sa.select(SignIn)
        .where(SignIn.account_id == account_id, SignIn.ended_at.is_(None))
        .order_by(SignIn.last_used_at.desc(), SignIn.id)
    )
    return [
        OpenBrowser(
            row.id,
            say_browser(row.user_agent),
            row.address,
            row.is_kept,
            row.created_at,
            row.last_used_at,
        )
        for row in rows
    ]


def last_signed_in(account_ids: Iterable[str]) -> dict[str, dt.datetime]:
    """When each of these accounts signed in last; who never did is left out. One query.

    Old browsers are forgotten only when their owner signs in anew, so the last one is known.
    """
    rows = db.session.execute(
        sa.select(SignIn.account_id, sa.func.max(SignIn.created_at))
        .where(SignIn.account_id.in_(list(account_ids)))
        .group_by(SignIn.account_id)
    )
    return dict(rows.all())


def end_sign_in(sign_in_id: str, account_id: str, *, now: dt.datetime) -> None:
    """Sign one browser out, at once; ending it again changes nothing. Raises NotFound."""
    with transaction():
        known = db.session.scalar(
            sa.select(SignIn.id).where(SignIn.id == sign_in_id, SignIn.account_id == account_id)
        )
        if known is None:
            raise NotFound("That browser isn't signed in any more.")
        _end(SignIn.id == sign_in_id, now=now)


def leave(sign_in_id: str, *, now: dt.datetime) -> None:
    """This browser signs out; nothing happens when that was ended before."""
    with transaction():
        _end(SignIn.id == sign_in_id, now=now)


def end_other_sign_ins(account_id: str, *, keep: str, now: dt.datetime) -> int:
    """Sign out every browser but one; how many."""
    with transaction():
        return _end(SignIn.account_id == account_id, SignIn.id != keep, now=now)


def end_sign_ins_of(account_id: str, *, now: dt.datetime) -> None:
    """Sign the person out on every browser, with links that were mailed left as they are.

    For a colleague with the right to it as well. Raises NotFound for an unknown account.
    """

    def deed() -> None:
        end_all_of(lock_account(account_id), now=now)

    retrying(deed)


def end_all_of(account: Account, *, now: dt.datetime) -> None:
    """The same for a locked account, in the caller's transaction; its token changes."""
    account.session_token = fresh_token()
    db.session.flush()
    _end(SignIn.account_id == account.id, now=now)


def _end(*which: sa.ColumnElement[bool], now: dt.datetime) -> int:
    result = db.session.execute(
        sa.update(SignIn).where(*which, SignIn.ended_at.is_(None)).values(ended_at=now),
        execution_options=_UNSYNCED,
    )
    return int(result.rowcount)  # type: ignore[attr-defined]


def _forget_old(account_id: str, now: dt.datetime) -> None:
    """Browsers that nobody has used for long, so that the list stays one of real ones."""
    unused = sa.and_(
        sa.or_(SignIn.is_kept.is_(False), SignIn.ended_at.is_not(None)),
        SignIn.last_used_at < now - UNUSED_FOR,
    )
    db.session.execute(
        sa.delete(SignIn).where(
            SignIn.account_id == account_id,
            sa.or_(unused, SignIn.last_used_at < now - KEPT_FOR),
        ),
        execution_options=_UNSYNCED,
    )
