"""A dry run: what a run would send where, ask of whom and record, before anything is done. Pure.

Every command is prepared by the very function that carries it out, so that what is shown is what would leave. A value that
is not certain yet stands as ⟨name⟩.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from incident.errors import TocsinError
from incident.response.commands import bash, kind_of, openc2_http, ssh
from incident.response.commands.going_out import GoingOut
from incident.response.commands.prepared import Prepared
from incident.response.events import LocalText
from incident.response.extensions import is_repeatable, measures_of, retries_of
from incident.response.foreseeing import Decided, Foreseen, Sight, sight_of
from incident.response.model import MANUAL, ActionStep, AgentTarget, Command, Playbook, PlaybookActionStep
from incident.response.outline import Row, RowKind, outline
from incident.response.step_facts import bare, command_text, readable
from incident.response.variables import INTEGER_TYPES, REFERENCE, declarations, visible
from incident.response.work import DEFAULT_COMMAND_TIMEOUT_MS, plan, used_by, wording

SecretProblem = Callable[[str], str | None]
"""Says what is wrong with a secret of that name; None where it can be read."""


@dataclass(frozen=True)
class Outside:
    """What a dry run is told of its surroundings: the rules for going out, the secrets, and the holds in force."""

    rules: GoingOut
    secret_problem: SecretProblem
    held_back: Callable[[Sequence[str]], bool] = lambda measures: False


@dataclass(frozen=True)
class PlannedCall:
    """A command as it would leave. `exact`: nothing in it is unknown, and `request` and `content` are what is sent.

    `address` is host:port, "" for this machine, None while it is not known. `headers` are as written, for their values may
    give access. `user` is who signs in, `secret` the name of the secret. `refusals` say why it would not leave now,
    `unfilled` why it cannot be shown whole yet.
    """

    command_type: str
    address: str | None
    request: str
    content: str
    exact: bool
    headers: tuple[tuple[str, str], ...] = ()
    user: str | None = None
    secret: str | None = None
    key: str = ""
    timeout_ms: int = 0
    refusals: tuple[str, ...] = ()
    unfilled: str = ""


@dataclass(frozen=True)
class PlannedText:
    """What a person would be asked; `kind` is "manual", "approval" or "undo"."""

    kind: str
    text: LocalText


@dataclass(frozen=True)
class PlannedStep:
    """One step. `entered` is False where conditions that are certain keep the run from it."""

    row: Row
    entered: bool = True
    work: tuple[PlannedCall | PlannedText, ...] = ()
    undo: tuple[PlannedCall | PlannedText, ...] = ()
    decided: Decided | None = None
    given: Mapping[str, str | None] = field(default_factory=dict)
    held_back: bool = False
    refusals: tuple[str, ...] = ()

    @property
    def all_refusals(self) -> list[str]:
        """What would be refused now; nothing where the run does not come here."""
        calls = [each for each in self.work if isinstance(each, PlannedCall)]
        found = [*self.refusals, *(one for call in calls for one in call.refusals)]
        return list(dict.fromkeys(found)) if self.entered else []


@dataclass(frozen=True)
class RunPlan:
    """A whole dry run. `refusals` are those of the start itself."""

    playbook: Playbook
    run: str
    rows: tuple[Row, ...]
    steps: Mapping[tuple[str, str], PlannedStep]
    values: Mapping[str, str | None]
    refusals: tuple[str, ...]

    @property
    def refused(self) -> list[tuple[PlannedStep | None, str]]:
        """Everything that would be refused now, with the step."""
        found: list[tuple[PlannedStep | None, str]] = [(None, each) for each in self.refusals]
        return found + [(step, each) for step in self.steps.values() for each in step.all_refusals]


def plan_run(
    playbook: Playbook,
    children: Mapping[str, Playbook],
    given: Mapping[str, str],
    *,
    run: str,
    outside: Outside,
) -> RunPlan:
    """What a run of the playbook with these values would do."""
    rows = outline(playbook, children)
    sights = {"": sight_of(playbook, given)}
    steps: dict[tuple[str, str], PlannedStep] = {}
    for row in rows:
        if row.kind is not RowKind.step:
            continue
        sight = sights[row.within]
        planned = _step(row, sight, run, outside)
        step = row.content
        if isinstance(step, PlaybookActionStep) and step.playbook_id in children:
            child = sight.call(row.step, children[step.playbook_id])
            sights[f"{row.within}/{row.step}"] = child
            planned = PlannedStep(
                row,
                planned.entered,
                given=_shown(child.start),
                refusals=tuple(child.problems),
            )
        steps[row.key] = planned
    top = sights[""]
    return RunPlan(playbook, run, tuple(rows), steps, _shown(top.start), tuple(top.problems))


def _shown(start: Foreseen) -> dict[str, str | None]:
    return {name: None if name in start.open else value for name, value in start.values.items()}


def _step(row: Row, sight: Sight, run: str, outside: Outside) -> PlannedStep:
    entered = sight.is_entered(row.step)
    decided = sight.decide(row.step)
    step = row.content
    if not isinstance(step, ActionStep):
        return PlannedStep(row, entered, decided=decided)
    here = sight.at(row.step)
    planner = _Planner(row.playbook, step, run, outside)
    containment = measures_of(step)
    return PlannedStep(
        row,
        entered,
        work=tuple(planner.work(here)),
        undo=tuple(planner.undo(here)),
        held_back=bool(containment) and outside.held_back(containment.action_ids if containment else ()),
    )


@dataclass(frozen=True)
class _Planner:
    """Plans the pieces of one action."""

    playbook: Playbook
    step: ActionStep
    run: str
    outside: Outside

    def work(self, here: Foreseen) -> list[PlannedCall | PlannedText]:
        found: list[PlannedCall | PlannedText] = []
        for index, piece in enumerate(plan(self.step)):
            if piece.kind == "in_house":
                continue
            if piece.kind == "approval":
                found.append(PlannedText("approval", self.text(piece.command, here)))
                continue
            if piece.kind == "manual":
                found.append(PlannedText("manual", self.text(piece.command, here)))
            else:
                command = self.step.commands[piece.command]
                found.append(self.call(command, piece.target or self.step.agent, here, index=index))
            here = here.without(self.step.out_args)
        return found

    def undo(self, here: Foreseen) -> list[PlannedCall | PlannedText]:
        """What takes the step back: sent to whom the step's own commands go, with the values of then."""
        containment = measures_of(self.step)
        found: list[PlannedCall | PlannedText] = []
        for each in containment.undo_commands if containment else ():
            try:
                command = Command.model_validate(each)
            except ValidationError:  # reported by the linter
                continue
            if command.type == MANUAL:
                found.append(PlannedText("undo", {"en": readable(command.command or "")}))
                continue
            for target in self.step.targets or [self.step.agent]:
                found.append(self.call(command, target, here, index=None))
        return found

    def text(self, number: int, here: Foreseen) -> LocalText:
        used = used_by(self.playbook, self.step)
        marks = _Marks(self.playbook, self.step, here, used, beside=repr(self.step))
        try:
            texts = wording(self.step, number, marks.values)
        except TocsinError:
            texts = {"en": readable(self.step.commands[number].command or "")}
        return {language: marks.shown(text) for language, text in texts.items()}

    def call(self, command: Command, reference: str, here: Foreseen, *, index: int | None) -> PlannedCall:
        """`index`: the place of the call among the step's pieces, for its key; None for one that takes back."""
        addressee = self.playbook.endpoint(reference)
        key = "" if index is None or command.type == ssh.TYPE else f"{self.run}-⟨n⟩.{index}"
        timeout = self.step.timeout or DEFAULT_COMMAND_TIMEOUT_MS
        if addressee is None:
            return PlannedCall(command.type, None, command_text(command), "", False, refusals=(reference,))
        signing_in = self.playbook.authentication_info_definitions.get(addressee.authentication_info or "")
        user, secret = None, None
        if signing_in is not None and command.type != bash.TYPE:
            name = signing_in.username or signing_in.user_id
            user, secret = _filled(name, here) if name else None, signing_in.kms_key_identifier
        refusals = []
        if secret and (problem := self.outside.secret_problem(secret)):
            refusals.append(problem)
        found = self._prepared(command, addressee, here)
        return PlannedCall(
            command.type,
            found.address,
            found.request,
            found.content,
            found.exact,
            headers=tuple(_headers(command)),
            user=user,
            secret=secret,
            key=key,
            timeout_ms=timeout,
            refusals=(*found.refusals, *refusals),
            unfilled=found.unfilled,
        )

    def _prepared(self, command: Command, addressee: AgentTarget, here: Foreseen) -> PlannedCall:
        declared = declarations(self.playbook, self.step)
        kind = kind_of(command)
        used = kind.used(command, addressee)
        marks = _Marks(self.playbook, self.step, here, used, beside=repr((command, addressee)))
        try:
            prepared = kind.prepare(command, addressee, marks.values, declared)
        except TocsinError as error:
            what = f"{error.where}: {error.what}" if error.where else error.what
            certain = not marks.marked or bool(marks.empty)
            return PlannedCall(
                command.type,
                None,
                command_text(command),
                readable(command.content or ""),
                exact=False,
                refusals=(*marks.empty, *([] if marks.empty else [what])) if certain else (),
                unfilled="" if certain else what,
            )
        shown = _shown_as(prepared, marks)
        refusals = list(marks.empty)
        if shown.address is not None:
            try:
                self.outside.rules.must_allow(prepared)
            except TocsinError as error:
                refusals.append(f"{error.what} → {error.next_step}" if error.next_step else error.what)
        return PlannedCall(
            command.type,
            shown.address,
            shown.request,
            shown.content,
            exact=not marks.marked,
            refusals=tuple(refusals),
        )


