"""The search for planted texts finds each form, wherever in its neighbourhood it begins."""

from __future__ import annotations

import base64
import json
import quopri
from collections.abc import Callable
from email.header import Header
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.planted import Planted

NAME, ADDRESS, NUMBER = "欧阳蓁蓁", "zanderby-07@planted-needle.example", "13977001122"
PLANTED = Planted([NAME, ADDRESS, NUMBER])


@pytest.mark.parametrize("text", [NAME, ADDRESS, NUMBER])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "gb18030"])
@given(before=st.binary(max_size=5), after=st.binary(max_size=5))
def test_each_encoding_is_found_as_it_is_in_hex_and_in_base64(
    text: str, encoding: str, before: bytes, after: bytes
) -> None:
    raw = before + text.encode(encoding) + after
    for form in (raw, raw.hex().encode(), raw.hex().upper().encode(), base64.b64encode(raw)):
        assert text in PLANTED.found_in(form)
    assert text in PLANTED.found_in(base64.urlsafe_b64encode(raw))


@pytest.mark.parametrize("text", [NAME, ADDRESS, NUMBER])
@pytest.mark.parametrize(
    "form",
    [
        lambda text: quopri.encodestring(text.encode(), quotetabs=True),
        lambda text: quopri.encodestring(text.encode("gb18030")),
        lambda text: quote(text).encode(),
        lambda text: quote_plus(text).encode(),
        lambda text: quote(text.encode("gb18030")).lower().encode(),
        lambda text: json.dumps({"name": text}).encode(),
        lambda text: repr(text.encode()).encode(),
        lambda text: Header(text, "utf-8").encode().encode(),
        lambda text: text.upper().encode(),
    ],
)
def test_each_escape_is_found(text: str, form: Callable[[str], bytes]) -> None:
    assert PLANTED.found_in(b"<" + form(text) + b">") == {text}


def test_what_is_not_there_is_not_found() -> None:
    other = "欧阳修 zanderby@example.org 13900001122"
    for raw in (other.encode(), base64.b64encode(other.encode()), other.encode().hex().encode()):
        assert PLANTED.found_in(raw) == set()
