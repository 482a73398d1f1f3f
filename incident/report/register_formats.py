"""The register of breaches as a table, CSV, JSON and a page for print."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime, tzinfo
from pathlib import Path
from typing import Any

from incident.duties.register import Kept, RegisteredDuty, RegisterEntry
from incident.duties.view import DutyStatus
from incident.notice.templates import render_template
from incident.record.showing import defused

COLUMNS = {
    "en": {
        "incident": "Incident",
        "title": "Title",
        "state": "State",
        "opened": "On record since",
        "occurred": "Occurred",
        "found": "Found",
        "aware": "Aware",
        "found_by": "Found by",
        "systems": "Systems",
        "data": "Kinds of data",
        "persons": "Persons",
        "records": "Records",
        "effects": "Effects and consequences",
        "cause": "Cause",
        "measures": "Measures taken",
        "authorities": "Authorities told",
        "people": "People told",
        "not_told": "Not told, and why",
        "open": "Still open",
        "police": "Police contacted",
        "decisions": "Decisions",
        "kept": "To be kept",
    },
    "zh-Hans": {
        "incident": "事件",
        "title": "名称",
        "state": "状态",
        "opened": "登记时间",
        "occurred": "发生时间",
        "found": "发现时间",
        "aware": "确认时间",
        "found_by": "发现人",
        "systems": "涉事系统",
        "data": "信息种类",
        "persons": "涉及人数",
        "records": "记录条数",
        "effects": "影响与后果",
        "cause": "原因",
        "measures": "已采取的措施",
        "authorities": "向机关报告",
        "people": "告知个人",
        "not_told": "未报告或者未告知及其理由",
        "open": "尚未履行",
        "police": "是否联系公安机关",
        "decisions": "决定",
        "kept": "保存期限",
    },
}
_WORDS = {
    "en": {
        "open": "open",
        "closed": "closed {at}",
        "destroyed": "destroyed on {day}",
        "unreadable": "cannot be read: its key is not at hand",
        "met": "{title}: {at}, {how}",
        "met_bare": "{title}: {at}",
        "late": "{met} (late: {why})",
        "late_bare": "{met} (late)",
        "why": "{title}: {why}",
        "due": "{title}: due {at}",
        "no_hours": "{title}: no fixed hour",
        "kept": "{law}, {article}: until {day}",
        "kept_from": "{law}, {article}: {months} months, once it has begun",
        "kept_open": "{law}, {article}: no period named",
        "memory": " (from memory, check the text)",
        "secondary": " (from a digest)",
        "heading": "Register of personal data breaches",
        "meta": "{organisation}; as of {at}; incidents: {count}",
        "none": "No incident is on record for this selection.",
    },
    "zh-Hans": {
        "open": "未结案",
        "closed": "已结案 {at}",
        "destroyed": "数据已于 {day} 销毁",
        "unreadable": "无法读取：没有该事件的密钥",
        "met": "{title}：{at}，{how}",
        "met_bare": "{title}：{at}",
        "late": "{met}（逾期：{why}）",
        "late_bare": "{met}（逾期）",
        "why": "{title}：{why}",
        "due": "{title}：期限 {at}",
        "no_hours": "{title}：没有固定时限",
        "kept": "{law}{article}：至 {day}",
        "kept_from": "{law}{article}：{months} 个月，尚未起算",
        "kept_open": "{law}{article}：未规定期限",
        "memory": "（凭记忆，请核对原文）",
        "secondary": "（依据二手资料）",
        "heading": "个人信息泄露事件登记簿",
        "meta": "{organisation}；截至 {at}；共 {count} 起",
        "none": "所选范围内没有登记的事件。",
    },
}
_STILL_OPEN = frozenset({DutyStatus.RUNNING, DutyStatus.ASSUMED})


def register_rows(
    entries: Sequence[RegisterEntry], *, language: str, zone: tzinfo
) -> list[dict[str, tuple[str, ...]]]:
    """Each incident as cells by the names of `COLUMNS`; a cell is the lines that it holds."""
    return [_cells(entry, _Teller(language, zone)) for entry in entries]


def register_csv(entries: Sequence[RegisterEntry], *, language: str, zone: tzinfo) -> str:
    """CSV with a byte-order mark, so that spreadsheets read the Chinese; no cell runs as a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS[language].values())
    for row in register_rows(entries, language=language, zone=zone):
        writer.writerow([defused("\n".join(row[name])) for name in COLUMNS[language]])
    return "\ufeff" + out.getvalue()


