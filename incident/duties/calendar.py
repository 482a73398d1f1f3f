"""The open duties as a calendar (RFC 5545), an event for each end, with alarms before it.

It holds numbers of incidents, names of duties and whom the law names as recipients: no personal data, and nothing that
was unsealed. Under a hold that covers calendars an event says the number of its incident and no more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlmodel import Session, col, select

from incident.duties.orders import ORDERED
from incident.law.findings import STANDING
from incident.law.regimes import DutyRule, Regime
from incident.record.facts import FrozenText
from incident.record.holds import Cover, is_held
from incident.record.incidents import IncidentState
from incident.store.tables import DutyRow, Incident

_MOST_OCTETS = 75
_WORDS = {
    "en": {
        "summary": "{incident}: {title}",
        "assumed": "{text} (assumed)",
        "order": "instruction {label}",
        "about": "{duty}\nTo: {to}\n{article}\nincident duties {incident} --why",
        "sep": ", ",
    },
    "zh-Hans": {
        "summary": "{incident}：{title}",
        "assumed": "{text}（推定）",
        "order": "指令 {label}",
        "about": "{duty}\n对象：{to}\n{article}\nincident duties {incident} --why",
        "sep": "、",
    },
}


@dataclass(frozen=True)
class CalendarEntry:
    """The end of one duty. `uid` stays the same for life; `sequence` grows whenever the entry says something else.

    `summary` and `about` are what a calendar shows; `changed_at`: when the duty was last evaluated to something else.
    """

    uid: str
    sequence: int
    due_at: datetime
    changed_at: datetime
    summary: str
    about: str


def calendar_entries(
    session: Session, regimes: Iterable[Regime], *, language: str, incident_id: str | None = None
) -> list[CalendarEntry]:
    """The ends of the duties that stand open, of one incident or of all that are open, the nearest first."""
    rules = {
        f"{regime.id}/{rule.id}": _Named(rule, regime.recipients)
        for regime in regimes
        for rule in regime.duties
    }
    asked = (
        select(DutyRow, Incident.opened_at)
        .join(Incident, col(Incident.id) == col(DutyRow.incident_id))
        .where(
            col(DutyRow.state).in_(sorted(STANDING)),
            col(DutyRow.due_at).is_not(None),
            Incident.state == IncidentState.OPEN,
        )
        .order_by(col(DutyRow.due_at), col(DutyRow.incident_id), col(DutyRow.duty_id))
    )
    if incident_id is not None:
        asked = asked.where(DutyRow.incident_id == incident_id)
    silent: dict[str, bool] = {}
    entries = []
    for row, opened_at in session.exec(asked).all():
        if row.incident_id not in silent:
            silent[row.incident_id] = is_held(session, row.incident_id, Cover.CALENDAR)
        told = _neutral(row) if silent[row.incident_id] else _told(row, rules.get(row.duty_id), language)
        entries.append(_entry(row, opened_at, *told))
    return entries


def write_calendar(entries: Sequence[CalendarEntry], *, alarms: Sequence[timedelta]) -> str:
    """The calendar as RFC 5545 has it: lines of at most 75 octets that end in CRLF, times in UTC, text escaped.

    `alarms`: how long before each end somebody is reminded.
    """
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Tocsin//Duties//EN", "CALSCALE:GREGORIAN"]
    for entry in entries:
        lines += _event(entry, sorted(set(alarms), reverse=True))
    lines.append("END:VCALENDAR")
    return "".join(f"{part}\r\n" for line in lines for part in _folded(line))


@dataclass(frozen=True)
class _Named:
    rule: DutyRule
    names: Mapping[str, FrozenText]

    def recipients(self, path: str | None) -> Sequence[str]:
        paths = self.rule.as_paths()
        return next((each.recipients for each in paths if each.id == path), paths[0].recipients)


def _told(row: DutyRow, named: _Named | None, language: str) -> tuple[str, str]:
    words = _WORDS[language]
    if named is None:
        # An order's words are an authority's; its number is enough. A regime that is no longer in use has no title.
        number = row.duty_id.rpartition("/")[2]
        title = words["order"].format(label=number) if row.regime == ORDERED else row.duty_id
        to, article = "", ""
    else:
        title = named.rule.title[language]
        to = words["sep"].join(named.names[key][language] for key in named.recipients(row.path))
        article = named.rule.article
    shown = words["assumed"].format(text=title) if row.assumed else title
    about = words["about"].format(duty=row.duty_id, to=to, article=article, incident=row.incident_id)
    return words["summary"].format(incident=row.incident_id, title=shown), about if named is not None else ""


def _neutral(row: DutyRow) -> tuple[str, str]:
    return row.incident_id, ""


def _entry(row: DutyRow, opened_at: datetime, summary: str, about: str) -> CalendarEntry:
    assert row.due_at is not None  # noqa: S101 - only such rows were asked for
    # Hashed, as the name of a duty would tell what a hold keeps quiet.
    name = hashlib.sha256(f"{row.incident_id}\0{row.duty_id}".encode()).hexdigest()[:32]
    return CalendarEntry(
        uid=f"{name}@tocsin",
        sequence=max(0, int((row.evaluated_at - opened_at).total_seconds())),
        due_at=row.due_at,
        changed_at=row.evaluated_at,
        summary=summary,
        about=about,
    )


def _event(entry: CalendarEntry, alarms: Sequence[timedelta]) -> Iterator[str]:
    yield "BEGIN:VEVENT"
    yield f"UID:{entry.uid}"
    yield f"DTSTAMP:{_time(entry.changed_at)}"
    yield f"LAST-MODIFIED:{_time(entry.changed_at)}"
    yield f"SEQUENCE:{entry.sequence}"
    yield f"DTSTART:{_time(entry.due_at)}"
    yield f"SUMMARY:{_escaped(entry.summary)}"
    if entry.about:
        yield f"DESCRIPTION:{_escaped(entry.about)}"
    yield "TRANSP:TRANSPARENT"
    for before in alarms:
        yield "BEGIN:VALARM"
        yield "ACTION:DISPLAY"
        yield f"DESCRIPTION:{_escaped(entry.summary)}"
        yield f"TRIGGER:-PT{int(before.total_seconds() // 60)}M"
        yield "END:VALARM"
    yield "END:VEVENT"


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _escaped(text: str) -> str:
    for plain, escaped in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        text = text.replace(plain, escaped)
    return text


def _folded(line: str) -> Iterator[str]:
    """The line in pieces of at most 75 octets, each after the first begun with a blank; no character is cut."""
    piece, used = "", 0
    for sign in line:
        octets = len(sign.encode())
        if used + octets > _MOST_OCTETS:
            yield piece
            piece, used = " ", 1
        piece += sign
        used += octets
    yield piece
