"""When a reminder goes out, and until when it is of use (E2)."""

import datetime as dt

HOUR = dt.timedelta(hours=1)


def reminder_moment(start: dt.datetime, hours: int, *, now: dt.datetime) -> dt.datetime | None:
    """The instant `hours` before the start; None when reminders are off or it has passed (E2).

    Who books later than that, or moves there, has just been told.
    """
    moment = start - dt.timedelta(hours=hours)
    return moment if hours > 0 and moment > now else None


def is_reminder_useful(start: dt.datetime, hours: int, *, now: dt.datetime) -> bool:
    """Whether a reminder that was held up still helps: an hour ahead, or half of a short notice.

    Later than that its reader is on the way, and would take it for another booking (E2).
    """
    return now <= start - min(HOUR, dt.timedelta(hours=hours) / 2)
