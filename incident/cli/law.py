"""`incident law`: the legal regimes as data."""

from __future__ import annotations

from pathlib import Path

import typer

from incident.cli.desk import desk_of
from incident.errors import BadInput

GROUP = "law"
app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    help="The legal regimes and catalogues: list, lint, categories, remedies.",
    no_args_is_help=True,
)


@app.command("list", help="List the regimes, which are in scope and who reviewed them.")
def show(ctx: typer.Context) -> None:
    from incident.duties.evaluating import rules_in_use

    desk = desk_of(ctx)
    today = desk.now().astimezone(desk.zone).date()
    scope = {country.upper() for country in desk.settings.scope.countries}
    rows = [
        (
            regime.id,
            regime.title[desk.language],
            regime.country,
            regime.is_in_scope(scope, desk.settings.scope.organisation or ()),
            str(regime.in_force.since) if regime.in_force else str(regime.status),
            str(regime.confidence),
            f"until {regime.reviewed.until}"
            if regime.reviewed and regime.is_reviewed(today)
            else "UNREVIEWED",
        )
        for regime in rules_in_use(desk.paths).regimes
    ]
    desk.table(("Regime", "Title", "Country", "In scope", "In force since", "Confidence", "Review"), rows)


@app.command(
    "lint",
    short_help="Check regime files and the catalogues of the law.",
    help="Check regime files, and the catalogues of the law by their names (categories.yaml, remedies.yaml, "
    "elements.yaml); without a name, all that are shipped.",
)
def lint(ctx: typer.Context, files: list[Path] = typer.Argument(None, metavar="[FILE...]")) -> None:
    from incident.law.lint import lint_regimes
    from incident.law.lint_catalogues import catalogue_files, is_catalogue, lint_catalogues
    from incident.law.lint_grades import grade_files, is_grade_file, lint_grades
    from incident.law.regimes import SHIPPED
    from incident.notice.lint_catalogues import lint_for_notices

    desk = desk_of(ctx)
    given = files or [SHIPPED, *catalogue_files(), *grade_files()]
    catalogues = [file for file in given if is_catalogue(file)]
    grades = [file for file in given if is_grade_file(file)]
    problems = [
        *lint_regimes(file for file in given if file not in catalogues and file not in grades),
        *lint_grades(grades),
        *lint_catalogues(catalogues),
        *lint_for_notices(catalogues),
    ]
    rows = [(Path(each.file).name, each.line, str(each.severity), each.what) for each in problems]
    desk.table(("File", "Line", "Severity", "What"), rows)
    if any(str(each.severity) == "error" for each in problems):
        raise typer.Exit(1)


@app.command(
    "categories",
    short_help="List the kinds of data, and whether the law calls them sensitive.",
    help="List the kinds of data, and whether the law of the countries in scope calls them sensitive.",
)
def categories(
    ctx: typer.Context,
    country: str = typer.Option(
        "",
        "--country",
        metavar="CODE",
        help="Of one country or state: CN, EU, US-CA. Default: those in scope.",
    ),
) -> None:
    from incident.law.categories import category_catalogue

    desk = desk_of(ctx)
    wanted = [country] if country else desk.settings.scope.countries
    rows = [
        (key, category.title[desk.language], place, str(label.answer), label.basis, str(label.confidence))
        for key, category in category_catalogue().items()
        for place, label in category.labels_in(wanted).items()
    ]
    if not rows:
        raise BadInput(
            f"no kind of data has a label for {', '.join(wanted) or 'any country'}",
            where="--country" if country else "scope.countries in incident.toml",
            next_step="a person has to judge there; labels are given for "
            + ", ".join(
                sorted({place for each in category_catalogue().values() for place in each.sensitive})
            ),
        )
    desk.table(("Kind", "Title", "Country", "Sensitive", "Basis", "Confidence"), rows)


@app.command(
    "remedies",
    short_help="List the help that can be offered to people, and who gives it.",
    help="List the help that can be offered to people, who gives it, and what to ask them first.",
)
def remedies(ctx: typer.Context) -> None:
    from incident.law.remedies import OWNER_TITLES, remedy_catalogue

    desk = desk_of(ctx)
    rows = [
        (
            key,
            remedy.title[desk.language],
            str(remedy.owner) if desk.as_json else OWNER_TITLES[remedy.owner][desk.language],
            str(remedy.unit),
            remedy.capacity[desk.language],
        )
        for key, remedy in remedy_catalogue().items()
    ]
    desk.table(("Remedy", "Title", "Owner", "Unit", "Capacity"), rows)
