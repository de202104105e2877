"""Passkeys: what a device must have shown, and what is never taken twice."""

import dataclasses
import datetime as dt
import json
import secrets
import threading

import pytest
import sqlalchemy as sa
from conftest import NOW
from factories import make_account
from passkey_device import PRESENT, Device
from webauthn.helpers import bytes_to_base64url

from domain.errors import NotFound, RuleBroken
from domain.second_factor import MOST_PASSKEYS, PasskeyRefused
from models import Passkey, SpentChallenge, db, new_uuid
from services.account_closing import close_account
from services.account_export import export_account
from services.outbox import list_jobs
from services.passkeys import (
    Party,
    add_passkey,
    creation_options,
    list_passkeys,
    remove_passkey,
    rename_passkey,
    request_options,
    use_passkey,
)

pytestmark = pytest.mark.usefixtures("ctx")

HERE = Party("localhost", "http://localhost")
LATER = NOW + dt.timedelta(hours=1)


def challenge():
    return bytes_to_base64url(secrets.token_bytes(32))


def add(account, device, name="My phone", **given):
    asked = given.pop("challenge", None) or challenge()
    answer = given.pop("answer", None) or device.make(asked)
    add_passkey(account.id, answer, name, challenge=asked, party=HERE, now=NOW, **given)
    return list_passkeys(account.id)[-1].id


def use(device, asked=None, answer=None, now=LATER):
    asked = asked or challenge()
    return use_passkey(answer or device.use(asked), challenge=asked, party=HERE, now=now)


@pytest.fixture
def ana(ctx):
    return make_account()


@pytest.fixture
def phone(ana):
    device = Device(owner=ana.id)
    add(ana, device)
    return device


def test_a_passkey_opens_its_account_and_its_owner_was_told(ana, phone):
    assert use(phone).id == ana.id
    (kept,) = list_passkeys(ana.id)
    assert (kept.name, kept.created_at, kept.last_used_at) == ("My phone", NOW, LATER)
    assert [job.payload["letter"] for job in list_jobs("mail")] == ["passkey_added"]
    assert export_account(ana.id, now=NOW)["passkeys"][0]["name"] == "My phone"


def test_options_ask_for_a_verified_owner_and_name_what_is_there(ana, phone):
    asked = challenge()
    made = json.loads(creation_options(ana.id, asked, party=HERE))
    assert made["rp"]["id"] == "localhost"
    assert made["challenge"] == asked
    assert made["authenticatorSelection"]["residentKey"] == "required"
    assert made["authenticatorSelection"]["userVerification"] == "required"
    known = [one["id"] for one in made["excludeCredentials"]]
    assert known == [bytes_to_base64url(phone.id)]
    used = json.loads(request_options(ana.id, asked, party=HERE))
    assert [one["id"] for one in used["allowCredentials"]] == known
    assert used["userVerification"] == "required"
    assert not json.loads(request_options(None, asked, party=HERE)).get("allowCredentials")


def test_an_answer_is_taken_once(ana, phone):
    asked = challenge()
    answer = phone.use(asked)
    use(phone, asked, answer)
    with pytest.raises(PasskeyRefused):
        use(phone, asked, answer)
    made = challenge()
    other = Device()
    add(ana, other, challenge=made)
    with pytest.raises(PasskeyRefused):
        add(ana, Device(), challenge=made)
    with pytest.raises(PasskeyRefused):
        add(ana, other)


def test_of_one_answer_sent_many_times_at_once_one_is_taken(app, ana, phone):
    asked = challenge()
    answer, gate, said = phone.use(asked), threading.Barrier(4), []

    def run():
        with app.app_context():
            gate.wait()
            try:
                said.append(use(phone, asked, answer).id)
            except PasskeyRefused as refusal:
                said.append(refusal.code)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == sorted([ana.id] + ["passkey_refused"] * 3)


