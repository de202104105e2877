"""Codes of an app, recovery codes and signed-in browsers: each counts once, at once as well."""

import datetime as dt
import threading

import pyotp
import pytest
import sqlalchemy as sa
from conftest import NOW
from factories import make_account, make_customer, make_organisation, save

from domain.errors import NotFound, RuleBroken
from domain.second_factor import (
    RECOVERY_CODES,
    STEP,
    CodeUsed,
    CodeWrong,
    KeyLost,
    TooManyCodes,
)
from domain.sign_in_tries import MOST_TRIES, WINDOW
from models import Authenticator, Passkey, RecoveryCode, SignIn, db
from services.account_closing import close_account
from services.account_links import change_password
from services.accounts import find_account, identity_of
from services.erasing import erase_customer, find_erasure
from services.outbox import list_jobs
from services.second_factor import (
    AlreadyOn,
    CodesShown,
    NotBegun,
    app_address,
    begin_authenticator,
    check_code,
    confirm_authenticator,
    find_second_factor,
    find_unconfirmed_key,
    has_second_step,
    renew_recovery_codes,
    switch_off_authenticator,
)
from services.sign_ins import (
    begin_sign_in,
    end_other_sign_ins,
    end_sign_in,
    end_sign_ins_of,
    find_signed_in,
    last_signed_in,
    list_sign_ins,
    note_use,
)

pytestmark = pytest.mark.usefixtures("ctx")

KEY = "the installation's own key"
LATER = NOW + dt.timedelta(minutes=5)
TICK = dt.timedelta(seconds=STEP)


class Ana:
    """An account whose app is switched on."""

    def __init__(self):
        self.id = make_account().id
        begin_authenticator(self.id, key=KEY, now=NOW)
        self.app = pyotp.TOTP(find_unconfirmed_key(self.id, key=KEY))
        self.codes = confirm_authenticator(self.id, self.app.at(NOW), key=KEY, now=NOW)

    def check(self, typed, now=LATER, key=KEY):
        check_code(self.id, typed, key=key, now=now)


@pytest.fixture
def ana(ctx):
    return Ana()


def letters():
    return [job.payload["letter"] for job in list_jobs("mail")]


def at_once(app, deeds):
    """What each deed said, all begun at the same moment in threads of their own."""
    gate, said = threading.Barrier(len(deeds)), []

    def run(deed):
        with app.app_context():
            gate.wait()
            try:
                deed()
                said.append("ok")
            except RuleBroken as refusal:
                said.append(refusal.code)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(said)


# ---- The app -----------------------------------------------------------------


def test_an_app_counts_once_its_first_code_was_right(ctx):
    account = make_account()
    with pytest.raises(NotBegun):
        find_unconfirmed_key(account.id, key=KEY)
    begin_authenticator(account.id, key=KEY, now=NOW)
    app_key = find_unconfirmed_key(account.id, key=KEY)
    begin_authenticator(account.id, key=KEY, now=NOW)
    assert find_unconfirmed_key(account.id, key=KEY) == app_key, "pressed twice, one key"
    assert not has_second_step(account.id)
    for wrong in ("", "000000", "12345", "٠١٢٣٤٥", "x" * 400, "abcd-efgh-jkmn-pqrs"):
        with pytest.raises(CodeWrong):
            confirm_authenticator(account.id, wrong, key=KEY, now=NOW)
    code = pyotp.TOTP(app_key).at(NOW)
    codes = confirm_authenticator(account.id, f" {code[:3]} {code[3:]}", key=KEY, now=NOW)
    assert len(set(codes)) == RECOVERY_CODES
    found = find_second_factor(account.id, key=KEY)
    assert (found.is_on, found.since, found.codes_left) == (True, NOW, RECOVERY_CODES)
    for again in (
        lambda: begin_authenticator(account.id, key=KEY, now=NOW),
        lambda: find_unconfirmed_key(account.id, key=KEY),
        lambda: confirm_authenticator(account.id, code, key=KEY, now=NOW),
    ):
        with pytest.raises(AlreadyOn):
            again()


def test_the_app_is_told_whose_account_it_is_for():
    address = app_address(pyotp.random_base32(), email="ana@example.com", issuer="Sundial")
    read = pyotp.parse_uri(address)
    assert (read.name, read.issuer) == ("ana@example.com", "Sundial")


def test_neither_table_holds_what_makes_a_code(ana):
    assert ana.app.secret not in db.session.scalars(sa.select(Authenticator.sealed_key)).one()
    kept = set(db.session.scalars(sa.select(RecoveryCode.code_hash)))
    assert kept.isdisjoint({*ana.codes, *(code.replace("-", "") for code in ana.codes)})


