"""Nothing that leads to one person stands in a text that everybody reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from incident.errors import Refused
from incident.law.categories import category_catalogue
from incident.law.remedies import remedy_catalogue
from incident.notice.content import NoticeContent
from incident.notice.findings import Finding, Severity
from incident.notice.gate_personal import check_personal
from incident.notice.languages import shipped_languages
from tests.support.breaches import make_breach

Contents = Callable[..., dict[str, NoticeContent]]
# Made up; the check sign and the check digit are right.
IDENTITY, CARD = "11010519491231002X", "4111 1111 1111 1111"


def found(contents: Contents, text: str, *, place: str = "cause", language: str = "en") -> list[Finding]:
    content = contents()[language]
    changed = replace(content, cause=text) if place == "cause" else content
    if place != "cause":
        changed = replace(content, more=(replace(content.more[0], element=place, lines=(text,)),))
    return list(check_personal({language: changed}, shipped_languages()))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Zhang Wei, 13812345678, reported it.", "a phone number"),
        ("Call +44 7911 123456.", "a phone number"),
        ("Call 021-62345678 now.", "a phone number"),
        ("Write to zhang.wei@mail.example.org.", "an e-mail address"),
        (f"The number {IDENTITY} was seen.", "an identity number"),
        (f"The card {CARD} was used.", "a card number"),
    ],
)
def test_what_may_be_a_persons_is_refused_with_place_and_sentence_and_without_repeating_it(
    contents: Contents, text: str, kind: str
) -> None:
    [finding] = found(contents, text)
    assert (finding.severity, finding.code, finding.place) == (Severity.REFUSED, "person-in-text", "cause")
    said = finding.text("en")
    assert kind in said and "****" in said
    for secret in ("13812345678", "7911 123456", "62345678", "zhang.wei@", IDENTITY, CARD):
        assert secret not in said and secret not in finding.text("zh-Hans")


def test_a_chinese_text_is_read_too(contents: Contents) -> None:
    [finding] = found(contents, "请联系张伟13812345678核实。", language="zh-Hans")
    assert "电话号码" in finding.text("zh-Hans") and "13****" in finding.text("zh-Hans")


@pytest.mark.parametrize(
    "text",
    [
        "Call 020-10086.",
        "Write to privacy@example-mobile.cn or dpo@example-mobile.cn.",
        "Write to help@care.example-mobile.cn.",
        "Call the hotline 400-810-8888 or 12321.",
        "It concerns 128,430 people and began on 19 November 2026 at 22:10.",
        "Notice INC-2026-0001 of 2026-11-21 concerns 118000 to 131000 people.",
        "The number 110105194912310021 has another check sign.",
    ],
)
def test_what_is_our_own_or_nobodys_is_let_through(contents: Contents, text: str) -> None:
    assert found(contents, text) == []


def test_the_parts_for_authorities_and_services_may_name_their_numbers_but_no_identity_number(
    contents: Contents,
) -> None:
    told = "Experian, +1 888 397 3742, 475 Anton Boulevard; help@bureau.example.org."
    assert found(contents, told, place="credit_bureau_info") == []
    assert len(found(contents, f"Quote {IDENTITY}.", place="credit_bureau_info")) == 1


def test_nothing_that_is_shipped_is_taken_for_a_persons(contents: Contents) -> None:
    everything = contents(
        {"data_categories": list(category_catalogue()), "remedies_chosen": list(remedy_catalogue())}
    )
    assert list(check_personal(everything, shipped_languages())) == []


def test_such_a_notice_cannot_be_released(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    breach.edit("cause", "en", "Zhang Wei, 13812345678, left a gateway open.")
    with pytest.raises(Refused, match="may be a person's") as refused:
        breach.sign("bo")
    assert "13812345678" not in str(refused.value)
