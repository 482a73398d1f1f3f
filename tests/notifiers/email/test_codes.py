from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.email.codes import code_of_reply, first_code, is_bare_reply, more_telling


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("5.1.1", "5.1.1"),
        ("5.1.10 (null MX)", "5.1.10"),
        ("smtp; 550 5.7.1.", "5.7.1"),
        ("5.001.01", "5.1.1"),
        ("host 5.1.1.1", None),
        ("15.1.1", None),
        ("5.1", None),
        ("3.1.1", None),
        ("5.1.1000", None),
        ("", None),
    ],
)
def test_a_code_is_found_in_a_text_and_an_ip_address_is_none(text: str, code: str | None) -> None:
    assert first_code(text) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("smtp; 550 5.1.1 unknown", "5.1.1"),
        ("550-5.7.26 first line 550 5.7.26 last", "5.7.26"),
        ("host mx.example.net said: 550 (5.1.1) unknown", "5.1.1"),
        ("smtp;550 #5.1.1 unknown", "5.1.1"),
        ("Sorry, no mailbox here by that name. (#5.1.1)", "5.1.1"),
        ("550 see RFC 5.1.1", None),
        ("550 5.1.1.1 is listed", None),
        ("5.1.1", None),
    ],
)
def test_the_code_of_a_reply_stands_after_its_reply_code(text: str, code: str | None) -> None:
    assert code_of_reply(text) == code


@pytest.mark.parametrize(
    ("field", "reply", "believed"),
    [
        ("5.0.0", "5.1.1", "5.1.1"),
        ("5.1.1", "5.0.0", "5.1.1"),
        ("5.1.1", "5.1.0", "5.1.1"),
        ("5.1.1", "5.7.1", "5.7.1"),
        ("5.7.1", "5.1.1", "5.7.1"),
        ("4.4.7", "4.2.2", "4.2.2"),
        ("5.0.0", "4.7.1", "4.7.1"),
        ("2.0.0", "2.1.5", "2.0.0"),
        ("5.1.1", None, "5.1.1"),
        (None, "5.1.1", "5.1.1"),
        (None, None, None),
    ],
)
def test_the_reply_is_believed_unless_it_says_less(
    field: str | None, reply: str | None, believed: str | None
) -> None:
    assert more_telling(field, reply) == believed


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("smtp; 550 go away", True),
        ("SMTP;550-listed", True),
        ("550", True),
        ("smtp; 550 5.1.1 unknown", False),
        ("smtp;550 #5.1.1 unknown", False),
        ("X-Postfix; unknown user", False),
        ("smtp; 250 Ok", False),
        ("", False),
    ],
)
def test_a_reply_without_enhanced_code_is_bare(text: str, bare: bool) -> None:
    assert is_bare_reply(text) is bare


@given(st.text(alphabet="0125457. #-(;smtp\u0665", max_size=60))
def test_any_text_is_looked_through(text: str) -> None:
    first_code(text)
    code_of_reply(text)
    is_bare_reply(text)
