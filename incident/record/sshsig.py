"""SSH signatures (SSHSIG), as `ssh-keygen -Y sign` and `-Y verify` make and check them.

Format: PROTOCOL.sshsig of OpenSSH. What is signed is the SHA-512 of the message under a namespace, so that a
signature given for one purpose is worth nothing for another. Ed25519, ECDSA (nistp256/384/521) and RSA (SHA-512) keys.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from incident.errors import BadInput

NAMESPACE = "decision@tocsin"
_MAGIC = b"SSHSIG"
_HASH_NAME = b"sha512"
_ARMOR_BEGIN = "-----BEGIN SSH SIGNATURE-----"
_ARMOR_END = "-----END SSH SIGNATURE-----"
_CURVE_HASHES: dict[str, hashes.HashAlgorithm] = {
    "nistp256": hashes.SHA256(),
    "nistp384": hashes.SHA384(),
    "nistp521": hashes.SHA512(),
}
# Keys on hardware (sk-...) sign something else, and certificates are no keys.
_KINDS = frozenset({"ssh-ed25519", "ssh-rsa", *(f"ecdsa-sha2-{curve}" for curve in _CURVE_HASHES)})

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey


def read_private_key(path: Path, *, passphrase: str | None = None) -> PrivateKey:
    """An OpenSSH private key from a file.

    Raises `BadInput` when it is missing, of a kind that cannot sign here, or needs a (different) passphrase.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(
            f"the signing key cannot be read ({error.strerror})",
            where=str(path),
            next_step="name the private key with --key or $INCIDENT_SIGNING_KEY",
        ) from error
    try:
        key = serialization.load_ssh_private_key(data, passphrase.encode() if passphrase else None)
    except UnsupportedAlgorithm as error:
        raise BadInput(
            f"this signing key cannot be opened here ({error})",
            where=str(path),
            next_step="use an Ed25519 key (`ssh-keygen -t ed25519` makes one); keys on hardware cannot sign here",
        ) from error
    except (ValueError, TypeError) as error:
        raise BadInput(
            "this is no OpenSSH private key, or its passphrase is another",
            where=str(path),
            next_step="set the passphrase in $INCIDENT_SIGNING_PASSPHRASE, or name another key",
        ) from error
    if not isinstance(key, PrivateKey):
        raise BadInput("this kind of key cannot sign decisions; use Ed25519, ECDSA or RSA", where=str(path))
    return key


def public_line(key: PrivateKey) -> str:
    """The one-line OpenSSH form of a private key's public half, without a comment."""
    return _line_of(key.public_key())


def read_public_line(line: str, *, where: str) -> str:
    """A public key line, checked, without its comment and in its one canonical form. Raises `BadInput`.

    One form, so that one key written in two ways cannot pass for the keys of two people.
    """
    words = line.split()
    if len(words) < 2:
        raise BadInput("this is no SSH public key", where=where, next_step="give the file that ends in .pub")
    if words[0] not in _KINDS:
        raise BadInput(
            f"a key of the kind {words[0]} cannot sign decisions",
            where=where,
            next_step="give an Ed25519, ECDSA or RSA key (`ssh-keygen -t ed25519` makes one)",
        )
    return _line_of(_load_public(" ".join(words[:2]), where=where))


def fingerprint(public: str) -> str:
    """The fingerprint as `ssh-keygen -l` shows it: SHA256:..."""
    digest = hashlib.sha256(_blob(public)).digest()
    return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


def sign(message: bytes, key: PrivateKey, *, namespace: str = NAMESPACE) -> str:
    """An armoured SSH signature over a message."""
    signed = _MAGIC + _fields(namespace.encode(), b"", _HASH_NAME, hashlib.sha512(message).digest())
    algorithm, raw = _raw_signature(signed, key)
    blob = (
        _MAGIC
        + struct.pack(">I", 1)
        + _fields(_blob(public_line(key)), namespace.encode(), b"", _HASH_NAME, _fields(algorithm, raw))
    )
    encoded = base64.b64encode(blob).decode("ascii")
    lines = [encoded[at : at + 70] for at in range(0, len(encoded), 70)]
    return "\n".join([_ARMOR_BEGIN, *lines, _ARMOR_END, ""])


