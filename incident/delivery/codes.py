"""Verification codes: what a reader can say on the phone to learn whether a notice is ours.

A code is 10 characters of Crockford's base 32 with a check character, grouped for reading aloud: `K7P2-4M9Q-X5T`.
The check character is a weighted sum over GF(32), so that one wrong character or two swapped ones are always found.
The code follows from the incident's key and the delivery's id, so it is stored nowhere; the ledger holds a keyed hash.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata

from incident.store.sealing import derive_key, keyed_hash

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [low + high for high in _ALPHABET for low in _ALPHABET]
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1", "U": "V"})
_LENGTH = 10
_FIELD = 0b100101  # x^5 + x^2 + 1, irreducible over GF(2)


def code_of(key: bytes, delivery_id: str) -> str:
    """The code of one delivery, grouped."""
    digest = hmac.new(derive_key(key, "verification-code"), delivery_id.encode(), hashlib.sha256).digest()
    number = int.from_bytes(digest[:8], "big")
    # Two characters at a time, the lowest bits first: it is asked for every message.
    characters = "".join([_PAIRS[(number >> at) & 1023] for at in range(0, 5 * _LENGTH, 10)])
    whole = characters + _check(characters)
    return f"{whole[:4]}-{whole[4:8]}-{whole[8:]}"


def read_code(text: str) -> str | None:
    """A code as somebody typed or spelt it, in its normal form; None when it cannot be one."""
    # Chinese keyboards give full-width letters and digits.
    narrow = unicodedata.normalize("NFKC", text).upper()
    plain = "".join(character for character in narrow if character.isalnum()).translate(_MISREAD)
    if len(plain) != _LENGTH + 1 or any(character not in _ALPHABET for character in plain):
        return None
    return plain if _check(plain[:-1]) == plain[-1] else None


def code_mac(key: bytes, code: str) -> bytes:
    """What the ledger keeps of a code."""
    return keyed_hash(key, "verification-code-lookup", code.replace("-", ""))


def _check(characters: str) -> str:
    total = 0
    for character in characters:
        total = (total ^ _VALUES[character]) << 1
        total ^= _FIELD if total & 32 else 0
    return _ALPHABET[total]
