"""The job that advances a run: timers, late work, stopping, telling who watches."""

from __future__ import annotations

from pathlib import Path

from sqlmodel import select

from incident.durable import Runner
from incident.ops.worker import Worker, WorksOn
from incident.response import events as e
from incident.response.effect_states import EffectState
from incident.response.runner import RUN_JOB, is_out_of_time, question_at, run_named
from incident.response.working import Surroundings, advance_run
from incident.store.tables import RunEffect
from tests.support.breaches import QUICK, make_breach
from tests.support.runs import LOOPBACK, Running, install, start
from tests.support.services import CalledService, EffectService


def command_row(running: Running) -> RunEffect:
    with running.breach.made.store.read() as session:
        found = select(RunEffect).where(RunEffect.run_id == running.id, RunEffect.kind == "run_command")
        return session.exec(found).one()


DELAYED = """\
id: playbook--6f3d7c52-2a6e-4e0c-9a53-0c9a1b1d2e3f
name: {en: Waiting, zh-Hans: 等待}
created_by: identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702
created: 2025-11-20T00:00:00.000Z
modified: 2025-11-20T00:00:00.000Z
playbook_types: [mitigation]
agent_definitions:
  team: {type: group, name: {en: Team, zh-Hans: 小组}}
workflow:
  start: {type: start, on_completion: look}
  look:
    type: action
    name: {en: Look, zh-Hans: 查看}
    agent: team
    delay: 3600000
    timeout: 7200000
    commands:
      - type: manual
        command: {en: Look again., zh-Hans: 请再次查看。}
    on_success: end
    on_failure: end
  end: {type: end}
"""


