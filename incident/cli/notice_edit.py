"""`incident notice edit`: a person's own words for a part of the notice."""

from __future__ import annotations

from pathlib import Path

from incident.cli.desk import Desk, read_input
from incident.errors import BadInput, WrongUsage


def edit_part(
    desk: Desk,
    incident_id: str,
    place: str,
    language: str,
    *,
    text: str | None,
    file: Path | None,
    leave_out: bool,
    remove: bool,
) -> None:
    """Keep the words, draft the version that says them, and print what the gate says of this part."""
    from incident.cli.notice_findings import print_findings
    from incident.notice.editing import edit_notice
    from incident.notice.release import current_version
    from incident.record.dossier import dossier_in
    from incident.record.edits import EditKind

    if [text is not None, file is not None, leave_out, remove].count(True) != 1:
        raise WrongUsage(
            "say what becomes of the part", next_step="one of --text, --file, --leave-out, --remove"
        )
    languages = desk.settings.workspace.languages
    if not language and len(languages) > 1:
        raise WrongUsage("say in which language", where="--language", next_step=", ".join(languages))
    kind = EditKind.LEAVE_OUT if leave_out else EditKind.DRAFTED if remove else EditKind.WORDS
    words = text if file is None else _words_of(file)
    with desk.change(incident_id, kind="notice.edited") as change:
        dossier = dossier_in(change.session, desk.store, incident_id)
        edit_notice(
            change, desk.store, dossier,
            place=place, language=language or languages[0], languages=languages, kind=kind, text=words or "",
        )  # fmt: skip
        dossier = dossier_in(change.session, desk.store, incident_id)
        version, findings = current_version(change, desk.store, dossier, desk.house.bench(dossier))
    desk.say(
        f"{place} ({language or languages[0]}) is {_DONE[str(kind)]}; signatures of earlier versions do not count"
    )
    print_findings(
        desk,
        [each for each in findings if each.place == place and each.language in ("", language or languages[0])],
        frozen=version.frozen, dossier=dossier, row=version.row, why=False,
    )  # fmt: skip


_DONE = {"words": "in your words", "leave_out": "left out", "drafted": "told as the record has it"}


def _words_of(file: Path) -> str:
    try:
        return read_input(file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"the text is not UTF-8 (byte {error.start + 1})",
            where="standard input" if str(file) == "-" else str(file),
            next_step="save it as UTF-8",
        ) from None
