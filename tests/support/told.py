"""What the chaos runs tell at the end of the tests, whatever process they ran in."""

from __future__ import annotations

from typing import Any

TOLD = "told"
"""The property of a test's report that a line is under; reports travel from processes of their own, other things do not."""


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    lines = [
        f"{report.location[2]}: {line}"
        for report in reports
        if report.when == "call"
        for name, line in report.user_properties
        if name == TOLD
    ]
    if lines:
        terminalreporter.section("chaos")
        for line in lines:
            terminalreporter.line(line)
