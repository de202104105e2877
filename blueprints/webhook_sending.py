"""Sends what webhooks are told: signed, to checked addresses, with little patience.

The standard library's client alone, so that we connect to the very address that was checked: a
name that is asked twice may lead elsewhere the second time.
"""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Any

from flask import current_app

from blueprints.clock import read_clock
from blueprints.links import public_address
from blueprints.signing_in import installation_key
from domain.errors import RuleBroken
from domain.webhooks import Address, body_of, check_public, read_url, signature_header
from services.outbox import Work
from services.webhook_sending import Outcome, Shipment, find_shipment, note_outcome

TIMEOUT = 10.0
"""Seconds for all of it, from the first packet to the last byte that we read."""

MOST_READ = 64 * 1024
"""Bytes of an answer: nobody may keep a worker busy by answering at length."""

Resolver = Callable[[str, int], Sequence[str]]


def send_webhook(work: Work) -> str:
    """Send what a job of kind "webhook" stands for; what is to be noted beside it.

    Raises NotYet when it is to be tried again.
    """
    shipment = find_shipment(work, seal_key=installation_key(), now=read_clock())
    if isinstance(shipment, str):
        return shipment
    is_private_allowed = bool(current_app.config["WEBHOOK_PRIVATE"])
    outcome = post(shipment, is_private_allowed=is_private_allowed)
    return note_outcome(work, outcome, now=read_clock())


def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses that a name leads to."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def post(
    shipment: Shipment,
    *,
    is_private_allowed: bool = False,
    resolver: Resolver = resolve,
    tls: ssl.SSLContext | None = None,
    timeout: float = TIMEOUT,
) -> Outcome:
    """One try; whatever goes wrong is an outcome, in words for people. Follows no redirect."""
    until = time.monotonic() + timeout
    try:
        address = read_url(shipment.url, is_private_allowed=is_private_allowed)
        addresses = resolver(address.host, address.port)
        if not is_private_allowed:
            check_public(addresses)
        line = _connect(address, addresses[0], until, tls)
    except RuleBroken as refusal:
        return Outcome(error=refusal.sentence)
    except (OSError, UnicodeError) as error:
        return Outcome(error=_say(error, "connect"))
    try:
        return _talk(line, address, shipment)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Outcome(error=_say(error, "talk"))
    finally:
        line.hang_up()


class _Line:
    """As much of a socket as http.client uses, with one deadline for everything together."""

    def __init__(self, wire: socket.socket, until: float) -> None:
        self._wire, self._until = wire, until

    def left(self) -> float:
        """Seconds that are left; raises TimeoutError."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def sendall(self, content: bytes) -> None:
        self._wire.settimeout(self.left())
        self._wire.sendall(content)

    def receive(self, buffer: Any) -> int:
        self._wire.settimeout(self.left())
        return self._wire.recv_into(buffer)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Ear(self))

    def close(self) -> None:
        """http.client closes before it has read; `hang_up` does it afterwards."""

    def hang_up(self) -> None:
        self._wire.close()


class _Ear(io.RawIOBase):
    def __init__(self, line: _Line) -> None:
        self._line = line

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._line.receive(buffer)


def _connect(address: Address, number: str, until: float, tls: ssl.SSLContext | None) -> _Line:
    wire = socket.create_connection((number, address.port), timeout=until - time.monotonic())
    if address.scheme != "https":
        return _Line(wire, until)
    try:
        wire.settimeout(max(0.001, until - time.monotonic()))
        context = tls or ssl.create_default_context()
        return _Line(context.wrap_socket(wire, server_hostname=address.host), until)
    except BaseException:
        wire.close()
        raise


def _talk(line: _Line, address: Address, shipment: Shipment) -> Outcome:
    body, at = body_of(shipment.payload, public_address()), int(read_clock().timestamp())
    client: Any = http.client.HTTPConnection(address.host)
    client.sock = line
    client.request(
        "POST",
        address.target,
        body,
        {
            "Host": address.host_header,
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Sundial-Webhooks/1",
            "Accept-Encoding": "identity",
            "Connection": "close",
            "Sundial-Event": shipment.kind,
            "Sundial-Delivery": shipment.delivery_id,
            "Sundial-Timestamp": str(at),
            "Sundial-Signature": signature_header(shipment.secrets, at, body),
        },
    )
    answer = client.getresponse()
    said = _readable(answer.read(MOST_READ))
    return Outcome(answer.status, said, _why_not(answer.status))


def _readable(content: bytes) -> str:
    """How the answer begins, as text that a page and a database can hold."""
    text = content[:4000].decode("utf-8", "replace")
    return "".join(it if it.isprintable() or it in "\n\t" else "�" for it in text).strip()


def _why_not(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return f"It answered {status}, which leads elsewhere. We send to the address itself only."
    if status == 410:
        return "It answered 410: the address is gone for good."
    return f"It answered {status}."


def _say(error: Exception, doing: str) -> str:
    """What went wrong, for people; the machine's own words only where we have none."""
    if isinstance(error, TimeoutError):
        return f"It took longer than {TIMEOUT:.0f} seconds."
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"Its certificate is not valid: {error.verify_message}."
    if isinstance(error, ssl.SSLError):
        return "No safe connection could be made: it doesn’t speak TLS as it should."
    if isinstance(error, socket.gaierror | UnicodeError):
        return "The name in the address leads nowhere."
    if isinstance(error, ConnectionRefusedError):
        return "Nobody answers at that address: the connection was refused."
    if isinstance(error, OSError) and doing == "connect":
        return f"No connection could be made: {error.strerror or 'the network failed'}."
    return "The connection broke off, or what came back was no HTTP."
