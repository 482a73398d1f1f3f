"""What belongs together when something is done to an incident: facts with duties, a playbook by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from sqlmodel import Session

from incident.duties.evaluating import DutyChange, evaluate_duties
from incident.errors import BadInput, NotFound, TocsinError
from incident.record.incidents import must_be_open
from incident.record.measures import measure_catalogue
from incident.response.commands.going_out import going_out
from incident.response.downtime import duration_fields
from incident.response.form import Loaded, load
from incident.response.housework import House
from incident.response.leaving import CannotLeave, objections
from incident.response.lint import require_runnable
from incident.response.lint_containment import Catalogue
from incident.response.model import Playbook, playbooks_called
from incident.response.planning import Outside, RunPlan, plan_run
from incident.response.runner import new_run_id, start_run
from incident.response.shelf import playbook_names
from incident.response.silence import is_held_back
from incident.response.variables import first_values
from incident.settings import secret_reader
from incident.store.change import Change
from incident.workspace import Workspace, find_data


def evaluate(house: House, change: Change, incident_id: str) -> list[DutyChange]:
    """Evaluate the duties as this change leaves the record."""
    return evaluate_duties(change, house.store, house.workspace, house.settings, incident_id)


def containment_catalogue() -> Catalogue:
    """What the check of containment needs to know of the record's catalogues."""
    first = frozenset(each.id for each in measure_catalogue().values() if each.evidence_first)
    return Catalogue(first, duration_fields())


def _load(workspace: Workspace | None, name: str) -> Loaded:
    try:
        path = find_data(workspace, "playbooks", f"{name}.yaml")
    except NotFound:
        known = playbook_names(workspace)
        if name not in known:
            raise NotFound(
                f"there is no playbook {name}", next_step=f"there are: {', '.join(sorted(known)) or 'none'}"
            ) from None
        path = find_data(workspace, "playbooks", f"{name}.json")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"the playbook cannot be read ({error})", where=str(path), next_step="save it as UTF-8"
        ) from error
    return load(text, name=str(path))


def load_playbook(workspace: Workspace | None, name: str) -> Loaded:
    """A playbook by its name as it is written, whether or not it can be run. Raises `NotFound` or `BadInput`."""
    return _load(workspace, name)


def read_playbook(workspace: Workspace | None, name: str) -> Playbook:
    """A playbook by its name, checked so far that it can be run. Raises `NotFound` or `BadInput`."""
    return read_with_children(workspace, name)[0]


def read_with_children(workspace: Workspace | None, name: str) -> tuple[Playbook, dict[str, Playbook]]:
    """A playbook by its name, and by id those that it calls, at any depth: all checked so far that they can be run.

    Raises `NotFound` or `BadInput`.
    """
    loaded = _load(workspace, name)
    children: dict[str, Playbook] = {}
    wanted = playbooks_called(loaded.playbook)
    while wanted:
        reference = wanted.pop()
        if reference in children:
            continue
        named = name_of_playbook(workspace, reference)
        if named is None:
            continue  # reported by the linter, with the step
        children[reference] = _load(workspace, named).playbook
        wanted += playbooks_called(children[reference])
    _require_runnable(loaded, children)
    return loaded.playbook, children


def _require_runnable(loaded: Loaded, children: Mapping[str, Playbook]) -> None:
    known = frozenset(measure_catalogue())
    require_runnable(loaded.playbook, known_measures=known, places=loaded.places, children=children)
    for each in children.values():
        require_runnable(each, known_measures=known, children=children)


def name_of_playbook(workspace: Workspace | None, playbook_id: str) -> str | None:
    """The name of the playbook with that id; None where there is none.

    Only files in which it stands as an id are read as playbooks: one that merely calls it would take its time.
    """
    as_id = re.compile(rf"""(?<![\w-])["']?id["']?\s*:\s*["']?{re.escape(playbook_id)}""")
    for name, path in playbook_names(workspace).items():
        with suppress(OSError, UnicodeDecodeError, BadInput):
            if as_id.search(Path(path).read_text(encoding="utf-8")) and (
                _load(workspace, name).playbook.id == playbook_id
            ):
                return name
    return None


def start_playbook(
    house: House, change: Change, incident_id: str, name: str, given: Mapping[str, str] | None = None
) -> str:
    """Start a playbook by its name; returns the run's id. What is not given comes from the settings.

    Raises `CannotLeave` where it is certain already that a command could not be sent.
    """
    playbook, children = read_with_children(house.workspace, name)
    must_be_able_to_leave(house, playbook, children, values_for(house, playbook, given))
    return start_run(
        change,
        house.store,
        incident_id,
        playbook,
        name=name,
        given=values_for(house, playbook, given),
        children=children,
    )


def plan_playbook(
    house: House, session: Session, incident_id: str, name: str, given: Mapping[str, str] | None = None
) -> tuple[RunPlan, dict[str, Playbook]]:
    """What `start_playbook` would set going now, with the playbooks that it calls. Nothing is written or sent.

    Raises as `start_playbook` does where the playbook or the incident does not exist, or cannot be run.
    """
    playbook, children = read_with_children(house.workspace, name)
    must_be_open(session, incident_id)
    reads = secret_reader(house.settings.playbooks)

    def secret_problem(secret: str) -> str | None:
        try:
            reads(secret)
        except TocsinError as error:
            return f"{error.where}: {error.what}" if error.where else error.what
        return None

    outside = Outside(
        rules=going_out(house.settings.playbooks, house.workspace.root),
        secret_problem=secret_problem,
        held_back=lambda measures: is_held_back(session, incident_id, measures),
    )
    values = values_for(house, playbook, given)
    run = new_run_id(session, incident_id)
    return plan_run(playbook, children, values, run=run, outside=outside), children


def values_for(house: House, playbook: Playbook, given: Mapping[str, str] | None) -> dict[str, str]:
    """The values that a run begins with: those given, and what is not given as the settings have it."""
    settings = {f"__{key}__": value for key, value in house.settings.playbooks.variables.items()}
    known = {key: value for key, value in settings.items() if _is_external(playbook, key)}
    return {**known, **(given or {})}


def must_be_able_to_leave(
    house: House, playbook: Playbook, children: Mapping[str, Playbook], given: Mapping[str, str]
) -> None:
    """Raises `CannotLeave` with every command that certainly could not be sent, `BadInput` for values that do not fit."""
    settings = house.settings.playbooks
    rules, values = going_out(settings, house.workspace.root), first_values(playbook, given)
    if found := objections(playbook, children, values, rules, secrets=settings.secrets):
        raise CannotLeave(found)


def _is_external(playbook: Playbook, name: str) -> bool:
    variable = playbook.playbook_variables.get(name)
    return variable is not None and bool(variable.external)
