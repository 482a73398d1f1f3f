"""What signs for a person: their key file, read here, or a program of theirs that holds the key.

A decision needs only the public line and something that signs. The private key may lie in an agent or on a device.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from incident.record.sshsig import PrivateKey, public_line, sign


class SigningKey(Protocol):
    """A key that signs."""

    @property
    def public(self) -> str:
        """The public line in its canonical form."""
        ...

    @property
    def takes_a_person(self) -> bool:
        """Whether a signature may wait for somebody: a passphrase, a touch, a question of the agent."""
        ...

    def sign(self, message: bytes) -> str:
        """An armoured SSH signature under our namespace. Raises `Refused` when none was made."""
        ...


@dataclass(frozen=True)
class OpenKey:
    """A private key that lies open in this process."""

    private: PrivateKey
    takes_a_person = False

    @cached_property
    def public(self) -> str:
        return public_line(self.private)

    def sign(self, message: bytes) -> str:
        return sign(message, self.private)
