"""Much comes back after the end of a sending: somebody is called, once, and nothing else happens by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from incident.delivery.returns import TEXTS
from incident.delivery.states import CampaignState
from incident.delivery.waves import StopReason
from incident.ops.bounce_reading import take_bounces
from incident.record.summons import Reason, all_summons
from incident.store.change import open_row
from incident.store.tables import Summons
from tests.support.bounced import MAIL, bounce, deliver, make_maildir, return_path_of
from tests.support.breaches import Breach, make_breach, some_people
from tests.support.ledgers import assert_the_check_holds
from tests.support.relays import recording_relay

PEOPLE, AT_LEAST = 40, 5
STOPS = {"canary": 0, "stop_percent": 10, "stop_complaints_percent": 10, "stop_at_least": AT_LEAST}


@pytest.fixture
def ended(tmp_path: Path) -> Iterator[Breach]:
    with recording_relay() as relay:
        breach = make_breach(
            tmp_path, people=some_people(PEOPLE), relay_port=relay.port, mail=MAIL, waves=STOPS
        )
        make_maildir(breach.made.workspace.root / "bounces")
        breach.release()
        breach.open_sending()
        breach.work()
        assert breach.account().state == CampaignState.ENDED
        yield breach


def come_back(breach: Breach, first: int, last: int) -> None:
    rows = sorted(breach.deliveries(), key=lambda row: row.id)
    for number in range(first, last):
        deliver(
            breach.made.workspace.root / "bounces",
            bounce(to=return_path_of(breach, rows[number])),
            f"{number}.example",
        )
    take_bounces(breach.house, actor="ana")


def called(breach: Breach) -> list[Summons]:
    with breach.made.store.read() as session:
        return [each for each in all_summons(session, breach.id) if each.reason == Reason.MUCH_RETURNED]


def test_a_few_are_no_reason_and_many_call_for_somebody_once(ended: Breach) -> None:
    come_back(ended, 0, AT_LEAST - 1)
    assert called(ended) == []
    come_back(ended, AT_LEAST - 1, AT_LEAST)
    [one] = called(ended)
    text = open_row(one, key=ended.made.store.key(ended.id))["text"]
    assert text["en"] == "after the sending ended: of 40 people written to, the messages of 5 came back"
    come_back(ended, AT_LEAST, 2 * AT_LEAST)
    assert len(called(ended)) == 1
    assert_the_check_holds(ended.made.workspace.root)


def test_nothing_but_the_account_changes_by_it(ended: Breach) -> None:
    come_back(ended, 0, 2 * AT_LEAST)
    account = ended.account()
    assert (account.state, account.paused) == (CampaignState.ENDED, None)
    assert (account.accepted, account.returned) == (PEOPLE - 2 * AT_LEAST, 2 * AT_LEAST)


def test_every_reason_that_counts_after_the_end_has_its_words() -> None:
    assert {*TEXTS} == {*StopReason} - {StopReason.REPORTS}
