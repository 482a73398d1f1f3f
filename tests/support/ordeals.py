"""A run that is killed again and again, the person who answers truthfully, and the account at the end.

The playbook holds every kind of step. `GATE` is approved by two people and then calls; `PROBE` is never answered, so
its time limit ends it; `DISABLE` alone is declared repeatable.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlmodel import select

from incident.durable import JobState
from incident.ops.check import check
from incident.ops.house import start_playbook
from incident.proof.verify import verify
from incident.record.decisions import Subject, voices
from incident.record.dossier import load_dossier
from incident.record.sshsig import private_text
from incident.response import events as e
from incident.response.deciding import STEP_SUBJECT, answer_outcome, answer_question, decide_step
from incident.response.effect_states import OUTSTANDING
from incident.response.housework import House
from incident.response.runner import RUN_JOB, RUNNING, OpenEffect, questions, runs_of, short_name
from incident.store.tables import Job, Run, RunEffect
from tests.support.breaches import Breach
from tests.support.halting import PATIENCE, Halting, Order, Saying, clock_from
from tests.support.services import EffectService
from tests.support.workspaces import START, private_key_of

LOOK_UP, GATE, DISABLE, RESET, CONFIRM = "look-up", "isolate", "disable", "reset", "confirm"
PROBE, ESCALATE, NOTIFY, FINAL, WAIT = "probe", "escalate", "notify", "final", "wait"
CALLS = (LOOK_UP, GATE, DISABLE, RESET, ESCALATE, NOTIFY, FINAL)
MEASURES = {"contain.disable-endpoint": 1, "contain.lock-account": 1, "analyse.determine-scope": 1}
TICKET = "T-7"

CALL = """
    type: action
    agent: machine
    commands:
      - type: http-api
        command: POST /{name} HTTP/1.1
        headers: {{Content-Type: [application/json]}}
        content: '{{"step": "{name}", "ticket": "__ticket__:value"}}'
"""


def _call(name: str, **more: str) -> str:
    words = "".join(f"    {word}: {value}\n" for word, value in more.items())
    return f"  {name}:{CALL.format(name=name)}{words}"


KILLED = f"""\
name: Killed
created_by: identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702
created: 2025-11-20
playbook_variables:
  __url__: {{type: uri, external: true, value: "", description: Address of the service}}
  __ticket__: {{type: string, value: ""}}
agent_definitions:
  machine: {{type: http-api, name: Machine, address: {{dname: ["__url__:value"]}}}}
  people: {{type: group, name: People}}
workflow:
  start: {{type: start, on_completion: {LOOK_UP}}}
{_call(LOOK_UP, out_args="[__ticket__]", on_completion=GATE)}
  {GATE}:
    type: action
    agent: machine
    commands:
      - {{type: manual, command: May it be isolated?}}
      - type: http-api
        command: POST /{GATE} HTTP/1.1
        headers: {{Content-Type: [application/json]}}
        content: '{{"ticket": "__ticket__:value"}}'
    step_extensions:
      approval: {{approver_roles: [approver], quorum: 2}}
    on_completion: both
  both: {{type: parallel, next_steps: [{DISABLE}, {RESET}, {PROBE}], on_completion: which}}
{
    _call(
        DISABLE,
        step_extensions="{containment_action: {action_ids: [contain.disable-endpoint]},"
        " repeatable: {because: closed stays closed}}",
        on_completion=WAIT,
    )
}
  {WAIT}:
    type: action
    delay: 50
    agent: people
    commands: [{{type: manual, command: Did it settle?}}]
    on_completion: disable-end
  disable-end: {{type: end}}
{
    _call(
        RESET,
        step_extensions="{containment_action: {action_ids: [contain.lock-account]}}",
        on_completion=CONFIRM,
    )
}
  {CONFIRM}:
    type: action
    agent: people
    commands: [{{type: manual, command: Count who is affected.}}]
    step_extensions: {{containment_action: {{action_ids: [analyse.determine-scope]}}}}
    on_completion: reset-end
  reset-end: {{type: end}}
  {PROBE}:
    type: action
    agent: people
    timeout: 200
    commands: [{{type: manual, command: Nobody answers this.}}]
    on_success: probe-end
    on_failure: {ESCALATE}
{_call(ESCALATE, on_completion="probe-end")}
  probe-end: {{type: end}}
  which: {{type: if-condition, condition: "__ticket__:value = '{TICKET}'", on_true: {NOTIFY}, on_completion: {
    FINAL
}}}
{_call(NOTIFY, on_completion="notify-end")}
  notify-end: {{type: end}}
{_call(FINAL, on_completion="end")}
  end: {{type: end}}
