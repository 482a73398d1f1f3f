"""The whole way: a notice over a real Postfix, refused further on, its bounce in a Maildir, and taken from there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from incident.delivery.states import Why
from incident.delivery.status import deliveries
from incident.ops.bounce_reading import take_bounces
from tests.support.breaches import Breach, make_breach, some_people
from tests.support.ledgers import assert_the_check_holds
from tests.support.relays import LOOPBACK, recording_relay
from tests.support.scratch_postfix import Postfix, scratch_postfix

MAILBOX = "notice@bounces.example"
UNKNOWN, BLOCKED, FULL = "p00002@example.org", "p00003@example.org", "p00004@example.org"
SAID = {
    UNKNOWN: "550 5.1.1 no such user here",
    BLOCKED: "550 5.7.1 refused by policy",
    FULL: "452 4.2.2 mailbox full",
}
PEOPLE = 6
BOUNCES = 4  # one of each, and of the full mailbox first that it is late


@dataclass(frozen=True)
class Came:
    """The breach after everything came back, and what reached the far server."""

    breach: Breach
    arrived: set[str]


@pytest.fixture(scope="module")
def came(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Came]:
    with recording_relay() as far:
        far.at_rcpt = SAID.get
        settings = {
            "relayhost": f"[{LOOPBACK}]:{far.port}",
            "recipient_delimiter": "+",
            "virtual_mailbox_domains": "bounces.example",
            "virtual_mailbox_maps": f"inline:{{ {{{MAILBOX}=bounces/}} }}",
            "virtual_mailbox_base": "{folder}/boxes",
            "virtual_uid_maps": "static:{uid}",
            "virtual_gid_maps": "static:{gid}",
            "queue_run_delay": "1s",
            "minimal_backoff_time": "1s",
            "maximal_backoff_time": "1s",
            "delay_warning_time": "1s",
            "maximal_queue_lifetime": "5s",
        }
        with scratch_postfix(settings) as postfix:
            maildir = postfix.folder / "boxes/bounces"
            breach = make_breach(
                tmp_path_factory.mktemp("breach"),
                people=some_people(PEOPLE),
                relay_port=postfix.port,
                mail={"return_path": MAILBOX, "bounces": str(maildir)},
            )
            breach.release()
            breach.open_sending()
            breach.work()
            # Postfix takes all of them; whether they arrive it says later.
            assert breach.account().accepted + breach.account().unreachable_total == PEOPLE
            _take_until(breach, maildir, BOUNCES, postfix)
            yield Came(breach, {mail.to for mail in far.taken})


def _take_until(breach: Breach, maildir: Path, count: int, postfix: Postfix) -> None:
    """The worker may have read some by itself; the journal has all."""
    until = time.monotonic() + 120
    while _receipts(breach) < count:
        assert time.monotonic() < until, postfix.log
        if maildir.is_dir():
            take_bounces(breach.house, actor="ana")
        time.sleep(0.1)


def _receipts(breach: Breach) -> int:
    bodies = (recorded.body or {} for recorded in breach.made.store.recorded(breach.id))
    return sum(sum(body.get("receipts", {}).values()) for body in bodies)


def test_everybody_is_accounted_for_by_what_came_back(came: Came) -> None:
    account = came.breach.account()
    assert account.adds_up
    assert (account.accepted, account.in_progress, account.returned) == (PEOPLE - 3, 0, 3)
    assert account.unreachable == {Why.BAD_ADDRESS: 1, Why.BLOCKED: 1, Why.RETURNED: 1}
    assert len(came.arrived) == PEOPLE - 3 and not came.arrived & SAID.keys()


def test_the_list_says_of_each_what_the_far_server_said(came: Came) -> None:
    said = {line.last_words for line in deliveries(came.breach.made.store, came.breach.id, unreached=True)}
    assert said == {f"smtp; {words}" for words in SAID.values()}


def test_the_record_is_whole_and_the_mailbox_is_empty(came: Came) -> None:
    assert_the_check_holds(came.breach.made.workspace.root)
    maildir = Path(came.breach.made.settings.mail.bounces)
    assert not [path for part in ("new", "cur") for path in (maildir / part).iterdir()]
