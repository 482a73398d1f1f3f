"""How fast notices leave: the whole path in one process, beside programs that only send.

Ours unseals each person, renders, writes the intent, sends and writes the outcome; the campaign ends within the time.
Every sender talks to a Postfix `smtp-sink` of its own on loopback, over one connection (Apprise makes one for each
message). What the sink counted must be what the ledger says, or there is no figure.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks.email_senders import HOST, Job
from benchmarks.email_workspace import Prepared, example, ledger, prepare, readers
from benchmarks.measure import CommandFailed, Line, Result, Sample, median_of, run_command
from benchmarks.sink import counted, free_port, program, sink_on
from benchmarks.timed_senders import time_sender

# So many that the start of the program is no part of a rate.
PEOPLE = 10_000
ROUNDS = 3
# Slow peers send fewer, so that no round takes minutes: what is compared is messages a second.
_FEWER = {"smtplib_loop": 600, "apprise": 200}
_PEERS = ("smtplib_loop", "apprise", "aiosmtplib_raw", "smtp_source")
_SENDERS = "benchmarks.email_senders"


@dataclass(frozen=True)
class _Run:
    """One sender's turn: how many messages it was to send, and what that took."""

    messages: int
    sample: Sample

    @property
    def rate(self) -> float:
        return self.messages / self.sample.wall


def run(people: int = PEOPLE, rounds: int = ROUNDS) -> Result:
    """Raises `CommandFailed` when a program is missing, a sender fails, or a count does not agree."""
    sink, source = program("smtp-sink"), program("smtp-source")
    taken: dict[str, list[_Run]] = {who: [] for who in ("tocsin", *_PEERS)}
    size = 0
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        for number in range(rounds):
            port = free_port()
            prepared = prepare(Path(folder) / f"workspace-{number}", people=people, port=port)
            job = _job(prepared, port)
            size = len(job.raw)
            taken["tocsin"].append(_send_ours(prepared, job, Path(folder), sink))
            for who in _PEERS:
                taken[who].append(_send_theirs(who, job, Path(folder), sink, source))
    rates = {who: median(one.rate for one in runs) for who, runs in taken.items()}
    return Result(
        name="email",
        unit=f"messages a second, median of {rounds}, more is better",
        lines=tuple(
            Line(who, rates[who], sample.cpu, sample.wall)
            for who, sample in ((who, median_of([one.sample for one in runs])) for who, runs in taken.items())
        ),
        ratios={who: rates["tocsin"] / rates[who] for who in _PEERS},
        notes=(
            f"messages a turn: {', '.join(f'{who} {runs[0].messages}' for who, runs in taken.items())}",
            f"a message has {size} bytes; each turn was counted by its sink and agrees with the ledger",
        ),
    )


def _job(prepared: Prepared, port: int) -> Job:
    return Job(
        port=port,
        sender=prepared.notice.from_address,
        letters=prepared.letters,
        readers=readers(prepared),
        raw=example(prepared).decode("ascii"),
        workspace=str(prepared.house.workspace.root),
    )


def _send_ours(prepared: Prepared, job: Job, folder: Path, sink: str) -> _Run:
    prepared.house.store.close()
    with sink_on(sink, job.port, folder) as counter:
        sample = time_sender(_SENDERS, "tocsin", job.to_json(), folder)
    told = ledger(prepared)
    prepared.house.store.close()
    caught = counted(counter)
    if not (told.adds_up and caught == told.accepted == told.attempts):
        raise CommandFailed(f"the sink counted {caught} messages, and the ledger says {told}")
    return _Run(caught, sample)


def _send_theirs(who: str, job: Job, folder: Path, sink: str, source: str) -> _Run:
    port = free_port()
    wanted = min(_FEWER.get(who, len(job.readers)), len(job.readers))
    theirs = replace(job, port=port, readers=job.readers[:wanted])
    with sink_on(sink, port, folder) as counter:
        if who == "smtp_source":
            # -d keeps the connection; -l is the length of a message with its headers.
            options = ("-4", "-d", "-s", "1", "-m", str(wanted), "-l", str(len(job.raw)))
            envelope = ("-f", job.sender, "-t", theirs.readers[0].email)
            sample = run_command((source, *options, *envelope, f"{HOST}:{port}"))
        else:
            sample = time_sender(_SENDERS, who, theirs.to_json(), folder)
    caught = counted(counter)
    if caught != wanted:
        raise CommandFailed(f"{who} was to send {wanted} messages, and the sink counted {caught}")
    return _Run(wanted, sample)
