"""Bounces as Postfix writes them: refused by a server on loopback, and delivered back to another."""

from __future__ import annotations

import asyncio
import smtplib
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from notifiers.email.bounces import By, Kind, RecipientReport, Report, read_report
from notifiers.email.message import Envelope, xtext
from notifiers.email.relay import Relay, TlsMode
from notifiers.email.session import SmtpSession
from notifiers.email.verp import is_genuine, mark_in, mark_of, return_path
from notifiers.outcome import Result
from tests.support.relays import LOOPBACK, recording_relay
from tests.support.scratch_postfix import Postfix, scratch_postfix

KEY = b"k" * 32
MAILBOX = "bounces@example.com"
REFUSED_AT_RCPT = {
    "nobody@recipient.example": "550 5.1.1 User unknown",
    "blocked@recipient.example": "550 5.7.1 Refused by policy",
    "terse@recipient.example": "550 no such user here",
    "full@recipient.example": "452 4.2.2 Mailbox full",
}
REFUSED_AT_THE_DOT = {"content@recipient.example": "554 5.7.26 Not taken"}
REFUSED = [*REFUSED_AT_RCPT, *REFUSED_AT_THE_DOT]
TAKEN = ["taken@recipient.example", "someone@boxes.example", "team@lists.example"]
REFERENCES = {to: bytes([number]) * 16 for number, to in enumerate([*REFUSED, *TAKEN], start=1)}
EXPECTED_BOUNCES = 9  # one for each, and the one of the full mailbox twice: late, and given up


@dataclass(frozen=True)
class Heard:
    """What Postfix reported, by the reference that the mark of its recipient gave."""

    reports: dict[bytes, list[Report]]

    def of(self, to: str) -> list[Report]:
        return self.reports.get(REFERENCES[to], [])

    def only(self, to: str) -> tuple[Report, RecipientReport]:
        [report] = self.of(to)
        [recipient] = report.recipients
        return report, recipient


@pytest.fixture(scope="module")
def heard() -> Iterator[Heard]:
    with recording_relay() as far, recording_relay() as bounces:
        far.at_rcpt = REFUSED_AT_RCPT.get
        far.at_data = REFUSED_AT_THE_DOT.get
        settings = {
            "transport_maps": f"inline:{{ example.com=smtp:[{LOOPBACK}]:{bounces.port} }}",
            "relayhost": f"[{LOOPBACK}]:{far.port}",
            "queue_run_delay": "1s",
            "minimal_backoff_time": "1s",
            "maximal_backoff_time": "1s",
            "delay_warning_time": "1s",
            "maximal_queue_lifetime": "5s",
            "virtual_mailbox_domains": "boxes.example",
            "virtual_mailbox_maps": "inline:{ {someone@boxes.example=someone/} }",
            "virtual_mailbox_base": "{folder}/boxes",
            "virtual_uid_maps": "static:{uid}",
            "virtual_gid_maps": "static:{gid}",
            "virtual_alias_domains": "lists.example",
            "virtual_alias_maps": "inline:{ {team@lists.example=someone@boxes.example, other@boxes.example} }",
        }
        with scratch_postfix(settings) as postfix:
            asyncio.run(send_what_is_refused(postfix))
            send_what_is_taken(postfix)
            until = time.monotonic() + 30
            while len(bounces.taken) < EXPECTED_BOUNCES and time.monotonic() < until:
                time.sleep(0.05)
            assert len(bounces.taken) == EXPECTED_BOUNCES, postfix.log
        reports: dict[bytes, list[Report]] = {}
        for mail in bounces.taken:
            mark = mark_in(mail.to, MAILBOX)
            assert mark is not None
            assert is_genuine(mark, key=KEY)
            reports.setdefault(mark.reference, []).append(read_report(mail.raw))
        yield Heard(reports)


def envelope(to: str) -> Envelope:
    reference = REFERENCES[to]
    path = return_path(MAILBOX, mark_of(reference, key=KEY))
    data = f"From: notice@example.com\r\nTo: {to}\r\nMessage-ID: <{reference.hex()}@example.com>\r\n\r\nA notice.\r\n"
    return Envelope(path, to, data.encode("ascii"), envid=reference.hex())


