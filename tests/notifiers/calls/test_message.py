from __future__ import annotations

import pytest

from notifiers.calls.message import CallRequest
from notifiers.errors import BadAddress


def test_a_call_goes_to_a_number_in_international_form() -> None:
    call = CallRequest("+8613912345678", "d1.1")
    assert (call.to, call.own_id) == ("+8613912345678", "d1.1")


@pytest.mark.parametrize(
    "to", ["", "13912345678", "+", "+0123456789", "+86 139", "+8613912345678\n", "sip:a@b"]
)
def test_what_is_no_number_is_not_called(to: str) -> None:
    with pytest.raises(BadAddress) as refused:
        CallRequest(to, "d1.1")
    assert refused.value.where == "to"
    assert not to or to not in str(refused.value)
