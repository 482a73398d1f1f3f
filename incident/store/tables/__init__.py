"""Tables: columns only, no behaviour. Whatever may hold personal data lies in a `sealed` column.

`ROW_TABLES` are journalled row by row; `BULK_TABLES` by root and counts per batch (a closed list).
"""

from incident.store.tables.delivering import Attempt, Batch, Campaign, Delivery
from incident.store.tables.intake import Alert, AlertItem
from incident.store.tables.journalling import JournalBody, JournalEntry, JournalHead
from incident.store.tables.people import PeopleImport, PeopleProblem, Person
from incident.store.tables.recording import (
    Decision,
    DutyRow,
    Evaluation,
    Evidence,
    FactRow,
    Incident,
    LogEntry,
    Operator,
)
from incident.store.tables.releasing import Notice, PublicNotice, Report
from incident.store.tables.running import Run, RunEffect
from incident.store.tables.working import Job

ROW_TABLES = (
    Campaign,
    Decision,
    DutyRow,
    Evaluation,
    Evidence,
    FactRow,
    Incident,
    LogEntry,
    Notice,
    Operator,
    PeopleImport,
    PublicNotice,
    Report,
    Run,
    RunEffect,
)
BULK_TABLES = (Alert, AlertItem, Attempt, Batch, Delivery, PeopleProblem, Person)

__all__ = [
    "BULK_TABLES",
    "ROW_TABLES",
    "Alert",
    "AlertItem",
    "Attempt",
    "Batch",
    "Campaign",
    "Decision",
    "Delivery",
    "DutyRow",
    "Evaluation",
    "Evidence",
    "FactRow",
    "Incident",
    "Job",
    "JournalBody",
    "JournalEntry",
    "JournalHead",
    "LogEntry",
    "Notice",
    "Operator",
    "PeopleImport",
    "PeopleProblem",
    "Person",
    "PublicNotice",
    "Report",
    "Run",
    "RunEffect",
]
