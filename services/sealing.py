"""Secrets that the server has to read again, sealed with the installation's own key.

Whoever copies the database without the installation's key reads none of them.
"""

from base64 import urlsafe_b64encode
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def seal(plain: str, *, key: str, use: str) -> str:
    """`plain` sealed for one use; what is sealed for another one doesn't open."""
    return _sealer(key, use).encrypt(plain.encode()).decode()


def unseal(sealed: str, *, key: str, use: str) -> str | None:
    """What was sealed; None when it was sealed with another key of ours."""
    try:
        return _sealer(key, use).decrypt(sealed.encode()).decode()
    except InvalidToken:
        return None


@lru_cache(maxsize=8)
def _sealer(key: str, use: str) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=use.encode())
    return Fernet(urlsafe_b64encode(derived.derive(key.encode())))
