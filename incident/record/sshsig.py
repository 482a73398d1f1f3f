"""SSH signatures (SSHSIG), as `ssh-keygen -Y sign` and `-Y verify` make and check them.

Format: PROTOCOL.sshsig of OpenSSH. What is signed is the SHA-512 of the message under a namespace, so that a
signature given for one purpose is worth nothing for another. Ed25519, ECDSA (nistp256/384/521) and RSA (SHA-512) keys,
and keys on a device (PROTOCOL.u2f), whose signatures count only when somebody touched it.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import dataclass
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
_SK_ED25519 = "sk-ssh-ed25519@openssh.com"
_SK_ECDSA = "sk-ecdsa-sha2-nistp256@openssh.com"
DEVICE_KINDS = frozenset({_SK_ED25519, _SK_ECDSA})
# Certificates (...-cert-v01@openssh.com) are no keys.
_KINDS = frozenset(
    {"ssh-ed25519", "ssh-rsa", *(f"ecdsa-sha2-{curve}" for curve in _CURVE_HASHES), *DEVICE_KINDS}
)
_USER_PRESENT = 0x01
_PRIVATE_MAGIC = b"openssh-key-v1\0"
_MAKE_ONE = "give an Ed25519, ECDSA or RSA key, or one on a device (`ssh-keygen -t ed25519` makes one)"

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@dataclass(frozen=True)
class _DeviceKey:
    """The public half of a key on a device. `application` is what the device was told that the key is for."""

    key: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey
    application: bytes


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
            next_step="install openssh-client: `ssh-keygen` opens it, a key on a device too",
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
            next_step=_MAKE_ONE,
        )
    return _line_of(_load_public(" ".join(words[:2]), where=where))


def public_line_in(private: str) -> str | None:
    """The public half that an OpenSSH private key file tells without its passphrase; None where it tells none.

    Format: PROTOCOL.key of OpenSSH.
    """
    try:
        blob = base64.b64decode("".join(private.split("-----")[2].split()), validate=True)
        if not blob.startswith(_PRIVATE_MAGIC):
            return None
        _, rest = _take_fields(blob[len(_PRIVATE_MAGIC) :], 3)  # cipher, and how it comes from the passphrase
        [public], _ = _take_fields(rest[4:], 1)  # after the number of keys, which is 1
        [kind], _ = _take_fields(public, 1)
        return read_public_line(
            f"{kind.decode('ascii')} {base64.b64encode(public).decode('ascii')}", where=""
        )
    except (ValueError, IndexError, struct.error, BadInput):
        return None


def kind_of(public: str) -> str:
    """The kind of a key, as the first word of its public line says it."""
    return public.split()[0]


def is_on_device(public: str) -> bool:
    """Whether the key lies on a device that somebody must touch."""
    return kind_of(public) in DEVICE_KINDS


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
        (key_blob, found_namespace, _reserved, hash_name, inner), left = _take_fields(blob[10:], 5)
        (algorithm, raw), said_by_device = _take_fields(inner, 2)
    except (ValueError, IndexError, struct.error, BadInput):
        return False
    if (
        left
        or key_blob != wanted_key
        or found_namespace != namespace.encode()
        or hash_name not in (b"sha512", b"sha256")
    ):
        return False
    digest = hashlib.new(hash_name.decode("ascii"), message).digest()
    signed = _MAGIC + _fields(found_namespace, b"", hash_name, digest)
    if isinstance(key, _DeviceKey):
        return _device_verifies(signed, algorithm, raw, said_by_device, key)
    return not said_by_device and _raw_verifies(signed, algorithm, raw, key)


def _device_verifies(signed: bytes, algorithm: bytes, raw: bytes, said: bytes, key: _DeviceKey) -> bool:
    """PROTOCOL.u2f, SSH U2F signatures: the device signs what it says of itself too, one byte of flags and a counter."""
    kind = _SK_ED25519 if isinstance(key.key, ed25519.Ed25519PublicKey) else _SK_ECDSA
    if algorithm != kind.encode() or len(said) != 5 or not said[0] & _USER_PRESENT:
        return False
    whole = hashlib.sha256(key.application).digest() + said + hashlib.sha256(signed).digest()
    plain = b"ssh-ed25519" if kind == _SK_ED25519 else b"ecdsa-sha2-nistp256"
    return _raw_verifies(whole, plain, raw, key.key)


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
        if isinstance(key, rsa.RSAPublicKey):
            chosen = {b"rsa-sha2-512": hashes.SHA512(), b"rsa-sha2-256": hashes.SHA256()}[algorithm]
            key.verify(raw, signed, padding.PKCS1v15(), chosen)
            return True
        if isinstance(key, ed25519.Ed25519PublicKey):
            if algorithm != b"ssh-ed25519":
                return False
            key.verify(raw, signed)
            return True
        curve = _curve_name(key.curve)
        (r, s), left = _take_fields(raw, 2)
        if algorithm != f"ecdsa-sha2-{curve}".encode() or left:
            return False
        both = utils.encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
        key.verify(both, signed, ec.ECDSA(_CURVE_HASHES[curve]))
    except (InvalidSignature, KeyError, ValueError, struct.error):
        return False
    return True


def _curve_name(curve: ec.EllipticCurve) -> str:
    return {"secp256r1": "nistp256", "secp384r1": "nistp384", "secp521r1": "nistp521"}[curve.name]


def _load_public(line: str, *, where: str) -> PublicKey | _DeviceKey:
    try:
        if is_on_device(line):
            return _load_device(line)
        key = serialization.load_ssh_public_key(line.encode())
    except (ValueError, TypeError, IndexError, struct.error, UnsupportedAlgorithm) as error:
        raise BadInput(
            "this is no SSH public key that can be used", where=where, next_step=_MAKE_ONE
        ) from error
    if not isinstance(key, PublicKey):
        raise BadInput("this kind of key cannot sign decisions", where=where, next_step=_MAKE_ONE)
    return key


def _load_device(line: str) -> _DeviceKey:
    """PROTOCOL.u2f, SSH U2F Key formats. Raises `ValueError` or `struct.error`."""
    kind = kind_of(line)
    blob = base64.b64decode(line.split()[1], validate=True)
    if kind == _SK_ED25519:
        (named, point, application), left = _take_fields(blob, 3)
        key: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey = (
            ed25519.Ed25519PublicKey.from_public_bytes(point)
        )
    else:
        (named, curve, point, application), left = _take_fields(blob, 4)
        if curve != b"nistp256":
            raise ValueError("another curve")
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    if named != kind.encode() or left:
        raise ValueError("another kind, or something after the key")
    return _DeviceKey(key, application)


def _line_of(key: PublicKey | _DeviceKey) -> str:
    if isinstance(key, _DeviceKey):
        return _line_of_device(key)
    encoded = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return encoded.decode("ascii")


def _line_of_device(device: _DeviceKey) -> str:
    if isinstance(device.key, ed25519.Ed25519PublicKey):
        kind, point = _SK_ED25519, [device.key.public_bytes_raw()]
    else:
        plain = device.key.public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        kind, point = _SK_ECDSA, [b"nistp256", plain]
    blob = _fields(kind.encode(), *point, device.application)
    return f"{kind} {base64.b64encode(blob).decode('ascii')}"


def _blob(public: str) -> bytes:
    return base64.b64decode(public.split()[1])


def _fields(*values: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(value)) + value for value in values)


def _take_fields(data: bytes, count: int) -> tuple[list[bytes], bytes]:
    """The first fields, and what is left after them. Raises `ValueError` or `struct.error`."""
    fields: list[bytes] = []
    for _ in range(count):
        (length,) = struct.unpack(">I", data[:4])
        if len(data) < 4 + length:
            raise ValueError("a field ends early")
        fields.append(data[4 : 4 + length])
        data = data[4 + length :]
    return fields, data


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
