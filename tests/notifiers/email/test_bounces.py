from __future__ import annotations

import base64
import quopri
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifiers.email.bounces import By, Kind, RecipientReport, Report, read_report
from notifiers.email.verp import is_genuine, mark_in

RECORDED = Path(__file__).with_name("bounces")
KEY = b"k" * 32
MAILBOX = "bounces@example.com"

DEAD, PERMANENT, BLOCKED, PASSING = "dead", "permanent", "blocked", "passing"


def recorded(name: str) -> bytes:
    return (RECORDED / f"{name}.eml").read_bytes()


def only(report: Report) -> RecipientReport:
    [recipient] = report.recipients
    return recipient


def verdict(recipient: RecipientReport) -> str:
    if recipient.address_is_dead:
        return DEAD
    if recipient.blocked:
        return BLOCKED
    return PERMANENT if recipient.permanent else PASSING


@pytest.mark.parametrize(
    ("name", "kind", "status", "means"),
    [
        ("postfix-unknown-mailbox", Kind.failed, "5.1.1", DEAD),
        ("postfix-blocked", Kind.failed, "5.7.1", BLOCKED),
        ("postfix-terse", Kind.failed, "5.0.0", PERMANENT),
        ("postfix-delayed", Kind.delayed, "4.2.2", PASSING),
        ("postfix-given-up", Kind.failed, "4.2.2", PASSING),
        ("postfix-relayed", Kind.relayed, "2.0.0", PASSING),
        ("postfix-delivered", Kind.delivered, "2.0.0", PASSING),
        ("postfix-expanded", Kind.expanded, "2.0.0", PASSING),
        ("exim-unknown-mailbox", Kind.failed, "5.1.1", DEAD),
        ("exim-blocked", Kind.failed, "5.7.1", BLOCKED),
        ("exim-terse", Kind.failed, "5.0.0", PERMANENT),
        ("exim-unroutable", Kind.failed, "5.0.0", PERMANENT),
        ("exim-delayed", Kind.delayed, "4.2.2", PASSING),
        ("exim-given-up", Kind.failed, "4.2.2", PASSING),
        ("sendmail-unknown-mailbox", Kind.failed, "5.1.1", DEAD),
        ("sendmail-blocked", Kind.failed, "5.7.1", BLOCKED),
        ("sendmail-terse", Kind.failed, "5.1.1", PERMANENT),
        ("sendmail-delayed", Kind.delayed, "4.2.2", PASSING),
        ("sendmail-given-up", Kind.failed, "4.2.2", PASSING),
        ("sendmail-relayed", Kind.relayed, "2.0.0", PASSING),
        ("opensmtpd-unknown-mailbox", Kind.failed, "5.1.1", DEAD),
        ("opensmtpd-blocked", Kind.failed, "5.7.1", BLOCKED),
        ("opensmtpd-delayed", Kind.delayed, "4.2.2", PASSING),
        ("opensmtpd-given-up", Kind.failed, "4.4.7", PASSING),
        ("opensmtpd-relayed", Kind.relayed, "2.0.0", PASSING),
    ],
)
def test_a_recorded_notification_says_what_its_server_meant(
    name: str, kind: Kind, status: str, means: str
) -> None:
    report = read_report(recorded(name))
    recipient = only(report)

    assert (report.by, report.kind) == (By.dsn, kind)
    assert (recipient.kind, recipient.status, verdict(recipient)) == (kind, status, means)
    assert recipient.final_recipient.endswith(".example")


@pytest.mark.parametrize("name", sorted(file.stem for file in RECORDED.glob("*.eml")))
def test_every_recorded_notification_leads_back_to_its_message(name: str) -> None:
    report = read_report(recorded(name))

    [mark] = [mark_in(address, MAILBOX) for address in report.addressed_to]
    assert mark is not None
    assert is_genuine(mark, key=KEY)
    number = mark.reference[0]
    assert report.message_ids == (f"<m{number}@example.com>",)
    if not name.startswith("opensmtpd"):
        assert report.envelope_id == f"{report.addressed_to[0][8:48]}+{number}"


def test_an_envelope_id_is_kept_as_written_too_since_only_some_decode_it() -> None:
    assert str(read_report(recorded("exim-blocked")).envelope_id_as_written).endswith("+2B2")
    assert str(read_report(recorded("postfix-blocked")).envelope_id_as_written).endswith("+2")


STATUS = "Reporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; a@recipient.example\nAction: failed\nStatus: {}\n"
AUTHOR = "From: <MAILER-DAEMON@mx.example.net>\nTo: <bounces@example.com>\n"


def multipart(*parts: str, of: str = "report; report-type=delivery-status", head: str = AUTHOR) -> bytes:
    body = "".join(f"--=_b\n{part}\n" for part in parts)
    return f'{head}Content-Type: multipart/{of}; boundary="=_b"\n\nA preamble.\n{body}--=_b--\n'.encode()


