"""`incident report`: the authority's report from the record."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from incident.cli.desk import Desk, desk_of, write_output
from incident.cli.record import ID, read_time
from incident.errors import Refused, WrongUsage

if TYPE_CHECKING:
    from incident.record.dossier import Dossier
    from incident.report.versions import ReportDuty

app = typer.Typer(rich_markup_mode=None, add_completion=False)
_FORMATS = ("html", "json", "text")
_SLOW_DISK = 60.0
# For whoever hands it in; never inside what the authority gets.
_UNREVIEWED = {
    "en": "UNREVIEWED: no counsel has approved the rules of {regime}; incident law show {regime}",
    "zh-Hans": "未审核（UNREVIEWED）：{regime} 的规则尚未经法务审核，请用 incident law show {regime} 查看",
}


@app.command("report", help="Fill the authority's report, or record that it was handed in.")
def report(
    ctx: typer.Context,
    incident_id: str = ID,
    regime: str = typer.Option(
        "", "--regime", help="The regime, for example cn-cac-incident-2025; without it, all owed."
    ),
    phase: str | None = typer.Option(None, "--phase", help="initial, supplement or final."),
    form: str = typer.Option("html", "--format", help="html, json or text."),
    language: str | None = typer.Option(None, "--language", help="zh-Hans or en; the form's own without it."),
    output: Path | None = typer.Option(
        None, "-o", "--output", metavar="FILE", help="Where to write it (- for the screen)."
    ),
    submitted: str | None = typer.Option(
        None, "--submitted", metavar="HOW", help="Record that it was handed in, and how."
    ),
    at: str | None = typer.Option(None, "--at", metavar="TIME", help="When it was handed in."),
    reference: str = typer.Option("", "--reference", help="The authority's receipt number."),
) -> None:
    from incident.report.versions import choose, report_duties

    desk = desk_of(ctx)
    if form not in _FORMATS:
        raise WrongUsage(f"{form!r} is no format", where="--format", next_step=", ".join(_FORMATS))
    if language is not None and language not in desk.settings.workspace.own_languages:
        known = ", ".join(desk.settings.workspace.own_languages)
        raise WrongUsage(
            f"{language!r} is no language of this workspace", where="--language", next_step=known
        )
    from incident.duties.evaluating import settled_duties
    from incident.record.dossier import load_dossier

    dossier = load_dossier(desk.store, incident_id)
    with desk.store.read() as session:
        met = settled_duties(session, incident_id)
    duties = report_duties(desk.house.findings(dossier), standing_only=False)
    if submitted is not None:
        if not regime:
            raise WrongUsage("say which report was handed in", where="--regime")
        if phase is None:
            _must_say_which(duties, regime, met)
        handed_in = choose(duties, regime, phase, met=met)
        _must_be_complete(desk, dossier, handed_in)
        _record(desk, incident_id, handed_in.duty.id, submitted, at, reference)
        return
    if regime:
        chosen = [choose(duties, regime, phase, met=met)]
    else:
        standing = report_duties(desk.house.findings(dossier), standing_only=True)
        wanted = [
            each
            for each in standing
            if (phase is None and each.duty.id not in met) or each.duty.phase == phase
        ]
        chosen = list({each.duty.regime: each for each in reversed(wanted)}.values())[::-1]
    if not chosen:
        raise Refused(
            "no report is owed" if phase is None else f"no report of the phase {phase!r} is owed",
            where=incident_id,
            next_step="`incident duties --why` says why; --regime makes one anyway",
        )
    if output is not None and len(chosen) > 1:
        regimes = ", ".join(each.duty.regime for each in chosen)
        raise WrongUsage(
            f"{len(chosen)} reports do not fit into one file",
            where="--output",
            next_step=f"--regime: {regimes}",
        )
    _fill(desk, incident_id, dossier, chosen, form, language, output)


def _must_say_which(duties: Sequence[ReportDuty], regime: str, met: Container[str]) -> None:
    """Refuse to guess that a second report is the next phase: who repeats a command has not handed in another one."""
    of_regime = [each.duty for each in duties if each.duty.regime == regime]
    done = [duty for duty in of_regime if duty.id in met]
    if not done:
        return
    left = ", ".join(dict.fromkeys(str(duty.phase) for duty in of_regime if duty not in done))
    raise Refused(
        f"{', '.join(duty.id for duty in done)} counts as handed in already",
        where="--phase",
        next_step=f"say which report it is now: --phase {left}"
        if left
        else "`incident duties --all` shows it",
    )


def _must_be_complete(desk: Desk, dossier: Dossier, chosen: ReportDuty) -> None:
    """Refuse to record a report as handed in that lacks what its phase requires."""
    from incident.notice.findings import refusals
    from incident.report.check import check_report
    from incident.report.versions import fill_report

    filled = fill_report(chosen, dossier, desk.paths, desk.settings, now=desk.now())
    lacking = refusals(check_report(filled))
    if lacking:
        raise Refused(
            "the report lacks what this phase requires:\n"
            + "\n".join(f"  {finding.text(desk.language)}" for finding in lacking),
            where=chosen.duty.id,
            next_step="record it with `incident set`; what nobody knows yet is recorded as FIELD=unknown",
        )


def _fill(
    desk: Desk,
    incident_id: str,
    dossier: Dossier,
    chosen: Sequence[ReportDuty],
    form: str,
    language: str | None,
    output: Path | None,
) -> None:
    from incident.notice.findings import refusals
    from incident.report.check import check_report
    from incident.report.render import render_report_html, render_report_json, render_report_text
    from incident.report.versions import fill_report, keep_version
    from incident.workspace import search_path

    on_screen = output is not None and str(output) == "-"
    rows, documents = [], []
    for each in chosen:
        now = desk.now()
        filled = fill_report(each, dossier, desk.paths, desk.settings, now=now, language=language)
        findings = check_report(filled)
        if form == "html":
            content = render_report_html(filled, templates=search_path(desk.paths, "templates"))
        else:
            content = render_report_json(filled) if form == "json" else render_report_text(filled)
        # Inside the change: where the file cannot be written, no version is kept of it either.
        with desk.store.write(incident_id, kind="report.filled", actor=desk.actor, now=now) as change:
            change.allow_pauses(seconds=_SLOW_DISK)
            version = keep_version(change, desk.store, incident_id, filled)
            name = (
                f"{filled.form.regime}-{filled.phase}-v{version.version}.{'txt' if form == 'text' else form}"
            )
            target = output or desk.paths.reports / incident_id / name
            if not on_screen:
                write_output(target, content)
        if on_screen and not desk.as_json:
            typer.echo(content, nl=False)
        lacking = refusals(findings)
        rows.append(
            (
                filled.form.regime,
                filled.phase,
                version.version,
                f"{len(lacking)} items lack" if lacking else "complete for this phase",
                len(filled.questions),
                str(target),
            )
        )
        documents.append(
            {
                "regime": filled.form.regime,
                "phase": filled.phase,
                "version": version.version,
                "sha256": version.content_hash,
                "reviewed": each.duty.is_reviewed,
                **({"content": content} if on_screen else {"file": str(target)}),
                "lacking": [finding.text(desk.language) for finding in lacking],
                "questions": [vars(question) for question in filled.questions],
            }
        )
        if not each.duty.is_reviewed:
            desk.say(_UNREVIEWED[desk.language].format(regime=each.duty.regime))
        if not desk.as_json:
            for finding in lacking:
                desk.say(f"  {finding.place}: {finding.text(desk.language)}")
    if on_screen and not desk.as_json:
        return
    columns = ("Regime", "Phase", "Version", "State", "Open questions", "File")
    desk.table(columns, rows, document={"incident": incident_id, "reports": documents})


def _record(desk: Desk, incident_id: str, duty_id: str, how: str, at: str | None, reference: str) -> None:
    from incident.cli.wording import changes_as_document, duty_changes
    from incident.ops.meeting import hand_in

    moment = read_time(desk, at, option="--at") if at else desk.now()
    with desk.change(incident_id, kind="report.submitted") as change:
        _, changes = hand_in(
            desk.house, change, incident_id, duty_id, at=moment, how=how, reference=reference
        )
    desk.lines(
        [f"{duty_id} is met: handed in {desk.show(moment)} by {how}", *duty_changes(desk, changes)],
        document={
            "incident": incident_id,
            "duty": duty_id,
            "submitted_at": moment,
            "how": how,
            "reference": reference,
            "changes": changes_as_document(changes),
        },
    )