def _shown_as(prepared: Prepared, marks: _Marks) -> PlannedCall:
    address: str | None = ""
    if prepared.host is not None:
        known = not marks.in_(prepared.host) and not marks.in_(str(prepared.port))
        address = f"{prepared.host}:{prepared.port}" if known else None
    return PlannedCall(
        prepared.command_type,
        address,
        marks.shown(prepared.request),
        marks.shown(prepared.content),
        exact=not marks.marked,
    )


def _headers(command: Command) -> list[tuple[str, str]]:
    if command.type in (ssh.TYPE, bash.TYPE):
        return []
    headers = command.headers
    if command.type == openc2_http.TYPE:
        headers = {name: some for name, some in headers.items() if name.lower() != "content-type"}
        headers |= {"Content-Type": [openc2_http.MEDIA_TYPE]}
    return [(name, readable(value)) for name, several in headers.items() for value in several]


def _filled(text: str, here: Foreseen) -> str:
    """The text with the values that are certain, as people read it."""
    return readable(REFERENCE.sub(lambda match: visible(here.known.get(match[1], match[0])), text))


class _Marks:
    """Values for preparing: the certain ones, and for each other one a mark that is found again in the result.

    `empty` says which variables have no value and will be given none. `beside` is the text that no mark may stand in.
    """

    def __init__(
        self, playbook: Playbook, step: ActionStep, here: Foreseen, used: Sequence[str], *, beside: str
    ) -> None:
        declared = declarations(playbook, step)
        self.values: dict[str, str | None] = dict(here.known)
        self.marked: dict[str, str] = {}
        self.empty: list[str] = []
        wanted = [name for name in dict.fromkeys(used) if name in declared and name not in here.known]
        taken = "\n".join([beside, *here.known.values()])
        for number, name in enumerate(wanted):
            token = _token(number, taken)
            kind = declared[name].type
            if kind in INTEGER_TYPES or kind == "float":
                token = _digits(number, taken)
            self.marked[name] = token
            self.values[name] = f"https://{token}" if kind == "uri" else token
            if name not in here.open:
                self.empty.append(f"{bare(name)} has no value, and no step before gives it one")

    def in_(self, text: str) -> bool:
        return any(token in text for token in self.marked.values())

    def shown(self, text: str) -> str:
        """The text with each mark written ⟨name⟩."""
        for name, token in self.marked.items():
            for written in (f"https://{token}", quote(f"https://{token}", safe=""), token):
                text = text.replace(written, f"⟨{bare(name)}⟩")
        return text


def _token(number: int, taken: str) -> str:
    token = f"unknown{number}value"
    while token in taken:
        token += "x"
    return token


def _digits(number: int, taken: str) -> str:
    found = 987_000_000_000_000_000 + number
    while str(found) in taken:
        found += 1000
    return str(found)


def document_of_call(call: PlannedCall) -> dict[str, Any]:
    """A planned call for programs."""
    return {
        "type": call.command_type,
        "address": call.address,
        "request": call.request,
        "content": call.content,
        "exact": call.exact,
        "headers": [{"name": name, "value": value} for name, value in call.headers],
        "user": call.user,
        "secret": call.secret,
        "idempotency_key": call.key or None,
        "timeout_ms": call.timeout_ms,
        "refused": list(call.refusals),
    }


def retrying(step: ActionStep) -> dict[str, Any]:
    """How often a step's calls are made again, for programs."""
    retries = retries_of(step)
    return {
        "retries": retries.model_dump(mode="json") if retries else None,
        "repeatable": is_repeatable(step),
    }
