"""A filled report as a page for print (A4), as JSON, and as plain text to paste into an authority's web form."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from incident.notice.templates import render_template
from incident.record.facts import show_time
from incident.report.filled import FilledReport


def render_report_html(report: FilledReport, *, templates: Sequence[Path], released: bool = False) -> str:
    """The report from `report/<language>/report.html.j2`; DRAFT stands across each page until it is released.

    Raises `NotFound` when the template is missing, `BadInput` when it is wrong.
    """
    phase = report.form.phase(report.phase)
    values = {
        "report": report,
        "title": report.form.title[report.language],
        "basis": report.form.basis[report.language],
        "phase": phase.title[report.language],
        "generated": show_time(report.generated_at, zone=report.zone),
        "released": released,
        "version": report.as_document(released=released)["sha256"],
    }
    return render_template(f"report/{report.language}/report.html.j2", values, templates=templates)


def render_report_json(report: FilledReport, *, released: bool = False) -> str:
    """The report's document as indented JSON with a final line end."""
    return json.dumps(report.as_document(released=released), ensure_ascii=False, indent=2) + "\n"


def render_report_text(report: FilledReport) -> str:
    """Plain text, item by item, to paste into a web form or to read out over the phone."""
    chinese = report.language == "zh-Hans"
    colon, comma = ("：", "，") if chinese else (": ", ", ")
    parts = []
    for item in report.items:
        head = f"{item.id}{'．' if chinese else '. '}{item.title}"
        body = []
        for line in item.lines:
            if line.text:
                note = (f"（{line.note}）" if chinese else f" ({line.note})") if line.note else ""
                body.append(
                    f"{line.label}{colon}{comma.join(line.text) if len(line.text) == 1 else _listed(line.text)}{note}"
                )
        if item.to_follow:
            body.append(item.to_follow)
        parts.append("\n".join([head, *body]))
    return "\n\n".join(parts) + "\n"


def _listed(lines: Sequence[str]) -> str:
    return "".join(f"\n  - {line}" for line in lines)
