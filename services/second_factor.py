"""The authenticator app of an account and its recovery codes: set up, checked, switched off."""

import datetime as dt
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any

import pyotp
import sqlalchemy as sa

from domain.errors import NotFound, RuleBroken
from domain.people import email_key
from domain.second_factor import (
    LETTERS,
    RECOVERY_CODES,
    WRONG_DIGITS,
    WRONG_SPARE,
    CodeUsed,
    CodeWrong,
    KeyLost,
    TooManyCodes,
    app_code,
    in_groups,
    recovery_code,
    steps_near,
)
from domain.sign_in_tries import TooManyTries
from models import Account, Authenticator, RecoveryCode, db, new_object_id, transaction
from services.accounts import lock_account
from services.idempotency import retrying
from services.letters import post
from services.sealing import seal, unseal
from services.sign_in import forget_tries, note_try

_USE = "sundial authenticator app"
_UNSYNCED = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """Whether an account has a confirmed app, since when, and how many recovery codes are left."""

    is_on: bool
    since: dt.datetime | None
    codes_left: int
    is_readable: bool
    """False once the installation's own key was changed: only recovery codes work."""
    codes_mark: str = ""
    """Stands for the recovery codes that there are, used or not."""


class AlreadyOn(RuleBroken):
    """A second app would make the first one's codes wrong."""

    code = "already_on"

    def __init__(self) -> None:
        super().__init__("Your app is set up already. Switch it off first to set up another one.")


class NotBegun(RuleBroken):
    """Nothing to confirm or to switch off."""

    code = "not_begun"

    def __init__(self, sentence: str = "Begin by setting up your app.") -> None:
        super().__init__(sentence)


class CodesShown(RuleBroken):
    """Recovery codes are shown once: the page that showed them was loaded again."""

    code = "codes_shown"

    def __init__(self) -> None:
        super().__init__(
            "Your new recovery codes were shown already, and can't be shown again. "
            "If you haven't kept them, make new ones."
        )


def find_second_factor(account_id: str, *, key: str) -> SecondFactor:
    """How it stands with an account's app; `key` is the installation's own."""
    row = _confirmed(account_id)
    if row is None:
        return SecondFactor(False, None, 0, True)
    left = db.session.scalar(
        sa.select(sa.func.count()).where(
            RecoveryCode.account_id == account_id, RecoveryCode.used_at.is_(None)
        )
    )
    is_readable, mark = _open(row, key) is not None, _codes_mark(account_id)
    return SecondFactor(True, row.confirmed_at, left or 0, is_readable, mark)


def has_second_step(account_id: str) -> bool:
    """Whether signing in asks for a code."""
    return _confirmed(account_id) is not None


def begin_authenticator(account_id: str, *, key: str, now: dt.datetime) -> None:
    """A key for the app, to be confirmed by a first code; a key that waits for it is kept.

    Raises AlreadyOn.
    """

    def deed() -> None:
        lock_account(account_id)
        row = _find(account_id)
        if row is not None and row.confirmed_at is not None:
            raise AlreadyOn
        if row is not None and _open(row, key) is not None:
            return
        if row is not None:
            db.session.delete(row)
            db.session.flush()
        sealed = seal(pyotp.random_base32(), key=key, use=_USE)
        db.session.add(Authenticator(account_id=account_id, sealed_key=sealed, created_at=now))
        db.session.flush()

    retrying(deed)


def find_unconfirmed_key(account_id: str, *, key: str) -> str:
    """The app's key while it waits for its first code; raises AlreadyOn, NotBegun."""
    row = _find(account_id)
    if row is not None and row.confirmed_at is not None:
        raise AlreadyOn
    plain = _open(row, key) if row else None
    if plain is None:
        raise NotBegun
    return plain


def app_address(app_key: str, *, email: str, issuer: str) -> str:
    """What the QR code says to the app (otpauth://)."""
    return str(pyotp.TOTP(app_key).provisioning_uri(name=email, issuer_name=issuer))


