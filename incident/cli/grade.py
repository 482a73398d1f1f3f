"""`incident grade`: the grade on every scale in scope, and the severity for the people concerned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from incident.cli.desk import Desk, desk_of
from incident.cli.record import ID

if TYPE_CHECKING:
    from incident.law.grading import CriterionResult, GradeResult
    from incident.law.reasons import Reason
    from incident.law.severity import Factor, SeverityResult
    from incident.law.severity_method import Rated, SeverityMethod
    from incident.settings import Scope

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_LANGUAGES = ("zh-Hans", "en")
_INDENT = "  "
_WORDS: dict[str, dict[str, Any]] = {
    "en": {
        "columns": ("Scale", "At least", "At most", "Facts that would settle it", "Next", "Checked"),
        "confidence": {"verified": "in the text", "secondary": "in a digest", "memory": "from memory"},
        "comma": ", ",
        "colon": ": ",
        "span": "{low} to {high}",
        "scored": "{score} ({band})",
        "beside": "Beside the score:",
        "severity": "Severity",
        "open_severity": "answer the facts named; with --why: what each answer scores",
        "effect": "at most {band}: {effect}",
        "row": "{row}: {title}: {grade}",
        "number": "row {row}",
        "qualitative": "by judgement",
        "unsure": " (checked: {confidence})",
        "scale": "{id}: {title} ({article}; checked: {confidence})",
        "scores": "What each answer to {field} scores (checked: {confidence}):",
        "example": " (for example: {example})",
        "others": "{scales}: in use for some kinds of organisation only; [scope] organisation in incident.toml says which kind this one is",
        "none": "no grading scale is in use for the countries and the kind of organisation in the scope of this workspace",
    },
    "zh-Hans": {
        "columns": ("分级标准", "至少", "至多", "待查明的事实", "下一步", "核对情况"),
        "confidence": {"verified": "已核对原文", "secondary": "据二手资料", "memory": "凭记忆"},
        "comma": "、",
        "colon": "：",
        "span": "{low}至{high}",
        "scored": "{score}（{band}）",
        "beside": "分值之外还应考虑：",
        "severity": "严重程度",
        "open_severity": "请回答所列事实；加 --why 可查看每种回答的分值",
        "effect": "至多为{band}：{effect}",
        "row": "{row}，{title}：{grade}",
        "number": "第 {row} 项",
        "qualitative": "定性标准",
        "unsure": "（{confidence}）",
        "scale": "{id}：{title}（{article}；{confidence}）",
        "scores": "{field} 各种回答的分值（{confidence}）：",
        "example": "（例如：{example}）",
        "others": "{scales}：仅对某些类型的组织适用；请在 incident.toml 的 [scope] organisation 中填写本组织的类型",
        "none": "在本工作区范围内的国家和组织类型没有适用的分级标准",
    },
}


@app.command(
    "grade", help="The grade of an incident on every scale in scope, and its severity, with reasons."
)
def grade_(
    ctx: typer.Context,
    incident_id: str = ID,
    why: bool = typer.Option(False, "--why", help="Show every criterion, and what each answer scores."),
) -> None:
    from incident.law.grading import grade, scales_in_scope
    from incident.law.severity import assess_severity
    from incident.law.severity_method import severity_method
    from incident.record.dossier import load_dossier

    desk = desk_of(ctx)
    sheet = load_dossier(desk.store, incident_id).sheet
    scope = desk.settings.scope
    results = [grade(scale, sheet) for scale in scales_in_scope(scope.countries, scope.organisation or ())]
    method, severity = severity_method(), assess_severity(sheet)
    desk.table(
        _WORDS[desk.language]["columns"],
        [
            *(_grade_row(result, desk.language) for result in results),
            _severity_row(method, severity, desk.language),
        ],
        document={
            "incident": incident_id,
            "at": desk.now(),
            "grades": [_grade_document(result) for result in results],
            "severity": _severity_document(method, severity),
        },
    )
    if desk.as_json:
        return
    from incident.cli.containment import running_lines

    for line in _below(desk, results, method, severity, why=why):
        typer.echo(line)
    for line in running_lines(desk, incident_id):
        typer.echo(line)


# -- rows -------------------------------------------------------------------------------------------------


def _grade_row(result: GradeResult, language: str) -> tuple[str, ...]:
    words, scale, advice = _WORDS[language], result.scale, result.advice()
    return (
        f"{scale.id}\n{scale.title[language]}",
        scale.grades[result.lowest][language],
        scale.grades[result.highest][language],
        words["comma"].join(sorted(result.decides)),
        advice[language] if advice else "",
        words["confidence"][scale.confidence],
    )


def _severity_row(method: SeverityMethod, result: SeverityResult | None, language: str) -> tuple[str, ...]:
    words = _WORDS[language]
    head = f"{method.id}\n{method.title[language]}"
    checked = words["confidence"][method.confidence]
    if result is None:
        return (head, "", "", "", method.not_scored[language], checked)
    return (
        head,
        _scored(result, result.lowest, language),
        _scored(result, result.highest, language),
        words["comma"].join(sorted(result.decides)),
        "" if result.is_settled else words["open_severity"],
        checked,
    )


def _scored(result: SeverityResult, score: Any, language: str) -> str:
    from incident.law.severity import show_score

    band = result.method.bands[result.method.band_of(score)].title[language]
    return str(_WORDS[language]["scored"].format(score=show_score(score), band=band))


# -- below the table --------------------------------------------------------------------------------------


def _below(
    desk: Desk,
    results: Sequence[GradeResult],
    method: SeverityMethod,
    severity: SeverityResult | None,
    *,
    why: bool,
) -> Iterator[str]:
    language = desk.language
    words = _WORDS[language]
    if not results:
        yield ""
        yield words["none"]
    if unsaid := _for_some_kinds(desk.settings.scope):
        yield ""
        yield words["others"].format(scales=words["comma"].join(unsaid))
    if severity is not None:
        yield from _weighed(severity, language)
    if not why:
        return
    for result in results:
        yield from _why_grade(result, language)
    if severity is not None:
        yield ""
        yield _headed(method.id, method.title, method.article, method.confidence, language)
        yield from (f"{_INDENT}{line}" for line in severity.lines(language))
        yield from _scores(method, severity, language)


def _for_some_kinds(scope: Scope) -> list[str]:
    """The scales of these countries that are in use for some kinds of organisation, where nobody said the kind."""
    from incident.law.grading import shipped_scales

    if scope.organisation is not None:
        return []
    scales = shipped_scales().values()
    return [scale.id for scale in scales if scale.organisations and scale.is_in_scope(scope.countries, scale.organisations)]  # fmt: skip


def _weighed(result: SeverityResult, language: str) -> Iterator[str]:
    """What the highest band means, what stands beside the score, and what the score does not decide."""
    words = _WORDS[language]
    worst = result.method.bands[result.bands[-1]]
    effect = words["effect"].format(band=worst.title[language], effect=worst.effect[language])
    yield ""
    yield f"{words['severity']}{words['colon']}{effect}"
    yield words["beside"]
    for flag in result.flags:
        yield f"{_INDENT}{_answered(flag.title, flag.reason, language)}"
    yield result.method.statement[language]


def _answered(title: Mapping[str, str], reason: Reason, language: str) -> str:
    from incident.law.reasons import ANSWER_TITLES

    return f"{title[language]}{_WORDS[language]['colon']}{ANSWER_TITLES[reason.answer][language]}"


def _why_grade(result: GradeResult, language: str) -> Iterator[str]:
    scale = result.scale
    yield ""
    yield _headed(scale.id, scale.title, scale.article, scale.confidence, language)
    for row in result.criteria:
        yield f"{_INDENT}{_row_title(result, row, language)}"
        for key, reason in row.answers.items():
            yield f"{_INDENT * 2}{scale.grades[key][language]}"
            yield from reason.lines(language, indent=3)


def _row_title(result: GradeResult, row: CriterionResult, language: str) -> str:
    words, grades = _WORDS[language], result.scale.grades
    low, high = grades[row.lowest][language], grades[row.highest][language]
    reached = low if row.lowest == row.highest else words["span"].format(low=low, high=high)
    number = words["number"].format(row=row.row) if row.row.isdecimal() else words["qualitative"]
    line = words["row"].format(row=number, title=row.title[language], grade=reached)
    if row.confidence is result.scale.confidence:
        return str(line)
    return str(line + words["unsure"].format(confidence=words["confidence"][row.confidence]))


def _headed(id: str, title: Mapping[str, str], article: str, confidence: str, language: str) -> str:
    words = _WORDS[language]
    told = words["confidence"][confidence]
    return str(words["scale"].format(id=id, title=title[language], article=article, confidence=told))


def _scores(method: SeverityMethod, result: SeverityResult, language: str) -> Iterator[str]:
    """For each open factor what each of its answers scores, with examples."""
    from incident.law.severity import show_score
    from incident.record.facts import field_catalogue

    words = _WORDS[language]
    for rated in _rated(method):
        if rated.field not in result.decides:
            continue
        yield ""
        yield words["scores"].format(field=rated.field, confidence=words["confidence"][rated.confidence])
        for key, score in rated.scores.items():
            example = rated.examples.get(key)
            told = words["example"].format(example=example[language]) if example else ""
            choice = field_catalogue()[rated.field].choices[key][language]
            yield f"{_INDENT}{show_score(score)}  {key}{words['colon']}{choice}{told}"


def _rated(method: SeverityMethod) -> Iterator[Rated]:
    yield from method.context.types.values()
    yield method.identification
    yield from method.circumstances.values()


# -- as JSON ----------------------------------------------------------------------------------------------


def _grade_document(result: GradeResult) -> dict[str, Any]:
    scale, advice = result.scale, result.advice()
    return {
        "scale": scale.id,
        "title": dict(scale.title),
        "lowest": result.lowest,
        "highest": result.highest,
        "settled": result.is_settled,
        "decides": sorted(result.decides),
        "advice": dict(advice) if advice else None,
        "source": scale.source,
        "article": scale.article,
        "confidence": str(scale.confidence),
        "criteria": [
            {
                "id": row.id,
                "row": row.row,
                "kind": str(row.kind),
                "title": dict(row.title),
                "lowest": row.lowest,
                "highest": row.highest,
                "confidence": str(row.confidence),
                "why": {
                    key: {language: reason.lines(language) for language in _LANGUAGES}
                    for key, reason in row.answers.items()
                },
            }
            for row in result.criteria
        ],
    }


def _severity_document(method: SeverityMethod, result: SeverityResult | None) -> dict[str, Any]:
    from incident.law.severity import edpb_severity, show_score

    head: dict[str, Any] = {
        "method": method.id,
        "title": dict(method.title),
        "source": method.source,
        "article": method.article,
        "confidence": str(method.confidence),
        "statement": dict(method.statement),
        "scored": result is not None,
    }
    if result is None:
        return {**head, "why_not": dict(method.not_scored)}
    return {
        **head,
        "lowest": show_score(result.lowest),
        "highest": show_score(result.highest),
        "bands": list(result.bands),
        "settled": result.is_settled,
        "decides": sorted(result.decides),
        "edpb": str(edpb_severity(result)),
        "factors": [_factor_document(factor) for factor in result.factors],
        "flags": [
            {
                "id": flag.id,
                "title": dict(flag.title),
                "answer": str(flag.reason.answer),
                "decides": sorted(flag.reason.decides),
            }
            for flag in result.flags
        ],
    }


def _factor_document(factor: Factor) -> dict[str, Any]:
    from incident.law.severity import show_score

    return {
        "id": factor.id,
        "lowest": show_score(factor.lowest),
        "highest": show_score(factor.highest),
        "text": dict(factor.text),
        "doubt": dict(factor.doubt) if factor.doubt else None,
        "decides": sorted(factor.decides),
        "confidence": str(factor.confidence),
        "parts": [_factor_document(part) for part in factor.parts],
    }
