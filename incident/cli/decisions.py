"""`incident decide` and `incident decisions`: questions that are decided and signed, and all that was signed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from incident.cli.desk import Desk, desk_of, write_output
from incident.cli.record import ID
from incident.errors import Refused

if TYPE_CHECKING:
    from incident.record.decided import DecisionLine
    from incident.record.decisions import Signer
    from incident.store.tables import Operator, Resolution

app = typer.Typer(rich_markup_mode=None, add_completion=False)

ALLOWED_SIGNERS = "allowed_signers"
_KINDS = {
    "en": {
        "notice": "release of the notice",
        "run-step": "playbook step",
        "destruction": "destruction of the data",
        "reveal": "a look at people's data",
        "resolution": "decision on a question",
        "hold": "the risk of a hold",
        "hold-lift": "lifting of a hold",
        "counsel-note": "note for counsel",
        "counsel-reading": "reading of the notes for counsel",
        "waiver": "waiver of a duty",
    },
    "zh-Hans": {
        "notice": "发布通知",
        "run-step": "处置步骤",
        "destruction": "销毁数据",
        "reveal": "查看个人信息",
        "resolution": "对问题的决定",
        "hold": "承担暂缓对外的风险",
        "hold-lift": "解除暂缓",
        "counsel-note": "法律顾问备忘",
        "counsel-reading": "查阅法律顾问备忘",
        "waiver": "决定免除义务",
    },
}
# Signed, and neither a yes nor a no: "yes" beside a decision that says no would mislead.
_NO_VERDICT = frozenset({"resolution", "reveal", "counsel-note", "counsel-reading", "waiver"})
_WORDS = {
    "en": {
        "approved": "yes",
        "rejected": "no",
        "signed": "signed",
        "decided": "{label} decided and signed by {who}: {decision}",
        "replaced": "{older} is replaced; it stays on record",
        "holds": "holds",
        "broken": "DOES NOT HOLD",
        "void": "holds, does not count",
        "by": "replaced by {label}",
        "columns": ("When", "Who", "What", "Verdict", "Signature", "Words"),
        "saved": "{count} signed decisions written to {folder}; anybody can verify them without this program, for example:",
        "none": "nothing was signed yet",
    },
    "zh-Hans": {
        "approved": "同意",
        "rejected": "不同意",
        "signed": "已签名",
        "decided": "{label} 已由 {who} 决定并签名：{decision}",
        "replaced": "{older} 已被取代，原记录保留",
        "holds": "有效",
        "broken": "签名不符",
        "void": "签名相符，但不计入",
        "by": "已被 {label} 取代",
        "columns": ("时间", "人员", "事项", "结论", "签名", "内容"),
        "saved": "已将 {count} 项签名决定写入 {folder}；任何人不用本程序也能核验，例如：",
        "none": "尚无签名的决定",
    },
}


@app.command("decide", help="Record what was decided on a question, signed.")
def decide(
    ctx: typer.Context,
    incident_id: str = ID,
    question: str = typer.Option(..., "--question", help="What had to be decided."),
    options: list[str] = typer.Option([], "--option", help="What could be chosen; once for each."),
    decision: str = typer.Option(..., "--decision", help="What was chosen."),
    reasons: str = typer.Option(..., "--reasons", help="Why."),
    replaces: str | None = typer.Option(
        None, "--replaces", metavar="D1", help="The earlier decision that this one replaces."
    ),
) -> None:
    from incident.record.resolutions import resolve

    desk = desk_of(ctx)
    resolution_id = desk.store.new_id()

    def sign(signer: Signer) -> Resolution:
        with desk.change(incident_id, kind="question.decided", actor=signer.name) as change:
            return resolve(
                change,
                desk.store,
                incident_id,
                question=question,
                options=options,
                choice=decision,
                reasons=reasons,
                replaces=replaces,
                signer=signer,
                resolution_id=resolution_id,
            )

    _print_resolution(desk, incident_id, desk.signed(sign))


@app.command(
    "decisions", help="List all that was signed in an incident: who, what, when, and whether it holds."
)
def decisions(
    ctx: typer.Context,
    incident_id: str = ID,
    save: Path | None = typer.Option(
        None, "--save", metavar="DIR", help="Write statements and signatures, for `ssh-keygen -Y verify`."
    ),
) -> None:
    from incident.record.decided import list_decisions
    from incident.record.operators import list_operators

    desk = desk_of(ctx)
    with desk.store.read() as session:
        lines = list_decisions(session, desk.store, incident_id)
    if save is not None:
        _save(desk, lines, list_operators(desk.store), folder=save)
        return
    words = _WORDS[desk.language]
    rows = [
        (
            line.at,
            line.operator,
            " ".join(filter(None, (_kind(desk, line), line.about))),
            words["signed"] if line.kind in _NO_VERDICT else words.get(line.verdict, line.verdict),
            _standing(desk, line),
            _content(desk, line),
        )
        for line in lines
    ]
    if not rows and not desk.as_json:
        desk.say(str(words["none"]))
    desk.table(words["columns"], rows, document=[_document(line) for line in lines])


def _print_resolution(desk: Desk, incident_id: str, row: Resolution) -> None:
    from incident.record.resolutions import list_resolutions

    with desk.store.read() as session:
        lines = list_resolutions(session, desk.store, incident_id)
    line = next(each for each in lines if each.id == row.id)
    words = _WORDS[desk.language]
    told = [str(words["decided"]).format(label=line.label, who=line.recorded_by, decision=line.decision)]
    if line.replaces is not None:
        told.append(str(words["replaced"]).format(older=line.replaces))
    document = {"incident": incident_id, **vars(line), "stands": line.stands}
    desk.lines(told, document=document)


def _kind(desk: Desk, line: DecisionLine) -> str:
    return _KINDS[desk.language].get(line.kind, line.kind)


def _standing(desk: Desk, line: DecisionLine) -> str:
    words = _WORDS[desk.language]
    standing = str(words["broken"] if not line.holds else words["holds"] if line.counts else words["void"])
    if line.replaced_by is None:
        return standing
    return f"{standing}\n{str(words['by']).format(label=line.replaced_by)}"


def _content(desk: Desk, line: DecisionLine) -> str:
    if line.resolution is None:
        return line.reason or ""
    arrow = " → "
    return f"{line.resolution.question}{arrow}{line.resolution.decision}\n{line.resolution.reasons}"


def _document(line: DecisionLine) -> dict[str, object]:
    resolution = None
    if line.resolution is not None:
        resolution = {**vars(line.resolution), "stands": line.resolution.stands}
    return {**vars(line), "resolution": resolution, "replaced_by": line.replaced_by}


def _save(desk: Desk, lines: list[DecisionLine], operators: list[Operator], *, folder: Path) -> None:
    """Each statement in a file, its signature beside it, and who may sign: all that ssh-keygen needs."""
    from incident.record.decided import allowed_signers, openssh_time
    from incident.record.sshsig import NAMESPACE

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Refused(
            "there is something in this place already",
            where=str(folder),
            next_step="name a folder that is new or empty",
        )
    write_output(folder / ALLOWED_SIGNERS, allowed_signers(operators))
    written, commands = [], []
    for number, line in enumerate(lines, start=1):
        kind = line.kind if re.fullmatch(r"[a-z]+(-[a-z]+)*", line.kind) else "decision"
        name = f"{number:03d}-{kind}.json"
        write_output(folder / name, line.statement)
        write_output(folder / f"{name}.sig", line.signature)
        # The time it was signed at: who has retired since was not retired then.
        command = (
            f"ssh-keygen -Y verify -f {ALLOWED_SIGNERS} -I {line.operator} -n {NAMESPACE} "
            f"-O verify-time={openssh_time(line.at)} -s {name}.sig < {name}"
        )
        written.append(
            {"decision": line.id, "statement": name, "signature": f"{name}.sig", "verify": command}
        )
        commands.append(command)
    said = str(_WORDS[desk.language]["saved"]).format(count=len(lines), folder=folder)
    desk.lines(
        [said, *commands[:1]],
        document={"folder": folder, "allowed_signers": ALLOWED_SIGNERS, "decisions": written},
    )
