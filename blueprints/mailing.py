"""Letters: written from a job's payload, as text and HTML, and handed to the mail server."""

import re
import smtplib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from flask import Response, current_app, render_template

from blueprints.booking_words import Details, words_of
from blueprints.clock import read_clock
from blueprints.palette import DARK, LIGHT, corner, palette
from domain.errors import RuleBroken
from domain.people import check_email
from domain.wording import KINDS, Wording, fill, paragraphs, places_in, tidy
from models import Site, db
from services.outbox import Work
from services.told import find_told_booking
from services.wording import say_letter

TIMEOUT = 10
"""Seconds that a mail server may take for one answer; ?timeout= in SMTP_URL says otherwise."""

LETTER_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
        "sandbox allow-popups allow-popups-to-escape-sandbox",
    )
)
"""A letter carries its looks in itself, as mail programs want it; it does nothing else."""


class Undeliverable(Exception):
    """Trying again would not help."""


class Refused(Exception):
    """The mail server said no for now, in its own words."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What one mail says; the two alternatives are made of the same words."""

    to: str
    subject: str
    paragraphs: tuple[str, ...]
    """What we say ourselves: facts, after the opening that a venue may word."""
    name: str = ""
    opening: tuple[str, ...] = ()
    closing: tuple[str, ...] = ()
    """Filled in by `write` from the site's wording, as the subject is."""
    greets: bool = True
    details: tuple[Details, ...] = ()
    """What it is about, as small tables."""
    words: Mapping[str, str] = field(default_factory=dict)
    """What stands for {session}, {date} and the like in the site's wording."""
    action: tuple[str, str] | None = None
    """The button: its words and its absolute address."""
    small: tuple[str, ...] = ()
    """What stands below the button."""
    is_useful: bool = True
    """False when sending it would only disappoint: its link has ended meanwhile."""
    site: Site | None = None
    """The venue in whose name and colours it comes; None for letters of the installation."""
    calendar: bytes = b""
    """An .ics file that goes with it."""
    calendar_method: str = "PUBLISH"
    template: str = "mail/letter"
    context: dict[str, Any] = field(default_factory=dict)


Writer = Callable[[dict[str, Any]], Letter | None]
LETTERS: dict[str, Writer] = {}


def letter(name: str) -> Callable[[Writer], Writer]:
    """Declare who writes the letters of this name; None means that there is nothing to say."""

    def declare(writer: Writer) -> Writer:
        LETTERS[name] = writer
        return writer

    return declare


def write(payload: dict[str, Any]) -> Letter | None:
    """The letter that a job stands for, in the words of its site where it has one."""
    kind = str(payload.get("letter"))
    writer = LETTERS.get(kind)
    if writer is None:
        raise LookupError(f"nobody here writes the letter {kind}")
    found = writer(payload)
    if found is None or found.site is None or kind not in KINDS:
        return found
    wording = say_letter(kind, found.site.organisation_id, found.site.id)
    about = None if found.words else find_told_booking(str(payload.get("booking")))
    return worded(replace(found, words=words_of(about)) if about else found, wording)


def worded(found: Letter, wording: Wording) -> Letter:
    """The letter with these texts around its facts; an own greeting takes the place of ours."""
    venue = found.site.full_name if found.site else ""
    values = {**found.words, "name": found.name, "venue": venue}
    subject = tidy(fill(wording.subject, values), is_line=True)
    return replace(
        found,
        subject=subject or found.subject,
        opening=paragraphs(tidy(fill(wording.opening, values))),
        closing=paragraphs(tidy(fill(wording.closing, values))),
        greets=found.greets and "name" not in places_in(wording.opening),
    )


def letter_page(found: Letter) -> Response:
    """The HTML alternative as a page of its own, safe to be framed by ours (iframe sandbox)."""
    return Response(html_of(found), headers={"Content-Security-Policy": LETTER_POLICY})


def deliver(work: Work) -> str:
    """Send what a job of kind "mail" stands for; what is to be noted beside it."""
    found = write(work.payload)
    if found is None or not found.is_useful:
        return "Not sent: it was of no use any more."
    message = compose(found, work.dedupe_key)
    # A mail server may be slow, and nobody is to wait for it inside our database.
    db.session.rollback()
    if not current_app.config["SMTP_URL"]:
        return "Not sent: no mail server is set."
    send(message)
    return ""


