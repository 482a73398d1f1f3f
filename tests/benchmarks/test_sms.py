"""The benchmark `sms`: its sink counts what it takes, and what it counted is what was to be sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import sms
from benchmarks.measure import CommandFailed, Sample
from benchmarks.sms import Turn
from benchmarks.sms_senders import Job, job_from_json
from benchmarks.sms_sink import Counted, sms_sink
from incident.notice.sms_text import sms_text
from tests.support.smpp_client import BIND, Client
from tests.support.smpp_octets import Command, Pdu, deliver_body

PEOPLE = 10


def ours_in_their_place(folder: Path, people: int, delay_ms: int) -> Turn:
    """What only sends, as the whole path is not what is tried here."""
    return Turn(people, 3 * people, Sample(wall=1.0, cpu=0.5))


def submit(sequence: int, number: str, message: bytes, *, esm_class: int = 0) -> Pdu:
    return Pdu(Command.SUBMIT_SM, 0, sequence, deliver_body("10690000", number, message, esm_class=esm_class))


@pytest.mark.parametrize("delay_ms", [0, 5])
def test_the_sink_counts_texts_and_parts_and_answers_all_in_their_order(delay_ms: int) -> None:
    first, second, wide = (
        b"\x05\0\x03\x07\x02\x01a",
        b"\x05\0\x03\x07\x02\x02b",
        b"\x06\x08\x04\0\x07\x02\x01a",
    )
    with sms_sink(delay_ms) as sink:
        client = Client(sink.port)
        client.say(
            BIND,
            submit(2, "861", b"whole"),
            submit(3, "862", first, esm_class=0x40),
            submit(4, "863", first, esm_class=0x40),
            submit(5, "862", second, esm_class=0x40),
            submit(6, "862", wide, esm_class=0x40),
        )
        answers = [client.read() for _ in range(6)]
        counted = sink.counted()
        client.say(Pdu(Command.UNBIND, 0, 7), Pdu(0x99, 0, 8))
        farewell = [client.read().command for _ in range(2)]
        client.close()
    assert [(pdu.sequence, pdu.status) for pdu in answers] == [(number, 0) for number in range(1, 7)]
    assert counted == Counted(texts=2, parts=5, unfinished=2, numbers=3)
    assert farewell == [Command.UNBIND_RESP, Command.GENERIC_NACK]


def test_the_peer_is_measured_with_and_without_a_delay_and_reconciled() -> None:
    pytest.importorskip("smpplib", reason="the peers of benchmarks are installed by `make bench`")
    result = sms.run(people=PEOPLE, rounds=1, send_ours=ours_in_their_place)
    document = result.as_document()
    slow, quick = "smpplib_loop", "smpplib_loop, answered at once"
    assert document["ratios"].keys() == {slow, quick}  # type: ignore[attr-defined]
    assert document["figures"].keys() == {  # type: ignore[attr-defined]
        "tocsin", "tocsin, answered at once", slow, quick,
    }  # fmt: skip
    assert f"after {sms.ANSWER_MS} ms" in result.notes[0]
    assert f"{slow} {PEOPLE} in " in result.notes[1]


def test_the_texts_are_those_of_the_notice_in_two_or_three_segments(tmp_path: Path) -> None:
    job = sms._job(tmp_path, PEOPLE)
    assert job_from_json(job.to_json()) == job
    texts = {reader.language: job.text_for(reader) for reader in job.readers}
    assert texts.keys() == {"zh-Hans", "en"}
    assert {len(sms_text(text).segments) for text in texts.values()} <= {2, 3}
    assert "K7P2-4M9Q-" in texts["en"] and "%" not in "".join(texts.values())
    assert {len(reader.number) for reader in job.readers} == {12, 13}


def test_a_peer_whose_texts_did_not_all_arrive_has_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sms, "time_sender", lambda *_: Sample(wall=1.0, cpu=1.0))
    with pytest.raises(
        CommandFailed, match="smpplib_loop was to send 10 texts, and the sink counted Counted"
    ):
        sms.run(people=PEOPLE, rounds=1, send_ours=ours_in_their_place)


def test_a_job_of_ours_names_its_workspace_and_nobody() -> None:
    job = Job(port=1, workspace="somewhere")
    assert job_from_json(job.to_json()) == job
