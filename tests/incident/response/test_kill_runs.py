"""SIGKILL at every point of a run: every effect happens, and none happens twice but of a step declared repeatable.

Each kill provably lands where its point says: the process stops there by itself and is killed as it stands. A point at
which no process ever stopped fails the test.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import select

from incident.response import events as e
from incident.store.tables import Campaign, Notice, PublicNotice, Report
from tests.support.breaches import make_breach, some_people
from tests.support.halting import PATIENCE
from tests.support.ordeals import (
    CALLS,
    CONFIRM,
    DISABLE,
    ESCALATE,
    FINAL,
    GATE,
    HOUSEWORK,
    KEPT,
    KILLED,
    LOOK_UP,
    NOTIFY,
    PROBE,
    RESET,
    TICKET,
    WAIT,
    Ordeal,
)
from tests.support.postgres import PostgresServer
from tests.support.relays import recording_relay
from tests.support.runs import install
from tests.support.services import EffectService

AROUND_A_CALL = (
    "before_intent",
    "in_intent",
    "before_leave_to_act",
    "after_intent",
    "at_server",
    "before_told",
    "in_told",
    "after_told",
)
TIMERS = (f"{WAIT}:delay", f"{PROBE}:timeout")


@pytest.fixture
def service() -> Iterator[EffectService]:
    with EffectService(answer={"ticket": TICKET}) as found:
        yield found


def ordeal(tmp_path: Path, service: EffectService, *, on: PostgresServer | None = None) -> Ordeal:
    breach = make_breach(tmp_path, measures=(), on=on, engine={"stale_seconds": 2})
    install(breach.made.workspace.root, "killed", KILLED)
    return Ordeal(breach, service)


def test_killed_once_in_each_window_all_is_done_and_nothing_twice(
    tmp_path: Path, service: EffectService
) -> None:
    test = ordeal(tmp_path, service)
    test.start("in_start@", "after_start@")
    points = [
        f"before_intent@{LOOK_UP}",
        f"in_intent@{GATE}",
        f"before_leave_to_act@{GATE}",
        f"after_intent@{RESET}",
        f"at_server@{DISABLE}",
        f"before_told@{PROBE}:timeout",
        f"at_server@{ESCALATE}",
        f"in_told@{WAIT}:delay",
        f"before_told@{NOTIFY}",
        f"in_asking@{NOTIFY}",
        "before_leave@",
        "in_ending@",
    ]
    says = [f"in_answer@{RESET}", f"after_answer@{CONFIRM}", "in_sign@", f"in_answer@{GATE}"]
    assert test.work(points, says=says) == set(), "a window was never hit"
    assert test.asked == {GATE: 1, RESET: 1, ESCALATE: 1, NOTIFY: 1, FINAL: 1}
    test.assert_everything_was_done_once()


# -- every window of every step ----------------------------------------------------------------------


@pytest.mark.chaos
@pytest.mark.parametrize("window", AROUND_A_CALL)
def test_killed_in_this_window_of_every_call(tmp_path: Path, service: EffectService, window: str) -> None:
    test = ordeal(tmp_path, service)
    test.checks = True
    test.start()
    assert test.work([f"{window}@{step}" for step in CALLS]) == set(), "a window was never hit"
    asked_about = {step: 1 for step in CALLS if step != DISABLE}
    if window in ("before_intent", "in_intent", "after_told"):
        # The outcome of one call and the intent of the next are one transaction: before it the first is in doubt,
        # after it the next one is. Whatever follows no call at once, or is followed by none, leaves no question.
        assert test.asked.items() < asked_about.items()
    else:
        assert test.asked == asked_about
    test.assert_everything_was_done_once()
    [called] = service.paths[f"/{DISABLE}"].values()
    if window in ("before_intent", "in_intent"):
        # Where a timer of another branch was due just then, it came between the outcome and the next call's intent, and
        # the outcome is written.
        assert called in (1, 2)
    else:
        assert called == (2 if window in ("at_server", "before_told", "in_told") else 1)


@pytest.mark.chaos
@pytest.mark.parametrize("window", ["before_asking", "in_asking", "after_asking"])
def test_killed_while_the_question_is_written_it_is_asked_once(
    tmp_path: Path, service: EffectService, window: str
) -> None:
    test = ordeal(tmp_path, service)
    test.start()
    asked = [step for step in CALLS if step != DISABLE]
    left = test.work([point for step in asked for point in (f"at_server@{step}", f"{window}@{step}")])
    assert left == set(), "a window was never hit"
    assert test.asked == dict.fromkeys(asked, 1)
    test.assert_everything_was_done_once()


@pytest.mark.chaos
def test_killed_while_it_starts_leaves_waits_and_ends(tmp_path: Path, service: EffectService) -> None:
    test = ordeal(tmp_path, service)
    test.start("in_start@", "after_start@")
    windows = ("before_told", "in_told", "after_told")
    points = [f"{window}@{timer}" for window in windows for timer in TIMERS]
    points += ["before_leave@", "after_leave@", "in_ending@", f"after_asking@{FINAL}"]
    assert test.work(points) == set(), "a window was never hit"
    test.assert_everything_was_done_once()


@pytest.mark.chaos
def test_killed_while_people_answer_each_answer_counts_once(tmp_path: Path, service: EffectService) -> None:
    test = ordeal(tmp_path, service)
    test.start()
    answered = (GATE, CONFIRM, WAIT, RESET, NOTIFY)
    says = [f"{window}@{step}" for window in ("in_answer", "after_answer") for step in answered]
    points = [f"after_intent@{RESET}", f"at_server@{NOTIFY}"]
    assert test.work(points, says=[*says, "in_sign@"]) == set(), "a window was never hit"
    test.assert_everything_was_done_once()


@pytest.mark.chaos
def test_calls_that_are_cut_off_without_an_answer_are_asked_about_or_repeated(
    tmp_path: Path, service: EffectService
) -> None:
    """The effect happened and no answer came; and the one who is to call again is killed, too."""
    service.cut = Counter(f"/{step}" for step in CALLS)
    test = ordeal(tmp_path, service)
    test.start()
    points = [f"in_call_again@{DISABLE}", f"in_asking@{RESET}", f"before_asking@{FINAL}"]
    assert test.work(points) == set(), "a window was never hit"
    assert test.asked == {step: 1 for step in CALLS if step != DISABLE}
    test.assert_everything_was_done_once()
    assert set(service.paths[f"/{DISABLE}"].values()) == {2}


# -- work in the house -------------------------------------------------------------------------------


@pytest.mark.chaos
@pytest.mark.parametrize("window", ["before_house", "after_house", "before_told", "in_told", "after_told"])
def test_killed_around_the_work_of_the_house_each_piece_is_done_once(
    tmp_path: Path, service: EffectService, window: str
) -> None:
    """The notice is drafted and released once, one campaign reaches everybody, every report has one version."""
    people = some_people(3)
    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=people, relay_port=relay.port)
        install(breach.made.workspace.root, "kept", KEPT)
        test = Ordeal(breach, service, playbook="kept")
        test.start()

        def release_once() -> None:
            with breach.made.store.read() as session:
                if session.exec(select(Notice).where(Notice.released_at == None)).all():  # noqa: E711 - SQL
                    breach.release()

        left = test.work([f"{window}@{step}" for step in HOUSEWORK], meanwhile=release_once)
        assert left == set(), "a window was never hit"
    assert [run.state for run in test.runs()] == [e.Outcome.succeeded]
    with breach.made.store.read() as session:
        notices, campaigns = session.exec(select(Notice)).all(), session.exec(select(Campaign)).all()
        reports = session.exec(select(Report)).all()
        pages = session.exec(select(PublicNotice)).all()
    assert (len(notices), len(campaigns), len({page.notice_id for page in pages})) == (1, 1, 1)
    assert Counter((each.regime, each.phase) for each in reports).most_common(1)[0][1] == 1
    assert {mail.to for mail in relay.taken} == {person.email for person in people}
    test.assert_the_record_is_whole()


# -- several machines --------------------------------------------------------------------------------


@pytest.mark.chaos
def test_on_postgresql_another_worker_takes_over_and_nothing_is_done_twice(
    tmp_path: Path, service: EffectService, postgres: PostgresServer
) -> None:
    test = ordeal(tmp_path, service, on=postgres)
    test.start("in_start@")
    points = [f"{window}@{step}" for window, step in zip(AROUND_A_CALL, (*CALLS, *CALLS), strict=False)]
    points += [f"in_told@{WAIT}:delay", f"after_told@{PROBE}:timeout"]
    assert test.work(points, says=[f"in_answer@{CONFIRM}", f"in_answer@{GATE}"]) == set()
    test.assert_everything_was_done_once()


@pytest.mark.chaos
@pytest.mark.parametrize("window", ["before_leave_to_act", "before_told"])
def test_a_frozen_worker_that_wakes_after_it_was_replaced_does_nothing(
    tmp_path: Path, service: EffectService, postgres: PostgresServer, window: str
) -> None:
    """Frozen with the intent written or with the answer in its hands; the run is over when it wakes."""
    test = ordeal(tmp_path, service, on=postgres)
    test.start()
    frozen = test.process(f"{window}@{LOOK_UP}")
    assert frozen.halted(within=PATIENCE) is not None
    assert test.work([]) == set()
    frozen.go_on()
    frozen.wait()
    assert test.asked == {LOOK_UP: 1}
    test.assert_everything_was_done_once()


# -- at random ---------------------------------------------------------------------------------------


@pytest.mark.chaos
def test_runs_that_keep_coming_survive_thirty_kills_at_random(tmp_path: Path) -> None:
    """New runs begin before each kill; a worker that was done before it could be killed does not count."""
    dice = random.Random(11)
    kills, at_first, more = 30, 10, 2
    with EffectService(answer={"ticket": TICKET}, pause=lambda: dice.random() / 30) as service:
        test = ordeal(tmp_path, service)
        runs, killed = at_first, 0
        for _ in range(at_first):
            test.start_here()
        while killed < kills and runs < at_first + 2 * kills * more:
            for _ in range(more):
                test.start_here()
            runs += more
            killed += test.killed_after_progress(test.process(), pause=dice.random() / 3)
            test.answer(some=dice.randint(1, 12))
        assert killed == kills
        assert test.work([]) == set()
        test.assert_everything_was_done_once(runs)