def compose(found: Letter, dedupe_key: str) -> EmailMessage:
    """The message with both alternatives; raises Undeliverable for what can't be a header."""
    message = EmailMessage()
    name, sender = parseaddr(str(current_app.config["MAIL_FROM"]))
    try:
        message["From"] = Address(_sender_name(found, name), addr_spec=sender)
        # By its parts: as one text, only addresses in ASCII are taken.
        local, _, domain = check_email(_one_line(found.to)).rpartition("@")
        message["To"] = Address(username=local, domain=domain)
        message["Subject"] = _one_line(found.subject)
    except (ValueError, RuleBroken) as error:
        raise Undeliverable(f"not an address or subject: {error}") from error
    if reply_to := _reply_to(found):
        message["Reply-To"] = reply_to
    message["Date"] = format_datetime(read_clock())
    # The same job is the same message, also when a crash sends it twice.
    stable = re.sub(r"[^A-Za-z0-9.-]", "-", dedupe_key)
    message["Message-ID"] = f"<{stable}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text_of(found))
    message.add_alternative(html_of(found), subtype="html")
    if found.calendar:
        _add_calendar(message, found)
    # Last: adding a part would move it into the first one.
    message["Content-Language"] = language_of(found)
    return message


def _add_calendar(message: EmailMessage, found: Letter) -> None:
    """Twice, as Google's own invitations do: what programs act on, and a file for all others."""
    if found.calendar_method != "PUBLISH":
        # Only what invites or cancels is for the program itself; the rest is a file to open.
        message.add_alternative(
            found.calendar.decode(), subtype="calendar", params={"method": found.calendar_method}
        )
    message.add_attachment(
        found.calendar,
        maintype="text" if found.calendar_method == "PUBLISH" else "application",
        subtype="calendar" if found.calendar_method == "PUBLISH" else "ics",
        filename="booking.ics",
        params={"method": found.calendar_method},
    )


def language_of(found: Letter) -> str:
    """The site's language as mail and HTML name it."""
    return (found.site.locale if found.site else "en_GB").replace("_", "-")


def text_of(found: Letter) -> str:
    """The plain alternative."""
    return render_template(f"{found.template}.txt", letter=found, **found.context)


def html_of(found: Letter) -> str:
    """The alternative with the looks."""
    brand = found.site.brand if found.site else {}
    return render_template(
        f"{found.template}.html",
        letter=found,
        language=language_of(found),
        light=palette(brand, LIGHT),
        dark=palette(brand, DARK),
        corner=corner(brand),
        is_sans=brand.get("display") == "sans",
        **found.context,
    )


def send(message: EmailMessage) -> None:
    """Hand the message to the server of SMTP_URL.

    Raises Undeliverable where the server will never take it, Refused, OSError, SMTPException.
    """
    try:
        _send(message)
    except smtplib.SMTPRecipientsRefused as error:
        [(code, words)] = [*error.recipients.values()][:1] or [(0, b"")]
        raise _no(code, words) from error
    except smtplib.SMTPDataError as error:
        raise _no(error.smtp_code, error.smtp_error) from error
    except smtplib.SMTPResponseException as error:
        # About us, not about this mail: whoever runs the shop can mend it meanwhile.
        raise Refused(_said(error.smtp_code, error.smtp_error)) from error


def _send(message: EmailMessage) -> None:
    url = urlsplit(str(current_app.config["SMTP_URL"]))
    asked = parse_qs(url.query)
    host = url.hostname or ""
    here = parseaddr(str(message["From"]))[1].rpartition("@")[2]
    wants_tls = asked.get("starttls", [""])[0] in ("1", "true", "yes")
    timeout = float(asked.get("timeout", [TIMEOUT])[0])
    if url.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            host, url.port or 465, here, timeout=timeout, context=ssl.create_default_context()
        )
    else:
        port = url.port or (587 if wants_tls else 25)
        server = smtplib.SMTP(host, port, here, timeout=timeout)
    with server:
        if wants_tls:
            server.starttls(context=ssl.create_default_context())
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
        server.send_message(message)


def _no(code: int, words: bytes | str) -> Exception:
    return (Undeliverable if code >= 500 else Refused)(_said(code, words))


def _said(code: int, words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
    return f"the mail server said {code} {' '.join(text.split())}"


def _sender_name(found: Letter, ours: str) -> str:
    return tidy(found.site.full_name, is_line=True) if found.site else ours


def _reply_to(found: Letter) -> str:
    """Where answers go: to the venue, if its address is one."""
    if found.site is None or not found.site.email:
        return ""
    try:
        return check_email(_one_line(found.site.email))
    except (ValueError, RuleBroken):
        return ""


def _one_line(text: str) -> str:
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise ValueError("a header is one line")
    return text
