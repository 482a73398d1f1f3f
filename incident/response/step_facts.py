"""What there is to know of a step before anything runs, as lines for people and as values for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from incident.errors import TocsinError
from incident.record.fields import in_language
from incident.record.measures import measure_catalogue
from incident.response.commands import KINDS, bash
from incident.response.drawing_words import span_in_words, words_in
from incident.response.extensions import (
    approval_of,
    is_repeatable,
    loop_of,
    measures_of,
    notice_of,
    report_of,
    retries_of,
    texts_in,
    verification_of,
)
from incident.response.lint import labels_of
from incident.response.model import (
    MANUAL,
    ActionStep,
    AgentTarget,
    Command,
    EndStep,
    IfStep,
    ParallelStep,
    Playbook,
    PlaybookActionStep,
    StartStep,
    Step,
    SwitchStep,
    WhileStep,
)
from incident.response.turn import MOST_ROUNDS
from incident.response.variables import REFERENCE, visible
from incident.response.work import names_of, plan

LINE_SHOWN = 160
"""Characters of a command that a drawing shows; the dry run shows all."""


@dataclass(frozen=True)
class Reader:
    """Who reads: the language, and the playbooks that may be called, by id."""

    language: str
    children: Mapping[str, Playbook]
    _labels: dict[int, tuple[Playbook, dict[str, str]]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def labels(self, playbook: Playbook) -> dict[str, str]:
        """How people call each step, put together once: it takes as long as the playbook is."""
        if id(playbook) not in self._labels:
            # The playbook is kept with them, so that no other one can come to have its id.
            self._labels[id(playbook)] = (playbook, labels_of(playbook))
        return self._labels[id(playbook)][1]

    def say(self, key: str, /, **values: object) -> str:
        return words_in(self.language)[key].format_map(values)

    def joined(self, texts: list[str]) -> str:
        return words_in(self.language)["and"].join(texts)

    def several(self, texts: list[str]) -> str:
        """Short sayings in one line."""
        return self.say("joint").join(texts)

    def named(self, kind: str, word: str) -> str:
        """The word for a role or a type of playbook; as it stands where it is not one of the standard's."""
        return words_in(self.language).get(f"{kind}-{word}", visible(word))

    def span(self, milliseconds: int) -> str:
        return span_in_words(milliseconds, self.language)


def bare(name: str) -> str:
    """A variable as people type it, without CACAO's underscores."""
    return name.removeprefix("__").removesuffix("__")


def readable(template: str) -> str:
    """A text with its variables written ⟨name⟩, in one line that cannot move the cursor."""
    return visible(REFERENCE.sub(lambda match: f"⟨{bare(match[1])}⟩", template))


def name_of(playbook: Playbook, language: str) -> str:
    """The playbook's name in a language."""
    return visible(_text(playbook, language, "name"))


def description_of(playbook: Playbook, language: str) -> str:
    return visible(_text(playbook, language, "description"))


def _text(playbook: Playbook, language: str, word: str) -> str:
    texts = texts_in(playbook.playbook_extensions)
    found = {texts.language: getattr(playbook, word) or ""}
    found |= {each.language: text for each in texts.translations if (text := getattr(each, word))}
    return in_language(found, language)


def title_in(playbook: Playbook, step_id: str, reader: Reader) -> str:
    """The step's name in a language; its short name where it has none, and the word for its type at last."""
    step = playbook.workflow[step_id]
    texts = texts_in(step.step_extensions)
    found = {texts.language: step.name} if step.name else {}
    found |= {each.language: each.name for each in texts.translations if each.name}
    if not found and isinstance(step, StartStep | EndStep):
        return reader.say(str(step.type))
    return visible(in_language(found, reader.language) if found else reader.labels(playbook)[step_id])


def whom(playbook: Playbook, reference: str, language: str) -> str:
    """The name of an agent or target in a language."""
    return visible(in_language(names_of(playbook.endpoint(reference)), language) or reference)


def address_of(addressee: AgentTarget | None) -> str:
    """Where an agent or target is, its variables written ⟨name⟩; "" where that is nowhere."""
    entries = [
        str(each) for several in ((addressee and addressee.address) or {}).values() for each in several
    ]
    if addressee is None or not entries:
        return ""
    port = f":{readable(addressee.port)}" if addressee.port else ""
    return readable(entries[0]) + port


