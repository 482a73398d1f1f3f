"""`notice status` and `deliveries --unreached`: who was not reached, why, and what happens next."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from incident.cli import next_steps
from tests.support.estates import Estate
from tests.support.relays import recording_relay

PEOPLE = """reference,name,email,phone,address,language,data,birth_date,guardian_name,guardian_phone,deceased,safe_contact
C-100001,Ann,ann@example.org,,,en,phone_number,,,,,
C-100002,Bert,,13800138000,,en,phone_number,,,,,
C-100003,Cleo,,,1 Long Street,en,phone_number,,,,,
C-100004,Dan,,,,en,phone_number,,,,,
C-100005,Eve,,,,en,phone_number,2016-01-01,Ed,13900139000,,
C-100008,Hal,,13700137000,,en,phone_number,2016-01-01,,,,
C-100006,Fay,fay@example.org,,,en,phone_number,,,,yes,
C-100007,Gus,gus@example.org,,,en,phone_number,,,,,by his sister
"""
NEXT = {
    "en": [
        "by phone: +86 138****8000",
        "by letter: address on the list",
        "public notice, online since {today}",
        "by phone, to the guardian: +86 139****9000",
        "by phone, asking for a parent or guardian: +86 137****7000",
        "nothing more: deceased",
        "told by hand, as the list says how",
    ],
    "zh-Hans": [
        "电话告知：+86 138****8000",
        "信函告知：名单上的地址",
        "公告，{today} 起已上线",
        "电话告知（监护人）：+86 139****9000",
        "电话告知（未成年人，请与其监护人沟通）：+86 137****7000",
        "不再告知：已故",
        "人工告知，方式见名单",
    ],
}


@pytest.fixture
def sent(estate: Estate, tmp_path: Path) -> Estate:
    """The notice went out; one of eight has an address."""
    file = tmp_path / "people.csv"
    file.write_text(PEOPLE, "utf-8")
    estate.done("people", "import", estate.id, file)
    for name in ("anna", "bo"):
        estate.done("--as", name, "notice", "release", estate.id)
    with recording_relay() as relay:
        estate.change_settings("port = 9", f"port = {relay.port}")
        estate.done("notice", "send", estate.id)
    return estate


def listed(estate: Estate, *more: str, **environment: str) -> list[dict[str, str]]:
    answer = estate.done("deliveries", estate.id, "--unreached", "--format", "csv", *more, **environment)
    return list(csv.DictReader(io.StringIO(answer.out)))


def published_on(estate: Estate) -> str:
    steps = estate.done("notice", "status", estate.id).out
    return steps.split("online since ")[1][:10]


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_the_list_says_what_happens_next_in_the_reader_s_words(sent: Estate, language: str) -> None:
    today = published_on(sent)
    rows = listed(sent, INCIDENT_LANGUAGE=language)
    wanted = sorted(words.format(today=today) for words in NEXT[language])
    assert sorted(row["What happens next"] for row in rows) == wanted


def test_the_list_says_until_when_and_how_soon(sent: Estate) -> None:
    rows = {row["What happens next"]: row for row in listed(sent)}
    letter = rows["by letter: address on the list"]
    assert letter["Until"] and letter["How soon"] == "now"
    dead = rows["nothing more: deceased"]
    assert (dead["Until"], dead["How soon"]) == ("", "")


def test_contacts_are_shown_to_whoever_signed_for_it(sent: Estate) -> None:
    assert "13800138000" not in sent.done("deliveries", sent.id, "--unreached").text
    rows = {
        row["Reference"]: row["What happens next"]
        for row in csv.DictReader(
            io.StringIO(
                sent.done(
                    "--as", "anna", "deliveries", sent.id, "--unreached", "--format", "csv",
                    "--reveal", "--reason", "the call centre calls them",
                ).out
            )
        )
    }  # fmt: skip
    assert rows["C-100002"] == "by phone: +8613800138000"
    assert rows["C-100003"] == "by letter: 1 Long Street"


def test_scripts_read_words_that_no_language_changes(sent: Estate) -> None:
    answer = sent.done("deliveries", sent.id, "--unreached", "--json", INCIDENT_LANGUAGE="zh-Hans")
    lines = {line["next"]: line for line in answer.document if line["next"] != "phone"}
    assert set(lines) == {"letter", "public_notice", "nothing", "by_hand"}
    assert (lines["by_hand"]["reason"], lines["letter"]["reason"]) == ("safe_contact", "no_email")
    assert lines["by_hand"]["next_why"] == "safe_contact"
    assert lines["letter"]["urgency"] == "now" and lines["letter"]["until"]
    assert [step["by"] for step in lines["letter"]["plan"]] == ["email", "letter", "phone", "public_notice"]
    assert lines["letter"]["plan"][2]["hurdle"] == "no_contact"


def test_without_unreached_the_list_is_as_it_was(sent: Estate) -> None:
    answer = sent.done("deliveries", sent.id, "--json")
    assert len(answer.document) == 8 and "next" not in answer.document[0]


def test_status_sums_what_happens_next(sent: Estate) -> None:
    document = sent.done("notice", "status", sent.id, "--json").document
    steps = document["next_steps"]
    assert steps["ways"] == {"phone": 3, "letter": 1, "public_notice": 1, "nothing": 1, "by_hand": 1}
    assert steps["people"] == 7 and steps["until"]
    assert set(steps["urgencies"]) == {"phone", "letter", "by_hand"}
    text = sent.done("notice", "status", sent.id).out
    assert "not reached: 7; what happens next" in text
    assert f"incident deliveries {sent.id} --unreached --format csv" in text
    chinese = sent.done("notice", "status", sent.id, INCIDENT_LANGUAGE="zh-Hans").out
    assert "尚未告知到：7 人，下一步" in chinese and "电话告知" in chinese


def test_status_says_what_each_law_asks_of_a_public_notice_instead(sent: Estate) -> None:
    text = sent.done("notice", "status", sent.id).out
    assert "1 can be reached by no means on the list" in text
    assert "eu-gdpr/people (Art. 34(3)(c), UNREVIEWED): not yet; it rests on disproportionate_effort" in text
    assert "a public communication that is equally effective: our page is online" in text
    sent.done("set", sent.id, "disproportionate_effort=true")
    text = sent.done("notice", "status", sent.id).out
    assert "eu-gdpr/people (Art. 34(3)(c), UNREVIEWED): yes, its condition is shown" in text
    chinese = sent.done("notice", "status", sent.id, INCIDENT_LANGUAGE="zh-Hans").out
    assert "可以，条件已经具备" in chinese and "合理、有效的方式" in chinese


def test_the_count_is_offered_as_a_fact_where_a_law_goes_by_it(sent: Estate) -> None:
    scope = 'countries = ["cn", "eu"]'
    assert "persons_without_contact" not in sent.done("notice", "status", sent.id).out
    sent.change_settings(scope, 'countries = ["us"]\norganisation = ["health_care_entity"]')
    sent.done("set", sent.id, "persons_phi=1000", "phi_unsecured=true", "people_countries=US")
    text = sent.done("notice", "status", sent.id).out
    assert "us-hipaa/people (45 CFR 164.404(d)(2)(ii), UNREVIEWED): not yet" in text
    assert "a toll-free number, 90 days (from memory): not done from here" in text
    assert f"incident set {sent.id} persons_without_contact=1 --sure likely" in text
    sent.done("set", sent.id, "persons_without_contact=12")
    assert "yes, its condition is shown" in sent.done("notice", "status", sent.id).out


def test_a_mailbox_under_the_attacker_s_control_is_told(sent: Estate) -> None:
    sent.done("set", sent.id, "channels_compromised=email")
    text = sent.done("notice", "status", sent.id).out
    assert "not reached: 8" in text and "channels_compromised): 1" in text
    assert len(listed(sent)) == 8


def test_of_very_many_only_the_number_is_told(sent: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(next_steps, "_MOST_LOOKED_AT", 5)
    assert "not reached: 7; too many to look at each here" in sent.done("notice", "status", sent.id).out
    document = sent.done("notice", "status", sent.id, "--json").document
    assert document["next_steps"]["ways"] is None


def test_a_means_that_is_none_is_refused_by_its_key(estate: Estate) -> None:
    settings = estate.settings_file
    settings.write_text(settings.read_text("utf-8") + '\n[fallback]\nmeans = ["email", "pigeon"]\n', "utf-8")
    estate.refused("list", says=["fallback.means"])


def test_without_the_key_the_account_stands_alone(sent: Estate) -> None:
    (sent.root / "keyring" / f"{sent.id}.key").unlink()
    answer = sent.done("notice", "status", sent.id)
    assert "accepted by the relay" in answer.out and "what happens next" not in answer.out
    sent.refused("deliveries", sent.id, "--unreached", says=["keyring"])
