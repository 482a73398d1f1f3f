"""SIGKILL between intent and answer while Twilio has the call: every person is called at most once, and nobody is lost."""

from __future__ import annotations

from pathlib import Path
from time import monotonic, sleep

from sqlmodel import select

from incident.delivery.states import CampaignState, DeliveryState
from incident.ops.check import check
from incident.ops.worker import utc_now
from incident.store.tables import Attempt
from notifiers.outcome import Result
from tests.support.breaches import Breach
from tests.support.call_sendings import call_breach, hooks_at_hand
from tests.support.lived_in import broken
from tests.support.postgres import PostgresServer
from tests.support.sms_sendings import by_sms_only, live_to_the_end
from tests.support.twilio.script import Act, Answer, Callee, Fault
from tests.support.twilio.server import twilio_api
from tests.support.working_process import kill, start_worker

PEOPLE, WINDOW, KILLS = 30, 4, 3
_LATEST = 60.0


def in_doubt(breach: Breach) -> int:
    with breach.made.store.read() as session:
        found = select(Attempt).where((Attempt.outcome_at == None) | (Attempt.result == Result.ambiguous))  # noqa: E711 - SQL
        return len(session.exec(found).all())


def test_whom_a_killed_worker_had_called_is_not_called_again_and_their_key_counts(
    tmp_path: Path, store_on: PostgresServer | None
) -> None:
    never = Fault(Act.SLOW, seconds=_LATEST)
    with (
        hooks_at_hand() as hooks,
        twilio_api(faults={"39": never, "40": never}, callee=Callee(held=True)) as api,
    ):
        people = by_sms_only(PEOPLE)
        breach = call_breach(
            tmp_path,
            people,
            api_port=api.port,
            callbacks=hooks.calls,
            calls={"window": WINDOW, "reply_wait_seconds": 120},
            on=store_on,
        )
        breach.made.store.close()
        worker = start_worker(breach.made.workspace.root)
        slow = [each.phone for each in people if each.phone.endswith(("39", "40"))]
        until = monotonic() + _LATEST
        try:
            while not all(api.calls.of(number) for number in slow):
                assert worker.poll() is None and monotonic() < until, "the worker never came so far"
                sleep(0.002)
        finally:
            kill(worker)
        assert len(slow) <= in_doubt(breach) <= WINDOW
        # What had left before the kill may still be on its way into the API's books.
        while len(api.calls.called) < sum(method == "POST" for method, _ in api.requests):
            assert monotonic() < until
            sleep(0.01)
        api.release()
        breach.made.clock.now = utc_now()
        with hooks.served(breach.house):
            api.calls.await_over(len(api.calls.called))
            live_to_the_end(breach)
            api.calls.await_over(PEOPLE)
        assert {each.phone: len(api.calls.of(each.phone)) for each in people} == {
            each.phone: 1 for each in people
        }
    account = breach.account()
    assert (account.state, account.accepted) == (CampaignState.ENDED, PEOPLE)
    assert broken(check(breach.house)) == {}


def test_however_often_workers_are_killed_nobody_is_called_twice_and_everybody_is_accounted_for(
    tmp_path: Path,
) -> None:
    callees = {"21": Callee(Answer.BUSY), "22": Callee(Answer.MACHINE), "23": Callee(keys="2")}
    slow = {f"{ending}": Fault(Act.SLOW, seconds=0.2) for ending in range(20, 50)}
    with hooks_at_hand() as hooks, twilio_api(faults=slow, callees=callees) as api:
        people = by_sms_only(PEOPLE)
        breach = call_breach(
            tmp_path, people, api_port=api.port, callbacks=hooks.calls, calls={"window": WINDOW}
        )
        with hooks.served(breach.house):
            for kills in range(1, KILLS + 1):
                worker = start_worker(breach.made.workspace.root, stale=1.0)
                until = monotonic() + _LATEST
                try:
                    while len(api.calls.called) < kills * PEOPLE // (KILLS + 2):
                        assert worker.poll() is None and monotonic() < until, "the worker never came so far"
                        sleep(0.002)
                finally:
                    kill(worker)
            breach.made.clock.now = utc_now()
            live_to_the_end(breach)
            api.calls.await_over(len(api.calls.called))
        copies = [len(api.calls.of(each.phone)) for each in people]
    assert max(copies) == 1
    account = breach.account()
    assert (account.state, account.adds_up, account.in_progress) == (CampaignState.ENDED, True, 0)
    # Nobody is told whom no telephone rang for, and nobody is lost of whom it did.
    told = {row.id for row in breach.deliveries() if row.state == DeliveryState.ACCEPTED}
    assert len(told) == sum("1" in each.pressed[1:] for each in api.calls.called)
    assert broken(check(breach.house)) == {}
