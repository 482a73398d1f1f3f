from __future__ import annotations

from datetime import UTC, datetime

from incident.duties.recipients import recipients_of_reports, without_contact
from incident.law.regimes import load_regimes
from incident.record.contacts import ContactKind, ContactLine

REGIMES = load_regimes()
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def contact(key: str, kind: ContactKind = ContactKind.AUTHORITY) -> ContactLine:
    return ContactLine(
        id="1",
        label=key,
        kind=kind,
        key=key,
        added_at=NOW,
        checked_at=NOW,
        name="Office",
        person="",
        phone="110",
        email="",
        url="",
        address="",
        note="",
    )


def test_recipients_are_those_of_reports_and_not_the_people_concerned() -> None:
    found = recipients_of_reports(REGIMES)
    assert {"provincial_cac", "public_security", "pi_authority", "supervisory_authority"} <= set(found)
    assert not {"individuals", "interested_organisations"} & set(found)
    assert all({"en", "zh-Hans"} <= set(name) for name in found.values())


def test_in_scope_are_the_regimes_of_its_countries_however_they_are_written() -> None:
    assert set(recipients_of_reports(REGIMES, countries=["eu"])) == {"supervisory_authority"}
    assert set(recipients_of_reports(REGIMES, countries=["de"])) == {"supervisory_authority"}
    chinese = recipients_of_reports(REGIMES, countries=["CN"])
    assert chinese == recipients_of_reports(REGIMES, countries=["cn"])
    assert "supervisory_authority" not in chinese
    assert recipients_of_reports(REGIMES, countries=["us"]) == {}


def test_a_law_that_is_only_proposed_asks_for_no_contact() -> None:
    [omnibus] = [regime for regime in REGIMES if regime.id == "eu-gdpr-omnibus"]
    assert recipients_of_reports([omnibus], countries=["eu"]) == {}
    assert set(recipients_of_reports([omnibus])) == {"single_entry_point"}


def test_a_contact_of_an_authority_or_the_police_serves_its_recipient_and_no_other_kind_does() -> None:
    recipients = recipients_of_reports(REGIMES, countries=["cn"])
    kept = [
        contact("pi_authority"),
        contact("public_security", ContactKind.POLICE),
        contact("provincial_cac", ContactKind.PROVIDER),
    ]
    missing = without_contact(recipients, kept)
    assert set(recipients) - set(missing) == {"pi_authority", "public_security"}
