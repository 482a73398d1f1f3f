from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from notifiers.errors import BadAddress, BadCentre
from notifiers.smpp.centre import Centre, NumberFormat, tls_context


def a_centre(**changes: Any) -> Centre:
    settings: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": 2775,
        "system_id": "tocsin",
        "password": "geheim",
        "sender": "106912345",
    }
    return Centre(**(settings | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"host": ""},
        {"host": "a\r\nb"},
        {"port": 0},
        {"port": 65536},
        {"host": "smsc.example.com"},
        {"ca_file": Path("ca.pem")},
        {"system_id": ""},
        {"system_id": "s" * 16},
        {"system_id": "密"},
        {"password": "geheim\0"},
        {"password": "geheim" * 11},
        {"password": "gehéim"},
        {"system_type": "t" * 13},
        {"sender": ""},
        {"sender": "TwelveLetter"},
        {"sender": "[brackets]"},
        {"sender": "公司"},
        {"sender": "1" * 21},
        {"country_code": "+86"},
        {"country_code": ""},
        {"window": 0},
        {"window": 1001},
        {"per_second": 0},
        {"per_second": float("inf")},
        {"validity": timedelta(seconds=59)},
        {"validity": timedelta(days=29)},
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadCentre) as refused:
        a_centre(**changes)
    assert "geh" not in str(refused.value)


@pytest.mark.parametrize("changes", [{"tls": True}, {"allow_unprotected": True}, {"password": ""}])
def test_a_password_leaves_this_machine_over_tls_or_where_the_settings_say_so(
    changes: dict[str, Any],
) -> None:
    centre = a_centre(host="smsc.example.com", **changes)
    assert "geheim" not in repr(centre)
    assert centre.peer == "smsc.example.com:2775"


def test_passwords_longer_than_the_standard_has_them_are_taken() -> None:
    assert a_centre(password="g" * 64).password == "g" * 64


@pytest.mark.parametrize(
    ("sender", "address"),
    [
        ("Example", (5, 0, "Example")),
        ("Bank 24", (5, 0, "Bank 24")),
        ("+8613800138000", (1, 1, "8613800138000")),
        ("106912345", (3, 0, "106912345")),
        ("12110", (3, 0, "12110")),
    ],
)
def test_the_type_of_number_follows_from_the_sender(sender: str, address: tuple[int, int, str]) -> None:
    assert a_centre(sender=sender).source == address


@pytest.mark.parametrize(
    ("number_format", "number", "address"),
    [
        (NumberFormat.international, "+8613912345678", (1, 1, "8613912345678")),
        (NumberFormat.plain, "+8613912345678", (0, 1, "8613912345678")),
        (NumberFormat.national, "+8613912345678", (2, 1, "13912345678")),
        (NumberFormat.national, "+4915112345678", (1, 1, "4915112345678")),
    ],
)
def test_numbers_are_written_as_the_centre_wants_them(
    number_format: NumberFormat, number: str, address: tuple[int, int, str]
) -> None:
    assert a_centre(number_format=number_format).destination(number) == address


@pytest.mark.parametrize(
    "number", ["", "8613912345678", "+0123456789", "+86 139", "+861391234567\n", "+" + "1" * 16]
)
def test_what_is_no_international_number_is_refused(number: str) -> None:
    with pytest.raises(BadAddress):
        a_centre().destination(number)


def test_the_validity_is_written_as_a_relative_time() -> None:
    assert a_centre().validity_period == ""
    assert a_centre(validity=timedelta(days=3)).validity_period == "000003000000000R"
    validity = timedelta(days=1, hours=2, minutes=3, seconds=4)
    assert a_centre(validity=validity).validity_period == "000001020304000R"


def test_a_file_of_authorities_that_holds_none_is_refused(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text("nothing")
    with pytest.raises(BadCentre, match="authorities"):
        tls_context(a_centre(tls=True, ca_file=ca_file))
