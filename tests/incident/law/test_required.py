"""The union of what all standing reports to authorities must hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from incident.errors import BadInput
from incident.law.evaluate import evaluate, required_report_items
from incident.law.findings import Finding, ReportItem
from incident.law.regimes import SHIPPED, Phase, load_regime, load_regimes
from incident.record.facts import field_named, parse_value

NOW = datetime(2026, 11, 23, tzinfo=UTC)
FACTS = {
    "personal_data_breach": "actual",
    "discovered_at": "2026-11-22T01:00:00Z",
    "persons": 1_200_000,
    "eu_data_subjects": True,
    "risk_to_people": "risk",
    "cii_involved": False,
    "central_organ": False,
}
MEASURES, ANNEX, PIPL, GDPR = "cn-cac-incident-2025", "cn-cac-incident", "cn-pipl-57", "eu-gdpr-33"


def found(*scope: str, **changes: Any) -> tuple[Finding, ...]:
    sheet = {
        name: parse_value(field_named(name), value, zone=UTC) for name, value in {**FACTS, **changes}.items()
    }
    return evaluate(load_regimes(), sheet, scope_countries=scope or ("CN", "EU"), now=NOW)


def test_every_item_of_every_standing_report_is_named_with_its_own_article() -> None:
    asked = required_report_items(found())
    assert asked[ReportItem(ANNEX, Phase.initial, "1")] == ((MEASURES, "第七条第一项"),)
    assert asked[ReportItem(ANNEX, Phase.initial, "8")] == ((MEASURES, "第七条第八项"),)
    assert asked[ReportItem(PIPL, Phase.initial, "3")] == (("cn-pipl-57", "第五十七条第一款第三项"),)
    assert asked[ReportItem(GDPR, Phase.initial, "a")] == (("eu-gdpr", "Art. 33(3)(a)"),)


def test_the_same_number_in_another_phase_is_another_item() -> None:
    asked = required_report_items(found())
    assert asked[ReportItem(ANNEX, Phase.final, "1")] == ((MEASURES, "第八条"),)
    assert ReportItem(ANNEX, Phase.supplement, "3") in asked
    assert ReportItem(ANNEX, Phase.supplement, "1") not in asked


def test_the_minimum_is_what_the_first_version_must_hold_and_all_where_a_law_lets_nothing_follow() -> None:
    least = required_report_items(found(), minimum=True)
    assert [place.item for place in least if (place.form, place.phase) == (ANNEX, Phase.initial)] == [
        "1",
        "2",
    ]
    assert [place.item for place in least if place.form == PIPL] == ["1", "2", "3"]


def test_what_is_not_owed_asks_for_nothing() -> None:
    few = required_report_items(found("CN", persons=900))
    # The qualitative questions are open yet; the standard has no form of its own.
    assert {place.form for place in few} == {PIPL, ANNEX, "cn-gbt-35273-10/authority"}
    assert {place.form for place in required_report_items(found("EU"))} == {GDPR}
    assert required_report_items(found("EU", risk_to_people="unlikely")) == {}
    no_breach = required_report_items(found("CN", personal_data_breach="none"))
    assert {place.form for place in no_breach} == {ANNEX}


def test_a_report_without_a_form_stands_under_its_duty_and_without_item_articles_under_the_duties_article() -> (
    None
):
    text = (SHIPPED / "eu-gdpr.yaml").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.strip().startswith(("form:", "item_articles:"))]
    regime = _load("\n".join(lines))
    sheet = {name: parse_value(field_named(name), value, zone=UTC) for name, value in FACTS.items()}
    asked = required_report_items(evaluate([regime], sheet, scope_countries=["EU"], now=NOW))
    assert list(asked) == [
        ReportItem(duty, phase, item)
        for duty, phase in (
            ("eu-gdpr/authority", Phase.initial),
            ("eu-gdpr/supplement", Phase.supplement),
        )
        for item in "abcd"
    ]
    assert {place.phase: article for place, ((_, article),) in asked.items()} == {
        Phase.initial: "Art. 33(1)",
        Phase.supplement: "Art. 33(4)",
    }


def test_two_duties_that_ask_for_one_item_are_both_named() -> None:
    first = load_regime(SHIPPED / "eu-gdpr.yaml")
    other = first.model_copy(update={"id": "uk-gdpr", "country": "GB"})
    sheet = {name: parse_value(field_named(name), value, zone=UTC) for name, value in FACTS.items()}
    asked = required_report_items(evaluate([first, other], sheet, scope_countries=["EU", "GB"], now=NOW))
    assert asked[ReportItem(GDPR, Phase.initial, "d")] == (
        ("eu-gdpr", "Art. 33(3)(d)"),
        ("uk-gdpr", "Art. 33(3)(d)"),
    )


def test_an_article_for_an_item_that_the_duty_has_not_is_refused() -> None:
    text = (SHIPPED / "eu-gdpr.yaml").read_text("utf-8").replace("items: [a, b, c, d]", "items: [a, b, c]")
    with pytest.raises(BadInput, match="item_articles names items that the duty authority has not: d"):
        _load(text)


def _load(text: str) -> Any:
    from incident.law.data import checked
    from incident.law.regimes import Regime

    return checked(Regime, text, name="eu-gdpr.yaml")
