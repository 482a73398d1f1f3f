"""Later versions and waves where people are told by SMS: nobody gets an earlier one after a later, and a canary stops."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from incident.delivery import batching
from incident.delivery.pausing import resume_campaign
from incident.delivery.states import SMS, CampaignState, Rank, Why
from incident.delivery.waves import StopReason
from incident.delivery.waving import waves_now
from incident.ops.check import check
from incident.store.tables import Attempt, Campaign
from notifiers.outcome import Result
from tests.support.breaches import Affected, Breach, some_people
from tests.support.faulty_centre import SILENCE, USUAL, Answer, Pause, Talk, faulty_centre
from tests.support.lived_in import broken
from tests.support.message_centre import Receipts, Status, message_centre
from tests.support.postgres import PostgresServer
from tests.support.relays import RecordingRelay
from tests.support.sms_sendings import live_to_the_end, number, sms_breach, work_until
from tests.support.versions import accounts, next_version

LATER = (Answer(Status.QUEUE_FULL),)
TAKEN_DOUBTED_AND_PUT_OFF = (
    Talk(submits=(USUAL, USUAL, USUAL, USUAL, USUAL, SILENCE), further=LATER),
    Talk(further=LATER),
)
"""The first message is taken, the second is in doubt, and nothing more is taken."""


def people(count: int) -> list[Affected]:
    return [Affected(f"C{at}", name="Ann", phone=number(100 * at + 20)) for at in range(count)]


def assert_sound(breach: Breach) -> None:
    assert all(each.adds_up for each in accounts(breach))
    assert broken(check(breach.house)) == {}


def assert_nothing_earlier_left_after_the_later_one_began(breach: Breach) -> None:
    with breach.made.store.read() as session:
        first, second = session.exec(select(Campaign).order_by(Campaign.opened_at)).all()  # type: ignore[arg-type]
        attempts = session.exec(select(Attempt)).all()
    earlier = {row.id for row in breach.deliveries() if row.batch_id.startswith(first.id)}
    late = [each for each in attempts if each.delivery_id in earlier and each.intent_at >= second.opened_at]
    assert late == []


def test_a_later_version_updates_who_has_or_may_have_the_first_by_sms_and_is_the_first_for_others(
    tmp_path: Path, store_on: PostgresServer | None
) -> None:
    with faulty_centre(*TAKEN_DOUBTED_AND_PUT_OFF) as centre:
        breach = sms_breach(tmp_path, people(3), centre_port=centre.port, smpp={"window": 1}, on=store_on)
        breach.work()
        assert [each.in_progress for each in accounts(breach)] == [2]
        centre.talks = (Talk(),)
        next_version(breach)
        assert_sound(breach)
        live_to_the_end(breach)
        texts = centre.texts()
    old, new = accounts(breach)
    assert (old.accepted, old.unreachable, old.state) == (1, {Why.REPLACED: 2}, CampaignState.ENDED)
    assert (new.accepted, new.updates, new.state) == (3, 2, CampaignState.ENDED)
    assert sorted(len(each) for each in texts.values()) == [1, 2, 2]
    assert_nothing_earlier_left_after_the_later_one_began(breach)
    assert_sound(breach)


def test_whose_first_version_is_in_doubt_gets_the_second_as_an_update(tmp_path: Path) -> None:
    """It may have come, and then two versions without a word would contradict each other."""
    late = (Pause(1.5), *USUAL)
    talks = (Talk(submits=(USUAL, USUAL, SILENCE)), Talk(submits=(USUAL, USUAL, late)), Talk())
    with faulty_centre(*talks) as centre:
        breach = sms_breach(tmp_path, people(1), centre_port=centre.port, smpp={"window": 1})
        breach.work()
        next_version(breach)
        live_to_the_end(breach)
    old, new = accounts(breach)
    assert (old.unreachable, old.doubled_at_most) == ({Why.REPLACED: 1}, 1)
    assert new.updates == 1
    assert_sound(breach)


def test_a_later_version_begins_by_e_mail_also_for_who_went_on_to_sms_before(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    """Whoever was refused as unknown at RCPT is tried again: only what came back as dead is left out."""
    relay.at_rcpt = lambda address: "550 5.1.1 unknown"
    both = [Affected(f"C{at}", email=f"c{at}@example.org", phone=number(at * 100 + 20)) for at in range(3)]
    with message_centre() as centre:
        breach = sms_breach(tmp_path, both, centre_port=centre.port, relay_port=relay.port)
        live_to_the_end(breach)
        assert sum(centre.copies().values()) == 3
        next_version(breach)
        live_to_the_end(breach)
        assert set(centre.copies().values()) == {2}
    old, new = accounts(breach)
    assert (old.accepted, new.accepted, new.updates) == (3, 3, 3)
    assert {row.tried_before for row in breach.deliveries()} == {"email:refused"}
    assert_nothing_earlier_left_after_the_later_one_began(breach)
    assert_sound(breach)


def test_a_receipt_of_the_first_version_after_its_end_lets_nobody_go_on_who_has_the_second(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    """Undelivered comes only after the second version was sent: the first is not sent by e-mail any more."""
    [person] = people(1)
    both = [Affected(person.reference, email="ann@example.org", phone=person.phone)]
    say = Receipts(state="UNDELIV", delay_ms=2500)
    with message_centre(receipts=say) as centre:
        breach = sms_breach(
            tmp_path, both, centre_port=centre.port, relay_port=relay.port, means=["sms", "email"]
        )
        breach.work()
        first = accounts(breach)[0].campaign_id
        centre.change(receipts=Receipts(state=None))
        next_version(breach)
        breach.work()
        work_until(breach, lambda: accounts(breach)[0].returned == 1)
    of_first = [row for row in breach.deliveries() if row.batch_id.startswith(first)]
    assert [(row.channel, row.rank, row.reason) for row in of_first] == [(SMS, Rank.RETURNED, Why.RETURNED)]
    assert relay.taken == []
    assert_sound(breach)


# -- waves -------------------------------------------------------------------------------------------


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "BATCH_SIZE", 8)


def resume(breach: Breach) -> None:
    store, now = breach.made.store, breach.made.clock()
    with store.write(breach.id, kind="campaign.resumed", actor="ana", now=now) as change:
        resume_campaign(change, breach.id)


@pytest.mark.usefixtures("small_batches")
def test_a_canary_by_sms_that_is_not_delivered_stops_the_sending_until_a_person_lets_it_go_on(
    tmp_path: Path, store_on: PostgresServer | None
) -> None:
    waves: dict[str, Any] = {"canary": 6, "growth": 2}
    with message_centre(receipts=Receipts(state="UNDELIV")) as centre:
        breach = sms_breach(tmp_path, people(30), centre_port=centre.port, waves=waves, on=store_on)
        work_until(breach, lambda: breach.account().state == CampaignState.PAUSED)
        account = breach.account()
        assert (account.unreachable, account.in_progress) == ({Why.RETURNED: 6}, 24)
        assert len(centre.copies()) == 6
        with breach.made.store.read() as session:
            now = waves_now(session, account.campaign_id, breach.made.settings, now=breach.made.clock())
        assert now is not None and now.stop is not None
        assert now.stop.reason is StopReason.FAILED
        assert_sound(breach)
        breach.later(hours=24)
        breach.work()
        assert len(centre.copies()) == 6, "nothing lets it go on by itself"
        centre.change(receipts=Receipts())
        resume(breach)
        for _ in range(5):
            breach.work()
            breach.later(minutes=2)
        live_to_the_end(breach)
        assert set(centre.copies().values()) == {1} and len(centre.copies()) == 30
    account = breach.account()
    assert (account.accepted, account.unreachable) == (24, {Why.RETURNED: 6})
    assert_sound(breach)


@pytest.mark.usefixtures("small_batches")
def test_a_canary_holds_people_of_both_means_and_languages(tmp_path: Path, relay: RecordingRelay) -> None:
    by_sms = [replace(each, language="zh-Hans" if at < 15 else "en") for at, each in enumerate(people(20))]
    with message_centre() as centre:
        breach = sms_breach(
            tmp_path,
            [*by_sms, *some_people(20)],
            centre_port=centre.port,
            relay_port=relay.port,
            waves={"canary": 8, "growth": 2},
        )
        breach.work()
        copies = centre.texts()
    assert (len(copies), len(relay.taken)) == (4, 4)
    assert {text.startswith("【") for texts in copies.values() for text in texts} == {True, False}
    assert_sound(breach)


@pytest.mark.usefixtures("small_batches")
def test_a_canary_that_goes_on_by_sms_after_refused_mail_stops_the_sending(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    """Whoever went on to another means still shows that the first one fails."""
    relay.at_rcpt = lambda address: "550 5.1.1 unknown"
    both = [Affected(f"C{at}", email=f"c{at}@example.org", phone=number(at * 100 + 20)) for at in range(30)]
    with message_centre() as centre:
        breach = sms_breach(
            tmp_path,
            both,
            centre_port=centre.port,
            relay_port=relay.port,
            waves={"canary": 6, "growth": 2},
        )
        breach.work()
        assert breach.account().state == CampaignState.PAUSED
        assert len(centre.copies()) <= 6
        relay.at_rcpt = lambda address: None
        resume(breach)
        for _ in range(5):
            breach.work()
            breach.later(minutes=2)
        live_to_the_end(breach)
        copies = centre.copies()
    by_mail = [mail.to for mail in relay.taken]
    assert (len(copies), len(by_mail), len(set(by_mail))) == (6, 24, 24)
    with breach.made.store.read() as session:
        results = session.exec(select(Attempt.result).where(Attempt.channel == SMS)).all()
    assert set(results) == {Result.accepted}
    assert breach.account().accepted == 30
    assert_sound(breach)