def register_document(entries: Sequence[RegisterEntry], *, at: datetime) -> dict[str, Any]:
    """The register as plain data, times in UTC."""
    plain = [{**_plain(asdict(entry)), "kept": [_kept(each) for each in entry.kept]} for entry in entries]
    return {"at": at.isoformat(), "incidents": plain}


def register_json(entries: Sequence[RegisterEntry], *, at: datetime) -> str:
    """`register_document` as indented JSON with a final line end."""
    return json.dumps(register_document(entries, at=at), ensure_ascii=False, indent=2) + "\n"


def register_html(
    entries: Sequence[RegisterEntry],
    *,
    language: str,
    zone: tzinfo,
    organisation: str,
    at: datetime,
    templates: Sequence[Path],
) -> str:
    """A page for print (A4) from `register/register.html.j2`, an incident each. Raises as `render_template`."""
    teller = _Teller(language, zone)
    titles = COLUMNS[language]
    incidents = []
    for row in register_rows(entries, language=language, zone=zone):
        lines = [
            (titles[name], cell)
            for name, cell in row.items()
            if name not in ("incident", "title") and any(cell)
        ]
        incidents.append({"id": row["incident"][0], "title": "".join(row["title"]), "lines": lines})
    values = {
        "language": language,
        "heading": teller.say("heading"),
        "meta": teller.say("meta", organisation=organisation, at=teller.time(at), count=len(entries)),
        "nothing": teller.say("none"),
        "incidents": incidents,
    }
    return render_template("register/register.html.j2", values, templates=templates)


class _Teller:
    """The words of one language, with times in one zone."""

    def __init__(self, language: str, zone: tzinfo) -> None:
        self._words = _WORDS[language]
        self.language = language
        self._zone = zone

    def say(self, name: str, **values: object) -> str:
        return self._words[name].format(**values)

    def time(self, at: datetime | None) -> str:
        return f"{at.astimezone(self._zone):%Y-%m-%d %H:%M %z}" if at is not None else ""

    def day(self, at: datetime) -> str:
        return f"{at.astimezone(self._zone):%Y-%m-%d}"

    def state(self, entry: RegisterEntry) -> str:
        if entry.destroyed_at is not None:
            return self.say("destroyed", day=self.day(entry.destroyed_at))
        if not entry.readable:
            return self.say("unreadable")
        if entry.closed_at is not None:
            return self.say("closed", at=self.time(entry.closed_at))
        return self.say("open")

    def met(self, duty: RegisteredDuty) -> str:
        name = "met" if duty.how else "met_bare"
        told = self.say(name, title=duty.title, at=self.time(duty.met_at), how=duty.how)
        if duty.status is not DutyStatus.LATE:
            return told
        return self.say("late" if duty.why else "late_bare", met=told, why=duty.why)

    def due(self, duty: RegisteredDuty) -> str:
        name = "due" if duty.due_at is not None else "no_hours"
        return self.say(name, title=duty.title, at=self.time(duty.due_at))

    def kept(self, each: Kept) -> str:
        rule = each.rule
        name = "kept_open" if rule.months is None else "kept" if each.until is not None else "kept_from"
        told = self.say(
            name, law=rule.title[self.language], article=rule.article, months=rule.months, day=each.until
        )
        return told + self._words.get(str(rule.confidence), "")


def _cells(entry: RegisterEntry, teller: _Teller) -> dict[str, tuple[str, ...]]:
    return {
        "incident": (entry.incident_id,),
        "title": (entry.title,),
        "state": (teller.state(entry),),
        "opened": (teller.time(entry.opened_at),),
        "occurred": (teller.time(entry.occurred_at),),
        "found": (teller.time(entry.found_at),),
        "aware": (teller.time(entry.aware_at),),
        "found_by": (entry.found_by,),
        "systems": (entry.systems,),
        "data": (entry.data_kinds,),
        "persons": (entry.persons,),
        "records": (entry.records,),
        "effects": (entry.effects,),
        "cause": (entry.cause,),
        "measures": entry.measures,
        "authorities": tuple(map(teller.met, entry.authorities_told)),
        "people": tuple(map(teller.met, entry.people_told)),
        "not_told": tuple(teller.say("why", title=each.title, why=each.why) for each in entry.not_told),
        "open": tuple(teller.due(each) for each in entry.duties if each.status in _STILL_OPEN),
        "police": (entry.police,),
        "decisions": entry.decisions,
        "kept": tuple(map(teller.kept, entry.kept)),
    }


def _kept(each: Kept) -> dict[str, Any]:
    return {
        "law": each.rule.id,
        "article": each.rule.article,
        "months": each.rule.months,
        "until": each.until.isoformat() if each.until is not None else None,
        "confidence": str(each.rule.confidence),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items() if name != "kept"}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value
