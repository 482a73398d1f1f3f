"""Where bounces go: one mailbox, with a mark of each message after its name.

The mark holds the delivery's id and is made with the incident's key (`notifiers.email.verp`), so that nobody can forge
a bounce of somebody else's message. The envelope id (RFC 3461) is the same mark.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from incident.carrier_settings import MailSettings
from incident.errors import BadInput
from incident.store.sealing import derive_key
from notifiers.email.verp import Mark, is_genuine, mark_in, mark_of, return_path
from notifiers.errors import BadMessage

_ANY_MARK = mark_of(bytes(16), key=b"")


@dataclass(frozen=True)
class BounceMailbox:
    """The mailbox that all return paths lead to. Raises `BadMessage` when it is no address, or too long for a mark."""

    address: str
    separator: str = "+"
    _before: str = field(init=False, repr=False)
    _after: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        before, _, after = return_path(self.address, _ANY_MARK, separator=self.separator).partition(_ANY_MARK)
        object.__setattr__(self, "_before", before)
        object.__setattr__(self, "_after", after)

    def path_for(self, mark: str) -> str:
        """The return path of the message with this mark."""
        return f"{self._before}{mark}{self._after}"

    def mark_in(self, address: str) -> Mark | None:
        """The mark in an address to which a bounce came."""
        return mark_in(address, self.address, separator=self.separator)


def bounce_mailbox_from(mail: MailSettings) -> BounceMailbox | None:
    """The mailbox of the settings; None where there is none. Raises `BadInput`."""
    if not mail.return_path:
        return None
    try:
        return BounceMailbox(mail.return_path, mail.return_path_separator)
    except BadMessage as error:
        raise BadInput(
            f"bounces cannot be sent there: {error.what}",
            where="mail.return_path in incident.toml",
            next_step='write the address of a mailbox, such as "bounces@example.com"',
        ) from error


def mark_for(key: bytes, delivery_id: str) -> str:
    """The mark of a delivery's message, made with its incident's key."""
    return mark_of(bytes.fromhex(delivery_id), key=derive_key(key, _PURPOSE))


def is_ours(mark: Mark, *, key: bytes) -> bool:
    """Whether a mark was made with this incident's key."""
    return is_genuine(mark, key=derive_key(key, _PURPOSE))


_PURPOSE = "bounce-mark"
