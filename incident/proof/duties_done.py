"""Duties that people met outside or took back, and waivers with their ends, as events of the timeline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from incident.duties.evaluating import MET
from incident.duties.waivers import WaiverEnd, list_waivers
from incident.errors import Unreadable
from incident.proof.events import Event
from incident.store.store import Store
from incident.store.tables import JournalEntry

MET_OUTSIDE, TAKEN_BACK = "duty.met", "duty.not_met"
_WORDS = {
    "en": {
        "met": "{duty} met: {how}",
        "late": "{duty} met late: {how}; reason: {reason}",
        "back": "{duty} does not count as met any more: {reason}",
        "waived": "{label}: {duty} waived under {article}: {reason}",
        "ended": "{label} ended, {duty} stands as the law has it: {why}",
    },
    "zh-Hans": {
        "met": "{duty} 已履行：{how}",
        "late": "{duty} 逾期履行：{how}；原因：{reason}",
        "back": "{duty} 不再计为已履行：{reason}",
        "waived": "{label} 依据 {article} 决定免除 {duty}：{reason}",
        "ended": "{label} 失效，{duty} 依法处理：{why}",
    },
}
_ENDS = {
    WaiverEnd.WITHDRAWN: "已撤回",
    WaiverEnd.REOPENED: "有关机关指令恢复",
    WaiverEnd.EXEMPTION_GONE: "例外情形不再成立",
    WaiverEnd.NOT_OWED: "义务不再存在",
    WaiverEnd.MET: "义务已经履行",
}


def duties_done(session: Session, store: Store, incident_id: str, *, language: str) -> Iterator[Event]:
    """What people recorded of duties, in the order of the journal, then the waivers."""
    entries = session.exec(
        select(JournalEntry)
        .where(JournalEntry.chain == incident_id, col(JournalEntry.kind).in_((MET_OUTSIDE, TAKEN_BACK)))
        .order_by(col(JournalEntry.seq))
    ).all()
    for entry in entries:
        # A damaged entry takes an event from the timeline, and not the timeline from those who need it.
        with suppress(Unreadable):
            body = store.body_of(incident_id, entry.seq) or {}
            yield from _of_entry(entry, body, _WORDS[language])
    yield from _waivers(session, store, incident_id, language)


def _of_entry(entry: JournalEntry, body: dict[str, Any], words: dict[str, str]) -> Iterator[Event]:
    if entry.kind == TAKEN_BACK:
        text = words["back"].format(duty=body.get("duty", ""), reason=body.get("withdrawn", ""))
        yield Event(entry.at, entry.at, "duty", text, entry.actor)
        return
    for image in body.get("rows", []):
        row, content = image["row"], image.get("content", {})
        if image["table"] == "duty" and row["state"] == MET and "met_by" in content:
            reason = content.get("late_reason", "")
            text = words["late" if reason else "met"].format(
                duty=row["duty_id"], how=content["met_by"], reason=reason
            )
            yield Event(datetime.fromisoformat(row["met_at"]), entry.at, "duty", text, entry.actor)
            # An evaluation in the same entry may tell of duties that were met before.
            return


def _waivers(session: Session, store: Store, incident_id: str, language: str) -> Iterator[Event]:
    words = _WORDS[language]
    # Whether a simulated operator counts is for who decides, not for who reads what was signed.
    for line in list_waivers(session, store, incident_id, drill=True):
        told = words["waived"].format(
            label=line.label, duty=line.duty_id, article=line.article, reason=line.reason
        )
        yield Event(line.at, line.at, "waiver", told, line.by)
        if line.ended_at is not None:
            ended = WaiverEnd(line.ended)
            why = _ENDS[ended] if language == "zh-Hans" else str(ended)
            said = f"{why}{'：' if language == 'zh-Hans' else ': '}{line.ended_reason}"
            text = words["ended"].format(
                label=line.label, duty=line.duty_id, why=said if line.ended_reason else why
            )
            yield Event(line.ended_at, line.ended_at, "waiver", text, "")
