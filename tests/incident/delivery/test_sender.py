"""Sending against real servers: who gets what, what is written down, and what a refusal means."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from incident.delivery import batching, sender
from incident.delivery.codes import code_of
from incident.delivery.ledger import MOST_STRIKES
from incident.delivery.message import Stationery, compose, stationery
from incident.delivery.sender import GROUP
from incident.delivery.states import BATCH_JOB, CampaignState, DeliveryState, Why
from incident.durable import parked_jobs, retry_parked
from incident.notice.release import latest_version
from incident.ops.check import check
from incident.ops.worker import Worker, WorksOn
from incident.record.person import PersonRow
from incident.store.change import open_row, seal_row
from incident.store.tables import Attempt, Person
from notifiers.email.message import Envelope
from notifiers.outcome import Result, Stage
from tests.support.breaches import QUICK, Affected, Breach, make_breach, some_people
from tests.support.lived_in import broken
from tests.support.relays import (
    RecordingRelay,
    code_in,
    free_port,
    part_of,
    recording_relay,
    smtp_sink,
)
from tests.support.workspaces import run_sql


def sending(tmp_path: Path, port: int, people: list[Affected]) -> Breach:
    breach = make_breach(tmp_path, people=people, relay_port=port)
    breach.release()
    breach.open_sending()
    return breach


def attempts(breach: Breach) -> list[Attempt]:
    with breach.made.store.read() as session:
        return list(session.exec(select(Attempt).order_by("delivery_id", "n")).all())


def words_of(breach: Breach) -> Counter[str]:
    key = breach.made.store.key(breach.id)
    return Counter(open_row(row, key=key)["text"] for row in attempts(breach))


def test_each_person_gets_one_message_in_their_language_with_their_own_data_and_code(tmp_path: Path) -> None:
    people = some_people(2 * GROUP + 5)
    with recording_relay() as relay:
        breach = sending(tmp_path, relay.port, people)
        breach.work()
    assert Counter(mail.to for mail in relay.taken) == Counter(person.email for person in people)
    key = breach.made.store.key(breach.id)
    codes = {code_of(key, row.id) for row in breach.deliveries()}
    seen = set()
    listed = {"en": "This information about you", "zh-Hans": "您的以下信息"}
    for person in people:
        message = relay.mails_to(person.email)[0].message
        text, page = part_of(message, "plain"), part_of(message, "html")
        assert message["Content-Language"] == person.language
        located = ("location", "位置信息")[person.language == "zh-Hans"]
        own = next(line for line in text.splitlines() if listed[person.language] in line)
        assert (located in own.lower()) is ("location" in person.data)
        assert person.name in text and person.name in page
        assert code_in(text) in codes
        seen.add(code_in(text))
    assert seen == codes
    assert len({mail.message["Message-ID"] for mail in relay.taken}) == len(people)


def test_batches_of_one_sending_are_written_on_paper_that_is_made_ready_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "BATCH_SIZE", 5)
    made: list[Stationery] = []

    def counted(*given: Any, **named: Any) -> Stationery:
        made.append(stationery(*given, **named))
        return made[-1]

    monkeypatch.setattr(sender, "stationery", counted)
    with recording_relay() as relay:
        breach = sending(tmp_path, relay.port, some_people(40))
        breach.work()
    assert len(relay.taken) == 40
    assert 1 <= len(made) <= 2  # two batches begin at the same time


def test_the_relay_s_answer_is_in_the_ledger_sealed(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = sending(tmp_path, relay.port, some_people(3))
        breach.work()
    rows = attempts(breach)
    assert [(row.result, row.stage, row.code, row.enhanced) for row in rows] == [
        (Result.accepted, Stage.reply, 250, "2.0.0")
    ] * 3
    assert words_of(breach) == {"2.0.0 Ok: queued as 4XyZ": 3}
    assert all(b"4XyZ" not in row.sealed for row in rows)


def test_smtp_sink_gets_every_message_once_and_can_read_it(tmp_path: Path) -> None:
    people = some_people(3 * GROUP)
    with smtp_sink(tmp_path / "sink") as sink:
        breach = sending(tmp_path, sink.port, people)
        breach.work()
    mails = sink.mails()
    assert Counter(mail["To"].addresses[0].addr_spec for mail in mails) == Counter(
        person.email for person in people
    )
    assert all(part_of(mail, "plain") and part_of(mail, "html") for mail in mails)
    account = breach.account()
    assert (account.accepted, account.state, account.adds_up) == (len(people), CampaignState.ENDED, True)
    assert account.doubled_at_most == 0


def test_a_refusal_for_now_is_tried_later_and_then_accepted(tmp_path: Path) -> None:
    with recording_relay() as relay:
        relay.at_rcpt = lambda address: "450 4.2.0 greylisted" if "00002" in address else None
        breach = sending(tmp_path, relay.port, some_people(3))
        breach.work()
        account = breach.account()
        assert (account.accepted, account.in_progress, account.state) == (2, 1, CampaignState.SENDING)
        assert account.waiting_until == breach.made.clock() + timedelta(minutes=1)
        relay.at_rcpt = lambda address: None
        breach.later(minutes=2)
        breach.work()
    assert (breach.account().accepted, breach.account().state) == (3, CampaignState.ENDED)
    assert Counter(mail.to for mail in relay.taken).total() == 3


def test_who_is_refused_is_unreachable_and_the_others_are_told(tmp_path: Path) -> None:
    with recording_relay() as relay:
        relay.at_rcpt = lambda address: "550 5.1.1 no such user" if "00001" in address else None
        relay.at_data = lambda address: "552 5.2.2 mailbox full" if "00002" in address else None
        breach = sending(tmp_path, relay.port, some_people(5))
        breach.work()
    account = breach.account()
    assert account.unreachable == {Why.REFUSED: 2}
    assert (account.accepted, account.state, account.adds_up) == (3, CampaignState.ENDED, True)


def test_a_policy_block_is_named_as_one_after_several_tries(tmp_path: Path) -> None:
    with recording_relay() as relay:
        relay.at_rcpt = lambda address: "554 5.7.1 blocked" if "00001" in address else None
        breach = sending(tmp_path, relay.port, some_people(2))
        breach.work()
        for _ in range(MOST_STRIKES):
            assert breach.account().adds_up
            breach.later(hours=3)
            breach.work()
    account = breach.account()
    assert account.unreachable == {Why.BLOCKED: 1}
    assert account.state == CampaignState.ENDED


@pytest.mark.parametrize(
    "reply", ["550 5.1.8 bad sender", "530 5.7.0 log in first", "451 4.3.1 disk is full"]
)
def test_a_refused_sender_burns_nobody_however_long_it_lasts(tmp_path: Path, reply: str) -> None:
    with recording_relay() as relay:
        relay.at_mail = lambda sender: reply
        breach = sending(tmp_path, relay.port, some_people(3))
        for _ in range(MOST_STRIKES + 2):
            breach.work()
            account = breach.account()
            assert (account.in_progress, account.unreachable_total, account.adds_up) == (3, 0, True)
            breach.later(hours=2)
        relay.at_mail = lambda sender: None
        breach.work()
    assert (breach.account().accepted, breach.account().state) == (3, CampaignState.ENDED)


def test_a_relay_that_is_down_loses_nobody_and_burns_nobody(tmp_path: Path) -> None:
    port = free_port()
    breach = sending(tmp_path, port, some_people(GROUP + 3))
    for _ in range(MOST_STRIKES + 2):
        breach.work()
        assert breach.account().in_progress == GROUP + 3
        breach.later(minutes=5)
    assert {row.strikes for row in breach.deliveries()} == {0}
    with recording_relay(port=port) as relay:
        breach.work()
    assert Counter(mail.to for mail in relay.taken).total() == GROUP + 3
    assert breach.account().state == CampaignState.ENDED


def test_a_setting_that_keeps_the_relay_from_being_used_burns_nobody(tmp_path: Path) -> None:
    breach = make_breach(
        tmp_path, people=some_people(3), mail={"tls": "starttls", "ca_file": "not-there.pem"}
    )
    breach.release()
    breach.open_sending()
    for _ in range(2):
        breach.work()
        breach.later(minutes=1)
    assert [(row.state, row.strikes) for row in breach.deliveries()] == [(DeliveryState.PENDING, 0)] * 3
    assert {(row.result, row.stage) for row in attempts(breach)} == {(Result.not_sent, Stage.connect)}


def test_one_damaged_record_keeps_nobody_else_from_being_told(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = sending(tmp_path, relay.port, some_people(4))
        victim = breach.deliveries()[0].person_id
        run_sql(breach.made.store, "UPDATE person SET sealed = x'5431' WHERE id = :id", id=victim)
        breach.work()
    account = breach.account()
    assert account.unreachable == {Why.DAMAGED: 1}
    assert (account.accepted, account.state) == (3, CampaignState.ENDED)


def test_an_address_that_no_mail_can_be_sent_to_is_unreachable_with_its_reason(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = sending(tmp_path, relay.port, some_people(2))
        spoil_address(breach)
        breach.work()
    assert breach.account().unreachable == {Why.BAD_ADDRESS: 1}
    assert len(relay.taken) == 1


def spoil_address(breach: Breach) -> None:
    key = breach.made.store.key(breach.id)
    with breach.made.store.transaction() as session:
        person = session.exec(select(Person)).first()
        assert person is not None
        content = open_row(person, key=key)
        content["contact"]["email"] = "用户@example.org"
        seal_row(person, content, key=key)
        session.add(person)


@pytest.mark.parametrize("place", [2, GROUP + 2])
def test_a_fault_of_ours_parks_the_batch_and_costs_nobody_a_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    def damaged(paper: Stationery, person: PersonRow, **more: Any) -> Envelope:
        if more["delivery_id"] == victim:
            raise KeyError("the words of this language")
        return compose(paper, person, **more)

    count = GROUP + 5
    with recording_relay() as relay:
        breach = sending(tmp_path, relay.port, some_people(count))
        victim = sorted(row.id for row in breach.deliveries())[place]
        monkeypatch.setattr(sender, "compose", damaged)

        def parked() -> dict[str, int]:
            with breach.made.store.read() as session:
                return parked_jobs(session)

        breach.work(until=lambda: bool(parked()))
        assert parked() == {BATCH_JOB: 1}
        told = 0 if place < GROUP else GROUP
        assert (breach.account().accepted, len(relay.taken)) == (told, told)
        assert {row.attempts for row in breach.deliveries() if row.state == DeliveryState.PENDING} == {0}
        assert set(broken(check(breach.house, pause=0.0))) == {"jobs.parked", "progress.owned"}
        monkeypatch.undo()
        with breach.made.store.transaction() as session:
            retry_parked(session)
        breach.work(until=lambda: breach.account().state == CampaignState.ENDED)
    assert_all_told_once(breach, relay, count)
    assert {(row.attempts, row.strikes) for row in breach.deliveries()} == {(1, 0)}


def test_a_message_made_again_has_the_same_bytes_though_hours_passed(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = sending(tmp_path, relay.port, some_people(2))
        breach.work()
        first = {mail.to: mail.raw for mail in relay.taken}
        # As a kill leaves it: the intent is written, the outcome is not.
        run_sql(breach.made.store, "UPDATE attempt SET outcome_at = NULL, result = NULL")
        run_sql(breach.made.store, "UPDATE delivery SET state = 'sending', settled_at = NULL")
        run_sql(breach.made.store, "UPDATE batch SET pending = 2, accepted = 0")
        run_sql(breach.made.store, "UPDATE job SET state = 'open', next_at = 0 WHERE kind = 'delivery.batch'")
        run_sql(breach.made.store, "UPDATE campaign SET state = 'sending', ended_at = NULL")
        breach.later(hours=5)
        breach.work()
    again = relay.taken[2:]
    assert {mail.to: mail.raw for mail in again} == first
    assert breach.account().doubled_at_most == 2
    assert breach.account().adds_up


def test_a_catalogue_that_changes_later_does_not_change_the_released_words(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = sending(tmp_path, relay.port, some_people(3))
        with breach.made.store.read() as session:
            version = latest_version(session, breach.made.store, breach.id)
        breach.work()
    assert version is not None
    titles = version.frozen.category_titles
    assert titles["location"] == {"zh-Hans": "位置信息", "en": titles["location"]["en"]}
    text = part_of(relay.mails_to("p00003@example.org")[0].message, "plain")
    assert titles["location"]["en"] in text


def test_a_worker_that_is_asked_to_stop_leaves_the_rest_due_at_once(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = sending(tmp_path, relay.port, some_people(4 * GROUP))
        worker = Worker(breach.house, patience=QUICK)
        runners: list[WorksOn] = []

        def stop_after_the_first_group(address: str) -> None:
            if len(relay.taken) == GROUP // 2:
                runners[0].stop()

        relay.at_data = stop_after_the_first_group
        worker.work_forever(until_stopped=runners.append)
        account = breach.account()
        assert GROUP // 2 <= account.accepted < 4 * GROUP
        assert (account.adds_up, account.doubled_at_most) == (True, 0)
        assert not [row for row in breach.deliveries() if row.state == DeliveryState.SENDING]
        relay.at_data = lambda address: None
        breach.work()
    assert_all_told_once(breach, relay, 4 * GROUP)


def test_a_stop_while_somebody_waits_does_not_make_the_others_wait(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = sending(tmp_path, relay.port, some_people(3 * GROUP))
        runners: list[WorksOn] = []

        def greylist_the_first_and_stop(address: str) -> str:
            runners[0].stop()
            return "450 4.2.0 later"

        relay.at_rcpt = greylist_the_first_and_stop
        Worker(breach.house, patience=QUICK).work_forever(until_stopped=runners.append)
        assert breach.account().waiting_until is not None
        relay.at_rcpt = lambda address: None
        breach.work()
        assert breach.account().accepted == 2 * GROUP


def assert_all_told_once(breach: Breach, relay: RecordingRelay, count: int) -> None:
    assert set(Counter(mail.to for mail in relay.taken).values()) == {1}
    account = breach.account()
    assert (account.accepted, account.state, account.adds_up) == (count, CampaignState.ENDED, True)
