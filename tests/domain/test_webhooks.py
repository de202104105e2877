"""What webhooks tell, how it is signed, and where it may go."""

import datetime as dt
import hashlib
import hmac
import json

import pytest
from conftest import ROOT

from domain.errors import RuleBroken
from domain.webhooks import (
    GROUPS,
    KINDS,
    LONGEST_REST,
    PREFIX,
    TRIES,
    Change,
    Event,
    UrlRefused,
    body_of,
    check_public,
    events_of,
    is_public,
    new_secret,
    payload_of,
    read_kinds,
    read_url,
    rest_after,
    signature_header,
    wait_after,
)

AT = dt.datetime(2026, 6, 4, 9, 0, tzinfo=dt.UTC)


def change(subject, act="changed", before=None, after=None, about=None, status="confirmed", id="a"):
    return Change(
        subject, id, about or subject, id, act, before or {}, after or {}, "site", AT, status,
        "session" if (about or subject) == "session_bookings" else None,
    )  # fmt: skip


BOOKING, SESSION, TYPE = "session_bookings", "sessions", "session_types"


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([change(BOOKING, "made", after={"status": "confirmed"})], {"booking.created": ()}),
        (
            [change(BOOKING, "made", after={"status": "waitlisted"}, status="waitlisted")],
            {"waitlist.joined": ()},
        ),
        (
            [change(BOOKING, before={"status": "new"}, after={"status": "confirmed"})],
            {"booking.created": ()},
        ),
        # An order on its way to be paid is no booking yet.
        ([change(BOOKING, "made", after={"status": "in_progress"}, status="in_progress")], {}),
        (
            [change(BOOKING, after={"session_id": "b", "places": 3, "released_places": 0})],
            {"booking.changed": ("session_id", "guests")},
        ),
        ([change(BOOKING, after={"cancelled_at": "now"})], {"booking.cancelled": ()}),
        (
            [change(BOOKING, after={"cancelled_at": None})],
            {"booking.changed": ("cancelled_at",)},
        ),
        (
            [change(BOOKING, after={"cancelled_at": "now"}, status="waitlisted")],
            {"waitlist.left": ()},
        ),
        ([change(BOOKING, after={"cancelled_at": "now"}, status="new")], {"waitlist.left": ()}),
        (
            [change(BOOKING, after={"offered_at": "now", "status": "new"}, status="new")],
            {"waitlist.offered": ()},
        ),
        ([change(BOOKING, after={"offered_at": None}, status="waitlisted")], {}),
        (
            [change(BOOKING, after={"checked_in_at": "now", "stage": "arrived"})],
            {"booking.checked_in": (), "booking.stage_changed": ("stage",)},
        ),
        (
            [change(BOOKING, after={"checked_in_at": None})],
            {"booking.changed": ("checked_in_at",)},
        ),
        ([change(BOOKING, after={"is_no_show": True})], {"booking.no_show": ()}),
        (
            [change(BOOKING, after={"is_no_show": False})],
            {"booking.changed": ("is_no_show",)},
        ),
        ([change(BOOKING, after={"override_reason": "…"})], {}),
        ([change("guests", "made", about=BOOKING)], {"booking.changed": ("guests",)}),
        ([change("guests", "made", about=BOOKING, status="waitlisted")], {}),
        ([change("guests", after={"form_secret": "…"}, about=BOOKING)], {}),
        ([change("intake_answers", "made", about=BOOKING)], {}),
        # What was made is not said to have changed as well; the same twice is told once.
        (
            [
                change("guests", "made", about=BOOKING),
                change(BOOKING, "made", after={"status": "confirmed"}),
                change(BOOKING, after={"places": 2}),
            ],
            {"booking.created": ()},
        ),
        (
            [change(BOOKING, after={"places": 2}), change("guests", "removed", about=BOOKING)],
            {"booking.changed": ("guests",)},
        ),
        ([change(SESSION, "made")], {"session.created": ()}),
        ([change(SESSION, "removed", before={"deleted_at": None})], {"session.cancelled": ()}),
        ([change(SESSION, "removed", before={"deleted_at": "then"})], {}),
        (
            [change(SESSION, after={"deleted_at": "now", "withdrawn_by": "series"})],
            {"session.cancelled": ()},
        ),
        ([change(SESSION, after={"deleted_at": None})], {"session.restored": ()}),
        (
            [change(SESSION, after={"start_time": "b", "local_start": "b", "overridden": []})],
            {"session.changed": ("start_time",)},
        ),
        ([change(SESSION, after={"overridden": ["capacity"]})], {}),
        ([change(TYPE, "made")], {"session_type.created": ()}),
        ([change(TYPE, after={"deleted_at": "now"})], {"session_type.archived": ()}),
        ([change(TYPE, after={"deleted_at": None})], {"session_type.restored": ()}),
        (
            [change(TYPE, after={"name": "b", "link_key": "…"}), change("price_rules", about=TYPE)],
            {"session_type.changed": ("name", "price_rules")},
        ),
        (
            [change(TYPE, after={"session_type_categories": "c"})],
            {"session_type.changed": ("category_ids",)},
        ),
        ([change("orders", "made"), change("customers", "made"), change("rooms")], {}),
    ],
)
def test_what_the_entries_of_a_deed_come_to(entries, told):
    found = events_of(entries)
    assert {event.kind: event.changed for event in found} == told
    assert len(found) == len(told)


