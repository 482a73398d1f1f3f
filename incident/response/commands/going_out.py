"""Where playbooks may reach: the hosts that a workspace declares, its own machine, and whom it knows by ssh.

What is not declared is refused before anything leaves. A playbook from elsewhere, or a value from an alert, can so not
reach the networks behind this machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from incident.errors import BadInput, Refused
from incident.hosts import HostRule, host_rule
from incident.response.commands.prepared import Prepared
from incident.settings import Playbooks

__all__ = ["GoingOut", "HostRule", "going_out", "host_rule", "undeclared"]

_DEFAULT_PORTS = {"http": 80, "https": 443}


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
    given = [rule for value in settings.variables.values() if (rule := _host_of(value)) is not None]
    return GoingOut(
        hosts=(*(host_rule(text) for text in settings.hosts), *given),
        bash=settings.bash,
        known_hosts=_path(root, settings.known_hosts),
        ca_file=_path(root, settings.ca_file),
    )


def _host_of(value: str) -> HostRule | None:
    try:
        parts = urlsplit(value)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            return None
        return host_rule(f"{_bracketed(parts.hostname)}:{port}")
    except (ValueError, BadInput):
        return None


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
