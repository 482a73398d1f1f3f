"""Names of hosts as settings give them. Pure."""

from __future__ import annotations

import re

_HOST = re.compile(r"[A-Za-z0-9._:\-]{1,253}")
_LOOPBACK = re.compile(r"localhost|::1|127(?:\.\d{1,3}){3}")


def is_host(name: str) -> bool:
    """Whether this can be a host name or an IP address."""
    return _HOST.fullmatch(name) is not None


def is_this_machine(name: str) -> bool:
    """Whether what is sent there does not leave this machine. Nothing is looked up."""
    return _LOOPBACK.fullmatch(name) is not None