def test_two_bookings_of_one_deed_are_two_events():
    rows = [change(BOOKING, after={"cancelled_at": "now"}, id=name) for name in "ab"]
    assert [(event.kind, event.id) for event in events_of(rows)] == [
        ("booking.cancelled", "a"),
        ("booking.cancelled", "b"),
    ]


def test_every_kind_is_offered_in_a_group():
    grouped = [kind for key, _ in GROUPS for kind in KINDS if kind.split(".")[0] == key]
    assert grouped == list(KINDS)


def test_a_payload_holds_ids_kinds_and_names_of_fields_alone():
    event = Event("booking.changed", "session_booking", "b" * 24, "site", AT, ("guests",), "s")
    payload = payload_of("e" * 24, event, "org")
    assert payload == {
        "id": "e" * 24,
        "type": "booking.changed",
        "created_at": "2026-06-04T09:00:00.000000Z",
        "organisation_id": "org",
        "site_id": "site",
        "data": {
            "object": "session_booking",
            "id": "b" * 24,
            "session_id": "s",
            "changed": ["guests"],
            "url": f"/api/shop/session-bookings/{'b' * 24}",
        },
    }
    sent = json.loads(body_of(payload, "https://book.example"))
    assert sent["data"]["url"] == f"https://book.example/api/shop/session-bookings/{'b' * 24}"
    assert payload["data"]["url"].startswith("/")


def test_the_signature_is_hmac_of_the_time_a_dot_and_the_body():
    body = '{"name": "Zoë"}'.encode()
    header = signature_header(["whsec_new", "whsec_old"], 1780563600, body)
    time, new, old = header.split(",")
    assert time == "t=1780563600"
    for part, secret in ((new, b"whsec_new"), (old, b"whsec_old")):
        wanted = hmac.new(secret, b"1780563600." + body, hashlib.sha256).hexdigest()
        assert part == f"v1={wanted}"
    # Worked out once with openssl: the way of signing never changes by accident.
    assert signature_header(["whsec_test"], 1, b"{}") == (
        "t=1,v1=7500d5d4be4b3ef07af1fe56f7d522d135cdaa7530de557e67cc1049c52de094"
    )


def test_the_way_to_check_that_our_documents_show_tells_true_from_false():
    text = (ROOT / "docs" / "webhooks.md").read_text()
    shown: dict = {}
    exec(text.partition("```python\n")[2].partition("```")[0], shown)  # noqa: S102 - ours
    check, body = shown["is_from_sundial"], b'{"id": "e"}'
    header = signature_header(["whsec_new", "whsec_old"], 1780563600, body)
    for secret in ("whsec_new", "whsec_old"):
        assert check(secret, header, body, now=1780563600 + 299)
        assert not check(secret, header, body, now=1780563600 + 301)
        assert not check(secret, header, body + b" ", now=1780563600)
        assert not check(secret, header.replace("t=17", "t=18"), body, now=1880563600)
    for wrong in ("", "v1=", "t=x,v1=y", header.replace("v1", "v0")):
        assert not check("whsec_new", wrong, body, now=1780563600)


def test_nobody_guesses_a_secret():
    made = {new_secret() for _ in range(200)}
    assert len(made) == 200
    assert all(one.startswith(PREFIX) and len(one) == len(PREFIX) + 43 for one in made)


def test_it_is_tried_for_most_of_a_day_and_then_given_up():
    waits = [wait_after(attempt) for attempt in range(1, TRIES)]
    assert [wait.total_seconds() / 60 for wait in waits] == [1, 5, 30, 120, 360, 720]
    assert wait_after(TRIES) is None
    assert [rest_after(number) for number in (1, 3, 50)] == [waits[0], LONGEST_REST, LONGEST_REST]


