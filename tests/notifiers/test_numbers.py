from __future__ import annotations

import pytest

from notifiers.numbers import is_number


@pytest.mark.parametrize("text", ["+8613912345678", "+1234567", "+123456789012345"])
def test_a_plus_and_7_to_15_digits_are_a_number(text: str) -> None:
    assert is_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "8613912345678",
        "+0613912345678",
        "+123456",
        "+1234567890123456",
        "+86-139",
        "+١٢٣٤٥٦٧٨",
        "+1234567\n",
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert not is_number(text)
