"""Where mail is handed over, and how long each step may take."""

from __future__ import annotations

import re
import ssl
from base64 import b64encode
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from notifiers.errors import BadRelay
from notifiers.hosts import is_host, is_this_machine

_HELO = re.compile(r"[A-Za-z0-9._\-]{1,253}|\[[A-Za-z0-9.:]{3,50}\]")


class TlsMode(StrEnum):
    """How the connection is protected: not at all, after STARTTLS (RFC 3207), or from the first octet."""

    none = "none"
    starttls = "starttls"
    implicit = "implicit"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait at each stage.

    From `mail` on these are the least that RFC 5321 section 4.5.3.2 asks a client to wait. A short
    `after_dot` makes outcomes ambiguous that the relay would have answered.
    """

    connect: float = 30.0
    tls: float = 30.0
    auth: float = 60.0
    mail: float = 300.0
    rcpt: float = 300.0
    data: float = 120.0
    body: float = 180.0
    after_dot: float = 600.0


@dataclass(frozen=True, slots=True)
class Relay:
    """A mail relay. Certificates are always verified: against the system's authorities, or against those
    in `ca_file` alone when it is given.

    `helo_name` is what we call ourselves; without one it is our address as a literal (RFC 5321 section
    4.1.4). A connection is renewed after `max_messages`, because relays cut long ones, and when it was
    idle for `max_idle` seconds. Raises BadRelay for settings that contradict each other, and for a
    password over an unprotected connection that leaves this machine.
    """

    host: str
    port: int
    tls: TlsMode
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    helo_name: str | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    max_messages: int = 200
    max_idle: float = 60.0

    def __post_init__(self) -> None:
        if not is_host(self.host):
            raise BadRelay("the relay's host is a host name or an IP address")
        if not 0 < self.port < 65536:
            raise BadRelay("the relay's port is a number from 1 to 65535")
        if (self.username is None) != (self.password is None):
            raise BadRelay("a user name and a password for the relay come together or not at all")
        if self.tls is TlsMode.none and self.ca_file is not None:
            raise BadRelay("a file of authorities is given for the relay, but TLS is off")
        if self.tls is TlsMode.none and self.password is not None and not is_this_machine(self.host):
            raise BadRelay("a password for the relay would cross the network unprotected; switch TLS on")
        if self.helo_name is not None and not _HELO.fullmatch(self.helo_name):
            raise BadRelay("the name given at EHLO is a host name or an address literal")
        if self.max_messages < 1:
            raise BadRelay("a connection to the relay carries at least one message")

    def without_secrets(self, text: str) -> str:
        """`text` without the password in any form that AUTH sends it, should the relay have echoed it."""
        for secret in self._secrets():
            if secret in text:
                text = text.replace(secret, "[removed]")
        return text

    def _secrets(self) -> tuple[str, ...]:
        if not self.password or not self.username:
            return ()
        secret, user = self.password.encode(), self.username.encode()
        plain = b64encode(b"\0" + user + b"\0" + secret).decode()
        return plain, b64encode(secret).decode(), self.password


def tls_context(relay: Relay) -> ssl.SSLContext:
    """The context that verifies this relay: chain, dates and host name. Reads `ca_file`.

    Raises BadRelay when that file cannot be read as certificates.
    """
    try:
        return ssl.create_default_context(cafile=str(relay.ca_file) if relay.ca_file else None)
    except (OSError, ssl.SSLError) as unreadable:
        raise BadRelay(f"the relay's file of authorities cannot be used: {relay.ca_file}") from unreadable
