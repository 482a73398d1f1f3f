"""`incident law`: the legal regimes as data."""

from __future__ import annotations

from pathlib import Path

import typer

from incident.cli.desk import desk_of

GROUP = "law"
app = typer.Typer(
    rich_markup_mode=None, add_completion=False, help="The legal regimes: list, lint.", no_args_is_help=True
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
            bool(regime.countries() & scope),
            str(regime.in_force.since),
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
    from incident.law.regimes import SHIPPED
    from incident.notice.lint_catalogues import lint_for_notices

    desk = desk_of(ctx)
    given = files or [SHIPPED, *catalogue_files()]
    catalogues = [file for file in given if is_catalogue(file)]
    problems = [
        *lint_regimes(file for file in given if not is_catalogue(file)),
        *lint_catalogues(catalogues),
        *lint_for_notices(catalogues),
    ]
    rows = [(Path(each.file).name, each.line, str(each.severity), each.what) for each in problems]
    desk.table(("File", "Line", "Severity", "What"), rows)
    if any(str(each.severity) == "error" for each in problems):
        raise typer.Exit(1)