def verifies(message: bytes, signature: str, public: str, *, namespace: str = NAMESPACE) -> bool:
    """Whether an armoured signature is that public key's over this message in this namespace.

    Never raises: what is no signature, or no key, verifies nothing.
    """
    try:
        wanted_key, key = _blob(public), _load_public(public, where="public key")
        blob = base64.b64decode("".join(signature.split("-----")[2].split()), validate=True)
        if blob[:6] != _MAGIC or blob[6:10] != struct.pack(">I", 1):
            return False
        key_blob, found_namespace, _reserved, hash_name, inner = _read_fields(blob[10:], 5)
        algorithm, raw = _read_fields(inner, 2)
    except (ValueError, IndexError, struct.error, BadInput):
        return False
    if (
        key_blob != wanted_key
        or found_namespace != namespace.encode()
        or hash_name not in (b"sha512", b"sha256")
    ):
        return False
    digest = hashlib.new(hash_name.decode("ascii"), message).digest()
    signed = _MAGIC + _fields(found_namespace, b"", hash_name, digest)
    return _raw_verifies(signed, algorithm, raw, key)


def _raw_signature(signed: bytes, key: PrivateKey) -> tuple[bytes, bytes]:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return b"ssh-ed25519", key.sign(signed)
    if isinstance(key, rsa.RSAPrivateKey):
        return b"rsa-sha2-512", key.sign(signed, padding.PKCS1v15(), hashes.SHA512())
    curve = _curve_name(key.curve)
    r, s = utils.decode_dss_signature(key.sign(signed, ec.ECDSA(_CURVE_HASHES[curve])))
    return f"ecdsa-sha2-{curve}".encode(), _fields(_mpint(r), _mpint(s))


def _raw_verifies(signed: bytes, algorithm: bytes, raw: bytes, key: PublicKey) -> bool:
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(raw, signed)
        elif isinstance(key, rsa.RSAPublicKey):
            chosen = {b"rsa-sha2-512": hashes.SHA512(), b"rsa-sha2-256": hashes.SHA256()}[algorithm]
            key.verify(raw, signed, padding.PKCS1v15(), chosen)
        else:
            r, s = (int.from_bytes(part, "big") for part in _read_fields(raw, 2))
            key.verify(
                utils.encode_dss_signature(r, s), signed, ec.ECDSA(_CURVE_HASHES[_curve_name(key.curve)])
            )
    except (InvalidSignature, KeyError, ValueError, struct.error):
        return False
    return True


def _curve_name(curve: ec.EllipticCurve) -> str:
    return {"secp256r1": "nistp256", "secp384r1": "nistp384", "secp521r1": "nistp521"}[curve.name]


def _load_public(line: str, *, where: str) -> PublicKey:
    try:
        key = serialization.load_ssh_public_key(line.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadInput(
            "this is no SSH public key that can be used",
            where=where,
            next_step="give an Ed25519, ECDSA or RSA key (`ssh-keygen -t ed25519` makes one)",
        ) from error
    if not isinstance(key, PublicKey):
        raise BadInput("this kind of key cannot sign decisions; use Ed25519, ECDSA or RSA", where=where)
    return key


def _line_of(key: PublicKey) -> str:
    encoded = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return encoded.decode("ascii")


def _blob(public: str) -> bytes:
    return base64.b64decode(public.split()[1])


def _fields(*values: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(value)) + value for value in values)


def _read_fields(data: bytes, count: int) -> list[bytes]:
    fields: list[bytes] = []
    for _ in range(count):
        (length,) = struct.unpack(">I", data[:4])
        if len(data) < 4 + length:
            raise ValueError("a field ends early")
        fields.append(data[4 : 4 + length])
        data = data[4 + length :]
    return fields


def _mpint(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big")


def new_private_key() -> ed25519.Ed25519PrivateKey:
    """A new Ed25519 key, for the simulated operators of a drill."""
    return ed25519.Ed25519PrivateKey.generate()


def private_text(key: ed25519.Ed25519PrivateKey) -> str:
    """A private key as an OpenSSH file, without a passphrase."""
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return encoded.decode("ascii")
