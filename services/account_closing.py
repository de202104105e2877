"""Closing an account: the sign-in goes, what was booked stays."""

import datetime as dt
from typing import Any

import sqlalchemy as sa

from domain.errors import RuleBroken
from models import Account, AccountLink, Base, StaffGrant, db, unbound
from services.accounts import lock_account
from services.idempotency import retrying
from services.letters import post
from services.second_factor import forget_second_factor
from services.sign_in import forget_tries
from services.trail import erase_trail

_EVERYWHERE = unbound("an account is one person's sign-in for the whole installation")


class IsStaff(RuleBroken):
    """A venue's staff can't vanish from its records by themselves."""

    code = "is_staff"

    def __init__(self) -> None:
        super().__init__(
            "You work at a venue with this account, so it can't be closed here. "
            "Ask the venue's owner to end your access first."
        )


def is_staff(account_id: str) -> bool:
    """Whether any venue has given this account a right."""
    query = sa.select(StaffGrant.id).where(StaffGrant.account_id == account_id).limit(1)
    return db.session.scalar(query, execution_options=_EVERYWHERE) is not None


def close_account(account_id: str, *, who: str, now: dt.datetime) -> None:
    """Delete the account, its links and tries; bookings stay valid, as a guest's. Raises IsStaff.

    The caller has just proved who is asking.
    """

    def deed() -> None:
        account = lock_account(account_id)
        if is_staff(account_id):
            raise IsStaff
        post(
            "account_closed",
            {"to": account.email, "name": account.name},
            dedupe_key=account.id,
            now=now,
        )
        remove_account(account, who=who)

    retrying(deed)


def remove_account(account: Account, *, who: str) -> None:
    """Delete an account that no venue's staff works with; in the caller's transaction.

    What was begun with it stays, as nobody's; `who` is its address under a keyed hash.
    """
    erase_trail(None, {"accounts": [account.id]})
    _run(sa.delete(AccountLink).where(AccountLink.account_id == account.id))
    forget_second_factor(account.id)
    for column in _columns_of_accounts():
        theirs = column == account.id
        _run(
            sa.update(column.table).where(theirs).values({column.name: None})
            if column.nullable
            else sa.delete(column.table).where(theirs)
        )
    forget_tries(who)
    forget_tries(f"mail:{who}")
    db.session.delete(account)
    db.session.flush()


def _columns_of_accounts() -> list[sa.Column[Any]]:
    """Every column that names an account: emptied where it may be, else its row is the account's.

    Those that hang on others come first.
    """
    return [
        column
        for table in reversed(Base.metadata.sorted_tables)
        for column in table.columns
        if any(key.target_fullname == "accounts.id" for key in column.foreign_keys)
    ]


def _run(statement: sa.Update | sa.Delete) -> None:
    db.session.execute(statement, execution_options={**_EVERYWHERE, "synchronize_session": False})
