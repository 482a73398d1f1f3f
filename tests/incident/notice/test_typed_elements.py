"""What was not taken, the reports to authorities and the rights of people: told only as the record and the law have it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from incident.law.rights import rights_catalogue
from incident.notice.content import NoticeContent
from incident.notice.draft import draft
from incident.notice.findings import Severity
from incident.notice.gate_record import check_record
from incident.notice.inputs import NoticeInputs
from incident.notice.public_page import render_public_pages
from incident.notice.release import latest_version
from incident.notice.render import render_email
from incident.ops.house import evaluate
from incident.record.facts import Certainty
from incident.report.versions import record_submission
from tests.support.breaches import Breach, make_breach

LANGUAGES = ("zh-Hans", "en")
Make = Callable[..., NoticeInputs]


def lines(content: NoticeContent, element: str) -> tuple[str, ...]:
    return next((section.lines for section in content.more if section.element == element), ())


def test_what_was_not_taken_is_told_as_surely_as_it_is_known(inputs: Make) -> None:
    sure = draft(inputs(sure=Certainty.confirmed), "en")
    assert lines(sure, "data_not_taken") == (
        "This information was not affected: identity card number, bank account number.",
    )
    likely = draft(inputs(sure=Certainty.likely), "zh-Hans")
    [line] = lines(likely, "data_not_taken")
    assert line.startswith("据目前掌握的情况，以下信息没有受到影响：")


def test_a_kind_that_was_taken_is_never_told_as_not_taken_and_the_gate_refuses_the_record(
    inputs: Make,
) -> None:
    made = inputs({"data_not_taken": ["phone_number", "id_number"]}, sure=Certainty.confirmed)
    [line] = lines(draft(made, "en"), "data_not_taken")
    assert "phone" not in line.lower() and "identity card number" in line
    [finding] = check_record(made)
    assert (finding.severity, finding.code) == (Severity.REFUSED, "taken-and-not-taken")
    assert "phone number" in finding.text("en") and "手机号码" in finding.text("zh-Hans")
    assert finding.fields == ("data_categories", "data_not_taken")
    alone = inputs({"data_not_taken": ["phone_number"]})
    assert lines(draft(alone, "en"), "data_not_taken") == ()
    assert list(check_record(inputs())) == []


def test_without_the_fact_nothing_is_said_of_what_was_not_taken(inputs: Make) -> None:
    for given in (None, "unknown"):
        assert lines(draft(inputs({"data_not_taken": given}), "en"), "data_not_taken") == ()


def test_each_authority_is_named_once_with_the_day_on_which_it_was_first_told(inputs: Make) -> None:
    [first] = inputs().informed
    again = replace(first, duty="cn-cac/final", at=first.at + timedelta(days=3))
    other = replace(
        first, duty="eu-gdpr/authority", authority={"zh-Hans": "主管监管机构", "en": "supervisory authority"}
    )
    content = draft(inputs(informed=(again, other, first)), "en")
    assert lines(content, "authority_informed") == (
        "Reported on 22 November 2026: the department in charge of personal information protection.",
        "Reported on 22 November 2026: supervisory authority.",
    )
    assert lines(draft(inputs(), "zh-Hans"), "authority_informed") == (
        "我们已于2026年11月22日向履行个人信息保护职责的部门报告。",
    )
    assert content.sources["authority_informed"][0].entries == (
        "phrases/authority_informed", "duties/cn-pipl-57/authority",
    )  # fmt: skip


def test_a_report_that_nobody_handed_in_is_never_claimed(inputs: Make) -> None:
    content = draft(inputs(informed=()), "en")
    assert lines(content, "authority_informed") == ()
    assert "Reported on" not in str(content.as_document())
    assert [gap.field for gap in content.missing] == ["duties"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_rights_are_those_of_the_regimes_that_ask_for_the_notice(inputs: Make, language: str) -> None:
    assert lines(draft(inputs(), language), "rights_and_remedies") == ()
    both = draft(inputs(regimes=["eu-gdpr", "cn-pipl-57", "us-hipaa"]), language)
    catalogue = rights_catalogue()
    assert lines(both, "rights_and_remedies") == tuple(
        catalogue[regime].says[language] for regime in ("cn-pipl-57", "eu-gdpr")
    )
    assert both.sources["rights_and_remedies"][0].entries == ("rights/cn-pipl-57",)


def test_counsels_own_words_on_rights_take_the_place_of_ours(inputs: Make) -> None:
    own = {"rights_of_people": {"en": "You may claim damages."}}
    made = inputs(own, regimes=["eu-gdpr"])
    assert lines(draft(made, "en"), "rights_and_remedies") == ("You may claim damages.",)
    # In the other language nobody wrote any, and ours must not say something else than counsel did.
    assert lines(draft(made, "zh-Hans"), "rights_and_remedies") == ()
    assert list(check_record(made)) == []


def test_what_nobody_checked_in_the_law_is_given_to_counsel_to_read(inputs: Make) -> None:
    [finding] = check_record(inputs(regimes=["eu-gdpr"]))
    assert (finding.severity, finding.fields) == (Severity.SUGGESTION, ("rights_of_people",))
    assert "Art. 15, 16, 17, 77, 82" in finding.text("en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_they_stand_in_the_mail_and_on_the_public_page(
    inputs: Make, templates: list[Path], language: str
) -> None:
    content = draft(inputs(regimes=["cn-pipl-57"]), language)
    mail = render_email(content, templates=templates)
    [page] = render_public_pages({language: content}, templates=templates).values()
    for element in ("data_not_taken", "authority_informed", "rights_and_remedies"):
        [line] = lines(content, element)
        assert line in mail.text and line.replace("'", "&#39;") in mail.html
        assert line.replace("'", "&#39;") in page


def contents_of(breach: Breach) -> dict[str, NoticeContent]:
    breach.sign("bo")
    with breach.made.store.read() as session:
        version = latest_version(session, breach.made.store, breach.id)
    assert version is not None
    return dict(version.frozen.contents)


def test_a_report_that_was_handed_in_stands_in_the_next_version_of_the_notice(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    before = contents_of(breach)["en"]
    assert lines(before, "authority_informed") == () and lines(before, "rights_and_remedies")
    store, now = breach.made.store, breach.made.clock()
    with store.write(breach.id, kind="report.submitted", actor="ana", now=now) as change:
        record_submission(
            change, store, breach.id, "cn-pipl-57/authority", at=now, how="by portal", reference="42"
        )
        evaluate(breach.house, change, breach.id)
    after = contents_of(breach)
    assert "the department in charge" in lines(after["en"], "authority_informed")[0]
    assert all(len(lines(content, "authority_informed")) == 1 for content in after.values())


@pytest.mark.parametrize(
    ("cii_involved", "told"),
    [
        ("unknown", ""),
        (False, "provincial cyberspace administration"),
        (True, "critical information infrastructure"),
    ],
)
def test_which_of_two_authorities_was_told_is_claimed_only_where_the_record_settles_it(
    tmp_path: Path, cii_involved: bool | str, told: str
) -> None:
    breach = make_breach(tmp_path)
    breach.state(cii_involved=cii_involved)
    store, now = breach.made.store, breach.made.clock()
    with store.write(breach.id, kind="report.submitted", actor="ana", now=now) as change:
        duty = "cn-cac-incident-2025/initial"
        record_submission(change, store, breach.id, duty, at=now, how="12387 hotline", reference="42")
        evaluate(breach.house, change, breach.id)
    found = " ".join(lines(contents_of(breach)["en"], "authority_informed"))
    assert told in found if told else found == ""
