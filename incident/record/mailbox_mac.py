"""The MAC of a mailbox: whether two people share one, told from what is kept without an address in clear."""

from __future__ import annotations

from incident.store.sealing import keyed_hash


def mailbox_mac(key: bytes, address: str) -> bytes:
    """The MAC of a mailbox. Addresses that differ in case only are taken for one, as mail servers do."""
    return keyed_hash(key, "mailbox", address.casefold())
