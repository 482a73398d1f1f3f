"""Which hosts an entry of a list of hosts covers. Pure: nothing is looked up, so a name covers itself alone."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from incident.errors import BadInput

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z)(\*\.)?({_LABEL}\.)*{_LABEL}")
# What the C library reads as an IPv4 address in one of its old forms: 127.1, 0x7f.1, 2130706433.
_ENDS_IN_A_NUMBER = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")
_WITH_PORT = re.compile(r"(\[[^]]*\]|[^:]*):([0-9]{1,5})")


@dataclass(frozen=True)
class HostRule:
    """A name, `*.name` for all below it, an address or a network; with a port, or any."""

    text: str
    name: str | None = None
    network: Network | None = None
    port: int | None = None

    def covers(self, host: str, port: int) -> bool:
        """Whether a host, as it will be connected to, is meant. An IPv6 address may stand in brackets."""
        if self.port is not None and self.port != port:
            return False
        found = plain(host)
        if self.network is not None:
            address = address_in(found)
            return address is not None and address.version == self.network.version and address in self.network
        if self.name is None or address_in(found) is not None:
            return False
        return found.endswith(self.name[1:]) if self.name.startswith("*.") else found == self.name


def plain(host: str) -> str:
    """The host in the form in which two of them are compared."""
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1].lower()
    return host.lower().removesuffix(".")


def address_in(host: str) -> Address | None:
    """The address that a host is; an IPv4 address in the clothes of an IPv6 one is what it is."""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def host_rule(text: str) -> HostRule:
    """The rule that a text writes. Raises `BadInput` for what is none."""
    wrong = BadInput(
        f"“{text}” is no host",
        where="hosts",
        next_step="write a name (in its xn-- form), *.name, an address in full or a network, with or without :port; an "
        "IPv6 address with a port stands in brackets",
    )
    rest, port = text.strip(), None
    match = _WITH_PORT.fullmatch(rest)
    if match:
        rest, port = match[1], int(match[2])
        if not 0 < port < 65536:
            raise wrong
    network = _network(rest)
    if network is not None:
        return HostRule(text, network=network, port=port)
    name = plain(rest)
    if not _NAME.fullmatch(name) or _ENDS_IN_A_NUMBER.fullmatch(name) or "[" in rest:
        raise wrong
    return HostRule(text, name=name, port=port)


def _network(text: str) -> Network | None:
    """None also for IPv4 in the clothes of IPv6, which would cover nothing."""
    bracketed = text.startswith("[") and text.endswith("]")
    try:
        found = ipaddress.ip_network(text[1:-1] if bracketed else text, strict=False)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv4Network):
        return None if bracketed else found
    return None if found.network_address.ipv4_mapped else found
