"""From facts to duties: thresholds, paths, clocks, exemptions, and why not."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.law.clocks import Urgency
from incident.law.evaluate import evaluate, required_notice_elements
from incident.law.findings import STANDING, Branch, Duty, DutyState, Finding, Outcome
from incident.law.reasons import Answer
from incident.law.regimes import DutyKind, Review, load_regimes
from incident.record.facts import Interval, Value, field_catalogue

SHANGHAI = ZoneInfo("Asia/Shanghai")
BRUSSELS = ZoneInfo("Europe/Brussels")
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
FOUND = datetime(2026, 11, 21, 23, 40, tzinfo=SHANGHAI).astimezone(UTC)

Sheet = dict[str, Value | None]

# Answers that settle every other row of the grading guide at "general".
QUIET: Sheet = {
    "threat_level": "some",
    "data_class": "general",
    "system_loss": "none",
    "site_class": "none",
    "site_down": Interval.exactly(0),
    "platform_class": "none",
    "defacement": False,
    "people_disrupted": Interval.exactly(0),
    "province_share": Interval.exactly(0),
    "prefecture_share": Interval.exactly(0),
    "economic_loss": Interval.exactly(0),
    "breach_effects": ("confidentiality",),
}
ORDINARY: Sheet = {
    **QUIET,
    "discovered_at": FOUND,
    "personal_data_breach": "actual",
    "persons": Interval.exactly(1_200_000),
    "cii_involved": False,
    "central_organ": False,
    "crime_suspected": False,
    "harm_to_rights": True,
    "ransomware": False,
}


# The duties that a workspace in China has in play where it does not say what its organisation is.
PLAIN_CHINA = {
    "cn-cac-incident-2025": "initial police supplement final",
    "cn-children-21": "authority people",
    "cn-civil-1038": "authority people",
    "cn-csl-44": "authority people",
    "cn-dsl-29": "authority people",
    "cn-gbt-35273-10": "authority people",
    "cn-minors-35": "authority people",
    "cn-netdata-reg-10": "authority",
    "cn-netdata-reg-11": "authority people police",
    "cn-pi-audit-5": "audit",
    "cn-pipl-57": "authority people",
    "cn-police-24h": "police",
}


def findings(scope: Iterable[str] = ("CN", "EU"), now: datetime = NOW, **facts: Any) -> dict[str, Finding]:
    found = evaluate(load_regimes(), {**ORDINARY, **facts}, scope_countries=scope, now=now)
    return {finding.regime: finding for finding in found}


def duties(**facts: Any) -> dict[str, Duty]:
    return {duty.id: duty for finding in findings(**facts).values() for duty in finding.duties}


def keys(duty: Duty) -> list[str]:
    return [recipient.key for recipient in duty.recipients]


def end_of(one: Duty | Branch) -> datetime:
    assert one.due_at is not None
    return one.due_at


# -- the CAC's measures ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "outcome"),
    [(999_999, Outcome.not_met), (1_000_000, Outcome.met), (1_000_001, Outcome.met)],
)
def test_a_million_persons_itself_raises_the_duty(count: int, outcome: Outcome) -> None:
    assert findings(persons=Interval.exactly(count))["cn-cac-incident-2025"].outcome is outcome


@pytest.mark.parametrize(
    ("facts", "path", "hours", "recipient"),
    [
        ({"cii_involved": True}, "cii", 1, "cii_protection_department"),
        ({"cii_involved": True, "central_organ": True}, "cii", 1, "cii_protection_department"),
        ({"central_organ": True}, "central_organ", 2, "own_cac_office"),
        ({}, "other", 4, "provincial_cac"),
    ],
)
def test_each_path_has_its_hours_and_its_recipient(
    facts: dict[str, Any], path: str, hours: int, recipient: str
) -> None:
    duty = duties(**facts, cii_outage_whole=Interval.exactly(0), cii_outage_main=Interval.exactly(0))[
        "cn-cac-incident-2025/initial"
    ]
    assert (duty.state, duty.path, keys(duty)) == (DutyState.owed, path, [recipient])
    assert duty.due_at == FOUND + timedelta(hours=hours)
    assert not duty.assumed
    assert (duty.items[0], duty.items[-1], duty.minimum) == ("1", "8", ("1", "2"))
    assert duty.form == "cn-cac-incident"


def test_unknown_involvement_of_critical_infrastructure_runs_the_one_hour_clock_as_assumed() -> None:
    duty = duties(cii_involved=None)["cn-cac-incident-2025/initial"]
    assert (duty.path, duty.due_at, duty.assumed) == ("cii", FOUND + timedelta(hours=1), True)
    assert "cii_involved" in duty.settled_by
    assert [branch.path for branch in duty.branches] == ["cii", "other"]
    assert [end_of(branch) - FOUND for branch in duty.branches] == [timedelta(hours=1), timedelta(hours=4)]


def test_an_unknown_kind_of_organisation_runs_the_two_hour_clock_as_assumed() -> None:
    duty = duties(central_organ=None)["cn-cac-incident-2025/initial"]
    assert (duty.path, duty.due_at) == ("central_organ", FOUND + timedelta(hours=2))
    assert (duty.assumed, duty.settled_by) == (True, frozenset({"central_organ"}))


def test_a_count_that_straddles_a_million_raises_the_duty_as_assumed() -> None:
    straddling = Interval(800_000, None, 1_300_000)
    finding = findings(persons=straddling)["cn-cac-incident-2025"]
    assert (finding.outcome, finding.decides) == (Outcome.cannot_tell, frozenset({"persons"}))
    duty = duties(persons=straddling)["cn-cac-incident-2025/initial"]
    assert (duty.state, duty.assumed, duty.settled_by) == (DutyState.owed, True, frozenset({"persons"}))
    assert duty.due_at == FOUND + timedelta(hours=4)
    assert "Persons affected 800,000–1,300,000 against at least 1,000,000: cannot tell yet" in "\n".join(
        finding.lines("en")
    )


def test_the_earlier_of_found_and_told_starts_the_clock() -> None:
    duty = duties(informed_at=FOUND - timedelta(hours=3))["cn-cac-incident-2025/initial"]
    assert (duty.anchor_field, duty.due_at) == ("informed_at", FOUND + timedelta(hours=1))


def test_without_a_time_there_is_no_deadline_but_a_question() -> None:
    duty = duties(discovered_at=None)["cn-cac-incident-2025/initial"]
    assert (duty.state, duty.due_at) == (DutyState.owed, None)
    assert duty.waits_for == {"discovered_at", "informed_at"}


def test_the_final_report_is_due_on_the_thirtieth_day_after_the_handling_ended() -> None:
    ended = datetime(2026, 11, 30, 17, 0, tzinfo=UTC)  # 1 December in China
    duty = duties(handling_ended_at=ended)["cn-cac-incident-2025/final"]
    assert duty.due_at == datetime(2026, 12, 31, 23, 59, 59, tzinfo=SHANGHAI)
    assert duty.needs_first == "cn-cac-incident-2025/initial"
    assert keys(duty) == ["provincial_cac"]
    waiting = duties()["cn-cac-incident-2025/final"]
    assert (waiting.due_at, waiting.waits_for, waiting.assumed) == (
        None,
        frozenset({"handling_ended_at"}),
        False,
    )


def test_the_supplement_is_owed_promptly_without_invented_hours() -> None:
    duty = duties()["cn-cac-incident-2025/supplement"]
    assert (duty.urgency, duty.within, duty.due_at) == (Urgency.promptly, None, None)
    assert (duty.items[0], duty.items[-1]) == ("3", "8")
    assert duty.anchor_at == FOUND


def test_the_police_are_told_within_the_hour_for_critical_infrastructure_and_promptly_for_a_crime() -> None:
    quiet = {"cii_outage_whole": Interval.exactly(0), "cii_outage_main": Interval.exactly(0)}
    infrastructure = duties(cii_involved=True, **quiet)["cn-cac-incident-2025/police"]
    assert (infrastructure.kind, infrastructure.due_at) == (
        DutyKind.report_police,
        FOUND + timedelta(hours=1),
    )
    crime = duties(crime_suspected=True)["cn-cac-incident-2025/police"]
    assert (crime.path, crime.urgency, crime.due_at, crime.assumed) == (
        "crime",
        Urgency.promptly,
        None,
        False,
    )
    neither = duties()["cn-cac-incident-2025/police"]
    assert neither.state is DutyState.not_owed
    both_open = duties(crime_suspected=True, cii_involved=None)["cn-cac-incident-2025/police"]
    assert (both_open.path, both_open.assumed, "cii_involved" in both_open.settled_by) == ("cii", True, True)


def test_a_general_grade_says_why_nothing_is_owed_and_what_that_rests_on() -> None:
    finding = findings(persons=Interval.exactly(999_999))["cn-cac-incident-2025"]
    assert all(duty.state is DutyState.not_owed and duty.due_at is None for duty in finding.duties)
    lines = finding.duties[0].why.lines("en")
    assert any("Persons affected 999,999 against at least 1,000,000: not met" in line for line in lines)
    assert any("涉及人数 999,999，标准：至少 1,000,000：不符合" in line for line in finding.lines("zh-Hans"))
    assert {"persons", "threat_level"} <= finding.rests_on


# -- personal information ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("breach", "outcome"),
    [
        ("actual", Outcome.met),
        ("possible", Outcome.met),
        ("none", Outcome.not_met),
        (None, Outcome.cannot_tell),
    ],
)
def test_a_breach_that_may_have_happened_is_notified_too(breach: str | None, outcome: Outcome) -> None:
    finding = findings(personal_data_breach=breach)["cn-pipl-57"]
    assert finding.outcome is outcome
    expected = DutyState.not_owed if breach == "none" else DutyState.owed
    assert {duty.state for duty in finding.duties} == {expected}
    assert {duty.urgency for duty in finding.duties} == {Urgency.immediately}
    assert {duty.due_at for duty in finding.duties} == {None}
    assert {duty.assumed for duty in finding.duties} == {breach is None}


def test_effectively_avoided_harm_lets_people_be_left_out_but_not_the_authority() -> None:
    told = duties(harm_effectively_avoided=True, authority_requires_notice=False)
    assert told["cn-pipl-57/people"].state is DutyState.may_be_waived
    assert "Article" not in told["cn-pipl-57/people"].why.lines("zh-Hans")[0]
    assert "第五十七条第二款" in told["cn-pipl-57/people"].why.lines("zh-Hans")[0]
    assert told["cn-pipl-57/authority"].state is DutyState.owed


def test_the_authority_can_reopen_the_notice() -> None:
    duty = duties(harm_effectively_avoided=True, authority_requires_notice=True)["cn-pipl-57/people"]
    assert duty.state is DutyState.owed


@pytest.mark.parametrize(
    "facts",
    [{"harm_effectively_avoided": None, "authority_requires_notice": False}, {"harm_effectively_avoided": True, "authority_requires_notice": None}],
)  # fmt: skip
def test_an_exemption_that_is_not_shown_does_not_count(facts: dict[str, Any]) -> None:
    duty = duties(**facts)["cn-pipl-57/people"]
    assert (duty.state, duty.assumed) == (DutyState.owed, False)
    [exemption] = duty.exemptions
    assert exemption.reason.answer is Answer.cannot_tell
    assert exemption.decides == {name for name, value in facts.items() if value is None}


def test_those_concerned_are_told_under_the_regulation_only_where_their_rights_are_harmed() -> None:
    name = "cn-netdata-reg-11/people"
    assert duties(harm_to_rights=True)[name].state is DutyState.owed
    spared = duties(harm_to_rights=False)[name]
    assert spared.state is DutyState.not_owed
    assert any(
        "Harm to lawful rights" in line and line.endswith("not met") for line in spared.why.lines("en")
    )
    unknown = duties(harm_to_rights=None)[name]
    assert (unknown.state, unknown.assumed, unknown.settled_by) == (
        DutyState.owed,
        True,
        frozenset({"harm_to_rights"}),
    )
    assert keys(unknown) == ["individuals", "interested_organisations"]


# -- the GDPR ----------------------------------------------------------------------------------------

EUROPE: dict[str, Any] = {"eu_data_subjects": True, "risk_to_people": "high"}


def test_72_hours_run_across_the_change_of_the_clock() -> None:
    aware = datetime(2026, 10, 24, 12, 0, tzinfo=BRUSSELS)  # summer time ends that night
    duty = duties(**EUROPE, aware_at=aware.astimezone(UTC))["eu-gdpr/authority"]
    assert duty.due_at == datetime(2026, 10, 27, 11, 0, tzinfo=BRUSSELS)
    assert end_of(duty) - aware.astimezone(UTC) == timedelta(hours=72)
    assert (duty.assumed, duty.form, duty.late_fields) == (False, "eu-gdpr-33", ("delay_reasons",))


def test_without_a_time_of_awareness_discovery_starts_the_clock_as_assumed() -> None:
    duty = duties(**EUROPE)["eu-gdpr/authority"]
    assert (duty.anchor_field, duty.due_at) == ("discovered_at", FOUND + timedelta(hours=72))
    assert (duty.assumed, duty.settled_by) == (True, frozenset({"aware_at"}))


def test_the_authority_is_told_unless_a_risk_is_shown_to_be_unlikely() -> None:
    aware: dict[str, Any] = {"eu_data_subjects": True, "aware_at": FOUND}
    assert duties(**aware, risk_to_people=None)["eu-gdpr/authority"].state is DutyState.owed
    assert duties(**aware, risk_to_people="risk")["eu-gdpr/authority"].state is DutyState.owed
    spared = duties(**aware, risk_to_people="unlikely")["eu-gdpr/authority"]
    assert spared.state is DutyState.not_owed
    assert "Art. 33(1)" in spared.why.lines("en")[0]


@pytest.mark.parametrize(
    ("risk", "state"), [("high", DutyState.owed), ("risk", DutyState.not_owed), (None, DutyState.owed)]
)
def test_people_are_told_of_a_high_risk(risk: str | None, state: DutyState) -> None:
    duty = duties(eu_data_subjects=True, aware_at=FOUND, risk_to_people=risk)["eu-gdpr/people"]
    assert (duty.state, duty.assumed) == (state, risk is None)


@pytest.mark.parametrize("exemption", ["data_unintelligible", "high_risk_removed"])
def test_people_need_not_be_told_what_cannot_hurt_them_unless_the_authority_asks(exemption: str) -> None:
    facts = {**EUROPE, exemption: True}
    assert duties(**facts, authority_requires_notice=False)["eu-gdpr/people"].state is DutyState.not_owed
    assert duties(**facts, authority_requires_notice=True)["eu-gdpr/people"].state is DutyState.owed


def test_disproportionate_effort_leads_to_a_public_notice_and_ends_no_duty() -> None:
    duty = duties(**EUROPE, disproportionate_effort=True)["eu-gdpr/people"]
    assert (duty.state, duty.public_notice_instead) == (DutyState.owed, True)
    assert not duties(**EUROPE)["eu-gdpr/people"].public_notice_instead


def test_a_breach_that_is_only_possible_runs_the_european_clock_as_assumed() -> None:
    finding = findings(**EUROPE, personal_data_breach="possible")["eu-gdpr"]
    assert finding.outcome is Outcome.cannot_tell
    assert finding.decides == {"personal_data_breach"}


# -- across regimes ----------------------------------------------------------------------------------


def test_what_is_out_of_scope_says_so_and_warns_where_the_facts_meet_it() -> None:
    silent = findings(scope=["CN"], eu_data_subjects=False)["eu-gdpr"]
    assert (silent.outcome, silent.duties) == (Outcome.out_of_scope, ())
    assert "scope: CN" in silent.lines("en")[0] and "Note" not in silent.lines("en")[0]
    loud = findings(scope=["CN"], **EUROPE)["eu-gdpr"]
    assert loud.outcome is Outcome.out_of_scope
    assert "check whether EU belongs in the scope" in loud.lines("en")[0]
    assert "请核对是否应当将 EU 列入范围" in loud.lines("zh-Hans")[0]


def test_a_member_state_in_the_scope_brings_the_european_regime_into_play() -> None:
    assert findings(scope=["de"], **EUROPE)["eu-gdpr"].outcome is Outcome.met
    assert findings(scope=["DE"], **EUROPE)["cn-pipl-57"].outcome is Outcome.out_of_scope


def particular(*regimes: str, **facts: Any) -> list[Finding]:
    return [finding for finding in findings(**facts).values() if finding.regime in regimes]


def test_the_notice_must_hold_the_union_of_what_all_regimes_ask() -> None:
    three = ("cn-pipl-57", "cn-netdata-reg-11", "eu-gdpr")
    asked = required_notice_elements(particular(*three, **EUROPE))
    assert set(asked) == {
        "what_happened",
        "data_types",
        "cause",
        "consequences",
        "measures_taken",
        "steps_for_person",
        "contact",
    }
    assert asked["cause"] == (("cn-pipl-57", "第五十七条第一款第一项"),)
    assert {regime for regime, _ in asked["measures_taken"]} == {"cn-pipl-57", "cn-netdata-reg-11", "eu-gdpr"}
    only_pipl = required_notice_elements(particular(*three, scope=["CN"], harm_to_rights=False))
    assert "what_happened" not in only_pipl
    waivable = particular(
        *three,
        scope=["CN"],
        harm_to_rights=False,
        harm_effectively_avoided=True,
        authority_requires_notice=False,
    )
    assert required_notice_elements(waivable) == only_pipl
    assert (
        required_notice_elements(
            findings(personal_data_breach="none", breach_effects=(), incident_type="attack").values()
        )
        == {}
    )


def test_with_nothing_known_at_all_every_duty_stands_as_assumed() -> None:
    found = evaluate(load_regimes(), {}, scope_countries=["CN", "EU"], now=NOW)
    assert {"cn-pipl-57", "eu-gdpr"} <= {finding.regime for finding in found if finding.duties}
    for finding in found:
        assert (finding.outcome is Outcome.cannot_tell) == bool(finding.duties), finding.regime
        for duty in finding.duties:
            assert (duty.state, duty.assumed, duty.due_at) == (DutyState.owed, True, None), duty.id
            assert duty.waits_for, duty.id


def test_an_unreviewed_rule_works_and_says_so_and_a_review_ends() -> None:
    assert not findings()["cn-pipl-57"].is_reviewed
    [regime] = [regime for regime in load_regimes() if regime.id == "cn-pipl-57"]
    reviewed = regime.model_copy(update={"reviewed": Review(by="legal", until=NOW.date())})
    [today] = evaluate([reviewed], ORDINARY, scope_countries=["CN"], now=NOW)
    assert today.is_reviewed and all(duty.is_reviewed for duty in today.duties)
    [tomorrow] = evaluate([reviewed], ORDINARY, scope_countries=["CN"], now=NOW + timedelta(days=1))
    assert not tomorrow.is_reviewed


def test_the_ids_of_the_duties_are_stable() -> None:
    found = {duty.id for finding in findings(scope=["CN"]).values() for duty in finding.duties}
    assert found == {f"{regime}/{duty}" for regime, ids in PLAIN_CHINA.items() for duty in ids.split()}


def test_a_known_fact_rules_out_what_is_open_and_never_what_is_told() -> None:
    assert findings(persons_u14=None)["cn-children-21"].outcome is Outcome.cannot_tell
    ruled_out = findings(persons_u14=None, persons_minor_u18=Interval.exactly(0))["cn-children-21"]
    assert (ruled_out.outcome, ruled_out.rests_on) == (Outcome.not_met, frozenset({"persons_minor_u18"}))
    assert "ruled out by what is known" in "\n".join(ruled_out.lines("en"))
    told = findings(persons_u14=Interval.exactly(1), persons_minor_u18=Interval.exactly(0))["cn-children-21"]
    assert told.outcome is Outcome.met
    maybe = findings(persons_u14=None, persons_minor_u18=Interval(0, None, 3))["cn-children-21"]
    assert maybe.outcome is Outcome.cannot_tell


FLAGS = [
    "cii_involved", "central_organ", "crime_suspected", "harm_to_rights", "harm_effectively_avoided",
    "authority_requires_notice", "eu_data_subjects", "data_unintelligible", "high_risk_removed",
]  # fmt: skip
FIRST, LAST = datetime(2026, 1, 1), datetime(2026, 12, 1)  # noqa: DTZ001 - hypothesis sets the zone
moments = st.datetimes(min_value=FIRST, max_value=LAST, timezones=st.just(UTC))


@st.composite
def sheets(draw: st.DrawFn) -> Sheet:
    sheet = dict(QUIET)
    for name in FLAGS:
        sheet[name] = draw(st.sampled_from([None, True, False]))
    for name in ("personal_data_breach", "risk_to_people"):
        sheet[name] = draw(st.sampled_from([None, *field_catalogue()[name].choices]))
    for name in ("discovered_at", "informed_at", "aware_at", "handling_ended_at"):
        sheet[name] = draw(st.none() | moments)
    low, high = sorted((draw(st.integers(0, 2_000_000)), draw(st.integers(0, 2_000_000))))
    sheet["persons"] = draw(st.sampled_from([None, Interval(low, None, high), Interval.exactly(low)]))
    return sheet


@settings(max_examples=60, deadline=None)
@given(sheets(), st.data())
def test_answering_the_questions_settles_a_duty_and_never_brings_its_deadline_forward(
    sheet: Sheet, data: st.DataObject
) -> None:
    before = {
        duty.id: duty
        for f in evaluate(load_regimes(), sheet, scope_countries=["CN", "EU"], now=NOW)
        for duty in f.duties
    }
    for duty in before.values():
        if not duty.assumed or {"aware_at", "flaw_found_at"} & duty.settled_by:
            continue
        finer = dict(sheet)
        for name in duty.settled_by:
            field = field_catalogue()[name]
            if field.type == "bool":
                finer[name] = data.draw(st.booleans())
            elif field.type == "choice":
                finer[name] = data.draw(
                    st.sampled_from(
                        ["actual", "none"] if name == "personal_data_breach" else list(field.choices)
                    )
                )
            elif field.type == "count":
                known = sheet.get(name) or Interval(0, None, 2_000_000)
                assert isinstance(known, Interval) and known.max is not None
                finer[name] = Interval.exactly(data.draw(st.integers(int(known.min), int(known.max))))
            else:
                finer[name] = Interval.exactly(0)
        after = {
            d.id: d
            for f in evaluate(load_regimes(), finer, scope_countries=["CN", "EU"], now=NOW)
            for d in f.duties
        }[duty.id]
        if after.state in STANDING and duty.due_at is not None and after.due_at is not None:
            assert after.due_at >= duty.due_at
        assert not after.assumed or after.settled_by - duty.settled_by


@settings(max_examples=30, deadline=None)
@given(sheets())
def test_the_same_facts_give_the_same_findings_and_every_duty_says_why(sheet: Sheet) -> None:
    first = evaluate(load_regimes(), sheet, scope_countries=["CN", "EU"], now=NOW)
    assert first == evaluate(
        reversed(load_regimes()), dict(reversed(sheet.items())), scope_countries=["EU", "CN"], now=NOW
    )
    for finding in first:
        for duty in finding.duties:
            assert duty.assumed == bool(duty.settled_by)
            for language in ("zh-Hans", "en"):
                assert all(line.strip() for line in duty.why.lines(language))
            if duty.state is DutyState.owed:
                assert duty.due_at is not None or duty.urgency is not Urgency.within or duty.waits_for
