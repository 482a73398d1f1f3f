"""The senders that the benchmark `email` compares, each in a process of its own: `SENDER JOB` prints wall and CPU seconds.

What is timed is sending only: packages are loaded and the job is read before. The peers get everything for nothing
that Tocsin pays for: their people lie in memory, unsealed, and they keep no ledger.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from benchmarks.timed_senders import Send, run_as_sender, work_until_ended

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Reader:
    """One person as a peer knows them."""

    name: str
    email: str
    language: str
    code: str


@dataclass(frozen=True)
class Letter:
    """A notice in one language; `%person_name%` and the like stand where persons differ."""

    subject: str
    text: str
    html: str

    def of(self, reader: Reader, part: str) -> str:
        values = {"person_name": reader.name, "code": reader.code, "data_types_of_person": "-"}
        for name, value in values.items():
            part = part.replace(f"%{name}%", value)
        return part


@dataclass(frozen=True)
class Job:
    """What is to be sent over which sink. `raw` is one whole message, made by Tocsin."""

    port: int
    sender: str
    letters: Mapping[str, Letter]
    readers: Sequence[Reader]
    raw: str
    workspace: str

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)


def job_from_json(text: str) -> Job:
    """The job as `Job.to_json` wrote it."""
    data = json.loads(text)
    data["letters"] = {language: Letter(**letter) for language, letter in data["letters"].items()}
    data["readers"] = [Reader(**reader) for reader in data["readers"]]
    return Job(**data)


def tocsin(job: Job) -> Send:
    """The whole path by the real worker: unseal, render, intent, send, outcome, until the campaign has ended."""
    return work_until_ended(job.workspace)


def smtplib_loop(job: Job) -> Send:
    """As written by hand: an `EmailMessage` a person, one kept connection."""
    import smtplib
    from email.message import EmailMessage
    from email.utils import formataddr, formatdate, make_msgid

    def send() -> None:
        with smtplib.SMTP(HOST, job.port) as connection:
            for reader in job.readers:
                letter = job.letters[reader.language]
                message = EmailMessage()
                message["From"] = job.sender
                message["To"] = formataddr((reader.name, reader.email))
                message["Subject"] = letter.subject
                message["Date"] = formatdate()
                message["Message-ID"] = make_msgid(domain="example.com")
                message.set_content(letter.of(reader, letter.text))
                message.add_alternative(letter.of(reader, letter.html), subtype="html")
                connection.send_message(message)

    return send


def apprise(job: Job) -> Send:
    """Apprise's mail plugin, which connects for each message."""
    from apprise import Apprise, NotifyFormat

    def send() -> None:
        for reader in job.readers:
            letter = job.letters[reader.language]
            mailbox = Apprise()
            mailbox.add(f"mailto://{HOST}:{job.port}/?from={job.sender}&to={reader.email}&mode=insecure")
            body = letter.of(reader, letter.html)
            if not mailbox.notify(title=letter.subject, body=body, body_format=NotifyFormat.HTML):
                raise RuntimeError(f"Apprise could not send to {reader.email}")

    return send


def aiosmtplib_raw(job: Job) -> Send:
    """aiosmtplib's `sendmail` of ready bytes over one kept connection."""
    from aiosmtplib import SMTP

    message = job.raw.encode("ascii")

    async def send_all() -> None:
        async with SMTP(hostname=HOST, port=job.port, start_tls=False) as connection:
            for reader in job.readers:
                await connection.sendmail(job.sender, [reader.email], message)

    return lambda: asyncio.run(send_all())


SENDERS = {each.__name__: each for each in (tocsin, smtplib_loop, apprise, aiosmtplib_raw)}


if __name__ == "__main__":
    run_as_sender(SENDERS, job_from_json)
