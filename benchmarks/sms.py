"""How fast SMS leave over SMPP: the whole path with a window of 10, beside a loop that sends one at a time with smpplib.

Ours unseals each person, renders, writes the intent, sends and writes the outcome; the campaign ends within the time.
Both send the same notice to the same people, each to a sink of its own (`sms_sink.py`). What the sink counted must be
what the ledger says, or there is no figure.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks.email_workspace import PEOPLE as LIST
from benchmarks.email_workspace import ledger, prepare
from benchmarks.measure import CommandFailed, Line, Result, Sample, median_of
from benchmarks.sms_senders import CODE, NAME, Job, Reader
from benchmarks.sms_sink import HOST, sms_sink
from benchmarks.timed_senders import time_sender
from incident.notice.channels import Sms
from incident.notice.render import CHILD_NAME, DATA_TYPES_OF_PERSON, PERSON_NAME
from incident.notice.render import CODE as CODE_SLOT
from incident.ops.drill_estate import write_people

PEOPLE = 2_000
ROUNDS = 3
WINDOW = 10
# From the first octet of a message to that of its answer. Light needs 10 ms there and back through 1,000 km of fibre
# (5 µs a kilometre), and a line within one country is longer than the way on a map; the centre answers once it has
# stored the message. More would flatter us: the slower the answers, the nearer a window of 10 comes to ten times.
ANSWER_MS = 20
_DELAYS = {"": ANSWER_MS, ", answered at once": 0}
"""By what is added to a sender's name."""
# So slow that a round would take minutes: what is compared is messages a second.
_FEWER = {("smpplib_loop", ANSWER_MS): 150}
_SENDERS = "benchmarks.sms_senders"
_SOURCE = "10690000"
_NOBODY = 9  # the discard port: nothing is sent from the workspace that the texts are taken from
_KINDS = {"zh-Hans": "手机号码", "en": "phone number"}


@dataclass(frozen=True, slots=True)
class Turn:
    """One sender's turn: how many texts arrived, in how many messages, and what that took."""

    texts: int
    parts: int
    sample: Sample

    @property
    def rate(self) -> float:
        return self.texts / self.sample.wall


SendOurs = Callable[[Path, int, int], Turn]


def send_with_tocsin(folder: Path, people: int, delay_ms: int) -> Turn:
    """The whole path by the real worker, to so many people, in an empty folder, to a sink with this delay."""
    with sms_sink(delay_ms) as sink:
        prepared = prepare(
            folder / "workspace",
            people=people,
            port=_NOBODY,
            more_settings=_centre_table(sink.port, folder / "password"),
            write_list=_write_list,
        )
        prepared.house.store.close()
        job = Job(sink.port, workspace=str(prepared.house.workspace.root))
        sample = time_sender(_SENDERS, "tocsin", job.to_json(), folder)
        counted = sink.counted()
    told = ledger(prepared)
    prepared.house.store.close()
    if not (told.adds_up and counted.texts == told.accepted == told.attempts == people) or counted.unfinished:
        raise CommandFailed(f"the sink counted {counted}, and the ledger says {told}")
    return Turn(counted.texts, counted.parts, sample)


def _centre_table(port: int, password: Path) -> str:
    password.write_text("s3cret", encoding="utf-8")
    return f"""
[sms.smpp]
host = "{HOST}"
port = {port}
system_id = "tocsin"
password = "file:{password}"
sender = "{_SOURCE}"
window = {WINDOW}
processor = "benchmark"
country = "cn"

[fallback]
means = ["sms"]
"""


def _write_list(file: Path, count: int) -> None:
    """The drill's people as grown-ups whose numbers alone are known."""
    write_people(file, count=count)
    with file.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    kept = ("客户编号", "姓名", "手机号", "语言", "信息种类")
    with file.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, kept, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def run(people: int = PEOPLE, rounds: int = ROUNDS, send_ours: SendOurs = send_with_tocsin) -> Result:
    """Raises `CommandFailed` when a sender fails, or a count does not agree."""
    taken: dict[str, list[Turn]] = {who + how: [] for how in _DELAYS for who in ("tocsin", "smpplib_loop")}
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as name:
        folder = Path(name)
        job = _job(folder, people)
        for number in range(rounds):
            for how, delay_ms in _DELAYS.items():
                own = folder / f"{number}-{delay_ms}"
                own.mkdir()
                taken[f"tocsin{how}"].append(send_ours(own, people, delay_ms))
                taken[f"smpplib_loop{how}"].append(_send_theirs("smpplib_loop", job, own, delay_ms))
    rates = {who: median(turn.rate for turn in turns) for who, turns in taken.items()}
    samples = {who: median_of([turn.sample for turn in turns]) for who, turns in taken.items()}
    return Result(
        name="sms",
        unit=f"texts a second, median of {rounds}, more is better",
        lines=tuple(Line(who, rates[who], sample.cpu, sample.wall) for who, sample in samples.items()),
        ratios={f"smpplib_loop{how}": rates[f"tocsin{how}"] / rates[f"smpplib_loop{how}"] for how in _DELAYS},
        notes=(
            f"the centre answers each message after {ANSWER_MS} ms, or at once; ours has a window of {WINDOW}",
            "texts a turn, and the messages that they came in: "
            + "; ".join(f"{who} {turns[0].texts} in {turns[0].parts}" for who, turns in taken.items()),
            "each turn was counted by its sink, which agrees with the ledger or with what was to be sent",
        ),
    )


def _send_theirs(who: str, job: Job, folder: Path, delay_ms: int) -> Turn:
    wanted = job.readers[: _FEWER.get((who, delay_ms), len(job.readers))]
    with sms_sink(delay_ms) as sink:
        theirs = replace(job, port=sink.port, readers=wanted)
        sample = time_sender(_SENDERS, who, theirs.to_json(), folder)
        counted = sink.counted()
    if counted.texts != len(wanted) or counted.unfinished:
        raise CommandFailed(f"{who} was to send {len(wanted)} texts, and the sink counted {counted}")
    return Turn(counted.texts, counted.parts, sample)


def _job(folder: Path, people: int) -> Job:
    """The texts are those of the drill's notice; the people are on the list that its workspace imports."""
    prepared = prepare(folder / "texts", people=1, port=_NOBODY)
    prepared.house.store.close()
    texts = {
        language: _text(channels.sms, language)
        for language, channels in prepared.notice.channels.items()
        if channels.sms is not None
    }
    return Job(port=_NOBODY, source=_SOURCE, texts=texts, readers=_readers(folder / LIST, people))


def _text(sms: Sms, language: str) -> str:
    values = {PERSON_NAME: NAME, CODE_SLOT: CODE, CHILD_NAME: "", DATA_TYPES_OF_PERSON: _KINDS[language]}
    return sms.filled(values).text


def _readers(file: Path, people: int) -> tuple[Reader, ...]:
    _write_list(file, people)
    with file.open(encoding="utf-8", newline="") as handle:
        return tuple(_reader(row, number) for number, row in enumerate(csv.DictReader(handle)))


def _reader(row: dict[str, str], number: int) -> Reader:
    is_english = row["语言"] == "en"
    phone = row["手机号"].lstrip("+") if is_english else f"86{row['手机号']}"
    return Reader(row["姓名"], phone, "en" if is_english else "zh-Hans", f"K7P2-4M9Q-{number:03d}")
