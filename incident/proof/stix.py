"""An incident as a STIX 2.1 bundle (OASIS standard of 10 June 2021). Pure.

STIX's own incident object holds little more than a name. What else is known stands in a property extension of ours,
whose definition travels with the bundle; measures are courses of action, the cause an attack pattern, known weaknesses
vulnerabilities. Nothing is observed data: what was seen in logs tells of the people concerned and stays here.

Ids are made of the hash of the journal's first entry, so that the same record has the same ids in every export and no
other house has them. Two objects of one id and one `modified` are the same object to every reader (3.6.2): therefore
every object bears the time of the record's last change, and the id depends on the marking too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from incident.masking import mask_in_text
from incident.proof.veris import cves_in, text_of
from incident.record.dossier import Dossier
from incident.record.facts import Certainty, Value, value_to_json
from incident.record.measures import MeasureSummary, summarise_measures

Object = dict[str, Any]

# Ours; the namespace of the standard (2.9) is for observables alone.
_NAMESPACE = UUID("eeb44bfb-5469-4bfb-b50e-2667c14daf8d")
_MAKER = "identity--5ccaa03d-19b0-4ecd-adf6-bd307f418d30"
_EXTENSION = "extension-definition--2bfdf4f3-1fc8-47ff-ad66-ff3234a8215a"
_MADE = "2026-11-29T00:00:00.000Z"
_EXTENSION_SCHEMA = """\
Properties of an incident in which personal data may have been disclosed, altered or lost; each may be absent.
breach: actual, possible or none. effects: list of confidentiality, integrity, availability. cause: a word.
ransomware: boolean. data_kinds: list of words. persons, records: {min, likely, max}; without max no upper bound is known.
occurred_at, discovered_at, ended_at: timestamps."""
_FIELDS = {
    "breach": "personal_data_breach",
    "effects": "breach_effects",
    "cause": "cause_kind",
    "ransomware": "ransomware",
    "data_kinds": "data_categories",
    "persons": "persons",
    "records": "records",
    "occurred_at": "occurred_at",
    "discovered_at": "discovered_at",
    "ended_at": "ended_at",
}
# STIX 2.1 Appendix A, the scale none / low / medium / high.
_CONFIDENCE = {
    Certainty.confirmed: 85,
    Certainty.likely: 85,
    Certainty.claimed: 50,
    Certainty.assumed: 15,
}
# Only causes that are a way of attacking, with their number in ATT&CK where the word fits exactly one technique.
_PATTERNS: Mapping[str, tuple[str, str | None]] = {
    "phishing": ("Phishing", "T1566"),
    "stolen_credentials": ("Valid accounts", "T1078"),
    "vulnerability": ("Exploitation of a weakness", None),
    "malware": ("Malicious software", None),
}
_TLP_CREATED = "2017-01-20T00:00:00.000Z"


class Tlp(StrEnum):
    """The markings that STIX 2.1 defines itself (7.2.1.4)."""

    WHITE = "white"
    GREEN = "green"
    AMBER = "amber"
    RED = "red"


_TLP_IDS = {
    Tlp.WHITE: "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
    Tlp.GREEN: "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
    Tlp.AMBER: "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
    Tlp.RED: "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
}


@dataclass(frozen=True)
class Producer:
    """The organisation that exports. `origin`: what no other house has; `begun_at`: since when this one keeps records."""

    name: str
    origin: str
    begun_at: datetime


def stix_bundle(
    dossier: Dossier, producer: Producer, *, origin: str, tlp: Tlp, with_text: bool
) -> dict[str, Any]:
    """The bundle. `origin`: what no other incident of any house has, such as the hash of its first entry."""
    return _Maker(dossier, producer, origin, tlp).bundle(with_text=with_text)


class _Maker:
    def __init__(self, dossier: Dossier, producer: Producer, origin: str, tlp: Tlp) -> None:
        self._dossier, self._producer = dossier, producer
        self._origin, self._tlp = origin, tlp
        self._changed_at = timestamp(_last_change(dossier))
        self._identity = self._identity_object()
        self._incident = self._incident_object()

    def bundle(self, *, with_text: bool) -> dict[str, Any]:
        told = [*self._patterns(), *self._vulnerabilities(), *self._courses()]
        notes = [self._note()] if with_text else []
        shown = [self._identity, self._incident, *told, *notes]
        objects = [_marking(self._tlp), *_definition(), *shown, self._report(shown)]
        # A bundle is only an envelope, and yet one with other contents should not be taken for the same.
        name = f"bundle:{self._changed_at}:{'text' if with_text else ''}"
        return {"type": "bundle", "id": self._id("bundle", name), "objects": objects}

    def _identity_object(self) -> Object:
        at = timestamp(self._producer.begun_at)
        name = f"{self._producer.origin}:{self._tlp}"
        return {
            "type": "identity",
            "spec_version": "2.1",
            "id": f"identity--{uuid5(_NAMESPACE, name)}",
            "created": at,
            "modified": at,
            "name": self._producer.name,
            "identity_class": "organization",
            "object_marking_refs": [_TLP_IDS[self._tlp]],
        }

    def _incident_object(self) -> Object:
        known = self._dossier.current.get("personal_data_breach")
        breach = known.fact.value if known else None
        certainty = {"confidence": _CONFIDENCE[known.fact.sure]} if known and breach else {}
        facts = self._facts()
        extension = {_EXTENSION: {"extension_type": "property-extension", **facts}}
        return self._object(
            "incident",
            "incident",
            name=f"Incident {self._dossier.id}",
            **({"labels": ["personal-data-breach"]} if breach in ("actual", "possible") else {}),
            **certainty,
            **({"extensions": extension} if facts else {}),
        )

    def _facts(self) -> dict[str, Any]:
        sheet = self._dossier.sheet
        values = {name: sheet.get(field) for name, field in _FIELDS.items()}
        return {name: _plain(value) for name, value in values.items() if value not in (None, ())}

    def _patterns(self) -> Iterator[Object]:
        sheet = self._dossier.sheet
        cause = sheet.get("cause_kind")
        found = [_PATTERNS[cause]] if isinstance(cause, str) and cause in _PATTERNS else []
        if sheet.get("ransomware") is True:
            found.append(("Ransomware", None))
        for name, number in found:
            reference = [{"source_name": "mitre-attack", "external_id": number}] if number else []
            pattern = self._object(
                "attack-pattern", name, name=name, **({"external_references": reference} if reference else {})
            )
            yield pattern
            yield self._relation(pattern)

    def _vulnerabilities(self) -> Iterator[Object]:
        for number in cves_in(self._dossier.sheet):
            reference = [{"source_name": "cve", "external_id": number}]
            weakness = self._object("vulnerability", number, name=number, external_references=reference)
            yield weakness
            yield self._relation(weakness)

    def _courses(self) -> Iterator[Object]:
        for summary in summarise_measures(self._dossier.measures):
            course = self._course(summary)
            yield course
            yield self._relation(course, start_time=timestamp(summary.first))

    def _course(self, summary: MeasureSummary) -> Object:
        """The catalogue's own words; what was logged with it may name people and systems."""
        measure = summary.measure
        references = [{"source_name": "mitre-d3fend", "external_id": each} for each in measure.d3fend]
        return self._object(
            "course-of-action",
            measure.id,
            name=measure.title["en"],
            description=measure.public["en"],
            **({"external_references": references} if references else {}),
        )

    def _relation(self, source: Object, **times: str) -> Object:
        """STIX names no relationship of an incident but the common one."""
        return self._object(
            "relationship",
            f"relationship:{source['id']}",
            relationship_type="related-to",
            source_ref=source["id"],
            target_ref=self._incident["id"],
            **times,
        )

    def _note(self) -> Object:
        """What people wrote, apart from the incident: the two exports of one record do not contradict each other."""
        text, language = text_of(self._dossier)
        return self._object(
            "note",
            "note",
            lang=language,
            abstract=mask_in_text(self._dossier.title),
            content=text,
            object_refs=[self._incident["id"]],
        )

    def _report(self, shown: list[Object]) -> Object:
        noted = any(each["type"] == "note" for each in shown)
        return self._object(
            "report",
            "report with text" if noted else "report",
            name=f"Incident {self._dossier.id}",
            published=self._changed_at,
            object_refs=[each["id"] for each in shown],
        )

    def _object(self, kind: str, key: str, /, **more: Any) -> Object:
        """A domain or relationship object with what all have in common."""
        return {
            "type": kind,
            "spec_version": "2.1",
            "id": self._id(kind, key),
            "created_by_ref": self._identity["id"],
            "created": timestamp(self._dossier.opened_at),
            "modified": self._changed_at,
            **more,
            "object_marking_refs": [_TLP_IDS[self._tlp]],
        }

    def _id(self, kind: str, name: str) -> str:
        return f"{kind}--{uuid5(_NAMESPACE, f'{self._origin}:{self._tlp}:{kind}:{name}')}"


