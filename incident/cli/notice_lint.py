"""`incident notice lint`: the languages of notices."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import typer

from incident.cli.desk import desk_of


def lint(
    ctx: typer.Context,
    folders: list[Path] = typer.Argument(
        None, metavar="[FOLDER...]", help="Folders of templates, each with notice/<language>/ in it."
    ),
) -> None:
    from incident.errors import BadInput, WorkspaceError
    from incident.notice.languages import language_files
    from incident.notice.lint_languages import lint_languages
    from incident.workspace import search_path, shipped

    desk = desk_of(ctx)
    places = [*folders] if folders else [shipped("templates")]
    if not folders:
        with suppress(WorkspaceError):  # the shipped ones can be checked without a workspace
            places = list(search_path(desk.paths, "templates"))
    for folder in folders or ():
        if not language_files(folder):
            raise BadInput(
                "there is no language in this folder",
                where=str(folder),
                next_step="name a folder of templates: it holds notice/<language>/language.yaml",
            )
    problems = lint_languages(places)
    rows = [
        (f"{each.file.parent.name}/{each.file.name}", each.line, str(each.severity), each.what)
        for each in problems
    ]
    desk.table(("File", "Line", "Severity", "What"), rows)
    if any(str(each.severity) == "error" for each in problems):
        raise typer.Exit(1)
