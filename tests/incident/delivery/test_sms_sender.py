"""Sending by SMS over a real message centre: everybody once, the next means where one fails, receipts that count."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlmodel import select

from incident.delivery.fallback import Way
from incident.delivery.ledger import MOST_STRIKES, due_deliveries, write_intent
from incident.delivery.next_means import NextMeans
from incident.delivery.next_steps import next_steps
from incident.delivery.pausing import pause_campaign, resume_campaign
from incident.delivery.receipts import NewReceipt, VerifiedBy, put_receipts
from incident.delivery.sms_parts import begin_parts, take_sms_receipts
from incident.delivery.sms_rules import DOUBT_PAUSE, MOST_DOUBTS, take_over_sms
from incident.delivery.states import SMS, CampaignState, DeliveryState, Rank, Why
from incident.ops.check import check
from incident.ops.worker import Worker
from incident.proof.verify import verify
from incident.record.person_view import person_called
from incident.store.tables import Attempt, Delivery, MessagePart
from notifiers.outcome import Result
from notifiers.sms.receipt import MessageState, SmsReceipt
from tests.support.breaches import QUICK, Affected, Breach, some_people
from tests.support.faulty_centre import SILENCE, USUAL, Pause, Receipt, Talk, faulty_centre
from tests.support.lived_in import broken
from tests.support.message_centre import (
    ANSWERS,
    Act,
    Answer,
    Receipts,
    message_centre,
    refused,
)
from tests.support.postgres import PostgresServer
from tests.support.relays import RecordingRelay
from tests.support.sms_sendings import by_sms_only, live_to_the_end, number, sms_breach, work_until
from tests.support.versions import next_version
from tests.support.workspaces import run_sql

PARTS = 3
"""So many has the SMS to Ann in English."""
IN_DOUBT = Talk(submits=(USUAL, USUAL, SILENCE), further=USUAL)
"""A connection in which the last part of the first message is taken and never answered."""


def assert_sound(breach: Breach) -> None:
    assert breach.account().adds_up
    assert broken(check(breach.house)) == {}


def attempts_of(breach: Breach, delivery: Delivery) -> list[tuple[str, Result | None]]:
    """The channel and the result of each attempt, in order."""
    with breach.made.store.read() as session:
        rows = session.exec(
            select(Attempt).where(Attempt.delivery_id == delivery.id).order_by(Attempt.n)  # type: ignore[arg-type]
        ).all()
    return [(row.channel, Result(row.result) if row.result else None) for row in rows]


def person(phone: str, *, email: str = "", name: str = "Ann") -> Affected:
    return Affected("C00001", name=name, email=email, phone=phone)


def only(breach: Breach) -> Delivery:
    [row] = breach.deliveries()
    return row


def test_who_has_no_address_is_told_by_sms_once(
    tmp_path: Path, relay: RecordingRelay, store_on: PostgresServer | None
) -> None:
    people = [*some_people(5), *by_sms_only(40)[5:]]
    with message_centre() as centre:
        breach = sms_breach(tmp_path, people, centre_port=centre.port, relay_port=relay.port, on=store_on)
        live_to_the_end(breach)
        texts = centre.texts()
    assert set(texts) == {each.phone.lstrip("+") for each in people if each.phone}
    assert {len(copies) for copies in texts.values()} == {1}
    account = breach.account()
    assert (account.expected, account.accepted, account.unreachable) == (40, 40, {})
    assert len(relay.taken) == 5
    assert_sound(breach)


def test_an_sms_says_what_was_released_with_the_persons_own_words(tmp_path: Path) -> None:
    with message_centre() as centre:
        breach = sms_breach(
            tmp_path, [replace(person(number(20), name="李雷"), language="zh-Hans")], centre_port=centre.port
        )
        live_to_the_end(breach)
        [[text]] = centre.texts().values()
        taken = centre.taken()
    assert text.startswith("【示例移动】李雷您好：")
    assert "手机号码" in text and "核验码：" in text
    assert len(taken) > 1 and {each.data_coding for each in taken} == {8}
    with breach.made.store.read() as session:
        parts = session.exec(select(MessagePart)).all()
    assert sorted(each.ref for each in parts) == sorted(each.message_id for each in taken)


def test_whom_e_mail_does_not_reach_is_told_by_sms(
    tmp_path: Path, relay: RecordingRelay, store_on: PostgresServer | None
) -> None:
    relay.at_rcpt = lambda address: "550 5.1.1 unknown"
    people = [replace(each, phone=number(20 + at)) for at, each in enumerate(some_people(6))]
    people[5] = replace(people[5], phone="")
    with message_centre() as centre:
        breach = sms_breach(tmp_path, people, centre_port=centre.port, relay_port=relay.port, on=store_on)
        live_to_the_end(breach)
        assert centre.copies() == {each.phone.lstrip("+"): 1 for each in people[:5]}
    account = breach.account()
    assert (account.accepted, account.unreachable) == (5, {Why.REFUSED: 1})
    moved = [row for row in breach.deliveries() if row.channel == SMS]
    assert {row.tried_before for row in moved} == {"email:refused"}
    assert attempts_of(breach, moved[0]) == [("email", Result.permanent), ("sms", Result.accepted)]
    assert_sound(breach)


def test_an_organisation_that_begins_with_sms_goes_on_by_e_mail(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    people = [person(number(13), email="ann@example.org"), replace(person(number(20)), reference="C2")]
    with message_centre(answers=ANSWERS) as centre:
        breach = sms_breach(
            tmp_path, people, centre_port=centre.port, relay_port=relay.port, means=["sms", "email"]
        )
        live_to_the_end(breach)
        assert list(centre.copies()) == [number(20).lstrip("+")]
    assert [mail.to for mail in relay.taken] == ["ann@example.org"]
    assert breach.account().accepted == 2
    by_mail = next(row for row in breach.deliveries() if row.channel == "email")
    assert by_mail.tried_before == "sms:refused"
    assert_sound(breach)


def test_minors_and_organisations_are_not_told_in_words_that_are_not_for_them(tmp_path: Path) -> None:
    people = [
        replace(person(number(20)), born="2015-01-01"),
        replace(person(number(21)), reference="C2", kind="organisation"),
        replace(person(number(22)), reference="C3", deceased="yes"),
    ]
    with message_centre() as centre:
        breach = sms_breach(tmp_path, people, centre_port=centre.port)
        live_to_the_end(breach)
        assert centre.taken() == []
    assert breach.account().accepted == 0
    assert_sound(breach)


def test_a_number_that_is_refused_leaves_the_person_to_the_next_means(tmp_path: Path) -> None:
    with message_centre(answers=ANSWERS) as centre:
        breach = sms_breach(
            tmp_path, [replace(person(number(13)), address="示例路1号")], centre_port=centre.port
        )
        live_to_the_end(breach)
    row = only(breach)
    assert (row.state, row.reason, row.channel) == (DeliveryState.UNREACHABLE, Why.REFUSED, SMS)
    with breach.made.store.read() as session:
        steps = next_steps(
            session, breach.made.store, breach.made.settings, breach.id, now=breach.made.clock()
        )
    assert steps is not None and steps.ways == {Way.LETTER: 1}
    assert_sound(breach)


def test_a_throttled_sms_is_sent_once_the_centre_takes_it(tmp_path: Path) -> None:
    with message_centre(answers=ANSWERS) as centre:
        breach = sms_breach(tmp_path, [person(number(58))], centre_port=centre.port)
        live_to_the_end(breach)
        assert centre.copies() == {number(58).lstrip("+"): 1}
    assert only(breach).state == DeliveryState.ACCEPTED


def test_an_sms_in_doubt_is_sent_once_more_and_never_again(tmp_path: Path) -> None:
    with faulty_centre(IN_DOUBT) as centre:
        breach = sms_breach(tmp_path, [person(number(20))], centre_port=centre.port)
        breach.work()
        assert only(breach).next_at == breach.made.clock() + DOUBT_PAUSE
        breach.later(minutes=4)
        breach.work()
        assert only(breach).attempts == 1
        live_to_the_end(breach)
        [copies] = centre.texts().values()
    row = only(breach)
    assert len(copies) == MOST_DOUBTS and len(set(copies)) == 1
    assert (row.state, row.reason) == (DeliveryState.UNREACHABLE, Why.NO_ANSWER)
    assert attempts_of(breach, row) == [(SMS, Result.ambiguous)] * MOST_DOUBTS
    assert breach.account().doubled_at_most == MOST_DOUBTS
    assert_sound(breach)


@pytest.mark.parametrize("state", ["DELIVRD", "UNDELIV"])
def test_a_receipt_settles_an_sms_in_doubt_so_that_no_second_one_leaves(tmp_path: Path, state: str) -> None:
    """The centre took all and did not answer the last part: its id is not on record, only its number says whose it is."""
    receipt = Receipt(state)
    talk = Talk(submits=((*USUAL, receipt), (*USUAL, receipt), (Pause(1.5), receipt)), further=())
    with faulty_centre(talk) as centre:
        breach = sms_breach(tmp_path, [person(number(20))], centre_port=centre.port)
        work_until(breach, lambda: breach.account().state == CampaignState.ENDED)
        breach.later(hours=1)
        breach.work()
        assert [len(copies) for copies in centre.texts().values()] == [1]
    row = only(breach)
    if state == "DELIVRD":
        assert (row.state, row.rank) == (DeliveryState.ACCEPTED, Rank.DELIVERED)
    else:
        assert (row.state, row.reason) == (DeliveryState.UNREACHABLE, Why.RETURNED)
    assert_sound(breach)


@pytest.mark.parametrize("shape", ["text", "tlv", "both"])
@pytest.mark.parametrize("id_in", ["hex", "decimal"])
def test_receipts_say_who_was_reached_and_who_was_not(tmp_path: Path, shape: str, id_in: str) -> None:
    undelivered = number(31)
    people = [*by_sms_only(6), replace(person(undelivered), reference="C9")]
    states = Receipts(by_ending={"31": "UNDELIV"}, shape=shape, id_in=id_in)
    with message_centre(receipts=states) as centre:
        breach = sms_breach(tmp_path, people, centre_port=centre.port)
        work_until(breach, lambda: breach.account().delivered == 6 and breach.account().returned == 1)
        centre.await_events("receipted", len(centre.taken()))
    account = breach.account()
    assert (account.accepted, account.unreachable) == (6, {Why.RETURNED: 1})
    assert_sound(breach)


def test_a_receipt_before_the_answer_counts(tmp_path: Path) -> None:
    with message_centre(receipts=Receipts(before_answer=True)) as centre:
        breach = sms_breach(tmp_path, by_sms_only(5), centre_port=centre.port)
        work_until(breach, lambda: breach.account().delivered == 5)
    assert_sound(breach)


def test_a_receipt_after_the_end_lets_the_sending_go_on_by_the_next_means(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    people = [person(number(31), email="ann@example.org")]
    receipts = Receipts(by_ending={"31": "UNDELIV"}, delay_ms=1500)
    with message_centre(receipts=receipts) as centre:
        breach = sms_breach(
            tmp_path, people, centre_port=centre.port, relay_port=relay.port, means=["sms", "email"]
        )
        breach.work()
        assert breach.account().state == CampaignState.ENDED
        work_until(breach, lambda: bool(relay.taken) and breach.account().state == CampaignState.ENDED)
    assert [mail.to for mail in relay.taken] == ["ann@example.org"]
    assert only(breach).tried_before == "sms:returned"
    assert_sound(breach)


def test_a_pause_stops_sms_too(tmp_path: Path) -> None:
    with message_centre() as centre:
        breach = sms_breach(tmp_path, by_sms_only(5), centre_port=centre.port)
        store, now = breach.made.store, breach.made.clock()
        with store.write(breach.id, kind="campaign.paused", actor="ana", now=now) as change:
            pause_campaign(change, breach.id)
        breach.later(hours=1)
        breach.work()
        assert centre.taken() == []
        with store.write(breach.id, kind="campaign.resumed", actor="ana", now=now) as change:
            resume_campaign(change, breach.id)
        live_to_the_end(breach)
        assert len(centre.copies()) == 5
    assert_sound(breach)


def test_a_sender_that_is_not_registered_counts_against_nobody(tmp_path: Path) -> None:
    with message_centre(answers={"": refused(0x0A)}) as centre:
        breach = sms_breach(tmp_path, by_sms_only(3), centre_port=centre.port)
        for _ in range(3):
            breach.work()
            breach.later(hours=2)
        assert {(row.state, row.strikes) for row in breach.deliveries()} == {(DeliveryState.PENDING, 0)}
        centre.change(answers={})
        live_to_the_end(breach)
        assert len(centre.copies()) == 3
    assert_sound(breach)


def test_a_centre_that_is_away_makes_nobody_unreachable(tmp_path: Path) -> None:
    breach = sms_breach(tmp_path, by_sms_only(3), centre_port=9)
    for _ in range(4):
        breach.work()
        breach.later(hours=2)
    assert {(row.state, row.strikes) for row in breach.deliveries()} == {(DeliveryState.PENDING, 0)}
    assert_sound(breach)


def test_connections_that_are_cut_lose_nobody(tmp_path: Path) -> None:
    cut = {"98": Answer(Act.CLOSE_BEFORE, times=3), "99": Answer(Act.CLOSE_AFTER, times=1)}
    people = [
        replace(
            person(number(1000 * at + (98 if at % 7 == 0 else 99 if at % 5 == 0 else 20))), reference=f"C{at}"
        )
        for at in range(60)
    ]
    with message_centre(answers=cut) as centre:
        breach = sms_breach(tmp_path, people, centre_port=centre.port)
        live_to_the_end(breach)
        copies = centre.copies()
    account = breach.account()
    assert account.unreachable.keys() <= {Why.NO_ANSWER}  # twice in doubt, by a chance of the cuts
    assert account.accepted <= len(copies) <= 60
    assert sum(copies.values()) - len(copies) <= account.doubled_at_most
    assert max(copies.values()) <= MOST_DOUBTS
    for row in breach.deliveries():
        results = [result for _, result in attempts_of(breach, row)]
        accepted, doubts = results.count(Result.accepted), results.count(Result.ambiguous)
        broke_off = len(results) - accepted - doubts
        # Who never came through was in doubt twice, or broke off between two parts each time.
        assert (accepted, doubts) in {(1, 0), (1, 1), (0, MOST_DOUBTS)} or broke_off >= MOST_STRIKES
    assert_sound(breach)


def test_no_more_parts_a_second_leave_than_the_centre_takes(tmp_path: Path) -> None:
    with message_centre(most_a_second=40) as centre:
        breach = sms_breach(tmp_path, by_sms_only(12), centre_port=centre.port, smpp={"per_second": 30})
        live_to_the_end(breach)
        assert centre.events("refused") == []
        assert len(centre.copies()) == 12


def test_while_the_centre_refuses_everybody_only_a_few_are_tried_in_vain(tmp_path: Path) -> None:
    with message_centre(answers={"": refused(0x0A)}) as centre:
        breach = sms_breach(tmp_path, by_sms_only(100), centre_port=centre.port)
        breach.work()
        tried = sum(row.attempts > 0 for row in breach.deliveries())
        assert 0 < tried <= breach.made.settings.sms.smpp.window  # type: ignore[union-attr]
        centre.change(answers={})
        live_to_the_end(breach)
        assert len(centre.copies()) == 100
    assert_sound(breach)


def test_a_bounce_after_the_end_lets_the_sending_go_on_by_sms(
    tmp_path: Path, relay: RecordingRelay, store_on: PostgresServer | None
) -> None:
    people = [person(number(20), email="ann@example.org"), *some_people(3)[1:]]
    with message_centre() as centre:
        breach = sms_breach(tmp_path, people, centre_port=centre.port, relay_port=relay.port, on=store_on)
        breach.work()
        assert breach.account().state == CampaignState.ENDED and centre.taken() == []
        [bounced] = [row for row in breach.deliveries() if row.person_id == person_of(breach, "C00001")]
        come_back(breach, bounced)
        account = breach.account()
        assert (account.state, account.accepted, account.in_progress, account.returned) == (
            CampaignState.SENDING,
            2,
            1,
            0,
        )
        come_back(breach, bounced)  # again, as after a crash
        breach.work()
        assert centre.copies() == {number(20).lstrip("+"): 1}
        come_back(breach, bounced, event="late")
    account = breach.account()
    assert (account.state, account.accepted, account.unreachable) == (CampaignState.ENDED, 3, {})
    assert_sound(breach)
    assert verify(breach.made.store).sound


def person_of(breach: Breach, reference: str) -> str:
    with breach.made.store.read() as session:
        return person_called(session, breach.made.store, breach.id, reference).id


def come_back(breach: Breach, delivery: Delivery, *, event: str = "bounce") -> None:
    """An e-mail comes back as dead."""
    receipt = NewReceipt(
        delivery.id,
        "email",
        event,
        "failed",
        Rank.RETURNED,
        Why.BAD_ADDRESS,
        "5.1.1",
        VerifiedBy.RETURN_PATH,
        "0" * 64,
        {"text": "no such user"},
    )
    store, go_on = breach.made.store, NextMeans(breach.made.store, breach.made.settings).go_on_after
    with store.write(breach.id, kind="receipts.taken", actor="engine", now=breach.made.clock()) as change:
        put_receipts(change, breach.id, [receipt], go_on=go_on)


def test_a_later_version_is_marked_as_an_update_for_whom_the_first_has_reached(tmp_path: Path) -> None:
    reached, unreached = number(20), number(13)
    people = [
        replace(person(reached, name="李雷"), language="zh-Hans"),
        replace(person(number(21)), reference="C2"),
        replace(person(unreached), reference="C3"),
    ]
    with message_centre(answers=ANSWERS) as centre:
        breach = sms_breach(tmp_path, people, centre_port=centre.port)
        live_to_the_end(breach)
        centre.change(answers={})
        next_version(breach)
        live_to_the_end(breach)
        texts = centre.texts()
    first, second = texts[reached.lstrip("+")]
    assert second.startswith("【示例移动】这是对我们2026年11月23日告知书的更新。请以本告知书为准。李雷您好：")
    assert not first.startswith("【示例移动】这是")
    first, second = texts[number(21).lstrip("+")]
    opening = "This is an update to our notice of 23 November 2026. It replaces that notice. "
    assert second.startswith(f"{opening}Dear Ann") and first.startswith("Dear Ann")
    [only_one] = texts[unreached.lstrip("+")]
    assert only_one.startswith("Dear Ann")
    assert_sound(breach)


def test_a_receipt_that_comes_again_counts_once_also_where_only_its_number_is_known(tmp_path: Path) -> None:
    """Of a message whose worker died the centre has one part, and says three times that it arrived."""
    breach = sms_breach(tmp_path, [person(number(20))], centre_port=9)
    in_doubt(breach)
    said = SmsReceipt("4711", MessageState.delivered, None, None, number(20).lstrip("+"), "")
    assert take(breach, *[said] * PARTS) == [True] * PARTS  # all at once, as after a new connection
    for _ in range(PARTS):
        assert take(breach, said) == [True]
    assert (only(breach).state, only(breach).rank) == (DeliveryState.PENDING, Rank.NOTHING)
    others = [replace(said, message_id=each) for each in ("4712", "4713")]
    assert take(breach, *others) == [True, True]
    assert (only(breach).state, only(breach).rank) == (DeliveryState.ACCEPTED, Rank.DELIVERED)
    assert_sound(breach)


def test_where_the_next_means_cannot_be_told_nobody_is_told_twice_by_the_first(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    """What was taken is written down all the same; whoever was refused stays on the list of people."""
    relay.at_rcpt = lambda address: "550 5.1.1 unknown" if address.startswith("p00001") else None
    people = [replace(each, phone=number(20 + at)) for at, each in enumerate(some_people(5))]
    breach = sms_breach(tmp_path, people, centre_port=9, relay_port=relay.port)
    run_sql(breach.made.store, "UPDATE duty SET sealed = x'00'")
    breach.work()
    assert sorted(mail.to for mail in relay.taken) == [each.email for each in people[1:]]
    account = breach.account()
    assert (account.accepted, account.unreachable) == (4, {Why.REFUSED: 1})


def test_a_damaged_record_keeps_nobody_else_from_being_told_by_sms(tmp_path: Path) -> None:
    with message_centre() as centre:
        breach = sms_breach(tmp_path, by_sms_only(3), centre_port=centre.port, opens=False)
        run_sql(breach.made.store, "UPDATE person SET sealed = x'00' WHERE id = (SELECT min(id) FROM person)")
        breach.open_sending()
        live_to_the_end(breach)
        assert len(centre.copies()) == 2
    assert breach.account().unreachable == {Why.NO_EMAIL: 1}


def test_of_two_messages_in_doubt_no_receipt_says_which_it_is_about(tmp_path: Path) -> None:
    breach = sms_breach(tmp_path, [person(number(20))], centre_port=9)
    in_doubt(breach)
    in_doubt(breach)
    said = [
        SmsReceipt(f"471{part}", MessageState.delivered, None, None, number(20).lstrip("+"), "")
        for part in range(PARTS)
    ]
    assert take(breach, *said) == [False] * PARTS
    assert only(breach).rank == Rank.NOTHING


def test_the_record_is_sound_of_whom_a_dead_worker_leaves_in_doubt_for_the_last_time(tmp_path: Path) -> None:
    breach = sms_breach(tmp_path, by_sms_only(1), centre_port=9)
    in_doubt(breach)
    in_doubt(breach)
    assert only(breach).reason == Why.NO_ANSWER and "ledger.states" not in broken(check(breach.house))


def in_doubt(breach: Breach) -> None:
    """A worker dies after the intent of the only SMS."""
    store, now = breach.made.store, breach.made.clock()
    row = only(breach)
    with store.transaction() as session:
        if row.next_at is not None:
            now = breach.made.clock.move(hours=1)
        [due] = due_deliveries(session, row.batch_id, now=now, limit=1, channel=SMS)
        write_intent(session, [due], incident_id=breach.id, job_attempt=1, now=now, channel=SMS)
        begin_parts(session, due, parts=PARTS, centre="smsc:2775", incident_id=breach.id)
    with store.transaction() as session:
        take_over_sms(session, row.batch_id, now=now)


def take(breach: Breach, *receipts: SmsReceipt) -> list[bool]:
    store = breach.made.store
    go_on = NextMeans(store, breach.made.settings).go_on_after
    return take_sms_receipts(store, receipts, centre="smsc:2775", now=breach.made.clock(), go_on=go_on)


def test_whoever_waits_for_an_sms_without_a_centre_is_spoken_of(tmp_path: Path) -> None:
    breach = sms_breach(tmp_path, by_sms_only(2), centre_port=9)
    settings = breach.made.settings
    without = settings.model_copy(update={"sms": settings.sms.model_copy(update={"smpp": None})})
    said: list[str] = []
    house = replace(breach.house, settings=without)
    with Worker(house, patience=QUICK, says=said.append).runner():
        assert len(said) == 1 and "no carrier of SMS is declared" in said[0]
    assert {row.state for row in breach.deliveries()} == {DeliveryState.PENDING}
