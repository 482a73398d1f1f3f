"""An address that came back as dead is not tried again, and its person is not lost for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from incident.delivery.fallback import Hurdle, Way
from incident.delivery.next_steps import unreached_lines
from incident.delivery.states import DeliveryState, Why
from incident.delivery.suppression import suppressed_people
from incident.ops.bounce_reading import take_bounces
from tests.support.bounced import MAIL, bounce, deliver, make_maildir, return_path_of
from tests.support.breaches import Affected, Breach, make_breach
from tests.support.lived_in import must_hold
from tests.support.postgres import PostgresServer
from tests.support.relays import RecordingRelay
from tests.support.versions import accounts, next_version
from tests.support.workspaces import run_sql

PHONE = "+8613800138000"
PEOPLE = [
    Affected("ann", email="ann@example.org", phone=PHONE),
    Affected("bo", email="bo@example.org"),
    Affected("home 1", email="home@example.org", household="yes"),
    Affected("home 2", email="home@example.org", household="yes"),
    Affected("ward", guardian_email="gee@example.org", born="2016-01-01"),
]


@pytest.fixture
def told(tmp_path: Path, relay: RecordingRelay, store_on: PostgresServer | None) -> Breach:
    breach = make_breach(tmp_path, people=PEOPLE, relay_port=relay.port, mail=MAIL, on=store_on)
    make_maildir(breach.made.workspace.root / "bounces")
    breach.release()
    breach.open_sending()
    breach.work()
    return breach


def come_back(breach: Breach, relay: RecordingRelay, address: str, **parts: str) -> None:
    """The message to an address comes back."""
    [mail] = [each for each in relay.taken if each.to == address]
    [row] = [each for each in breach.deliveries() if each.id.encode() in mail.raw]
    raw = bounce(to=return_path_of(breach, row), **parts)
    deliver(breach.made.workspace.root / "bounces", raw, f"{row.id}.example")
    take_bounces(breach.house, actor="ana")


def suppressed(breach: Breach) -> int:
    with breach.made.store.read() as session:
        return len(suppressed_people(session, breach.id))


def test_a_dead_address_is_not_tried_by_the_next_version_and_the_person_goes_on(
    told: Breach, relay: RecordingRelay
) -> None:
    come_back(told, relay, "ann@example.org")
    assert suppressed(told) == 1
    relay.taken.clear()
    next_version(told)
    told.work()
    assert {mail.to for mail in relay.taken} == {"bo@example.org", "home@example.org", "gee@example.org"}
    account = accounts(told)[-1]
    assert account.unreachable == {Why.SUPPRESSED: 1}
    assert account.adds_up and account.state == "ended"
    lines = unreached_lines(told.made.store, told.made.settings, told.id, now=told.made.clock())
    [line] = list(lines)
    assert (line.line.reference, line.planned.way, line.planned.contact) == ("ann", Way.PHONE, PHONE)
    assert line.planned.plan.steps[0].hurdle is Hurdle.SUPPRESSED
    must_hold(told.house)


def test_it_stays_so_for_every_later_version(told: Breach, relay: RecordingRelay) -> None:
    come_back(told, relay, "ann@example.org")
    for _ in range(2):
        next_version(told)
        told.work()
    assert [account.unreachable for account in accounts(told)] == [
        {Why.BAD_ADDRESS: 1},
        {Why.SUPPRESSED: 1},
        {Why.SUPPRESSED: 1},
    ]


@pytest.mark.parametrize(
    "parts",
    [
        {"status": "5.2.2", "said": "552 5.2.2 mailbox full"},
        {"status": "5.7.1", "said": "550 5.7.1 blocked"},
        {"action": "delayed", "status": "4.2.2"},
    ],
)
def test_what_says_less_than_dead_is_tried_again(
    told: Breach, relay: RecordingRelay, parts: dict[str, str]
) -> None:
    come_back(told, relay, "ann@example.org", **parts)
    assert suppressed(told) == 0


@pytest.mark.parametrize("address", ["home@example.org", "gee@example.org"])
def test_a_message_to_several_or_to_a_guardian_is_tried_again(
    told: Breach, relay: RecordingRelay, address: str
) -> None:
    come_back(told, relay, address)
    assert suppressed(told) == 0
    relay.taken.clear()
    next_version(told)
    told.work()
    assert address in {mail.to for mail in relay.taken}


def test_whoever_merely_saw_the_message_silences_nobody(told: Breach, relay: RecordingRelay) -> None:
    come_back(told, relay, "ann@example.org")
    run_sql(told.made.store, "UPDATE receipt SET verified_by = 'message_id'")
    assert suppressed(told) == 0


def test_whom_the_list_describes_anew_is_tried_again(told: Breach, relay: RecordingRelay) -> None:
    come_back(told, relay, "ann@example.org")
    run_sql(told.made.store, "UPDATE person SET version = 2")
    assert suppressed(told) == 0


def test_a_refusal_while_sending_is_tried_again(tmp_path: Path, relay: RecordingRelay) -> None:
    relay.at_rcpt = lambda _: "550 5.1.1 unknown"
    breach = make_breach(tmp_path, people=PEOPLE[:1], relay_port=relay.port)
    breach.release()
    breach.open_sending()
    breach.work()
    [row] = breach.deliveries()
    assert (row.state, row.reason) == (DeliveryState.UNREACHABLE, Why.REFUSED)
    assert suppressed(breach) == 0
