"""Templates to answers: pages and fragments, ETags, money and dates, icons, static addresses."""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import nh3
import segno
from babel.numbers import format_currency
from flask import Flask, Response, make_response, render_template, request
from flask import session as visit
from flask_login import current_user
from flask_wtf.csrf import generate_csrf
from jinja2 import StrictUndefined
from jinja2_fragments.flask import render_block
from markdown_it import MarkdownIt
from markupsafe import Markup

from blueprints.clock import utcnow
from blueprints.security import account_id
from domain import words
from domain.fees import FeeRules, say_fees
from domain.money import exponent
from domain.pictures import widths_of

ROOT = Path(__file__).resolve().parent.parent
STATIC_FOLDER = str(ROOT / "static")

CSRF_PLACE = Markup("<csrf-token>")
"""Kept pages hold this instead of a token: with KEY_PLACE, all that is personal about them.

Both have signs that are escaped in whatever people write: a name can't be taken for them.
"""

KEY_PLACE = Markup("<form-key>")
"""Kept pages hold this where each answer gets a fresh key for its forms (H6)."""

_ASSET_ENDINGS = (".css", ".js", ".svg", ".woff2", ".png", ".ico", ".webmanifest")


def _tree_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(STATIC_FOLDER).rglob("*")):
        if path.suffix in _ASSET_ENDINGS:
            digest.update(path.relative_to(STATIC_FOLDER).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


STATIC_PREFIX = f"static/{_tree_digest()}/"
"""The digest of the whole tree stands in every address, so files are kept for a year."""


def render(
    template: str,
    *,
    block: str | None = None,
    status: int = 200,
    is_personal: bool = False,
    **context: Any,
) -> Response:
    """Render `template`, or only its `block` when htmx will swap in part of a page."""
    shown = show(template, block=block, **context)
    return respond(shown, status=status, is_personal=is_personal)


def show(template: str, *, block: str | None = None, **context: Any) -> "Shown":
    """The same before its personal places are filled in."""
    if block and wants_fragment():
        return Shown.of(render_block(template, block, **context))
    return Shown.of(render_template(template, **context))


def respond(shown: "Shown", *, status: int = 200, is_personal: bool = False) -> Response:
    """An answer with an ETag of what it shows; 304 when the browser has just that."""
    if status != 200 or is_personal or request.method not in ("GET", "HEAD"):
        return _answer(_fill_in(shown), status)
    etag = shown.digest
    if shown.has_form:
        # The token in the page is this browser's own: another browser's page is another page.
        if "csrf_token" not in visit:
            generate_csrf()
        etag = hashlib.sha256((etag + visit["csrf_token"]).encode()).hexdigest()[:32]
    is_known = etag in request.if_none_match
    response = Response(status=304) if is_known else _answer(_fill_in(shown), status)
    response.set_etag(etag)
    response.headers["Cache-Control"] = "private, no-cache"
    _vary(response)
    return response


@dataclass(frozen=True, slots=True)
class Shown:
    """A rendered page before its personal places are filled in; may be kept for others alike."""

    html: str
    digest: str
    has_form: bool

    @classmethod
    def of(cls, html: str) -> "Shown":
        """With the digest of what it shows, so that a kept page is digested once."""
        return cls(html, hashlib.sha256(html.encode()).hexdigest()[:32], CSRF_PLACE in html)


def _fill_in(shown: Shown) -> str:
    if not shown.has_form:
        return shown.html
    html = shown.html.replace(CSRF_PLACE, generate_csrf())
    return html.replace(KEY_PLACE, secrets.token_urlsafe(12))


def wants_fragment() -> bool:
    """htmx will put the answer into part of a page; not so on Back, reload or without script."""
    return request.headers.get("HX-Request-Type") == "partial"


def _answer(html: str, status: int) -> Response:
    response = make_response(html, status)
    _vary(response)
    return response


def _vary(response: Response) -> None:
    response.vary.update(("HX-Request-Type", "Cookie"))


def install_rendering(app: Flask) -> None:
    """Give templates their words; nothing here knows a rule."""
    env = app.jinja_env
    env.undefined = StrictUndefined
    env.trim_blocks = env.lstrip_blocks = True
    # Flask puts its cookie under the product's own word; forgetting to pass one must fail.
    env.globals.pop("session")
    env.filters["picture_name"] = picture_name
    env.globals.update(
        icon=icon,
        static_url=static_url,
        csrf_input=csrf_input,
        form_key=KEY_PLACE,
        words=words,
        price=say_price,
        fees_said=say_agreed_fees,
        amount=say_amount,
        qr=qr_code,
        picture_set=picture_set,
        picture_url=picture_url,
        prose=prose,
        signed_in_name=signed_in_name,
        signed_in_id=account_id,
        now=utcnow,
        poll_seconds=app.config["POLL_SECONDS"],
        show_mail=bool(app.config["SHOW_MAIL"]),
    )


def static_url(path: str) -> str:
    """The address of a file under static/."""
    return f"/{STATIC_PREFIX}{path}"


def picture_url(image: Any, ending: str, width: int | None = None) -> str:
    """The address of an uploaded picture's file; the middle width unless said otherwise."""
    widths = widths_of(image.width)
    return f"/media/{image.id}/{width or widths[len(widths) // 2]}.{ending}"


def picture_name(image: Any) -> str:
    """What staff call a picture: its words, else its file without the ending."""
    plain = Path(image.file_name).stem.removeprefix("art-").replace("-", " ").replace("_", " ")
    return str(image.alt or plain.strip().capitalize() or "Picture")


def picture_set(image: Any, ending: str) -> str:
    """All its widths, for the browser to choose from."""
    return ", ".join(
        f"{picture_url(image, ending, width)} {width}w" for width in widths_of(image.width)
    )


def csrf_input() -> Markup:
    """The hidden field of every form."""
    return Markup('<input type="hidden" name="csrf_token" value="') + CSRF_PLACE + Markup('">')


def signed_in_name() -> str | None:
    """The name in the page's head; None for a visitor."""
    return None if account_id() is None else str(current_user.name)


@lru_cache(maxsize=1)
def _symbols() -> dict[str, tuple[str, str]]:
    text = (Path(STATIC_FOLDER) / "img" / "icons.svg").read_text()
    found = re.findall(r'<symbol id="([^"]+)" viewBox="([^"]+)">(.*?)</symbol>', text, re.S)
    return {name: (box, inner) for name, box, inner in found}


@lru_cache(maxsize=256)
def icon(name: str, label: str = "") -> Markup:
    """An icon drawn in place; decoration unless it has a label."""
    box, inner = _symbols()[name]
    role = Markup('role="img" aria-label="{}"').format(label) if label else 'aria-hidden="true"'
    return Markup(f'<svg class="i" viewBox="{box}" {role}>{inner}</svg>')  # noqa: S704 - our file


def say_agreed_fees(policy: Mapping[str, Any], currency: str, locale: str) -> str:
    """What coming late or not at all costs by a line's policy, in words; "" for nothing (M8)."""
    return say_fees(FeeRules.of(policy), lambda minor: say_price(minor, currency, locale))


@lru_cache(maxsize=4096)
def say_amount(minor: int, currency: str, locale: str = "en_GB") -> str:
    """£108.00: a sum, with its decimals (P8)."""
    major = Decimal(minor).scaleb(-exponent(currency))
    text = format_currency(major, currency, locale=locale, currency_digits=True)
    # A code of letters stands apart from its number.
    return re.sub(r"(?<=[A-Z]{3})(?=\d)", " ", text.replace("\xa0", " "))


def say_price(minor: int, currency: str, locale: str = "en_GB") -> str:
    """£48, £48.50 or Free: a price, without decimals that say nothing (P4)."""
    if minor == 0:
        return "Free"
    text = say_amount(minor, currency, locale)
    decimals = exponent(currency)
    if decimals and minor % 10**decimals == 0:
        text = re.sub(rf"[.,]0{{{decimals}}}(?!\d)", "", text)
    return text


_MARKDOWN = MarkdownIt("commonmark", {"html": False})
_PROSE_TAGS = {"p", "strong", "em", "ul", "ol", "li", "a", "h3", "h4", "br", "blockquote"}


@lru_cache(maxsize=512)
def prose(markdown: str) -> Markup:
    """Markdown as cleaned HTML (R4, D5)."""
    html = nh3.clean(_MARKDOWN.render(markdown), tags=_PROSE_TAGS, link_rel="noopener nofollow")
    return Markup(html)  # noqa: S704 - cleaned in the line above


def qr_code(text: str, title: str) -> Markup:
    """A QR code drawn in place."""
    code = segno.make(text, error="m")
    svg = code.svg_inline(
        border=1, omitsize=True, title=title, dark="#16211f", lineclass=None, svgclass=None
    )
    return Markup(svg)  # noqa: S704 - made by us from our own link
