"""SIGKILL in the middle of sending by SMS: nobody is lost, and no more than a window is in doubt."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from time import monotonic, sleep

from sqlmodel import select

from incident.delivery.sms_rules import MOST_DOUBTS
from incident.delivery.states import SMS, CampaignState
from incident.ops.check import check
from incident.ops.worker import utc_now
from incident.store.tables import Attempt
from notifiers.outcome import Result
from tests.support.breaches import Breach
from tests.support.lived_in import broken
from tests.support.message_centre import MessageCentre, Receipts, message_centre
from tests.support.sms_sendings import by_sms_only, live_to_the_end, sms_breach
from tests.support.working_process import kill, start_worker

WINDOW = 10
_LATEST = 60.0


def kill_after(breach: Breach, centre: MessageCentre, parts: int) -> None:
    """Kill a worker once the centre has taken so many parts in all."""
    worker = start_worker(breach.made.workspace.root)
    until = monotonic() + _LATEST
    try:
        while len(centre.events("taken")) < parts:
            assert worker.poll() is None and monotonic() < until, "the worker never came so far"
            sleep(0.002)
    finally:
        kill(worker)


def open_intents(breach: Breach) -> int:
    with breach.made.store.read() as session:
        return len(session.exec(select(Attempt).where(Attempt.outcome_at == None)).all())  # noqa: E711 - SQL


def results(breach: Breach) -> dict[str, Counter[str]]:
    """How often each delivery's attempts by SMS came to what."""
    with breach.made.store.read() as session:
        rows = session.exec(select(Attempt).where(Attempt.channel == SMS)).all()
    found: dict[str, Counter[str]] = {}
    for row in rows:
        found.setdefault(row.delivery_id, Counter())[str(row.result)] += 1
    return found


def test_killed_again_and_again_nobody_is_lost_and_nobody_gets_a_third_copy(tmp_path: Path) -> None:
    people, kills = by_sms_only(150), 4
    with message_centre(delay_ms=5, receipts=Receipts(delay_ms=200)) as centre:
        breach = sms_breach(tmp_path, people, centre_port=centre.port, smpp={"window": WINDOW})
        breach.made.store.close()
        for number in range(1, kills + 1):
            kill_after(breach, centre, 80 * number)
            assert open_intents(breach) <= WINDOW
            assert breach.account().adds_up
        breach.made.clock.now = utc_now()
        live_to_the_end(breach)
        copies = centre.copies()
    assert copies.keys() == {each.phone.lstrip("+") for each in people}
    assert max(copies.values()) <= MOST_DOUBTS
    doubled = sum(copies.values()) - len(people)
    account = breach.account()
    assert doubled <= account.doubled_at_most <= WINDOW * kills
    assert (account.state, account.accepted, account.unreachable) == (CampaignState.ENDED, len(people), {})
    for counted in results(breach).values():
        assert counted[Result.ambiguous] <= 1
    assert broken(check(breach.house)) == {}
