"""Accounts: links, tries, joining guest bookings, changing, closing, taking data along."""

import datetime as dt
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from factories import (
    ANYWHERE,
    NOW,
    fetch,
    make_account,
    make_customer,
    make_member,
    make_order,
    make_organisation,
    make_session,
    make_site,
    make_staff,
    make_type,
    save,
)

from domain.account_links import LIFETIME, MAILS_AN_HOUR, LinkGone, LinkUnknown
from domain.errors import NotFound, RuleBroken, SignInFailed
from domain.sign_in_tries import MOST_TRIES, WINDOW, TooManyTries
from models import (
    BOOKER,
    Account,
    AccountLink,
    Customer,
    IntakeAnswer,
    IntakeForm,
    Job,
    Membership,
    Order,
    Session,
    SessionBooking,
    SignInTry,
    db,
    transaction,
)
from services.account_closing import IsStaff, close_account
from services.account_export import export_account
from services.account_joining import join_guest_bookings
from services.account_links import (
    change_password,
    open_account,
    request_account,
    request_reset,
    request_sign_in,
    reset_password,
    sign_in_by_link,
)
from services.account_settings import (
    AddressTaken,
    change_name,
    confirm_address,
    request_address,
)
from services.checkout import find_order
from services.own_bookings import list_own_bookings, list_own_memberships
from services.sign_in import check_sign_in
from services.sign_ins import end_sign_ins_of

pytestmark = pytest.mark.usefixtures("ctx")

SECOND = dt.timedelta(seconds=1)
MINUTE = dt.timedelta(minutes=1)
GOOD = "river stones at dusk"


def rows(model):
    db.session.rollback()
    return list(
        db.session.scalars(
            sa.select(model).order_by(model.id),
            execution_options={**ANYWHERE, "populate_existing": True},
        )
    )


def links(purpose=None):
    return [row for row in rows(AccountLink) if purpose in (None, row.purpose)]


def letters():
    """Those about accounts; a booking posts its own."""
    found = (job.payload["letter"] for job in rows(Job))
    return sorted(name for name in found if not name.startswith("booking_"))


def invite(email="ana@example.com", name="Ana Reyes", now=NOW):
    before = {row.id for row in links()}
    request_account(email, name, who=email, now=now)
    return next(row.id for row in links() if row.id not in before)


def sign_in_link(email="ana@example.com", now=NOW):
    before = {row.id for row in links()}
    request_sign_in(email, who=email, now=now)
    return next(row.id for row in links() if row.id not in before)


def reset_link(email="ana@example.com", now=NOW):
    before = {row.id for row in links()}
    request_reset(email, who=email, now=now)
    return next(row.id for row in links() if row.id not in before)


def open_it(link_id, name="Ana Reyes", password=GOOD, now=NOW):
    return open_account(link_id, name=name, password=password, who="ana@example.com", now=now)


# ---- Opening ----------------------------------------------------------------


def test_registering_makes_no_account_before_the_address_is_proved(ctx):
    link = invite()
    assert rows(Account) == []
    assert letters() == ["register"]
    found, is_new = open_it(link, name="  Ana   Reyes ")
    assert is_new
    assert (found.name, found.email) == ("Ana Reyes", "ana@example.com")
    assert check_sign_in("ANA@example.com ", GOOD, who="x", now=NOW).id == found.id


def test_a_known_address_gets_a_sign_in_link_and_the_table_holds_no_secret(ctx):
    account = make_account()
    invite("Ana@Example.com", "Mallory")
    [link] = links()
    assert (link.purpose, link.account_id, link.name) == ("sign_in", account.id, "")
    [job] = rows(Job)
    assert job.payload == {"letter": "already_registered", "link": link.id}


def test_an_account_without_a_password_is_entered_by_link_only(ctx):
    found, _ = open_it(invite(), password="")
    for password in ("", "None", GOOD):
        with pytest.raises(SignInFailed):
            check_sign_in("ana@example.com", password, who="x", now=NOW)
    assert sign_in_by_link(sign_in_link(), who="x", now=NOW).id == found.id


def test_a_refused_password_leaves_the_link_as_it_was(ctx):
    link = invite()
    for password in ("short", "ana@example.com", "password123"):
        with pytest.raises(RuleBroken):
            open_it(link, password=password)
    assert open_it(link)[1]


