"""Tables: columns only, no behaviour. Whatever may hold personal data lies in a `sealed` column.

`ROW_TABLES` are journalled row by row, of them `WORKSPACE_TABLES` in the workspace's chain; `BULK_TABLES` by root and
counts per batch (a closed list). The tables of a module are built when one of them is first asked for, because a
command that reads three should not wait for all: what commands read together stands in one module.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlmodel import SQLModel

    from incident.store.tables.calling import Summons, SummonsCall
    from incident.store.tables.coordinating import PrivilegedNote, Resolution, Task
    from incident.store.tables.deciding import Decision, Operator
    from incident.store.tables.delivering import (
        Attempt,
        Batch,
        CallList,
        CallTask,
        Campaign,
        Delivery,
        MessagePart,
        Receipt,
        Waves,
    )
    from incident.store.tables.evidence import Evidence
    from incident.store.tables.intake import Alert, AlertItem
    from incident.store.tables.journalling import JournalBody, JournalEntry, JournalHead
    from incident.store.tables.orders import Hold, Instruction
    from incident.store.tables.owing import DutyReminder, DutyRow, Evaluation, RegimeReview, Waiver
    from incident.store.tables.people import PeopleImport, PeopleProblem, Person
    from incident.store.tables.reaching import Contact, Reach
    from incident.store.tables.recording import FactRow, Incident, LogEntry
    from incident.store.tables.releasing import Notice, NoticeEdit, PublicNotice, Report
    from incident.store.tables.running import Containment, Run, RunEffect, RunPlaybook
    from incident.store.tables.working import Brake, Instance, Job, KindLimit, TokenBucket, Worker

    ROW_TABLES: tuple[type[SQLModel], ...]
    WORKSPACE_TABLES: tuple[type[SQLModel], ...]
    BULK_TABLES: tuple[type[SQLModel], ...]

_MODULES = {
    "calling": ("Summons", "SummonsCall"),
    "coordinating": ("PrivilegedNote", "Resolution", "Task"),
    "deciding": ("Decision", "Operator"),
    "delivering": (
        *("Attempt", "Batch", "CallList", "CallTask", "Campaign", "Delivery", "MessagePart", "Receipt"),
        "Waves",
    ),
    "evidence": ("Evidence",),
    "intake": ("Alert", "AlertItem"),
    "journalling": ("JournalBody", "JournalEntry", "JournalHead"),
    "orders": ("Hold", "Instruction"),
    "owing": ("DutyReminder", "DutyRow", "Evaluation", "RegimeReview", "Waiver"),
    "people": ("PeopleImport", "PeopleProblem", "Person"),
    "reaching": ("Contact", "Reach"),
    "recording": ("FactRow", "Incident", "LogEntry"),
    "releasing": ("Notice", "NoticeEdit", "PublicNotice", "Report"),
    "running": ("Containment", "Run", "RunEffect", "RunPlaybook"),
    "working": ("Brake", "Instance", "Job", "KindLimit", "TokenBucket", "Worker"),
}
_BULK = (
    "Alert",
    "AlertItem",
    "Attempt",
    "Batch",
    "CallTask",
    "Delivery",
    "MessagePart",
    "PeopleProblem",
    "Person",
    "Receipt",
)
# Of no incident: the workspace's own chain holds them, and its key seals them.
_OF_THE_WORKSPACE = ("Contact", "Operator", "Reach", "RegimeReview")
# The journal itself, and what only says how work goes on; who changes a brake or a limit is noted in an entry.
_NOT_JOURNALLED = ("JournalBody", "JournalEntry", "JournalHead", *_MODULES["working"])

_HOMES = {table: module for module, tables in _MODULES.items() for table in tables}
_GROUPS = {
    "BULK_TABLES": _BULK,
    "ROW_TABLES": tuple(sorted(_HOMES.keys() - {*_BULK, *_NOT_JOURNALLED})),
    "WORKSPACE_TABLES": _OF_THE_WORKSPACE,
}


def __getattr__(name: str) -> Any:
    if name not in _GROUPS:
        return _table(name)
    found = tuple(_table(each) for each in _GROUPS[name])
    globals()[name] = found
    return found


def _table(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def load_all() -> None:
    """Build every table, so that SQLModel's metadata is whole."""
    for name in _HOMES:
        _table(name)


__all__ = [
    "BULK_TABLES",
    "ROW_TABLES",
    "WORKSPACE_TABLES",
    "Alert",
    "AlertItem",
    "Attempt",
    "Batch",
    "Brake",
    "CallList",
    "CallTask",
    "Campaign",
    "Contact",
    "Containment",
    "Decision",
    "Delivery",
    "DutyReminder",
    "DutyRow",
    "Evaluation",
    "Evidence",
    "FactRow",
    "Hold",
    "Incident",
    "Instance",
    "Instruction",
    "Job",
    "JournalBody",
    "JournalEntry",
    "JournalHead",
    "KindLimit",
    "LogEntry",
    "MessagePart",
    "Notice",
    "NoticeEdit",
    "Operator",
    "PeopleImport",
    "PeopleProblem",
    "Person",
    "PrivilegedNote",
    "PublicNotice",
    "Reach",
    "Receipt",
    "RegimeReview",
    "Report",
    "Resolution",
    "Run",
    "RunEffect",
    "RunPlaybook",
    "Summons",
    "SummonsCall",
    "Task",
    "TokenBucket",
    "Waiver",
    "Waves",
    "Worker",
    "load_all",
]
