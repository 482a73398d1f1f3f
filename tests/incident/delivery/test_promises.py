"""What the organisation promised holds before a campaign opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from incident.delivery.promises import must_keep_promises
from incident.errors import Refused
from incident.settings import Settings
from tests.support.breaches import make_breach, some_people
from tests.support.workspaces import all_rows

DECLARED: dict[str, Any] = {
    "host": "relay.example.com",
    "from_address": "notice@example.com",
    "processor": "our own relay",
    "country": "cn",
}


def settings(promises: dict[str, Any] | None = None, **mail: Any) -> Settings:
    return Settings.model_validate(
        {
            "workspace": {"id": "t", "name": "T"},
            "mail": {**DECLARED, **mail},
            "promises": promises or {},
        }
    )


def test_our_own_relay_in_the_country_keeps_every_promise() -> None:
    must_keep_promises(settings({"keep_in": ["cn"], "share_with_no_one": True}))


def test_a_relay_abroad_breaks_the_promise_to_keep_data_in_the_country() -> None:
    with pytest.raises(Refused, match=r"'us'.*keep personal data in cn") as refused:
        must_keep_promises(settings({"keep_in": ["cn"]}, country="us"))
    assert refused.value.where == "mail.country"


@pytest.mark.parametrize(
    ("other", "where"),
    [
        ({"country": "us", "processor": "x"}, "mail.others.0.country"),
        ({"country": "cn", "processor": "x", "relation": "provided"}, "mail.others.0.relation"),
        ({"country": "cn", "processor": "x", "relation": "entrusted"}, "mail.others.0.contract"),
    ],
)
def test_a_relay_that_takes_over_keeps_the_promises_too(other: dict[str, str], where: str) -> None:
    with pytest.raises(Refused) as refused:
        must_keep_promises(settings({"keep_in": ["cn"]}, others=[{"host": "two.example.com", **other}]))
    assert refused.value.where == where


def test_everything_that_is_not_declared_is_named_at_once() -> None:
    with pytest.raises(Refused, match=r"mail.from_address, mail.host, mail.others.0.processor") as refused:
        must_keep_promises(settings(from_address="", host="", others=[{"host": "x", "country": "cn"}]))
    assert "processor" in str(refused.value.next_step) or "processes" in str(refused.value.next_step)


def test_without_that_promise_a_relay_abroad_is_no_matter_of_promises() -> None:
    must_keep_promises(settings({"keep_in": []}, country="us"))


def test_a_third_party_breaks_the_promise_to_share_with_no_one() -> None:
    with pytest.raises(Refused, match="third party") as refused:
        must_keep_promises(settings(relation="provided"))
    assert refused.value.where == "mail.relation"


def test_a_third_party_is_allowed_where_nothing_else_was_promised() -> None:
    must_keep_promises(settings({"share_with_no_one": False}, relation="provided"))


def test_a_processor_needs_a_contract() -> None:
    with pytest.raises(Refused, match="no contract is named"):
        must_keep_promises(settings(relation="entrusted"))
    must_keep_promises(settings(relation="entrusted", contract="DPA-2026-014"))


@pytest.mark.parametrize("name", ["host", "from_address", "processor", "country"])
def test_a_relay_must_be_declared(name: str) -> None:
    with pytest.raises(Refused, match=f"mail.{name}"):
        must_keep_promises(settings(None, **{name: ""}))


@pytest.mark.parametrize(
    "mail", [{"country": "us"}, {"relation": "provided"}, {"relation": "entrusted"}, {"processor": ""}]
)
def test_a_campaign_that_would_break_a_promise_is_not_opened(tmp_path: Path, mail: dict[str, Any]) -> None:
    breach = make_breach(tmp_path, people=some_people(3), mail=mail, promises={"keep_in": ["cn"]})
    breach.release()
    before = all_rows(breach.made.store)
    with pytest.raises(Refused):
        breach.open_sending()
    assert all_rows(breach.made.store) == before