def test_a_code_is_taken_once_and_none_before_it(ana):
    with pytest.raises(CodeUsed):
        ana.check(ana.app.at(NOW), NOW)
    ana.check(ana.app.at(LATER))
    for typed in (ana.app.at(LATER), ana.app.at(LATER - TICK)):
        with pytest.raises(CodeUsed):
            ana.check(typed)
    ana.check(ana.app.at(LATER + TICK))


def test_a_clock_may_be_one_step_off(ana):
    ana.check(ana.app.at(LATER - TICK))
    ana.check(ana.app.at(LATER + TICK))
    for away in (2, -2, 10):
        with pytest.raises(CodeWrong):
            ana.check(ana.app.at(LATER + dt.timedelta(minutes=30) + away * TICK),
                      LATER + dt.timedelta(minutes=30))  # fmt: skip


def test_of_one_code_sent_many_times_at_once_one_is_taken(app, ana):
    typed = ana.app.at(LATER)
    said = at_once(app, [lambda: ana.check(typed)] * 5)
    assert said == ["code_used"] * 4 + ["ok"]


def test_tries_with_codes_are_counted_and_a_right_one_starts_anew(ana):
    for _ in range(MOST_TRIES - 1):
        with pytest.raises(CodeWrong):
            ana.check("000000")
    ana.check(ana.app.at(LATER))
    for _ in range(MOST_TRIES):
        with pytest.raises(CodeWrong):
            ana.check("wrong")
    with pytest.raises(TooManyCodes) as refusal:
        ana.check(ana.app.at(LATER + TICK))
    assert 0 < refusal.value.seconds <= WINDOW.total_seconds()
    assert "passkey" in refusal.value.sentence
    ana.check(ana.app.at(LATER + WINDOW), LATER + WINDOW)


def test_with_another_key_of_the_shop_recovery_codes_still_open(ana):
    with pytest.raises(KeyLost):
        ana.check(ana.app.at(LATER), key="another key")
    assert not find_second_factor(ana.id, key="another key").is_readable
    ana.check(ana.codes[0], key="another key")


# ---- Recovery codes ----------------------------------------------------------


def test_a_recovery_code_opens_once_and_its_owner_is_told(ana):
    ana.check(ana.codes[0].upper().replace("-", " "))
    with pytest.raises(CodeWrong):
        ana.check(ana.codes[0])
    assert find_second_factor(ana.id, key=KEY).codes_left == RECOVERY_CODES - 1
    assert letters() == ["recovery_code_used"]
    with pytest.raises(CodeWrong):
        check_code(make_account("bob@example.com").id, ana.codes[1], key=KEY, now=LATER)


def test_of_one_recovery_code_sent_many_times_at_once_one_is_taken(app, ana):
    said = at_once(app, [lambda: ana.check(ana.codes[3])] * 5)
    assert said == ["code_wrong"] * 4 + ["ok"]


def test_new_recovery_codes_end_the_old_ones(ana):
    seen = find_second_factor(ana.id, key=KEY).codes_mark
    fresh = renew_recovery_codes(ana.id, seen=seen, now=LATER)
    with pytest.raises(CodeWrong):
        ana.check(ana.codes[0])
    ana.check(fresh[0])
    # The same form again makes none, and those that were shown go on opening.
    for known in (seen, ""):
        with pytest.raises(CodesShown):
            renew_recovery_codes(ana.id, seen=known, now=LATER)
    ana.check(fresh[1])
    with pytest.raises(NotBegun):
        renew_recovery_codes(make_account("bob@example.com").id, seen="", now=NOW)


def test_switching_off_forgets_everything_and_tells_once(ana):
    for _ in range(2):
        switch_off_authenticator(ana.id, now=LATER)
    assert not has_second_step(ana.id)
    assert letters() == ["second_factor_off"]
    for typed in (ana.app.at(LATER), ana.codes[0]):
        with pytest.raises(CodeWrong):
            ana.check(typed)


def test_whoever_runs_the_installation_helps_who_is_locked_out(app, ana):
    run = app.test_cli_runner().invoke
    assert run(args=["second-factor-off", "Ana@example.com"]).exit_code == 0
    assert not has_second_step(ana.id)
    for email in ("ana@example.com", "nobody@example.com"):
        assert run(args=["second-factor-off", email]).exit_code == 1


