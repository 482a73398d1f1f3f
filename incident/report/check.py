"""What stands against handing in a report: the items of its phase, each with the article that asks for it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from incident.notice.findings import Finding, Severity
from incident.report.filled import FilledItem, FilledLine, FilledReport, State, Status, lacking_lines
from incident.report.forms import Need


def check_report(report: FilledReport) -> list[Finding]:
    """Refusals first. A required item that lacks a line is refused; what is known to be unknown is only shown."""
    findings = [finding for item in report.items for finding in _item(report, item)]
    if not report.organisation:
        message = {
            "zh-Hans": f"单位名称没有 {report.language} 文字，请在 incident.toml 的 organisation 中填写。",
            "en": f"The organisation has no name in {report.language}. Set it under organisation in incident.toml.",
        }
        findings.append(Finding(Severity.REFUSED, "no-organisation", "head", report.language, message))
    return sorted(findings, key=lambda finding: finding.severity is not Severity.REFUSED)


def _item(report: FilledReport, item: FilledItem) -> Iterator[Finding]:
    if item.status is Status.LACKING:
        lacking = lacking_lines(item.lines)
        fields = tuple(dict.fromkeys(name for line in lacking for name in line.asks))
        asks = [each for each in report.questions if each.item == item.id and each.field in fields]
        labels = {tag: dict.fromkeys(line.titles[tag] for line in lacking) for tag in ("zh-Hans", "en")}
        message = {
            "zh-Hans": f"第{item.id}项缺少：{'、'.join(labels['zh-Hans'])}。{''.join(each.question['zh-Hans'] for each in asks)}",
            "en": f"Item {item.id} lacks {', '.join(labels['en'])}. {' '.join(each.question['en'] for each in asks)}".rstrip(),
        }
        articles = ((report.form.regime, item.article),)
        yield Finding(Severity.REFUSED, "missing-item", item.id, report.language, message, articles, fields)
    for line in item.lines:
        yield from _line(report, item, line)


def _line(report: FilledReport, item: FilledItem, line: FilledLine) -> Iterator[Finding]:
    if line.state is State.UNKNOWN and (item.required or line.need is not Need.OPTIONAL):
        message = {
            "zh-Hans": f"第{item.id}项的“{line.titles['zh-Hans']}”写明尚不清楚，查明后须补报。",
            "en": f'"{line.titles["en"]}" in item {item.id} stands as not known; supplement it once it is.',
        }
        yield Finding(Severity.WARNING, "unknown", item.id, report.language, message, fields=line.asks)
    if line.state is State.ABSENT and line.need is Need.ASKED:
        message = {
            "zh-Hans": f"第{item.id}项的“{line.titles['zh-Hans']}”尚未填写；法律要求尽可能提供。",
            "en": f'"{line.titles["en"]}" in item {item.id} is not given yet; the law asks for it where possible.',
        }
        yield Finding(
            Severity.WARNING, "where-possible", item.id, report.language, message,
            ((report.form.regime, item.article),), line.asks,
        )  # fmt: skip