def confirm_authenticator(
    account_id: str, code: str, *, key: str, now: dt.datetime
) -> tuple[str, ...]:
    """Switch the app on by its first code; the recovery codes, which nobody can read later.

    Raises AlreadyOn, NotBegun, CodeWrong, TooManyCodes.
    """
    _note_code_try(account_id, now=now)
    app_key = find_unconfirmed_key(account_id, key=key)
    typed = app_code(code)
    step = next((step for step in steps_near(now) if _is_code(app_key, step, typed)), None)
    if step is None:
        raise CodeWrong(WRONG_DIGITS)

    def deed() -> tuple[str, ...]:
        account = lock_account(account_id)
        row = _find(account_id)
        if row is None or row.confirmed_at is not None or _open(row, key) != app_key:
            raise NotBegun if row is None or row.confirmed_at is None else AlreadyOn
        row.confirmed_at, row.last_step = now, step
        forget_tries(_tries_with_codes(account_id))
        return _renew_codes(account, now)

    return retrying(deed)


def renew_recovery_codes(account_id: str, *, seen: str, now: dt.datetime) -> tuple[str, ...]:
    """Ten new codes instead of those that `seen`, their mark, stands for.

    The answer that showed them, loaded again, makes none silently: raises CodesShown, and
    NotBegun when the app is off.
    """

    def deed() -> tuple[str, ...]:
        account = lock_account(account_id)
        if _confirmed(account_id) is None:
            raise NotBegun
        if seen != _codes_mark(account_id):
            raise CodesShown
        return _renew_codes(account, now)

    return retrying(deed)


def switch_off_authenticator(account_id: str, *, now: dt.datetime) -> None:
    """Signing in asks for no code any more; its owner is told by mail. Again: nothing happens."""

    def deed() -> None:
        account = lock_account(account_id)
        row = _find(account_id)
        if row is None:
            return
        was_on, mark = row.confirmed_at is not None, f"{account_id}:{row.created_at.isoformat()}"
        forget_second_factor(account_id)
        if was_on:
            _tell("second_factor_off", account, mark, now)

    retrying(deed)


def switch_off_for(email: str, *, now: dt.datetime) -> None:
    """The same by address, for whoever runs the installation; raises NotFound, NotBegun."""
    account_id = db.session.scalar(
        sa.select(Account.id).where(Account.email_key == email_key(email))
    )
    if account_id is None:
        raise NotFound("Nobody has an account with that address.")
    if not has_second_step(account_id):
        raise NotBegun("No app is set up for that account.")
    switch_off_authenticator(account_id, now=now)


def forget_second_factor(account_id: str) -> None:
    """Delete app and recovery codes, in the caller's transaction."""
    for table in (Authenticator, RecoveryCode):
        db.session.execute(
            sa.delete(table).where(table.account_id == account_id), execution_options=_UNSYNCED
        )
    db.session.expire_all()


def check_code(account_id: str, typed: str, *, key: str, now: dt.datetime) -> None:
    """Take a code of the app, or a recovery code, once.

    Raises CodeWrong, CodeUsed, KeyLost, TooManyCodes. Every try is counted before it is made.
    """
    _note_code_try(account_id, now=now)
    digits, spare = app_code(typed), recovery_code(typed)
    if digits:
        _take_app_code(account_id, digits, key=key, now=now)
    elif spare:
        _take_recovery_code(account_id, spare, now=now)
    else:
        raise CodeWrong
    with transaction():
        forget_tries(_tries_with_codes(account_id))


def _take_app_code(account_id: str, digits: str, *, key: str, now: dt.datetime) -> None:
    row = _confirmed(account_id)
    if row is None:
        raise CodeWrong
    app_key = _open(row, key)
    if app_key is None:
        raise KeyLost
    steps = [step for step in steps_near(now) if _is_code(app_key, step, digits)]
    if not steps:
        raise CodeWrong(WRONG_DIGITS)
    sealed_key = row.sealed_key
    with transaction():
        taken = any(_claim_step(account_id, sealed_key, step) for step in steps)
    if not taken:
        raise CodeUsed


