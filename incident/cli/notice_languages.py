"""`incident notice lint` and `new-language`: the languages of notices."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from incident.cli.desk import desk_of
from incident.errors import WrongUsage

if TYPE_CHECKING:
    from incident.notice.audience import Audience


AUDIENCE = typer.Option(
    "person", "--audience", help="Who reads the e-mail or letter: person, guardian, young or organisation."
)


def audience_named(word: str) -> Audience:
    """The audience of this name. Raises `WrongUsage` naming those there are."""
    from incident.notice.audience import Audience

    if word not in set(Audience):
        raise WrongUsage(
            f"{word!r} is no audience of a notice", where="--audience", next_step=", ".join(Audience)
        )
    return Audience(word)


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


def new_language(
    ctx: typer.Context,
    tag: str = typer.Argument(metavar="TAG", help="The language's tag (BCP 47), for example vi."),
    like: str = typer.Option("en", "--like", metavar="TAG", help="The language to write beside."),
) -> None:
    from incident.notice.languages import languages_in
    from incident.notice.new_language import begin_language
    from incident.workspace import search_path

    desk = desk_of(ctx)
    places = search_path(desk.paths, "templates")
    files = begin_language(places[0], tag, like=like, languages=languages_in(places))
    desk.lines([f"written to {file}" for file in files], document={"files": [str(file) for file in files]})
