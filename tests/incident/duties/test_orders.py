"""What an authority's order makes of the duties: earlier, owed again, or a line of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.duties.evaluating import MET, Rules, findings_for, rules_in_use, stored_duties
from incident.duties.orders import must_know_duty
from incident.errors import BadInput, NotFound
from incident.law.evaluate import required_notice_elements
from incident.law.findings import Duty, DutyState, Finding
from incident.law.regimes import DutyKind
from incident.record.dossier import load_dossier, load_dossier_as_of
from incident.record.instructions import InstructionLine, OrderEffect
from incident.report.versions import report_duties
from incident.store.tables import DutyRow
from tests.support.breaches import Breach, make_breach
from tests.support.holds import order, orders, settle
from tests.support.workspaces import START, all_rows

PEOPLE, REPORT, DATED = "cn-pipl-57/people", "cn-pipl-57/authority", "eu-gdpr/authority"


@pytest.fixture
def breach(tmp_path: Path) -> Breach:
    return make_breach(tmp_path)


def found(breach: Breach) -> dict[str, Duty]:
    findings = breach.house.findings(load_dossier(breach.made.store, breach.id))
    return {duty.id: duty for finding in findings for duty in finding.duties}


def stored(breach: Breach) -> dict[str, DutyRow]:
    with breach.made.store.read() as session:
        return {row.duty_id: row for row in stored_duties(session, breach.id)}


def test_a_deadline_makes_a_duty_due_earlier_with_who_ordered_it(breach: Breach) -> None:
    assert found(breach)[REPORT].due_at is None
    due = breach.made.clock() + timedelta(hours=4)
    order(breach, OrderEffect.DEADLINE, duty_id=REPORT, due_at=due)
    duty = found(breach)[REPORT]
    assert duty.due_at == due == stored(breach)[REPORT].due_at
    assert duty.article == "第五十七条第一款"
    assert duty.ordered is not None
    assert "by instruction of CAC of 2026-11-23 17:00 +0800 (I1)" in duty.ordered["en"]
    assert "（I1）" in duty.ordered["zh-Hans"] and "CAC" in duty.ordered["zh-Hans"]
    assert duty.why.lines("en")[0] == duty.ordered["en"]


def test_a_later_deadline_than_the_law_s_changes_nothing(breach: Breach) -> None:
    before = found(breach)[DATED]
    assert before.due_at is not None
    order(breach, OrderEffect.DEADLINE, duty_id=DATED, due_at=before.due_at + timedelta(hours=1))
    assert found(breach)[DATED] == before
    order(breach, OrderEffect.DEADLINE, duty_id=DATED, due_at=before.due_at - timedelta(hours=1))
    assert found(breach)[DATED].due_at == before.due_at - timedelta(hours=1)


def test_of_several_deadlines_the_earliest_counts_and_settling_it_gives_the_next(breach: Breach) -> None:
    now = breach.made.clock()
    for hours in (6, 2, 4):
        order(breach, OrderEffect.DEADLINE, duty_id=REPORT, due_at=now + timedelta(hours=hours))
    assert stored(breach)[REPORT].due_at == now + timedelta(hours=2)
    settle(breach, "I2")
    assert stored(breach)[REPORT].due_at == now + timedelta(hours=4)
    settle(breach, "I3")
    settle(breach, "I1")
    assert stored(breach)[REPORT].due_at is None


def test_a_waived_duty_is_owed_again_whatever_exemption_is_shown(breach: Breach) -> None:
    breach.state(harm_effectively_avoided=True, authority_requires_notice=False)
    assert found(breach)[PEOPLE].state is DutyState.may_be_waived
    order(breach, OrderEffect.REOPEN, duty_id=PEOPLE)
    duty = found(breach)[PEOPLE]
    assert duty.state is DutyState.owed and duty.ordered is not None
    assert stored(breach)[PEOPLE].state == DutyState.owed
    settle(breach, "I1", how="the authority took it back")
    assert stored(breach)[PEOPLE].state == DutyState.may_be_waived


def test_an_exempted_duty_is_owed_again_with_its_deadline_and_its_elements(breach: Breach) -> None:
    breach.state(data_unintelligible=True, authority_requires_notice=False)
    people = "eu-gdpr/people"
    assert found(breach)[people].state is DutyState.not_owed
    due = breach.made.clock() + timedelta(hours=8)
    order(breach, OrderEffect.REOPEN, duty_id=people, due_at=due)
    duty = found(breach)[people]
    assert (duty.state, duty.due_at) == (DutyState.owed, due)
    findings = breach.house.findings(load_dossier(breach.made.store, breach.id))
    asked = {regime for pairs in required_notice_elements(findings).values() for regime, _ in pairs}
    assert "eu-gdpr" in asked, "the notice follows"


def test_what_no_law_asks_for_is_not_reopened_and_the_order_is_a_line_of_its_own(breach: Breach) -> None:
    breach.state(eu_data_subjects=False)
    order(breach, OrderEffect.REOPEN, duty_id="eu-gdpr/people")
    assert found(breach)["eu-gdpr/people"].state is DutyState.not_owed
    line = found(breach)["instruction/I1"]
    assert line.state is DutyState.owed and line.kind is DutyKind.follow_order
    assert "eu-gdpr/people" in line.title["en"]


def test_what_is_required_stands_open_with_whom_and_when_until_it_is_settled(breach: Breach) -> None:
    due = breach.made.clock() + timedelta(hours=2)
    order(breach, OrderEffect.REQUIRE, from_="police", text="hand over the access logs", due_at=due)
    line = found(breach)["instruction/I1"]
    assert line.title["en"] == "hand over the access logs"
    assert [each.name["en"] for each in line.recipients] == ["police"]
    assert stored(breach)["instruction/I1"].due_at == due
    settle(breach, "I1", how="handed over on a disk")
    row = stored(breach)["instruction/I1"]
    assert row.state == MET and row.met_at == breach.made.clock()
    assert breach.made.store.open(row, incident_id=breach.id)["met_by"] == "handed over on a disk"
    breach.state(persons="7")
    assert stored(breach)["instruction/I1"].state == MET


def test_a_deadline_without_a_duty_is_a_line_of_its_own(breach: Breach) -> None:
    due = breach.made.clock() + timedelta(hours=2)
    order(breach, OrderEffect.DEADLINE, text="say how many", due_at=due)
    assert stored(breach)["instruction/I1"].due_at == due


def test_orders_and_duties_are_one_change(breach: Breach) -> None:
    entries = len(breach.made.store.entries(breach.id))
    order(breach, OrderEffect.REQUIRE)
    assert len(breach.made.store.entries(breach.id)) == entries + 1
    last = list(breach.made.store.recorded(breach.id))[-1]
    assert last.body is not None
    assert {"instruction", "duty", "evaluation"} <= {row["table"] for row in last.body["rows"]}


def test_a_line_of_an_order_is_no_report_and_no_notice(breach: Breach) -> None:
    before = report_duties(
        breach.house.findings(load_dossier(breach.made.store, breach.id)), standing_only=True
    )
    order(breach, OrderEffect.REQUIRE)
    after = report_duties(
        breach.house.findings(load_dossier(breach.made.store, breach.id)), standing_only=True
    )
    assert [each.duty.id for each in before] == [each.duty.id for each in after]


def test_an_earlier_record_knows_the_orders_of_its_time(breach: Breach) -> None:
    order(breach, OrderEffect.REQUIRE)
    then = breach.made.clock()
    breach.made.clock.move(hours=1)
    settle(breach, "I1")
    order(breach, OrderEffect.REQUIRE, text="and more")
    [only] = load_dossier_as_of(breach.made.store, breach.id, then).instructions
    assert (only.label, only.stands, only.text) == ("I1", True, "as we said")
    assert [each.stands for each in orders(breach).values()] == [False, True]


def test_a_duty_that_is_none_is_refused_with_the_nearest(breach: Breach) -> None:
    before = all_rows(breach.made.store)
    with pytest.raises(NotFound, match="cn-pipl-57/peopel") as told:
        order(breach, OrderEffect.REOPEN, duty_id="cn-pipl-57/peopel")
    assert told.value.next_step is not None and PEOPLE in told.value.next_step
    order_line_is_no_duty(breach)
    with pytest.raises(BadInput, match="due after it was given"):
        order(breach, OrderEffect.DEADLINE, duty_id=PEOPLE, due_at=START - timedelta(hours=1))
    assert all_rows(breach.made.store) == before


def order_line_is_no_duty(breach: Breach) -> None:
    with pytest.raises(NotFound):
        must_know_duty(breach.house.findings(load_dossier(breach.made.store, breach.id)), "instruction/I1")


_DUTIES = (PEOPLE, REPORT, DATED, "eu-gdpr/people", "no/such")


def _line(
    number: int, effect: OrderEffect, duty: str | None, hours: int | None, settled: bool
) -> InstructionLine:
    return InstructionLine(
        id=str(number),
        label=f"I{number}",
        effect=effect,
        from_="CAC",
        officer="",
        text="x",
        duty_id=duty,
        hold_id=None,
        given_at=START,
        due_at=START + timedelta(hours=hours) if hours is not None else None,
        recorded_at=START,
        recorded_by="ana",
        settled_at=START if settled else None,
        settled_how="",
    )


LINES = st.lists(
    st.tuples(
        st.sampled_from(OrderEffect),
        st.none() | st.sampled_from(_DUTIES),
        st.none() | st.integers(1, 200),
        st.booleans(),
    ),
    max_size=5,
).map(lambda drawn: [_line(number, *each) for number, each in enumerate(drawn, start=1)])


@pytest.fixture(scope="module")
def a_breach(tmp_path_factory: pytest.TempPathFactory) -> Breach:
    return make_breach(tmp_path_factory.mktemp("orders"))


@pytest.fixture(scope="module")
def rules(a_breach: Breach) -> Rules:
    return rules_in_use(a_breach.made.workspace)


@given(lines=LINES)
def test_no_order_ever_makes_a_duty_later_drops_one_or_is_lost(
    a_breach: Breach, rules: Rules, lines: list[InstructionLine]
) -> None:
    made = a_breach.made
    sheet = load_dossier(made.store, a_breach.id).sheet

    def duties(with_orders: list[InstructionLine]) -> dict[str, Duty]:
        findings: tuple[Finding, ...] = findings_for(
            sheet, made.settings, rules, now=datetime(2026, 11, 23, 9, tzinfo=UTC), orders=with_orders
        )
        return {duty.id: duty for finding in findings for duty in finding.duties}

    before, after = duties([]), duties(lines)
    assert before.keys() <= after.keys()
    for name, duty in before.items():
        assert after[name].is_standing or not duty.is_standing
        if duty.due_at is not None:
            sooner = after[name].due_at
            assert sooner is not None and sooner <= duty.due_at
    for line in lines:
        if line.effect is OrderEffect.HOLD or not line.stands:
            continue
        stands_on = after.get(line.duty_id or "")
        own = after.get(f"instruction/{line.label}")
        assert (own is not None and own.is_standing) or (stands_on is not None and stands_on.is_standing)
