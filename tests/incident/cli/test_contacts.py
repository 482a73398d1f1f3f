"""Contacts outside at the terminal, and what the doctor says of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.commands import sql
from tests.support.estates import Estate

OFFICE = ("--kind", "authority", "--name", "Cyberspace office", "--phone", "12387")


def doctor(estate: Estate, what: str) -> list[dict[str, Any]]:
    return [each for each in estate.run("doctor", "--json").document if each["what"] == what]


def test_a_contact_is_added_listed_tried_and_removed(estate: Estate) -> None:
    added = estate.done("contact", "add", "provincial_cac", *OFFICE, "--person", "王处长", "--json").document
    assert (added["key"], added["phone"], added["old"]) == ("provincial_cac", "12387", False)
    [line] = estate.done("contact", "list", "--json").document["contacts"]
    assert line == added
    listed = estate.done("contact", "list")
    assert "Cyberspace office" in listed.out and "王处长" in listed.out
    assert "tried today" in estate.done("contact", "checked", "provincial_cac").out
    assert "off the list" in estate.done("contact", "remove", "provincial_cac").out
    assert estate.done("contact", "list", "--json").document["contacts"] == []


def test_the_list_names_recipients_in_scope_without_a_contact(estate: Estate) -> None:
    missing = estate.done("contact", "list", "--json").document["without_contact"]
    assert {"provincial_cac", "pi_authority", "supervisory_authority"} <= {each["key"] for each in missing}
    assert "individuals" not in {each["key"] for each in missing}
    estate.done("contact", "add", "provincial_cac", *OFFICE)
    after = estate.done("contact", "list", "--json").document["without_contact"]
    assert "provincial_cac" not in {each["key"] for each in after}
    spoken = estate.done("contact", "list", INCIDENT_LANGUAGE="zh-Hans").out
    assert "尚未登记联系方式" in spoken and "pi_authority" in spoken


def test_with_a_kind_only_its_contacts_are_listed(estate: Estate) -> None:
    estate.done("contact", "add", "provincial_cac", *OFFICE)
    estate.done(
        "contact", "add", "hosting", "--kind", "provider", "--name", "Host", "--email", "a@example.org"
    )
    document = estate.done("contact", "list", "--kind", "provider", "--json").document
    assert [line["key"] for line in document["contacts"]] == ["hosting"]
    assert document["without_contact"] == []


def test_a_recipient_that_no_regime_knows_is_kept_with_a_warning(estate: Estate) -> None:
    answer = estate.done("contact", "add", "provincal_cac", *OFFICE)
    assert "no regime reports to provincal_cac" in answer.err
    assert "provincial_cac" in answer.err
    assert "warning: no regime" not in estate.done("contact", "add", "pi_authority", *OFFICE).err
    provider = ("--kind", "provider", "--name", "Host", "--phone", "12387")
    assert "no regime" not in estate.done("contact", "add", "hosting", *provider).err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["add", "x", "--kind", "friend", "--name", "A", "--phone", "110"], 2, "no kind of contact"),
        (["list", "--kind", "friend"], 2, "no kind of contact"),
        (["add", "x", "--kind", "police", "--name", "A"], 1, "needs a way to reach it"),
        (["add", "x", "--kind", "police", "--name", "A", "--phone", "soon"], 1, "no phone number"),
        (["checked", "nobody"], 1, "no contact nobody"),
        (["remove", "nobody"], 1, "no contact nobody"),
    ],
)
def test_what_cannot_be_is_refused(estate: Estate, words: list[str], code: int, says: str) -> None:
    estate.refused("contact", *words, says=[says], code=code)


def test_a_key_is_kept_once(estate: Estate) -> None:
    estate.done("contact", "add", "provincial_cac", *OFFICE)
    estate.refused("contact", "add", "provincial_cac", *OFFICE, says=["already"])


def test_the_doctor_misses_contacts_and_complains_of_old_ones(estate: Estate) -> None:
    [missing] = doctor(estate, "contacts")
    assert (missing["state"], "provincial_cac" in missing["finding"]) == ("warn", True)
    every = [each["key"] for each in estate.done("contact", "list", "--json").document["without_contact"]]
    for key in every:
        estate.done("contact", "add", key, *OFFICE)
    [fine] = doctor(estate, "contacts")
    assert (fine["state"], fine["finding"]) == ("ok", f"{len(every)}, all tried within 180 days")
    sql(
        estate.root, "UPDATE contact SET checked_at = '2020-01-01 00:00:00.000000' WHERE key = 'pi_authority'"
    )
    [old] = doctor(estate, "contacts")
    assert (old["state"], old["finding"]) == ("warn", "pi_authority: last tried on 2020-01-01")
    assert "days ago" in estate.done("contact", "list").out
    estate.change_settings("[hooks]", "[contacts]\nmax_age_days = 3650\n[hooks]")
    assert doctor(estate, "contacts")[0]["state"] == "ok"
