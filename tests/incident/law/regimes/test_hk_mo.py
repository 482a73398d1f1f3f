"""Hong Kong and Macau."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from incident.law.findings import DutyState, Outcome
from incident.law.regimes import Confidence, load_regimes
from tests.support.laws import duties, keys, owed, told

HONG_KONG = ZoneInfo("Asia/Hong_Kong")
AWARE = datetime(2026, 11, 20, 22, 0, tzinfo=HONG_KONG)  # a Friday evening
OPERATOR: dict[str, Any] = {"organisations": ["critical_infrastructure_operator"]}
EFFECT: dict[str, Any] = {
    "critical_system_adverse_effect": True,
    "critical_system_aware_at": AWARE,
    "people_countries": ("HK",),
}


def test_hong_kongs_notification_is_voluntary_and_says_so() -> None:
    [regime] = [one for one in load_regimes() if one.id == "hk-pcpd-dbn"]
    said = [regime.title, *regime.notes]
    assert any("voluntary" in text["en"].lower() or "no statutory" in text["en"].lower() for text in said)
    assert any("自愿" in text["zh-Hans"] or "没有法定" in text["zh-Hans"] for text in said)


def test_the_commissioner_and_the_people_are_told_without_invented_hours() -> None:
    found = duties("HK", people_countries=("HK",))
    for name in ("authority", "people"):
        duty = found[f"hk-pcpd-dbn/{name}"]
        assert (duty.state, duty.within, duty.due_at) == (DutyState.owed, None, None)
    assert keys(found["hk-pcpd-dbn/authority"]) == {"pcpd"}


def test_outside_its_scope_hong_kong_raises_nothing() -> None:
    assert not {name for name in owed("CN", people_countries=("HK",)) if name.startswith("hk-")}


@pytest.mark.parametrize(("core", "hours"), [(True, 12), (False, 48)])
def test_an_operator_has_12_hours_where_the_core_function_is_disrupted_and_48_otherwise(
    core: bool, hours: int
) -> None:
    duty = duties("HK", **OPERATOR, **EFFECT, core_function_disrupted=core)["hk-pcicso/initial"]
    assert (duty.state, duty.due_at, duty.assumed) == (DutyState.owed, AWARE + timedelta(hours=hours), False)


def test_where_nobody_knows_whether_the_core_is_disrupted_the_12_hours_run() -> None:
    duty = duties("HK", **OPERATOR, **EFFECT, core_function_disrupted=None)["hk-pcicso/initial"]
    assert (duty.due_at, duty.assumed) == (AWARE + timedelta(hours=12), True)
    assert duty.settled_by == {"core_function_disrupted"}


def test_the_written_report_follows_within_14_days() -> None:
    duty = duties("HK", **OPERATOR, **EFFECT)["hk-pcicso/written"]
    assert duty.due_at == datetime(2026, 12, 4, 23, 59, 59, tzinfo=HONG_KONG)
    assert duty.confidence is Confidence.memory


def test_a_failure_without_unauthorised_access_is_no_incident_under_the_ordinance() -> None:
    facts = {**EFFECT, "critical_system_adverse_effect": False}
    assert told("HK", **OPERATOR, **facts)["hk-pcicso"].outcome is Outcome.not_met


def test_only_designated_operators_are_bound_and_only_since_2026() -> None:
    assert told("HK", **EFFECT)["hk-pcicso"].outcome is Outcome.out_of_scope
    last = datetime(2025, 12, 31, 23, 59, tzinfo=HONG_KONG)
    earlier = {**EFFECT, "discovered_at": last, "critical_system_aware_at": last}
    assert told("HK", **OPERATOR, **earlier)["hk-pcicso"].outcome is Outcome.not_in_force


def test_macaus_operators_tell_the_alert_centre_and_their_supervisor_and_nobody_else_must() -> None:
    found = duties("MO", **OPERATOR, people_countries=("MO",), critical_system_adverse_effect=True)
    assert found["mo-cyber-13-2019/authority"].state is DutyState.owed
    assert keys(found["mo-cyber-13-2019/authority"]) == {"caric"}
    assert found["mo-cyber-13-2019/supervisor"].state is DutyState.owed
    assert found["mo-cyber-13-2019/authority"].due_at is None
    assert told("MO")["mo-cyber-13-2019"].outcome is Outcome.out_of_scope
