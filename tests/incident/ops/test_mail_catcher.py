"""The drill's mail catcher, by our own carrier and by bytes on a socket."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from incident.errors import WorkspaceError
from incident.ops.mail_catcher import MailCatcher
from notifiers.email.message import Envelope
from notifiers.email.relay import Relay, TlsMode
from notifiers.email.session import SmtpSession
from notifiers.outcome import Outcome, Result

BEGIN = b"EHLO test\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"


@pytest.fixture
def catcher(tmp_path: Path) -> Iterator[MailCatcher]:
    with MailCatcher(tmp_path / "mail") as open_catcher:
        yield open_catcher


def _talk(catcher: MailCatcher, sent: bytes) -> bytes:
    """Everything the catcher answers to these bytes, sent at once."""
    with socket.create_connection(("127.0.0.1", catcher.port), timeout=10) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


def _codes(answer: bytes) -> list[str]:
    return [line[:3] for line in answer.decode().splitlines() if line[3:4] != "-"]


def _body(catcher: MailCatcher, number: int = 1) -> bytes:
    raw = (catcher.folder / f"{number:06d}.eml").read_bytes()
    head = b"X-Envelope-From: <a@example.com>\r\nX-Envelope-To: <b@example.org>\r\n"
    assert raw.startswith(head)
    return raw.removeprefix(head)


def _send(catcher: MailCatcher, *messages: bytes) -> list[Outcome]:
    async def send() -> list[Outcome]:
        session = SmtpSession(Relay("127.0.0.1", catcher.port, TlsMode.none, None, None))
        try:
            return [
                await session.send(Envelope("a@example.com", "b@example.org", message))
                for message in messages
            ]
        finally:
            await session.close()

    return asyncio.run(send())


def test_our_carrier_and_the_catcher_agree_to_the_byte(catcher: MailCatcher) -> None:
    messages = [
        b"Subject: one\r\n\r\nHello.\r\n",
        b"Subject: dots\r\n\r\n.\r\n..\r\n.hidden\r\nend.\r\n",
        "Subject: eight\r\n\r\n泄露通知。\r\n".encode(),
        b".starts with a dot\r\n",
    ]
    outcomes = _send(catcher, *messages)
    assert [outcome.result for outcome in outcomes] == [Result.accepted] * len(messages)
    assert [_body(catcher, number + 1) for number in range(len(messages))] == messages
    assert catcher.caught == len(messages)


def test_a_whole_conversation_sent_at_once_is_answered_in_order(catcher: MailCatcher) -> None:
    answer = _talk(catcher, BEGIN + b"Subject: x\r\n\r\ny\r\n.\r\nRSET\r\nNOOP\r\nQUIT\r\n")
    assert _codes(answer) == ["220", "250", "250", "250", "354", "250", "250", "250", "221"]
    assert b"250-PIPELINING\r\n" in answer
    assert _body(catcher) == b"Subject: x\r\n\r\ny\r\n"


def test_two_messages_on_one_connection_are_two_files(catcher: MailCatcher) -> None:
    again = BEGIN.removeprefix(b"EHLO test\r\n")
    _talk(catcher, BEGIN + b"one\r\n.\r\n" + again + b"two\r\n.\r\nQUIT\r\n")
    assert (_body(catcher, 1), _body(catcher, 2)) == (b"one\r\n", b"two\r\n")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"...\r\n.\r\n", b"..\r\n"),
        (b"ends.\r\n..\r\n.\r\n", b"ends.\r\n.\r\n"),
        (b"a.\r\n\r\n.\r\n", b"a.\r\n\r\n"),
        (b"bare\n.\nline\r\n.\r\n", b"bare\n.\nline\r\n"),
    ],
)
def test_dots_of_the_transport_are_taken_away_and_no_others(
    catcher: MailCatcher, sent: bytes, kept: bytes
) -> None:
    assert _codes(_talk(catcher, BEGIN + sent + b"QUIT\r\n"))[-2:] == ["250", "221"]
    assert _body(catcher) == kept


def test_a_message_too_big_is_refused_and_the_conversation_goes_on(catcher: MailCatcher) -> None:
    big = b"x" * 998 + b"\r\n"
    answer = _talk(catcher, BEGIN + big * 11_000 + b".\r\n" + BEGIN + b"small\r\n.\r\nQUIT\r\n")
    assert _codes(answer) == [
        "220",
        "250",
        "250",
        "250",
        "354",
        "552",
        "250",
        "250",
        "250",
        "354",
        "250",
        "221",
    ]
    assert (catcher.caught, _body(catcher)) == (1, b"small\r\n")


def test_a_message_that_is_cut_off_is_not_kept(catcher: MailCatcher) -> None:
    assert _codes(_talk(catcher, BEGIN + b"half a mess"))[-1] == "354"
    assert catcher.caught == 0
    assert not catcher.folder.exists()


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
        b"GET / HTTP/1.1\r\n",
        b"\xff\xfe\x00\r\n",
        b"\r\n",
        b":\r\n",
        b"MAIL\r\n",
        b"RCPT TO:<b@example.org>\r\n",
        b"DATA\r\n",
    ],
)
def test_garbage_is_refused_and_the_conversation_goes_on(catcher: MailCatcher, garbage: bytes) -> None:
    assert _codes(_talk(catcher, garbage + b"QUIT\r\n")) == ["220", "503", "221"]


def test_a_line_without_an_end_is_refused_and_the_conversation_goes_on(catcher: MailCatcher) -> None:
    codes = _codes(_talk(catcher, b"x" * 200_000 + b"\r\n" + BEGIN + b"y\r\n.\r\nQUIT\r\n"))
    assert codes[:2] == ["220", "500"]
    assert set(codes[1:-6]) <= {"500", "503"}
    assert codes[-6:] == ["250", "250", "250", "354", "250", "221"]
    assert _body(catcher) == b"y\r\n"


def test_a_message_that_cannot_be_kept_is_refused_for_now(tmp_path: Path) -> None:
    file = tmp_path / "in-the-way"
    file.write_text("")
    with MailCatcher(file) as catcher:
        assert _codes(_talk(catcher, BEGIN + b"x\r\n.\r\nQUIT\r\n"))[-2:] == ["452", "221"]
        assert catcher.caught == 0


def test_a_client_that_stays_does_not_keep_the_catcher(tmp_path: Path) -> None:
    threads = threading.active_count()
    with MailCatcher(tmp_path) as catcher:
        stays = socket.create_connection(("127.0.0.1", catcher.port), timeout=10)
        assert stays.recv(3) == b"220"
    assert threading.active_count() == threads
    stays.close()


def test_a_port_in_use_is_named(catcher: MailCatcher, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError) as raised, MailCatcher(tmp_path, port=catcher.port):
        pass
    assert f"127.0.0.1:{catcher.port}" in str(raised.value)
