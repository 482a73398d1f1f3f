"""Reusable containment playbooks on real servers: carried out by the machine and the commands, without a workspace."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from incident.response import events as e
from incident.response.commands import kind_of
from incident.response.commands.going_out import GoingOut, host_rule
from incident.response.commands.prepared import Call
from incident.response.commands.result import Ending, Result, outputs_from
from incident.response.extensions import measures_of, verification_of
from incident.response.form import load
from incident.response.lint import labels_of
from incident.response.machine import advance, start
from incident.response.model import ActionStep, Command, Playbook
from incident.response.state import State, VisitState
from incident.response.variables import declarations
from incident.response.work import DEFAULT_COMMAND_TIMEOUT_MS
from tests.support.hosts import Host

FOLDER = Path(__file__).parents[2] / "playbooks"
_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def part(name: str) -> Playbook:
    """A shipped playbook."""
    file = FOLDER / f"{name}.yaml"
    return load(file.read_text(encoding="utf-8"), name=file.name).playbook


@dataclass
class Carried:
    """A playbook that was carried out. `asked` are the questions to people, by the steps' short names; each was
    answered with `answer`. `said` is what came of the calls of each step."""

    playbook: Playbook
    rules: GoingOut
    secrets: Mapping[str, str]
    answer: bool = False
    asked: list[str] = field(default_factory=list)
    said: dict[str, list[Result]] = field(default_factory=dict)
    state: State = field(init=False)

    def begin(self, given: Mapping[str, str]) -> None:
        self.state, ahead = start(self.playbook, given, run="R")
        while ahead:
            effect = ahead.pop(0)
            event = self._event(effect)
            if event is not None:
                self.state, more = advance(self.state, event)
                ahead += more

    @property
    def outcome(self) -> e.Outcome | None:
        return self.state.outcome

    @property
    def values(self) -> Mapping[str, str | None]:
        return self.state.variables

    def succeeded(self) -> set[str]:
        labels = labels_of(self.playbook)
        return {
            labels[each.step] for each in self.state.visits.values() if each.state is VisitState.succeeded
        }

    def measures(self) -> list[str]:
        """What the steps that succeeded claim for the record."""
        steps = [each for name, each in self._actions() if name in self.succeeded()]
        return [name for step in steps if (found := measures_of(step)) for name in found.action_ids]

    def verified(self) -> set[str]:
        """The steps whose containment was verified."""
        labels = labels_of(self.playbook)
        steps = [each for name, each in self._actions() if name in self.succeeded()]
        return {labels[name] for step in steps if (found := verification_of(step)) for name in found.verifies}

    def undo(self) -> list[Result]:
        """Take back what can be taken back, the last first, as `incident undo` does."""
        done = []
        for name, step in reversed(self._actions()):
            contained = measures_of(step)
            if contained is None or name not in self.succeeded():
                continue
            for each in contained.undo_commands:
                done.append(self._call(step, Command.model_validate(each)))
        return done

    def _actions(self) -> list[tuple[str, ActionStep]]:
        labels = labels_of(self.playbook)
        return [
            (labels[step_id], step)
            for step_id, step in self.playbook.workflow.items()
            if isinstance(step, ActionStep)
        ]

    def _call(self, step: ActionStep, command: Command) -> Result:
        addressee = self.playbook.endpoint((step.targets or [step.agent])[0])
        assert addressee is not None
        call = Call(
            command,
            addressee,
            self.state.variables,
            declarations(self.playbook, step),
            timeout_s=(step.timeout or DEFAULT_COMMAND_TIMEOUT_MS) / 1000,
            idempotency_key="R.0",
            authentication=self.playbook.authentication_info_definitions.get(
                addressee.authentication_info or ""
            ),
            resolve_secret=self.secrets.__getitem__,
        )
        return kind_of(command).carry_out(call, self.rules)

    def _event(self, effect: e.Effect) -> e.Event | None:
        labels = labels_of(self.playbook)
        match effect:
            case e.RunCommand():
                step = self.playbook.workflow[effect.step]
                assert isinstance(step, ActionStep)
                time.sleep(min(effect.in_ms, 200) / 1000)  # the pause before a call that is made again
                result = self._call(step, effect.command)
                self.said.setdefault(labels[effect.step], []).append(result)
                where = {"visit": effect.visit, "index": effect.index, "round": effect.round}
                if result.ending is Ending.ambiguous:
                    return e.CommandUncertain(**where, sent_at=_LONG_AGO, why=e.Uncertain.no_answer)
                if result.success:
                    return e.CommandSucceeded(**where, values=outputs_from(result, effect.out_args))
                return e.CommandFailed(**where, reason=result.detail, ambiguous=result.may_be_done)
            case e.AskPerson():
                self.asked.append(labels[effect.step])
                return e.PersonAnswered(visit=effect.visit, index=effect.index, success=self.answer, by="li")
            case e.AskApproval():
                self.asked.append(labels[effect.step])
                if self.answer:
                    return e.Approved(visit=effect.visit, index=effect.index, by=["li", "wang"])
                return e.Rejected(visit=effect.visit, index=effect.index, by="li")
            case e.WaitUntil() if effect.purpose is e.TimerPurpose.delay:
                return e.TimerFired(visit=effect.visit, purpose=effect.purpose, round=effect.round)
            case e.WaitUntil() | e.Withdraw() | e.Finish():
                return None
        raise AssertionError(f"nobody answers this: {effect}")


def carry_out(
    playbook: Playbook,
    given: Mapping[str, str],
    *,
    rules: GoingOut,
    secrets: Mapping[str, str],
    answer: bool = False,
) -> Carried:
    """Carry a playbook out to its end. People answer each question with `answer`."""
    carried = Carried(playbook, rules, secrets, answer)
    carried.begin(given)
    return carried


def on_host(host: Host, name: str) -> Callable[..., Carried]:
    """Carries out a part on a host: `carry(__role__="app")`. The variables that name the host are given."""
    playbook = part(name)
    rules = GoingOut(hosts=(host_rule("127.0.0.1"),), known_hosts=host.known_hosts)
    secrets = {"ssh-key": host.key.read_text()}
    names = ("database", "ssh", "firewall", "ldap", "web", "proxy", "admin")
    hosts = [f"__{each}_host__" for each in names]
    about = {each: "127.0.0.1" for each in hosts if each in playbook.playbook_variables}

    def carry(*, answer: bool = False, **given: str) -> Carried:
        return carry_out(
            playbook,
            {**about, "__ssh_port__": str(host.port), **given},
            rules=rules,
            secrets=secrets,
            answer=answer,
        )

    return carry
