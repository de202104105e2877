"""Offers that are backed by places which a booking gives up too late to cancel."""

import datetime as dt

from models import SessionBooking


def call_back_offers(booking: SessionBooking, now: dt.datetime) -> None:
    """End the open offers backed by this booking: its places are no longer to be had (W2).

    In the caller's transaction, which has locked the session. The waiting list fills this in.
    """
    del booking, now