async def send_what_is_refused(postfix: Postfix) -> None:
    async with SmtpSession(Relay(LOOPBACK, postfix.port, TlsMode.none)) as session:
        for to in REFUSED:
            outcome = await session.send(envelope(to))
            assert outcome.result is Result.accepted


def send_what_is_taken(postfix: Postfix) -> None:
    """With NOTIFY=SUCCESS, which notices do not ask for; and with an ENVID that xtext writes in another way."""
    with smtplib.SMTP(LOOPBACK, postfix.port) as client:
        for to in TAKEN:
            one = envelope(to)
            envid = xtext(f"{one.envid}=1")
            client.sendmail(
                one.mail_from,
                to,
                one.data,
                ["RET=HDRS", f"ENVID={envid}"],
                ["NOTIFY=SUCCESS", f"ORCPT=rfc822;{to}"],
            )


@pytest.mark.parametrize("to", REFUSED)
def test_a_bounce_names_the_message_by_its_mark_its_envelope_id_and_its_message_id(
    heard: Heard, to: str
) -> None:
    assert heard.of(to)
    for report in heard.of(to):
        assert report.by is By.dsn
        assert report.envelope_id == REFERENCES[to].hex()
        assert report.message_ids == (f"<{REFERENCES[to].hex()}@example.com>",)
        assert report.reporting_mta == "mta.example.com"
        for address in (*report.addressed_to, *report.return_paths):
            mark = mark_in(address, MAILBOX)
            assert mark is not None
            assert mark.reference == REFERENCES[to]
        assert report.recipients[0].final_recipient == to


def test_an_unknown_mailbox_is_a_dead_address(heard: Heard) -> None:
    report, recipient = heard.only("nobody@recipient.example")

    assert report.kind is Kind.failed
    assert recipient.status == "5.1.1"
    assert recipient.permanent
    assert recipient.address_is_dead
    assert recipient.diagnostic == "smtp; 550 5.1.1 User unknown"
    assert recipient.remote_mta == LOOPBACK


@pytest.mark.parametrize(
    ("to", "status"), [("blocked@recipient.example", "5.7.1"), ("content@recipient.example", "5.7.26")]
)
def test_a_refusal_by_policy_is_permanent_and_no_dead_address(heard: Heard, to: str, status: str) -> None:
    report, recipient = heard.only(to)

    assert report.kind is Kind.failed
    assert recipient.status == status
    assert recipient.permanent
    assert recipient.blocked
    assert not recipient.address_is_dead


def test_a_refusal_without_enhanced_code_is_permanent_and_says_no_more(heard: Heard) -> None:
    _, recipient = heard.only("terse@recipient.example")

    assert recipient.status == "5.0.0"
    assert recipient.permanent
    assert not recipient.blocked
    assert not recipient.address_is_dead


def test_a_full_mailbox_is_late_first_and_failed_when_postfix_gives_up_but_never_dead(heard: Heard) -> None:
    late, given_up = heard.of("full@recipient.example")

    assert (late.kind, given_up.kind) == (Kind.delayed, Kind.failed)
    for report in (late, given_up):
        [recipient] = report.recipients
        assert recipient.status == "4.2.2"
        assert not recipient.permanent
        assert not recipient.address_is_dead


@pytest.mark.parametrize(
    ("to", "kind"), list(zip(TAKEN, (Kind.relayed, Kind.delivered, Kind.expanded), strict=True))
)
def test_what_was_taken_is_relayed_delivered_or_expanded(heard: Heard, to: str, kind: Kind) -> None:
    report, recipient = heard.only(to)

    assert report.kind is kind
    assert recipient.kind is kind
    assert recipient.original_recipient == to
    assert recipient.status == "2.0.0"
    assert not recipient.permanent
    assert report.envelope_id == f"{REFERENCES[to].hex()}=1"
