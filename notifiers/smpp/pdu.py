"""The PDUs of SMPP 3.4 (Short Message Peer to Peer Protocol Specification v3.4, Issue 1.2) that a client needs. Pure.

A PDU is a header of four 32-bit numbers (length, command, status, sequence; 3.2) and a body. Text fields are read and
written octet for octet as ISO-8859-1: the standard wants ASCII, and so whatever a centre sends there can be shown.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from notifiers.errors import BadPdu

HEADER = 16
LONGEST_PDU = 0x12000
"""Octets. The longest body is a message_payload of 64 KiB (5.3.2.32) and the fields before it."""
LAST_SEQUENCE = 0x7FFFFFFF
"""Numbers go from 1 up to this one (5.1.4)."""
INTERFACE_VERSION = 0x34
_RESPONSE = 0x80000000
_LONGEST_SHORT_MESSAGE = 254


class Command(IntEnum):
    """command_id (5.1.2.1)."""

    submit_sm = 0x00000004
    deliver_sm = 0x00000005
    unbind = 0x00000006
    bind_transceiver = 0x00000009
    enquire_link = 0x00000015
    alert_notification = 0x00000102
    generic_nack = 0x80000000
    submit_sm_resp = 0x80000004
    deliver_sm_resp = 0x80000005
    unbind_resp = 0x80000006
    bind_transceiver_resp = 0x80000009
    enquire_link_resp = 0x80000015


class Tag(IntEnum):
    """Tags of optional parameters (5.3.2)."""

    receipted_message_id = 0x001E
    user_message_reference = 0x0204
    sc_interface_version = 0x0210
    network_error_code = 0x0423
    message_payload = 0x0424
    message_state = 0x0427


@dataclass(frozen=True, slots=True)
class Tlv:
    """An optional parameter. `tag` need not be one of `Tag`: vendors have their own."""

    tag: int
    value: bytes


@dataclass(frozen=True, slots=True)
class BindTransceiver:
    """4.1.5. The password is not shown."""

    system_id: str
    password: str
    system_type: str = ""
    interface_version: int = INTERFACE_VERSION
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: str = ""

    def __repr__(self) -> str:
        return f"BindTransceiver({self.system_id!r})"


@dataclass(frozen=True, slots=True)
class BindTransceiverResp:
    """4.1.6."""

    system_id: str
    tlvs: tuple[Tlv, ...] = ()


@dataclass(frozen=True, slots=True)
class _ShortMessagePdu:
    service_type: str = ""
    source_ton: int = 0
    source_npi: int = 0
    source: str = ""
    dest_ton: int = 0
    dest_npi: int = 0
    dest: str = ""
    esm_class: int = 0
    protocol_id: int = 0
    priority: int = 0
    schedule: str = ""
    validity: str = ""
    registered_delivery: int = 0
    replace_if_present: int = 0
    data_coding: int = 0
    default_msg_id: int = 0
    short_message: bytes = b""
    tlvs: tuple[Tlv, ...] = ()

    def tlv(self, tag: Tag) -> bytes | None:
        """The value of the first optional parameter of this tag."""
        return next((each.value for each in self.tlvs if each.tag == tag), None)


@dataclass(frozen=True, slots=True)
class SubmitSm(_ShortMessagePdu):
    """4.4.1. `short_message` holds up to 254 octets."""


@dataclass(frozen=True, slots=True)
class DeliverSm(_ShortMessagePdu):
    """4.6.1: a receipt, or a person's message. It has the fields of submit_sm."""


@dataclass(frozen=True, slots=True)
class SubmitSmResp:
    """4.4.2. The centre's id of the message, of any form; empty where it gave none."""

    message_id: str = ""


@dataclass(frozen=True, slots=True)
class DeliverSmResp:
    """4.6.2. Its message_id is unused and empty."""

    message_id: str = ""


Body = BindTransceiver | BindTransceiverResp | SubmitSm | SubmitSmResp | DeliverSm | DeliverSmResp