def test_two_links_of_one_address_make_one_account(ctx):
    first, second = invite(), invite()
    found, _ = open_it(first)
    again, is_new = open_it(second, name="Mallory", password="another good one")
    assert (again.id, is_new) == (found.id, False)
    # The password that was chosen first still stands.
    assert check_sign_in("ana@example.com", GOOD, who="x", now=NOW).name == "Ana Reyes"


def test_two_links_used_at_once_make_one_account(app):
    with app.app_context():
        make_order(make_session())
        chosen = [invite(), invite()]

    def press(link_id):
        with app.app_context():
            try:
                return open_it(link_id)[0].id
            finally:
                db.session.remove()

    with ThreadPoolExecutor(2) as pool:
        found = set(pool.map(press, chosen))
    assert len(found) == 1
    assert len(rows(Account)) == 1


def test_h7_of_two_presses_on_one_link_at_once_one_wins(app):
    with app.app_context():
        make_account()
        link = sign_in_link()

    def press(_number):
        with app.app_context():
            try:
                return sign_in_by_link(link, who="x", now=NOW).email
            except LinkGone as gone:
                return gone.code
            finally:
                db.session.remove()

    with ThreadPoolExecutor(4) as pool:
        said = sorted(pool.map(press, range(4)))
    assert said == ["ana@example.com", *["link_used"] * 3]


# ---- Links ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "use", "purpose"),
    [
        (invite, open_it, "register"),
        (sign_in_link, lambda link, now: sign_in_by_link(link, who="x", now=now), "sign_in"),
        (reset_link, lambda link, now: reset_password(link, GOOD, who="x", now=now), "reset"),
    ],
)
def test_a_link_works_until_its_last_second(ctx, ask, use, purpose):
    if purpose != "register":
        make_account()
    link = ask()
    end = NOW + LIFETIME[purpose]
    with pytest.raises(LinkGone):
        use(link, now=end + SECOND)
    with pytest.raises(LinkGone):
        use(link, now=end)
    use(link, now=end - SECOND)
    with pytest.raises(LinkGone):
        use(link, now=end - SECOND)


def test_a_link_is_good_for_its_own_purpose_only(ctx):
    make_account()
    sign_in, reset = sign_in_link(), reset_link()
    with pytest.raises(LinkUnknown):
        reset_password(sign_in, GOOD, who="x", now=NOW)
    with pytest.raises(LinkUnknown):
        sign_in_by_link(reset, who="x", now=NOW)
    with pytest.raises(LinkUnknown):
        open_it(reset)
    with pytest.raises(LinkUnknown):
        sign_in_by_link("no such link", who="x", now=NOW)


def test_a_reset_signs_out_everywhere_and_ends_other_open_links(ctx):
    account = make_account()
    before = account.session_token
    other_reset, other_sign_in, link = reset_link(), sign_in_link(), reset_link()
    found = reset_password(link, GOOD, who="x", now=NOW)
    assert found.session_token != before
    for ended, use in (
        (other_reset, lambda row: reset_password(row, GOOD, who="x", now=NOW)),
        (other_sign_in, lambda row: sign_in_by_link(row, who="x", now=NOW)),
    ):
        with pytest.raises(LinkGone):
            use(ended)
    assert check_sign_in("ana@example.com", GOOD, who="x", now=NOW).id == account.id
    assert "password_changed" in letters()


def test_an_address_gets_five_mails_an_hour_known_or_not(ctx):
    make_account()
    for email in ("ana@example.com", "nobody@example.com"):
        for _ in range(MAILS_AN_HOUR + 3):
            request_sign_in(email, who=email, now=NOW)
            request_reset(email, who=email, now=NOW)
    assert len(rows(Job)) == len(links()) == 2 * MAILS_AN_HOUR
    request_sign_in("ana@example.com", who="ana@example.com", now=NOW + dt.timedelta(hours=1))
    assert len(links()) == 2 * MAILS_AN_HOUR + 1


# ---- Tries ------------------------------------------------------------------


