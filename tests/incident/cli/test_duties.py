"""What is owed, at the terminal: the reasons with their questions, and all open incidents at once."""

from __future__ import annotations

import pytest

from incident.cli import duty_overview
from incident.law.regimes import load_regimes
from tests.support.carriers_law import put_carriers_law
from tests.support.estates import Estate

ZH = {"INCIDENT_LANGUAGE": "zh-Hans"}


def test_the_reasons_name_contents_questions_and_what_would_change_the_answer(estate: Estate) -> None:
    opened = ("open", "--title", "half known", "--found-at", "-3h", "--not-state-secret", "--json")
    second = estate.done(*opened).document["incident"]
    estate.done("set", second, "personal_data_breach=possible", "eu_data_subjects=no")
    said = estate.done("duties", second, "--why").out
    for part in (
        "runs from   Time of discovery",
        "(第七条第一项)",
        "Hotline 12387: 12387 (verified)",
        "settled by",
        "[cii_involved]",
        f"to answer: incident answer {second} FACT VALUE",
        "UNREVIEWED",
        "In scope, but nothing is asked for:",
        "would change it",
        "[eu_data_subjects]",
    ):
        assert part in said, part
    assert "eu-gdpr/authority" not in said.partition("asked for:")[0]
    chinese = estate.done("duties", second, "--why", **ZH).out
    for part in ("起算", "须载明", "待查明", "以下法规不要求采取行动", "变更则不同", "推定应履行"):
        assert part in chinese, part


def test_of_many_incidents_the_nearest_are_shown_and_the_others_have_a_line(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duty_overview, "IN_FULL", 0)
    document = estate.done("duties", "--json").document
    assert document["incidents"] == [] and document["open"] == 1
    [line] = document["others"]
    assert line["incident"] == estate.id and line["within_24h"] <= line["open"]
    said = estate.done("duties").out
    assert "further incidents" in said and "Member look-up" not in said, "no title is unsealed for a line"
    assert "其余 24 小时内" in estate.done("duties", **ZH).out
    assert "Member look-up" in estate.done("duties", "--all").out
    monkeypatch.setattr(duty_overview, "IN_LINES", 0)
    assert "and 1 more: incident duties --all" in estate.done("duties").out


def test_duties_that_may_lag_behind_say_so(estate: Estate) -> None:
    assert "may lag behind" not in estate.done("duties").out
    estate.change_settings('countries = ["cn", "eu"]', 'countries = ["cn"]')
    said = estate.done("duties").out
    assert "[scope] changed since" in said
    put_carriers_law(estate.root)
    assert "the rules changed since 1 of the open incidents" in estate.done("duties").out
    chinese = estate.done("duties", **ZH).out
    assert "规则变更前" in chinese and "[scope] 变更前" in chinese
    off = 1 + len([regime for regime in load_regimes() if regime.country == "CN" and regime.organisations])
    assert f"有 {off} 部法规" in chinese, "they bind only certain kinds of organisations"
    assert "[scope] organisation" in estate.done("duties", estate.id).out
    estate.done("set", estate.id, "persons=7")
    assert "may lag behind" not in estate.done("duties").out
