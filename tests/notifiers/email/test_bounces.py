from __future__ import annotations

import base64
import quopri
from collections.abc import Callable
from dataclasses import replace

import pytest

from notifiers.email.bounces import By, Kind, RecipientReport, read_report
from tests.support.notifications import (
    BLOCKED,
    DEAD,
    EXCHANGE,
    PASSING,
    PERMANENT,
    STATUS,
    multipart,
    only,
    recorded,
    stating,
    verdict,
)


def for_status(status: str, diagnostic: str = "") -> RecipientReport:
    line = f"Diagnostic-Code: {diagnostic}\n" if diagnostic else ""
    return only(read_report(stating(STATUS.format(status) + line)))


@pytest.mark.parametrize("status", ["5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"])
def test_an_address_is_dead_by_the_codes_that_say_so(status: str) -> None:
    assert for_status(status).address_is_dead


@pytest.mark.parametrize(
    "status", ["5.0.0", "5.1.7", "5.1.8", "5.1.100", "5.2.2", "5.4.4", "5.7.1", "4.1.1", "4.2.1", "2.1.5"]
)
def test_an_address_is_not_dead_by_any_other_code(status: str) -> None:
    assert not for_status(status).address_is_dead


@pytest.mark.parametrize(
    ("status", "diagnostic", "read", "means"),
    [
        ("5.0.0", "smtp; 550 5.7.1 spam", "5.7.1", BLOCKED),
        ("5.0.0", "smtp; 550-5.7.26 unauthenticated\n 550 5.7.26 really", "5.7.26", BLOCKED),
        ("5.1.1", "smtp; 550 5.7.1 spam", "5.7.1", BLOCKED),
        ("5.7.1", "smtp; 550 5.1.1 unknown", "5.7.1", BLOCKED),
        ("5.1.1", "smtp; 550 listed in a blocklist", "5.1.1", PERMANENT),
        ("5.1.1", "550 go away", "5.1.1", PERMANENT),
        ("5.1.1", "X-Postfix; unknown user: \"a\"", "5.1.1", DEAD),
        ("5.1.1", "smtp; 550 5.0.0 refused", "5.1.1", DEAD),
        ("5.1.10", "smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found", "5.1.10", DEAD),
        ("5.1.1", "smtp;550 #5.1.1 RESOLVER.ADR.ExRecipNotFound", "5.1.1", DEAD),
        ("5.1.0", "smtp; 550 5.1.1 unknown", "5.1.1", DEAD),
        ("5.1.1", "smtp; 550 5.1.0 unknown", "5.1.1", DEAD),
        ("5.0.0", "smtp; 451 4.7.1 greylisted: retry timeout exceeded", "4.7.1", PASSING),
        ("5.0.0", "smtp; 550 at 5.1.1.1 is no host", "5.0.0", PERMANENT),
        ("5.1.1 (bad destination mailbox address)", "", "5.1.1", DEAD),
        ("nonsense", "", None, PASSING),
    ],
)  # fmt: skip
def test_the_reply_of_the_refusing_server_counts_where_it_says_more(
    status: str, diagnostic: str, read: str | None, means: str
) -> None:
    recipient = for_status(status, diagnostic)

    assert (recipient.status, verdict(recipient)) == (read, means)


def test_several_recipients_have_what_became_of_each_and_the_failure_tells_most() -> None:
    report = read_report(
        stating(
            "Reporting-MTA: dns; mx.example.net\nOriginal-Envelope-Id: id+3D1",
            "Final-Recipient: rfc822; <a@recipient.example>\nAction: delivered\nStatus: 2.1.5",
            "Original-Recipient: rfc822; old@example.org\nFinal-Recipient: RFC822;b@recipient.example\n"
            "Action: failed (it is gone)\nStatus: 5.1.1\nRemote-MTA: dns; mx.recipient.example",
            "Final-Recipient: rfc822; c@recipient.example\nAction: delayed\nStatus: 4.4.1",
        )
    )

    assert report.kind is Kind.failed
    assert [(one.final_recipient, one.kind) for one in report.recipients] == [
        ("a@recipient.example", Kind.delivered),
        ("b@recipient.example", Kind.failed),
        ("c@recipient.example", Kind.delayed),
    ]
    assert report.recipients[1].original_recipient == "old@example.org"
    assert report.recipients[1].remote_mta == "mx.recipient.example"
    assert report.reporting_mta == "mx.example.net"
    assert (report.envelope_id, report.envelope_id_as_written) == ("id=1", "id+3D1")