def test_ten_wrong_passwords_close_the_door_for_known_and_unknown_alike(ctx):
    make_account()
    waits = set()
    for email in ("ana@example.com", "nobody@example.com"):
        for number in range(MOST_TRIES):
            with pytest.raises(SignInFailed):
                check_sign_in(email, "wrong", who=email, now=NOW + number * SECOND)
        # The right one is refused as well: it would tell that it was right.
        with pytest.raises(TooManyTries) as caught:
            check_sign_in(email, "quiet-rooms", who=email, now=NOW + MINUTE)
        waits.add(caught.value.seconds)
    assert waits == {int((WINDOW - MINUTE).total_seconds())}
    assert check_sign_in("ana@example.com", "quiet-rooms", who="ana@example.com", now=NOW + WINDOW)


def test_whoever_gets_in_starts_anew(ctx):
    make_account()
    for _ in range(3):
        for _ in range(MOST_TRIES - 1):
            with pytest.raises(SignInFailed):
                check_sign_in("ana@example.com", "wrong", who="ana", now=NOW)
        check_sign_in("ana@example.com", "quiet-rooms", who="ana", now=NOW)
    assert rows(SignInTry) == []


def test_the_mailed_link_opens_the_door_that_tries_have_closed(ctx):
    make_account()
    for _ in range(MOST_TRIES):
        with pytest.raises(SignInFailed):
            check_sign_in("ana@example.com", "wrong", who="ana", now=NOW)
    sign_in_by_link(sign_in_link(), who="ana", now=NOW)
    assert check_sign_in("ana@example.com", "quiet-rooms", who="ana", now=NOW)


def test_every_door_does_the_same_work_for_known_and_unknown(ctx, monkeypatch):
    make_account()
    open_it(invite("nopass@example.com"), password="")
    verified = []
    real = PasswordHasher.verify

    def counting(self, *given):
        verified.append(given)
        return real(self, *given)

    monkeypatch.setattr(PasswordHasher, "verify", counting)
    work = []
    for email in ("ana@example.com", "nobody@example.com", "nopass@example.com"):
        statements = []

        def count(*given, found=statements):
            found.append(given[2].split()[0])

        sa.event.listen(db.engine, "before_cursor_execute", count)
        with pytest.raises(SignInFailed):
            check_sign_in(email, "wrong", who=email, now=NOW)
        hashes = len(verified)
        verified.clear()
        request_account(email, "Ana", who=email, now=NOW)
        request_sign_in(email, who=email, now=NOW)
        request_reset(email, who=email, now=NOW)
        sa.event.remove(db.engine, "before_cursor_execute", count)
        work.append((hashes, len(verified), statements))
    assert work[0] == work[1] == work[2]
    assert work[0][:2] == (1, 0)


# ---- Guest bookings join ----------------------------------------------------


def test_guest_bookings_of_every_organisation_join_when_the_address_is_proved(ctx):
    mine = [make_order(make_session(make_type(make_site()))) for _ in range(2)]
    other = make_order(make_session(), email="other@example.com", name="Other")
    found, _ = open_it(invite("ANA@example.com"))
    assert {row.order.secret for row in list_own_bookings(found.id)} == set(mine)
    assert find_order(other).customer.account_id is None


def test_guest_bookings_move_to_the_row_that_the_account_has_already(ctx):
    session = make_session()
    account = make_account()
    kind = make_member(session.organisation_id, account)
    own = make_order(session, account_id=account.id)
    guest = make_order(session)
    [stranger] = [row for row in rows(Customer) if row.account_id is None]
    for first_day in (dt.date(2026, 1, 1), dt.date(2027, 1, 1)):
        save(
            Membership(
                organisation_id=session.organisation_id,
                customer_id=stranger.id,
                membership_type_id=kind.id,
                first_day=first_day,
                created_at=NOW,
            )
        )
    assert [row.order.secret for row in list_own_bookings(account.id)] == [own]
    sign_in_by_link(sign_in_link(), who="x", now=NOW)
    assert {row.order.secret for row in list_own_bookings(account.id)} == {own, guest}
    [customer] = rows(Customer)
    assert {row.customer_id for row in rows(Order)} == {customer.id}
    assert {row.customer_id for row in rows(SessionBooking)} == {customer.id}
    # The one that both rows had is there once.
    assert sorted(row.first_day.year for row in rows(Membership)) == [2026, 2027]
    assert len(list_own_memberships(account.id, today=NOW.date())) == 2


def test_the_row_that_owns_the_address_is_kept_and_others_move_to_it(ctx):
    house = make_organisation()
    owner = make_customer(house.id)
    other = make_customer(house.id, email_key=None, phone="01225 1")
    found, _ = open_it(invite())
    [kept] = rows(Customer)
    assert (kept.id, kept.account_id, kept.phone) == (owner.id, found.id, "01225 1")
    assert kept.id != other.id


