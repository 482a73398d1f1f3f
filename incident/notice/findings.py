"""Findings: what a check says about a notice or a report before it may leave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

Article = tuple[str, str]
"""A regime's id and the article in it that asks for something."""


class Severity(StrEnum):
    """`refused` stops a release; `warning` is shown to the people who sign it; `suggestion` only offers something."""

    REFUSED = "refused"
    WARNING = "warning"
    SUGGESTION = "suggestion"


@dataclass(frozen=True)
class Finding:
    """One thing a check found.

    `code` is stable and for machines; `message` is by language; `place` names the element or item; `language` is
    the version of the text that is meant; `fields` are the facts that would cure it.
    """

    severity: Severity
    code: str
    place: str
    language: str
    message: Mapping[str, str]
    articles: tuple[Article, ...] = ()
    fields: tuple[str, ...] = ()

    def text(self, language: str) -> str:
        """The message in a language, followed by the articles that ask for it."""
        stop, brackets = _ARTICLES[language]
        articles = stop.join(f"{regime} {article}" for regime, article in self.articles)
        return f"{self.message[language]}{brackets.format(articles)}" if articles else self.message[language]


_ARTICLES = {"zh-Hans": ("；", "（{}）"), "en": ("; ", " ({})")}


def refusals(findings: Iterable[Finding]) -> list[Finding]:
    """Those findings that stop a release."""
    return [finding for finding in findings if finding.severity is Severity.REFUSED]
