"""An incident as a VERIS record (schema 1.4.1). Pure.

What the record does not hold is Unknown there. What VERIS has no place for (people, moments, bounds) stands below
`plus`, which is its own place for that, and is read back from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any

from incident.law.categories import category_catalogue
from incident.masking import mask_in_text
from incident.notice.phrases import only_in_language
from incident.record.dossier import Dossier
from incident.record.facts import Certainty, FactSheet, Interval, Value, value_to_json
from incident.record.veris import CVE, OWN, OWN_FIELDS
from incident.record.veris_words import UNKNOWN, CauseWords, VerisWords, veris_words

_WITHHELD = "Incident {id}; the summary is withheld."
_UNITS = (
    ("Days", timedelta(days=1)),
    ("Hours", timedelta(hours=1)),
    ("Minutes", timedelta(minutes=1)),
    ("Seconds", timedelta(seconds=1)),
)
# From the surest down: the least sure of what is told decides.
_CONFIDENCE = ((Certainty.assumed, "Low"), (Certainty.claimed, "Medium"))
_TIMES = ("occurred_at", "discovered_at", "informed_at", "aware_at")


def veris_document(dossier: Dossier, *, zone: tzinfo, with_text: bool) -> dict[str, Any]:
    """The record. `zone` is that of the time of day, as VERIS knows no zones."""
    sheet, words = dossier.sheet, veris_words()
    document: dict[str, Any] = {
        "schema_version": words.written,
        "incident_id": dossier.id,
        "security_incident": "Confirmed" if sheet.get("personal_data_breach") == "actual" else "Suspected",
        "summary": text_of(dossier)[0] if with_text else _WITHHELD.format(id=dossier.id),
        "timeline": _timeline(dossier, zone),
        **_causes(sheet, words),
        "asset": {"assets": [{"variety": UNKNOWN}], "cloud": [UNKNOWN]},
        "attribute": _attribute(dossier, words),
        "discovery_method": _discovery(sheet, words),
    }
    if (confidence := _confidence(dossier)) is not None:
        document["confidence"] = confidence
    if (loss := _amounts(sheet.get("economic_loss"))) is not None:
        document["impact"] = {"overall_rating": UNKNOWN, "iso_currency_code": "CNY", **loss}
    if own := _own(dossier):
        document["plus"] = {OWN: own}
    return document


def text_of(dossier: Dossier) -> tuple[str, str]:
    """What happened, or the title where that was not told, and its language: English where there is English.

    Addresses and long numbers are masked.
    """
    for told in (dossier.sheet.get("what_happened"), dossier.title):
        for language in ("en", "zh-Hans"):
            if text := only_in_language(told, language):
                return mask_in_text(text), language
    return mask_in_text(dossier.title), "en"


def _confidence(dossier: Dossier) -> str | None:
    stated = dossier.current.get("personal_data_breach")
    if stated is None or stated.fact.value is None:
        return None
    return dict(_CONFIDENCE).get(stated.fact.sure, "High")


def _timeline(dossier: Dossier, zone: tzinfo) -> dict[str, Any]:
    """VERIS asks for a year: where it is not known when it began, it is that of the first time that is known."""
    sheet = dossier.sheet
    began, found, ended = (_time(sheet, name) for name in ("occurred_at", "discovered_at", "ended_at"))
    timeline: dict[str, Any] = {}
    if began is not None:
        local = began.astimezone(zone)
        timeline["incident"] = {
            "year": local.year,
            "month": local.month,
            "day": local.day,
            "time": f"{local:%I:%M:%S %p}",
        }
    else:
        known = [moment for moment in (_time(sheet, name) for name in _TIMES) if moment is not None]
        timeline["incident"] = {"year": min(known, default=dossier.opened_at).astimezone(zone).year}
    if began is not None and found is not None and found >= began:
        timeline["discovery"] = _length(found - began)
    if found is not None and ended is not None and ended >= found:
        timeline["containment"] = _length(ended - found)
    return timeline


def _time(sheet: FactSheet, name: str) -> datetime | None:
    value = sheet.get(name)
    return value if isinstance(value, datetime) else None


def _length(length: timedelta) -> dict[str, Any]:
    whole = timedelta(seconds=int(length.total_seconds()))
    unit, one = next((each for each in _UNITS if whole and not whole % each[1]), _UNITS[-1])
    return {"unit": unit, "value": whole // one}


def _causes(sheet: FactSheet, words: VerisWords) -> dict[str, Any]:
    """Action and actor. An actor is named only where the cause names one."""
    kind = sheet.get("cause_kind")
    known = words.causes_out.get(kind) if isinstance(kind, str) else None
    told = known or CauseWords(section="unknown")
    action: dict[str, Any] = {told.section: _section(told.section, told.word)}
    if sheet.get("ransomware") is True:
        for section, word in words.ransomware.items():
            action[section] = _section(section, word)
    if identifiers := cves_in(sheet):
        home = next((each for each in ("hacking", "malware") if each in action), "hacking")
        action.setdefault(home, _section(home, UNKNOWN))["cve"] = ", ".join(identifiers)
    return {"action": action, "actor": {told.actor or "unknown": _ACTORS.get(told.actor or "", {})}}


_ACTORS: dict[str, dict[str, Any]] = {
    "internal": {"variety": [UNKNOWN], "motive": [UNKNOWN]},
    "partner": {"country": [UNKNOWN], "motive": [UNKNOWN]},
}


def _section(name: str, word: str | None) -> dict[str, Any]:
    if word is None:
        return {}
    target = {"target": [UNKNOWN]} if name == "social" else {}
    return {"variety": [word], "vector": [UNKNOWN], **target}


def cves_in(sheet: FactSheet) -> list[str]:
    """The identifiers of weaknesses that the record names, and nothing of the text around them."""
    told = sheet.get("vulnerabilities")
    texts = [told] if isinstance(told, str) else list(told.values()) if isinstance(told, Mapping) else []
    return list(dict.fromkeys(each for text in texts for each in CVE.findall(text.upper())))


def _attribute(dossier: Dossier, words: VerisWords) -> dict[str, Any]:
    sheet = dossier.sheet
    effects = sheet.get("breach_effects")
    known = effects if isinstance(effects, tuple) else None
    attribute: dict[str, Any] = {"confidentiality": _secrecy(dossier, known, words)}
    if known and "integrity" in known:
        attribute["integrity"] = {"variety": ["Modify data"]}
    if known and "availability" in known:
        variety = "Obscuration" if sheet.get("ransomware") is True else "Loss"
        attribute["availability"] = {"variety": [variety]}
    return attribute


def _secrecy(dossier: Dossier, effects: tuple[str, ...] | None, words: VerisWords) -> dict[str, Any]:
    sheet = dossier.sheet
    told: dict[str, Any] = {"data_disclosure": _disclosure(dossier, effects)}
    if sheet.get("personal_data_breach") in ("actual", "possible"):
        told["data"] = [{"variety": variety} for variety in _varieties(sheet, words)]
    records = sheet.get("records")
    if isinstance(records, Interval):
        total = records.min if records.is_exact else records.likely
        if total is not None:
            told["data_total"] = int(total)
    groups = sheet.get("subject_categories")
    if isinstance(groups, tuple) and groups:
        told["data_victim"] = list(dict.fromkeys(words.group_called(text) for text in groups))
    return told


def _disclosure(dossier: Dossier, effects: tuple[str, ...] | None) -> str:
    breach = dossier.sheet.get("personal_data_breach")
    if breach == "none" or (effects is not None and "confidentiality" not in effects):
        return "No"
    if breach == "possible":
        return "Potentially"
    if effects is None:
        return UNKNOWN
    unsure = dossier.current["breach_effects"].fact.sure is Certainty.assumed
    return "Potentially" if unsure and breach is None else "Yes"


def _varieties(sheet: FactSheet, words: VerisWords) -> list[str]:
    """A breach of personal data is at least one of data that is personal, of whatever kind."""
    kinds = sheet.get("data_categories")
    named = kinds if isinstance(kinds, tuple) else ()
    known = category_catalogue()
    told = [known[kind].veris if kind in known else None for kind in named]
    return list(dict.fromkeys(word or words.data_else for word in told)) or [words.data_else]


def _discovery(sheet: FactSheet, words: VerisWords) -> dict[str, Any]:
    told = sheet.get("found_by")
    found = words.finder_called(told) if isinstance(told, str | Mapping) else None
    if found is None and _time(sheet, "informed_at") is not None and _time(sheet, "discovered_at") is None:
        found = ("external", UNKNOWN)
    return {found[0]: {"variety": [found[1]]}} if found is not None else {"unknown": True}


def _amounts(value: Value | None) -> dict[str, Any] | None:
    if not isinstance(value, Interval):
        return None
    if value.is_exact:
        return {"overall_amount": float(value.min)}
    bounds = {"overall_min_amount": value.min, "overall_amount": value.likely}
    bounds["overall_max_amount"] = value.max
    return {name: float(bound) for name, bound in bounds.items() if bound is not None}


def _own(dossier: Dossier) -> dict[str, Any]:
    return {
        name: {"value": value_to_json(stated.fact.value), "sure": stated.fact.sure}
        for name in OWN_FIELDS
        if (stated := dossier.current.get(name)) is not None and stated.fact.value is not None
    }
