"""The scenario playbooks as tests walk them: their values, and what holds on every way through one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from incident.record.measures import measure_catalogue
from incident.response import events as e
from incident.response.lint import labels_of
from incident.response.yamltext import read_yaml
from tests.support.walks import (
    PLAYBOOKS,
    Walk,
    shipped,
)

SCENARIOS: Mapping[str, str] = {
    "credential-leak": "playbook--f3b216ce-ed58-4374-9169-c00e99f0b693",
    "public-storage": "playbook--182795ea-04ad-4ac2-ab4b-2f69bdf8c250",
    "lost-device": "playbook--9f4cac3e-00e6-4e40-a06c-60162b476265",
    "misdirected-mail": "playbook--bb0d89d3-c176-486f-9545-f5f727b072a3",
    "insider-export": "playbook--c0bed547-b1df-4af8-ae48-fb5251dc6029",
    "portal-scraping": "playbook--23495abe-8971-4ca3-96c9-e018b3fc37d8",
    "ransomware-exfiltration": "playbook--7d1038a0-058b-4376-ad94-84ec0f0a8b02",
    "supplier-breach": "playbook--ca2aeb96-eefb-4e97-a350-d35117d0ddde",
    "leaked-repository-secret": "playbook--9c8953ec-3b24-4c46-91f2-8cb7ed873f4d",
}
PHASES = (
    "triage",
    "preserve-evidence",
    "freeze-logs",
    "verify-containment",
    "approve-release",
    "draft-notice",
    "prepare-report",
    "send-notice",
    "recover",
    "review",
)
RELEASES = {"approve-release", "approve-revised"}
FIRST_RELEASES = {"approve-first-report", "approve-first-report-again"}
HAND_INS = {"hand-in-first-report", "hand-in-first-report-otherwise"}
SHARED = (
    "prepare-first-report",
    "prepare-first-report-by-hand",
    "correct-first-report",
    *sorted(FIRST_RELEASES),
    *sorted(HAND_INS),
    "draft-notice",
    "prepare-report",
    "revise-texts",
    *sorted(RELEASES),
    "release",
    "send-notice",
    "send-notice-by-hand",
    "hand-in-report",
)
"""Steps in the same words in every scenario, so that a change in one is made in all."""
VALUES = {
    "string": "10.9.8.7",
    "uri": "https://sign-in.example/",
    "uuid": "6f1c6f0e-8a0b-4a53-9d2e-0c9a4b1f7f11",
    "integer": "3",
}
SWITCHED = {
    "__store_kind__": ["bucket", "database", "share", ""],
    "__encryption__": ["encrypted", "unencrypted", "", "perhaps"],
    "__recipient__": ["inside", "entrusted", "outside", ""],
    "__still_leaking__": ["yes", "no", ""],
    "__supplier_answered__": ["yes", "no"],
    "__confirmed__": ["yes", "no"],
    "__watch__": ["on", "off"],
}

each_scenario = pytest.mark.parametrize("name", SCENARIOS)


@cache
def form_of(name: str) -> Any:
    """A scenario as it is written."""
    return read_yaml((PLAYBOOKS / f"{name}.yaml").read_text(encoding="utf-8"), name=name).data


def steps_of(name: str) -> dict[str, Any]:
    """Its steps by their short names."""
    playbook = shipped(name)
    labels = labels_of(playbook)
    return {labels[step_id]: step for step_id, step in playbook.workflow.items()}


def known(name: str) -> dict[str, str]:
    """A value for every external variable, so that every part is called."""
    found = {}
    for variable, declared in shipped(name).playbook_variables.items():
        if declared.external and not declared.value:
            found[variable] = SWITCHED.get(variable, [VALUES[declared.type]])[0]
    return found


def nothing_concerned(name: str) -> dict[str, str]:
    """“none” for every external variable that takes it."""
    return {
        variable: "none"
        for variable, declared in shipped(name).playbook_variables.items()
        if declared.external and "none" in (declared.description or "")
    }


def check(one: Walk) -> None:
    """What holds on every way through a scenario."""
    secured = released = first_released = False
    for label, effect, event in one.heard:
        measures = getattr(effect, "measures", [])
        if any(measure_catalogue()[each].evidence_first for each in measures):
            assert secured, f"{label} before the evidence"
        if label == "send-notice":
            assert released, "the notice was sent unreleased"
        if label == "hand-in-report":
            assert released, "the report left unreleased"
        if label in HAND_INS:
            assert first_released, "the first report left unreleased"
        if isinstance(event, e.Approved):
            released = released or label in RELEASES
            first_released = first_released or label in FIRST_RELEASES
            if label in RELEASES | FIRST_RELEASES:
                assert len(set(event.by)) >= 2
        if isinstance(event, e.PersonAnswered) and event.success:
            secured = secured or "analyse.preserve-evidence" in measures
