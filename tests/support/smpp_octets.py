"""SMPP 3.4 read and written by the tests themselves, so that an error of the product's own codec cannot hide."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from tests.support.concatenation import Part

HEADER = struct.Struct(">IIII")
_RESPONSE = 0x80000000
# The specification has 9 octets; some operators give longer ones.
_LONGEST_PASSWORD = 65
_BY_OCTET = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
"""3GPP TS 23.038, 6.2.1."""
_ESCAPED = dict(zip("\nΛ()/<=>¡e", "\f^{}\\[~]|€", strict=True))
"""The extension table, 6.2.1.1, by what the octet after the escape means without it."""

_STATES = {"ENROUTE": 1, "DELIVRD": 2, "EXPIRED": 3, "DELETED": 4, "UNDELIV": 5, "ACCEPTD": 6, "REJECTD": 8}
"""message_state (5.2.28), in the words of Appendix B."""


class Command(IntEnum):
    """command_id (5.1.2.1)."""

    GENERIC_NACK = _RESPONSE
    BIND_RECEIVER = 0x01
    BIND_RECEIVER_RESP = _RESPONSE | 0x01
    BIND_TRANSMITTER = 0x02
    BIND_TRANSMITTER_RESP = _RESPONSE | 0x02
    SUBMIT_SM = 0x04
    SUBMIT_SM_RESP = _RESPONSE | 0x04
    DELIVER_SM = 0x05
    DELIVER_SM_RESP = _RESPONSE | 0x05
    UNBIND = 0x06
    UNBIND_RESP = _RESPONSE | 0x06
    BIND_TRANSCEIVER = 0x09
    BIND_TRANSCEIVER_RESP = _RESPONSE | 0x09
    ENQUIRE_LINK = 0x15
    ENQUIRE_LINK_RESP = _RESPONSE | 0x15


BINDS = frozenset({Command.BIND_RECEIVER, Command.BIND_TRANSMITTER, Command.BIND_TRANSCEIVER})


class BadPdu(Exception):
    """The octets are no PDU that the specification allows."""


@dataclass(frozen=True, slots=True)
class Pdu:
    """A PDU with its body unread."""

    command: int
    status: int
    sequence: int
    body: bytes = b""

    @property
    def is_response(self) -> bool:
        return bool(self.command & _RESPONSE)

    def octets(self) -> bytes:
        return HEADER.pack(HEADER.size + len(self.body), self.command, self.status, self.sequence) + self.body


def answer_to(asked: Pdu, *, status: int = 0, body: bytes = b"") -> Pdu:
    """The response to a PDU; one with an error has no body (4.1.2, 4.4.2)."""
    return Pdu(asked.command | _RESPONSE, status, asked.sequence, b"" if status else body)


@dataclass(frozen=True, slots=True)
class Submit:
    """A submit_sm or a deliver_sm (4.4.1, 4.6.1)."""

    source: str
    destination: str
    esm_class: int
    registered_delivery: int
    data_coding: int
    message: bytes
    parameters: Mapping[int, bytes]
    validity_period: str

    @property
    def udh(self) -> bytes:
        """The user data header with its length (esm_class 0x40, 5.2.12)."""
        return self.message[: self.message[0] + 1] if self.esm_class & 0x40 and self.message else b""

    @property
    def text(self) -> str:
        return _decoded(self.message[len(self.udh) :], self.data_coding)

    @property
    def part(self) -> Part:
        return Part(self.source, self.destination, self.udh, self.text)


class _Body:
    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    def octet(self) -> int:
        return self.some(1)[0]

    def some(self, number: int) -> bytes:
        taken = self._octets[self._at : self._at + number]
        if len(taken) < number:
            raise BadPdu(f"the body ends {number - len(taken)} octets too early")
        self._at += number
        return taken

    def words(self, name: str, most: int) -> str:
        """A C-octet string of at most so many octets with its NUL."""
        end = self._octets.find(b"\0", self._at)
        if end < 0 or end - self._at >= most:
            raise BadPdu(f"{name} has no end within {most} octets")
        return self.some(end - self._at + 1)[:-1].decode("ascii")

    def is_over(self) -> bool:
        return self._at == len(self._octets)


def read_submit(pdu: Pdu) -> Submit:
    """The body of a submit_sm or a deliver_sm. Raises `BadPdu`."""
    body = _Body(pdu.body)
    body.words("service_type", 6)
    body.some(2)
    source = body.words("source_addr", 21)
    body.some(2)
    destination = body.words("destination_addr", 21)
    esm_class = body.octet()
    body.some(2)
    body.words("schedule_delivery_time", 17)
    validity_period = body.words("validity_period", 17)
    registered_delivery = body.octet()
    body.some(1)
    data_coding = body.octet()
    body.some(1)
    message = body.some(body.octet())
    parameters: dict[int, bytes] = {}
    while not body.is_over():
        tag, length = struct.unpack(">HH", body.some(4))
        parameters[tag] = body.some(length)
    if len(message) > 254:
        raise BadPdu("short_message holds at most 254 octets (5.2.22)")
    payload = parameters.get(0x0424, b"")
    return Submit(
        source,
        destination,
        esm_class,
        registered_delivery,
        data_coding,
        message or payload,
        parameters,
        validity_period,
    )


def deliver_body(
    source: str,
    destination: str,
    message: bytes,
    *,
    esm_class: int = 0,
    data_coding: int = 0,
    parameters: Mapping[int, bytes] | None = None,
) -> bytes:
    """The body of a deliver_sm between international numbers (ton 1, npi 1)."""
    addresses = b"\x01\x01%b\0\x01\x01%b\0" % (source.encode("ascii"), destination.encode("ascii"))
    head = b"\0" + addresses + bytes([esm_class, 0, 0, 0, 0, 0, 0, data_coding, 0, len(message)])
    tail = [struct.pack(">HH", tag, len(value)) + value for tag, value in (parameters or {}).items()]
    return head + message + b"".join(tail)


def receipt_body(message_id: str, state: str, *, number: str, sender: str = "10690000") -> bytes:
    """The body of a deliver_sm with a receipt, in words (Appendix B) and in parameters (5.3.2.12, 5.3.2.35)."""
    good = "001" if state == "DELIVRD" else "000"
    dates = "submit date:2603040506 done date:2603040507"
    words = f"id:{message_id} sub:001 dlvrd:{good} {dates} stat:{state} err:000 text:"
    parameters = {0x001E: message_id.encode() + b"\0"}
    if state in _STATES:
        parameters[0x0427] = bytes([_STATES[state]])
    return deliver_body(number, sender, words.encode(), esm_class=0x04, parameters=parameters)


def read_bind(pdu: Pdu) -> tuple[str, str, int]:
    """system_id, password and interface_version (4.1.1). Raises `BadPdu`."""
    body = _Body(pdu.body)
    system_id = body.words("system_id", 16)
    password = body.words("password", _LONGEST_PASSWORD)
    body.words("system_type", 13)
    version = body.octet()
    body.some(2)
    body.words("address_range", 41)
    if not body.is_over():
        raise BadPdu("a bind has no optional parameters")
    return system_id, password, version


def _decoded(octets: bytes, data_coding: int) -> str:
    if data_coding == 8:
        return octets.decode("utf-16-be", "replace")
    if data_coding in (1, 3):
        return octets.decode("latin-1")
    plain = [_BY_OCTET[octet] if octet < 128 else "\N{REPLACEMENT CHARACTER}" for octet in octets]
    text, letters = "", iter(plain)
    for letter in letters:
        text += _ESCAPED.get(next(letters, ""), "\N{REPLACEMENT CHARACTER}") if letter == "\x1b" else letter
    return text
