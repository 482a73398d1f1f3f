"""Where playbooks may reach: the hosts that a workspace declares, its own machine, and whom it knows by ssh.

What is not declared is refused before anything leaves. A playbook from elsewhere, or a value from an alert, can so not
reach the networks behind this machine.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from incident.errors import BadInput, Refused
from incident.response.commands.prepared import Prepared
from incident.settings import Playbooks

_NAME = re.compile(r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class HostRule:
    """One entry of `[playbooks] hosts`: a name, `*.name` for all below it, an address or a network; with a port or any."""

    text: str
    name: str | None = None
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None = None
    port: int | None = None

    def covers(self, host: str, port: int) -> bool:
        if self.port is not None and self.port != port:
            return False
        if self.network is not None:
            try:
                address = ipaddress.ip_address(host)
            except ValueError:
                return False
            return address.version == self.network.version and address in self.network
        assert self.name is not None  # noqa: S101 - one of the two is always there
        name = host.lower().rstrip(".")
        return name.endswith(self.name[1:]) if self.name.startswith("*.") else name == self.name


def host_rule(text: str) -> HostRule:
    """The rule. Raises `BadInput` for what is none."""
    wrong = BadInput(
        f"“{text}” is no host",
        where="[playbooks] hosts",
        next_step="write a name, *.name, an address or a network, with or without :port (an IPv6 address in brackets)",
    )
    rest, port = text.strip(), None
    match = re.fullmatch(r"(\[[^]]*\]|[^:]*):([0-9]{1,5})", rest)
    if match:
        rest, port = match[1], int(match[2])
        if not 0 < port < 65536:
            raise wrong
    try:
        return HostRule(text, network=ipaddress.ip_network(rest.strip("[]"), strict=False), port=port)
    except ValueError:
        if not _NAME.fullmatch(rest):
            raise wrong from None
        return HostRule(text, name=rest.lower().rstrip("."), port=port)


@dataclass(frozen=True)
class GoingOut:
    """What the playbooks of a workspace may reach. `known_hosts` and `ca_file` are None where none is named."""

    hosts: tuple[HostRule, ...] = ()
    bash: bool = False
    known_hosts: Path | None = None
    ca_file: Path | None = None

    def must_allow(self, prepared: Prepared) -> None:
        """Raises `Refused` for what the workspace has not declared."""
        if prepared.host is None:
            if not self.bash:
                raise Refused(
                    "commands on this machine are not enabled here",
                    next_step="who wants them sets [playbooks] bash = true in incident.toml",
                )
            return
        if not any(rule.covers(prepared.host, prepared.port) for rule in self.hosts):
            raise Refused(
                f"{prepared.host}:{prepared.port} is not among the hosts that playbooks may reach",
                next_step=f'add "{_bracketed(prepared.host)}:{prepared.port}" to [playbooks] hosts in incident.toml',
            )
        if prepared.command_type == "ssh" and self.known_hosts is None:
            raise Refused(
                "no file of known hosts is named, and an unknown host is never trusted",
                next_step="name one: [playbooks] known_hosts in incident.toml (ssh-keyscan, then compare)",
            )


def going_out(settings: Playbooks, root: Path) -> GoingOut:
    """What the settings declare; relative paths count from the workspace.

    An address that the settings give to a playbook as a variable is declared by that.
    """
    given = [_host_of(value) for value in settings.variables.values()]
    return GoingOut(
        hosts=tuple(host_rule(text) for text in [*settings.hosts, *(each for each in given if each)]),
        bash=settings.bash,
        known_hosts=_path(root, settings.known_hosts),
        ca_file=_path(root, settings.ca_file),
    )


def _host_of(value: str) -> str | None:
    try:
        parts = urlsplit(value)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return None
    return f"{_bracketed(parts.hostname)}:{port}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _path(root: Path, text: str) -> Path | None:
    return root / Path(text).expanduser() if text else None


def undeclared(prepared: Iterable[Prepared], rules: GoingOut) -> list[Refused]:
    """All that the workspace has not declared."""
    found = []
    for each in prepared:
        try:
            rules.must_allow(each)
        except Refused as error:
            found.append(error)
    return found
