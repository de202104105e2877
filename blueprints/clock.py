"""The one clock: every request asks it once and passes the answer down (T7)."""

import datetime as dt
import time

from flask import Flask, current_app, g

from blueprints.configuration import Misconfigured


def install_clock(app: Flask) -> None:
    """Set the offset between the machine's clock and the shop's; none unless NOW is given."""
    offset = dt.timedelta()
    if app.config["NOW"]:
        try:
            instant = dt.datetime.fromisoformat(str(app.config["NOW"]))
        except ValueError as error:
            raise Misconfigured(
                "SUNDIAL_NOW wants an instant like 2026-06-04T09:00:00Z."
            ) from error
        if instant.tzinfo is None:
            raise Misconfigured("SUNDIAL_NOW needs an offset or Z at its end.")
        # All processes of one start share it, so that they tell the same time.
        started = float(app.config["STARTED_AT"] or time.time())
        offset = instant - dt.datetime.fromtimestamp(started, dt.UTC)
    app.extensions["sundial-clock"] = offset


def utcnow() -> dt.datetime:
    """The shop's present; the same instant all through one request."""
    if "now" not in g:
        g.now = read_clock()
    return g.now


def read_clock() -> dt.datetime:
    """The shop's present, asked anew; for loops that live longer than a request."""
    offset: dt.timedelta = current_app.extensions["sundial-clock"]
    return dt.datetime.now(dt.UTC) + offset