def test_a_timer_fires_when_its_time_has_come_and_not_before(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    folder = breach.made.workspace.root / "playbooks"
    folder.mkdir()
    (folder / "waiting.yaml").write_text(DELAYED, encoding="utf-8")
    running = start(breach, name="waiting")
    running.work()
    assert running.waiting() == set()
    breach.later(minutes=59)
    running.work()
    assert running.waiting() == set()
    breach.later(minutes=2)
    running.work()
    assert running.waiting() == {"look"}
    breach.later(hours=3)
    running.work()
    assert running.waiting() == set()
    assert running.row.state != "running"  # no answer in time took the failure route, and is no yes


def test_a_command_that_no_worker_came_to_is_called_late_rather_than_never(tmp_path: Path) -> None:
    with CalledService() as service:
        breach = make_breach(tmp_path)
        running = start(breach, url=service.url)
        breach.later(hours=1)  # the step's timeout is a minute
        running.work()
        assert len(service.asked) == 1
    assert running.waiting() == {"preserve-evidence", "verify-scope"}


def test_a_worker_that_stops_leaves_the_run_due(tmp_path: Path) -> None:
    with CalledService() as service:
        breach = make_breach(tmp_path)
        running = start(breach, url=service.url)
        runners: list[WorksOn] = []
        worker = Worker(breach.house, on_step=lambda run, effect, result: runners[0].stop(), patience=QUICK)
        worker.work_forever(until_stopped=runners.append)
        assert len(service.asked) == 1 and running.row.state == "running"
        running.work()
    assert len(service.asked) == 1
    assert running.waiting() == {"preserve-evidence", "verify-scope"}


def test_each_step_is_told_to_who_watches_after_it_is_on_record(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    with CalledService() as service:
        breach = make_breach(tmp_path)
        running = start(breach, url=service.url)

        def watch(run_id: str, effect: e.Effect, result: str) -> None:
            told.append((effect.kind, command_row(running).state))

        around = Surroundings(breach.made.clock, breach.house, lambda name: "", LOOPBACK, watch)
        runner = Runner(
            breach.made.store,
            {RUN_JOB: lambda lease: advance_run(lease, breach.made.store, lease.claim.key, around)},
            patience=QUICK,
        )
        runner.work(until=lambda: len(told) > 0)
    assert told == [("run_command", EffectState.SETTLED)]


HURRIED = """\
name: Hurried
created_by: identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702
created: 2025-11-20
playbook_variables:
  __url__: {type: uri, external: true, value: "", description: Address of the service}
agent_definitions:
  machine: {type: http-api, name: Machine, address: {dname: ["__url__:value"]}}
  people: {type: group, name: People}
workflow:
  start: {type: start, on_completion: both}
  both:
    type: parallel
    timeout: 1500
    next_steps: [close, look]
    on_success: end
    on_failure: mend
  close:
    type: action
    agent: machine
    commands: [{type: http-api, command: POST /close HTTP/1.1, headers: {Content-Type: [text/plain]}, content: x}]
    step_extensions: {repeatable: {because: closed stays closed}}
    on_completion: close-end
  close-end: {type: end}
  look: {type: action, agent: people, commands: [{type: manual, command: look}], on_completion: look-end}
  look-end: {type: end}
  mend: {type: action, agent: people, commands: [{type: manual, command: mend}], on_completion: end}
  end: {type: end}
"""


def test_a_time_limit_around_a_call_that_is_to_be_made_again_waits_for_its_outcome(tmp_path: Path) -> None:
    with EffectService() as service:
        service.cut["/close"] = 1
        breach = make_breach(tmp_path)
        install(breach.made.workspace.root, "hurried", HURRIED)
        running = start(breach, name="hurried", given={"__url__": service.url})
        running.work()
        assert running.waiting() == {"look"} and list(service.effects.values()) == [1]
        breach.later(seconds=2)  # the pause before the second call is over, and so is the limit
        running.work()
        assert list(service.effects.values()) == [2]
    assert running.waiting() == {"mend"}


def test_when_the_time_around_a_question_is_over_the_answer_no_sends_nothing_more(tmp_path: Path) -> None:
    careful = "".join(line for line in HURRIED.splitlines(keepends=True) if "repeatable" not in line)
    with EffectService() as service:
        service.cut["/close"] = 1
        breach = make_breach(tmp_path)
        install(breach.made.workspace.root, "careful", careful)
        running = start(breach, name="careful", given={"__url__": service.url})
        running.work()
        assert running.waiting() == {"close", "look"} and not is_late(running, "close")
        breach.later(hours=1)
        running.work()
        assert running.waiting() == {"close"} and is_late(running, "close")
        running.found_out("close", e.CallOutcome.not_done)
        running.work()
        assert list(service.effects.values()) == [1]
    assert running.waiting() == {"mend"}


def is_late(running: Running, step: str) -> bool:
    store = running.breach.made.store
    with store.read() as session:
        run = run_named(session, running.id)
        return is_out_of_time(store, run, question_at(session, store, run, step))


BRANCHES = ("oldest", "middle", "newest", "archive", "mirror", "index", "cache", "queue")
ABREAST = "\n".join(
    (
        "name: Abreast",
        "created_by: identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702",
        "created: 2025-11-20",
        "agent_definitions:",
        '  machine: {type: http-api, name: Machine, address: {url: ["{url}"]}}',
        "workflow:",
        "  start: {type: start, on_completion: all}",
        f"  all: {{type: parallel, next_steps: [{', '.join(BRANCHES)}], on_completion: end}}",
        *(
            f"  {name}: {{type: action, agent: machine, on_completion: {name}-end,"
            f" commands: [{{type: http-api, command: POST /{name} HTTP/1.1}}]}}\n  {name}-end: {{type: end}}"
            for name in BRANCHES
        ),
        "  end: {type: end}",
    )
)


def test_branches_begin_in_the_order_in_which_they_stand(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    with EffectService() as service:
        install(breach.made.workspace.root, "abreast", ABREAST.replace("{url}", service.url))
        running = start(breach, name="abreast")
        running.work()
    assert running.row.state == "succeeded"
    assert list(service.paths) == [f"/{name}" for name in BRANCHES]