def test_a_password_proves_no_address_so_nothing_joins(ctx):
    account = make_account()
    make_order(make_session())
    check_sign_in("ana@example.com", "quiet-rooms", who="x", now=NOW)
    assert list_own_bookings(account.id) == []


def test_a_guest_who_books_while_the_rows_are_merged_loses_nothing(app):
    with app.app_context():
        session = make_session(capacity=50)
        account_id, session_id = make_account().id, session.id
        make_order(session, account_id=account_id)
        chosen = []
        for number in range(5):
            chosen.append(sign_in_link(now=NOW + number * MINUTE))
            make_order(session)

    def book(_number):
        with app.app_context():
            try:
                return make_order(fetch(Session, session_id))
            finally:
                db.session.remove()

    def join(link_id):
        with app.app_context():
            try:
                return sign_in_by_link(link_id, who="x", now=NOW + 10 * MINUTE).id
            finally:
                db.session.remove()

    with ThreadPoolExecutor(6) as pool:
        booked = pool.map(book, range(10))
        joined = pool.map(join, chosen)
        assert len(set(booked)) == 10
        assert set(joined) == {account_id}
    sign_in_by_link(sign_in_link(now=NOW + 90 * MINUTE), who="x", now=NOW + 90 * MINUTE)
    assert len(list_own_bookings(account_id)) == 16
    assert len(rows(Customer)) == 1


def test_a_booking_whose_customer_row_was_merged_away_is_made_all_the_same(app, on_postgresql):
    if not on_postgresql:
        pytest.skip("SQLite has one writer at a time, so nobody waits for a row")
    with app.app_context():
        session = make_session()
        session_id, row_id = session.id, make_customer(session.organisation_id).id

    def book():
        with app.app_context():
            try:
                return make_order(fetch(Session, session_id))
            finally:
                db.session.remove()

    waits = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with ThreadPoolExecutor(1) as pool, db.engine.connect() as merging:
        merging.execute(sa.delete(Customer).where(Customer.id == row_id))
        booking = pool.submit(book)
        with db.engine.connect() as watching:
            while not booking.done() and not watching.execute(waits).scalar_one():
                watching.rollback()
        merging.commit()
        secret = booking.result(timeout=20)
    assert find_order(secret).customer.email == "ana@example.com"
    assert row_id not in {row.id for row in rows(Customer)}


def test_joining_twice_changes_nothing(ctx):
    make_order(make_session())
    found, _ = open_it(invite())
    before = [(row.id, row.account_id) for row in rows(Customer)]
    with transaction():
        join_guest_bookings(db.session.get(Account, found.id), now=NOW)
    assert [(row.id, row.account_id) for row in rows(Customer)] == before


# ---- Changing ---------------------------------------------------------------


def ask_for(account, email):
    request_address(account.id, email, who=email, now=NOW)
    return links("change_address")[0].id


def test_a_new_address_counts_once_its_link_is_used(ctx):
    session = make_session()
    account = make_account()
    make_order(session, account_id=account.id)
    before = account.session_token
    make_order(session, email="ana@new.example")
    link = ask_for(account, "Ana@new.example")
    assert letters() == ["address_change_asked", "change_address"]
    assert rows(Account)[0].email == "ana@example.com"
    stale = sign_in_link()
    found = confirm_address(link, account.id, now=NOW)
    assert found.email == "Ana@new.example"
    assert found.session_token != before
    assert len(list_own_bookings(account.id)) == 2
    [customer] = rows(Customer)
    assert (customer.email, customer.email_key, customer.address_key) == (
        "Ana@new.example",
        "ana@new.example",
        "ana@new.example",
    )
    with pytest.raises(LinkGone):
        sign_in_by_link(stale, who="x", now=NOW)
    with pytest.raises(SignInFailed):
        check_sign_in("ana@example.com", "quiet-rooms", who="x", now=NOW)
    assert check_sign_in("ana@new.example", "quiet-rooms", who="x", now=NOW)
    [told] = [job for job in rows(Job) if job.payload["letter"] == "address_changed"]
    assert told.payload["to"] == "ana@example.com"


