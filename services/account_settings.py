"""What a signed-in person changes about the account: name, address, open sign-ins."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from domain.account_links import CHANGE_ADDRESS, LinkUnknown
from domain.errors import RuleBroken
from domain.people import check_email, check_name, email_key
from models import Account, Customer, db, transaction
from services.account_joining import join_guest_bookings, own_rows
from services.account_links import OpenLink, add_link, end_links, find_link, may_mail, use_link
from services.accounts import Identity, identity_of, lock_account
from services.idempotency import retrying
from services.letters import post
from services.sign_ins import end_all_of


class AddressTaken(RuleBroken):
    """Only the owner of the address reads this: the link came to it."""

    code = "address_taken"

    def __init__(self, address: str) -> None:
        super().__init__(
            f"{address} belongs to another account by now. "
            "Sign in to that one, or choose another address for this one."
        )


def has_password(account_id: str) -> bool:
    """Whether this person has one, or signs in by mailed links only."""
    account = db.session.get(Account, account_id)
    return account is not None and account.password_hash is not None


def change_name(account_id: str, name: str) -> None:
    """The person's name, also where venues have it unchanged; raises RuleBroken."""
    called = check_name(name)

    def deed() -> None:
        account = lock_account(account_id)
        for row in own_rows(account_id):
            if row.name == account.name:
                row.name = called
        account.name = called

    retrying(deed)


def request_address(account_id: str, email: str, *, who: str, now: dt.datetime) -> None:
    """Mail a link to the new address, and a word to the old one; `who` is the new one's hash.

    The answer is the same when the address has an account: only its owner learns that.
    """
    address = check_email(email)
    with transaction():
        account = lock_account(account_id)
        if email_key(address) == account.email_key:
            raise RuleBroken("That is your address already.", code="email_same", field="email")
        if not may_mail(who, now=now):
            return
        link = add_link(CHANGE_ADDRESS, address, account_id=account_id, now=now)
        post("change_address", {"link": link.id}, dedupe_key=link.id, now=now)
        post(
            "address_change_asked",
            {"to": account.email, "name": account.name},
            dedupe_key=link.id,
            now=now,
        )


def find_address_link(link_id: str, account_id: str, *, now: dt.datetime) -> OpenLink:
    """The link, for the account that asked for it; raises LinkUnknown for others, LinkGone."""
    link = find_link(link_id, CHANGE_ADDRESS, now=now)
    if link.account_id != account_id:
        raise LinkUnknown(
            "This link is for another account. Sign in to the one whose address is to change."
        )
    return link


def confirm_address(link_id: str, account_id: str, *, now: dt.datetime) -> Identity:
    """Change the address that the link proves; signed out elsewhere, guest bookings join.

    Raises AddressTaken, LinkGone, LinkUnknown.
    """
    find_address_link(link_id, account_id, now=now)

    def deed() -> Identity:
        link = use_link(link_id, CHANGE_ADDRESS, now=now)
        account = lock_account(account_id)
        old, old_key = account.email, account.email_key
        _take_address(account, link.email)
        end_all_of(account, now=now)
        join_guest_bookings(account, now=now)
        _tell_venues(account, old_key)
        end_links(account.id, now=now)
        post(
            "address_changed",
            {"to": old, "name": account.name, "address": account.email},
            dedupe_key=link.id,
            now=now,
        )
        return identity_of(account)

    return retrying(deed)


def _take_address(account: Account, address: str) -> None:
    taken = sa.select(Account.id).where(
        Account.email_key == email_key(address), Account.id != account.id
    )
    if db.session.scalar(taken) is not None:
        raise AddressTaken(address)
    try:
        with db.session.begin_nested():
            account.email, account.email_key = address, email_key(address)
    except IntegrityError as error:
        raise AddressTaken(address) from error


def _tell_venues(account: Account, old_key: str) -> None:
    """The rows that had the old address get the new one; others were written by a venue."""
    for row in own_rows(account.id):
        if row.address_key != old_key:
            continue
        is_anothers = db.session.scalar(
            sa.select(Customer.id).where(
                Customer.organisation_id == row.organisation_id,
                Customer.email_key == account.email_key,
                Customer.id != row.id,
            )
        )
        row.email, row.address_key = account.email, account.email_key
        row.email_key = None if is_anothers else account.email_key
    db.session.flush()
