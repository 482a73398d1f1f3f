"""The senders that the benchmark `sms` compares, each in a process of its own: `SENDER JOB` prints wall and CPU seconds.

What is timed is sending only, from connecting on: packages are loaded and the job is read before. The peer gets for
nothing what Tocsin pays for: its people lie in memory, unsealed, and it keeps no ledger.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from benchmarks.sms_sink import HOST
from benchmarks.timed_senders import Send, run_as_sender, work_until_ended

NAME, CODE = "%name%", "%code%"
"""Where persons differ in a text."""
_ACCOUNT = {"system_id": "tocsin", "password": "s3cret"}
"""The sink lets everybody in."""


@dataclass(frozen=True, slots=True)
class Reader:
    """One person as a peer knows them. `number` is international, without a plus."""

    name: str
    number: str
    language: str
    code: str


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be sent to which port: one text a language, one SMS a reader. Ours reads all of it from `workspace`."""

    port: int
    source: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    readers: Sequence[Reader] = ()
    workspace: str = ""

    def text_for(self, reader: Reader) -> str:
        return self.texts[reader.language].replace(NAME, reader.name).replace(CODE, reader.code)

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)


def job_from_json(text: str) -> Job:
    """The job as `Job.to_json` wrote it."""
    data = json.loads(text)
    data["readers"] = tuple(Reader(**reader) for reader in data["readers"])
    return Job(**data)


def tocsin(job: Job) -> Send:
    """The whole path by the real worker: unseal, render, intent, send, outcome, until the campaign has ended."""
    return work_until_ended(job.workspace)


def smpplib_loop(job: Job) -> Send:
    """As smpplib's README sends, one at a time: a part, its answer, the next part."""
    import smpplib.client
    import smpplib.consts
    import smpplib.gsm

    # It says every PDU in hex to whoever listens; nobody does.
    logging.disable(logging.WARNING)

    def send() -> None:
        client = smpplib.client.Client(HOST, job.port, timeout=60, allow_unknown_opt_params=True)
        client.set_message_sent_handler(lambda pdu: None)
        client.connect()
        client.bind_transceiver(**_ACCOUNT)
        for reader in job.readers:
            parts, encoding, esm_class = smpplib.gsm.make_parts(job.text_for(reader))
            for part in parts:
                client.send_message(
                    source_addr_ton=smpplib.consts.SMPP_TON_ALNUM,
                    source_addr=job.source,
                    dest_addr_ton=smpplib.consts.SMPP_TON_INTL,
                    dest_addr_npi=smpplib.consts.SMPP_NPI_ISDN,
                    destination_addr=reader.number,
                    short_message=part,
                    data_coding=encoding,
                    esm_class=esm_class,
                    registered_delivery=True,
                )
                # Raises PDUError for an answer with an error.
                client.read_once()
        client.unbind()
        client.disconnect()

    return send


SENDERS = {each.__name__: each for each in (tocsin, smpplib_loop)}


if __name__ == "__main__":
    run_as_sender(SENDERS, job_from_json)
