"""The biggest playbook there is, its services, and the people who answer while workers are killed under it.

Branches in parallel with a gate in one of them, a call that is refused at first, a switch, a loop, a called playbook
with branches of its own, a second gate. Of its calls only those of `REPEATABLE` may be made twice by themselves.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlmodel import select

from incident.durable import JobState
from incident.errors import StoreUnavailable
from incident.ops.house import start_playbook
from incident.record.decisions import Subject, approvals, voices
from incident.response import events as e
from incident.response.deciding import STEP_SUBJECT
from incident.response.runner import RUN_JOB, RUNNING, OpenEffect
from incident.store.tables import Job, Run, RunEffect
from tests.support.halting import Halting, Saying
from tests.support.ordeals import TICKET, Ordeal
from tests.support.runs import install
from tests.support.services import EffectService

BIG, COLLECTING = "big", "collecting"
ROUNDS, REPORT = 3, "R-1"
REFUSED_AT_FIRST, CHECK = "block", "check-session"
GATES = ("isolate", "tell")
OF_THE_CHILD = ("collect", "scan-a", "scan-b")
ONCE = ("look-up", "isolate", REFUSED_AT_FIRST, "revoke", "collect", "scan-a", "tell", "close")
REPEATABLE = ("lock", CHECK, "scan-b")
CALLS_OF_A_RUN = {name: ROUNDS if name == CHECK else 1 for name in (*ONCE, *REPEATABLE)}
MEASURES_OF_A_RUN = {"contain.lock-account": 1, "contain.block-ip": 1, "contain.revoke-credential": 1}


def _call(
    name: str, then: str, *, out: str = "", extensions: str = "", more: str = "", first: str = ""
) -> str:
    """A step that calls, in the form's words."""
    outs = f"out_args: [{out}]" if out else "in_args: []"
    return f"""
  {name}:
    type: action
    agent: machine
    commands:{first}
      - type: http-api
        command: POST /{name} HTTP/1.1
        headers: {{Content-Type: [application/json]}}
        content: '{{"step": "{name}", "case": "__case__:value"}}'
    step_extensions: {{{extensions}}}
    {outs}{more}
    on_completion: {then}"""


def _gate(name: str, then: str) -> str:
    question = f"\n      - {{type: manual, command: May {name} go on?}}"
    return _call(name, then, first=question, extensions="approval: {approver_roles: [approver], quorum: 2}")


def _measure(name: str, then: str, action: str, *, extensions: str = "") -> str:
    return _call(name, then, extensions=f"containment_action: {{action_ids: [contain.{action}]}}{extensions}")


_TWICE_IS_AS_ONCE = "repeatable: {because: twice is as once}"
_HEAD = """\
created_by: identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702
created: 2025-11-20
agent_definitions:
  machine: {type: http-api, name: Machine, address: {dname: ["__url__:value"]}}
  people: {type: group, name: People}
playbook_variables:
  __url__: {type: uri, external: true, value: "", description: Address of the services}
  __case__: {type: string, external: true, value: "", description: Which case it is}
  __report__: {type: string, value: ""}
"""
_COLLECTING_ID = "playbook--5f0f7a5e-0c5a-4d3c-9a59-0d1c27b7a1de"
_BIG = f"""\
name: Big
{_HEAD}  __ticket__: {{type: string, value: ""}}
  __state__: {{type: string, value: alive}}
workflow:
  start: {{type: start, on_completion: look-up}}
{_call("look-up", "contain", out="__ticket__")}
  contain: {{type: parallel, next_steps: [lock, isolate, {REFUSED_AT_FIRST}, count], on_completion: which}}
{_measure("lock", "lock-end", "lock-account", extensions=f", {_TWICE_IS_AS_ONCE}")}
  lock-end: {{type: end}}
{_gate("isolate", "isolate-end")}
  isolate-end: {{type: end}}
{_measure(REFUSED_AT_FIRST, "block-end", "block-ip", extensions=", retries: {most: 2, pause: 200}")}
  block-end: {{type: end}}
  count:
    type: action
    agent: people
    commands: [{{type: manual, command: Count who is affected.}}]
    on_completion: count-end
  count-end: {{type: end}}
  which:
    type: switch-condition
    switch: __ticket__
    cases: {{{TICKET}: revoke, default: other}}
    on_completion: sessions
{_measure("revoke", "revoke-end", "revoke-credential")}
  revoke-end: {{type: end}}
{_call("other", "other-end")}
  other-end: {{type: end}}
  sessions:
    type: while-condition
    condition: "__state__:value != 'dead'"
    on_true: {CHECK}
    step_extensions: {{loop: {{most_rounds: 5}}}}
    on_completion: gather
{_call(CHECK, "check-end", out="__state__", extensions=_TWICE_IS_AS_ONCE)}
  check-end: {{type: end}}
  gather:
    type: playbook-action
    playbook_id: {_COLLECTING_ID}
    in_args: [__url__, __case__]
    out_args: [__report__]
    on_completion: severe
  severe: {{type: if-condition, condition: "__report__:value = '{REPORT}'", on_true: tell, on_completion: close}}
{_gate("tell", "tell-end")}
  tell-end: {{type: end}}
{_call("close", "end")}
  end: {{type: end}}
"""
_CHILD = f"""\
id: {_COLLECTING_ID}
name: Collecting
{_HEAD}workflow:
  start: {{type: start, on_completion: collect}}
{_call("collect", "both", out="__report__")}
  both: {{type: parallel, next_steps: [scan-a, scan-b], on_completion: end}}
{_call("scan-a", "a-end")}
  a-end: {{type: end}}
{_call("scan-b", "b-end", extensions=_TWICE_IS_AS_ONCE)}
  b-end: {{type: end}}
  end: {{type: end}}
"""


