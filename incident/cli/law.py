"""`incident law`: the legal regimes as data."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from incident.cli.desk import Desk, desk_of
from incident.errors import BadInput, NotFound, Refused, WrongUsage

if TYPE_CHECKING:
    from incident.duties.evaluating import Rules
    from incident.duties.reviews import ReviewLine
    from incident.law.regimes import Regime

GROUP = "law"
app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    help="The legal regimes and catalogues: list, show, lint, new, approve, categories, remedies.",
    no_args_is_help=True,
)

_REVIEWS = {
    "en": {
        "holds": "until {until} by {by}",
        "file": "until {until} by {by} (in the file)",
        "none": "UNREVIEWED",
        "the file changed since": "UNREVIEWED: the file changed since {by} approved it",
        "over": "UNREVIEWED: approved by {by} until {until}",
        "the signature does not hold": "UNREVIEWED: the signature of {by} does not hold",
    },
    "zh-Hans": {
        "holds": "{by} 已审核，有效至 {until}",
        "file": "{by} 已审核（见文件），有效至 {until}",
        "none": "未审核（UNREVIEWED）",
        "the file changed since": "未审核（UNREVIEWED）：{by} 审核后文件已有改动",
        "over": "未审核（UNREVIEWED）：{by} 的审核已于 {until} 到期",
        "the signature does not hold": "未审核（UNREVIEWED）：{by} 的签名无效",
    },
}


@app.command("list", help="List the regimes, which are in scope and who reviewed them, until when.")
def show_all(ctx: typer.Context) -> None:
    desk = desk_of(ctx)
    rules, reviews = _rules(desk)
    scope = {country.upper() for country in desk.settings.scope.countries}
    rows = [
        (
            regime.id,
            regime.title[desk.language],
            regime.country,
            regime.is_in_scope(scope, desk.settings.scope.organisation or ()),
            str(regime.in_force.since) if regime.in_force else str(regime.status),
            str(regime.confidence),
            _review_words(desk, regime, reviews.get(regime.id)),
        )
        for regime in rules.regimes
    ]
    desk.table(("Regime", "Title", "Country", "In scope", "In force since", "Confidence", "Review"), rows)


@app.command("show", help="Show a regime with all that it asks for, to be read before it is approved.")
def show_one(ctx: typer.Context, regime_id: str = typer.Argument(metavar="REGIME")) -> None:
    from incident.cli.regime_sheet import regime_document, regime_lines
    from incident.duties.reviews import file_hash

    desk = desk_of(ctx)
    rules, reviews = _rules(desk)
    regime = _named(rules, regime_id)
    file = rules.files[regime.id]
    review = _review_words(desk, regime, reviews.get(regime.id))
    desk.lines(
        [*regime_lines(regime, desk.language), "", f"{file}", f"SHA-256 {file_hash(file)}", review],
        document={
            **regime_document(regime),
            "file": str(file),
            "sha256": file_hash(file),
            "reviewed": rules.is_reviewed(regime, _today(desk)),
            "review": review,
        },
    )


@app.command("approve", help="Sign, as counsel, that a regime as its file stands matches the law.")
def approve(
    ctx: typer.Context,
    regime_id: str = typer.Argument(metavar="REGIME"),
    until: str | None = typer.Option(
        None,
        "--until",
        metavar="DATE",
        help="The last day on which it holds, for example 2027-11-30 or +300d.",
    ),
    note: str = typer.Option("", "--note", help="What is to be said with it; it is part of what is signed."),
    withdraw: bool = typer.Option(False, "--withdraw", help="Take the approval back."),
) -> None:
    from incident.duties.reviews import approve_regime, withdraw_approval

    desk = desk_of(ctx)
    if withdraw == (until is not None):
        raise WrongUsage("say until when, or --withdraw", where="--until")
    rules, _ = _rules(desk)
    regime = _named(rules, regime_id)
    if withdraw:
        if desk.operator is None:
            raise Refused("a withdrawal names who withdraws", next_step="say it with --as NAME")
        withdraw_approval(desk.store, regime.id, by=desk.operator, drill=desk.house.drill, now=desk.now())
        words = {"en": "{id} is UNREVIEWED again", "zh-Hans": "{id} 恢复为未审核（UNREVIEWED）"}
        document: dict[str, object] = {"regime": regime.id, "reviewed": False}
        desk.lines([words[desk.language].format(id=regime.id)], document=document)
        return
    row = approve_regime(
        desk.store,
        regime.id,
        rules.files[regime.id],
        until=_day(desk, until or ""),
        note=note,
        signer=desk.signer(),
        drill=desk.house.drill,
        now=desk.now(),
        today=_today(desk),
    )
    words = {
        "en": "{id} is approved until {until}; any change of its file ends that",
        "zh-Hans": "{id} 已审核，有效至 {until}；文件一经改动即失效",
    }
    desk.lines(
        [words[desk.language].format(id=regime.id, until=row.until_day)],
        document={
            "regime": regime.id,
            "reviewed": True,
            "until": row.until_day,
            "sha256": row.file_hash,
            "statement": row.statement,
            "signature": row.signature,
        },
    )


@app.command("new", help="Begin a regime of the workspace's own as a copy of another, under regimes/.")
def new(
    ctx: typer.Context,
    regime_id: str = typer.Argument(metavar="ID"),
    source: str = typer.Option(..., "--from", metavar="REGIME", help="The regime to begin from."),
) -> None:
    from incident.law.copying import copied_text

    desk = desk_of(ctx)
    rules, _ = _rules(desk)
    text = copied_text(rules.files[_named(rules, source).id].read_text("utf-8"), regime_id)
    target = desk.paths.root / "regimes" / f"{regime_id}.yaml"
    if target.exists():
        raise Refused(
            "this file is there already", where=str(target), next_step="choose another id, or edit it"
        )
    from incident.cli.desk import write_output

    write_output(target, text)
    words = {
        "en": "{file}: edit it, then incident law lint",
        "zh-Hans": "{file}：请修改后用 incident law lint 检查",
    }
    desk.lines(
        [words[desk.language].format(file=target)], document={"regime": regime_id, "file": str(target)}
    )


@app.command(
    "lint",
    short_help="Check regime files and the catalogues of the law.",
    help="Check regime files, and the catalogues of the law by their names (categories.yaml, remedies.yaml, "
    "elements.yaml); without a name, all that are shipped and the workspace's own.",
)
def lint(ctx: typer.Context, files: list[Path] = typer.Argument(None, metavar="[FILE...]")) -> None:
    from incident.errors import WorkspaceError
    from incident.law.lint import lint_regimes
    from incident.law.lint_catalogues import catalogue_files, is_catalogue, lint_catalogues
    from incident.law.lint_grades import grade_files, is_grade_file, lint_grades
    from incident.law.regimes import SHIPPED
    from incident.notice.lint_catalogues import lint_for_notices

    desk = desk_of(ctx)
    # Each by itself: a copy of a shipped regime under its own id replaces it, and is no second one.
    places = [[*files]] if files else [[SHIPPED, *catalogue_files(), *grade_files()]]
    if not files:
        try:
            own = desk.paths.root / "regimes"
            places += [[own]] if own.is_dir() else []
        except WorkspaceError:
            pass  # the shipped ones can be checked without a workspace
    problems = []
    for given in places:
        catalogues = [file for file in given if is_catalogue(file)]
        grades = [file for file in given if is_grade_file(file)]
        problems += [
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


def _rules(desk: Desk) -> tuple[Rules, dict[str, ReviewLine]]:
    from incident.duties.evaluating import rules_with_reviews
    from incident.duties.reviews import reviews_of

    with desk.store.read() as session:
        rules = rules_with_reviews(session, desk.paths)
        return rules, reviews_of(session, rules.files, today=_today(desk))


def _named(rules: Rules, regime_id: str) -> Regime:
    found = next((regime for regime in rules.regimes if regime.id == regime_id), None)
    if found is None:
        raise NotFound(f"there is no regime {regime_id}", next_step="`incident law list` shows them")
    return found


def _review_words(desk: Desk, regime: Regime, line: ReviewLine | None) -> str:
    words = _REVIEWS[desk.language]
    if line is not None:
        return words[str(line.state)].format(by=line.by, until=line.until)
    if regime.reviewed and regime.is_reviewed(_today(desk)):
        return words["file"].format(by=regime.reviewed.by, until=regime.reviewed.until)
    return words["none"]


def _today(desk: Desk) -> date:
    return desk.now().astimezone(desk.zone).date()


def _day(desk: Desk, text: str) -> date:
    """A day as people write it: 2027-11-30, or +300d from now."""
    from incident.cli.record import read_time

    try:
        return date.fromisoformat(text)
    except ValueError:
        return read_time(desk, text, option="--until", future=True).astimezone(desk.zone).date()
