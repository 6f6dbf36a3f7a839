"""PBKDF2 with HMAC, which `hashlib` has only with OpenSSL (RFC 8018, section 5.2).

A run's few users log in again and again, so derived keys are cached.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache
from typing import Any, Final

_KEPT: Final = 64


@lru_cache(_KEPT)
def pbkdf2_hmac(hash_name: str, password: bytes, salt: bytes, iterations: int) -> bytes:
    """Derive a key as long as the hash."""
    keyed = hmac.new(password, digestmod=hash_name)

    def pseudorandom(data: bytes) -> bytes:
        function = keyed.copy()
        function.update(data)
        return function.digest()

    block = pseudorandom(salt + (1).to_bytes(4, "big"))
    key = int.from_bytes(block, "big")
    for _ in range(iterations - 1):
        block = pseudorandom(block)
        key ^= int.from_bytes(block, "big")
    return key.to_bytes(len(block), "big")


def take_place() -> None:
    """Install it where it is missing."""
    library: Any = hashlib
    if not hasattr(library, "pbkdf2_hmac"):
        library.pbkdf2_hmac = pbkdf2_hmac