class Services(EffectService):
    """What the playbook calls. The session of each case is dead at the last of its checks; each block is refused once."""

    def __init__(self, **words: Any) -> None:
        super().__init__(**words)
        self.checks: dict[str, list[str]] = {}
        self.refused: Counter[str] = Counter()
        self.first_at: dict[str, datetime] = {}

    def respond(self, path: str, key: str, body: bytes) -> tuple[int, dict[str, Any]]:
        self.first_at.setdefault(key, datetime.now(UTC))
        step, case = path.strip("/"), json.loads(body)["case"]
        if step == REFUSED_AT_FIRST and not self.refused[key]:
            self.refused[key] += 1
            return 429, {}
        if step == CHECK:
            known = self.checks.setdefault(case, [])
            if key not in known:
                known.append(key)
        return 200, self.values_of(key, case)

    def values_of(self, key: str, case: str) -> dict[str, Any]:
        """What the answer to a call says."""
        known = self.checks.get(case, [])
        dead = key in known and known.index(key) + 1 >= ROUNDS
        return {"ticket": TICKET, "state": "dead" if dead else "alive", "report": REPORT}


@dataclass
class SharedRuns(Ordeal):
    """Runs of it whose workers are somebody else's. Who approves does so in a process of their own."""

    playbook: str = BIG
    cases: dict[str, str] = field(default_factory=dict)
    signing: dict[tuple[str, str, str], Halting] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        install(self.breach.made.workspace.root, BIG, _BIG)
        install(self.breach.made.workspace.root, COLLECTING, _CHILD)

    def start_here(self) -> None:
        case, now = f"C-{len(self.cases) + 1}", self.house.clock()
        values = {"__url__": self.service.url, "__case__": case}
        with self.store.write(self.breach.id, kind="run.started", actor="ana", now=now) as change:
            self.cases[start_playbook(self.house, change, self.breach.id, self.playbook, values)] = case

    def all_over(self) -> bool:
        """Whether every run and its job have ended and nobody signs; False while the database is away."""
        undone = select(Job.key).where(Job.kind == RUN_JOB, Job.state != JobState.DONE)
        # The job of a run that waits for a person is done until they answer.
        running = select(Run.id).where(Run.state == RUNNING)
        with suppress(StoreUnavailable), self.store.read() as session:
            found = (session.exec(undone).first(), session.exec(running).first())
            return not self.signing and found == (None, None)
        return False

    def steps(self) -> int:
        """How many steps forward all runs took."""
        return self._steps()

    def assert_every_gate_was_signed(self) -> int:
        """No gate was passed without two valid signatures, and nothing behind one was called before; returns how many."""
        assert isinstance(self.service, Services)
        passed = 0
        for run in self.runs():
            with self.store.read() as session:
                gates = session.exec(
                    select(RunEffect).where(RunEffect.run_id == run.id, RunEffect.kind == "ask_approval")
                ).all()
                assert len(gates) == len(GATES)
                for gate in gates:
                    effect = e.AskApproval.model_validate(
                        self.store.open(gate, incident_id=run.incident_id)["effect"]
                    )
                    subject = Subject(STEP_SUBJECT, gate.id, OpenEffect(gate, effect).hash)
                    heard = approvals(voices(session, subject, drill=False))
                    assert {each.operator.name for each in heard} == {"bo", "cy"}
                    called_at = self.service.first_at[f"{effect.visit}.{effect.index + 1}"]
                    assert all(each.decision.decided_at <= called_at for each in heard)
                    passed += 1
        return passed

    def _say(self, saying: Saying, points: set[str]) -> None:
        if not saying.signs_with:
            self._say_here(saying)
            return
        which = (saying.run, saying.step, saying.by)
        if which in self.signing and not self.signing[which].ended:
            return
        if which in self.signing:
            self.signing.pop(which).wait()
        else:
            self.signing[which] = self.process(does="answer", saying=saying)

    def signatures_end(self) -> None:
        """Those who signed have gone home; raises for one who could not."""
        for which, process in list(self.signing.items()):
            if process.ended:
                process.wait()
                del self.signing[which]

    def _sayings(self, run: Run, asked: OpenEffect) -> list[Saying]:
        if not isinstance(asked.effect, e.AskOutcome):
            return super()._sayings(run, asked)
        step = self.name_of(run, asked)
        self.asked[step] += 1
        key = f"{asked.effect.visit}.{asked.effect.index}"
        done = self.service.effects[key] > 0
        assert isinstance(self.service, Services)
        found = self.service.values_of(key, self.cases[run.id]) if done else {}
        values = tuple((name, found[name.strip("_")]) for name in asked.effect.wanted if found)
        return [Saying(run.id, step, "ana", outcome="done" if done else "not_done", values=values)]
