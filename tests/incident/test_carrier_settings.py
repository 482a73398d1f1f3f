"""What the settings say of carriers: where each is, who runs it, and how it is reached."""

from __future__ import annotations

from typing import Any

import pytest

from incident.carrier_settings import MailSettings, Relation, RelaySettings, SmppSettings
from incident.errors import BadInput
from incident.settings import Settings, parse_settings


def parse(**tables: dict[str, Any]) -> Settings:
    return parse_settings({"workspace": {"id": "w", "name": "W"}, **tables}, where="incident.toml")


def test_without_a_centre_no_sms_leaves_from_here() -> None:
    assert parse(sms={"price": 0.045}).sms.smpp is None


def test_a_centre_is_reached_with_careful_defaults() -> None:
    centre = parse(sms={"smpp": {"host": "smsc.example.com"}}).sms.smpp
    assert centre is not None
    assert (centre.port, centre.window, centre.per_second) == (2775, 10, None)
    assert (centre.alphabet, centre.number_format, centre.country_code) == ("gsm", "international", "86")
    assert centre.relation is Relation.OWN
    assert not centre.private_line


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("alphabet", "gb18030"),
        ("number_format", "local"),
        ("country_code", "+86"),
        ("country_code", "0086"),
        ("country_code", ""),
        ("port", 0),
        ("window", 0),
        ("window", 1001),
        ("per_second", 0),
        ("validity_hours", 0),
        ("reply_wait_seconds", 0.5),
        ("relation", "friend"),
        ("country", "China"),
        ("tls", "starttls"),
        ("system-id", "tocsin"),
    ],
)
def test_a_value_that_no_centre_takes_is_named_with_its_key(key: str, value: object) -> None:
    with pytest.raises(BadInput) as caught:
        parse(sms={"smpp": {key: value}})
    assert f"sms.smpp.{key}" in caught.value.what


def test_a_password_written_into_the_table_is_not_repeated_in_the_error() -> None:
    with pytest.raises(BadInput, match=r"sms\.smpp\.password") as caught:
        parse(sms={"smpp": {"password": "hunter2"}})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("declared", "missing"),
    [
        (RelaySettings(), ("host", "processor", "country")),
        (MailSettings(), ("from_address", "host", "processor", "country")),
        (SmppSettings(), ("host", "system_id", "sender", "processor", "country")),
        (SmppSettings(host="h", system_id="s", sender="1", processor="p"), ("country",)),
    ],
)
def test_each_carrier_says_what_it_lacks(
    declared: RelaySettings | SmppSettings, missing: tuple[str, ...]
) -> None:
    assert declared.missing == missing
