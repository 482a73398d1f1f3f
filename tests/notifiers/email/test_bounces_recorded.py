"""What mail servers really wrote; `bounces/README.md` says how each was made to."""

from __future__ import annotations

import pytest

from notifiers.email.bounces import By, Kind, read_report
from notifiers.email.verp import is_genuine, mark_in
from tests.support.notifications import BLOCKED, DEAD, PASSING, PERMANENT, RECORDED, only, recorded, verdict

KEY = b"k" * 32
MAILBOX = "bounces@example.com"


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
