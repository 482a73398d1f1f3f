"""The playbook that takes containment back: a pure function of what was kept of it.

One step for each, the last done first, with the commands, agents and values of then. A step that fails leaves its
containment in force and asks a person; a person who could not do it either ends the run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from incident.record.facts import in_language
from incident.record.measures import measure_catalogue
from incident.response.compile import compile_form, derived_id
from incident.response.containment import UNDO_LABEL
from incident.response.events import LocalText
from incident.response.extensions import OUR_IDENTITY, BlastRadius
from incident.response.model import MANUAL, Playbook
from incident.response.variables import references

ACTIVITY = "restore-capabilities"
WIDE = frozenset({BlastRadius.one_service, BlastRadius.many_people})
"""What many notice is taken back only when somebody else agrees."""
_LANGUAGES = ("en", "zh-Hans")
_APPROVE = "approve"
_AGENT = "those-who-approve"
_WORDS = {
    "en": {
        "name": "Take back what {run} contained",
        "back": "Take back: {title}",
        "by_hand": "Take back by hand: {title}",
        "do": "Take this back by hand: {title}{on}. That is: {measures}. Answer once it is done.",
        "failed": "Taking this back did not work: {title}{on}. It is still in force. "
        "Look at it there and take it back by hand ({measures}), or answer that it could not be done.",
        "approve": "Agree to taking this back: {titles}. Many people notice it: is the danger over?",
        "approve_name": "Agree to taking it back",
        "approvers": "Approvers",
        "responders": "Responders",
        "on": ", on {whom}",
        "and": "; ",
    },
    "zh-Hans": {
        "name": "撤回 {run} 采取的遏制措施",
        "back": "撤回：{title}",
        "by_hand": "人工撤回：{title}",
        "do": "请人工撤回这项措施：{title}{on}。应做的是：{measures}。完成后请答复。",
        "failed": "未能撤回这项措施：{title}{on}。措施仍然有效。请到现场核实后人工撤回（{measures}）；确实无法撤回的，请答复未能完成。",
        "approve": "请决定是否撤回：{titles}。撤回会影响较多人，请先确认危险已经消除。",
        "approve_name": "同意撤回",
        "approvers": "审批人",
        "responders": "应急处置人员",
        "on": "，对象：{whom}",
        "and": "；",
    },
}


@dataclass(frozen=True)
class Piece:
    """One containment that can be taken back. `name` is a short name of its own; `content` what was kept of it."""

    row: str
    name: str
    content: Mapping[str, Any]

    @property
    def title(self) -> Mapping[str, str]:
        return dict(self.content["title"])

    @property
    def commands(self) -> list[dict[str, Any]]:
        return list(self.content["undo_commands"])

    @property
    def by_people(self) -> bool:
        """Whether only people can take it back."""
        return all(each.get("type") == MANUAL for each in self.commands)


def can_be_taken_back(content: Mapping[str, Any]) -> bool:
    """Whether there is a way back: commands, or an inverse that a person can carry out."""
    return bool(content["undo_commands"] or content["undo"])


def needs_approval(pieces: Sequence[Piece]) -> bool:
    """Whether somebody else must agree first."""
    return any(each.content["blast_radius"] in WIDE for each in pieces)


def undo_playbook(
    run: str, pieces: Sequence[Piece], *, at: datetime
) -> tuple[Playbook, dict[str, tuple[str, ...]]]:
    """The playbook that takes these back in their order, and for each row the steps that do it.

    `pieces` must not be empty. `at` is when it is made.
    """
    form: dict[str, Any] = {
        "name": _in_both("name", run=run),
        "created_by": OUR_IDENTITY,
        "created": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z",
        "labels": [UNDO_LABEL],
        "agent_definitions": {"people": {"type": "group", "name": _in_both("responders")}},
        "target_definitions": {},
        "authentication_info_definitions": {},
    }
    asks = needs_approval(pieces)
    workflow: dict[str, Any] = {
        "start": {"type": "start", "on_completion": _APPROVE if asks else pieces[0].name}
    }
    if asks:
        form["agent_definitions"][_AGENT] = {"type": "group", "name": _in_both("approvers")}
        workflow[_APPROVE] = _approval(pieces)
    for position, piece in enumerate(pieces):
        following = pieces[position + 1].name if position + 1 < len(pieces) else "end"
        _add_ends(form, piece)
        workflow |= _steps(piece, following)
    workflow["end"] = {"type": "end"}
    for section in ("target_definitions", "authentication_info_definitions"):
        if not form[section]:
            del form[section]
    found = compile_form({**form, "workflow": workflow}, name=f"undo of {run}")
    steps = {
        piece.row: tuple(
            derived_id(found["id"], "workflow", name, "action")
            for name in (piece.name, _by_hand(piece))
            if name in workflow
        )
        for piece in pieces
    }
    return Playbook.model_validate(found), steps


def _in_both(word: str, **values: str | Mapping[str, str]) -> dict[str, str]:
    found = {}
    for language in _LANGUAGES:
        said = {
            key: value if isinstance(value, str) else in_language(value, language)
            for key, value in values.items()
        }
        found[language] = _WORDS[language][word].format_map({key: _plain(each) for key, each in said.items()})
    return found


def _plain(text: str) -> str:
    """Words that are data: what looks like a variable in them is none."""
    return re.sub(r":(?=value)", ": ", text)


def _approval(pieces: Sequence[Piece]) -> dict[str, Any]:
    titles = {
        language: _WORDS[language]["and"].join(in_language(each.title, language) for each in pieces)
        for language in _LANGUAGES
    }
    return {
        "type": "action",
        "name": _in_both("approve_name"),
        "agent": _AGENT,
        "commands": [{"type": MANUAL, "command": _in_both("approve", titles=titles)}],
        "step_extensions": {
            "approval": {"approver_roles": ["approver"], "quorum": 1, "separation_of_duties": True}
        },
        "on_success": pieces[0].name,
    }


def _by_hand(piece: Piece) -> str:
    return f"{piece.name}-by-hand"


def _steps(piece: Piece, following: str) -> dict[str, Any]:
    """The step that takes it back, and where that calls a machine, the one that asks a person when it failed."""
    if not piece.commands:
        return {piece.name: _manual(piece, "do", following)}
    step: dict[str, Any] = {
        "type": "action",
        "name": _in_both("back", title=piece.title),
        "agent": f"{piece.name}-{_position(piece, piece.content['agent'])}",
        "commands": [{"playbook_activity": ACTIVITY, **each} for each in piece.commands],
        **_extensions(piece),
    }
    if piece.content["targets"]:
        step["targets"] = [f"{piece.name}-{_position(piece, each)}" for each in piece.content["targets"]]
    if piece.content["timeout"] is not None:
        step["timeout"] = piece.content["timeout"]
    if values := _values(piece):
        step["step_variables"] = values
    if piece.by_people:
        return {piece.name: {**step, "on_success": following}}
    step |= {"on_success": following, "on_failure": _by_hand(piece)}
    return {piece.name: step, _by_hand(piece): _manual(piece, "failed", following)}


def _manual(piece: Piece, word: str, following: str) -> dict[str, Any]:
    known, content = measure_catalogue(), piece.content
    on = {language: _on(content["whom"], language) for language in _LANGUAGES}
    measures = {
        language: _WORDS[language]["and"].join(
            known[each].title[language] if each in known else each for each in content["undo"]
        )
        or in_language(piece.title, language)
        for language in _LANGUAGES
    }
    command = _in_both(word, title=piece.title, on=on, measures=measures)
    return {
        "type": "action",
        "name": _in_both("by_hand", title=piece.title),
        "agent": f"{piece.name}-owner" if content["owner_agent"] else "people",
        "commands": [{"type": MANUAL, "command": command, "playbook_activity": ACTIVITY}],
        **_extensions(piece),
        "on_success": following,
    }


def _on(whom: list[LocalText], language: str) -> str:
    words = _WORDS[language]
    return (
        words["on"].format(whom=words["and"].join(in_language(each, language) for each in whom))
        if whom
        else ""
    )


def _extensions(piece: Piece) -> dict[str, Any]:
    actions = [each for each in piece.content["undo"] if each in measure_catalogue()]
    return {"step_extensions": {"containment_action": {"action_ids": actions}}} if actions else {}


def _add_ends(form: dict[str, Any], piece: Piece) -> None:
    """The agents, targets and ways to sign in of one containment, under names of their own."""
    content = piece.content
    for number, (reference, known) in enumerate(content["authentication"].items(), start=1):
        del reference
        form["authentication_info_definitions"][f"{piece.name}-sign-in-{number}"] = dict(known)
    signs_in = {
        reference: f"{piece.name}-sign-in-{number}"
        for number, reference in enumerate(content["authentication"], start=1)
    }
    for reference, known in content["ends"].items():
        end = {key: value for key, value in known.items() if key != "id"}
        if end.get("authentication_info") in signs_in:
            end["authentication_info"] = signs_in[end["authentication_info"]]
        section = "agent_definitions" if reference == content["agent"] else "target_definitions"
        form[section][f"{piece.name}-{_position(piece, reference)}"] = end
    if content["owner_agent"]:
        owner = {key: value for key, value in content["owner_agent"].items() if key != "authentication_info"}
        form["agent_definitions"][f"{piece.name}-owner"] = owner


def _position(piece: Piece, reference: str) -> str:
    return f"end-{list(piece.content['ends']).index(reference) + 1}"


def _values(piece: Piece) -> dict[str, Any]:
    """The values of then, as constants, of the variables that the commands and those they go to refer to."""
    content = piece.content
    text = json.dumps([piece.commands, content["ends"], content["authentication"]], ensure_ascii=False)
    found: dict[str, Any] = {}
    for name in dict.fromkeys(references(text)):
        if name in content["declared"]:
            variable = {"type": content["declared"][name]["type"], "constant": True}
            value = content["values"].get(name)
            found[name] = {**variable, "value": value} if value is not None else variable
    return found
