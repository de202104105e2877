"""A demo's past mails: its story needs a handful to look at, and none is to be sent."""

import datetime as dt

import sqlalchemy as sa

from models import Job, db, transaction, unbound

KEPT = 6
"""Of each kind of letter."""

_DEMO = unbound("the demo was loaded into an empty database, so every job is its own")


def put_letters_aside(*, now: dt.datetime) -> None:
    """Clear what would have been sent by `now`, but for the last of each kind, noted as done.

    Reminders of sessions to come stay, and go out when their time comes.
    """
    past = Job.run_at <= now
    newest = sa.func.row_number().over(
        partition_by=Job.payload["letter"].as_string(),
        order_by=(Job.run_at.desc(), Job.id.desc()),
    )
    ranked = sa.select(Job.id, newest.label("place")).where(past).subquery()
    kept = sa.select(ranked.c.id).where(ranked.c.place <= KEPT)
    with transaction():
        options = {**_DEMO, "synchronize_session": False}
        db.session.execute(
            sa.delete(Job).where(past, Job.id.not_in(kept)), execution_options=options
        )
        db.session.execute(
            sa.update(Job)
            .where(past)
            .values(done_at=Job.run_at, attempts=1, error="Not sent: it belongs to the demo."),
            execution_options=options,
        )
