"""What keeps a playbook's commands from leaving this machine, as far as it is certain before the start.

A run that is bound to fail at its third step is refused at once, with every step named. What depends on values that
are not known yet, or that a step may still change, is left to the moment of the call; a step whose address is empty
has another route, by hand.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

from incident.errors import Refused, TocsinError
from incident.response.commands import KINDS, ssh
from incident.response.commands.going_out import GoingOut
from incident.response.commands.prepared import Prepared
from incident.response.extensions import texts_in
from incident.response.model import ActionStep, AgentTarget, Command, Playbook, PlaybookActionStep
from incident.response.variables import Values, declarations, declared_value, references


@dataclass(frozen=True)
class Objection:
    """Why a command cannot leave. `playbook` and `step` say which, `cure` what to do."""

    playbook: str
    step: str
    what: str
    cure: str

    def __str__(self) -> str:
        return f"{self.playbook}, step “{self.step}”: {self.what}" + (f"; {self.cure}" if self.cure else "")


class CannotLeave(Refused):
    """A run is refused before its start; `objections` holds all."""

    def __init__(self, found: list[Objection]) -> None:
        self.objections = tuple(found)
        super().__init__(
            "the playbook would call what it may not or cannot:\n"
            + "\n".join(f"  - {each}" for each in found),
            next_step="correct the settings or the playbook; docs/settings.md explains [playbooks]",
        )


def objections(
    playbook: Playbook,
    children: Mapping[str, Playbook],
    values: Values,
    rules: GoingOut,
    *,
    secrets: Container[str],
) -> list[Objection]:
    """All that is certain. `values` are those at the start, `children` the playbooks called, by id; `secrets` are the
    names that the workspace has. The files that `rules` names are read."""
    found = list(_of(playbook, _certain(playbook, values, handed_in=frozenset()), rules, secrets))
    for each in children.values():
        handed_in = {
            name
            for caller in (playbook, *children.values())
            for step in caller.workflow.values()
            if isinstance(step, PlaybookActionStep) and step.playbook_id == each.id
            for name in step.in_args
        }
        first = {name: declared_value(variable) for name, variable in each.playbook_variables.items()}
        found += _of(each, _certain(each, first, handed_in=handed_in), rules, secrets)
    return list(dict.fromkeys(found))


def _certain(playbook: Playbook, values: Values, *, handed_in: Container[str]) -> dict[str, str | None]:
    """The values that no step changes and no caller gives."""
    written = {name for step in playbook.workflow.values() for name in getattr(step, "out_args", [])}
    return {name: None if name in written or name in handed_in else value for name, value in values.items()}


def _of(playbook: Playbook, values: Values, rules: GoingOut, secrets: Container[str]) -> Iterator[Objection]:
    short = {each.object_id: each.short_name for each in texts_in(playbook.playbook_extensions).short_names}
    for step_id, step in playbook.workflow.items():
        if not isinstance(step, ActionStep):
            continue
        own = {name: declared_value(each) for name, each in step.step_variables.items()}
        for command in step.commands:
            for reference in step.targets or [step.agent]:
                addressee = playbook.endpoint(reference)
                if command.type not in KINDS or addressee is None:
                    continue
                for error in _against(playbook, step, command, addressee, {**values, **own}, rules, secrets):
                    yield Objection(
                        playbook.name,
                        short.get(step_id) or step.name or step_id,
                        _with_place(error),
                        error.next_step or "",
                    )


def _with_place(error: TocsinError) -> str:
    return f"{error.where}: {error.what}" if error.where else error.what


def _against(
    playbook: Playbook,
    step: ActionStep,
    command: Command,
    addressee: AgentTarget,
    values: Values,
    rules: GoingOut,
    secrets: Container[str],
) -> Iterator[TocsinError]:
    where = [str(each) for several in (addressee.address or {}).values() for each in several]
    if not all(values.get(name) for text in [*where, addressee.port or ""] for name in references(text)):
        return
    try:
        host, port = KINDS[command.type].destination(addressee, values, declarations(playbook, step))
        rules.must_allow(Prepared(command.type, host, port, ""))
        if command.type == ssh.TYPE:
            ssh.must_be_installed()
            ssh.known_hosts(rules.known_hosts)
    except TocsinError as error:
        yield error
    signing_in = playbook.authentication_info_definitions.get(addressee.authentication_info or "")
    secret = signing_in.kms_key_identifier if signing_in is not None else None
    if secret and secret not in secrets:
        yield Refused(
            f"the workspace has no secret of the name {secret!r}",
            next_step=f'write under [playbooks] secrets in incident.toml: "{secret}" = "file:PATH"',
        )