def test_no_control_character_comes_out_of_a_report() -> None:
    about = "Reporting-MTA: dns; mx\x1b[31m\nOriginal-Envelope-Id: a+0Ab+3D\x1b[31m"
    head = "To: a\x1b@example.com, b@example.com\nReferences: <a\x1b@example.com> <b@example.com>\n"
    status = f"Content-Type: message/delivery-status\n\n{about}\n\nFinal-Recipient: rfc822; c\x1b@example.com"

    report = read_report(multipart(status, head=head))

    assert report.envelope_id == "a+0Ab= [31m"
    assert report.addressed_to == ("b@example.com",)
    assert report.message_ids == ("<b@example.com>",)
    assert report.reporting_mta.isprintable()
    assert only(report).final_recipient.isprintable()


def test_late_for_one_and_delivered_to_another_is_late() -> None:
    report = read_report(
        stating(
            "Final-Recipient: rfc822; a@recipient.example\nAction: delivered",
            "Final-Recipient: rfc822; b@recipient.example\nAction: delayed",
        )
    )

    assert report.kind is Kind.delayed


def test_recipients_without_an_empty_line_between_them_are_told_apart() -> None:
    report = read_report(
        stating(
            "Reporting-MTA: dns; mx.example.net\n"
            "Original-Recipient: rfc822; a@example.org\nFinal-Recipient: rfc822; a@recipient.example\nAction: failed\n"
            "Original-Recipient: rfc822; b@example.org\nFinal-Recipient: rfc822; b@recipient.example\nAction: relayed"
        )
    )

    assert [(one.original_recipient, one.final_recipient, one.kind) for one in report.recipients] == [
        ("a@example.org", "a@recipient.example", Kind.failed),
        ("b@example.org", "b@recipient.example", Kind.relayed),
    ]


@pytest.mark.parametrize(
    ("status", "kind"),
    [("5.1.1", Kind.failed), ("4.4.1", Kind.delayed), ("2.0.0", Kind.delivered), ("", Kind.unclear)],
)
def test_without_an_action_the_status_says_what_became_of_it(status: str, kind: Kind) -> None:
    report = read_report(stating(f"Final-Recipient: rfc822; a@recipient.example\nStatus: {status}"))

    assert (report.kind, report.by) == (kind, By.dsn)


