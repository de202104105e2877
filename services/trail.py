"""Reading the trail of what was changed, and taking a person out of it."""

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from models import AuditEntry, AuditValues, db
from models.audit import erasing


def erase_trail(organisation_id: str | None, subjects: Mapping[str, Collection[str]]) -> None:
    """Take what is personal about these rows out of the trail; table's name to ids.

    Part of the transaction that erases a person, which calls it before it empties the rows: from
    here to its end nothing personal is written. That something was changed, by whom and when,
    stays. None for the rows of accounts, which belong to no organisation.
    """
    erasing()
    for table, ids in subjects.items():
        entries = sa.select(AuditEntry.id).where(
            AuditEntry.organisation_id == organisation_id,
            sa.or_(
                sa.and_(AuditEntry.about == table, AuditEntry.about_id.in_(list(ids))),
                sa.and_(AuditEntry.subject == table, AuditEntry.subject_id.in_(list(ids))),
            ),
        )
        db.session.execute(
            sa.delete(AuditValues).where(
                AuditValues.organisation_id == organisation_id, AuditValues.entry_id.in_(entries)
            )
        )
