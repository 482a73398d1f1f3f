from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifiers.email.bounces import Report, read_report
from tests.support.notifications import EXCHANGE, IN_WORDS, QMAIL, RECORDED, STATUS, multipart, stating


@given(st.binary(max_size=2000))
def test_any_bytes_are_read(raw: bytes) -> None:
    assert isinstance(read_report(raw), Report)


SAMPLES = [file.read_bytes() for file in sorted(RECORDED.glob("*.eml"))] + [
    QMAIL.encode(),
    EXCHANGE.encode(),
    IN_WORDS,
]


@given(
    st.sampled_from(SAMPLES),
    st.lists(st.tuples(st.integers(0, 4000), st.binary(max_size=12), st.integers(0, 60)), max_size=6),
)
@settings(max_examples=300)
def test_a_damaged_notification_is_read(raw: bytes, damages: list[tuple[int, bytes, int]]) -> None:
    for at, put, dropped in damages:
        raw = raw[:at] + put + raw[at + dropped :]

    assert isinstance(read_report(raw), Report)


@given(
    st.text(alphabet="-=_b:;<>@.,\"' \n\r\t()#5417+abcMU\u0660é", max_size=400),
    st.sampled_from(["head", "status", "text"]),
)
@settings(max_examples=300)
def test_any_text_in_any_place_is_read(text: str, place: str) -> None:
    if place == "head":
        raw = multipart(STATUS.format("5.1.1"), head=text)
    elif place == "status":
        raw = stating(text)
    else:
        raw = f"From: MAILER-DAEMON@x\n\nHi. This is the\n\n<{text}".encode()

    assert isinstance(read_report(raw), Report)


def nested(depth: int, *, multipart_too: bool) -> bytes:
    level = b"Content-Type: message/rfc822\n\n"
    if multipart_too:
        level = b'Content-Type: multipart/mixed; boundary="b"\n\n--b\n' + level
    return level * depth


BIG = 30_000_000
IN_B = b"Content-Type: multipart/mixed; boundary=b\n\n"
IN_BASE64 = "Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n"
IN_QMAILS_WORDS = b"From: MAILER-DAEMON@x\n\nHi. This is the\n\n"
HOSTILE: dict[str, Callable[[], bytes]] = {
    "messages in messages": lambda: nested(200_000, multipart_too=False),
    "parts in parts": lambda: nested(100_000, multipart_too=True),
    "one field of 30 MB": lambda: b"To: " + b"a@b," * (BIG // 4),
    "a folded field": lambda: b"To: x\n" + b" a@b,\n" * (BIG // 6),
    "fields": lambda: b"To: a@b\n" * (BIG // 8),
    "header lines without a colon": lambda: b"x\n" * (BIG // 2),
    "parts": lambda: IN_B + b"--b\n\nx\n" * (BIG // 7),
    "almost boundaries": lambda: IN_B + (b"--b" + b" " * 5000 + b"x\n") * 6000,
    "recipients": lambda: stating(*["Final-Recipient: rfc822; a@b\nAction: failed"] * 600_000),
    "fields that repeat": lambda: stating("Action: failed\n" * 2_000_000),
    "digits": lambda: stating(
        "Action: failed\nDiagnostic-Code: " + "550 5.1." * 900 + "\nStatus: " + "5.1.1." * (BIG // 6)
    ),
    "quotes": lambda: b"Content-Type: multipart/mixed" + b'; boundary="' * (BIG // 12) + b"\n\n--b\n",
    "message ids": lambda: b"References: " + b"<a" * (BIG // 2),
    "empty lines": lambda: b"\n" * BIG,
    "paragraphs": lambda: IN_QMAILS_WORDS + b"<a@b>:\n\n" * (BIG // 8),
    "blanks": lambda: IN_QMAILS_WORDS + (b"\n" + b" " * 500) * (BIG // 500),
    "base64": lambda: multipart(IN_BASE64 + "QQ=\n" * (BIG // 4)),
    "headers that all begin parts": lambda: b"Content-Type: message/rfc822; boundary=b\n" * 2000 + b"\n" * 9,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_input_is_read_in_bounded_time(what: str) -> None:
    raw = HOSTILE[what]()
    began = time.monotonic()

    assert isinstance(read_report(raw), Report)

    assert time.monotonic() - began < 5
