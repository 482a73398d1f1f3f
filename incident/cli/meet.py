"""`incident meet` and `incident waive`: duties that were met elsewhere, and duties that are not carried out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from incident.cli.desk import Desk, desk_of
from incident.cli.record import ID, read_time
from incident.errors import WrongUsage

if TYPE_CHECKING:
    from incident.duties.evaluating import DutyChange
    from incident.record.decisions import Signer
    from incident.store.tables import Waiver

app = typer.Typer(rich_markup_mode=None, add_completion=False)
DUTY = typer.Argument(..., metavar="DUTY", help="The duty, for example eu-gdpr/authority.")
EVIDENCE = typer.Option(
    [], "--evidence", metavar="E", help="What shows it, by its id in custody; once for each."
)
_WORDS = {
    "en": {
        "met": "{duty} is met: {how}, {at}",
        "late": "{duty} is met, late: {how}, {at}; reason: {reason}",
        "not_met": "{duty} does not count as met any more; the earlier entry stays in the timeline",
        "waived": "{label}: {duty} is waived by {who} under {article}",
        "ended": "{label} is withdrawn: {duty} stands again",
        "unchanged": "the other duties stand as before",
    },
    "zh-Hans": {
        "met": "{duty} 已履行：{how}，{at}",
        "late": "{duty} 已逾期履行：{how}，{at}；逾期原因：{reason}",
        "not_met": "{duty} 不再计为已履行，原记录仍保留在时间线中",
        "waived": "{label}：{who} 依据 {article} 决定免除 {duty}",
        "ended": "{label} 已撤回：{duty} 恢复履行",
        "unchanged": "其他义务没有变化",
    },
}


@app.command("meet", help="Record that a duty was met outside of Tocsin: a call, a portal, word of mouth.")
def meet(
    ctx: typer.Context,
    incident_id: str = ID,
    duty_id: str = DUTY,
    at: str | None = typer.Option(None, "--at", metavar="WHEN", help="When it was met; now without it."),
    how: str = typer.Option("", "--how", help="What was done, by whom, with whom."),
    evidence: list[str] = EVIDENCE,
    late_reason: str = typer.Option("", "--late-reason", help="Why it was late, where it was."),
    withdraw: str | None = typer.Option(
        None, "--withdraw", metavar="REASON", help="Take back that it was met, and say why."
    ),
) -> None:
    from incident.cli.wording import changes_as_document
    from incident.duties.meeting import Performance
    from incident.ops.meeting import meet as meet_duty
    from incident.ops.meeting import withdraw_met

    desk = desk_of(ctx)
    words = _WORDS[desk.language]
    _must_fit(how, withdraw, how_option="--how", others=(at, late_reason, *evidence))
    if withdraw is not None:
        with desk.change(incident_id, kind="duty.not_met") as change:
            row, changes = withdraw_met(desk.house, change, incident_id, duty_id, reason=withdraw)
        desk.lines(
            [words["not_met"].format(duty=duty_id), *_changed(desk, changes)],
            document={
                "incident": incident_id,
                "duty": duty_id,
                "state": row.state,
                "withdrawn": withdraw,
                "changes": changes_as_document(changes),
            },
        )
        return
    moment = read_time(desk, at, option="--at") if at else desk.now()
    done = Performance(moment, how, evidence, late_reason)
    with desk.change(incident_id, kind="duty.met") as change:
        row, changes = meet_duty(desk.house, change, incident_id, duty_id, done)
        said = desk.store.open(row, incident_id=incident_id)
    told = words["late" if said["late_reason"] else "met"]
    desk.lines(
        [
            told.format(duty=duty_id, how=said["met_by"], at=desk.show(moment), reason=said["late_reason"]),
            *_changed(desk, changes),
        ],
        document={
            "incident": incident_id,
            "duty": duty_id,
            "state": row.state,
            "met_at": moment,
            "how": said["met_by"],
            "evidence": said["met_evidence"],
            "late_reason": said["late_reason"],
            "changes": changes_as_document(changes),
        },
    )


@app.command("waive", help="Decide not to do what the law leaves to the organisation (signed).")
def waive(
    ctx: typer.Context,
    incident_id: str = ID,
    duty_id: str = DUTY,
    reason: str = typer.Option("", "--reason", help="Why the exemption holds."),
    evidence: list[str] = EVIDENCE,
    withdraw: str | None = typer.Option(
        None, "--withdraw", metavar="REASON", help="Take the waiver back, and say why."
    ),
) -> None:
    from incident.cli.wording import changes_as_document
    from incident.ops.meeting import waive_duty, withdraw_waived

    desk = desk_of(ctx)
    words = _WORDS[desk.language]
    _must_fit(reason, withdraw, how_option="--reason", others=evidence)
    if withdraw is not None:
        with desk.change(incident_id, kind="duty.waiver_withdrawn") as change:
            row, changes = withdraw_waived(desk.house, change, incident_id, duty_id, reason=withdraw)
        label = f"W{row.number}"
        desk.lines(
            [words["ended"].format(label=label, duty=duty_id), *_changed(desk, changes)],
            document={
                "incident": incident_id,
                "duty": duty_id,
                "waiver": label,
                "ended_at": row.ended_at,
                "withdrawn": withdraw,
                "changes": changes_as_document(changes),
            },
        )
        return
    waiver_id = desk.store.new_id()

    def sign(signer: Signer) -> Waiver:
        with desk.change(incident_id, kind="duty.waived", actor=signer.name) as change:
            return waive_duty(
                desk.house,
                change,
                incident_id,
                duty_id,
                reason=reason,
                evidence=evidence,
                signer=signer,
                waiver_id=waiver_id,
            )

    waived = desk.signed(sign)
    said = desk.store.open(waived, incident_id=incident_id)
    label = f"W{waived.number}"
    desk.lines(
        [words["waived"].format(label=label, duty=duty_id, who=waived.waived_by, article=said["article"])],
        document={
            "incident": incident_id,
            "duty": duty_id,
            "waiver": label,
            "waived_at": waived.waived_at,
            "waived_by": waived.waived_by,
            "article": said["article"],
            "reason": said["reason"],
            "evidence": said["evidence"],
        },
    )


def _must_fit(said: str, withdraw: str | None, *, how_option: str, others: Sequence[str | None]) -> None:
    if withdraw is None and not said:
        raise WrongUsage(
            f"{how_option} is missing", where=how_option, next_step="say it in a few words, in quotes"
        )
    if withdraw is not None and (said or any(others)):
        raise WrongUsage(
            "--withdraw takes back what was recorded; nothing else goes with it",
            where="--withdraw",
            next_step="call it with --withdraw alone",
        )


def _changed(desk: Desk, changes: Sequence[DutyChange]) -> list[str]:
    from incident.cli.wording import duty_changes

    return duty_changes(desk, changes) or [_WORDS[desk.language]["unchanged"]]
