"""The commands that playbooks may hold (CACAO 2.0 section 5), but for `manual`, which people carry out.

Each kind is a module with the same six names. Nothing in them knows runs or incidents.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Protocol

from incident.errors import BadInput
from incident.response.commands import bash, http_api, openc2_http, ssh
from incident.response.commands.going_out import GoingOut
from incident.response.commands.prepared import Call, Prepared
from incident.response.commands.result import Result
from incident.response.model import ActionStep, AgentTarget, Command, Playbook, Variable
from incident.response.variables import Values


class Kind(Protocol):
    """One type of command.

    `problems` says what keeps a command from being run; `used` names its variables; `destination` is the host and port
    that an addressee is reached at, None and 0 for this machine; `prepare` shows the command as it will be; both raise
    `BadInput` where they cannot; `carry_out` does it, once, and never raises for what the other side does.
    """

    TYPE: str

    def problems(
        self, playbook: Playbook, step: ActionStep, command: Command
    ) -> Iterator[tuple[str, str]]: ...
    def used(self, command: Command, addressee: AgentTarget) -> list[str]: ...
    def destination(
        self, addressee: AgentTarget, values: Values, declared: Mapping[str, Variable]
    ) -> tuple[str | None, int]: ...
    def prepare(
        self, command: Command, addressee: AgentTarget, values: Values, declared: Mapping[str, Variable]
    ) -> Prepared: ...
    def carry_out(self, call: Call, rules: GoingOut) -> Result: ...


KINDS: Mapping[str, Kind] = MappingProxyType({each.TYPE: each for each in (http_api, openc2_http, ssh, bash)})


def kind_of(command: Command) -> Kind:
    """How to carry out a command. Raises `BadInput` for a type that is not run here."""
    if command.type not in KINDS:
        raise BadInput(
            f"a “{command.type}” command cannot be run",
            next_step=f"this engine runs manual, {', '.join(KINDS)}",
        )
    return KINDS[command.type]
