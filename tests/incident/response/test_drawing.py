"""Playbooks drawn in a terminal and as a flowchart: every step once, nothing too wide, nothing that escapes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.folding import text_width
from incident.ops.house import read_with_children
from incident.response.drawing import document, draw
from incident.response.extensions import EXTENSION_IDS, Extension
from incident.response.mermaid import mermaid
from incident.response.model import Playbook
from incident.response.outline import RowKind, Way, outline
from tests.support.playbooks import Builder
from tests.support.random_playbooks import make

CALLED = "playbook--22222222-2222-4222-8222-222222222222"


def step(**words: Any) -> dict[str, Any]:
    manual = [{"type": "manual", "command": "look"}]
    return {"type": "action", "agent": "people", "commands": manual, **words}


@given(st.integers(0, 10_000), st.sampled_from(["en", "zh-Hans"]), st.integers(60, 100))
@settings(max_examples=60, deadline=None)
def test_any_playbook_is_drawn_with_every_step_exactly_once(seed: int, language: str, width: int) -> None:
    playbook = make(seed)
    rows = outline(playbook)
    assert Counter(row.step for row in rows if row.kind is RowKind.step) == Counter(list(playbook.workflow))
    lines = draw(playbook, children={}, language=language, width=width)
    assert all(text_width(line) <= width for line in lines)
    shown = document(playbook, children={}, deep=False, language=language)
    assert sorted(each["id"] for each in shown["steps"]) == sorted(playbook.workflow)
    assert [each["number"] for each in shown["steps"]] == list(range(1, len(playbook.workflow) + 1))
    chart = mermaid(playbook, children={}, language=language)
    boxes = re.findall(r"^    n(\d+)[\[({]", chart, re.MULTILINE)
    assert len(boxes) == len(set(boxes)) == len(playbook.workflow)


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_every_row_of_the_shipped_playbook_fits_in_80_columns(language: str) -> None:
    playbook, children = read_with_children(None, "personal-data-breach")
    lines = draw(playbook, children=children, language=language, width=80)
    assert max(map(text_width, lines)) <= 80
    assert not [line for line in lines if line != line.rstrip()]


def everything() -> dict[str, Any]:
    """A workflow with each kind of way."""
    end = {"type": "end"}
    gate = {"approver_roles": ["approver", "counsel"], "quorum": 2}
    call = {"type": "http-api", "command": "POST /lock/__who__:value HTTP/1.1"}
    return {
        "start": {"type": "start", "on_completion": "choose"},
        "choose": {
            "type": "switch-condition",
            "name": "Which?",
            "switch": "__who__:value",
            "cases": {"root": "as-root", "default": "as-other"},
            "on_completion": "both",
        },
        "as-root": step(on_completion="e1"),
        "e1": end,
        "as-other": step(on_completion="e2"),
        "e2": end,
        "both": {"type": "parallel", "next_steps": ["left", "again"], "on_completion": "gate"},
        "left": step(
            agent="machine",
            commands=[call],
            timeout=90_000,
            delay=5000,
            out_args=["__who__"],
            step_extensions={
                "containment_action": {"action_ids": ["contain.lock-account"], "expires_after": 86_400_000},
                "retries": {"most": 3, "pause": 2000},
            },
            on_success="e3",
            on_failure="by-hand",
        ),
        "e3": end,
        "by-hand": step(on_completion="e3"),
        "again": {
            "type": "while-condition",
            "condition": "__who__:value = 'x'",
            "on_true": "round",
            "step_extensions": {"loop": {"most_rounds": 7}},
            "on_completion": "e4",
        },
        "round": step(on_completion="e5"),
        "e5": end,
        "e4": end,
        "gate": step(step_extensions={"approval": gate}, on_completion="e6"),
        "e6": end,
        "sorry": step(on_completion="e7"),
        "e7": end,
    }


@pytest.fixture
def whole(build: Builder) -> Playbook:
    variables = {"__who__": {"type": "string", "external": True}}
    return build(everything(), workflow_exception="sorry", playbook_variables=variables)


def test_the_drawing_says_who_what_where_and_what_if(whole: Playbook) -> None:
    text = "\n".join(draw(whole, children={}, language="en", width=80))
    for saying in (
        "takes who (must be given)",
        "by the value of ⟨who⟩",
        "case “root”",
        "otherwise",
        "http-api → Machine (machine.example)",
        "POST /lock/⟨who⟩ HTTP/1.1",
        "waits 5 s first; fails after 1 min 30 s; tried again 3 times at most, 2 s apart",
        "measure: Lock an account (contain.lock-account)",
        "taken back by: Unlock an account",
        "looked at again after 1 d",
        "7 rounds at most",
        "GATE: 2 with the role approver or counsel must approve",
        "PEOPLE: People",
        "exception route",
    ):
        assert saying in " ".join(text.replace("│", " ").split()), saying
    assert re.search(r"if it fails\n.*by-hand", text)
    assert text.count("at the same time") == 2


def test_in_chinese_every_word_that_is_ours_is_chinese(whole: Playbook) -> None:
    text = "\n".join(draw(whole, children={}, language="zh-Hans", width=80))
    for saying in (
        "取值为“root”时",
        "其他取值",
        "审批：须由 2 名批准人或法务人员批准",
        "最多 7 轮",
        "异常路径",
        "停用账号",
    ):
        assert saying in text, saying
    ours = [word for word in ("GATE", "PEOPLE", "if it", "otherwise", "measure") if word in text]
    assert not ours


def test_a_called_playbook_is_named_and_with_deep_drawn_in_its_place(build: Builder) -> None:
    child = build(
        {
            "start": {"type": "start", "on_completion": "inside"},
            "inside": step(name="Deep inside", on_completion="end"),
            "end": {"type": "end"},
        },
        id=CALLED,
        name="The child",
    )
    parent = build(
        {
            "start": {"type": "start", "on_completion": "call"},
            "call": {"type": "playbook-action", "playbook_id": CALLED, "on_completion": "end"},
            "end": {"type": "end"},
        }
    )
    children = {CALLED: child}
    flat = "\n".join(draw(parent, children=children))
    assert "calls the playbook “The child”" in flat and "Deep inside" not in flat
    deep = "\n".join(draw(parent, children=children, deep=True))
    assert deep.count("Deep inside") == 1
    assert "└─ the playbook “The child”" in deep
    assert sum(row.way is Way.called for row in outline(parent, children)) == 1
    assert "a playbook that is not here" in "\n".join(draw(parent, children={}))
    assert "Deep inside" in mermaid(parent, children=children, deep=True)


def test_calls_within_calls_are_not_opened_without_end(build: Builder) -> None:
    """Eight playbooks that each call the next ten times would be a hundred million rows."""
    books: dict[str, Playbook] = {}
    for number in range(8, 0, -1):
        own = f"playbook--{number:08d}-2222-4222-8222-222222222222"
        below = f"playbook--{number + 1:08d}-2222-4222-8222-222222222222"
        names = [f"s{n}" for n in range(10)]
        steps: dict[str, Any] = {"start": {"type": "start", "on_completion": "s0"}, "end": {"type": "end"}}
        for name, following in zip(names, [*names[1:], "end"], strict=True):
            steps[name] = {"type": "playbook-action", "playbook_id": below, "on_completion": following}
        books[own] = build(steps, id=own)
    first = books.pop("playbook--00000001-2222-4222-8222-222222222222")
    assert len(outline(first, books)) < 25_000


def test_ten_thousand_nested_steps_are_drawn_within_the_width(form: Callable[..., dict[str, Any]]) -> None:
    """Such a playbook is hostile; it costs no stack and leaves room for words at any depth."""
    depth = 3000
    agent = "group--11111111-1111-4111-8111-111111111111"
    workflow: dict[str, Any] = {"start--0": {"type": "start", "on_completion": "if--0"}}
    for n in range(depth):
        inner = f"if--{n + 1}" if n + 1 < depth else "end--inner"
        workflow[f"if--{n}"] = {
            "type": "if-condition",
            "condition": "__x__:value = 1",
            "on_true": inner,
            "on_completion": f"end--{n}",
        }
        workflow[f"end--{n}"] = {"type": "end"}
    workflow["end--inner"] = {"type": "end"}
    whole = {
        "type": "playbook",
        "spec_version": "cacao-2.0",
        "id": CALLED,
        "name": "deep",
        "created_by": agent,
        "created": "2025-11-20T00:00:00.000Z",
        "modified": "2025-11-20T00:00:00.000Z",
        "workflow_start": "start--0",
        "workflow": workflow,
    }
    lines = draw(Playbook.model_validate(whole), children={}, width=80)
    assert max(map(text_width, lines)) <= 80
    assert sum("if--" in line for line in lines) >= depth


def test_a_circle_and_a_step_that_is_not_there_are_drawn_too(build: Builder) -> None:
    playbook = build(
        {
            "start": {"type": "start", "on_completion": "one"},
            "one": step(on_success="two", on_failure="two"),
            "two": step(on_completion="one"),
            "lost": step(on_completion="end"),
            "end": {"type": "end"},
        }
    )
    broken = playbook.model_copy(
        update={
            "workflow": {
                key: each.model_copy(update={"on_completion": "action--gone"})
                if each.on_completion and key == list(playbook.workflow)[3]
                else each
                for key, each in playbook.workflow.items()
            }
        }
    )
    text = "\n".join(draw(broken, children={}))
    assert "on with 2" in text and "no way leads here" in text and "which does not exist" in text


def test_words_of_a_playbook_cannot_leave_their_box_nor_move_the_cursor(build: Builder) -> None:
    nasty = 'a"]; click n1 "javascript:alert(1)"\x1b[2J\nend %% --> #quot;'
    playbook = build(
        {
            "start": {"type": "start", "on_completion": "one"},
            "one": step(name=nasty, on_completion="end"),
            "end": {"type": "end"},
        },
        name="x\nclick n1\x1b[2J",
    )
    chart = mermaid(playbook, children={})
    assert "\x1b" not in chart and "click n1" not in chart.split("flowchart TD")[1].replace(
        "click n1 #34", ""
    )
    box = next(line for line in chart.splitlines() if line.startswith("    n2"))
    assert box.count('"') == 2 and chart.splitlines()[0].startswith("%% x")
    assert chart.splitlines()[1] == "flowchart TD"
    assert "\x1b" not in "\n".join(draw(playbook, children={}))


def test_the_names_of_our_extensions_have_words_in_both_languages() -> None:
    from incident.response.drawing_words import CHINESE, ENGLISH

    assert set(ENGLISH) == set(CHINESE)
    assert {str(each) for each in Way} <= set(ENGLISH)
    assert set(EXTENSION_IDS) == set(Extension)
