"""VERIS records for tests: the least that one says, and what a test adds."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from incident.record.veris import VerisRecord, read_veris
from incident.record.veris_words import UNKNOWN

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 29, 4, 0, tzinfo=UTC)


def record(**more: Any) -> dict[str, Any]:
    """The least that a record says, and what a test adds."""
    return {
        "schema_version": "1.4.1",
        "incident_id": "a-1",
        "security_incident": "Confirmed",
        "summary": "Somebody took a list.",
        "action": {"unknown": {}},
        "actor": {"unknown": {}},
        "asset": {"assets": [{"variety": UNKNOWN}], "cloud": [UNKNOWN]},
        "timeline": {"incident": {"year": 2026}},
        "discovery_method": {"unknown": True},
        **copy.deepcopy(more),
    }


def secrecy(disclosure: str = "Yes", *kinds: str, **more: Any) -> dict[str, Any]:
    data = {"data": [{"variety": kind} for kind in kinds]} if kinds else {}
    return {"confidentiality": {"data_disclosure": disclosure, **data, **more}}


def read(document: Any, *, language: str = "en") -> VerisRecord:
    found = read_veris(
        json.dumps(document).encode(),
        name="veris.json",
        zone=SHANGHAI,
        known_at=NOW,
        said_by="anna",
        language=language,
    )
    assert found is not None
    return found
