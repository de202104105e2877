"""Passkeys: keys that a device keeps, which open an account without a password."""

import datetime as dt
import json
import re
import struct
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from domain.errors import NotFound, RuleBroken
from domain.second_factor import (
    CHALLENGE_LASTS,
    MOST_PASSKEYS,
    PasskeyRefused,
    check_passkey_name,
)
from models import Account, Passkey, SpentChallenge, db, new_uuid, transaction
from services.accounts import Identity, identity_of, lock_account
from services.idempotency import retrying
from services.letters import post

LONGEST_ANSWER = 20_000
"""Characters of a device's answer; real ones have about two thousand."""

_BAD_ANSWERS = (
    *(WebAuthnException, ValueError, TypeError, LookupError, AttributeError),
    *(struct.error, RecursionError),
)
"""What reading and checking an answer raises when a stranger has made it up."""

_CREDENTIAL_ID = re.compile(r"[\w-]{1,1400}", re.ASCII)

_UNSYNCED = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Party:
    """Whom devices know this shop as: the host, and the addresses it is opened at."""

    host: str
    origin: str
    name: str = "Sundial"


@dataclass(frozen=True, slots=True)
class OwnPasskey:
    """A passkey as its owner reads of it; instants in UTC."""

    id: str
    name: str
    created_at: dt.datetime
    last_used_at: dt.datetime | None


def list_passkeys(account_id: str) -> list[OwnPasskey]:
    """In the order in which they were added."""
    rows = db.session.scalars(
        sa.select(Passkey)
        .where(Passkey.account_id == account_id)
        .order_by(Passkey.created_at, Passkey.id)
    )
    return [OwnPasskey(row.id, row.name, row.created_at, row.last_used_at) for row in rows]


def creation_options(account_id: str, challenge: str, *, party: Party) -> str:
    """What the browser needs to make a passkey, as JSON; raises NotFound, RuleBroken."""
    account = db.session.get(Account, account_id)
    if account is None:
        raise NotFound("That account is closed.")
    known = _credentials(account_id)
    _check_number(len(known))
    options = generate_registration_options(
        rp_id=party.host,
        rp_name=party.name,
        user_id=account.id.encode(),
        user_name=account.email,
        user_display_name=account.name,
        challenge=base64url_to_bytes(challenge),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=known,
    )
    return options_to_json(options)


def add_passkey(
    account_id: str, answer: str, name: str, *, challenge: str, party: Party, now: dt.datetime
) -> None:
    """Keep the public half of what the device made; its owner is told by mail.

    Raises PasskeyRefused for an answer that proves nothing, RuleBroken for the name.
    """
    called = check_passkey_name(name)
    try:
        made = verify_registration_response(
            credential=_read(answer),
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=party.host,
            expected_origin=party.origin,
            require_user_verification=True,
        )
    except _BAD_ANSWERS as error:
        raise PasskeyRefused("That device's answer didn't work. Try again.") from error
    row = Passkey(
        id=new_uuid(),
        account_id=account_id,
        credential_id=bytes_to_base64url(made.credential_id),
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        name=called,
        created_at=now,
    )

    def deed() -> None:
        account = lock_account(account_id)
        _check_number(len(_credentials(account_id)))
        _spend(challenge, now)
        db.session.add(row)
        db.session.flush()
        payload = {"to": account.email, "name": account.name, "passkey": called}
        post("passkey_added", payload, dedupe_key=row.id, now=now)

    try:
        with transaction():
            deed()
    except IntegrityError as error:
        raise PasskeyRefused("That device has a passkey for you already.") from error


