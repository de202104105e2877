"""H7: whatever address is opened, by whomever, nothing in the database changes."""

import pytest
import sqlalchemy as sa
from addresses import addresses, build_house
from factories import ANYWHERE

from models import db

RIGHTS = ("RESERVATIONS_MANAGE", "SETTINGS_MANAGE", "CUSTOMERS_MANAGE")


@pytest.fixture
def house(make):
    return make(lambda: build_house(RIGHTS))


def everything():
    """Every row of every table, apart from what counts tries."""
    return {
        name: sorted(map(repr, db.session.execute(sa.select(table), execution_options=ANYWHERE)))
        for name, table in db.metadata.tables.items()
        if "tries" not in name and "attempts" not in name
    }


def test_h7_no_address_changes_anything_when_it_is_opened(app, visitor, make, house):
    before, opened = make(everything), 0
    looks = list(addresses(app, house))
    for door in (None, "/staff/sign-in"):
        if door:
            visitor.sign_in("maren@bath.example", "thermal-waters", door)
            before = make(everything)
        for rule, url in looks:
            answer = visitor.client.get(url)
            assert answer.status_code < 500, url
            opened += answer.status_code == 200
            is_public = "public" in answer.headers.get("Cache-Control", "")
            assert not (is_public and "Set-Cookie" in answer.headers), url
            if door is None and "<site>" in rule.rule and rule.rule.startswith("/staff/"):
                assert answer.status_code in (302, 303, 401, 403, 404), url
        after = make(everything)
        assert [name for name in before if before[name] != after[name]] == []
    assert opened > 60
