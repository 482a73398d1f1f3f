"""The faulty centre is at fault as told, keeps what it took, and sees what the other side does wrong."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.faulty_centre import (
    SILENCE,
    UNBIND,
    Answer,
    Close,
    FaultyCentre,
    Half,
    Later,
    Move,
    Nack,
    Receipt,
    Say,
    Talk,
    Together,
    faulty_centre,
)
from tests.support.smpp_octets import BadPdu, Command, Pdu, answer_to, deliver_body, read_submit

OK, THROTTLED = 0x00, 0x58
USUAL = (Answer(),)
BIND = Pdu(Command.BIND_TRANSCEIVER, 0, 1, b"tocsin\0s3cret\0\0\x34\0\0\0")


def submit(sequence: int, text: str = "您好", number: str = "861390000001") -> Pdu:
    body = deliver_body("10690000", number, text.encode("utf-16-be"), data_coding=8)
    return Pdu(Command.SUBMIT_SM, 0, sequence, body)


class Client:
    """A client of a few lines: it writes what it is given, and reads PDUs."""

    def __init__(self, port: int) -> None:
        self.wire = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.file = self.wire.makefile("rb")

    def say(self, *pdus: Pdu) -> None:
        self.wire.sendall(b"".join(pdu.octets() for pdu in pdus))

    def rest(self) -> bytes:
        """All that comes until the other side closes."""
        try:
            return self.file.read()
        except ConnectionError:
            return b""

    def read(self) -> Pdu:
        head = self.file.read(16)
        length, command, status, sequence = (int.from_bytes(head[at : at + 4]) for at in (0, 4, 8, 12))
        return Pdu(command, status, sequence, self.file.read(length - 16))

    def close(self) -> None:
        self.file.close()
        self.wire.close()


@contextmanager
def bound(centre: FaultyCentre) -> Iterator[Client]:
    client = Client(centre.port)
    client.say(BIND)
    assert client.read() == answer_to(BIND, body=b"centre\0")
    yield client
    client.close()


def test_a_centre_without_faults_takes_and_answers() -> None:
    with faulty_centre() as centre, bound(centre) as client:
        client.say(submit(2), submit(3, "再见"))
        answers = [client.read(), client.read()]
        client.say(Pdu(Command.ENQUIRE_LINK, 0, 4), Pdu(Command.UNBIND, 0, 5))
        farewell = client.rest()
    assert [(pdu.command, pdu.status, pdu.sequence) for pdu in answers] == [
        (Command.SUBMIT_SM_RESP, OK, 2),
        (Command.SUBMIT_SM_RESP, OK, 3),
    ]
    assert [pdu.body.rstrip(b"\0").decode() for pdu in answers] == [came.message_id for came in centre.came]
    assert farewell == b"".join(
        Pdu(command, 0, sequence).octets()
        for command, sequence in [(Command.ENQUIRE_LINK_RESP, 4), (Command.UNBIND_RESP, 5)]
    )
    assert centre.texts() == {"861390000001": ["您好", "再见"]}
    assert centre.binds == [("tocsin", "s3cret", 0x34)]
    assert centre.complaints == []


@pytest.mark.parametrize(
    ("moves", "said", "taken"),
    [
        ((Answer(THROTTLED), Close()), Pdu(Command.SUBMIT_SM_RESP, THROTTLED, 2).octets(), False),
        ((Nack(0x03), Close()), Pdu(Command.GENERIC_NACK, 0x03, 2).octets(), False),
        ((Close(takes=False),), b"", False),
        ((Close(),), b"", True),
        ((Close(resets=True),), b"", True),
        ((Half(7), Close()), Pdu(Command.SUBMIT_SM_RESP, OK, 2, b"00000001\0").octets()[:7], True),
        ((Say(b"HTTP/1.1 400\r\n"), Close()), b"HTTP/1.1 400\r\n", True),
        ((Answer(shift=5), Close()), Pdu(Command.SUBMIT_SM_RESP, OK, 7, b"00000001\0").octets(), True),
        ((UNBIND, Close()), Pdu(Command.UNBIND, 0, 1).octets(), True),
    ],
)
def test_it_says_what_its_script_says(moves: tuple[Move, ...], said: bytes, taken: bool) -> None:
    with faulty_centre(Talk(submits=[moves])) as centre, bound(centre) as client:
        client.say(submit(2))
        assert client.rest() == said
    assert [came.taken for came in centre.came] == [taken]
    assert len(centre.taken) == taken


def test_answers_may_come_in_another_order_and_some_never() -> None:
    talk = Talk(submits=[(Later(2),), SILENCE, USUAL])
    with faulty_centre(talk) as centre, bound(centre) as client:
        client.say(submit(2), submit(3), submit(4), Pdu(Command.UNBIND, 0, 5))
        assert [client.read().sequence for _ in range(3)] == [4, 2, 5]
    assert len(centre.taken) == 3


def test_a_receipt_can_come_with_the_answer_in_one_write() -> None:
    talk = Talk(submits=[(Together((Receipt("UNDELIV"), Answer())),)])
    with faulty_centre(talk) as centre, bound(centre) as client:
        client.say(submit(2))
        receipt, answer = client.read(), client.read()
        client.say(answer_to(receipt, body=b"\0"), Pdu(Command.UNBIND, 0, 3))
        client.rest()
    told = read_submit(receipt)
    assert told.source == "861390000001"
    assert told.text.startswith("id:00000001 sub:001 dlvrd:000 ")
    assert told.parameters == {0x001E: b"00000001\0", 0x0427: b"\x05"}
    assert answer.command == Command.SUBMIT_SM_RESP
    assert [pdu.command for pdu in centre.responses] == [Command.DELIVER_SM_RESP]


def test_each_connection_has_its_own_script_and_the_last_one_stays() -> None:
    with faulty_centre(Talk(greeting=(Close(),)), Talk()) as centre:
        assert Client(centre.port).rest() == b""
        for _ in range(2):
            with bound(centre) as client:
                client.say(submit(2))
                assert client.read().status == OK
    assert centre.connections == 3
    assert len(centre.taken) == 2


@given(st.integers(1, 40))
def test_what_it_says_can_come_in_pieces_of_any_size(pieces: int) -> None:
    with faulty_centre(Talk(pieces=pieces)) as centre, bound(centre) as client:
        client.say(submit(2))
        assert client.read() == Pdu(Command.SUBMIT_SM_RESP, OK, 2, b"00000001\0")


@pytest.mark.parametrize(
    ("pdus", "complaint"),
    [
        ([submit(2), submit(2)], "came twice"),
        ([submit(0)], "not from 1"),
        ([Pdu(Command.UNBIND, 0, 2), submit(3)], "while not bound"),
        ([replace(submit(2), body=submit(2).body[:-1])], "a bad submit_sm"),
        ([Pdu(0x99, 0, 2)], "does not know"),
        ([replace(BIND, sequence=2)], "a bind while bound"),
        ([replace(BIND, sequence=2, body=b"tocsin")], "a bad bind"),
    ],
)
def test_it_complains_of_what_the_protocol_does_not_allow(pdus: list[Pdu], complaint: str) -> None:
    with faulty_centre(Talk(unbind=USUAL)) as centre, bound(centre) as client:
        client.say(*pdus)
        client.wire.shutdown(socket.SHUT_WR)
        client.rest()
    assert any(complaint in each for each in centre.complaints), centre.complaints


@pytest.mark.parametrize("octets", [9, 16, 30])
def test_half_a_pdu_is_complained_of(octets: int) -> None:
    with faulty_centre() as centre, bound(centre) as client:
        client.wire.sendall(submit(2).octets()[:octets])
        client.wire.shutdown(socket.SHUT_WR)
        client.rest()
    assert centre.complaints == ["it closed within a PDU"]


@given(st.binary(max_size=80))
def test_a_body_is_read_or_refused(body: bytes) -> None:
    try:
        read_submit(Pdu(Command.SUBMIT_SM, 0, 1, body))
    except (BadPdu, UnicodeDecodeError):
        return


def test_an_escaped_character_of_the_default_alphabet_is_read() -> None:
    body = deliver_body("1", "2", b"\x1b\x65 100 \x1b\x28\x00\x1b\x29 \x1b\x3c\x1b\x3e\x1b\x14\x1b\x40")
    assert read_submit(Pdu(Command.SUBMIT_SM, 0, 1, body)).text == "€ 100 {@} []^|"
