"""What the mails about an account say."""

from typing import Any

from blueprints.clock import read_clock
from blueprints.links import public_url, sign_link
from blueprints.mailing import Letter, letter
from domain.account_links import LIFETIME, SIGN_IN
from models import AccountLink, db
from services.accounts import find_account

NOT_YOU = "If you didn't ask for this, there is nothing to do: nothing happens without the link."


@letter("register")
def register(payload: dict[str, Any]) -> Letter | None:
    return _with_link(
        payload,
        "account.invitation",
        "Open your account",
        ("Somebody, most likely you, asked to open an account with this address.",),
        "Open my account",
        "The link works for 24 hours, once.",
    )


@letter("no_account")
def no_account(payload: dict[str, Any]) -> Letter | None:
    return _with_link(
        payload,
        "account.invitation",
        "There is no account with this address",
        (
            "Somebody, most likely you, wanted to sign in with this address. "
            "It has no account yet.",
            "You can open one now, or try again with the address you used before.",
        ),
        "Open an account",
        "The link works for 24 hours, once.",
    )


@letter("already_registered")
def already_registered(payload: dict[str, Any]) -> Letter | None:
    return _with_link(
        payload,
        "account.arrival",
        "You have an account already",
        (
            "Somebody, most likely you, asked to open an account with this address. "
            "There is one, so this link signs you in.",
        ),
        "Sign me in",
        _sign_in_lasts(),
    )


@letter("sign_in")
def sign_in(payload: dict[str, Any]) -> Letter | None:
    return _with_link(
        payload,
        "account.arrival",
        "Your sign-in link",
        ("Here is the link you asked for.",),
        "Sign me in",
        _sign_in_lasts(),
    )


@letter("reset")
def reset(payload: dict[str, Any]) -> Letter | None:
    return _with_link(
        payload,
        "account.new_password",
        "Choose a new password",
        ("Here is the link with which you choose a new password.",),
        "Choose a password",
        "The link works for 1 hour, once.",
    )


@letter("change_address")
def change_address(payload: dict[str, Any]) -> Letter | None:
    return _with_link(
        payload,
        "account.new_address",
        "Confirm your new address",
        ("You asked to use this address for your account. Confirm it while you are signed in.",),
        "Confirm this address",
        "The link works for 24 hours, once.",
    )


@letter("address_change_asked")
def address_change_asked(payload: dict[str, Any]) -> Letter:
    return _notice(
        payload,
        "A new address was asked for",
        "Somebody who is signed in to your account asked to change its email address. "
        "This address stays in use until the new one is confirmed.",
        "If it wasn't you, change your password now: that ends the request, too.",
    )


@letter("address_changed")
def address_changed(payload: dict[str, Any]) -> Letter:
    return _notice(
        payload,
        "Your address was changed",
        f"Your account uses {_veiled(str(payload['address']))} from now on. "
        "Mails about it no longer come here.",
        "If it wasn't you, answer to a venue that you book with, and tell them.",
        action=None,
    )


@letter("password_changed")
def password_changed(payload: dict[str, Any]) -> Letter:
    return _notice(
        payload,
        "Your password was changed",
        "The password of your account was changed, and other devices were signed out.",
        "If it wasn't you, choose a new one now.",
    )


@letter("second_factor_off")
def second_factor_off(payload: dict[str, Any]) -> Letter:
    return _notice(
        payload,
        "Your authenticator app was switched off",
        "Signing in to your account asks for no code any more.",
        "If it wasn't you, choose a new password now and set the app up again.",
    )


@letter("recovery_code_used")
def recovery_code_used(payload: dict[str, Any]) -> Letter:
    left = int(payload.get("left", 0))
    said = "None is left" if not left else "1 is left" if left == 1 else f"{left} are left"
    return _notice(
        payload,
        "A recovery code was used",
        f"Somebody, most likely you, used a recovery code of your account. {said}.",
        "If it wasn't you, choose a new password now.",
    )


@letter("passkey_added")
def passkey_added(payload: dict[str, Any]) -> Letter:
    return _notice(
        payload,
        "A passkey was added",
        f"Your account can be opened with the passkey “{payload.get('passkey', '')}” now.",
        "If it wasn't you, remove it under Signing in and security, and choose a new password.",
    )


@letter("account_closed")
def account_closed(payload: dict[str, Any]) -> Letter:
    return _notice(
        payload,
        "Your account is closed",
        "Your account is closed, as you asked. Bookings that lie ahead stay valid: "
        "their links still open them.",
        "If it wasn't you, tell the venue that you book with.",
        action=None,
    )


def _with_link(
    payload: dict[str, Any],
    endpoint: str,
    subject: str,
    paragraphs: tuple[str, ...],
    button: str,
    lasts: str,
) -> Letter | None:
    link = db.session.get(AccountLink, str(payload["link"]))
    if link is None:
        return None
    # Only a name that its owner chose: a stranger may have typed another one at the door.
    account = find_account(link.account_id) if link.account_id else None
    return Letter(
        to=link.email,
        # A new address may be a stranger's: not even a name that the sender chose goes there.
        name=account.name if account and link.purpose != "change_address" else "",
        subject=subject,
        paragraphs=paragraphs,
        action=(button, public_url(endpoint, token=sign_link(link.id, link.purpose))),
        small=(lasts, NOT_YOU),
        is_useful=link.used_at is None and link.expires_at > read_clock(),
    )


FORGOTTEN = "account.request_password"


def _notice(
    payload: dict[str, Any],
    subject: str,
    text: str,
    small: str,
    *,
    action: str | None = FORGOTTEN,
) -> Letter:
    return Letter(
        to=str(payload["to"]),
        name=str(payload["name"]),
        subject=subject,
        paragraphs=(text,),
        action=("Choose a new password", public_url(action)) if action else None,
        small=(small,),
    )


def _sign_in_lasts() -> str:
    minutes = int(LIFETIME[SIGN_IN].total_seconds() // 60)
    return f"The link works for {minutes} minutes, once."


def _veiled(address: str) -> str:
    """n…@example.com: enough to recognise one's own."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"
