"""What `notice draft` and `notice check` print: findings, and with --why each sentence with its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from incident.cli.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from incident.notice.findings import Finding
    from incident.notice.release import FrozenNotice
    from incident.record.dossier import Dossier
    from incident.store.tables import Notice


def print_findings(
    desk: Desk,
    findings: Sequence[Finding],
    *,
    frozen: FrozenNotice,
    dossier: Dossier,
    row: Notice | None,
    why: bool,
) -> None:
    """The findings on a notice, after its version where it has one; with `why` the sentences too."""
    from incident.notice.findings import refusals

    missing = len(refusals(findings))
    document: dict[str, Any] = {
        "releasable": not missing,
        "findings": [_finding_document(each) for each in findings],
    }
    if row is not None:
        document |= {"version": row.version, "content_hash": row.content_hash}
    if why:
        document["sentences"] = _sentences(dossier, frozen)
    if desk.as_json:
        desk.document(document)
        return
    if row is not None:
        typer.echo(f"version {row.version}, content {row.content_hash[:12]}, {row.state}")
    typer.echo(f"{missing} things stand against a release" if missing else "nothing stands against a release")
    if findings:
        desk.table(
            ("Severity", "Language", "Where", "What", "Facts"),
            [
                (
                    str(each.severity),
                    each.language,
                    each.place,
                    each.text(desk.language),
                    ", ".join(each.fields),
                )
                for each in findings
            ],
        )
    if why:
        _print_sentences(desk, dossier, frozen)


def _print_sentences(desk: Desk, dossier: Dossier, frozen: FrozenNotice) -> None:
    from incident.notice.why import place_title, sentences_with_sources, source_in_words

    facts = {name: stated.fact for name, stated in dossier.current.items()}
    rows = [
        (
            told.language,
            place_title(told.place, desk.language),
            told.source.text,
            source_in_words(told.source, facts, desk.language, desk.show),
        )
        for told in sentences_with_sources(frozen.contents)
    ]
    typer.echo("")
    desk.table(("Language", "Where", "Sentence", "From"), rows)
    typer.echo(
        "Headings, greeting and how to check the notice are the template's, the same in every incident."
    )


def _sentences(dossier: Dossier, frozen: FrozenNotice) -> list[dict[str, Any]]:
    from incident.notice.why import sentences_with_sources, told_as_document

    facts = {name: stated.fact for name, stated in dossier.current.items()}
    return [told_as_document(told, facts) for told in sentences_with_sources(frozen.contents)]


def _finding_document(finding: Finding) -> dict[str, Any]:
    return {
        "severity": str(finding.severity),
        "code": finding.code,
        "language": finding.language,
        "place": finding.place,
        "message": dict(finding.message),
        "articles": [list(article) for article in finding.articles],
        "facts": list(finding.fields),
    }
