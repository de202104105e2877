"""Guesses that come at the same moment are counted one by one, whoever makes them."""

from functools import partial

import pyotp
import sqlalchemy as sa
from factories import ANYWHERE, NOW, make_account, make_site
from storms import storm, together

from domain.kiosk import MOST_TRIES as MOST_AT_A_KIOSK
from domain.sign_in_tries import MOST_TRIES
from models import Site, db
from services.facts import venue_of
from services.kiosks import KioskDesk, find_arrival, sign_in_kiosk
from services.second_factor import (
    begin_authenticator,
    check_code,
    confirm_authenticator,
    find_unconfirmed_key,
)

__all__ = ["storm"]

KEY = "a key for tests"


def test_many_wrong_codes_at_once_are_as_few_as_one_after_the_other(storm):
    with storm.app_context():
        me = make_account().id
        begin_authenticator(me, key=KEY, now=NOW)
        shows = pyotp.TOTP(find_unconfirmed_key(me, key=KEY))
        confirm_authenticator(me, shows.at(NOW), key=KEY, now=NOW)
        db.session.remove()
    guess = partial(check_code, me, "aaaa-bbbb-cccc-dddd", key=KEY, now=NOW)
    said = together(storm, *[guess] * (MOST_TRIES + 6))
    assert sorted(set(map(str, said))) == ["code_wrong", "too_many_tries"]
    assert said.count("code_wrong") == MOST_TRIES


def test_many_guesses_at_a_kiosk_at_once_are_as_few_as_one_after_the_other(storm):
    with storm.app_context():
        site_id = make_site().id
        site = db.session.scalars(
            sa.select(Site).where(Site.id == site_id), execution_options=ANYWHERE
        ).one()
        token = sign_in_kiosk(site.organisation_id, site.id, "Door", by="m" * 24, now=NOW)
        desk = KioskDesk(token.partition(".")[0], "Door", venue_of(site))
        db.session.remove()
    guess = partial(find_arrival, desk, "AB12345", "Reyes", now=NOW)
    said = together(storm, *[guess] * (MOST_AT_A_KIOSK + 6))
    assert said.count("not_found") == MOST_AT_A_KIOSK
    assert said.count("too_many_tries") == 6
