"""`kill -9` while bounces are taken: none is lost, none counts twice."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlmodel import func, select

from incident.delivery import bounces
from incident.delivery.maildir import Maildir
from incident.ops.bounce_reading import take_bounces
from incident.store.tables import Receipt
from tests.support.bounced import MAIL, bounce, deliver, make_maildir, return_path_of
from tests.support.breaches import Breach, make_breach, some_people
from tests.support.ledgers import assert_the_check_holds
from tests.support.relays import recording_relay

PEOPLE = 300


@pytest.fixture
def told(tmp_path: Path) -> Breach:
    """Everybody was told, and every third message lies in the mailbox again."""
    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(PEOPLE), relay_port=relay.port, mail=MAIL)
        inbox = make_maildir(breach.made.workspace.root / "bounces")
        breach.release()
        breach.open_sending()
        breach.work()
    for number, row in enumerate(breach.deliveries()):
        if number % 3 == 0:
            deliver(inbox, bounce(to=return_path_of(breach, row)), f"{number}.example")
    return breach


def test_killed_at_any_moment_every_bounce_counts_once(told: Breach, monkeypatch: pytest.MonkeyPatch) -> None:
    root = told.made.workspace.root
    command = [sys.executable, "-m", "incident.cli.main", "--workspace", str(root), "bounces", "take"]
    chance = random.Random(7)
    for _ in range(6):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.2, 1.2))
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert told.account().adds_up
    take_bounces(told.house, actor="ana")
    must_be_taken_once(told)


def test_killed_between_the_record_and_the_mailbox_every_bounce_counts_once(
    told: Breach, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Died(Exception):
        pass

    def die(self: Maildir, path: Path) -> None:
        raise Died

    monkeypatch.setattr(bounces, "ROUND", 40)
    with monkeypatch.context() as patched:
        patched.setattr(Maildir, "remove", die)
        with pytest.raises(Died):
            take_bounces(told.house, actor="ana")
    assert told.account().returned == 40
    done = take_bounces(told.house, actor="ana")
    assert (done.known, done.new) == (40, PEOPLE // 3 - 40)
    must_be_taken_once(told)


def must_be_taken_once(told: Breach) -> None:
    account = told.account()
    assert (account.returned, account.accepted) == (PEOPLE // 3, PEOPLE - PEOPLE // 3)
    with told.made.store.read() as session:
        assert session.exec(select(func.count()).select_from(Receipt)).one() == PEOPLE // 3
    assert not list((told.made.workspace.root / "bounces/new").iterdir())
    assert_the_check_holds(told.made.workspace.root)
