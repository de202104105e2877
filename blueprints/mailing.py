"""Letters: written from a job's payload, as text and HTML, and handed to the mail server."""

import re
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from flask import current_app, render_template

from blueprints.clock import read_clock
from domain.errors import RuleBroken
from domain.people import check_email
from models import Site, db
from services.outbox import Work

TIMEOUT = 10
"""Seconds that a mail server may take for one answer."""


class Undeliverable(Exception):
    """Trying again would not help."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What one mail says; the two alternatives are made of the same words."""

    to: str
    subject: str
    paragraphs: tuple[str, ...]
    name: str = ""
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
    """The letter that a job stands for."""
    writer = LETTERS.get(str(payload.get("letter")))
    if writer is None:
        raise LookupError(f"nobody here writes the letter {payload.get('letter')}")
    return writer(payload)


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
        message["From"] = Address(name, addr_spec=sender)
        # By its parts: as one text, only addresses in ASCII are taken.
        local, _, domain = check_email(_one_line(found.to)).rpartition("@")
        message["To"] = Address(username=local, domain=domain)
        message["Subject"] = _one_line(found.subject)
    except (ValueError, RuleBroken) as error:
        raise Undeliverable(f"not an address or subject: {error}") from error
    message["Date"] = format_datetime(read_clock())
    # The same job is the same message, also when a crash sends it twice.
    stable = re.sub(r"[^A-Za-z0-9.-]", "-", dedupe_key)
    message["Message-ID"] = f"<{stable}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text_of(found))
    message.add_alternative(html_of(found), subtype="html")
    return message


def text_of(found: Letter) -> str:
    """The plain alternative."""
    return render_template(f"{found.template}.txt", letter=found, **found.context)


def html_of(found: Letter) -> str:
    """The alternative with the looks."""
    return render_template(f"{found.template}.html", letter=found, **found.context)


def send(message: EmailMessage) -> None:
    """Hand the message to the server of SMTP_URL; raises OSError or SMTPException."""
    url = urlsplit(str(current_app.config["SMTP_URL"]))
    host = url.hostname or ""
    here = parseaddr(str(message["From"]))[1].rpartition("@")[2]
    wants_tls = parse_qs(url.query).get("starttls", [""])[0] in ("1", "true", "yes")
    if url.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            host, url.port or 465, here, timeout=TIMEOUT, context=ssl.create_default_context()
        )
    else:
        port = url.port or (587 if wants_tls else 25)
        server = smtplib.SMTP(host, port, here, timeout=TIMEOUT)
    with server:
        if wants_tls:
            server.starttls(context=ssl.create_default_context())
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
        server.send_message(message)


def _one_line(text: str) -> str:
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise ValueError("a header is one line")
    return text