def stating(*blocks: str) -> bytes:
    return multipart("Content-Type: message/delivery-status\n\n" + "\n\n".join(blocks))


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


# Written after what Exchange Online is documented to send; not recorded.
EXCHANGE = """\
From: <postmaster@tenant.example>
To: <bounces+x@example.com>
Date: Mon, 30 Nov 2026 07:00:00 +0000
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="d8e5d0a1-0001-4d00-9000-000000000001"
Content-Language: en-US
Message-ID: <0001@TENANT.example>
In-Reply-To: <m1@example.com>
References: <m1@example.com>
Subject: Undeliverable: Notice
Auto-Submitted: auto-replied
X-MS-Exchange-Message-Is-Ndr:

--d8e5d0a1-0001-4d00-9000-000000000001
Content-Type: multipart/alternative; differences=Content-Type;
\tboundary="d8e5d0a1-0001-4d00-9000-000000000002"

--d8e5d0a1-0001-4d00-9000-000000000002
Content-Type: text/plain; charset="us-ascii"

Your message to a@recipient.example couldn't be delivered.

--d8e5d0a1-0001-4d00-9000-000000000002
Content-Type: text/html; charset="us-ascii"

<html><body>Your message to a@recipient.example couldn't be delivered.</body></html>

--d8e5d0a1-0001-4d00-9000-000000000002--

--d8e5d0a1-0001-4d00-9000-000000000001
Content-Type: message/delivery-status

Reporting-MTA: dns;AB0PR01MB0001.tenant.example
Received-From-MTA: dns;mta.example.com
Arrival-Date: Mon, 30 Nov 2026 07:00:00 +0000

Final-Recipient: rfc822;a@recipient.example
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient a@recipient.example not found by SMTP address lookup

--d8e5d0a1-0001-4d00-9000-000000000001
Content-Type: message/rfc822

Return-Path: bounces+x@example.com
From: notice@example.com
Message-ID: <m1@example.com>
Subject: Notice
Content-Type: multipart/alternative; boundary="inner"

--inner--

--d8e5d0a1-0001-4d00-9000-000000000001--
"""


def test_a_non_delivery_report_of_exchange_is_read() -> None:
    report = read_report(EXCHANGE.encode())

    assert (report.kind, report.by) == (Kind.failed, By.dsn)
    assert only(report).address_is_dead
    assert report.message_ids == ("<m1@example.com>",)
    assert report.return_paths == ("bounces+x@example.com",)
    assert report.reporting_mta == "AB0PR01MB0001.tenant.example"


# Written after the definition of the format (QSBMF); not recorded.
QMAIL = """\
Return-Path: <>
Delivered-To: bounces+x@example.com
Date: 30 Nov 2026 07:00:00 -0000
From: MAILER-DAEMON@mx.example.net
To: bounces+x@example.com
Subject: failure notice

Hi. This is the qmail-send program at mx.example.net.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<a@recipient.example>:
Sorry, no mailbox here by that name. (#5.1.1)

<b@recipient.example>:
192.0.2.1 does not like recipient.
Remote host said: 550 5.7.1 We do not want this (#5.1.1)
Giving up on 192.0.2.1.

--- Below this line is a copy of the message.

Return-Path: <bounces+x@example.com>
From: notice@example.com
Message-ID: <m1@example.com>

<c@recipient.example>:
part of what was sent
"""


def test_a_failure_in_qmails_own_format_is_read() -> None:
    report = read_report(QMAIL.encode())

    assert (report.kind, report.by) == (Kind.failed, By.heuristic)
    assert [one.final_recipient for one in report.recipients] == [
        "a@recipient.example",
        "b@recipient.example",
    ]
    assert [verdict(one) for one in report.recipients] == [DEAD, BLOCKED]
    assert report.message_ids == ("<m1@example.com>",)
    assert report.addressed_to == ("bounces+x@example.com",)


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


# What flufl.bounce reads and nothing here does.
IN_WORDS = b"""\
From: Mail Delivery System <Mailer-Daemon@mx.example.net>
To: bounces+x@example.com
X-Failed-Recipients: a@recipient.example
Auto-Submitted: auto-replied
Subject: Mail delivery failed: returning message to sender

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  a@recipient.example
    unknown user

------ This is a copy of the message, including all the headers. ------

From: notice@example.com
Message-ID: <m1@example.com>
"""


def test_what_is_told_in_other_words_is_read_by_flufl_bounce_and_has_no_status() -> None:
    pytest.importorskip("flufl.bounce")

    report = read_report(IN_WORDS)

    assert (report.kind, report.by) == (Kind.failed, By.heuristic)
    assert only(report) == RecipientReport(Kind.failed, final_recipient="a@recipient.example")
    assert not only(report).permanent
    assert report.message_ids == ("<m1@example.com>",)


