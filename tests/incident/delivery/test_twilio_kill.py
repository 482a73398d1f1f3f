"""SIGKILL between intent and answer while Twilio has the message: its callback settles it, and nobody is told twice."""

from __future__ import annotations

from pathlib import Path
from time import monotonic, sleep

from sqlmodel import select

from incident.delivery.states import CampaignState
from incident.ops.check import check
from incident.ops.worker import utc_now
from incident.store.tables import Attempt
from notifiers.outcome import Result
from tests.support.breaches import Breach
from tests.support.lived_in import broken
from tests.support.sms_sendings import by_sms_only, live_to_the_end
from tests.support.twilio.script import Act, Fault, Progress
from tests.support.twilio.server import twilio_api
from tests.support.twilio_sendings import callbacks_at_hand, twilio_breach
from tests.support.working_process import kill, start_worker

PEOPLE, WINDOW = 30, 4
_LATEST = 60.0


def in_doubt(breach: Breach) -> int:
    with breach.made.store.read() as session:
        found = select(Attempt).where((Attempt.outcome_at == None) | (Attempt.result == Result.ambiguous))  # noqa: E711 - SQL
        return len(session.exec(found).all())


def test_what_a_killed_worker_had_handed_over_is_settled_by_callbacks(tmp_path: Path) -> None:
    never = Fault(Act.SLOW, seconds=_LATEST)
    with (
        callbacks_at_hand() as callbacks,
        twilio_api(faults={"39": never, "40": never}, progress=Progress(held=True)) as api,
    ):
        people = by_sms_only(PEOPLE)
        breach = twilio_breach(
            tmp_path,
            people,
            twilio_port=api.port,
            twilio={"callback_url": callbacks.url, "window": WINDOW, "reply_wait_seconds": 120},
        )
        breach.made.store.close()
        worker = start_worker(breach.made.workspace.root)
        slow = [each.phone for each in people if each.phone.endswith(("39", "40"))]
        until = monotonic() + _LATEST
        try:
            while not all(api.of(number) for number in slow):
                assert worker.poll() is None and monotonic() < until, "the worker never came so far"
                sleep(0.002)
        finally:
            kill(worker)
        assert len(slow) <= in_doubt(breach) <= WINDOW
        # What had left before the kill may still be on its way into the API's books.
        while (had := len(api.taken)) < sum(method == "POST" for method, _ in api.requests):
            assert monotonic() < until
            sleep(0.01)
        api.release()
        breach.made.clock.now = utc_now()
        with callbacks.served(breach.house):
            api.await_told(4 * had)
            live_to_the_end(breach)
            api.await_told(4 * len(api.taken))
        copies = {each.phone: len(api.of(each.phone)) for each in people}
    assert set(copies.values()) == {1}
    account = breach.account()
    assert (account.state, account.accepted, account.delivered) == (CampaignState.ENDED, PEOPLE, PEOPLE)
    assert broken(check(breach.house)) == {}
