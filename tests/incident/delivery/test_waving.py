"""Waves of real sendings: a canary, what follows it, what stops it, and what a kill leaves."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from incident.delivery import batching
from incident.delivery.campaign import open_campaign
from incident.delivery.pausing import pause_campaign, put_sending_again, resume_campaign
from incident.delivery.states import BATCH_JOB, WAVE_JOB, CampaignState, Why
from incident.delivery.waves import Stop, StopReason
from incident.delivery.waving import WavesNow, let_all_go, waves_now
from incident.durable import put_job
from incident.notice.release import must_be_released
from incident.ops.owing import put_missing_jobs
from incident.proof.verify import verify
from incident.record.summons import Reason, open_summons
from incident.store.tables import Batch, Job, JournalEntry, Waves
from tests.support.breaches import Affected, Breach, make_breach, some_people
from tests.support.lived_in import must_hold
from tests.support.postgres import PostgresServer
from tests.support.relays import RecordingRelay

NO_WATCH = {"canary": 4, "growth": 2, "watch_minutes": 0}
WATCHED = {"canary": 4, "growth": 2}


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "BATCH_SIZE", 8)


def sending(
    tmp_path: Path,
    relay: RecordingRelay,
    *,
    people: int | list[Affected] = 60,
    waves: Mapping[str, Any] = WATCHED,
    on: PostgresServer | None = None,
) -> Breach:
    listed = some_people(people) if isinstance(people, int) else people
    breach = make_breach(tmp_path, people=listed, relay_port=relay.port, waves=waves, on=on)
    breach.release()
    breach.open_sending()
    return breach


def now_of(breach: Breach) -> WavesNow:
    with breach.made.store.read() as session:
        now = waves_now(session, breach.account().campaign_id, breach.made.settings, now=breach.made.clock())
    assert now is not None
    return now


def jobs_of(breach: Breach, kind: str) -> list[str]:
    with breach.made.store.read() as session:
        return sorted(session.exec(select(Job.key).where(Job.kind == kind)).all())


def kinds_of(breach: Breach) -> list[str]:
    """The kinds of the journal's entries, in their order."""
    found = select(JournalEntry.kind).where(JournalEntry.chain == breach.id).order_by(col(JournalEntry.seq))
    with breach.made.store.read() as session:
        return list(session.exec(found).all())


def change(breach: Breach, what: Any, kind: str = "campaign.changed") -> Any:
    store, now = breach.made.store, breach.made.clock()
    with store.write(breach.id, kind=kind, actor="ana", now=now) as changing:
        return what(changing)


def resume(breach: Breach) -> None:
    change(breach, lambda changing: resume_campaign(changing, breach.id), "campaign.resumed")


# -- canary and growth -------------------------------------------------------------------------------


def test_only_the_canary_leaves_until_it_was_watched(
    tmp_path: Path, relay: RecordingRelay, store_on: PostgresServer | None
) -> None:
    breach = sending(tmp_path, relay, on=store_on)
    breach.work()
    assert len(relay.taken) == 4
    account = breach.account()
    assert (account.accepted, account.in_progress) == (4, 56)
    assert account.adds_up
    assert len(jobs_of(breach, BATCH_JOB)) == 1
    must_hold(breach.house)
    now = now_of(breach)
    assert (now.number, now.people, now.waiting) == (1, 4, 56)
    assert now.next_at is not None
    breach.later(minutes=1)
    breach.work()
    assert len(relay.taken) == 4
    breach.later(minutes=1)
    breach.work()
    assert len(relay.taken) == 12
    assert now_of(breach).number == 2


def test_waves_grow_and_everybody_is_told_once(tmp_path: Path, relay: RecordingRelay) -> None:
    breach = sending(tmp_path, relay, waves=NO_WATCH)
    breach.work()
    assert len(relay.taken) == len({mail.to for mail in relay.taken}) == 60
    assert breach.account().state == CampaignState.ENDED
    kinds = kinds_of(breach)
    # 4, 8, then twice 12 and twice 36.
    assert kinds.count("wave.opened") == 3
    assert verify(breach.made.store).sound
    must_hold(breach.house)


