"""Refusing before the start what cannot be run.

`lint` returns every finding; `require_runnable` raises `NotRunnable` where there is an error. Warnings say
what another engine, or a reader, would stumble over; notes say where a run would turn to a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from incident.errors import TocsinError
from incident.response import (
    lint_calls,
    lint_containment,
    lint_graph,
    lint_objects,
    lint_standard,
    lint_steps,
)
from incident.response.extensions import texts_in
from incident.response.findings import Finding, NotRunnable, Severity, errors_in
from incident.response.lint_containment import Catalogue
from incident.response.lint_graph import Complaint
from incident.response.model import (
    ActionStep,
    IfStep,
    Playbook,
    PlaybookActionStep,
    StepType,
    SwitchStep,
    WhileStep,
)

AGAINST_THE_STANDARD = frozenset(
    [
        "identifier",
        "uuid-version",
        "uuid-reused",
        "timestamp",
        "validity-order",
        "number-range",
        "empty",
        "activity",
        "no-activities",
        "summary",
        "reference-name",
        "marking",
        "unresolved-marking",
        "extension-definition",
        "extension-property",
        "undeclared-extension",
        "two-commands",
        "agent-name",
        "agent-properties",
        "agent-address",
        "authentication",
    ]
)
"""A run does not need it, so these are warnings; a playbook for others must keep it."""
ADVICE = frozenset(["unreached", "vocabulary", "variable-case", "unused-variable", "overloaded-variable"])
WARNINGS = AGAINST_THE_STANDARD | ADVICE
NOTES = frozenset({"would-ask", "no-default", "signature", "undone-by-hand"})
_MILD_WHEN_IMPORTED = frozenset({"condition", "switch", "evidence-first"})
_ORDER = tuple(Severity)


def lint(
    playbook: Playbook,
    *,
    now: datetime | None = None,
    known_measures: frozenset[str] | None = None,
    imported: bool = False,
    places: Mapping[str, str] | None = None,
    children: Mapping[str, Playbook] | None = None,
    catalogue: Catalogue | None = None,
) -> list[Finding]:
    """Every finding, errors first.

    `children` are the playbooks that can be called, by id; without them calls of playbooks are left unchecked.

    `now` decides on validity, `known_measures` on measure ids; both are left unchecked without; so are
    evidence and durations without `catalogue`. In an
    imported playbook a condition in another language is a warning, because a person will be asked; in one
    of our own it is an error. `places` gives file and line of objects by id.
    """
    labels = labels_of(playbook)
    found = []
    for code, step_id, message in _complaints(playbook, now, known_measures, labels, children, catalogue):
        place = place_of(step_id, labels, places or {})
        found.append(Finding(_severity(code, imported=imported), code, message, place))
    unique = list(dict.fromkeys(found))
    return sorted(unique, key=lambda finding: _ORDER.index(finding.severity))


def _severity(code: str, *, imported: bool) -> Severity:
    if code in NOTES:
        return Severity.note
    mild = code in WARNINGS or (code in _MILD_WHEN_IMPORTED and imported)
    return Severity.warning if mild else Severity.error


def require_runnable(
    playbook: Playbook,
    *,
    now: datetime | None = None,
    known_measures: frozenset[str] | None = None,
    places: Mapping[str, str] | None = None,
    children: Mapping[str, Playbook] | None = None,
) -> None:
    """Raise NotRunnable with all errors. Conditions that a person can answer do not stop a run."""
    children = children or {}
    key = (id(playbook), *((name, id(each)) for name, each in children.items()), known_measures)
    if key in _RUNNABLE and not any(True for _ in _validity(playbook, now)):
        return
    found = lint(
        playbook,
        now=now,
        known_measures=known_measures,
        imported=True,
        places=places,
        children=children,
    )
    errors = errors_in(found)
    if errors:
        raise NotRunnable(errors, name=playbook.name)
    if len(_RUNNABLE) >= _MOST_RUNNABLE:
        _RUNNABLE.clear()
    _RUNNABLE[key] = (playbook, *children.values())


# A worker starts the same few playbooks again and again, and what was read is never changed: the same objects
# (`form.load` hands out the same ones for the same text) need to be checked once. They are kept, so that no other has
# their id.
_RUNNABLE: dict[tuple[object, ...], tuple[Playbook, ...]] = {}
_MOST_RUNNABLE = 64


def labels_of(playbook: Playbook) -> dict[str, str]:
    """How people call each step: the short name of the form, else its name, else its id."""
    labels = {step_id: step.name or step_id for step_id, step in playbook.workflow.items()}
    try:
        short = texts_in(playbook.playbook_extensions).short_names
    except TocsinError:  # reported with the playbook's extensions
        return labels
    return labels | {each.object_id: each.short_name for each in short if each.object_id in labels}


def place_of(subject: str | None, labels: Mapping[str, str], places: Mapping[str, str]) -> str | None:
    """File, line and step of what a complaint is about: a step's id, or a path in the playbook
    (`workflow/ID/commands/0`); the nearest place that is known."""
    if subject is None:
        return places.get("")
    path = ["workflow", subject] if subject in labels else subject.split("/")
    known = (places.get("/".join(path[:end])) for end in range(len(path), 0, -1))
    step_id = path[1] if path[0] == "workflow" and len(path) > 1 else None
    own = places.get(step_id) if step_id is not None else None
    place = next((each for each in known if each), None) if len(path) > 2 or own is None else own
    if step_id is None or step_id not in labels:
        return place or places.get("")
    label = f"step “{labels[step_id]}”"
    return f"{place or own}, {label}" if place or own else label


def _complaints(
    playbook: Playbook,
    now: datetime | None,
    known_measures: frozenset[str] | None,
    labels: Mapping[str, str],
    children: Mapping[str, Playbook] | None,
    catalogue: Catalogue | None,
) -> Iterator[Complaint]:
    size = list(lint_graph.too_large(playbook))
    if size:
        yield from size
        return
    yield from lint_standard.metadata(playbook)
    yield from lint_objects.everything(playbook)
    yield from _validity(playbook, now)
    yield from lint_graph.starts(playbook)
    yield from lint_graph.ends(playbook)
    yield from lint_graph.dangling(playbook)
    circle = lint_graph.cycle(playbook)
    if circle:
        yield "cycle", circle[0], "the steps go in a circle: " + " → ".join(labels[each] for each in circle)
    else:
        yield from lint_graph.too_deep(playbook)
        yield from lint_graph.branch_rule(playbook, labels)
    for step_id in lint_graph.unreached(playbook):
        yield "unreached", step_id, "no way leads to this step"
    if not any(
        step.type in {StepType.action, StepType.playbook_action} for step in playbook.workflow.values()
    ):
        yield "no-action", None, "a workflow holds at least one action"
    extensions = list(lint_steps.texts(playbook))
    for step_id, step in playbook.workflow.items():
        yield from lint_steps.step_type(step_id, step)
        extensions += lint_steps.extensions(step_id, step, known_measures)
    yield from extensions
    if any(code == "extension" for code, _, _ in extensions):
        return  # what follows reads the extensions
    calls = lint_calls.Calls(playbook, children) if children is not None else None
    for step_id, step in playbook.workflow.items():
        if isinstance(step, ActionStep):
            yield from lint_steps.action(playbook, step_id, step)
            yield from lint_steps.repetition(step_id, step)
            yield from lint_containment.containment(playbook, step_id, step, catalogue)
        if isinstance(step, IfStep | WhileStep):
            yield from lint_steps.condition(playbook, step_id, step)
        if isinstance(step, SwitchStep):
            yield from lint_steps.switch(playbook, step_id, step)
        if isinstance(step, PlaybookActionStep):
            yield from lint_calls.arguments(playbook, step_id, step)
            if calls is not None:
                yield from calls.complaints(step_id, step)
    if catalogue is not None and not circle:
        yield from lint_containment.evidence(playbook, catalogue)
    yield from lint_steps.variables(playbook)
    yield from lint_steps.secrets(playbook)


def _validity(playbook: Playbook, now: datetime | None) -> Iterator[Complaint]:
    if playbook.revoked:
        yield "revoked", None, "this playbook was revoked by its author"
        return
    bounds: dict[str, datetime] = {}
    for name in ("valid_from", "valid_until"):
        text = getattr(playbook, name)
        if text is None:
            continue
        try:
            bounds[name] = datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            yield "validity", None, f"{name} is not a time: {text}"
    if now is not None and "valid_from" in bounds and now < bounds["valid_from"]:
        yield "not-yet-valid", None, f"this playbook is valid from {playbook.valid_from}"
    if now is not None and "valid_until" in bounds and now >= bounds["valid_until"]:
        yield "expired", None, f"this playbook was valid until {playbook.valid_until}"


def format_findings(findings: Iterable[Finding]) -> str:
    """One line a finding, for a terminal."""
    return "\n".join(f"{finding.severity.value}: {finding}" for finding in findings)
