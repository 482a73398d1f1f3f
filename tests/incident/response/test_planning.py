"""The dry run tells the truth: what it shows is what a real run then sends, byte for byte, and it does nothing itself."""

from __future__ import annotations

import base64
import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident.errors import BadInput, NotFound, Refused
from incident.folding import text_width
from incident.ops.house import plan_playbook
from incident.response import events as e
from incident.response.commands import kind_of
from incident.response.commands.going_out import GoingOut, host_rule
from incident.response.leaving import CannotLeave
from incident.response.machine import advance, start
from incident.response.model import Playbook
from incident.response.plan_words import plan_document, plan_lines
from incident.response.planning import Outside, PlannedCall, PlannedStep, PlannedText, RunPlan, plan_run
from incident.response.state import State
from incident.response.step_facts import Reader
from tests.support.breaches import Breach, make_breach
from tests.support.playbooks import Builder
from tests.support.random_playbooks import make, possible
from tests.support.recorded_requests import RecordingServer
from tests.support.runs import Running, install
from tests.support.runs import start as start_run
from tests.support.workspaces import all_rows

FREE = Outside(
    GoingOut(
        hosts=(host_rule("*.example"), host_rule("127.0.0.1")), bash=True, known_hosts=Path("/dev/null")
    ),
    secret_problem=lambda name: None,
)
CHILD = "playbook--22222222-2222-4222-8222-222222222222"


def planned(playbook: Playbook, **given: str) -> RunPlan:
    values = {f"__{name}__": value for name, value in given.items()}
    return plan_run(playbook, {}, values, run="RUN-1", outside=FREE)


def named(plan: RunPlan, name: str) -> PlannedStep:
    found = [step for step in plan.steps.values() if step.row.content.name == name]
    assert len(found) == 1
    return found[0]


def calls(step: PlannedStep) -> list[PlannedCall]:
    return [each for each in step.work if isinstance(each, PlannedCall)]


GOES_WELL = (e.CommandSucceeded, e.Approved, e.InHouseDone)


# -- against the machine -----------------------------------------------------------------------------


def check(plan: RunPlan, state: State, effects: list[e.Effect]) -> None:
    """What the machine asks for is what was shown."""
    for visit in state.visits.values():
        assert plan.steps["", visit.step].entered, (
            "a step was entered of which the dry run said that it is not"
        )
    for effect in effects:
        if not isinstance(effect, e.RunCommand):
            continue
        step = plan.steps["", effect.step]
        shown = {call.key.rpartition(".")[2]: call for call in calls(step)}[str(effect.index)]
        prepared = kind_of(effect.command).prepare(
            effect.command, effect.agent, effect.variables, effect.declared
        )
        if shown.exact:
            assert (shown.request, shown.content) == (prepared.request, prepared.content)
        else:
            assert "⟨" in shown.request + shown.content
        assert shown.timeout_ms == effect.timeout_ms