def test_each_wave_is_journalled_with_what_came_of_the_one_before(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    breach = sending(tmp_path, relay, people=20)
    for _ in range(4):
        breach.work()
        breach.later(minutes=2)
    breach.work()
    assert breach.account().state == CampaignState.ENDED
    kinds = [each for each in kinds_of(breach) if each.startswith("wave.")]
    assert kinds == ["wave.settled", "wave.opened"] * 2


def test_fewer_people_than_a_canary_are_told_without_a_wait(tmp_path: Path, relay: RecordingRelay) -> None:
    people = [*some_people(3), Affected("N1", "Nobody"), Affected("N2", "Nobody")]
    breach = sending(tmp_path, relay, people=people)
    breach.work()
    account = breach.account()
    assert (account.accepted, account.unreachable_total, account.state) == (3, 2, CampaignState.ENDED)
    assert now_of(breach).of == 1
    must_hold(breach.house)


def test_the_canary_holds_each_language_and_both_kinds_of_reader_and_nobody_who_has_no_address(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    people = [
        *(Affected(f"N{number}", "Nobody") for number in range(6)),
        *(Affected(f"A{number}", email=f"a{number}@example.org", language="zh-Hans") for number in range(20)),
        Affected("B", email="b@example.org", language="en"),
        Affected("K", "Kim", language="zh-Hans", born="2015-03-01", guardian_email="g@example.org"),
    ]
    breach = sending(tmp_path, relay, people=people)
    breach.work()
    told = {mail.to for mail in relay.taken}
    assert len(told) == 4
    assert {"b@example.org", "g@example.org"} <= told


def test_who_shares_a_message_is_in_one_wave(tmp_path: Path, relay: RecordingRelay) -> None:
    siblings = [
        Affected(f"S{number}", born="2015-03-01", guardian_email="g@example.org") for number in range(3)
    ]
    breach = sending(tmp_path, relay, people=[*siblings, *some_people(20)], waves={"canary": 2, "growth": 2})
    breach.work()
    assert [mail.to for mail in relay.taken].count("g@example.org") == 1
    with breach.made.store.read() as session:
        [first] = session.exec(select(Batch).where(Batch.seq == 1)).all()
    # Of the two that were picked one is a sibling, and the others come with it.
    assert first.accepted == 4
    must_hold(breach.house)


def test_without_a_canary_everybody_is_let_go_and_still_watched(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    breach = make_breach(tmp_path, people=some_people(30), relay_port=relay.port, waves=WATCHED)
    breach.release()

    def open_at_once(changing: Any) -> None:
        store, settings = breach.made.store, breach.made.settings
        version, _ = must_be_released(changing.session, store, breach.id, settings=settings, drill=False)
        open_campaign(changing, store, version, settings, all_at_once=True)

    change(breach, open_at_once)
    assert jobs_of(breach, WAVE_JOB) != []
    breach.work()
    assert len(relay.taken) == 30


def test_what_waits_can_be_let_go_at_once(tmp_path: Path, relay: RecordingRelay) -> None:
    breach = sending(tmp_path, relay)
    breach.work()
    campaign_id = breach.account().campaign_id
    assert change(breach, lambda changing: let_all_go(changing, campaign_id)) == 56
    assert change(breach, lambda changing: let_all_go(changing, campaign_id)) == 0
    breach.work()
    assert len(relay.taken) == 60
    assert breach.account().state == CampaignState.ENDED


def test_who_is_put_off_by_their_server_does_not_hold_up_everybody(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    relay.at_rcpt = lambda address: "451 4.7.1 later" if address == "p00001@example.org" else None
    breach = sending(tmp_path, relay, waves={"canary": 20, "watch_minutes": 0})
    breach.work()
    account = breach.account()
    assert (account.accepted, account.in_progress) == (59, 1)


def test_a_canary_of_whom_many_are_put_off_holds_up_the_others(tmp_path: Path, relay: RecordingRelay) -> None:
    relay.at_rcpt = lambda address: "451 4.7.1 later"
    breach = sending(tmp_path, relay, waves=NO_WATCH)
    breach.work()
    assert breach.account().in_progress == 60
    assert now_of(breach).number == 1


# -- nothing else lets a wave go ---------------------------------------------------------------------


def test_neither_a_pause_nor_a_hold_nor_a_lost_job_lets_go_what_waits(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    breach = sending(tmp_path, relay)
    breach.work()
    change(breach, lambda changing: pause_campaign(changing, breach.id), "campaign.paused")
    resume(breach)
    with breach.made.store.transaction() as session:
        put_sending_again(session, breach.id)
        put_missing_jobs(session)
        put_job(session, BATCH_JOB, f"{breach.account().campaign_id}-000002", incident_id=breach.id)
    breach.work()
    assert len(relay.taken) == 4
    must_hold(breach.house)


def test_a_job_of_the_waves_that_was_lost_is_put_again(tmp_path: Path, relay: RecordingRelay) -> None:
    breach = sending(tmp_path, relay)
    breach.work()
    with breach.made.store.transaction() as session:
        for job in session.exec(select(Job).where(Job.kind == WAVE_JOB)).all():
            session.delete(job)
    breach.later(minutes=2)
    breach.work()
    assert len(relay.taken) == 12


def test_a_paused_campaign_lets_no_wave_go(tmp_path: Path, relay: RecordingRelay) -> None:
    breach = sending(tmp_path, relay)
    breach.work()
    change(breach, lambda changing: pause_campaign(changing, breach.id), "campaign.paused")
    breach.later(minutes=5)
    breach.work()
    assert (len(relay.taken), now_of(breach).number) == (4, 1)
    resume(breach)
    breach.work()
    assert len(relay.taken) == 12


def test_a_later_version_tells_who_waited_for_a_wave_of_the_earlier_one(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    breach = sending(tmp_path, relay)
    breach.work()
    breach.made.clock.move(seconds=1)
    breach.log("closed another one", "contain.lock-account")
    breach.release()
    breach.open_sending()
    breach.work()
    must_hold(breach.house)
    for _ in range(6):
        breach.later(minutes=2)
        breach.work()
    account = breach.account()
    assert (account.accepted, account.state) == (60, CampaignState.ENDED)
    assert len(relay.taken) == 64
    must_hold(breach.house)


# -- stopping ----------------------------------------------------------------------------------------


def refusing(relay: RecordingRelay, *, every: int = 1) -> None:
    def answer(address: str) -> str | None:
        return "550 5.1.1 unknown" if int(address[1:6]) % every == 0 else None

    relay.at_rcpt = answer


def test_a_canary_that_is_refused_stops_the_sending_until_a_person_lets_it_go_on(
    tmp_path: Path, relay: RecordingRelay, store_on: PostgresServer | None
) -> None:
    refusing(relay)
    breach = sending(tmp_path, relay, waves={"canary": 6, "growth": 2}, on=store_on)
    breach.work()
    account, now = breach.account(), now_of(breach)
    assert account.state == CampaignState.PAUSED
    assert account.paused is not None
    assert account.paused.set_by == "engine"
    assert now.stop == Stop(StopReason.FAILED, 6, 6)
    assert "campaign.stopped" in kinds_of(breach)
    with breach.made.store.read() as session:
        assert Reason.SENDING_STOPPED in {row.reason for row in open_summons(session, breach.id)}
    must_hold(breach.house)
    breach.later(hours=24)
    breach.work()
    assert breach.account().state == CampaignState.PAUSED, "nothing lifts it by itself"

    relay.at_rcpt = lambda address: None
    resume(breach)
    with breach.made.store.read() as session:
        assert Reason.SENDING_STOPPED not in {row.reason for row in open_summons(session, breach.id)}
    for _ in range(5):
        breach.work()
        breach.later(minutes=2)
    breach.work()
    account = breach.account()
    assert (account.accepted, dict(account.unreachable)) == (54, {Why.REFUSED: 6})
    assert account.state == CampaignState.ENDED
    assert verify(breach.made.store).sound
    must_hold(breach.house)


def test_a_canary_that_a_policy_turns_away_stops_it_though_it_would_be_tried_again(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    relay.at_rcpt = lambda address: "550 5.7.1 blocked"
    breach = sending(tmp_path, relay, waves={"canary": 6, "growth": 2})
    breach.work()
    assert now_of(breach).stop == Stop(StopReason.FAILED, 6, 6)
    assert breach.account().in_progress == 60
    resume(breach)
    relay.at_rcpt = lambda address: None
    for _ in range(6):
        breach.later(minutes=5)
        breach.work()
    assert breach.account().accepted == 60
    assert now_of(breach).stop is None
    must_hold(breach.house)


def test_what_is_refused_after_somebody_let_it_go_on_stops_it_again(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    refusing(relay)
    breach = sending(tmp_path, relay, waves={"canary": 6, "growth": 2, "watch_minutes": 0})
    breach.work()
    resume(breach)
    breach.work()
    stop = now_of(breach).stop
    assert stop is not None
    # Of the second wave alone, of which a batch or two were seen.
    assert 5 <= stop.count == stop.of <= 16
    assert kinds_of(breach).count("campaign.stopped") == 2


def test_reports_of_suspicious_messages_stop_it(tmp_path: Path, relay: RecordingRelay) -> None:
    breach = sending(tmp_path, relay)
    breach.work()

    def reported(changing: Any) -> None:
        row = changing.session.exec(select(Waves)).one()
        row.reports = 5
        changing.put(row)

    change(breach, reported)
    breach.later()
    breach.work()
    assert now_of(breach).stop == Stop(StopReason.REPORTS, 5, 4)


def test_complaints_stop_it(tmp_path: Path, relay: RecordingRelay) -> None:
    breach = sending(tmp_path, relay, waves={**WATCHED, "stop_at_least": 1})
    breach.work()
    with breach.made.store.transaction() as session:
        batch = session.exec(select(Batch).where(Batch.seq == 1)).one()
        batch.complaints = 1
        session.add(batch)
    breach.later()
    breach.work()
    assert now_of(breach).stop == Stop(StopReason.COMPLAINTS, 1, 4)


def test_people_without_an_address_are_no_reason_to_stop(tmp_path: Path, relay: RecordingRelay) -> None:
    people = [*some_people(10), *(Affected(f"N{number}", "Nobody") for number in range(40))]
    breach = sending(tmp_path, relay, people=people, waves=NO_WATCH)
    breach.work()
    assert breach.account().state == CampaignState.ENDED


def test_it_stops_within_a_running_wave(tmp_path: Path, relay: RecordingRelay) -> None:
    people = 400

    def slowly_refused(address: str) -> str:
        time.sleep(0.05)
        return "550 5.1.1 unknown"

    relay.at_rcpt = slowly_refused
    breach = sending(tmp_path, relay, people=people, waves={"canary": 0})
    breach.work()
    account = breach.account()
    assert account.state == CampaignState.PAUSED
    assert 5 <= account.unreachable_total < people / 2
    must_hold(breach.house)