def lines_of(playbook: Playbook, step: Step, reader: Reader) -> list[str]:
    """What a drawing says beneath a step."""
    return [*_work(playbook, step, reader), *_limits(step, reader), *_measures(playbook, step, reader)]


def _work(playbook: Playbook, step: Step, reader: Reader) -> Iterator[str]:
    match step:
        case IfStep():
            yield reader.say("condition", condition=readable(step.condition))
        case WhileStep():
            loop = loop_of(step)
            most = reader.say("rounds", most=loop.most_rounds if loop else MOST_ROUNDS)
            condition = reader.say("condition", condition=readable(step.condition))
            yield reader.say("loop", text=condition, more=most)
        case SwitchStep():
            yield reader.say("switch", switch=_switch(step))
        case ParallelStep():
            yield reader.say("waits_for_all")
        case PlaybookActionStep():
            yield from _call(step, reader)
        case ActionStep():
            yield from _action(playbook, step, reader)
        case _:
            return


def _switch(step: SwitchStep) -> str:
    shown = readable(step.switch)
    return shown if shown != step.switch else f"⟨{bare(step.switch)}⟩"


def _call(step: PlaybookActionStep, reader: Reader) -> Iterator[str]:
    child = reader.children.get(step.playbook_id)
    if child is None:
        yield reader.say("unknown_playbook", name=step.playbook_id)
    else:
        yield reader.say("calls", name=name_of(child, reader.language))
    if step.in_args or step.out_args:
        given, taken = (
            reader.joined([bare(each) for each in some]) for some in (step.in_args, step.out_args)
        )
        nothing = reader.say("none")
        yield reader.say("arguments", given=given or nothing, taken=taken or nothing)


def _action(playbook: Playbook, step: ActionStep, reader: Reader) -> Iterator[str]:
    approval = approval_of(step)
    if approval is not None:
        roles = reader.say("or").join(reader.named("role", each) for each in approval.approver_roles)
        text = reader.say("gate", quorum=approval.quorum, roles=roles)
        if approval.separation_of_duties:
            text = reader.say("separated", text=text, more=reader.say("separate"))
        yield text
    notice, report = notice_of(step), report_of(step)
    if notice is not None:
        yield reader.say(f"notice-{notice.task}")
    if report is not None:
        yield reader.say("report", regime=report.regime, phase=report.phase)
    work = plan(step)
    if any(each.kind == "manual" for each in work):
        yield reader.say("person", who=whom(playbook, step.agent, reader.language))
    shown: set[int] = set()
    for each in work:
        if each.kind == "call" and each.command not in shown:
            shown.add(each.command)
            yield from _command(playbook, step, step.commands[each.command], reader)
    if step.out_args:
        yield reader.say("brings", names=reader.joined([bare(name) for name in step.out_args]))


def _command(playbook: Playbook, step: ActionStep, command: Command, reader: Reader) -> Iterator[str]:
    to = reader.say("here")
    if command.type != bash.TYPE:
        to = reader.joined([_place(playbook, each, reader) for each in step.targets or [step.agent]])
    yield reader.say("command", type=command.type, to=to)
    yield "  " + shortened(command_text(command))


def _place(playbook: Playbook, reference: str, reader: Reader) -> str:
    name, address = whom(playbook, reference, reader.language), address_of(playbook.endpoint(reference))
    return reader.say("place", name=name, address=address) if address else name


def command_text(command: Command) -> str:
    """A command's own text, its variables written ⟨name⟩."""
    from incident.response.commands.shell import script_of

    if command.type == MANUAL or command.type not in KINDS:
        return readable(command.command or "")
    try:
        return readable(script_of(command))
    except TocsinError:
        return readable(command.command or "")


def shortened(text: str) -> str:
    line = " ⏎ ".join(each.strip() for each in text.strip().splitlines())
    return line if len(line) <= LINE_SHOWN else line[: LINE_SHOWN - 1] + "…"


