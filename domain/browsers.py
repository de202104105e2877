"""What a browser calls itself, in words that its owner recognises."""

import datetime as dt

_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Safari/", "Safari"),
)
"""The first mark found wins: nearly all of them also claim to be Chrome and Safari."""

_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
)

UNKNOWN = "A browser we don't know"


def say_browser(user_agent: str) -> str:
    """Such as "Firefox on Windows"; a sentence of its own when nothing is recognised."""
    browser = _first(_BROWSERS, user_agent)
    system = _first(_SYSTEMS, user_agent)
    if browser and system:
        return f"{browser} on {system}"
    if browser or system:
        return browser or f"A browser on {system}"
    return UNKNOWN


def _first(marks: tuple[tuple[str, str], ...], text: str) -> str:
    return next((name for mark, name in marks if mark in text), "")


def say_ago(moment: dt.datetime, now: dt.datetime) -> str:
    """How long ago in words that need no time zone: "a moment ago", "3 hours ago"."""
    seconds = max(0, int((now - moment).total_seconds()))
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        number = seconds // size
        if number:
            return f"{number} {name}{'' if number == 1 else 's'} ago"
    return "a moment ago"