def _claim_step(account_id: str, sealed_key: str, step: int) -> bool:
    """Of two who send one code at once, one gets it."""
    claimed: Any = db.session.execute(
        sa.update(Authenticator)
        .where(
            Authenticator.account_id == account_id,
            Authenticator.sealed_key == sealed_key,
            sa.or_(Authenticator.last_step.is_(None), Authenticator.last_step < step),
        )
        .values(last_step=step),
        execution_options=_UNSYNCED,
    )
    return bool(claimed.rowcount)


def _take_recovery_code(account_id: str, spare: str, *, now: dt.datetime) -> None:
    def deed() -> bool:
        account = lock_account(account_id)
        hashed = _hash_code(account_id, spare)
        mine = (RecoveryCode.account_id == account_id, RecoveryCode.used_at.is_(None))
        used: Any = db.session.execute(
            sa.update(RecoveryCode)
            .where(*mine, RecoveryCode.code_hash == hashed)
            .values(used_at=now),
            execution_options=_UNSYNCED,
        )
        if not used.rowcount:
            return False
        left = db.session.scalar(sa.select(sa.func.count()).where(*mine)) or 0
        _tell("recovery_code_used", account, hashed, now, left=left)
        return True

    if not retrying(deed):
        raise CodeWrong(WRONG_SPARE)


def _codes_mark(account_id: str) -> str:
    first = sa.select(sa.func.min(RecoveryCode.id)).where(RecoveryCode.account_id == account_id)
    return db.session.scalar(first) or ""


def _renew_codes(account: Account, now: dt.datetime) -> tuple[str, ...]:
    db.session.execute(
        sa.delete(RecoveryCode).where(RecoveryCode.account_id == account.id),
        execution_options=_UNSYNCED,
    )
    codes = tuple(
        "".join(secrets.choice(LETTERS) for _ in range(16)) for _ in range(RECOVERY_CODES)
    )
    for code in codes:
        db.session.add(
            RecoveryCode(
                id=new_object_id(),
                account_id=account.id,
                code_hash=_hash_code(account.id, code),
                created_at=now,
            )
        )
    db.session.flush()
    return tuple(in_groups(code, "-") for code in codes)


def _tell(letter: str, account: Account, mark: str, now: dt.datetime, **more: Any) -> None:
    payload = {"to": account.email, "name": account.name, **more}
    post(letter, payload, dedupe_key=mark, now=now)


def _note_code_try(account_id: str, *, now: dt.datetime) -> None:
    try:
        note_try(_tries_with_codes(account_id), now=now)
    except TooManyTries as refusal:
        raise TooManyCodes(refusal.seconds) from refusal


def _tries_with_codes(account_id: str) -> str:
    return f"code:{account_id}"


def _find(account_id: str) -> Authenticator | None:
    return db.session.scalar(
        sa.select(Authenticator)
        .where(Authenticator.account_id == account_id)
        .execution_options(populate_existing=True)
    )


def _confirmed(account_id: str) -> Authenticator | None:
    row = _find(account_id)
    return row if row is not None and row.confirmed_at is not None else None


def _is_code(app_key: str, step: int, typed: str) -> bool:
    return hmac.compare_digest(pyotp.TOTP(app_key).generate_otp(step), typed)


def _hash_code(account_id: str, code: str) -> str:
    """Without our key on purpose: recovery codes outlive a change of it."""
    return hashlib.sha256(f"{account_id}:{code}".encode()).hexdigest()


def _open(row: Authenticator, key: str) -> str | None:
    """The app's key; None when it was sealed with another key of ours."""
    return unseal(row.sealed_key, key=key, use=_USE)
