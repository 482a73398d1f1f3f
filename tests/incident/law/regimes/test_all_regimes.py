"""What holds for every law that ships: scope, status, source, confidence, both languages, and no invented period."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from incident.law.clocks import Rolls, Urgency, Within
from incident.law.evaluate import evaluate
from incident.law.findings import Finding, Outcome
from incident.law.regimes import Confidence, DutyKind, Regime, Status, load_regimes
from incident.record.facts import LocalText

NOW = datetime(2026, 11, 28, 3, tzinfo=UTC)
LAWS = {law.id: law for law in load_regimes()}

HOURS_72, HOURS_24 = Within(seconds=72 * 3600), Within(seconds=24 * 3600)
JAPAN_30, JAPAN_60 = (
    Within(days=days, first_day_counts=True, rolls=Rolls.next_working_day) for days in (30, 60)
)

# The periods of each duty as the law writes them, by all its ways; none where the law names none.
PERIODS: dict[str, set[Within]] = {
    "us-sec-8k-105/form_8k": {Within(working_days=4)},
    "us-sec-8k-105/amendment": {Within(working_days=4)},
    "us-circia/authority": {HOURS_72},
    "us-circia/ransom": {HOURS_24},
    "us-ftc-safeguards/authority": {Within(days=30)},
    "us-ca-1798-82/people": {Within(days=30)},
    "us-ca-1798-82/attorney_general": {Within(days=15)},
    "us-ca-1798-82/partner": set(),
    "us-ny-899-aa/people": {Within(days=30)},
    "us-ny-899-aa/agencies": {Within(days=30), Within(days=10)},
    "us-ny-899-aa/credit_agencies": set(),
    "us-ny-899-aa/partner": {Within(days=30)},
    "us-fcc-64-2011/agencies": {Within(working_days=7)},
    "us-fcc-64-2011/people": {Within(days=30)},
    "jp-appi/preliminary": set(),
    "jp-appi/final": {JAPAN_30, JAPAN_60},
    "jp-appi/people": set(),
    "kr-pipa/people": {HOURS_72},
    "kr-pipa/possible": {HOURS_72},
    "kr-pipa/authority": {HOURS_72},
    "sg-pdpa/assess": {Within(days=30)},
    "sg-pdpa/authority": {Within(days=3)},
    "sg-pdpa/people": set(),
    "au-ndb/assess": {Within(days=30)},
    "au-ndb/authority": set(),
    "au-ndb/people": set(),
    "in-dpdp/authority": set(),
    "in-dpdp/detailed": {HOURS_72},
    "in-dpdp/people": set(),
    "in-cert-in/authority": {Within(seconds=6 * 3600)},
    "id-pdp/authority": {HOURS_72},
    "id-pdp/people": {HOURS_72},
    "id-pdp/public": set(),
    "th-pdpa/authority": {HOURS_72},
    "th-pdpa/people": set(),
    "vn-pdpl/authority": {HOURS_72},
    "vn-pdpl/people": set(),
    "vn-pdpl/partner": set(),
    "br-lgpd/authority": {Within(working_days=3), Within(working_days=6)},
    "br-lgpd/supplement": {Within(working_days=20), Within(working_days=40)},
    "br-lgpd/people": {Within(working_days=3), Within(working_days=6)},
    "br-lgpd/declaration": {Within(working_days=6), Within(working_days=9)},
    "ca-pipeda/authority": set(),
    "ca-pipeda/people": set(),
    "ca-pipeda/partner": set(),
    "ch-fadp/authority": set(),
    "ch-fadp/people": set(),
    "tw-pdpa/people": set(),
}
# Duties of other laws that are owed without delay and without a number.
NO_NUMBER = (
    "eu-gdpr/people", "eu-gdpr/supplement", "uk-gdpr/people", "eu-nis2/people", "eu-dora/people", "eu-cra/people",
    "cn-pipl-57/authority", "cn-pipl-57/people", "cn-cac-incident-2025/supplement", "hk-pcpd-dbn/authority",
)  # fmt: skip

CHINESE = re.compile("[\u4e00-\u9fff]")
HALF_WIDTH = re.compile("[\u4e00-\u9fff][,;:!?]|[,;:!?][\u4e00-\u9fff]")


@pytest.mark.parametrize("law", sorted({name.partition("/")[0] for name in PERIODS}))
def test_every_duty_has_the_period_of_its_law_and_no_other(law: str) -> None:
    written = {f"{law}/{duty.id}": set(duty.periods()) for duty in LAWS[law].duties}
    assert written == {name: periods for name, periods in PERIODS.items() if name.startswith(f"{law}/")}


@pytest.mark.parametrize("name", NO_NUMBER)
def test_without_delay_has_no_invented_hours(name: str) -> None:
    law, _, duty = name.partition("/")
    [rule] = [each for each in LAWS[law].duties if each.id == duty]
    assert rule.periods() == ()
    assert all(path.urgency is not Urgency.within for path in rule.as_paths())


@pytest.mark.parametrize("law", LAWS)
def test_a_law_is_off_until_its_country_is_in_scope(law: str) -> None:
    rules = LAWS[law]
    elsewhere = {"XX", "US" if rules.country.startswith("US-") else "US-XX"}
    assert finding(rules, elsewhere, set(rules.organisations)).outcome is Outcome.out_of_scope
    assert finding(rules, set(), set(rules.organisations)).outcome is Outcome.out_of_scope
    assert finding(rules, {rules.country}, set(rules.organisations)).outcome is not Outcome.out_of_scope


@pytest.mark.parametrize("law", [name for name, rules in LAWS.items() if rules.organisations])
def test_a_law_for_some_is_off_for_all_others(law: str) -> None:
    rules = LAWS[law]
    assert finding(rules, {rules.country}, set()).outcome is Outcome.out_of_scope
    for kind in rules.organisations:
        assert finding(rules, {rules.country}, {kind}).outcome is not Outcome.out_of_scope


@pytest.mark.parametrize("law", [name for name, rules in LAWS.items() if rules.status is not Status.in_force])
def test_what_is_not_in_force_raises_no_duty_on_any_day(law: str) -> None:
    rules = LAWS[law]
    for days in (-4000, 0, 4000):
        when = NOW + timedelta(days=days)
        found = finding(rules, {rules.country}, set(rules.organisations), now=when, discovered_at=when)
        assert (found.outcome, found.duties) == (Outcome.not_in_force, ())


@pytest.mark.parametrize("law", [name for name, rules in LAWS.items() if rules.in_force])
def test_a_law_does_not_reach_back_before_the_day_on_which_it_came_into_force(law: str) -> None:
    rules = LAWS[law]
    assert rules.in_force is not None
    first = datetime(*rules.in_force.since.timetuple()[:3], tzinfo=rules.zone)
    for moment, before in ((first - timedelta(seconds=1), True), (first, False)):
        times = dict.fromkeys(rules.in_force_by.fields, moment)
        found = finding(rules, {rules.country}, set(rules.organisations), now=moment, **times)
        assert (found.outcome is Outcome.not_in_force) is (before or rules.status is not Status.in_force)


@pytest.mark.parametrize("law", LAWS)
def test_a_law_says_where_it_stands_and_how_well_it_was_read(law: str) -> None:
    rules = LAWS[law]
    assert rules.source.startswith("http")
    assert rules.article
    assert rules.confidence in Confidence
    assert all(duty.article and duty.confidence in Confidence for duty in rules.duties)
    assert rules.reviewed is None  # counsel of a workspace reviews; what ships is unreviewed


@pytest.mark.parametrize("law", LAWS)
def test_every_text_of_a_law_is_there_in_both_languages(law: str) -> None:
    for text in texts_of(LAWS[law]):
        chinese, english = text["zh-Hans"], text["en"]
        assert not CHINESE.search(english), english
        assert english.strip() == english != ""
        assert not HALF_WIDTH.search(chinese), chinese
        assert '"' not in chinese
        assert "'" not in chinese
        assert CHINESE.search(chinese) or chinese == english, chinese


@pytest.mark.parametrize("law", LAWS)
def test_only_a_notice_to_people_or_to_the_media_has_elements(law: str) -> None:
    for duty in LAWS[law].duties:
        assert not duty.elements or duty.kind in (DutyKind.notify_people, DutyKind.notify_media)


def finding(
    rules: Regime, scope: set[str], organisations: set[str], now: datetime = NOW, **facts: datetime
) -> Finding:
    [found] = evaluate([rules], facts, scope_countries=scope, organisations=organisations, now=now)
    return found


def texts_of(rules: Regime) -> Iterator[LocalText]:
    yield from (rules.title, rules.authority, *rules.notes, *rules.recipients.values())
    yield from (point.name for point in rules.report_points)
    for duty in rules.duties:
        yield duty.title
        yield from (exemption.title for exemption in duty.exemptions)
        yield from (path.title for path in duty.paths)
