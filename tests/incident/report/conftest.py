"""A record that has what the first hours bring: systems, place, times, counts in a range, two measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from incident.law.categories import category_catalogue
from incident.law.grading import grade, shipped_scales
from incident.notice.draft import NoticeInputs
from incident.record.facts import Certainty, Fact, field_named, parse_value
from incident.record.measures import MeasureTaken
from incident.report.fill import ReportInputs
from incident.settings import Organisation, ProtectionOfficer

ZONE = ZoneInfo("Asia/Shanghai")
KNOWN: Mapping[str, Any] = {
    "personal_data_breach": "actual",
    "breach_effects": ["confidentiality"],
    "incident_type": "data_security",
    "occurred_at": "2026-11-19 22:10",
    "discovered_at": "2026-11-21 23:40",
    "aware_at": "2026-11-22 01:10",
    "ended_at": "2026-11-22 00:25",
    "systems": ["客户关系管理系统"],
    "system_facts": {"zh-Hans": "面向全省用户的业务查询系统。", "en": "The query system for the province."},
    "location": {"zh-Hans": "广州市", "en": "Guangzhou"},
    "what_happened": {"zh-Hans": "用户资料被读取。", "en": "Customer records were read."},
    "impact_so_far": {"zh-Hans": "用户接到诈骗电话。", "en": "Customers got fraud calls."},
    "persons": {"min": 118000, "likely": 128430, "max": 131000},
    "data_categories": ["phone_number", "location_track"],
}
# What the later phases need on top.
LATER: Mapping[str, Any] = {
    "trend": {"zh-Hans": "不再扩大。", "en": "It does not grow."},
    "cause_kind": "misconfiguration",
    "cause": {"zh-Hans": "接口未做鉴权。", "en": "The interface did not check who asked."},
    "attacker_info": {"zh-Hans": "境外地址。", "en": "An address abroad."},
    "attack_path": {"zh-Hans": "遍历编号。", "en": "Counting through ids."},
    "vulnerabilities": {"zh-Hans": "缺少鉴权。", "en": "No check of identity."},
    "planned_measures": {"zh-Hans": "更换接口。", "en": "Replace the interface."},
    "support_requested": {"zh-Hans": "无。", "en": "No support is needed."},
    "scene_protection": {"zh-Hans": "日志已封存。", "en": "Logs are sealed."},
    "handling_ended_at": "2026-11-30 18:00",
    "accountability": {"zh-Hans": "已启动问责。", "en": "Under way."},
    "remediation": {"zh-Hans": "已完成整改。", "en": "Done."},
    "lessons": {"zh-Hans": "上线前须检查鉴权。", "en": "Check identity before going live."},
    "subject_categories": ["customers"],
    "records": 512000,
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
ORGANISATION = Organisation(
    name={"zh-Hans": "示例移动广东公司", "en": "Example Mobile Guangdong"},
    phone="020-10086",
    email="privacy@example-mobile.cn",
    website="www.example-mobile.cn",
    address={"zh-Hans": "广州市天河区示例路1号", "en": "1 Shili Road, Tianhe, Guangzhou"},
    protection_officer=ProtectionOfficer(
        name={"zh-Hans": "李明", "en": "Li Ming"}, contact="dpo@example-mobile.cn"
    ),
)

MakeInputs = Callable[..., ReportInputs]


@pytest.fixture
def templates() -> list[Path]:
    return [Path(__file__).parents[3] / "templates"]


@pytest.fixture
def inputs() -> MakeInputs:
    """What a report is filled from. `changes` replaces facts and None takes one away; `later` adds the rest."""

    def make(
        changes: Mapping[str, Any] | None = None,
        *,
        later: bool = False,
        sure: Certainty = Certainty.likely,
        late: bool = False,
        graded: bool = True,
        **parts: Any,
    ) -> ReportInputs:
        said = {**KNOWN, **(LATER if later else {}), **(changes or {})}
        raw = {name: value for name, value in said.items() if value is not None}
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
        )
        record = replace(typical, **parts)
        result = grade(shipped_scales()["cn-cac"], {name: fact.value for name, fact in facts.items()})
        recipients = ({"zh-Hans": "广东省互联网信息办公室", "en": "Supervisory authority"},)
        return ReportInputs(record, result if graded else None, late=late, recipients=recipients)

    return make
