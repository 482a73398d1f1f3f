"""Sealing of data at rest.

A sealed blob is `suite (2 bytes) | nonce (12 bytes) | ciphertext and tag`. The suite names all algorithms at once, so
that another one (SM4, SM3, SM2) can follow without guessing what an old blob is. The associated data binds a blob
to its row: moved to another row or column it does not open.

Suite `T1`: AES-256-GCM (NIST SP 800-38D), SHA-256, HKDF-SHA-256 for keys that are derived from another.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from incident.errors import BadInput, Unreadable

SUITE = "T1"
KEY_BYTES = 32
_NONCE_BYTES = 12
_SUITE_BYTES = SUITE.encode("ascii")

RandomBytes = Callable[[int], bytes]


@lru_cache(maxsize=64)
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)


def seal(key: bytes, plain: bytes, *, bound_to: str, random: RandomBytes = os.urandom) -> bytes:
    """Seal bytes under a 32-byte key, bound to the name of their row and column."""
    nonce = random(_NONCE_BYTES)
    ciphertext = _cipher(key).encrypt(nonce, plain, _SUITE_BYTES + bound_to.encode())
    return _SUITE_BYTES + nonce + ciphertext


def unseal(key: bytes, sealed: bytes, *, bound_to: str) -> bytes:
    """Open what `seal` made. Raises `Unreadable` for another suite, key, row, or damaged bytes."""
    suite, nonce, ciphertext = sealed[:2], sealed[2 : 2 + _NONCE_BYTES], sealed[2 + _NONCE_BYTES :]
    if suite != _SUITE_BYTES:
        raise Unreadable(f"sealed by suite {suite!r}, which this version does not know", where=bound_to)
    try:
        return _cipher(key).decrypt(nonce, ciphertext, _SUITE_BYTES + bound_to.encode())
    except (InvalidTag, ValueError):
        # ValueError: cut off within the nonce.
        raise Unreadable("the sealed data does not open with its key", where=bound_to) from None


def seal_json(key: bytes, content: Any, *, bound_to: str, random: RandomBytes = os.urandom) -> bytes:
    """Seal a JSON value. Raises `BadInput` for a text that is no Unicode (half of a surrogate pair)."""
    plain = json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    try:
        encoded = plain.encode()
    except UnicodeEncodeError:
        raise BadInput(
            "a text holds bytes that are no characters", next_step="write it in UTF-8 and try again"
        ) from None
    return seal(key, encoded, bound_to=bound_to, random=random)


def unseal_json(key: bytes, sealed: bytes, *, bound_to: str) -> Any:
    """Open a JSON value; raises `Unreadable` as `unseal` does."""
    return json.loads(unseal(key, sealed, bound_to=bound_to))


@lru_cache(maxsize=64)
def derive_key(key: bytes, purpose: str) -> bytes:
    """A 32-byte key for one purpose, derived from an incident's key: it dies with that key."""
    return HKDF(
        algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=f"{SUITE} {purpose}".encode()
    ).derive(key)


def keyed_hash(key: bytes, purpose: str, text: str) -> bytes:
    """A 16-byte HMAC-SHA-256 prefix that finds equal texts again without keeping them."""
    return hmac.new(derive_key(key, purpose), text.encode(), hashlib.sha256).digest()[:16]
