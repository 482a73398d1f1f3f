"""A small law of a workspace's own that binds only carriers."""

from __future__ import annotations

from pathlib import Path

CARRIERS_ONLY = """
id: carriers
title: {zh-Hans: 仅适用于电信运营者, en: For carriers}
authority: {zh-Hans: 主管机关, en: the authority}
country: CN
zone: Asia/Shanghai
in_force: {from: 2020-01-01}
organisations: [telecom_operator]
applies: {field: personal_data_breach, is: actual}
article: Art. 1
source: https://example.org
confidence: verified
recipients: {office: {zh-Hans: 主管机关, en: the authority}}
duties:
  - id: report
    kind: report_authority
    phase: initial
    title: {zh-Hans: 报告, en: Report}
    article: Art. 2
    confidence: verified
    anchor: {earliest: [discovered_at]}
    recipients: [office]
    within: PT24H
"""


def put_carriers_law(root: Path) -> None:
    """Give a workspace that law, as `carriers`."""
    folder = root / "regimes"
    folder.mkdir()
    (folder / "carriers.yaml").write_text(CARRIERS_ONLY, "utf-8")
