"""A device that keeps passkeys, in software: what a browser would hand over, and its faults."""

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import bytes_to_base64url, encode_cbor

PRESENT, VERIFIED, HAS_KEY = 1, 4, 64


@dataclass
class Device:
    """One passkey; `counts` is what it says of its uses, 0 for the many that don't count."""

    host: str = "localhost"
    origin: str = "http://localhost"
    flags: int = PRESENT | VERIFIED
    counts: int = 0
    owner: str = ""
    id: bytes = field(default_factory=lambda: secrets.token_bytes(20))
    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def make(self, challenge: str) -> str:
        """The answer to creation options."""
        point = self.key.public_key().public_numbers()
        x, y = (number.to_bytes(32, "big") for number in (point.x, point.y))
        public = encode_cbor({1: 2, 3: -7, -1: 1, -2: x, -3: y})
        held = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + public
        attested = {"fmt": "none", "attStmt": {}, "authData": self._said(HAS_KEY) + held}
        return self._answer(
            {
                "clientDataJSON": self._client("webauthn.create", challenge),
                "attestationObject": encode_cbor(attested),
            }
        )

    def use(self, challenge: str) -> str:
        """The answer to request options."""
        client, said = self._client("webauthn.get", challenge), self._said()
        signed = self.key.sign(said + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._answer(
            {
                "clientDataJSON": client,
                "authenticatorData": said,
                "signature": signed,
                "userHandle": self.owner.encode(),
            }
        )

    def _client(self, kind: str, challenge: str) -> bytes:
        return json.dumps(
            {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        ).encode()

    def _said(self, more: int = 0) -> bytes:
        host = hashlib.sha256(self.host.encode()).digest()
        return host + bytes([self.flags | more]) + self.counts.to_bytes(4, "big")

    def _answer(self, response: dict[str, bytes]) -> str:
        known = bytes_to_base64url(self.id)
        sent = {name: bytes_to_base64url(value) for name, value in response.items() if value}
        return json.dumps({"id": known, "rawId": known, "type": "public-key", "response": sent})
