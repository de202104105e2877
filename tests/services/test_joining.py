"""Several services as one deed: their transactions join the one that is open (H6)."""

import pytest
import sqlalchemy as sa
from factories import NOW, fetch, make_site, make_type

from domain.errors import KeyReused, RuleBroken
from domain.pricing import PriceRule
from models import AuditEntry, IdempotencyKey, db, joining, transaction
from models import PriceRule as Row
from services.idempotency import once_as_one, retrying
from services.price_rules import create_rule


@pytest.fixture
def at(ctx):
    kind = make_type(make_site(), price=4800)
    return kind.organisation_id, kind.site_id, kind.id


def prices(organisation_id, _site_id, type_id):
    db.session.rollback()
    return list(
        db.session.scalars(
            sa.select(Row.price)
            .where(Row.organisation_id == organisation_id, Row.session_type_id == type_id)
            .order_by(Row.position)
        )
    )


def add(at, price):
    return create_rule(*at, PriceRule("", price), from_today=False, now=NOW)


def test_what_was_done_before_a_refusal_is_undone_with_it(at):
    def deed():
        add(at, 100)
        raise RuleBroken("Not like this.")

    with pytest.raises(RuleBroken, match="Not like this"):
        once_as_one(at[0], "k", {}, deed, NOW)
    assert prices(*at) == [4800]
    assert (
        db.session.scalars(
            sa.select(IdempotencyKey).where(IdempotencyKey.organisation_id == at[0])
        ).all()
        == []
    )


def test_all_of_it_is_one_deed_with_one_stored_answer(at):
    def deed():
        return f"{add(at, 100)} {add(at, 200)}"

    said = once_as_one(at[0], "k", {"a": 1}, deed, NOW)
    assert once_as_one(at[0], "k", {"a": 1}, deed, NOW) == said
    assert prices(*at) == [4800, 100, 200]
    with pytest.raises(KeyReused):
        once_as_one(at[0], "k", {"a": 2}, deed, NOW)
    deeds = db.session.scalars(
        sa.select(AuditEntry.deed_id)
        .where(AuditEntry.organisation_id == at[0], AuditEntry.subject == "price_rules")
        .order_by(AuditEntry.id.desc())
        .limit(2)
    ).all()
    assert len(set(deeds)) == 1


def test_a_step_that_names_its_reason_leaves_the_others_without_one(at):
    with transaction(), joining():
        add(at, 100)
        with transaction("Summer"):
            fetch(Row, add(at, 200)).label = "Summer"
        add(at, 300)
    rows = db.session.execute(
        sa.select(AuditEntry.act, AuditEntry.why)
        .where(AuditEntry.organisation_id == at[0], AuditEntry.subject == "price_rules")
        .order_by(AuditEntry.id.desc())
        .limit(3)
    ).all()
    assert ("made", "") in rows
    assert prices(*at) == [4800, 100, 200, 300]


def test_inside_another_deed_nothing_is_tried_again(at):
    tries = []

    def deed():
        tries.append(1)
        raise sa.orm.exc.StaleDataError

    with pytest.raises(sa.orm.exc.StaleDataError), transaction(), joining():
        retrying(deed)
    assert len(tries) == 1
