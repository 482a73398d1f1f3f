"""Bounces of messages that a campaign sent, as a mail server would write them."""

from __future__ import annotations

from pathlib import Path

from incident.delivery.return_path import BounceMailbox, mark_for
from incident.store.tables import Delivery
from tests.support.breaches import Breach

MAILBOX = "bounces@notices.example"
MAIL = {"return_path": MAILBOX, "bounces": "bounces"}
"""Settings of `[mail]` for a Maildir in the workspace."""


def make_maildir(root: Path) -> Path:
    for part in ("tmp", "new", "cur"):
        (root / part).mkdir(parents=True)
    return root


def deliver(maildir: Path, raw: bytes, name: str = "1.example") -> Path:
    """Put a message into a Maildir, as a mail server does."""
    there = maildir / "tmp" / name
    there.write_bytes(raw)
    return there.rename(maildir / "new" / name)


def return_path_of(breach: Breach, delivery: Delivery) -> str:
    mark = mark_for(breach.made.store.key(breach.id), delivery.id)
    return BounceMailbox(MAILBOX).path_for(mark)


def bounce(
    *,
    to: str,
    action: str = "failed",
    status: str = "5.1.1",
    said: str = "550 5.1.1 no such user",
    message_id: str = "",
    envelope_id: str = "",
    address: str = "someone@example.org",
) -> bytes:
    """A delivery status notification (RFC 3464)."""
    about = f"Original-Envelope-Id: {envelope_id}\n" if envelope_id else ""
    returned = f"Message-ID: {message_id}\n" if message_id else ""
    text = f"""\
From: MAILER-DAEMON@mta.example
To: {to}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

It could not be delivered.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mta.example
{about}
Final-Recipient: rfc822; {address}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {said}

--b
Content-Type: text/rfc822-headers

From: notice@example.com
{returned}
--b--
"""
    return text.replace("\n", "\r\n").encode()