# ---- Signed-in browsers ------------------------------------------------------

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def sign_in(account, now=NOW, **given):
    known = {"user_agent": FIREFOX, "address": "203.0.113.9", "is_kept": False, **given}
    return begin_sign_in(identity_of(account), now=now, **known)


def test_browsers_are_listed_and_ended_one_by_one_or_but_one(ctx):
    account, other = make_account(), make_account("bob@example.com")
    first, second, third = (sign_in(account, NOW + n * TICK) for n in range(3))
    foreign = sign_in(other)
    assert [one.id for one in list_sign_ins(account.id)] == [third, second, first]
    assert list_sign_ins(account.id)[0].browser == "Firefox on Linux"
    with pytest.raises(NotFound):
        end_sign_in(foreign, account.id, now=LATER)
    end_sign_in(second, account.id, now=LATER)
    end_sign_in(second, account.id, now=LATER)
    assert find_signed_in(second, account.id) is None
    assert end_other_sign_ins(account.id, keep=first, now=LATER) == 1
    assert [one.id for one in list_sign_ins(account.id)] == [first]
    assert find_signed_in(foreign, account.id) is None
    assert find_signed_in(foreign, other.id) is not None


def test_a_new_password_and_a_colleague_end_all_of_them(ctx):
    account = make_account()
    before = account.session_token
    sign_in(account)
    change_password(account.id, password="river stones at dusk", now=LATER)
    assert list_sign_ins(account.id) == []
    sign_in(find_account(account.id))
    end_sign_ins_of(account.id, now=LATER)
    assert list_sign_ins(account.id) == []
    assert find_account(account.id).session_token != before


def close(account, customer):
    close_account(account.id, who="ana@example.com", now=LATER)


def erase(account, customer):
    """By the only venue that knows the person."""
    own = customer.organisation_id
    seen = find_erasure(own, customer.id, now=LATER).mark
    erase_customer(
        own, customer.id, cancels=False, seen=seen, hash_address=lambda text: text, now=LATER
    )


@pytest.mark.parametrize("end", [close, erase])
def test_an_account_that_ends_takes_browsers_app_codes_and_passkeys_with_it(ana, end):
    account, other = find_account(ana.id), make_account("bob@example.com")
    customer = make_customer(make_organisation().id, account)
    here = sign_in(account)
    for owner in (account, other):
        save(
            Passkey(
                account_id=owner.id, credential_id=owner.id, public_key=b"", sign_count=0,
                name="My phone", created_at=NOW,
            )
        )  # fmt: skip
    sign_in(other)
    end(account, customer)
    assert find_account(ana.id) is None
    assert find_signed_in(here, ana.id) is None
    for table in (SignIn, Authenticator, RecoveryCode, Passkey):
        db.session.expire_all()
        left = set(db.session.scalars(sa.select(table.account_id)))
        assert left <= {other.id}, table.__tablename__
    assert len(list_sign_ins(other.id)) == 1


def test_the_last_sign_in_is_known_after_it_has_ended(ctx):
    ana, bob = make_account(), make_account("bob@example.com")
    for now in (NOW, LATER):
        sign_in(find_account(ana.id), now=now)
    end_sign_ins_of(ana.id, now=LATER)
    assert last_signed_in([ana.id, bob.id]) == {ana.id: LATER}
    assert last_signed_in([]) == {}


def test_nobody_is_signed_in_with_what_was_true_before(ctx):
    account = make_account()
    known = identity_of(account)
    end_sign_ins_of(account.id, now=NOW)
    with pytest.raises(NotFound):
        begin_sign_in(known, user_agent="", address="", is_kept=False, now=NOW)
    assert db.session.scalars(sa.select(SignIn)).all() == []


def test_use_is_written_once_a_minute(ctx):
    account = make_account()
    one = sign_in(account)
    for seconds, expected in ((30, 0), (61, 61), (90, 61), (130, 130)):
        note_use(one, now=NOW + dt.timedelta(seconds=seconds))
        assert list_sign_ins(account.id)[0].last_used_at == NOW + dt.timedelta(seconds=expected)


def test_browsers_that_nobody_uses_are_forgotten(ctx):
    account = make_account()
    left, kept = sign_in(account), sign_in(account, is_kept=True)
    month, year = NOW + dt.timedelta(days=31), NOW + dt.timedelta(days=400)
    new = sign_in(account, month)
    assert {one.id for one in list_sign_ins(account.id)} == {kept, new}
    assert find_signed_in(left, account.id) is None
    latest = sign_in(account, year)
    assert [one.id for one in list_sign_ins(account.id)] == [latest]
