"""Playbooks coming into a workspace and going out of it."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from incident.errors import BadInput, Refused
from incident.ops.house import load_playbook, name_of_playbook
from incident.record.measures import measure_catalogue
from incident.response.commands.going_out import GoingOut, going_out
from incident.response.exporting import Exported, export_playbook
from incident.response.importing import Imported, Surroundings, import_playbook
from incident.response.model import Playbook
from incident.response.shelf import playbook_names
from incident.settings import Settings
from incident.workspace import Workspace

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")


@dataclass(frozen=True)
class TakenIn:
    """`name` is what the playbook is called here, `file` where it is to be written."""

    name: str
    file: Path | None
    imported: Imported


def take_in(
    raw: bytes,
    source: Path,
    *,
    workspace: Workspace | None,
    settings: Settings | None,
    name: str | None,
    replace: bool,
    elsewhere: bool,
    now: datetime,
) -> TakenIn:
    """Read, repair and check another tool's playbook. Nothing is written; `elsewhere`: it will not be in the workspace.

    Raises `BadInput` for what is no playbook, and `Refused` where the workspace has one of that name already.
    """
    called = name or re.sub(r"[^a-z0-9]+", "-", source.stem.lower()).strip("-")[:80].strip("-")
    if not _NAME.fullmatch(called):
        raise BadInput(
            f"“{called}” cannot be the name of a playbook",
            where="--name" if name else str(source),
            next_step="give one with --name: a to z, 0 to 9 and “-”",
        )
    here = Surroundings(
        rules=going_out(settings.playbooks, workspace.root) if settings and workspace else GoingOut(),
        secrets=frozenset(settings.playbooks.secrets) if settings else (),
        given={f"__{key}__": value for key, value in settings.playbooks.variables.items()}
        if settings
        else {},
        known_measures=frozenset(measure_catalogue()),
        children=_playbooks_by_id(workspace),
    )
    imported = import_playbook(raw, name=source.name, title=source.stem, now=now, here=here)
    if workspace is None or elsewhere:
        return TakenIn(called, None, imported)
    folder = workspace.root / "playbooks"
    there = [each for each in (folder / f"{called}.yaml", folder / f"{called}.json") if each.exists()]
    if there and not replace:
        raise Refused(
            f"there is a playbook {called} already",
            where=str(there[0]),
            next_step="name this one otherwise (--name), or put it in its place (--replace)",
        )
    other = name_of_playbook(workspace, imported.playbook.id)
    if other is not None and other != called:
        raise Refused(
            f"this playbook is here already: it is “{other}”",
            where=imported.playbook.id,
            next_step=f"put it in its place: --name {other} --replace",
        )
    return TakenIn(called, folder / f"{called}{imported.suffix}", imported)


def put_away_the_other(taken: TakenIn) -> None:
    """After writing: of one name there is one file, so the one in the other format goes."""
    if taken.file is not None:
        for suffix in {".yaml", ".json"} - {taken.file.suffix}:
            taken.file.with_suffix(suffix).unlink(missing_ok=True)


def hand_out(workspace: Workspace | None, name: str) -> Exported:
    """The playbook of that name for others. Raises `NotFound`, or `NotExported` where it breaks the standard."""
    loaded = load_playbook(workspace, name)
    return export_playbook(loaded.playbook, name=name, places=loaded.places)


def _playbooks_by_id(workspace: Workspace | None) -> dict[str, Playbook]:
    found: dict[str, Playbook] = {}
    for name in playbook_names(workspace):
        with suppress(BadInput):
            playbook = load_playbook(workspace, name).playbook
            found[playbook.id] = playbook
    return found