@pytest.mark.parametrize("of", ["mixed", "report", "report; report-type=disposition-notification"])
def test_a_delivery_status_counts_whatever_the_message_calls_itself(of: str) -> None:
    report = read_report(
        multipart("Content-Type: message/delivery-status\n\n" + STATUS.format("5.1.1"), of=of)
    )

    assert (report.kind, report.by) == (Kind.failed, By.dsn)


ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "base64": base64.encodebytes,
    "quoted-printable": quopri.encodestring,
    "8bit": bytes,
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_delivery_status_is_read_in_any_encoding_and_with_any_line_ends(encoding: str) -> None:
    written = ENCODINGS[encoding](STATUS.format("5.1.1").replace("\n", "\r\n").encode()).decode()
    raw = multipart(
        f"Content-Type: message/delivery-status\nContent-Transfer-Encoding: {encoding}\n\n{written}"
    )

    for as_it_came in (raw, raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")):
        assert only(read_report(as_it_came)).status == "5.1.1"


def test_a_status_of_an_internationalised_address_is_read() -> None:
    part = (
        "Content-Type: message/global-delivery-status\n\nReporting-MTA: dns; mx.example.net\n\n"
        "Final-Recipient: utf-8; 用户@recipient.example\nAction: failed\nStatus: 5.1.1"
    )

    assert only(read_report(multipart(part))).final_recipient == "用户@recipient.example"


def test_a_notification_that_a_gateway_forwards_whole_is_read() -> None:
    inner = recorded("postfix-unknown-mailbox").decode()
    head = "From: gateway@example.com\nTo: bounces+x@example.com\n"

    report = read_report(
        multipart("\nsee below", f"Content-Type: message/rfc822\n\n{inner}", of="mixed", head=head)
    )

    assert (report.kind, report.by) == (Kind.failed, By.dsn)
    assert only(report).status == "5.1.1"
    assert "<m1@example.com>" in report.message_ids
    assert report.addressed_to == ("bounces+x@example.com",)


def test_a_status_inside_the_returned_message_tells_of_another_message() -> None:
    returned = recorded("postfix-unknown-mailbox").decode()
    outer = "Content-Type: message/delivery-status\n\n" + STATUS.format("4.4.1").replace("failed", "delayed")

    report = read_report(multipart(outer, f"Content-Type: message/rfc822\n\n{returned}"))

    assert report.kind is Kind.delayed
    assert only(report).final_recipient == "a@recipient.example"


def test_a_non_delivery_report_of_exchange_is_read() -> None:
    report = read_report(EXCHANGE.encode())

    assert (report.kind, report.by) == (Kind.failed, By.dsn)
    assert only(report).address_is_dead
    assert report.message_ids == ("<m1@example.com>",)
    assert report.return_paths == ("bounces+x@example.com",)
    assert report.reporting_mta == "AB0PR01MB0001.tenant.example"


FEEDBACK = """\
Content-Type: message/feedback-report

Feedback-Type: {}
User-Agent: SomeFeedback/1.0
Version: 1
Original-Mail-From: <bounces+x@example.com>
Original-Rcpt-To: <a@recipient.example>
Reporting-MTA: dns; mx.recipient.example
"""
ORIGINAL = (
    "Content-Type: message/rfc822\n\nFrom: notice@example.com\nMessage-ID: <m1@example.com>\n\nA notice."
)


@pytest.mark.parametrize("kind", ["abuse", "fraud", "opt-out", ""])
def test_a_complaint_names_who_complains_and_the_return_path(kind: str) -> None:
    raw = multipart("\ntext", FEEDBACK.format(kind), ORIGINAL, of="report; report-type=feedback-report")

    report = read_report(raw)

    assert (report.kind, report.by) == (Kind.complaint, By.arf)
    assert only(report) == RecipientReport(Kind.complaint, final_recipient="a@recipient.example")
    assert report.return_paths == ("bounces+x@example.com",)
    assert report.message_ids == ("<m1@example.com>",)
    assert report.reporting_mta == "mx.recipient.example"


@pytest.mark.parametrize("kind", ["auth-failure", "not-spam"])
def test_feedback_in_which_nobody_complains_is_no_complaint(kind: str) -> None:
    report = read_report(multipart("\ntext", FEEDBACK.format(kind), ORIGINAL, of="report"))

    assert (report.kind, report.by) == (Kind.unclear, By.arf)


def test_a_complaint_about_a_notification_is_a_complaint() -> None:
    about = "Content-Type: message/rfc822\n\n" + recorded("postfix-unknown-mailbox").decode()

    assert read_report(multipart(FEEDBACK.format("abuse"), about)).kind is Kind.complaint


PERSON = (
    "From: Someone <someone@recipient.example>\nTo: bounces+x@example.com\nIn-Reply-To: <m1@example.com>\n"
)


@pytest.mark.parametrize(
    "field",
    [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: auto-generated; owner-email=a@example.com",
        "auto-submitted: AUTO-NOTIFIED",
        "X-Autoreply: yes",
        "X-Autorespond: Notice",
        "Precedence: auto_reply",
    ],
)
def test_an_automatic_reply_is_no_bounce_whatever_its_subject_says(field: str) -> None:
    raw = (
        f"{PERSON}{field}\nSubject: Undelivered Mail Returned to Sender\n\n550 5.1.1 user unknown\n".encode()
    )

    report = read_report(raw)

    assert report.kind is Kind.auto_reply
    assert report.recipients == ()
    assert report.message_ids == ("<m1@example.com>",)


@pytest.mark.parametrize(
    "field",
    [
        "Auto-Submitted: no",
        "Auto-Submitted: No (a person wrote it)",
        "X-Auto-Response-Suppress: All",
        "Precedence: bulk",
        "X-Autoreply: no",
        "Subject: Re: your notice",
    ],
)
def test_what_a_person_writes_is_unclear(field: str) -> None:
    report = read_report(f"{PERSON}{field}\n\nThank you.\n".encode())

    assert (report.kind, report.by) == (Kind.unclear, By.none)
    assert report.message_ids == ("<m1@example.com>",)


def test_a_notification_is_no_automatic_reply_though_it_is_sent_automatically() -> None:
    assert b"Auto-Submitted: auto-replied" in recorded("exim-delayed")
    assert read_report(recorded("exim-delayed")).kind is Kind.delayed


def test_what_a_mail_server_says_in_words_unknown_here_is_left_to_a_person() -> None:
    raw = b"From: MAILER-DAEMON@mx.example.net\nAuto-Submitted: auto-replied\n\nSomething went wrong.\n"

    assert read_report(raw).kind is Kind.unclear


def test_the_addresses_it_came_to_are_told_with_those_of_the_receiving_server_first() -> None:
    raw = (
        b'To: "Bounces, all" <t@example.com>, u@example.com\nX-Envelope-To: x@example.com\n'
        b"Envelope-To: e@example.com\nX-Original-To: o@example.com\nDelivered-To: d@example.com\n"
        b"Delivered-To: d2@example.com\nCc: c@example.com\n\n"
    )

    assert read_report(raw).addressed_to == (
        "d@example.com", "d2@example.com", "o@example.com", "e@example.com", "x@example.com",
        "t@example.com", "u@example.com",
    )  # fmt: skip


def test_a_diagnostic_is_short_and_on_one_line() -> None:
    recipient = for_status("5.1.1", "smtp; 550 5.1.1 " + "\x1b[31m no " * 1000)

    assert len(recipient.diagnostic) == 1000
    assert recipient.diagnostic.isprintable()


def test_a_report_is_a_value() -> None:
    report = read_report(recorded("postfix-blocked"))

    assert replace(report, kind=report.kind) == report
    assert hash(report) == hash(read_report(recorded("postfix-blocked")))
