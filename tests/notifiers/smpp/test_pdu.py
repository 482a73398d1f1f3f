"""What is written can be read again, and no octets raise anything but the one error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.errors import BadPdu
from notifiers.smpp.pdu import (
    HEADER,
    LAST_SEQUENCE,
    LONGEST_PDU,
    BindTransceiver,
    BindTransceiverResp,
    Command,
    DeliverSm,
    DeliverSmResp,
    Pdu,
    Splitter,
    SubmitSm,
    SubmitSmResp,
    Tag,
    Tlv,
    decode,
    encode,
    header_of,
)

OCTET = st.integers(0, 255)
TLVS = st.lists(st.builds(Tlv, st.integers(0, 0xFFFF), st.binary(max_size=20)), max_size=3).map(tuple)


def text(longest: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=longest)


def short_messages(kind: type[SubmitSm] | type[DeliverSm]) -> st.SearchStrategy[SubmitSm | DeliverSm]:
    numbers = """source_ton source_npi dest_ton dest_npi esm_class protocol_id priority
        registered_delivery replace_if_present data_coding default_msg_id"""
    octets = dict.fromkeys(numbers.split(), OCTET)
    return st.builds(
        kind,
        service_type=text(5),
        source=text(20),
        dest=text(20),
        schedule=text(16),
        validity=text(16),
        short_message=st.binary(max_size=254),
        tlvs=TLVS,
        **octets,
    )


BODIES = {
    Command.bind_transceiver: st.builds(
        BindTransceiver, text(15), text(64), text(12), OCTET, OCTET, OCTET, text(40)
    ),
    Command.bind_transceiver_resp: st.none() | st.builds(BindTransceiverResp, text(15), TLVS),
    Command.submit_sm: short_messages(SubmitSm),
    Command.submit_sm_resp: st.none() | st.builds(SubmitSmResp, text(65)),
    Command.deliver_sm: short_messages(DeliverSm),
    Command.deliver_sm_resp: st.none() | st.builds(DeliverSmResp, text(65)),
}
PDUS = st.sampled_from(Command).flatmap(
    lambda command: st.builds(
        Pdu,
        st.just(int(command)),
        st.integers(0, LAST_SEQUENCE),
        st.integers(0, 0xFFFFFFFF),
        BODIES.get(command, st.none()),
    )
)


@given(PDUS)
def test_what_is_written_reads_as_it_was(pdu: Pdu) -> None:
    frame = encode(pdu)
    assert decode(frame) == pdu
    header = header_of(frame)
    assert (header.command, header.status, header.sequence) == (pdu.command, pdu.status, pdu.sequence)


@given(st.binary(max_size=200) | st.tuples(st.sampled_from(Command), st.binary(max_size=120)))
def test_any_octets_are_a_pdu_or_refused(octets: bytes | tuple[Command, bytes]) -> None:
    if isinstance(octets, tuple):
        command, body = octets
        octets = (HEADER + len(body)).to_bytes(4, "big") + command.to_bytes(4, "big") + bytes(8) + body
    try:
        decode(octets)
    except BadPdu:
        return


@given(st.lists(PDUS, max_size=6), st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_however_the_stream_is_cut_the_same_pdus_come(pdus: list[Pdu], sizes: list[int]) -> None:
    frames = [encode(pdu) for pdu in pdus]
    stream = b"".join(frames)
    splitter, came, at, turn = Splitter(), list[bytes](), 0, 0
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        came.extend(splitter.split(stream[at : at + size]))
        at, turn = at + size, turn + 1
    assert came == frames
    assert list(splitter.split(b"")) == []


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_stream_gives_pdus_or_is_refused_and_its_cutting_does_not_matter(
    stream: bytes, size: int
) -> None:
    def read(pieces: list[bytes]) -> tuple[list[bytes], bool]:
        splitter, came = Splitter(longest=100), list[bytes]()
        try:
            for piece in pieces:
                came.extend(splitter.split(piece))
        except BadPdu:
            return came, True
        return came, False

    assert read([stream]) == read([stream[at : at + size] for at in range(0, len(stream), size)])


@pytest.mark.parametrize("length", [0, 15, LONGEST_PDU + 1, 0xFFFFFFFF])
def test_a_length_that_no_pdu_has_ends_the_stream_after_what_came_before(length: int) -> None:
    before = encode(Pdu(Command.enquire_link, 1))
    splitter = Splitter()
    reading = splitter.split(before + length.to_bytes(4, "big"))
    assert next(reading) == before
    with pytest.raises(BadPdu, match=str(length)):
        next(reading)
    with pytest.raises(BadPdu):
        list(splitter.split(before))


@pytest.mark.parametrize(
    "body",
    [
        SubmitSm(short_message=bytes(255)),
        SubmitSm(source="1" * 21),
        SubmitSm(dest="1\0002"),
        SubmitSm(validity="你好"),
        SubmitSm(data_coding=256),
        SubmitSm(priority=-1),
        SubmitSm(tlvs=(Tlv(0x10000, b""),)),
        SubmitSm(tlvs=(Tlv(1, bytes(0x10000)),)),
        BindTransceiver("a", "g" * 65),
        SubmitSmResp("1" * 66),
    ],
)
def test_a_value_that_its_field_does_not_hold_is_refused(body: SubmitSm | BindTransceiver) -> None:
    with pytest.raises(BadPdu) as refused:
        encode(Pdu(Command.submit_sm, 1, body=body))
    assert "ggg" not in str(refused.value)


def test_a_sequence_number_out_of_bounds_is_refused() -> None:
    with pytest.raises(BadPdu):
        encode(Pdu(Command.enquire_link, -1))


def test_an_answer_without_body_and_an_id_without_its_nul_are_read() -> None:
    bare = encode(Pdu(Command.submit_sm_resp, 5, 0x0B))
    assert decode(bare) == Pdu(Command.submit_sm_resp, 5, 0x0B)
    frame = (HEADER + 2).to_bytes(4, "big") + bare[4:] + b"42"
    assert decode(frame).body == SubmitSmResp("42")


def test_a_password_is_not_shown() -> None:
    assert "geheim" not in repr(Pdu(Command.bind_transceiver, 1, body=BindTransceiver("me", "geheim")))


def test_an_optional_parameter_is_found_by_its_tag() -> None:
    deliver = DeliverSm(
        tlvs=(Tlv(0x1400, b"x"), Tlv(Tag.message_state, b"\2"), Tlv(Tag.message_state, b"\5"))
    )
    assert deliver.tlv(Tag.message_state) == b"\2"
    assert deliver.tlv(Tag.message_payload) is None


def test_commands_answer_each_other_by_their_highest_bit() -> None:
    assert header_of(encode(Pdu(Command.submit_sm_resp, 1))).is_response
    assert not header_of(encode(Pdu(Command.submit_sm, 1, body=SubmitSm()))).is_response
