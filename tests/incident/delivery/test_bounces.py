"""Bounces in a Maildir: matched, taken once, and what they change; forged ones silence nobody."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlmodel import select

from incident.carrier_settings import MailSettings
from incident.delivery.bounces import ROUND, Round, Unclear, look_aside
from incident.delivery.maildir import MOST_BYTES
from incident.delivery.receipts import VerifiedBy
from incident.delivery.return_path import bounce_mailbox_from
from incident.delivery.states import Why
from incident.errors import BadInput, WorkspaceError
from incident.ops.bounce_reading import BounceReading, bounce_desk, bounces_of, take_bounces
from incident.ops.retention import destroy
from incident.record.incidents import close_incident
from incident.store.instance import NotInCharge
from incident.store.tables import Delivery, Receipt
from notifiers.email.verp import mark_of
from tests.support.bounced import MAIL, MAILBOX, bounce, deliver, make_maildir, return_path_of
from tests.support.breaches import Affected, Breach, make_breach, some_people
from tests.support.ledgers import assert_the_check_holds
from tests.support.relays import RecordingRelay
from tests.support.workspaces import run_sql

PEOPLE = 3


@pytest.fixture
def told(tmp_path: Path, relay: RecordingRelay) -> Breach:
    """Everybody was told, and the campaign has ended."""
    breach = make_breach(tmp_path, people=some_people(PEOPLE), relay_port=relay.port, mail=MAIL)
    make_maildir(inbox(breach))
    breach.release()
    breach.open_sending()
    breach.work()
    assert breach.account().accepted == PEOPLE
    return breach


def inbox(breach: Breach) -> Path:
    return breach.made.workspace.root / "bounces"


def first(breach: Breach) -> Delivery:
    return min(breach.deliveries(), key=lambda row: row.id)


def take(breach: Breach) -> Round:
    return take_bounces(breach.house, actor="ana")


def receipts(breach: Breach) -> list[Receipt]:
    with breach.made.store.read() as session:
        return list(session.exec(select(Receipt)).all())


def test_each_message_has_a_return_path_of_its_own(told: Breach, relay: RecordingRelay) -> None:
    paths = {return_path_of(told, each) for each in told.deliveries()}
    assert len(paths) == PEOPLE
    assert {mail.mail_from for mail in relay.taken} == paths


def test_a_bounce_to_its_return_path_is_taken_and_removed(told: Breach) -> None:
    row = first(told)
    file = deliver(inbox(told), bounce(to=return_path_of(told, row)))
    assert take(told) == Round(new=1, changed=1)
    assert not file.exists()
    account = told.account()
    assert (account.accepted, account.returned) == (PEOPLE - 1, 1)
    assert account.unreachable == {Why.BAD_ADDRESS: 1} and account.adds_up
    assert_the_check_holds(told.made.workspace.root)


def test_the_same_message_again_changes_nothing_and_is_removed(told: Breach) -> None:
    raw = bounce(to=return_path_of(told, first(told)))
    deliver(inbox(told), raw, "1.example")
    take(told)
    before = told.account()
    file = deliver(inbox(told), raw, "2.example")
    assert take(told) == Round(known=1)
    assert told.account() == before and not file.exists()


@pytest.mark.parametrize(
    ("status", "said", "why"),
    [
        ("5.1.1", "550 5.1.1 no such user", Why.BAD_ADDRESS),
        ("5.7.1", "550 5.7.1 blocked", Why.BLOCKED),
        ("5.0.0", "554 5.7.26 unauthenticated", Why.BLOCKED),
        ("5.2.2", "552 5.2.2 mailbox full", Why.RETURNED),
        ("4.4.7", "451 4.4.7 expired", Why.RETURNED),
    ],
)
def test_a_block_is_no_dead_address(told: Breach, status: str, said: str, why: Why) -> None:
    deliver(inbox(told), bounce(to=return_path_of(told, first(told)), status=status, said=said))
    take(told)
    assert told.account().unreachable == {why: 1}


@pytest.mark.parametrize(
    ("action", "status", "delivered"),
    [("delayed", "4.2.2", 0), ("delivered", "2.0.0", 1), ("relayed", "2.0.0", 0)],
)
def test_what_is_late_delivered_or_handed_on_leaves_nobody_unreached(
    told: Breach, action: str, status: str, delivered: int
) -> None:
    deliver(inbox(told), bounce(to=return_path_of(told, first(told)), action=action, status=status))
    assert take(told).new == 1
    account = told.account()
    assert (account.accepted, account.delivered, account.returned) == (PEOPLE, delivered, 0)
    assert_the_check_holds(told.made.workspace.root)


def test_an_automatic_reply_is_no_bounce(told: Breach) -> None:
    to = return_path_of(told, first(told))
    deliver(
        inbox(told),
        f"From: a@example.org\r\nTo: {to}\r\nSubject: Undelivered: on holiday\r\n"
        "Auto-Submitted: auto-replied\r\n\r\nI am away.\r\n".encode(),
    )
    assert take(told).new == 1
    assert told.account().accepted == PEOPLE
    assert [row.kind for row in receipts(told)] == ["auto_reply"]


@pytest.mark.parametrize("how", [VerifiedBy.ENVELOPE_ID, VerifiedBy.MESSAGE_ID])
def test_without_its_return_path_it_is_matched_by_envelope_id_or_message_id(
    told: Breach, how: VerifiedBy
) -> None:
    row = first(told)
    mark = return_path_of(told, row).partition("+")[2].partition("@")[0]
    named = (
        {"envelope_id": mark} if how is VerifiedBy.ENVELOPE_ID else {"message_id": f"<{row.id}@example.com>"}
    )
    deliver(inbox(told), bounce(to="postmaster@notices.example", **named))
    assert take(told).changed == 1
    assert [each.verified_by for each in receipts(told)] == [how]


def test_a_forged_mark_silences_nobody(told: Breach) -> None:
    row = first(told)
    forged = mark_of(bytes.fromhex(row.id), key=b"another key")
    local, domain = MAILBOX.split("@")
    deliver(inbox(told), bounce(to=f"{local}+{forged}@{domain}"), "1.example")
    deliver(inbox(told), bounce(to=MAILBOX, envelope_id=forged), "2.example")
    # Whom the text names is believed to nobody.
    deliver(inbox(told), bounce(to=MAILBOX, address="p00001@example.org"), "3.example")
    assert take(told) == Round(unclear=3)
    assert told.account().accepted == PEOPLE and not receipts(told)
    assert len(list((inbox(told) / ".Unclear/new").iterdir())) == 3


def test_a_bounce_that_comes_before_anything_was_sent_silences_nobody(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    breach = make_breach(tmp_path, people=some_people(PEOPLE), relay_port=relay.port, mail=MAIL)
    make_maildir(inbox(breach))
    breach.release()
    breach.open_sending()
    for number, row in enumerate(breach.deliveries()):
        deliver(inbox(breach), bounce(to=return_path_of(breach, row)), f"{number}.example")
    assert take(breach) == Round(new=PEOPLE)
    breach.work()
    assert breach.account().accepted == PEOPLE
    assert {mail.to for mail in relay.taken} == {f"p0000{number}@example.org" for number in (1, 2, 3)}
    assert_the_check_holds(breach.made.workspace.root)


def test_what_nobody_can_read_is_put_aside_and_taken_once_it_is_clear(told: Breach) -> None:
    (inbox(told) / "new/link").symlink_to("/etc/hostname")
    os.mkfifo(inbox(told) / "new/pipe")
    deliver(inbox(told), os.urandom(4000))
    assert take(told) == Round(unclear=1)
    assert take(told) == Round(unclear=1)
    assert told.account().accepted == PEOPLE


def test_what_is_no_message_stands_in_nobodys_way(told: Breach) -> None:
    for number in range(ROUND + 1):
        (inbox(told) / f"new/{number}.link").symlink_to("/etc/hostname")
    deliver(inbox(told), bounce(to=return_path_of(told, first(told))), "z.example")
    assert take(told) == Round(new=1, changed=1)


def test_one_that_is_far_too_large_is_left_to_a_person_and_one_with_a_large_message_is_read(
    told: Breach,
) -> None:
    to = return_path_of(told, first(told))
    deliver(inbox(told), bounce(to=to) + b"x" * MOST_BYTES, "large.example")
    deliver(inbox(told), bounce(to=to) + b"x\r\n" * (1 << 20), "read.example")
    assert take(told) == Round(new=1, changed=1, unclear=1)
    [message, why] = next(iter(look_aside(bounces_of(told.house), bounce_desk(told.house))))
    assert (message.path.name, why) == ("large.example", Unclear.TOO_LARGE)


def test_a_copy_that_is_not_in_charge_leaves_the_mailbox_alone(told: Breach) -> None:
    """It may not know what was sent since it was made."""
    files = [
        deliver(inbox(told), bounce(to=return_path_of(told, first(told))), "1.example"),
        deliver(inbox(told), bounce(to=f"someone@{MAILBOX.partition('@')[2]}"), "2.example"),
    ]
    run_sql(told.made.store, "UPDATE instance SET standing = 'copy'")
    with pytest.raises(NotInCharge):
        take(told)
    assert all(file.exists() for file in files)


def test_two_messages_of_one_name_are_both_put_aside(told: Breach) -> None:
    for text in (b"one", b"two"):
        deliver(inbox(told), text)
        assert take(told).unclear
    kept = {path.read_bytes() for path in (inbox(told) / ".Unclear/new").iterdir()}
    assert kept == {b"one", b"two"}


def test_more_than_a_round_are_taken_and_the_sum_holds(told: Breach) -> None:
    to = return_path_of(told, first(told))
    for number in range(ROUND + 5):
        deliver(inbox(told), bounce(to=to, said=f"550 5.1.1 no such user {number}"), f"{number}.example")
    assert take(told) == Round(new=ROUND + 5, changed=1)
    assert_the_check_holds(told.made.workspace.root)


def test_of_data_that_was_destroyed_nothing_is_kept(told: Breach) -> None:
    raw = bounce(to=return_path_of(told, first(told)))
    store, now = told.made.store, told.made.clock()
    with store.write(told.id, kind="incident.closed", actor="ana", now=now) as change:
        close_incident(change, told.id, reason="over")
    destroy(told.house, told.id, signer=told.signers["bo"], reason="its time is up")
    file = deliver(inbox(told), raw)
    assert take(told) == Round(destroyed=1)
    assert not file.exists() and not receipts(told)


def test_a_bounce_of_a_message_to_several_moves_all_of_them(tmp_path: Path, relay: RecordingRelay) -> None:
    children = [
        Affected(f"S{number}", born="2015-03-01", guardian_email="rosa@example.org") for number in (1, 2, 3)
    ]
    breach = make_breach(tmp_path, people=children, relay_port=relay.port, mail=MAIL)
    make_maildir(inbox(breach))
    breach.release()
    breach.open_sending()
    breach.work()
    [leader] = [row for row in breach.deliveries() if row.leader_id is None]
    deliver(inbox(breach), bounce(to=return_path_of(breach, leader)))
    take(breach)
    assert breach.account().unreachable == {Why.BAD_ADDRESS: 3}
    assert_the_check_holds(breach.made.workspace.root)


def test_a_worker_reads_the_mailbox_by_itself_and_says_once_what_keeps_it_from_reading(told: Breach) -> None:
    said: list[str] = []
    deliver(inbox(told), bounce(to=return_path_of(told, first(told))))
    with BounceReading(told.house, says=said.append):
        wait_until(lambda: not list((inbox(told) / "new").iterdir()))
    assert told.account().returned == 1 and not said
    inbox(told).rename(inbox(told).with_name("elsewhere"))
    with BounceReading(told.house, says=said.append):
        wait_until(lambda: said)
    assert len(said) == 1 and "it cannot be read" in said[0]


def wait_until(done: Callable[[], object]) -> None:
    until = time.monotonic() + 10
    while not done():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_without_a_mailbox_bounces_go_to_the_sender(tmp_path: Path, relay: RecordingRelay) -> None:
    breach = make_breach(tmp_path, people=some_people(1), relay_port=relay.port)
    breach.release()
    breach.open_sending()
    breach.work()
    assert [mail.mail_from for mail in relay.taken] == ["notice@example.com"]
    with pytest.raises(BadInput, match="no mailbox for bounces is set"):
        take(breach)


def test_a_maildir_that_is_none_is_a_clear_error(told: Breach) -> None:
    (inbox(told) / "cur").rmdir()
    with pytest.raises(WorkspaceError, match="there is no folder cur/"):
        take(told)


@pytest.mark.parametrize("path", ["no address", "a@", f"{'b' * 30}@example.com"])
def test_a_return_path_that_cannot_be_one_is_a_clear_error(path: str) -> None:
    with pytest.raises(BadInput, match=r"mail\.return_path"):
        bounce_mailbox_from(MailSettings(return_path=path))
