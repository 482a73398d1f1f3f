"""SIGKILL in the middle of sending over an HTTP gateway: it is asked by our own id, so nobody is lost and nobody told twice."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest
from sqlmodel import select

from incident.delivery.states import CampaignState
from incident.ops.check import check
from incident.ops.worker import utc_now
from incident.store.tables import Attempt
from notifiers.outcome import Result
from tests.support.breaches import Breach
from tests.support.gateway_sendings import ClockOfABreach, account_at, gateway_breach
from tests.support.lived_in import broken
from tests.support.sms_gateway.server import Act, Answer, SmsGateway, sms_gateway
from tests.support.sms_ledger import nothing_to_ask
from tests.support.sms_sendings import by_sms_only, live_to_the_end, work_until
from tests.support.working_process import kill, start_worker

WINDOW = 10
_LATEST = 60.0


def kill_after(breach: Breach, gateway: SmsGateway, messages: int) -> None:
    """Kill a worker once the gateway has taken so many messages in all."""
    worker = start_worker(breach.made.workspace.root)
    until = time.monotonic() + _LATEST
    try:
        while len(gateway.taken) < messages:
            assert worker.poll() is None and time.monotonic() < until, "the worker never came so far"
            time.sleep(0.002)
    finally:
        kill(worker)


def in_doubt(breach: Breach) -> int:
    with breach.made.store.read() as session:
        rows = session.exec(select(Attempt)).all()
    return sum(row.outcome_at is None or row.result == Result.ambiguous for row in rows)


@pytest.mark.parametrize("dialect", ["aliyun", "tencent"])
def test_killed_again_and_again_nobody_is_lost_and_nobody_is_told_twice(tmp_path: Path, dialect: str) -> None:
    people, kills, clock = by_sms_only(150), 4, ClockOfABreach(before=time.time)
    with sms_gateway(dialect, account=account_at(dialect), clock=clock) as gateway:
        # Each answer takes a moment, so that a kill leaves messages that were taken and not answered.
        gateway.answer_with(Answer(Act.slow, seconds=0.02))
        breach = gateway_breach(
            tmp_path, people, gateway_port=gateway.port, dialect=dialect, gateway={"window": WINDOW}
        )
        breach.made.store.close()
        for number in range(1, kills + 1):
            kill_after(breach, gateway, 30 * number)
            assert in_doubt(breach) <= WINDOW * number
            assert breach.account().adds_up
        breach.made.clock.now = utc_now()
        clock.breach = breach
        assert in_doubt(breach) > 0, "no kill left anything in doubt"
        breach.later(minutes=2)
        work_until(breach, lambda: nothing_to_ask(breach))
        live_to_the_end(breach)
        copies = Counter(each.number for each in gateway.taken)
        assert gateway.refusals == []
    assert copies == Counter(each.phone.lstrip("+") for each in people)
    account = breach.account()
    assert (account.state, account.accepted, account.unreachable) == (CampaignState.ENDED, len(people), {})
    assert broken(check(breach.house)) == {}
