"""Notifications about messages: the recorded ones, and such as tests put together."""

from __future__ import annotations

from pathlib import Path

from notifiers.email.bounces import RecipientReport, Report

RECORDED = Path(__file__).parents[1] / "notifiers/email/bounces"
DEAD, PERMANENT, BLOCKED, PASSING = "dead", "permanent", "blocked", "passing"


def recorded(name: str) -> bytes:
    """What a mail server wrote: tests/notifiers/email/bounces/README.md."""
    return (RECORDED / f"{name}.eml").read_bytes()


def only(report: Report) -> RecipientReport:
    """Its one recipient."""
    [recipient] = report.recipients
    return recipient


def verdict(recipient: RecipientReport) -> str:
    """What its properties say together, in one word."""
    if recipient.address_is_dead:
        return DEAD
    if recipient.blocked:
        return BLOCKED
    return PERMANENT if recipient.permanent else PASSING


STATUS = "Reporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; a@recipient.example\nAction: failed\nStatus: {}\n"
AUTHOR = "From: <MAILER-DAEMON@mx.example.net>\nTo: <bounces@example.com>\n"


def multipart(*parts: str, of: str = "report; report-type=delivery-status", head: str = AUTHOR) -> bytes:
    """A message of these parts, each with a header of its own in front of its first empty line."""
    body = "".join(f"--=_b\n{part}\n" for part in parts)
    return f'{head}Content-Type: multipart/{of}; boundary="=_b"\n\nA preamble.\n{body}--=_b--\n'.encode()


def stating(*blocks: str) -> bytes:
    """A notification whose delivery status has these groups of fields."""
    return multipart("Content-Type: message/delivery-status\n\n" + "\n\n".join(blocks))


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
