"""Keys on a device, in software: what an authenticator signs (PROTOCOL.u2f of OpenSSH), and an agent that reaches it.

The agent speaks the agent protocol (draft-miller-ssh-agent) on a socket, so that the real `ssh-keygen` and our command
use it as they use any other.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

Kind = Literal["sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"]
ED25519: Kind = "sk-ssh-ed25519@openssh.com"
ECDSA: Kind = "sk-ecdsa-sha2-nistp256@openssh.com"
TOUCHED = 0x01
_REQUEST_IDENTITIES, _IDENTITIES, _SIGN_REQUEST, _SIGN_RESPONSE, _FAILURE = 11, 12, 13, 14, 5


@dataclass
class Device:
    """An authenticator with one key. It counts its signatures, as real ones do."""

    kind: Kind
    application: bytes = b"ssh:"
    flags: int = TOUCHED
    counter: int = 7
    _ed25519: ed25519.Ed25519PrivateKey = field(default_factory=ed25519.Ed25519PrivateKey.generate)
    _ecdsa: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    @property
    def blob(self) -> bytes:
        """The public key as the wire has it."""
        if self.kind == ED25519:
            return fields(self.kind.encode(), self._ed25519.public_key().public_bytes_raw(), self.application)
        form = serialization.PublicFormat.UncompressedPoint
        point = self._ecdsa.public_key().public_bytes(serialization.Encoding.X962, form)
        return fields(self.kind.encode(), b"nistp256", point, self.application)

    @property
    def public(self) -> str:
        return f"{self.kind} {base64.b64encode(self.blob).decode()}"

    @property
    def private_text(self) -> str:
        """The file that `ssh-keygen -t ed25519-sk` leaves: not the key, but the handle by which the device finds it."""
        _kind, *rest = _take(self.blob, 3 if self.kind == ED25519 else 4)
        handle = fields(self.kind.encode(), *rest) + bytes([TOUCHED]) + fields(b"handle", b"")
        section = struct.pack(">II", 1, 1) + handle + fields(b"a device")
        section += bytes(range(1, 1 + -len(section) % 8))
        whole = b"openssh-key-v1\0" + fields(b"none", b"none", b"") + struct.pack(">I", 1)
        encoded = base64.b64encode(whole + fields(self.blob, section)).decode()
        lines = [encoded[at : at + 70] for at in range(0, len(encoded), 70)]
        return "\n".join(
            ["-----BEGIN OPENSSH PRIVATE KEY-----", *lines, "-----END OPENSSH PRIVATE KEY-----", ""]
        )

    def sign(self, data: bytes, *, application: bytes | None = None) -> bytes:
        """The signature's blob over `data`, with the flags that the device shows now."""
        self.counter += 1
        said = struct.pack(">BI", self.flags, self.counter)
        named = self.application if application is None else application
        whole = hashlib.sha256(named).digest() + said + hashlib.sha256(data).digest()
        if self.kind == ED25519:
            raw = self._ed25519.sign(whole)
        else:
            r, s = utils.decode_dss_signature(self._ecdsa.sign(whole, ec.ECDSA(hashes.SHA256())))
            raw = fields(_mpint(r), _mpint(s))
        return fields(self.kind.encode(), raw) + said

    def sshsig(self, message: bytes, namespace: str, **options: bytes) -> str:
        """An armoured signature, as `ssh-keygen -Y sign` makes it."""
        parts = (namespace.encode(), b"", b"sha512")
        signature = self.sign(b"SSHSIG" + fields(*parts, hashlib.sha512(message).digest()), **options)
        return armoured(b"SSHSIG" + struct.pack(">I", 1) + fields(self.blob, *parts, signature))


@dataclass
class Agent:
    """An agent that holds a device's key. `manner` is how it answers a request to sign; `before` comes first."""

    device: Device
    socket: Path
    manner: Literal["signs", "refuses", "keeps silent", "signs with another key"] = "signs"
    asked: int = 0
    before: Callable[[], object] = lambda: None

    @property
    def name(self) -> str:
        """What $SSH_AUTH_SOCK says of it."""
        return str(self.socket)

    def answer(self, request: bytes) -> bytes | None:
        if request[0] == _REQUEST_IDENTITIES:
            return bytes([_IDENTITIES]) + struct.pack(">I", 1) + fields(self.device.blob, b"a device")
        if request[0] != _SIGN_REQUEST:
            return bytes([_FAILURE])
        self.asked += 1
        self.before()
        if self.manner == "keeps silent":
            return None
        if self.manner == "refuses":
            return bytes([_FAILURE])
        device = self.device if self.manner == "signs" else Device(self.device.kind)
        _key, data = _take(request[1:], 2)
        return bytes([_SIGN_RESPONSE]) + fields(device.sign(data))


@contextmanager
def agent_with(device: Device) -> Iterator[Agent]:
    """The agent at work on a socket of its own."""
    # Not in the test's folder: the path of a socket may have about a hundred characters.
    with tempfile.TemporaryDirectory(prefix="agent-") as folder, socket.socket(socket.AF_UNIX) as listening:
        agent = Agent(device, Path(folder) / "s")
        listening.bind(str(agent.socket))
        listening.listen()
        threading.Thread(target=_serve, args=(listening, agent), daemon=True).start()
        yield agent


def armoured(blob: bytes) -> str:
    """Bytes as the text of an SSH signature."""
    encoded = base64.b64encode(blob).decode()
    lines = [encoded[at : at + 70] for at in range(0, len(encoded), 70)]
    return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""])


def fields(*values: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(value)) + value for value in values)


def _serve(listening: socket.socket, agent: Agent) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=_talk, args=(connection, agent), daemon=True).start()


def _talk(connection: socket.socket, agent: Agent) -> None:
    with connection, connection.makefile("rb") as stream, suppress(OSError):
        while len(head := stream.read(4)) == 4:
            answer = agent.answer(stream.read(struct.unpack(">I", head)[0]))
            if answer is None:
                stream.read()  # until the other side gives up
                return
            connection.sendall(fields(answer))


def _take(data: bytes, count: int) -> list[bytes]:
    taken = []
    for _ in range(count):
        (length,) = struct.unpack(">I", data[:4])
        taken.append(data[4 : 4 + length])
        data = data[4 + length :]
    return taken


def _mpint(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big")