@pytest.mark.parametrize(
    "url",
    [
        "", "example.com", "http://example.com/", "ftp://example.com/", "https://", "https:///x",
        "https://user:password@example.com/", "https://example.com@evil.example/",
        "https://example.com:0/", "https://example.com:99999/", "https://example.com:x/",
        "https://exa mple.com/", "https://example.com/\r\nX: y", "https://example.com/#part",
        "https://exämple.com/", "https://example.com\\@evil.example/", "https://[::1/",
        "https://localhost/", "https://door.localhost/", "https://printer.local/", "https://nas/",
        "https://metadata.google.internal/", "https://127.0.0.1/", "https://10.1.2.3/",
        "https://192.168.0.1/", "https://169.254.169.254/latest/", "https://0.0.0.0/",
        "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[fd00::1]/", "https://100.64.0.1/",
        f"https://example.com/{'a' * 2000}", "https://example.com/\ud800", "https://example.com/\0",
        "https://_/", "https://.example.com/", "https://2130706433/",
    ],
)  # fmt: skip
def test_addresses_that_nothing_is_sent_to(url):
    with pytest.raises(UrlRefused) as refusal:
        read_url(url)
    assert refusal.value.field == "url"


@pytest.mark.parametrize(
    ("url", "host", "port", "target", "header"),
    [
        ("https://example.com", "example.com", 443, "/", "example.com"),
        (" https://hooks.example.com:8443/a?b=c ", "hooks.example.com", 8443, "/a?b=c",
         "hooks.example.com:8443"),
        ("https://example.com:443/x", "example.com", 443, "/x", "example.com"),
        ("https://xn--exmple-cua.com/", "xn--exmple-cua.com", 443, "/", "xn--exmple-cua.com"),
        ("https://[2606:4700::1111]/", "2606:4700::1111", 443, "/", "[2606:4700::1111]"),
        ("https://8.8.8.8/", "8.8.8.8", 443, "/", "8.8.8.8"),
    ],
)  # fmt: skip
def test_addresses_are_taken_apart(url, host, port, target, header):
    found = read_url(url)
    assert (found.host, found.port, found.target) == (host, port, target)
    assert found.host_header == header


def test_private_addresses_are_allowed_where_the_installation_says_so():
    found = read_url("http://127.0.0.1:9000/in", is_private_allowed=True)
    assert (found.scheme, found.port) == ("http", 9000)
    with pytest.raises(UrlRefused):
        read_url("file:///etc/passwd", is_private_allowed=True)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2606:4700::1111", True), ("::ffff:8.8.8.8", True),
        ("127.0.0.1", False), ("127.9.9.9", False), ("10.0.0.1", False), ("172.16.0.1", False),
        ("192.168.1.1", False), ("169.254.169.254", False), ("100.64.0.1", False),
        ("0.0.0.1", False), ("255.255.255.255", False), ("224.0.0.1", False),
        ("240.0.0.1", False), ("192.0.2.1", False), ("198.18.0.1", False),
        ("::", False), ("::1", False), ("::ffff:127.0.0.1", False), ("::ffff:10.0.0.1", False),
        ("fe80::1", False), ("fe80::1%eth0", False), ("fd12::1", False), ("ff02::1", False),
        ("2001:db8::1", False), ("64:ff9b::7f00:1", False), ("64:ff9b::a9fe:a9fe", False),
        ("2002:7f00:1::1", False), ("2001:0:a00:1::1", False), ("::127.0.0.1", False),
        ("no address", False), ("", False),
    ],
)  # fmt: skip
def test_which_addresses_are_public(address, public):
    assert is_public(address) is public


def test_one_private_answer_among_good_ones_is_enough_to_refuse():
    check_public(["8.8.8.8", "2606:4700::1111"])
    for bad in ([], ["8.8.8.8", "127.0.0.1"], ["::ffff:169.254.169.254"]):
        with pytest.raises(UrlRefused):
            check_public(bad)


def test_kinds_are_chosen_from_the_list():
    assert read_kinds(["session.created", "booking.created"]) == [
        "booking.created",
        "session.created",
    ]
    for wrong in ([], ["ping"], ["booking.created", "x"]):
        with pytest.raises(RuleBroken) as refusal:
            read_kinds(wrong)
        assert refusal.value.field == "kinds"
