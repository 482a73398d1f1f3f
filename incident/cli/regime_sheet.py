"""A regime as a person reads it before signing for it: everything that its file says, in one language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incident.law.clocks import Urgency
from incident.law.elements import element_catalogue
from incident.law.hanging import period
from incident.law.regimes import DutyRule, PathRule, Regime

_WORDS = {
    "en": {
        "country": "Country",
        "status": "Status",
        "since": "in force since {since}",
        "to": " until {to}",
        "authority": "Authority",
        "article": "Article",
        "source": "Source",
        "confidence": "Confidence",
        "duty": "Duty",
        "to whom": "To",
        "within": "Within",
        "from": "from",
        "or earlier": "no later than",
        "exempt": "Exemption",
        "elements": "Must hold",
        "items": "Items",
        "minimum": "At least",
        "channels": "Over",
        "form": "Form",
        "first": "After",
        "note": "Note",
        "way": "Way",
        "point": "Reports are taken at",
    },
    "zh-Hans": {
        "country": "国家/地区",
        "status": "状态",
        "since": "自 {since} 起施行",
        "to": "，至 {to} 止",
        "authority": "主管部门",
        "article": "条文",
        "source": "出处",
        "confidence": "可信度",
        "duty": "义务",
        "to whom": "对象",
        "within": "时限",
        "from": "起算",
        "or earlier": "且不迟于",
        "exempt": "例外",
        "elements": "内容",
        "items": "事项",
        "minimum": "至少",
        "channels": "方式",
        "form": "表格",
        "first": "之前须完成",
        "note": "说明",
        "way": "路径",
        "point": "报送渠道",
    },
}

_SPEEDS = {
    Urgency.immediately: {"en": "at once", "zh-Hans": "立即"},
    Urgency.promptly: {"en": "promptly", "zh-Hans": "及时"},
    Urgency.within: {"en": "", "zh-Hans": ""},
}


def regime_lines(regime: Regime, language: str) -> list[str]:
    """The regime in lines; conditions as the file writes them are left to the file, titles say what they are."""
    return list(_lines(regime, language))


def regime_document(regime: Regime) -> dict[str, Any]:
    """The regime as plain data."""
    duties = [
        {
            "id": duty.id,
            "kind": str(duty.kind),
            "phase": str(duty.phase),
            "title": dict(duty.title),
            "article": duty.article,
            "ways": [
                {
                    "id": way.id,
                    "recipients": list(way.recipients),
                    "within": period(way.within, "en") if way.within else None,
                    "urgency": str(way.urgency),
                    "article": way.article,
                }
                for way in duty.as_paths()
            ],
            "elements": dict(duty.elements),
            "items": list(duty.items),
            "minimum": list(duty.minimum),
            "channels": [str(each) for each in duty.channels],
            "form": duty.form,
            "exemptions": [
                {"title": dict(each.title), "effect": str(each.effect), "article": each.article}
                for each in duty.exemptions
            ],
            "confidence": str(duty.confidence),
        }
        for duty in regime.duties
    ]
    return {
        "regime": regime.id,
        "title": dict(regime.title),
        "authority": dict(regime.authority),
        "countries": sorted(regime.countries()),
        "status": str(regime.status),
        "in_force_since": regime.in_force.since.isoformat() if regime.in_force else None,
        "in_force_to": regime.in_force.to.isoformat() if regime.in_force and regime.in_force.to else None,
        "article": regime.article,
        "source": regime.source,
        "confidence": str(regime.confidence),
        "recipients": {key: dict(name) for key, name in regime.recipients.items()},
        "notes": [dict(note) for note in regime.notes],
        "duties": duties,
    }


def _lines(regime: Regime, language: str) -> Iterator[str]:
    words = _WORDS[language]
    yield f"{regime.id}  {regime.title[language]}"
    yield f"{words['country']}: {', '.join(sorted(regime.countries()))}"
    yield f"{words['status']}: {regime.status}{_in_force(regime, language)}"
    yield f"{words['authority']}: {regime.authority[language]}"
    yield f"{words['article']}: {regime.article}"
    yield f"{words['source']}: {regime.source}"
    yield f"{words['confidence']}: {regime.confidence}"
    for duty in regime.duties:
        yield ""
        yield from _duty_lines(regime, duty, language)
    for point in regime.report_points:
        yield f"{words['point']}: {point.name[language]} {point.value} ({point.confidence})"
    for note in regime.notes:
        yield f"{words['note']}: {note[language]}"


def _in_force(regime: Regime, language: str) -> str:
    if regime.in_force is None:
        return ""
    words = _WORDS[language]
    until = words["to"].format(to=regime.in_force.to) if regime.in_force.to else ""
    return f", {words['since'].format(since=regime.in_force.since)}{until}"


def _duty_lines(regime: Regime, duty: DutyRule, language: str) -> Iterator[str]:
    words = _WORDS[language]
    yield f"{words['duty']} {duty.id}: {duty.title[language]} ({duty.article}; {duty.confidence})"
    started = duty.anchor.submission_of or ", ".join(duty.anchor.fields)
    yield f"  {words['from']}: {started}"
    for way in duty.as_paths():
        yield f"  {_way(regime, way, language)}"
        for cap in way.caps:
            yield f"    {words['or earlier']} {period(cap.within, language)} {words['from']} {', '.join(cap.anchor.fields)} ({cap.article})"
    for exemption in duty.exemptions:
        yield f"  {words['exempt']}: {exemption.title[language]} ({exemption.effect}; {exemption.article})"
    titles = element_catalogue()
    for element, article in duty.elements.items():
        yield f"  {words['elements']}: {titles[element].title[language]} ({article})"
    for name, items in (("items", duty.items), ("minimum", duty.minimum)):
        if items:
            yield f"  {words[name]}: {', '.join(items)}"
    if duty.channels:
        yield f"  {words['channels']}: {', '.join(duty.channels)}"
    if duty.form:
        yield f"  {words['form']}: {duty.form}"
    if duty.needs_first:
        yield f"  {words['first']}: {duty.needs_first}"


def _way(regime: Regime, way: PathRule, language: str) -> str:
    words = _WORDS[language]
    whom = ", ".join(regime.recipients[key][language] for key in way.recipients)
    pace = period(way.within, language) if way.within is not None else _SPEEDS[way.urgency][language]
    name = f"{words['way']} {way.id}: " if way.id else ""
    return f"{name}{words['to whom']}: {whom}; {words['within']}: {pace} ({way.article})"