def test_without_flufl_bounce_other_words_are_unclear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flufl.bounce", None)

    report = read_report(IN_WORDS)

    assert (report.kind, report.by) == (Kind.unclear, By.none)
    assert report.message_ids == ("<m1@example.com>",)


@given(st.binary(max_size=2000))
def test_any_bytes_are_read(raw: bytes) -> None:
    assert isinstance(read_report(raw), Report)


SAMPLES = [file.read_bytes() for file in sorted(RECORDED.glob("*.eml"))] + [
    QMAIL.encode(),
    EXCHANGE.encode(),
    IN_WORDS,
]


@given(
    st.sampled_from(SAMPLES),
    st.lists(st.tuples(st.integers(0, 4000), st.binary(max_size=12), st.integers(0, 60)), max_size=6),
)
@settings(max_examples=300)
def test_a_damaged_notification_is_read(raw: bytes, damages: list[tuple[int, bytes, int]]) -> None:
    for at, put, dropped in damages:
        raw = raw[:at] + put + raw[at + dropped :]

    assert isinstance(read_report(raw), Report)


@given(
    st.text(alphabet="-=_b:;<>@.,\"' \n\r\t()#5417+abcMU\u0660é", max_size=400),
    st.sampled_from(["head", "status", "text"]),
)
@settings(max_examples=300)
def test_any_text_in_any_place_is_read(text: str, place: str) -> None:
    if place == "head":
        raw = multipart(STATUS.format("5.1.1"), head=text)
    elif place == "status":
        raw = stating(text)
    else:
        raw = f"From: MAILER-DAEMON@x\n\nHi. This is the\n\n<{text}".encode()

    assert isinstance(read_report(raw), Report)


def nested(depth: int, *, multipart_too: bool) -> bytes:
    level = b"Content-Type: message/rfc822\n\n"
    if multipart_too:
        level = b'Content-Type: multipart/mixed; boundary="b"\n\n--b\n' + level
    return level * depth


BIG = 30_000_000
IN_B = b"Content-Type: multipart/mixed; boundary=b\n\n"
IN_BASE64 = "Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n"
IN_QMAILS_WORDS = b"From: MAILER-DAEMON@x\n\nHi. This is the\n\n"
HOSTILE: dict[str, Callable[[], bytes]] = {
    "messages in messages": lambda: nested(200_000, multipart_too=False),
    "parts in parts": lambda: nested(100_000, multipart_too=True),
    "one field of 30 MB": lambda: b"To: " + b"a@b," * (BIG // 4),
    "a folded field": lambda: b"To: x\n" + b" a@b,\n" * (BIG // 6),
    "fields": lambda: b"To: a@b\n" * (BIG // 8),
    "header lines without a colon": lambda: b"x\n" * (BIG // 2),
    "parts": lambda: IN_B + b"--b\n\nx\n" * (BIG // 7),
    "almost boundaries": lambda: IN_B + (b"--b" + b" " * 5000 + b"x\n") * 6000,
    "recipients": lambda: stating(*["Final-Recipient: rfc822; a@b\nAction: failed"] * 600_000),
    "fields that repeat": lambda: stating("Action: failed\n" * 2_000_000),
    "digits": lambda: stating(
        "Action: failed\nDiagnostic-Code: " + "550 5.1." * 900 + "\nStatus: " + "5.1.1." * (BIG // 6)
    ),
    "quotes": lambda: b"Content-Type: multipart/mixed" + b'; boundary="' * (BIG // 12) + b"\n\n--b\n",
    "message ids": lambda: b"References: " + b"<a" * (BIG // 2),
    "empty lines": lambda: b"\n" * BIG,
    "paragraphs": lambda: IN_QMAILS_WORDS + b"<a@b>:\n\n" * (BIG // 8),
    "blanks": lambda: IN_QMAILS_WORDS + (b"\n" + b" " * 500) * (BIG // 500),
    "base64": lambda: multipart(IN_BASE64 + "QQ=\n" * (BIG // 4)),
    "headers that all begin parts": lambda: b"Content-Type: message/rfc822; boundary=b\n" * 2000 + b"\n" * 9,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_input_is_read_in_bounded_time(what: str) -> None:
    raw = HOSTILE[what]()
    began = time.monotonic()

    assert isinstance(read_report(raw), Report)

    assert time.monotonic() - began < 5


def test_a_report_is_a_value() -> None:
    report = read_report(recorded("postfix-blocked"))

    assert replace(report, kind=report.kind) == report
    assert hash(report) == hash(read_report(recorded("postfix-blocked")))
