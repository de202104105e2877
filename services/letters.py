"""Which mail is sent when; how it reads and travels is the web layer's."""

import datetime as dt
from typing import Any

from services.outbox import enqueue

MAIL = "mail"


def post(
    letter: str,
    payload: dict[str, Any],
    *,
    dedupe_key: str,
    now: dt.datetime,
    organisation_id: str | None = None,
    run_at: dt.datetime | None = None,
) -> None:
    """Put a letter into the outbox, in the caller's transaction (E1).

    The payload holds ids and addresses, never a secret: links are signed when they are written.
    """
    enqueue(
        MAIL,
        {"letter": letter, **payload},
        dedupe_key=f"{letter}:{dedupe_key}",
        now=now,
        organisation_id=organisation_id,
        run_at=run_at,
    )
