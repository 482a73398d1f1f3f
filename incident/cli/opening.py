"""`incident open`: from a phone call to a record, with the clocks that start and the first questions."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from incident.cli.desk import Desk, desk_of, read_input
from incident.cli.record import facts_in, in_full, name_of_input, read_time
from incident.cli.veris import tell_of_veris, veris_as_document
from incident.errors import BadInput, Refused, WrongUsage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from incident.duties.evaluating import DutyChange
    from incident.law.questions import Question
    from incident.record.facts import Fact
    from incident.record.veris import VerisRecord

app = typer.Typer(rich_markup_mode=None, add_completion=False)
_SHOWN_QUESTIONS = 3
_WORDS = {
    "en": {
        "secret": "Does this incident involve state secrets? They must not be put into this tool. [y/n] ",
        "title": "What has happened, in a few words? ",
        "told_by": "Who told us? (empty: we found it ourselves) ",
        "told_at": "When were we told? For example 01:50, yesterday 23:50, -10m. (empty: not known) ",
        "found_at": "When did we find it? For example 01:50, yesterday 23:50, -10m. (empty: not known) ",
        "opened": "{incident} opened: {title}",
        "nearest": "due first: {duty}, {when}",
        "ask": "the first questions:",
        "next": "next: incident ask {incident}, incident duties {incident}",
    },
    "zh-Hans": {
        "secret": "本事件是否涉及国家秘密？国家秘密不得录入本工具。[y/n] ",
        "title": "发生了什么？请用几个字概括：",
        "told_by": "是谁告知我们的？（自行发现的，直接回车）",
        "told_at": "何时得知？例如 01:50、昨天 23:50、十分钟前（不清楚的，直接回车）：",
        "found_at": "何时发现？例如 01:50、昨天 23:50、十分钟前（不清楚的，直接回车）：",
        "opened": "{incident} 已立案：{title}",
        "nearest": "最先到期：{duty}，{when}",
        "ask": "首先要弄清的问题：",
        "next": "下一步：incident ask {incident}，incident duties {incident}",
    },
}


@app.command("open", help="Open an incident.")
def open_(
    ctx: typer.Context,
    title: str | None = typer.Option(
        None, "--title", help="What this is about, in a few words; at a terminal it is asked for."
    ),
    facts: Path | None = typer.Option(
        None,
        "--facts",
        metavar="FILE",
        help="What is known, as YAML or a VERIS record (- for standard input).",
    ),
    told_by: str = typer.Option("", "--told-by", help="Who told us."),
    told_at: str | None = typer.Option(None, "--told-at", metavar="TIME", help="When we were told."),
    found_at: str | None = typer.Option(
        None, "--found-at", metavar="TIME", help="When we found it, if nobody told us."
    ),
    not_state_secret: bool = typer.Option(
        False, "--not-state-secret", help="No state secret is involved (asked otherwise)."
    ),
) -> None:
    from incident.ops.house import evaluate
    from incident.record.incidents import Origin, log_entry, open_incident
    from incident.record.opening import read_opening
    from incident.store.change import Change

    desk = desk_of(ctx)
    told = read_time(desk, told_at, option="--told-at") if told_at is not None else None
    found = read_time(desk, found_at, option="--found-at") if found_at is not None else None
    given, veris = _given(desk, facts) if facts is not None else ([], None)
    if title is None and veris is not None:
        title = veris.title
    if title is None:
        _must_be_at_a_terminal()
        _no_state_secret(desk, not_state_secret)
        not_state_secret = True
        title = _ask(desk, "title", needed=True)
        if told is None and found is None:
            told_by = told_by or _ask(desk, "told_by")
            told = _ask_time(desk, "told_at", option="--told-at") if told_by else None
            found = None if told_by else _ask_time(desk, "found_at", option="--found-at")
    actor, now = desk.actor, desk.now()
    opening = read_opening(
        title, told_by=told_by, told_at=told, found_at=found, given=given, actor=actor, now=now
    )
    _no_state_secret(desk, not_state_secret)
    arisen: list[DutyChange] = []

    def then(change: Change, incident_id: str) -> None:
        if veris is not None:
            log_entry(desk.store, change, incident_id, veris.note, at=change.at, by="VERIS")
        arisen.extend(evaluate(desk.house, change, incident_id))

    incident_id = open_incident(
        desk.store,
        opening.title,
        facts=opening.facts,
        told_by=opening.told_by,
        origin=Origin.PERSON,
        actor=actor,
        now=desk.now(),
        zone=desk.zone,
        then=then,
    )
    if veris is not None:
        tell_of_veris(desk, incident_id, veris)
    _tell(desk, incident_id, opening.title, len(opening.facts), arisen, veris)


def _given(desk: Desk, path: Path) -> tuple[list[Fact], VerisRecord | None]:
    """The facts of a file of either kind, and the VERIS record if it is one. Raises `BadInput`."""
    from incident.record.veris import read_veris

    content, name = read_input(path), name_of_input(path)
    veris = read_veris(
        content,
        name=name,
        zone=desk.zone,
        known_at=desk.now(),
        said_by=desk.actor,
        language=desk.settings.workspace.own_languages[0],
    )
    return (list(veris.facts), veris) if veris is not None else (facts_in(desk, content, name=name), None)


def _tell(
    desk: Desk,
    incident_id: str,
    title: str,
    facts: int,
    arisen: Sequence[DutyChange],
    veris: VerisRecord | None,
) -> None:
    from incident.cli.wording import duty_changes

    words = _WORDS[desk.language]
    timed = [(each.after, each) for each in arisen if each.after is not None]
    timed.sort(key=lambda pair: (pair[0], pair[1].duty_id))
    in_order = [*(each for _, each in timed), *(each for each in arisen if each.after is None)]
    lines = [words["opened"].format(incident=incident_id, title=title), *duty_changes(desk, in_order)]
    if timed:
        due, first = timed[0]
        lines.append(words["nearest"].format(duty=first.duty_id, when=in_full(desk, due)))
    questions = _questions(desk, incident_id)
    if questions:
        asked = [(each.field.name, each.field.question[desk.language], each.field.who) for each in questions]
        lines += [words["ask"], *(f"  {name}: {question} [{who}]" for name, question, who in asked)]
    lines.append(words["next"].format(incident=incident_id))
    document = {
        "incident": incident_id,
        "facts": facts,
        "duties": [each.duty_id for each in in_order],
        "due_first": {"duty": timed[0][1].duty_id, "due_at": timed[0][0]} if timed else None,
        "questions": [each.field.name for each in questions],
        **({"veris": veris_as_document(veris)} if veris is not None else {}),
    }
    desk.lines(lines, document=document)


def _questions(desk: Desk, incident_id: str) -> Sequence[Question]:
    """The questions that decide the most."""
    from incident.duties.asking import questions_of
    from incident.duties.evaluating import rules_in_use
    from incident.record.dossier import load_dossier

    dossier = load_dossier(desk.store, incident_id)
    asked = questions_of(dossier, desk.settings, rules_in_use(desk.paths), met=(), now=desk.now())
    return [each.question for each in asked[:_SHOWN_QUESTIONS]]


def _must_be_at_a_terminal() -> None:
    if not sys.stdin.isatty():
        raise WrongUsage(
            "the title is missing", where="--title", next_step="say in a few words what this is about"
        )


def _ask(desk: Desk, question: str, *, needed: bool = False) -> str:
    while True:
        typer.echo(_WORDS[desk.language][question], err=True, nl=False)
        line = sys.stdin.readline()
        if not line:
            raise typer.Abort
        if line.strip() or not needed:
            return line.strip()


def _ask_time(desk: Desk, question: str, *, option: str) -> datetime | None:
    """The time that a person says, asked again until it is one; None for an empty answer."""
    while said := _ask(desk, question):
        try:
            return read_time(desk, said, option=option)
        except BadInput as error:
            desk.say(str(error))
    return None


def _no_state_secret(desk: Desk, answered: bool) -> None:
    if answered:
        return
    typer.echo(_WORDS[desk.language]["secret"], err=True)
    answer = sys.stdin.readline().strip().lower()
    if answer in ("n", "no", "否", "不", "不涉及"):
        return
    raise Refused(
        "the incident was not opened: it was not said that no state secret is involved",
        next_step="state secrets follow other rules; for all else answer n, or give --not-state-secret",
    )
