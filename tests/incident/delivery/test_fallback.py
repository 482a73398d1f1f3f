"""What comes next for a person follows from the list and the ledger, and nobody is ever without it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.delivery.fallback import (
    MEANS,
    Case,
    Ground,
    Hurdle,
    PersonPlan,
    Step,
    StepState,
    Tried,
    Urgency,
    Way,
    plan_of,
    urgency_of,
)
from incident.delivery.states import NEVER_TRIED, NOT_WRITTEN_TO, DeliveryState, Why

NOW = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
EVERYWHERE = frozenset(MEANS)
USUAL = Ground(NOW, (Way.EMAIL, Way.PHONE, Way.LETTER))
BOUNCED = Tried(Way.EMAIL, DeliveryState.UNREACHABLE, Why.BAD_ADDRESS)
TAKEN = Tried(Way.EMAIL, DeliveryState.ACCEPTED)


def case_with(*contacts: Way, tried: tuple[Tried, ...] = (BOUNCED,)) -> Case:
    return Case(contacts=frozenset(contacts), tried=tried)


def next_of(case: Case, ground: Ground = USUAL) -> Way | None:
    step = plan_of(case, ground).next
    return step.way if step else None


def step_by(plan: PersonPlan, way: Way) -> Step:
    [step] = [each for each in plan.steps if each.way is way]
    return step


# -- one means after the other ---------------------------------------------------------------------------


def test_who_was_reached_has_no_next_step() -> None:
    plan = plan_of(case_with(*MEANS, tried=(TAKEN,)), USUAL)
    assert plan.reached and plan.urgency is None
    assert step_by(plan, Way.EMAIL).state is StepState.DONE


def test_while_a_message_is_under_way_nothing_else_is_begun() -> None:
    plan = plan_of(case_with(*MEANS, tried=(Tried(Way.EMAIL, DeliveryState.SENDING),)), USUAL)
    assert plan.next == Step(Way.EMAIL, StepState.UNDER_WAY)
    assert step_by(plan, Way.PHONE).state is StepState.POSSIBLE


def test_after_a_failure_comes_the_first_means_that_is_at_hand() -> None:
    assert next_of(case_with(Way.EMAIL, Way.PHONE, Way.LETTER)) is Way.PHONE
    assert next_of(case_with(Way.EMAIL, Way.LETTER)) is Way.LETTER
    plan = plan_of(case_with(Way.EMAIL, Way.LETTER), USUAL)
    assert step_by(plan, Way.EMAIL) == Step(Way.EMAIL, StepState.FAILED, Why.BAD_ADDRESS)
    assert step_by(plan, Way.PHONE).hurdle is Hurdle.NO_CONTACT


def test_each_failure_leads_on_to_the_public_notice_at_the_end() -> None:
    tried: tuple[Tried, ...] = ()
    gone_through = []
    while (way := next_of(case_with(*MEANS, tried=tried))) in MEANS:
        assert way is not None
        gone_through.append(way)
        tried = (*tried, Tried(way, DeliveryState.UNREACHABLE, Why.NO_ANSWER))
    assert gone_through == [Way.EMAIL, Way.PHONE, Way.LETTER]
    assert way is Way.PUBLIC_NOTICE


def test_a_means_that_the_organisation_does_not_use_is_no_step() -> None:
    assert next_of(case_with(Way.EMAIL, Way.SMS)) is Way.PUBLIC_NOTICE
    assert next_of(case_with(Way.EMAIL, Way.SMS), replace(USUAL, order=(Way.EMAIL, Way.SMS))) is Way.SMS


def test_the_public_notice_that_is_online_is_told_as_done() -> None:
    before, after = plan_of(case_with(), USUAL), plan_of(case_with(), replace(USUAL, public_since=NOW))
    assert before.next == Step(Way.PUBLIC_NOTICE, StepState.NEXT)
    assert after.next == Step(Way.PUBLIC_NOTICE, StepState.DONE)
    assert after.urgency is None


# -- what is no step ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "ground", "hurdle"),
    [
        (replace(case_with(Way.PHONE), not_theirs=frozenset({Way.PHONE})), USUAL, Hurdle.NOT_THEIRS),
        (replace(case_with(Way.PHONE), suppressed=frozenset({Way.PHONE})), USUAL, Hurdle.SUPPRESSED),
        (replace(case_with(Way.PHONE), controlled=frozenset({Way.PHONE})), USUAL, Hurdle.CONTROLLED),
        (case_with(Way.PHONE), replace(USUAL, controlled=frozenset({Way.PHONE})), Hurdle.CONTROLLED),
        (case_with(Way.PHONE), replace(USUAL, lawful=EVERYWHERE - {Way.PHONE}), Hurdle.NOT_IN_LAW),
        (case_with(Way.PHONE), replace(USUAL, promised_away=frozenset({Way.PHONE})), Hurdle.PROMISED),
    ],
)
def test_what_blocks_a_means_is_named_and_the_person_goes_on(
    case: Case, ground: Ground, hurdle: Hurdle
) -> None:
    plan = plan_of(case, ground)
    assert step_by(plan, Way.PHONE) == Step(Way.PHONE, StepState.NOT_POSSIBLE, hurdle=hurdle)
    assert plan.next is not None and plan.next.way is Way.PUBLIC_NOTICE
    with_address = replace(case, contacts=case.contacts | {Way.LETTER})
    assert next_of(with_address, ground) is Way.LETTER


def test_a_mail_that_the_attacker_can_read_does_not_count_as_having_told() -> None:
    plan = plan_of(case_with(*MEANS, tried=(TAKEN,)), replace(USUAL, controlled=frozenset({Way.EMAIL})))
    assert step_by(plan, Way.EMAIL) == Step(Way.EMAIL, StepState.FAILED, hurdle=Hurdle.CONTROLLED)
    assert plan.next is not None and plan.next.way is Way.PHONE


def test_the_dead_are_left_in_peace() -> None:
    plan = plan_of(replace(case_with(*MEANS), apart=Why.DECEASED), USUAL)
    assert plan.next == Step(Way.NOTHING, StepState.NEXT, Why.DECEASED)
    assert not plan.within_reach


@pytest.mark.parametrize("why", sorted(NOT_WRITTEN_TO - {Why.DECEASED}))
def test_whom_only_a_person_may_approach_is_told_by_hand(why: Why) -> None:
    plan = plan_of(replace(case_with(*MEANS, tried=()), apart=why), USUAL)
    assert plan.next == Step(Way.BY_HAND, StepState.NEXT, why)
    assert not plan.within_reach


# -- the deadline -----------------------------------------------------------------------------------------


def due_in(**length: float) -> Ground:
    return replace(
        USUAL,
        order=(Way.EMAIL, Way.LETTER, Way.PHONE),
        deadline=NOW + timedelta(**length),
        takes={Way.LETTER: timedelta(days=3), Way.PHONE: timedelta(hours=10)},
    )


def test_a_means_that_ends_in_time_goes_before_one_that_does_not() -> None:
    case = case_with(Way.LETTER, Way.PHONE)
    assert next_of(case, due_in(days=20)) is Way.LETTER
    assert next_of(case, due_in(days=2)) is Way.PHONE


def test_where_none_ends_in_time_the_quickest_is_taken() -> None:
    plan = plan_of(case_with(Way.LETTER, Way.PHONE), due_in(hours=5))
    assert plan.next is not None
    assert (plan.next.way, plan.urgency) == (Way.PHONE, Urgency.TOO_LATE)


@pytest.mark.parametrize(
    ("length", "urgency"),
    [
        ({"days": 12}, Urgency.IN_TIME),
        ({"days": 11}, Urgency.SOON),
        ({"days": 5}, Urgency.NOW),
        ({"days": 3}, Urgency.NOW),
        ({"days": 2}, Urgency.TOO_LATE),
        ({"days": 0}, Urgency.OVERDUE),
        ({"days": -3}, Urgency.OVERDUE),
    ],
)
def test_urgency_is_the_time_left_against_what_the_means_needs(
    length: dict[str, float], urgency: Urgency
) -> None:
    assert urgency_of(Way.LETTER, due_in(**length)) is urgency


@pytest.mark.parametrize(
    ("length", "urgency"),
    [({"days": 3}, Urgency.IN_TIME), ({"days": 2}, Urgency.SOON), ({"hours": 23}, Urgency.NOW)],
)
def test_a_means_that_needs_no_time_is_urgent_in_the_last_days(
    length: dict[str, float], urgency: Urgency
) -> None:
    assert urgency_of(Way.PUBLIC_NOTICE, due_in(**length)) is urgency


def test_without_a_deadline_the_order_decides() -> None:
    plan = plan_of(case_with(Way.LETTER, Way.PHONE), replace(due_in(days=1), deadline=None))
    assert plan.next is not None
    assert (plan.next.way, plan.urgency) == (Way.LETTER, Urgency.NO_DEADLINE)


# -- everybody --------------------------------------------------------------------------------------------

some_means = st.frozensets(st.sampled_from(MEANS))
lengths = st.timedeltas(timedelta(0), timedelta(days=90))
settled = st.sampled_from(sorted(set(Why) - NEVER_TRIED - {Why.NONE}))


@st.composite
def tries(draw: st.DrawFn) -> Tried:
    state = draw(st.sampled_from(list(DeliveryState)))
    why = draw(settled) if state is DeliveryState.UNREACHABLE else Why.NONE
    return Tried(draw(st.sampled_from(MEANS)), state, why)


cases = st.builds(
    Case,
    contacts=some_means,
    tried=st.lists(tries(), max_size=4).map(tuple),
    apart=st.sampled_from([Why.NONE, *sorted(NOT_WRITTEN_TO)]),
    not_theirs=some_means,
    suppressed=some_means,
    controlled=some_means,
)
grounds = st.builds(
    Ground,
    now=st.just(NOW),
    order=st.lists(st.sampled_from(MEANS), unique=True).map(tuple),
    deadline=st.none() | lengths.map(lambda length: NOW + length - timedelta(days=10)),
    takes=st.dictionaries(st.sampled_from(MEANS), lengths),
    lawful=st.none() | some_means,
    promised_away=some_means,
    controlled=some_means,
    public_since=st.none() | st.just(NOW),
)


@given(cases, grounds)
def test_every_plan_ends_in_reached_or_in_one_step(case: Case, ground: Ground) -> None:
    plan = plan_of(case, ground)
    assert plan.reached or plan.next in plan.steps
    assert plan.reached == any(
        step.state is StepState.DONE and step.way in MEANS for step in plan.steps
    ) or plan.next == Step(Way.NOTHING, StepState.NEXT, Why.DECEASED)
    assert sum(step.state is StepState.NEXT for step in plan.steps) <= 1
    assert plan.steps[-1].way in (Way.PUBLIC_NOTICE, Way.NOTHING)
    assert len({step.way for step in plan.steps}) == len(plan.steps)


@given(cases, grounds)
def test_nothing_blocked_is_ever_begun(case: Case, ground: Ground) -> None:
    plan = plan_of(case, ground)
    for step in plan.steps:
        if step.way not in MEANS or step.state not in (StepState.NEXT, StepState.POSSIBLE):
            continue
        assert step.way in case.contacts & frozenset(ground.order)
        assert step.way not in case.not_theirs | case.suppressed | case.controlled | ground.controlled
        assert step.way not in ground.promised_away
        assert ground.lawful is None or step.way in ground.lawful
        assert step.way not in {each.way for each in case.tried}


@given(cases, grounds, some_means)
def test_suppression_blocks_a_means_and_never_the_person(
    case: Case, ground: Ground, more: frozenset[Way]
) -> None:
    plan = plan_of(replace(case, suppressed=case.suppressed | more), ground)
    assert plan.reached or plan.next is not None
    assert plan.within_reach <= plan_of(case, ground).within_reach


@given(cases, grounds, some_means)
def test_another_contact_never_takes_a_means_away(case: Case, ground: Ground, more: frozenset[Way]) -> None:
    before = plan_of(case, ground).within_reach
    assert before <= plan_of(replace(case, contacts=case.contacts | more), ground).within_reach


@given(cases, grounds, lengths)
def test_as_time_runs_a_step_never_becomes_less_urgent(case: Case, ground: Ground, later: timedelta) -> None:
    ranked = list(Urgency)
    for way in MEANS:
        then = replace(ground, now=ground.now + later)
        assert ranked.index(urgency_of(way, ground)) <= ranked.index(urgency_of(way, then))