def test_an_address_that_is_taken_is_told_only_to_its_owner(ctx):
    account = make_account()
    make_account("taken@example.com", "Other")
    link = ask_for(account, "taken@example.com")
    assert letters() == ["address_change_asked", "change_address"]
    with pytest.raises(AddressTaken):
        confirm_address(link, account.id, now=NOW)
    assert sorted(row.email for row in rows(Account)) == ["ana@example.com", "taken@example.com"]


def test_only_the_account_that_asked_can_confirm_the_address(ctx):
    account, other = make_account(), make_account("other@example.com", "Other")
    link = ask_for(account, "ana@new.example")
    with pytest.raises(LinkUnknown):
        confirm_address(link, other.id, now=NOW)
    with pytest.raises(RuleBroken) as caught:
        request_address(account.id, "ANA@example.com", who="x", now=NOW)
    assert caught.value.code == "email_same"


def test_a_new_name_reaches_the_venues_that_had_the_old_one(ctx):
    account = make_account()
    make_customer(make_organisation().id, account)
    make_customer(make_organisation().id, account, name="Ana R., plus one")
    change_name(account.id, "Ana  Duarte")
    assert rows(Account)[0].name == "Ana Duarte"
    assert sorted(row.name for row in rows(Customer)) == ["Ana Duarte", "Ana R., plus one"]


def test_changing_the_password_and_signing_out_end_every_cookie(ctx):
    account = make_account()
    tokens = {account.session_token}
    tokens.add(change_password(account.id, password=GOOD, now=NOW).session_token)
    end_sign_ins_of(account.id, now=NOW)
    tokens.add(rows(Account)[0].session_token)
    assert len(tokens) == 3
    with pytest.raises(RuleBroken):
        change_password(account.id, password="Ana Reyes!"[:9], now=NOW)


# ---- Closing and taking along ----------------------------------------------


def test_closing_takes_the_sign_in_and_leaves_the_bookings(ctx):
    account = make_account()
    secret = make_order(make_session(), account_id=account.id)
    sign_in_link()
    close_account(account.id, who="ana@example.com", now=NOW)
    assert rows(Account) == rows(AccountLink) == rows(SignInTry) == []
    order = find_order(secret)
    assert order.state == "confirmed"
    assert order.customer.account_id is None
    assert "account_closed" in letters()
    with pytest.raises(NotFound):
        close_account(account.id, who="x", now=NOW)
    # Whoever comes back with the address finds them again.
    found, _ = open_it(invite())
    assert len(list_own_bookings(found.id)) == 1


def test_staff_cant_close_their_account(ctx):
    account = make_staff(make_site())
    with pytest.raises(IsStaff):
        close_account(account.id, who="x", now=NOW)
    assert len(rows(Account)) == 1


def test_the_export_has_everything_of_the_person_and_nothing_of_others(ctx):
    session = make_session()
    account = make_account()
    make_member(session.organisation_id, account)
    secret = make_order(session, account_id=account.id, guests=2)
    make_order(make_session(), email="other@example.com", name="Nobody Else")
    line = list_own_bookings(account.id)[0]
    form = save(
        IntakeForm(
            organisation_id=session.organisation_id,
            session_type_id=session.session_type_id,
            version=1,
            created_at=NOW,
        )
    )
    for position in (BOOKER, 0, 1):
        save(
            IntakeAnswer(
                organisation_id=session.organisation_id,
                session_booking_id=line.id,
                intake_form_id=form.id,
                position=position,
                answers={"allergies": f"nuts {position}"},
                updated_at=NOW,
            )
        )
    db.session.rollback()
    found = export_account(account.id, now=NOW)
    text = json.dumps(found)
    assert found["account"]["email"] == "ana@example.com"
    [customer] = found["customers"]
    assert customer["memberships"][0]["type"] == "River"
    [order] = customer["orders"]
    assert order["ledger"][0] == {
        "kind": "charge",
        "amount": 9600,
        "method": "",
        "created_at": NOW.isoformat(),
    }
    [sold] = order["lines"]
    assert (sold["session_type"], sold["places"], sold["unit_price"]) == (
        "Thermal circuit",
        2,
        4800,
    )
    assert [answer["answers"]["allergies"] for answer in sold["answers"]] == ["nuts -1", "nuts 0"]
    for secret_text in (secret, account.password_hash, account.session_token, "Nobody Else"):
        assert secret_text not in text