def timestamp(moment: datetime) -> str:
    """UTC to the millisecond, as 3.2 asks for `created` and `modified`."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def _plain(value: Value | None) -> Any:
    """As STIX writes it, which knows neither null nor empty lists."""
    if isinstance(value, datetime):
        return timestamp(value)
    plain = value_to_json(value)
    if isinstance(plain, dict):
        return {key: item for key, item in plain.items() if item is not None}
    return plain


def _last_change(dossier: Dossier) -> datetime:
    recorded = [stated.recorded_at for stated in dossier.history]
    recorded += [line.recorded_at for line in dossier.log]
    closed = [dossier.closed_at] if dossier.closed_at is not None else []
    return max([dossier.opened_at, *recorded, *closed])


def _marking(tlp: Tlp) -> Object:
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": _TLP_IDS[tlp],
        "created": _TLP_CREATED,
        "definition_type": "tlp",
        "name": f"TLP:{tlp.upper()}",
        "definition": {"tlp": str(tlp)},
    }


def _definition() -> tuple[Object, Object]:
    """Who made the extension, and what it holds."""
    maker = {
        "type": "identity",
        "spec_version": "2.1",
        "id": _MAKER,
        "created": _MADE,
        "modified": _MADE,
        "name": "Tocsin",
        "identity_class": "system",
    }
    definition = {
        "type": "extension-definition",
        "spec_version": "2.1",
        "id": _EXTENSION,
        "created_by_ref": _MAKER,
        "created": _MADE,
        "modified": _MADE,
        "name": "Personal data breach",
        "description": "What is known of a breach of personal data: typed facts, no text that people wrote.",
        "schema": _EXTENSION_SCHEMA,
        "version": "1.0.0",
        "extension_types": ["property-extension"],
    }
    return maker, definition
