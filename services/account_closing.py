"""Closing an account: the sign-in goes, what was booked stays."""

import datetime as dt

import sqlalchemy as sa

from domain.errors import RuleBroken
from models import AccountLink, Customer, Passkey, SignIn, StaffGrant, db, unbound
from services.accounts import lock_account
from services.idempotency import retrying
from services.letters import post
from services.second_factor import forget_second_factor
from services.sign_in import forget_tries

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
        _run(sa.update(Customer).where(Customer.account_id == account_id).values(account_id=None))
        for table in (AccountLink, SignIn, Passkey):
            _run(sa.delete(table).where(table.account_id == account_id))
        forget_second_factor(account_id)
        forget_tries(who)
        forget_tries(f"mail:{who}")
        post(
            "account_closed",
            {"to": account.email, "name": account.name},
            dedupe_key=account.id,
            now=now,
        )
        db.session.delete(account)
        db.session.flush()

    retrying(deed)


def _run(statement: sa.Update | sa.Delete) -> None:
    db.session.execute(statement, execution_options={**_EVERYWHERE, "synchronize_session": False})
