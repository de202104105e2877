"""A site's own words in its letters: reading, saving, going back to ours (D4)."""

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from domain.errors import NotFound, WordingChanged
from domain.wording import KINDS, Wording, list_wording_problems, tidy
from models import LetterWording, SessionType, Site, db, new_object_id, transaction

OURS = Wording()


@dataclass(frozen=True, slots=True)
class OwnWording:
    """What a site has of its own; `revision` is 0 where nothing was ever saved."""

    words: Wording = OURS
    revision: int = 0
    updated_at: dt.datetime | None = None

    @property
    def is_ours(self) -> bool:
        """Whether nothing differs from our own words."""
        return self.words == OURS


NOTHING_OWN = OwnWording()


def list_wordings(organisation_id: str, site_id: str) -> dict[str, OwnWording]:
    """By kind of letter, those that the site has saved something for."""
    rows = db.session.scalars(
        sa.select(LetterWording).where(
            LetterWording.organisation_id == organisation_id, LetterWording.site_id == site_id
        )
    )
    return {row.letter: _own(row) for row in rows}


def find_wording(organisation_id: str, site_id: str, kind: str) -> OwnWording:
    """What the site says in this kind of letter; raises NotFound for a kind that we don't have."""
    if kind not in KINDS:
        raise NotFound("We couldn't find that letter.")
    return list_wordings(organisation_id, site_id).get(kind, NOTHING_OWN)


def say_letter(kind: str, organisation_id: str, site_id: str) -> Wording:
    """The words of a letter as it is sent: the site's own where there are any, else ours.

    An empty subject leaves the one that the letter was written with.
    """
    own = find_wording(organisation_id, site_id, kind).words
    said = effective(kind, own)
    return replace(said, subject=own.subject) if KINDS[kind].writes_subject else said


def example_of(organisation_id: str, site_id: str) -> tuple[Site, str]:
    """What an example letter is about: the site, and the name of one of its session types."""
    site = db.session.scalars(
        sa.select(Site).where(Site.organisation_id == organisation_id, Site.id == site_id)
    ).one()
    name = db.session.scalar(
        sa.select(SessionType.name)
        .where(
            SessionType.organisation_id == organisation_id,
            SessionType.site_id == site_id,
            SessionType.deleted_at.is_(None),
        )
        .order_by(SessionType.position, SessionType.name)
        .limit(1)
    )
    return site, name or "Quiet hour"


def effective(kind: str, own: Wording) -> Wording:
    """Own words, and ours for each text that is empty."""
    ours = KINDS[kind].ours
    return Wording(
        own.subject or ours.subject, own.opening or ours.opening, own.closing or ours.closing
    )


def tidy_wording(kind: str, *, subject: str, opening: str, closing: str) -> Wording:
    """What was typed as it would be kept: a text that is just ours is kept as none."""
    typed = Wording(tidy(subject, is_line=True), tidy(opening), tidy(closing))
    ours = KINDS[kind].ours
    return Wording(
        "" if typed.subject == ours.subject else typed.subject,
        "" if typed.opening == ours.opening else typed.opening,
        "" if typed.closing == ours.closing else typed.closing,
    )


def save_wording(
    organisation_id: str,
    site_id: str,
    kind: str,
    words: Wording,
    *,
    seen: int,
    now: dt.datetime,
) -> None:
    """Keep a site's words for a kind of letter; empty ones go back to ours.

    `seen` is the revision that the editor had before it. Raises NotFound, RuleBroken for the
    first text that is wrong, WordingChanged when somebody saved meanwhile (D4).
    """
    if kind not in KINDS:
        raise NotFound("We couldn't find that letter.")
    for problem in list_wording_problems(words):
        raise problem
    values = {
        "subject": words.subject,
        "opening": words.opening,
        "closing": words.closing,
        "updated_at": now,
    }
    with transaction():
        if seen == 0:
            _insert(organisation_id, site_id, kind, values)
            return
        result: Any = db.session.execute(
            sa.update(LetterWording)
            .where(
                LetterWording.organisation_id == organisation_id,
                LetterWording.site_id == site_id,
                LetterWording.letter == kind,
                LetterWording.revision == seen,
            )
            .values(revision=seen + 1, **values),
            execution_options={"synchronize_session": False},
        )
        if not result.rowcount:
            raise WordingChanged


def _insert(organisation_id: str, site_id: str, kind: str, values: dict[str, Any]) -> None:
    row = LetterWording(
        id=new_object_id(),
        organisation_id=organisation_id,
        site_id=site_id,
        letter=kind,
        revision=1,
        **values,
    )
    try:
        with db.session.begin_nested():
            db.session.add(row)
    except IntegrityError as error:
        # Its twin of the same kind was saved first; the table takes one of each.
        raise WordingChanged from error


def _own(row: LetterWording) -> OwnWording:
    return OwnWording(Wording(row.subject, row.opening, row.closing), row.revision, row.updated_at)
