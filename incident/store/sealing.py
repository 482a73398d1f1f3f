"""Sealing of data at rest.

A sealed blob is `suite (2 bytes) | nonce (12 bytes) | ciphertext and tag`. The suite names all algorithms at once, so
that another one (SM4, SM3, SM2) can follow without guessing what an old blob is. The associated data binds a blob
to its row: moved to another row or column it does not open.

Suite `T1`: AES-256-GCM (NIST SP 800-38D), SHA-256, HKDF-SHA-256 for keys that are derived from another.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic_core import PydanticSerializationError, to_json

from incident.errors import BadInput, Unreadable

SUITE = "T1"
KEY_BYTES = 32
_NONCE_BYTES = 12
_SUITE_BYTES = SUITE.encode("ascii")

_HMAC_BLOCK = 64  # of SHA-256, in bytes (RFC 2104)

RandomBytes = Callable[[int], bytes]
# Made once: `json.dumps` with options makes one for every call.
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)


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
    plain = _JSON.encode(content)
    try:
        encoded = plain.encode()
    except UnicodeEncodeError:
        raise _no_characters() from None
    return seal(key, encoded, bound_to=bound_to, random=random)


def seal_json_rows(
    key: bytes, contents: Sequence[tuple[str, Any]], *, random: RandomBytes = os.urandom
) -> list[bytes]:
    """As `seal_json` for many rows, each given by the name it is bound to and its content, at less cost a row.

    A content is made of dicts, lists, texts, whole numbers, booleans and None; keys are written in the order they have.
    """
    cipher = _cipher(key)
    nonces = random(_NONCE_BYTES * len(contents))
    sealed = []
    for at, (bound_to, content) in enumerate(contents):
        nonce = nonces[at * _NONCE_BYTES : (at + 1) * _NONCE_BYTES]
        try:
            plain = to_json(content)
        except PydanticSerializationError:
            raise _no_characters() from None
        sealed.append(_SUITE_BYTES + nonce + cipher.encrypt(nonce, plain, _SUITE_BYTES + bound_to.encode()))
    return sealed


def _no_characters() -> BadInput:
    return BadInput("a text holds bytes that are no characters", next_step="write it in UTF-8 and try again")


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
    [found] = keyed_hashes(key, purpose, [text])
    return found


def keyed_hashes(key: bytes, purpose: str, texts: Iterable[str]) -> list[bytes]:
    """`keyed_hash` of each text."""
    begun_inner, begun_outer = _begun_hmac(key, purpose)
    found = []
    for text in texts:
        inner, outer = begun_inner.copy(), begun_outer.copy()
        inner.update(text.encode())
        outer.update(inner.digest())
        found.append(outer.digest()[:16])
    return found


@lru_cache(maxsize=64)
def _begun_hmac(key: bytes, purpose: str) -> tuple[hashlib._Hash, hashlib._Hash]:
    """HMAC's two hashes with the key taken in (RFC 2104): most of the work for a short text, done once a purpose."""
    block = derive_key(key, purpose).ljust(_HMAC_BLOCK, b"\0")
    return hashlib.sha256(bytes(each ^ 0x36 for each in block)), hashlib.sha256(
        bytes(each ^ 0x5C for each in block)
    )