def _limits(step: Step, reader: Reader) -> Iterator[str]:
    found = []
    if step.delay:
        found.append(reader.say("delay", time=reader.span(step.delay)))
    if step.timeout is not None:
        found.append(reader.say("timeout", time=reader.span(step.timeout)))
    retries = retries_of(step)
    if retries is not None:
        found.append(reader.say("retries", most=retries.most, time=reader.span(retries.pause)))
    if is_repeatable(step):
        found.append(reader.say("repeatable"))
    if found:
        yield reader.several(found)


def _measures(playbook: Playbook, step: Step, reader: Reader) -> Iterator[str]:
    containment, verification = measures_of(step), verification_of(step)
    for action in containment.action_ids if containment else []:
        yield reader.say("measure", title=measure_title(action, reader.language), id=action)
    if containment is not None:
        more = []
        inverse = inverses_of(step)
        if inverse:
            titles = [measure_title(each, reader.language) for each in inverse]
            more.append(reader.say("inverse", titles=reader.joined(titles)))
        elif any(each.startswith(("contain.", "remediate.")) for each in containment.action_ids):
            more.append(reader.say("irreversible"))
        if containment.owner:
            more.append(reader.say("owner", who=whom(playbook, containment.owner, reader.language)))
        if containment.blast_radius:
            more.append(reader.say("blast", who=reader.say(containment.blast_radius)))
        if containment.expires_after:
            more.append(reader.say("expires", time=reader.span(containment.expires_after)))
        if more:
            yield "  " + reader.several(more)
    if verification is not None:
        labels = reader.labels(playbook)
        steps = [labels.get(each, each) for each in verification.verifies]
        yield reader.say("verifies", steps=reader.joined(steps))


def inverses_of(step: Step) -> list[str]:
    """The measures that take back what the step takes: those it names, else those of the catalogue."""
    containment = measures_of(step)
    if containment is None:
        return []
    known = measure_catalogue()
    catalogue = [known[each].undo for each in containment.action_ids if each in known]
    return containment.undo_ids or list(dict.fromkeys(each for each in catalogue if each))


def measure_title(action: str, language: str) -> str:
    known = measure_catalogue()
    return in_language(dict(known[action].title), language) if action in known else visible(action)


def document_of(playbook: Playbook, step_id: str, reader: Reader) -> dict[str, Any]:
    """The step for programs; texts in the reader's language."""
    step = playbook.workflow[step_id]
    found: dict[str, Any] = {
        "id": step_id,
        "step": reader.labels(playbook)[step_id],
        "type": str(step.type),
        "title": title_in(playbook, step_id, reader),
        "delay_ms": step.delay,
        "timeout_ms": step.timeout,
        "on_completion": step.on_completion,
        "on_success": step.on_success,
        "on_failure": step.on_failure,
        "in_words": lines_of(playbook, step, reader),
    }
    match step:
        case ActionStep():
            found |= _action_document(playbook, step, reader)
        case IfStep() | WhileStep():
            found["condition"] = step.condition
        case SwitchStep():
            found |= {"switch": step.switch, "cases": step.cases}
        case PlaybookActionStep():
            found |= {"playbook": step.playbook_id, "in_args": step.in_args, "out_args": step.out_args}
        case _:
            pass
    return found


def _action_document(playbook: Playbook, step: ActionStep, reader: Reader) -> dict[str, Any]:
    approval, containment, retries = approval_of(step), measures_of(step), retries_of(step)
    return {
        "people": any(each.kind in {"manual", "approval"} for each in plan(step)),
        "agent": whom(playbook, step.agent, reader.language),
        "targets": [whom(playbook, each, reader.language) for each in step.targets],
        "commands": [
            {
                "type": each.type,
                "to": [address_of(playbook.endpoint(one)) for one in step.targets or [step.agent]],
                "text": command_text(each),
            }
            for each in step.commands
        ],
        "approval": approval.model_dump(mode="json") if approval else None,
        "retries": retries.model_dump(mode="json") if retries else None,
        "repeatable": is_repeatable(step),
        "measures": containment.action_ids if containment else [],
        "inverse": inverses_of(step),
        "out_args": step.out_args,
    }
