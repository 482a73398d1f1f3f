"""What is wrong with a playbook, and where."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from incident.errors import BadInput
from incident.response.cures import CURES


class Severity(StrEnum):
    """`note`: nothing is wrong; it says how the playbook will behave."""

    error = "error"
    warning = "warning"
    note = "note"


@dataclass(frozen=True)
class Finding:
    """One finding. `code` is for programs, `message` for people; `place` names file, line and step."""

    severity: Severity
    code: str
    message: str
    place: str | None = None

    @property
    def cure(self) -> str:
        """What to do about it."""
        return CURES.get(self.code, "")

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class NotRunnable(BadInput):
    """The playbook is refused before its start; `findings` holds every error."""

    def __init__(self, findings: Iterable[Finding], *, name: str) -> None:
        self.findings = tuple(findings)
        super().__init__(
            "the playbook cannot be run:\n" + "\n".join(f"  - {finding}" for finding in self.findings),
            where=name,
            next_step="correct it and check it with: incident playbook lint",
        )


IDENTIFIER = re.compile(
    r"[a-z][a-z0-9-]+[a-z0-9]--[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-5][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}"
)


def errors_in(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity is Severity.error]
