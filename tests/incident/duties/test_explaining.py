"""Why a duty stands, and why a regime asks for nothing: contents, questions, and what would change the answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from incident.duties.evaluating import rules_in_use
from incident.duties.explaining import (
    contents_of,
    off_for_organisation,
    open_fields,
    shown_duties,
    why_nothing,
)
from incident.duties.view import DutyView, view_duties
from incident.law.findings import Finding
from incident.record.dossier import load_dossier
from tests.support.breaches import Breach, make_breach
from tests.support.carriers_law import put_carriers_law
from tests.support.waiving import rows


@pytest.fixture
def breach(tmp_path: Path) -> Breach:
    return make_breach(tmp_path)


def found(breach: Breach) -> tuple[tuple[Finding, ...], dict[str, DutyView]]:
    findings = breach.house.findings(load_dossier(breach.made.store, breach.id))
    views = view_duties(findings, rows(breach), breach.made.settings, now=breach.made.clock())
    return findings, {view.duty.id: view for view in views}


def test_the_contents_of_a_notice_are_named_with_their_articles(breach: Breach) -> None:
    contents = contents_of(found(breach)[1]["eu-gdpr/people"].duty)
    assert [each.name for each in contents] == [
        "what_happened",
        "consequences",
        "measures_taken",
        "contact",
    ]
    assert all(each.article.startswith("Art. 34(2)") and each.title["zh-Hans"] for each in contents)


def test_an_assumed_duty_names_the_questions_that_would_settle_it(breach: Breach) -> None:
    breach.state(eu_data_subjects="unknown")
    duty = found(breach)[1]["eu-gdpr/authority"].duty
    assert duty.assumed
    assert "eu_data_subjects" in [field.name for field in open_fields(duty)]
    breach.state(discovered_at="unknown", informed_at="unknown")
    waiting = found(breach)[1]["cn-pipl-57/authority"].duty
    assert [field.name for field in open_fields(waiting)][:2] == ["discovered_at", "informed_at"]
    assert all(field.question["en"].endswith("?") for field in open_fields(waiting))


def test_a_regime_that_asks_for_nothing_says_which_fact_would_change_that(breach: Breach) -> None:
    assert "eu-gdpr" not in {each.finding.regime for each in why_nothing(found(breach)[0])}
    breach.state(eu_data_subjects="no")
    findings, views = found(breach)
    told = {each.finding.regime: each for each in why_nothing(findings)}
    assert [field.name for field in told["eu-gdpr"].facts] == ["eu_data_subjects"]
    assert not told["eu-gdpr"].unknown
    assert not [view for view in shown_duties(list(views.values())) if view.finding.regime == "eu-gdpr"]


def test_laws_that_bind_only_some_organisations_are_counted_until_one_is_named(breach: Breach) -> None:
    put_carriers_law(breach.made.workspace.root)
    rules, settings = rules_in_use(breach.made.workspace), breach.made.settings

    def off(kinds: list[str] | None, *countries: str) -> set[str]:
        scope = settings.scope.model_copy(update={"organisation": kinds, "countries": list(countries)})
        named = settings.model_copy(update={"scope": scope})
        return {regime.id for regime in off_for_organisation(rules.regimes, named)}

    assert "carriers" in off(None, "cn")
    assert "carriers" in off(["payment_institution"], "cn", "eu")
    assert "carriers" not in off(["telecom_operator"], "cn")
    assert "carriers" not in off(None, "eu"), "a country that is not in play"