def request_options(account_id: str | None, challenge: str, *, party: Party) -> str:
    """What the browser needs to use a passkey, as JSON: anybody's, or one of this account's."""
    options = generate_authentication_options(
        rp_id=party.host,
        challenge=base64url_to_bytes(challenge),
        allow_credentials=_credentials(account_id) if account_id else None,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json(options)


def use_passkey(answer: str, *, challenge: str, party: Party, now: dt.datetime) -> Identity:
    """The account that a device's answer opens; the challenge is spent.

    Raises PasskeyRefused: unknown, of a closed account, not verified by its owner, sent twice,
    or with a counter that has gone back.
    """
    sent = _read(answer)
    row = db.session.execute(
        sa.select(*(Passkey.id, Passkey.account_id, Passkey.public_key, Passkey.sign_count)).where(
            Passkey.credential_id == str(sent["id"])
        )
    ).one_or_none()
    if row is None:
        raise PasskeyRefused("We don't know that passkey any more. Sign in another way.")
    try:
        if _user_of(sent) not in ("", row.account_id):
            raise PasskeyRefused
        proved = verify_authentication_response(
            credential=sent,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=party.host,
            expected_origin=party.origin,
            credential_public_key=row.public_key,
            credential_current_sign_count=row.sign_count,
            require_user_verification=True,
        )
    except _BAD_ANSWERS as error:
        raise PasskeyRefused from error

    def deed() -> Identity:
        account = lock_account(row.account_id)
        _spend(challenge, now)
        counted: Any = db.session.execute(
            sa.update(Passkey)
            .where(Passkey.id == row.id, Passkey.sign_count == row.sign_count)
            .values(sign_count=proved.new_sign_count, last_used_at=now),
            execution_options=_UNSYNCED,
        )
        if not counted.rowcount:
            raise PasskeyRefused
        return identity_of(account)

    try:
        with transaction():
            return deed()
    except (IntegrityError, NotFound) as error:
        raise PasskeyRefused from error


def rename_passkey(passkey_id: str, account_id: str, name: str) -> None:
    """Raises RuleBroken for the name, NotFound for another account's."""
    called = check_passkey_name(name)

    def deed() -> None:
        _lock(passkey_id, account_id).name = called

    retrying(deed)


def remove_passkey(passkey_id: str, account_id: str) -> str:
    """It opens nothing any more; what it was called. Raises NotFound."""

    def deed() -> str:
        row = _lock(passkey_id, account_id)
        name = row.name
        db.session.delete(row)
        db.session.flush()
        return name

    return retrying(deed)


def _lock(passkey_id: str, account_id: str) -> Passkey:
    row = db.session.scalar(
        sa.select(Passkey)
        .where(Passkey.id == passkey_id, Passkey.account_id == account_id)
        .with_for_update()
    )
    if row is None:
        raise NotFound("That passkey is gone.")
    return row


def _credentials(account_id: str) -> list[PublicKeyCredentialDescriptor]:
    ids = db.session.scalars(
        sa.select(Passkey.credential_id).where(Passkey.account_id == account_id)
    )
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in ids]


def _check_number(known: int) -> None:
    if known >= MOST_PASSKEYS:
        raise RuleBroken(f"You have {MOST_PASSKEYS} passkeys. Remove one you don't use first.")


def _spend(challenge: str, now: dt.datetime) -> None:
    """A challenge is answered once, whatever a browser sends again; in the caller's transaction."""
    db.session.execute(
        sa.delete(SpentChallenge).where(SpentChallenge.spent_at < now - 2 * CHALLENGE_LASTS),
        execution_options=_UNSYNCED,
    )
    db.session.add(SpentChallenge(challenge=challenge, spent_at=now))
    db.session.flush()


def _read(answer: str) -> dict[str, object]:
    """A device's answer as the browser sent it; raises PasskeyRefused."""
    try:
        sent = json.loads(answer[: LONGEST_ANSWER + 1]) if len(answer) <= LONGEST_ANSWER else None
    except (ValueError, RecursionError) as error:
        raise PasskeyRefused from error
    if not isinstance(sent, dict) or not _CREDENTIAL_ID.fullmatch(str(sent.get("id", ""))):
        raise PasskeyRefused
    return sent


def _user_of(sent: dict[str, object]) -> str:
    """The account that the device says it is for; devices may leave it out."""
    response = sent.get("response")
    handle = response.get("userHandle") if isinstance(response, dict) else None
    return base64url_to_bytes(str(handle)).decode() if handle else ""