@dataclass(frozen=True, slots=True)
class Header:
    """What every PDU begins with (3.2), without its length. `command` and `status` may be unknown ones."""

    command: int
    status: int
    sequence: int

    @property
    def is_response(self) -> bool:
        """Whether it answers something; only what does not is answered."""
        return bool(self.command & _RESPONSE)


@dataclass(frozen=True, slots=True)
class Pdu:
    """A PDU. `body` is None for those that have none, for an answer that left it out, and for unknown commands."""

    command: int
    sequence: int
    status: int = 0
    body: Body | None = None


class _Reader:
    def __init__(self, octets: bytes) -> None:
        self._octets, self._at = octets, 0

    @property
    def left(self) -> int:
        return len(self._octets) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise BadPdu(f"the body ends {count - self.left} octets too early")
        taken = self._octets[self._at : self._at + count]
        self._at += count
        return taken

    def octet(self) -> int:
        return self.take(1)[0]

    def short(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def text(self) -> str:
        end = self._octets.find(b"\0", self._at)
        if end < 0:
            raise BadPdu("a text field does not end")
        taken = self.take(end - self._at)
        self._at += 1
        return taken.decode("latin-1")

    def last_text(self) -> str:
        """As `text`, but centres leave out the NUL of a last field, and the whole field."""
        return self.take(self.left).partition(b"\0")[0].decode("latin-1")

    def tlvs(self) -> tuple[Tlv, ...]:
        found = []
        while self.left:
            tag, length = self.short(), self.short()
            found.append(Tlv(tag, self.take(length)))
        return tuple(found)


def _text(name: str, value: str, longest: int) -> bytes:
    """`value` and its NUL; `longest` counts both, as the standard's tables do."""
    try:
        octets = value.encode("latin-1")
    except UnicodeEncodeError:
        raise BadPdu(f"{name}: only ISO-8859-1 can be sent here") from None
    if b"\0" in octets or len(octets) >= longest:
        raise BadPdu(f"{name}: at most {longest - 1} octets and no NUL")
    return octets + b"\0"


def _octets(name: str, *values: int) -> bytes:
    try:
        return bytes(values)
    except ValueError:
        raise BadPdu(f"{name}: a number from 0 to 255") from None


def _tlvs(tlvs: tuple[Tlv, ...]) -> bytes:
    if any(not 0 <= each.tag <= 0xFFFF or len(each.value) > 0xFFFF for each in tlvs):
        raise BadPdu("optional parameter: tag and length are numbers of 16 bits")
    return b"".join(struct.pack(">HH", each.tag, len(each.value)) + each.value for each in tlvs)


def _write_bind(body: BindTransceiver) -> bytes:
    return (
        _text("system_id", body.system_id, 16)
        # Nine in the standard; see Centre.
        + _text("password", body.password, 65)
        + _text("system_type", body.system_type, 13)
        + _octets("bind_transceiver", body.interface_version, body.addr_ton, body.addr_npi)
        + _text("address_range", body.address_range, 41)
    )


def _read_bind(reader: _Reader) -> BindTransceiver:
    return BindTransceiver(
        system_id=reader.text(),
        password=reader.text(),
        system_type=reader.text(),
        interface_version=reader.octet(),
        addr_ton=reader.octet(),
        addr_npi=reader.octet(),
        address_range=reader.text(),
    )


def _write_short_message(body: SubmitSm | DeliverSm) -> bytes:
    if len(body.short_message) > _LONGEST_SHORT_MESSAGE:
        raise BadPdu(f"short_message: at most {_LONGEST_SHORT_MESSAGE} octets")
    return (
        _text("service_type", body.service_type, 6)
        + _octets("source address", body.source_ton, body.source_npi)
        + _text("source_addr", body.source, 21)
        + _octets("destination address", body.dest_ton, body.dest_npi)
        + _text("destination_addr", body.dest, 21)
        + _octets("esm_class and after", body.esm_class, body.protocol_id, body.priority)
        + _text("schedule_delivery_time", body.schedule, 17)
        + _text("validity_period", body.validity, 17)
        + _octets("registered_delivery and after", body.registered_delivery, body.replace_if_present)
        + _octets("data_coding and after", body.data_coding, body.default_msg_id, len(body.short_message))
        + body.short_message
        + _tlvs(body.tlvs)
    )


def _read_short_message(kind: type[SubmitSm] | type[DeliverSm], reader: _Reader) -> SubmitSm | DeliverSm:
    return kind(
        service_type=reader.text(),
        source_ton=reader.octet(),
        source_npi=reader.octet(),
        source=reader.text(),
        dest_ton=reader.octet(),
        dest_npi=reader.octet(),
        dest=reader.text(),
        esm_class=reader.octet(),
        protocol_id=reader.octet(),
        priority=reader.octet(),
        schedule=reader.text(),
        validity=reader.text(),
        registered_delivery=reader.octet(),
        replace_if_present=reader.octet(),
        data_coding=reader.octet(),
        default_msg_id=reader.octet(),
        short_message=reader.take(reader.octet()),
        tlvs=reader.tlvs(),
    )


def _read_body(command: int, octets: bytes) -> Body | None:
    reader = _Reader(octets)
    match command:
        case Command.bind_transceiver:
            return _read_bind(reader)
        case Command.submit_sm:
            return _read_short_message(SubmitSm, reader)
        case Command.deliver_sm:
            return _read_short_message(DeliverSm, reader)
        case _ if not octets:
            return None
        case Command.bind_transceiver_resp:
            return BindTransceiverResp(reader.text(), reader.tlvs())
        case Command.submit_sm_resp:
            return SubmitSmResp(reader.last_text())
        case Command.deliver_sm_resp:
            return DeliverSmResp(reader.last_text())
        case _:
            return None


def _write_body(body: Body | None) -> bytes:
    match body:
        case None:
            return b""
        case BindTransceiver():
            return _write_bind(body)
        case BindTransceiverResp():
            return _text("system_id", body.system_id, 16) + _tlvs(body.tlvs)
        case SubmitSm() | DeliverSm():
            return _write_short_message(body)
        case SubmitSmResp() | DeliverSmResp():
            return _text("message_id", body.message_id, 66)


def encode(pdu: Pdu) -> bytes:
    """The octets of a PDU. Raises BadPdu for a value that its field does not hold."""
    body = _write_body(pdu.body)
    try:
        return struct.pack(">IIII", HEADER + len(body), pdu.command, pdu.status, pdu.sequence) + body
    except struct.error:
        raise BadPdu("header: command, status and sequence are numbers of 32 bits") from None


def header_of(frame: bytes) -> Header:
    """The header of one whole PDU. Raises BadPdu where its length is not that of `frame`."""
    if len(frame) < HEADER or int.from_bytes(frame[:4], "big") != len(frame):
        raise BadPdu("the length in the header is not that of the PDU")
    return Header(*struct.unpack(">III", frame[4:HEADER]))


def decode(frame: bytes) -> Pdu:
    """One whole PDU. Raises BadPdu for a body that is not its command's; unknown commands have no body."""
    header = header_of(frame)
    return Pdu(header.command, header.sequence, header.status, _read_body(header.command, frame[HEADER:]))


class Splitter:
    """Cuts a stream of octets into PDUs, however the network cut it."""

    def __init__(self, *, longest: int = LONGEST_PDU) -> None:
        self._longest = longest
        self._rest = bytearray()

    def split(self, octets: bytes) -> Iterator[bytes]:
        """The PDUs that are whole with these octets. Exhaust it before the next call.

        Raises BadPdu, after the PDUs before it, at a length below 16 or above `longest`: from there on nobody can say
        where a PDU begins, so that the next call raises it again.
        """
        self._rest += octets
        while len(self._rest) >= 4:
            length = int.from_bytes(self._rest[:4], "big")
            if not HEADER <= length <= self._longest:
                raise BadPdu(f"a PDU of {length} octets; from {HEADER} to {self._longest} are read")
            if len(self._rest) < length:
                return
            frame = bytes(self._rest[:length])
            del self._rest[:length]
            yield frame