"""


DRAFT, REPORT, RELEASE, SEND, PUBLISH = "draft", "report", "release", "send", "publish"
HOUSEWORK = (DRAFT, REPORT, RELEASE, SEND, PUBLISH)


def _house_step(name: str, extension: str, following: str) -> str:
    return f"""
  {name}:
    type: action
    agent: people
    commands: [{{type: manual, command: Do it by hand.}}]
    step_extensions: {{{extension}}}
    on_completion: {following}"""


KEPT = f"""\
name: Kept
created_by: identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702
created: 2025-11-20
playbook_variables:
  __url__: {{type: uri, external: true, value: "", description: Not called}}
agent_definitions:
  people: {{type: group, name: People}}
workflow:
  start: {{type: start, on_completion: {DRAFT}}}
{_house_step(DRAFT, "notice: {task: draft}", REPORT)}
{_house_step(REPORT, "regulator_report: {regime: owed, phase: next}", RELEASE)}
{_house_step(RELEASE, "notice: {task: release}", SEND)}
{_house_step(SEND, "notice: {task: send}", PUBLISH)}
{_house_step(PUBLISH, "notice: {task: publish}", "end")}
  end: {{type: end}}
"""


@dataclass
class Ordeal:
    """Runs of a playbook on a breach, worked on by processes that are killed.

    `checks`: the record must hold after every kill, not only at the end.
    """

    breach: Breach
    service: EffectService
    playbook: str = "killed"
    checks: bool = False
    real_began: float = field(default_factory=time.time)
    asked: Counter[str] = field(default_factory=Counter)
    names: dict[tuple[str, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.house: House = replace(self.breach.house, clock=clock_from(START, self.real_began))
        self.store = self.breach.made.store
        for name in ("bo", "cy"):
            key: Any = private_key_of(self.breach.signers[name])
            file = self.breach.made.workspace.root / f"{name}.key"
            file.write_text(private_text(key), encoding="ascii")
            file.chmod(0o600)

    # -- processes ---------------------------------------------------------------------------------

    def process(self, *points: str, does: str = "work", saying: Saying | None = None) -> Halting:
        """Start one; the caller kills it or waits for its end."""
        order = Order(
            workspace=str(self.breach.made.workspace.root),
            playbook=self.playbook,
            incident=self.breach.id,
            points=points,
            began=START.isoformat(),
            real_began=self.real_began,
            does=does,
            url=self.service.url,
            saying=saying,
        )
        return Halting(order)

    def killed_at(self, process: Halting) -> str | None:
        """Kill it where it stops, or while the service holds its call; None if it ends by itself."""
        until = time.monotonic() + PATIENCE
        while True:
            if time.monotonic() > until:
                process.kill()
                raise AssertionError("it neither stopped nor ended")
            point = process.halted()
            if point is None and not self.service.held.empty():
                point = f"at_server@{self.service.held.get().strip('/')}"
            if point is not None:
                process.kill()
                self.service.settle()
                if self.checks:
                    self.assert_the_record_holds()
                return point
            if process.ended:
                process.wait()
                return None

    def start(self, *points: str) -> None:
        """Start a run, by a process that is killed at each of these points before it succeeds."""
        for point in points:
            before = len(self.runs())
            assert self.killed_at(self.process(point, does="start")) == point
            assert len(self.runs()) == before + (point == "after_start@"), f"killed {point}"
        if "after_start@" not in points:
            assert self.killed_at(self.process(does="start")) is None

    def start_here(self) -> None:
        """Start a run in this process."""
        house, now = self.house, self.house.clock()
        with self.store.write(self.breach.id, kind="run.started", actor="ana", now=now) as change:
            start_playbook(house, change, self.breach.id, self.playbook, {"__url__": self.service.url})

    def killed_after_progress(self, process: Halting, *, pause: float) -> bool:
        """Kill a worker `pause` seconds after it took a run one step further; False if it was done by then."""
        before, until = self._steps(), time.monotonic() + PATIENCE
        while self._steps() == before and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(pause)
        if process.ended:
            process.wait()
            return False
        process.kill()
        self.service.settle()
        return True

    def _steps(self) -> int:
        return sum(run.version for run in self.runs())

    def work(
        self,
        points: Sequence[str],
        *,
        says: Sequence[str] = (),
        meanwhile: Callable[[], None] = lambda: None,
    ) -> set[str]:
        """Work until every run is over, killed at these points; `says` are those of whoever answers.

        Returns the points at which nothing ever stopped. `meanwhile` is called whenever the run waits.
        """
        left, left_to_say = set(points), set(says)
        while True:
            self.service.hold = {f"/{step}" for window, step in map(_parts, left) if window == "at_server"}
            point = self.killed_at(self.process(*left))
            if point is not None:
                left.discard(point)
                continue
            if not any(run.state == RUNNING for run in self.runs()):
                return left | left_to_say
            meanwhile()
            if not self.answer(left_to_say):
                time.sleep(0.05)  # a timer is waited for

    # -- people ------------------------------------------------------------------------------------

    def answer(self, points: set[str] | None = None, *, some: int | None = None) -> bool:
        """Answer what waits for people (`some` of it), from the service's own counts; False if nothing does.

        While `points` are left, each answer is given by a process that is killed at one of them.
        """
        answered = 0
        for run in self.runs():
            with self.store.read() as session:
                asked = questions(session, self.store, run)
            for each in asked:
                for saying in self._sayings(run, each) if some is None or answered < some else ():
                    answered += 1
                    self._say(saying, points if points is not None else set())
        return answered > 0

    def _say(self, saying: Saying, points: set[str]) -> None:
        while wanted := {point for point in points if _parts(point)[1] in ("", saying.step)}:
            point = self.killed_at(self.process(*wanted, does="answer", saying=saying))
            points.discard(str(point))
            if point is None or point.startswith("after_answer"):
                return  # it is written
        self._say_here(saying)

    def _sayings(self, run: Run, asked: OpenEffect) -> list[Saying]:
        step = self.name_of(run, asked)
        if isinstance(asked.effect, e.AskApproval):
            root = self.breach.made.workspace.root
            with self.store.read() as session:
                heard = voices(session, Subject(STEP_SUBJECT, asked.row.id, asked.hash), drill=False)
            signed = {voice.operator.name for voice in heard}
            return [
                Saying(run.id, step, name, signs_with=str(root / f"{name}.key"))
                for name in ("bo", "cy")
                if name not in signed
            ]
        if isinstance(asked.effect, e.AskOutcome):
            self.asked[step] += 1
            done = self.service.effects[f"{asked.effect.visit}.{asked.effect.index}"] > 0
            values = (("__ticket__", TICKET),) if done and asked.effect.wanted else ()
            return [Saying(run.id, step, "ana", outcome="done" if done else "not_done", values=values)]
        return [] if step == PROBE else [Saying(run.id, step, "ana")]

    def name_of(self, run: Run, asked: OpenEffect) -> str:
        """The short name of a step that waits."""
        which = (run.id, asked.row.step)
        if which not in self.names:
            self.names[which] = short_name(self.store, run, asked.row.step)
        return self.names[which]

    def _say_here(self, saying: Saying) -> None:
        which = (self.house, saying.run, saying.step)
        if saying.signs_with:
            decide_step(*which, signer=self.breach.signers[saying.by], yes=True, reason="read it")
            return
        values = dict(saying.values)
        if saying.outcome:
            answer_outcome(*which, e.CallOutcome(saying.outcome), by=saying.by, values=values, note="")
        else:
            answer_question(*which, success=True, by=saying.by, values=values, note="")

    # -- the account -------------------------------------------------------------------------------

    def runs(self) -> list[Run]:
        with self.store.read() as session:
            return runs_of(session, self.breach.id)

    def measures(self) -> Counter[str]:
        found = load_dossier(self.store, self.breach.id).measures
        return Counter(each.action for each in found if each.origin == "run")

    def assert_everything_was_done_once(self, runs: int = 1) -> None:
        """Every run succeeded, every effect of it happened, and none happened twice but of the repeatable step."""
        self.service.settle()
        assert [run.state for run in self.runs()] == [e.Outcome.succeeded] * runs
        for step in CALLS:
            counts = self.service.paths[f"/{step}"]
            assert len(counts) == runs, f"{step} was called {len(counts)} times over {runs} runs"
            if step != DISABLE:
                assert set(counts.values()) == {1}, f"{step} was done twice: {counts}"
        others = {key: bodies for key, bodies in self.service.bodies.items() if len(bodies) != 1}
        assert others == {}, "a repeated call had other bytes"
        assert self.measures() == {action: count * runs for action, count in MEASURES.items()}
        self.assert_the_record_is_whole()

    def assert_the_record_is_whole(self) -> None:
        """Nothing is open, and the journal proves every row."""
        with self.store.read() as session:
            left = session.exec(select(RunEffect).where(RunEffect.state.in_(OUTSTANDING))).all()  # type: ignore[attr-defined]
            jobs = session.exec(select(Job).where(Job.kind == RUN_JOB)).all()
        assert left == []
        assert {job.state for job in jobs} == {JobState.DONE}
        assert verify(self.store).findings == ()
        self.assert_the_record_holds()

    def assert_the_record_holds(self) -> None:
        """What `incident check` proves holds, also right after a kill."""
        found = check(self.house)
        assert found.holds, [(each.invariant.name, each.faults) for each in found.broken]


def _parts(point: str) -> tuple[str, str]:
    window, _, step = point.partition("@")
    return window, step
