"""What the terminal says of a sending by e-mail and SMS: each means by its name, and what failed before."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support.breaches import Affected, Breach
from tests.support.commands import Answer, run
from tests.support.message_centre import ANSWERS, MessageCentre, message_centre
from tests.support.relays import RecordingRelay, recording_relay
from tests.support.sms_sendings import by_sms_only, live_to_the_end, number, sms_breach

REFUSED = "refused@example.org"
PEOPLE = [
    Affected("C00001", email="ann@example.org"),
    Affected("C00002", email=REFUSED, phone=number(7022)),
    Affected("C00003", email=f"also-{REFUSED}", phone=number(13)),
    *(replace(each, reference=f"C1{each.reference}") for each in by_sms_only(2)),
    Affected("C00009", phone=number(21), born="2015-01-01"),
]
"""By e-mail; by SMS after it was refused; refused over both; by SMS alone, two; a child, whom only people tell."""


@dataclass
class Sent:
    breach: Breach
    centre: MessageCentre

    def say(self, *words: str, language: str = "en") -> Answer:
        answer = run(
            "--workspace",
            self.breach.made.workspace.root,
            *words,
            environment={"INCIDENT_LANGUAGE": language},
        )
        assert answer.code == 0, answer.text
        return answer


@pytest.fixture
def relay() -> Iterator[RecordingRelay]:
    with recording_relay() as relay:
        relay.at_rcpt = lambda address: "550 5.1.1 unknown" if REFUSED in address else None
        yield relay


@pytest.fixture
def sent(tmp_path: Path, relay: RecordingRelay) -> Iterator[Sent]:
    with message_centre(answers=ANSWERS) as centre:
        breach = sms_breach(tmp_path, PEOPLE, centre_port=centre.port, relay_port=relay.port)
        live_to_the_end(breach)
        yield Sent(breach, centre)


def test_status_tells_the_means_apart(sent: Sent) -> None:
    text = sent.say("notice", "status", sent.breach.id).out
    assert "notice by e-mail and SMS, opened" in text
    for said, people in (
        ("accepted by the relay", 1),
        ("accepted by the SMS carrier", 3),
        ("unreachable: no e-mail address", 1),
        ("unreachable: the SMS carrier refused it", 1),
        ("of all, went on to the next means after one had failed", 2),
    ):
        assert re.search(rf"{said} +{people}\b", text), text
    assert "the mail server refused it" not in text
    chinese = sent.say("notice", "status", sent.breach.id, language="zh-Hans").out
    assert "短信通道拒收" in chinese and "对方邮件服务器拒收" not in chinese


def test_status_as_a_document_counts_by_means(sent: Sent) -> None:
    [campaign] = sent.say("notice", "status", sent.breach.id, "--json").document["campaigns"]
    assert (campaign["expected"], campaign["accepted"], campaign["adds_up"]) == (6, 4, True)
    assert campaign["accepted_by"] == {"email": 1, "sms": 3}
    assert campaign["unreachable"] == {"no_email": 1, "refused": 1}
    assert campaign["unreachable_by"] == {"email": {"no_email": 1}, "sms": {"refused": 1}}
    assert campaign["moved_on"] == 2


@pytest.mark.parametrize(
    ("language", "failed", "why"),
    [
        ("en", "e-mail: the mail server refused it", "the SMS carrier refused it"),
        ("zh-Hans", "电子邮件: 对方邮件服务器拒收", "短信通道拒收"),
    ],
)
def test_the_list_says_what_failed_before(sent: Sent, language: str, failed: str, why: str) -> None:
    text = sent.say("deliveries", sent.breach.id, "--format", "csv", language=language).out
    rows = list(csv.DictReader(io.StringIO(text)))
    assert sorted(row["Failed before"] for row in rows) == ["", "", "", "", failed, failed]
    [over_both] = [row for row in rows if row["State"] == "unreachable" and row["Channel"] == "sms"]
    assert (over_both["Why"], over_both["Failed before"]) == (why, failed)
    assert "Failed before" in sent.say("deliveries", sent.breach.id, language=language).out


def test_scripts_read_what_failed_before(sent: Sent) -> None:
    lines = sent.say("deliveries", sent.breach.id, "--json").document
    failed = [{"channel": "email", "reason": "refused"}]
    assert sorted(len(line["failed_before"]) for line in lines) == [0, 0, 0, 0, 1, 1]
    assert all(line["failed_before"] in ([], failed) for line in lines)


def test_whom_no_sms_from_here_may_tell_is_left_to_people(sent: Sent) -> None:
    text = sent.say("deliveries", sent.breach.id, "--unreached", "--format", "csv").out
    steps = {row["Why"]: row["What happens next"] for row in csv.DictReader(io.StringIO(text))}
    assert steps["no e-mail address"].startswith("by SMS, by hand, asking for a parent or guardian: +86 138")
    assert "by SMS, by hand" in sent.say("notice", "status", sent.breach.id).out


def test_a_code_is_ours_over_each_means_that_was_tried(sent: Sent) -> None:
    texts = sent.centre.texts()[number(7022).lstrip("+")]
    code = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{3}", texts[0])
    assert code is not None, texts
    text = sent.say("notice", "verify", sent.breach.id, code[0]).out
    assert re.search(r"by e-mail on .+, by SMS on .+ \(accepted\)", text)
    answer = sent.say("notice", "verify", sent.breach.id, code[0], "--json").document
    assert (answer["channel"], list(answer["sent"])) == ("sms", ["email", "sms"])


def test_of_e_mail_alone_the_account_names_nothing_else(tmp_path: Path, relay: RecordingRelay) -> None:
    breach = sms_breach(tmp_path, PEOPLE[:1], centre_port=9, relay_port=relay.port)
    live_to_the_end(breach)
    text = run("--workspace", breach.made.workspace.root, "notice", "status", breach.id).out
    assert "notice by e-mail, opened" in text
    assert "SMS carrier" not in text


def test_send_says_who_fetches_receipts_where_nobody_stays(tmp_path: Path, relay: RecordingRelay) -> None:
    said = "a worker that stays fetches it, `incident worker`"
    with message_centre() as centre:
        breach = sms_breach(tmp_path, by_sms_only(1), centre_port=centre.port, relay_port=relay.port)
        answer = run("--workspace", breach.made.workspace.root, "notice", "send", breach.id)
    assert answer.code == 0, answer.text
    assert answer.err.count(said) == 1


def test_the_plan_says_what_leaves_from_here(sent: Sent) -> None:
    assert "SMS to grown-up persons" in sent.say("plan", sent.breach.id).out
    assert "发给成年人本人的短信" in sent.say("plan", sent.breach.id, language="zh-Hans").out
