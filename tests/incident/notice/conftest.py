"""A typical case: a carrier's query interface leaked, found two days later, contained by playbook and by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from incident.law.categories import category_catalogue
from incident.notice.content import NoticeContent
from incident.notice.draft import draft
from incident.notice.inputs import Informed, NoticeInputs
from incident.notice.letter import FrozenLetter, freeze_letter
from incident.record.facts import Certainty, Fact, field_named, parse_value
from incident.record.measures import MeasureTaken
from incident.settings import Organisation, Paper, ProtectionOfficer

ZONE = ZoneInfo("Asia/Shanghai")
KNOWN: Mapping[str, Any] = {
    "personal_data_breach": "actual",
    "breach_effects": ["confidentiality"],
    "occurred_at": "2026-11-19 22:10",
    "discovered_at": "2026-11-21 23:40",
    "ended_at": "2026-11-22 00:25",
    "next_update_at": "2026-12-01 12:00",
    "what_happened": {
        "zh-Hans": "有人未经许可，通过我们的一个查询接口读取了用户资料。",
        "zh-Hant": "有人未經許可，透過我們的一個查詢介面讀取了用戶資料。",
        "en": "Somebody read customer records through one of our query interfaces without permission.",
    },
    "cause_kind": "misconfiguration",
    "persons": {"min": 118000, "likely": 128430, "max": 131000},
    "data_categories": ["phone_number", "location_track", "account_password"],
    "data_not_taken": ["bank_account", "id_number"],
    "remedies_offered": {
        "zh-Hans": "我们免费为您更换号码。\n因这件事产生的话费，由我们承担。",
        "zh-Hant": "我們免費為您更換號碼。\n因這件事產生的通話費用，由我們承擔。",
        "en": "We change your phone number free of charge.\nWe bear call charges that this caused.",
    },
}
MEASURES = (
    MeasureTaken(
        "contain.disable-endpoint", datetime(2026, 11, 21, 16, 25, tzinfo=UTC), "", "HTTP 204", "run"
    ),
    MeasureTaken(
        "contain.revoke-credential", datetime(2026, 11, 21, 17, 5, tzinfo=UTC), "wang.fang", "AK-77", "log"
    ),
    MeasureTaken("contain.revoke-credential", datetime(2026, 11, 21, 17, 9, tzinfo=UTC), "li.na", "", "run"),
)
INFORMED = (
    Informed(
        "cn-pipl-57/authority",
        "pi_authority",
        {
            "zh-Hans": "履行个人信息保护职责的部门",
            "en": "the department in charge of personal information protection",
        },
        datetime(2026, 11, 22, 2, 0, tzinfo=UTC),
    ),
)
ORGANISATION = Organisation(
    name={
        "zh-Hans": "示例移动广东公司",
        "zh-Hant": "示例流動通訊廣東分公司",
        "en": "Example Mobile Guangdong",
    },
    phone="020-10086",
    email="privacy@example-mobile.cn",
    website="www.example-mobile.cn",
    address={
        "zh-Hans": "广州市天河区示例路1号",
        "zh-Hant": "廣州市天河區示例路1號",
        "en": "1 Shili Road, Tianhe, Guangzhou",
    },
    protection_officer=ProtectionOfficer(
        name={"zh-Hans": "李明", "zh-Hant": "李明", "en": "Li Ming"}, contact="dpo@example-mobile.cn"
    ),
)

MakeInputs = Callable[..., NoticeInputs]


@pytest.fixture
def templates() -> list[Path]:
    return [Path(__file__).parents[3] / "templates"]


@pytest.fixture
def inputs() -> MakeInputs:
    """Inputs of the typical case; `changes` replaces facts, and None takes one away."""

    def make(
        changes: Mapping[str, Any] | None = None, *, sure: Certainty = Certainty.likely, **parts: Any
    ) -> NoticeInputs:
        raw = {name: value for name, value in {**KNOWN, **(changes or {})}.items() if value is not None}
        facts = {
            name: Fact(
                name, parse_value(field_named(name), value, zone=ZONE), "zhang.wei", "access log", sure,
                datetime(2026, 11, 22, 1, 0, tzinfo=UTC),
            )
            for name, value in raw.items()
        }  # fmt: skip
        typical = NoticeInputs(
            reference="INC-2026-0001",
            facts=facts,
            measures=MEASURES,
            organisation=ORGANISATION,
            categories=category_catalogue(),
            written_at=datetime(2026, 11, 23, 2, 0, tzinfo=UTC),
            zone=ZONE,
            informed=INFORMED,
        )
        return replace(typical, **parts)

    return make


@pytest.fixture
def contents(inputs: MakeInputs) -> Callable[..., dict[str, NoticeContent]]:
    def make(
        changes: Mapping[str, Any] | None = None,
        *,
        languages: tuple[str, ...] = ("zh-Hans", "en"),
        **parts: Any,
    ) -> dict[str, NoticeContent]:
        return {language: draft(inputs(changes, **parts), language) for language in languages}

    return make


@pytest.fixture
def letter(
    contents: Callable[..., dict[str, NoticeContent]], templates: list[Path]
) -> Callable[..., FrozenLetter]:
    """The letter of the typical case, frozen; `changes` replaces facts."""

    def make(language: str = "en", paper: Paper | None = None, **changes: object) -> FrozenLetter:
        return freeze_letter(
            contents(changes, languages=(language,))[language], templates=templates, paper=paper or Paper()
        )

    return make