@pytest.mark.parametrize(
    "fault",
    [
        {"host": "evil.example"},
        {"origin": "http://evil.example"},
        {"origin": "http://localhost:81"},
        {"flags": PRESENT},
        {"flags": 0},
        {"owner": "somebody else"},
        {"key": Device().key},
        {"id": b"unknown"},
    ],
    ids=str,
)
def test_what_proves_nothing_is_refused(ana, phone, fault):
    with pytest.raises(PasskeyRefused):
        use(dataclasses.replace(phone, **fault))
    if not {"owner", "key", "id"} & set(fault):
        with pytest.raises(PasskeyRefused):
            add(ana, Device(**fault))


def test_a_counter_that_goes_back_is_a_copy(ana):
    device = Device(owner=ana.id, counts=5)
    add(ana, device)
    device.counts = 6
    use(device)
    for counts in (6, 3, 0):
        device.counts = counts
        with pytest.raises(PasskeyRefused):
            use(device)
    device.counts = 7
    assert use(device).id == ana.id


HOSTILE = ["", "null", "[]", "[" * 15_000, "{", '"x"', "1", "x" * 30_000, '{"id": "\\u0000"}']


@pytest.mark.parametrize("answer", HOSTILE, ids=range(len(HOSTILE)))
def test_made_up_answers_are_refused_in_words(ana, phone, answer):
    with pytest.raises(PasskeyRefused):
        use(phone, answer=answer or " ")
    with pytest.raises(PasskeyRefused):
        add(ana, phone, answer=answer or " ")


SIGNED = ("clientDataJSON", "authenticatorData", "signature", "attestationObject")
WRONG = (None, 1, "", "AAAA", "%", [], {}, "9" * 500)


def spoiled(whole):
    """The answer with each of its parts taken for each wrong thing."""
    for name in (*json.loads(whole), *json.loads(whole)["response"]):
        for wrong in WRONG:
            sent = json.loads(whole)
            (sent if name in sent else sent["response"])[name] = wrong
            yield name, wrong, json.dumps(sent)


def test_answers_with_parts_missing_or_changed_are_refused(ana, phone):
    for name, wrong, answer in spoiled(phone.use(asked := challenge())):
        try:
            use(phone, asked, answer)
        except PasskeyRefused:
            continue
        # What no signature covers may be missing, and opens the same account.
        assert name not in SIGNED, (name, wrong)
        asked = challenge()
    made = challenge()
    for name, wrong, answer in spoiled(Device().make(made)):
        try:
            add(ana, phone, challenge=made, answer=answer)
        except PasskeyRefused:
            continue
        assert name not in SIGNED, (name, wrong)


def test_names_are_changed_and_passkeys_removed_by_their_owner_only(ana, phone):
    key = list_passkeys(ana.id)[0].id
    bob = make_account("bob@example.com")
    for deed in (lambda: rename_passkey(key, bob.id, "Mine"), lambda: remove_passkey(key, bob.id)):
        with pytest.raises(NotFound):
            deed()
    rename_passkey(key, ana.id, "  Old   phone ")
    assert list_passkeys(ana.id)[0].name == "Old phone"
    with pytest.raises(RuleBroken):
        rename_passkey(key, ana.id, "")
    assert remove_passkey(key, ana.id) == "Old phone"
    with pytest.raises(PasskeyRefused):
        use(phone)


def test_a_passkey_of_a_closed_account_opens_nothing(ana, phone):
    close_account(ana.id, who="x", now=LATER)
    with pytest.raises(PasskeyRefused):
        use(phone)
    assert db.session.scalars(sa.select(Passkey)).all() == []


def test_nobody_keeps_more_than_a_drawer_full(ana, phone):
    for number in range(MOST_PASSKEYS - 1):
        db.session.add(
            Passkey(
                id=new_uuid(),
                account_id=ana.id,
                credential_id=f"AAAA{number:04}",
                public_key=b"",
                sign_count=0,
                name="One of many",
                created_at=NOW,
            )
        )
    db.session.commit()
    for deed in (
        lambda: creation_options(ana.id, challenge(), party=HERE),
        lambda: add(ana, Device()),
    ):
        with pytest.raises(RuleBroken, match="Remove one"):
            deed()


def test_spent_challenges_are_swept(phone):
    use(phone)
    use(phone, now=LATER + dt.timedelta(hours=1))
    assert len(db.session.scalars(sa.select(SpentChallenge)).all()) == 1