@given(st.integers(0, 10_000), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_no_random_run_does_other_than_its_dry_run_says(seed: int, course: int) -> None:
    playbook, rng = make(seed), random.Random(course)
    plan = planned(playbook)
    state, effects = start(playbook, {}, run="RUN-1")
    check(plan, state, effects)
    for _ in range(60):
        events = possible(state, rng)
        if state.finished or not events:
            break
        goes_well = [each for each in events if isinstance(each, GOES_WELL)]
        try:
            state, effects = advance(
                state, rng.choice(goes_well if goes_well and rng.random() < 0.8 else events)
            )
        except BadInput:
            continue
        check(plan, state, effects)


# -- against real servers and a real shell ----------------------------------------------------------


OPENC2 = json.dumps(
    {"action": "deny", "target": {"ipv4_net": "__address__:value"}, "args": {"custom": "__who__:value"}}
)
NASTY = 'o\'neil "$(id)"; é &x=1/../\n中'


def sending(port: int) -> str:
    here = f'{{type: http-api, name: M, address: {{url: ["http://127.0.0.1:{port}/api"]}}}}'
    content = base64.b64encode(OPENC2.encode()).decode()
    return f"""
id: playbook--58ef6686-4db9-4291-9bd7-42860797ac76
name: sending
created_by: identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702
created: 2025-11-20T00:00:00.000Z
playbook_variables:
  __who__: {{type: string, external: true}}
  __address__: {{type: ipv4-addr, external: true, value: ""}}
  __count__: {{type: integer, value: "7"}}
  __out__: {{type: string, value: null}}
agent_definitions:
  machine: {here}
  here: {{type: linux, name: H, address: {{dname: [localhost]}}}}
workflow:
  start: {{type: start, on_completion: post}}
  post:
    type: action
    name: post
    agent: machine
    commands:
      - type: http-api
        command: POST /users/__who__:value/lock?why=__who__:value HTTP/1.1
        headers: {{Content-Type: [application/json], X-Case: [fixed]}}
        content: '{{"who": "__who__:value", "count": __count__:value}}'
      - type: http-api
        command: PUT /form HTTP/1.1
        headers: {{Content-Type: [application/x-www-form-urlencoded]}}
        content: who=__who__:value&count=__count__:value
    on_completion: deny
  deny:
    type: action
    name: deny
    agent: machine
    commands:
      - {{type: openc2-http, command: POST /openc2 HTTP/1.1, content_b64: {content}}}
    on_completion: shell
  shell:
    type: action
    name: shell
    agent: here
    commands: [{{type: bash, command: "printf %s __who__:value"}}]
    out_args: [__out__]
    on_completion: end
  end: {{type: end}}
"""


@pytest.fixture
def server() -> Any:
    with RecordingServer() as server:
        yield server


@pytest.fixture
def sender(tmp_path: Path, server: RecordingServer) -> Breach:
    breach = make_breach(tmp_path, playbooks={"hosts": ["127.0.0.1"], "bash": True})
    install(breach.made.workspace.root, "sending", sending(server.port))
    return breach


def dry(breach: Breach, name: str, **given: str) -> RunPlan:
    values = {f"__{key}__": value for key, value in given.items()}
    with breach.made.store.read() as session:
        return plan_playbook(breach.house, session, breach.id, name, values)[0]


def test_a_dry_run_shows_byte_for_byte_what_a_server_and_a_shell_then_receive(
    sender: Breach, server: RecordingServer
) -> None:
    before = all_rows(sender.made.store)
    plan = dry(sender, "sending", who=NASTY, address="203.0.113.9")
    assert all_rows(sender.made.store) == before and server.received == []
    assert plan.refused == []
    running = Running(sender, plan.run)
    started = start_run(sender, name="sending", given={"__who__": NASTY, "__address__": "203.0.113.9"})
    running.work()
    assert (started.id, running.row.state) == (plan.run, e.Outcome.succeeded)
    shown = [*calls(named(plan, "post")), *calls(named(plan, "deny"))]
    assert len(server.received) == len(shown) == 3
    for call, got in zip(shown, server.received, strict=True):
        assert call.exact
        assert call.request == f"{got.method} http://127.0.0.1:{server.port}{got.target}"
        assert call.content.encode() == got.body
        for name, value in call.headers:
            assert got.headers[name] == value
        before_n, after_n = call.key.split("⟨n⟩")
        key = got.headers["Idempotency-Key"]
        assert key.startswith(before_n) and key.endswith(after_n)
        assert key.removeprefix(before_n).removesuffix(after_n).isdigit()
    [shell] = calls(named(plan, "shell"))
    heard = subprocess.run(["/bin/bash", "-c", shell.content], capture_output=True, check=True)
    assert heard.stdout.decode() == NASTY
    with sender.made.store.read() as session:
        from incident.response.runner import run_named, state_of

        state = state_of(sender.made.store, run_named(session, plan.run))
    assert state.variables["__out__"] == NASTY


def test_what_would_be_refused_is_said_and_then_is_refused(tmp_path: Path, server: RecordingServer) -> None:
    breach = make_breach(tmp_path, playbooks={"hosts": [], "bash": False})
    install(breach.made.workspace.root, "sending", sending(server.port))
    plan = dry(breach, "sending", who="x", address="203.0.113.9")
    refused = [(step.row.content.name if step else None, what) for step, what in plan.refused]
    assert [name for name, _ in refused] == ["post", "deny", "shell"]
    assert f"127.0.0.1:{server.port}" in refused[0][1] and "bash = true" in refused[2][1]
    with pytest.raises(CannotLeave) as refusal:
        start_run(breach, name="sending", given={"__who__": "x", "__address__": "203.0.113.9"})
    assert all(f"step “{name}”" in str(refusal.value) for name, _ in refused)
    assert server.received == []


def test_missing_values_and_values_that_do_not_fit_are_all_named(sender: Breach) -> None:
    plan = dry(sender, "sending", address="nowhere")
    assert [what for step, what in plan.refused if step is None] == [
        "the value does not fit its type, ipv4-addr: __address__",
        "a value is missing: __who__",
    ]
    assert "/users/⟨who⟩/lock?why=⟨who⟩" in calls(named(plan, "post"))[0].request
    assert calls(named(plan, "post"))[0].content == '{"who": "⟨who⟩", "count": 7}'
    assert not calls(named(plan, "post"))[0].exact


def test_a_closed_or_unknown_incident_and_playbook_are_refused(sender: Breach) -> None:
    with sender.made.store.read() as session, pytest.raises(NotFound):
        plan_playbook(sender.house, session, sender.id, "no-such")
    with sender.made.store.read() as session, pytest.raises((NotFound, Refused)):
        plan_playbook(sender.house, session, "INC-1999-0001", "sending")


# -- what is certain --------------------------------------------------------------------------------


def call(text: str = "POST /__v__:value HTTP/1.1", **words: Any) -> dict[str, Any]:
    return {
        "type": "action",
        "agent": "machine",
        "commands": [{"type": "http-api", "command": text}],
        **words,
    }


def person(**words: Any) -> dict[str, Any]:
    return {"type": "action", "agent": "people", "commands": [{"type": "manual", "command": "look"}], **words}


END = {"type": "end"}
V = {"__v__": {"type": "string", "value": "first"}}


def test_a_value_that_an_earlier_step_may_change_is_shown_as_unknown_from_then_on(build: Builder) -> None:
    plan = planned(
        build(
            {
                "start": {"type": "start", "on_completion": "before"},
                "before": call(name="before", on_completion="asks"),
                "asks": person(out_args=["__v__"], on_completion="after"),
                "after": call(name="after", on_completion="end"),
                "end": END,
            },
            playbook_variables=V,
        )
    )
    assert calls(named(plan, "before"))[0].request.endswith("/first")
    assert calls(named(plan, "after"))[0].request.endswith("/⟨v⟩")
    assert plan.refused == []


def test_branches_beside_each_other_and_rounds_before_may_change_a_value(build: Builder) -> None:
    loop = {"type": "while-condition", "condition": "__v__:value = 'first'", "on_true": "w1"}
    plan = planned(
        build(
            {
                "start": {"type": "start", "on_completion": "both"},
                "both": {"type": "parallel", "next_steps": ["left", "right"], "on_completion": "end"},
                "left": call(name="left", on_completion="e1"),
                "e1": END,
                "right": person(out_args=["__v__"], on_completion="e2"),
                "e2": END,
                "end": END,
            },
            playbook_variables=V,
        )
    )
    assert calls(named(plan, "left"))[0].request.endswith("/⟨v⟩")
    plan = planned(
        build(
            {
                "start": {"type": "start", "on_completion": "again"},
                "again": {**loop, "on_completion": "end"},
                "w1": call(name="w1", on_completion="w2"),
                "w2": person(out_args=["__v__"], on_completion="e1"),
                "e1": END,
                "end": END,
            },
            playbook_variables=V,
        )
    )
    assert calls(named(plan, "w1"))[0].request.endswith("/⟨v⟩")


def test_a_certain_condition_says_which_way_and_the_other_refuses_nothing(build: Builder) -> None:
    workflow = {
        "start": {"type": "start", "on_completion": "if"},
        "if": {
            "type": "if-condition",
            "name": "if",
            "condition": "__v__:value = ''",
            "on_true": "yes",
            "on_false": "no",
            "on_completion": "end",
        },
        "yes": call(name="yes", on_completion="e1"),
        "e1": END,
        "no": call("POST / HTTP/1.1", name="no", agent="elsewhere", on_completion="e2"),
        "e2": END,
        "end": END,
    }
    elsewhere = {"type": "http-api", "name": "E", "address": {"dname": ["elsewhere.invalid"]}}
    agents = {
        "machine": {"type": "http-api", "name": "M", "address": {"dname": ["machine.example"]}},
        "elsewhere": elsewhere,
    }
    variables = {"__v__": {"type": "string", "external": True, "value": ""}}
    playbook = build(workflow, playbook_variables=variables, agent_definitions=agents)
    empty, other = planned(playbook), planned(playbook, v="x")
    assert (named(empty, "yes").entered, named(empty, "no").entered) == (True, False)
    assert (named(other, "yes").entered, named(other, "no").entered) == (False, True)
    assert empty.refused == []
    assert ["elsewhere.invalid:443" in what for _, what in other.refused] == [True]
    text = "\n".join(plan_lines(empty, "INC-1", Reader("en", {}), width=80))
    assert "if so — now: this one" in text and "if not — now: not this one" in text
    assert "Nothing would be refused now." in text


def test_an_unreadable_value_asks_a_person_and_an_unset_one_is_a_refusal(build: Builder) -> None:
    plan = planned(
        build(
            {
                "start": {"type": "start", "on_completion": "if"},
                "if": {
                    "type": "if-condition",
                    "name": "if",
                    "condition": "__u__:value > 3",
                    "on_true": "yes",
                    "on_completion": "end",
                },
                "yes": call("POST /__u__:value HTTP/1.1", name="yes", on_completion="e1"),
                "e1": END,
                "end": END,
            },
            playbook_variables={"__u__": {"type": "integer", "value": None}},
        )
    )
    decided = named(plan, "if").decided
    assert decided is not None and decided.asks and decided.reason
    assert [what for _, what in plan.refused] == ["u has no value, and no step before gives it one"]


def test_a_called_playbook_stands_in_its_place_with_what_goes_in(build: Builder) -> None:
    child = build(
        {
            "start": {"type": "start", "on_completion": "deep"},
            "deep": call("POST /__v__:value/__w__:value HTTP/1.1", name="deep", on_completion="end"),
            "end": END,
        },
        id=CHILD,
        playbook_variables={
            "__v__": {"type": "string", "external": True},
            "__w__": {"type": "string", "external": True, "value": "own"},
        },
    )
    parent = build(
        {
            "start": {"type": "start", "on_completion": "call"},
            "call": {
                "type": "playbook-action",
                "name": "call",
                "playbook_id": CHILD,
                "in_args": ["__v__"],
                "on_completion": "end",
            },
            "end": END,
        },
        playbook_variables=V,
    )
    plan = plan_run(parent, {CHILD: child}, {}, run="RUN-1", outside=FREE)
    assert calls(named(plan, "deep"))[0].request.endswith("/first/own")
    assert named(plan, "call").given == {"__v__": "first", "__w__": "own"}
    assert "v = first" in "\n".join(plan_lines(plan, "INC-1", Reader("en", {CHILD: child}), width=80))


def test_secrets_are_named_never_shown_and_a_missing_one_is_a_refusal(build: Builder) -> None:
    secret = {"type": "oauth2", "name": "S", "kms": True, "kms_key_identifier": "service-key"}
    secret |= {"oauth_header": "Bearer", "token": ""}
    agent = {"type": "http-api", "name": "M", "address": {"dname": ["machine.example"]}}
    playbook = build(
        {
            "start": {"type": "start", "on_completion": "one"},
            "one": call("POST / HTTP/1.1", name="one", on_completion="end"),
            "end": END,
        },
        authentication_info_definitions={"login": secret},
        agent_definitions={"machine": {**agent, "authentication_info": "login"}},
    )
    outside = Outside(FREE.rules, secret_problem=lambda name: f"{name}: it is not there")
    plan = plan_run(playbook, {}, {}, run="RUN-1", outside=outside)
    assert [what for _, what in plan.refused] == ["service-key: it is not there"]
    [shown] = calls(named(plan, "one"))
    assert shown.secret == "service-key"
    assert "service-key" in "\n".join(plan_lines(plan, "INC-1", Reader("en", {}), width=80))


def test_what_takes_a_measure_back_and_what_people_are_asked_is_shown(build: Builder) -> None:
    containment = {
        "action_ids": ["contain.lock-account"],
        "undo_commands": [{"type": "http-api", "command": "POST /unlock/__v__:value HTTP/1.1"}],
    }
    gate = {"approver_roles": ["approver"], "quorum": 2}
    ask = [{"type": "manual", "command": "May __v__:value be locked?"}]
    plan = planned(
        build(
            {
                "start": {"type": "start", "on_completion": "ask"},
                "ask": person(
                    name="ask",
                    commands=ask,
                    step_extensions={"approval": gate},
                    on_completion="one",
                ),
                "one": call(
                    name="one", step_extensions={"containment_action": containment}, on_completion="end"
                ),
                "end": END,
            },
            playbook_variables=V,
        )
    )
    [back] = named(plan, "one").undo
    assert isinstance(back, PlannedCall) and back.request == "POST https://machine.example:443/unlock/first"
    assert named(plan, "ask").work == (PlannedText("approval", {"en": "May first be locked?"}),)
    document = plan_document(plan, "INC-1", Reader("en", {}))
    assert json.loads(json.dumps(document))["steps"][2]["undo"][0]["request"] == back.request


@given(st.integers(0, 10_000), st.sampled_from(["en", "zh-Hans"]))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_dry_run_is_drawn_within_the_width(seed: int, language: str) -> None:
    plan = planned(make(seed))
    reader = Reader(language, {})
    assert max(text_width(line) for line in plan_lines(plan, "INC-1", reader, width=80)) <= 80
    json.dumps(plan_document(plan, "INC-1", reader))


def test_a_value_cannot_move_the_cursor_of_who_reads_a_dry_run(build: Builder) -> None:
    playbook = build(
        {
            "start": {"type": "start", "on_completion": "one"},
            "one": call("POST / HTTP/1.1", name="one", on_completion="end"),
            "end": END,
        },
        playbook_variables={"__v__": {"type": "string", "external": True, "value": ""}},
    )
    lines = plan_lines(planned(playbook, v="\x1b[2J\u202e"), "INC-1", Reader("en", {}), width=80)
    assert not [line for line in lines if "\x1b" in line or "\u202e" in line]
