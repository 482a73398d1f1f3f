"""What a plan goes by is what the sending then does: the same people, the same messages, measured by what it took."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from sqlmodel import col, select

from incident.delivery import batching, planning
from incident.delivery.forecast import Rate, RateSource
from incident.delivery.planning import (
    Deadline,
    Left,
    Reach,
    deadline_to_tell_people,
    known_rates,
    left_to_send,
    measured_rate,
    reach_of_list,
)
from incident.delivery.states import IN_PROGRESS, MAIL_LIMIT
from incident.durable import set_rate
from incident.law.regimes import DutyKind
from incident.record.person import PersonRow
from incident.store.tables import Attempt, Batch, Delivery, DutyRow
from tests.support.breaches import Affected, Breach, make_breach, some_people
from tests.support.postgres import PostgresServer
from tests.support.relays import recording_relay
from tests.support.workspaces import run_sql

LEAK_ENDED = date(2026, 11, 1)
PHONE = "+8613800138000"


def two_segments(name: str, person: PersonRow) -> int:
    return 2


def reach(
    breach: Breach, *, organisations_told: bool = True, leak_ended_on: date | None = LEAK_ENDED
) -> Reach:
    with breach.made.store.read() as session:
        return reach_of_list(
            session,
            breach.made.store,
            breach.id,
            segments=two_segments,
            organisations_told=organisations_told,
            leak_ended_on=leak_ended_on,
        )


def some_of_everything() -> list[Affected]:
    child = {"born": "2016-01-01", "guardian_name": "Gee"}
    return [
        Affected("own", email="own@example.org"),
        Affected("phone", phone=PHONE),
        Affected("recycled", phone="+8613900139000", held_since="2026-11-02"),
        Affected("nothing"),
        Affected("dead", email="dead@example.org", deceased="yes"),
        Affected("danger", email="danger@example.org", safe_contact="by letter to her sister"),
        Affected("firm", email="firm@example.org", kind="organisation"),
        Affected("ward 1", guardian_email="gee@example.org", **child),
        Affected("ward 2", email="ward2@example.org", guardian_email="gee@example.org", **child),
        Affected("ward 3", guardian_phone="+8613700137000", **child),
        Affected("home 1", email="home@example.org", household="yes"),
        Affected("home 2", email="home@example.org", household="yes"),
    ]


def test_everybody_on_the_list_is_in_one_group(tmp_path: Path, store_on: PostgresServer | None) -> None:
    found = reach(make_breach(tmp_path, people=some_of_everything(), on=store_on))
    # A message to: own, firm, the guardian of two, ward 2 besides, and the home of two.
    assert found == Reach(
        listed=12,
        by_email=6,
        by_sms=2,
        by_letter=0,
        by_hand=1,
        by_nothing=2,
        deceased=1,
        messages=5,
        segments=4,
    )


def test_without_words_for_organisations_they_are_told_by_hand(tmp_path: Path) -> None:
    breach = make_breach(tmp_path, people=some_of_everything())
    found = reach(breach, organisations_told=False, leak_ended_on=None)
    assert (found.by_hand, found.by_email, found.messages) == (2, 5, 4)
    assert found.by_sms == 3, "as long as nobody knows when the leak stopped, a number is its holder's"


def listed() -> st.SearchStrategy[Affected]:
    return st.builds(
        lambda number, own, household, guardian, minor, spared, phone: Affected(
            "",
            email="home@example.org" if household else f"own{number}@example.org" if own else "",
            household="yes" if household else "",
            born="2016-03-01" if minor else "1980-01-01",
            guardian_name="Gee" if minor else "",
            guardian_email=guardian if minor else "",
            phone=PHONE if phone else "",
            **{spared: "yes"} if spared else {},
        ),
        st.integers(1, 3),
        st.booleans(),
        st.sampled_from([False, False, True]),
        st.sampled_from(["", "gee@example.org", "own1@example.org"]),
        st.booleans(),
        st.sampled_from(["", "", "", "deceased", "safe_contact"]),
        st.booleans(),
    )


@given(people=st.lists(listed(), min_size=1, max_size=12))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_sending_of_any_list_does_what_the_plan_said(
    people: list[Affected], tmp_path_factory: pytest.TempPathFactory
) -> None:
    numbered = [Affected(**{**vars(one), "reference": f"R{at}"}) for at, one in enumerate(people)]
    breach = make_breach(tmp_path_factory.mktemp("plan"), people=numbered)
    planned = reach(breach)
    with breach.made.store.read() as session:
        assert left_to_send(session, breach.id) is None
    breach.release()
    breach.open_sending()
    begun = [row for row in breach.deliveries() if row.state in IN_PROGRESS]
    assert planned.by_email == sum(row.principal for row in begun)
    assert planned.messages == sum(row.leader_id is None for row in begun)
    assert planned.listed == len(people)
    with breach.made.store.read() as session:
        assert left_to_send(session, breach.id) == Left(planned.by_email, planned.messages)
    reasons = Counter(
        row.reason for row in breach.deliveries() if row.principal and row.state not in IN_PROGRESS
    )
    assert planned.by_hand == reasons["safe_contact"]
    assert planned.deceased == reasons["deceased"]
    assert planned.by_sms + planned.by_nothing == reasons["no_email"] + reasons["recycled_number"]


def test_a_rate_is_measured_from_what_the_relay_took_and_the_time_between_batches_is_left_out(
    tmp_path: Path, store_on: PostgresServer | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "BATCH_SIZE", 60)
    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(120), relay_port=relay.port, on=store_on)
        with breach.made.store.read() as session:
            assert measured_rate(session) is None
        breach.release()
        breach.open_sending()
        breach.work()
    # The clock of tests stands still: the first batch is to have taken 10 s, and the other, an hour later, 20 s.
    noon = breach.made.clock()
    spans = [
        (noon, noon + timedelta(seconds=10)),
        (noon + timedelta(hours=1), noon + timedelta(hours=1, seconds=20)),
    ]
    with breach.made.store.transaction() as session:
        batches = session.exec(select(Batch.id).order_by(col(Batch.seq))).all()
        for batch_id, (begun, ended) in zip(batches, spans, strict=True):
            mine = select(Delivery.id).where(Delivery.batch_id == batch_id)
            session.connection().execute(
                update(Attempt)
                .where(col(Attempt.delivery_id).in_(mine))
                .values(intent_at=begun, outcome_at=ended)
            )
    with breach.made.store.read() as session:
        assert measured_rate(session) == pytest.approx(120 / 30)
        assert left_to_send(session, breach.id) == Left(0, 0)


def test_what_was_measured_counts_only_where_nobody_said_what_was_bought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "measured_rate", lambda session: 3.0)
    breach = make_breach(tmp_path, people=some_people(1))
    told = breach.made.settings.model_copy(
        update={"plan": breach.made.settings.plan.model_copy(update={"mail_per_second": 30.0})}
    )
    with breach.made.store.transaction() as session:
        assert known_rates(session, breach.made.settings) == [Rate(3, RateSource.MEASURED)]
        set_rate(session, MAIL_LIMIT, 5)
        assert known_rates(session, breach.made.settings) == [
            Rate(5, RateSource.LIMIT),
            Rate(3, RateSource.MEASURED),
        ]
        assert known_rates(session, told) == [Rate(5, RateSource.LIMIT), Rate(30, RateSource.CONTRACT)]
        set_rate(session, f"{MAIL_LIMIT}/example.org", 1)
        slow = told.model_copy(update={"mail": told.mail.model_copy(update={"per_second": 2.0})})
        assert known_rates(session, slow) == [
            Rate(5, RateSource.LIMIT),
            Rate(2, RateSource.LIMIT),
            Rate(30, RateSource.CONTRACT),
        ]


def test_the_deadline_is_the_earliest_end_or_target_of_our_own(tmp_path: Path) -> None:
    breach = make_breach(tmp_path, people=some_people(1))
    targets = breach.made.settings.targets

    def deadline() -> Deadline | None:
        with breach.made.store.read() as session:
            return deadline_to_tell_people(session, breach.id, breach.made.settings)

    with breach.made.store.read() as session:
        rows = session.exec(
            select(DutyRow).where(col(DutyRow.kind) == DutyKind.notify_people, col(DutyRow.state) == "owed")
        ).all()
    hours = {"immediately": targets.immediately_hours, "promptly": targets.promptly_hours}
    own = [
        row.anchor_at + timedelta(hours=hours[row.urgency])
        for row in rows
        if row.due_at is None and row.anchor_at is not None and row.urgency in hours
    ]
    found = deadline()
    assert found is not None
    assert found.at == min([*own, *(row.due_at for row in rows if row.due_at is not None)])
    assert own and found.own
    at = min(own) - timedelta(hours=1)
    with breach.made.store.transaction() as session:
        session.connection().execute(
            update(DutyRow).where(col(DutyRow.duty_id) == found.duty).values(due_at=at)
        )
    earlier = deadline()
    assert earlier is not None and (earlier.at, earlier.own, earlier.duty) == (at, False, found.duty)
    run_sql(breach.made.store, "UPDATE duty SET state = 'met'")
    assert deadline() is None
