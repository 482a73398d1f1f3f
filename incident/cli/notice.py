"""`incident notice` and `incident deliveries`."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from incident.cli.desk import Desk, desk_of
from incident.cli.follow_campaign import follow_campaign
from incident.cli.notice_languages import lint, new_language
from incident.cli.notice_preview import HELP as PREVIEW_HELP
from incident.cli.notice_preview import preview
from incident.cli.record import ID
from incident.cli.waves import report_phishing
from incident.errors import Refused, WrongUsage
from incident.record.showing import defused

if TYPE_CHECKING:
    from incident.cli.waves import Going
    from incident.delivery.status import Account, DeliveryLine
    from incident.record.decisions import Signer

GROUP = "notice"
app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    help="The notice: draft, check, edit, preview, lint, new-language, release, send, pause, resume, status, report-phishing, verify.",
    no_args_is_help=True,
)
WHY = typer.Option(False, "--why", help="Show where each sentence is from.")
lists = typer.Typer(rich_markup_mode=None, add_completion=False)
app.command("lint", help="Check the languages of notices: the workspace's own and the shipped.")(lint)
app.command(
    "report-phishing",
    short_help="Count reports of suspicious messages.",
    help="Count reports that our notice, or one that imitates it, looks like phishing; at a number it stops.",
)(report_phishing)
app.command("new-language", help="Begin a language of notices in this workspace.")(new_language)


@app.command(
    "draft",
    short_help="Draft the notice from the record.",
    help="Draft the notice from the record; the same record gives the same version.",
)
def draft(ctx: typer.Context, incident_id: str = ID, why: bool = WHY) -> None:
    from incident.cli.notice_findings import print_findings
    from incident.notice.release import current_version
    from incident.record.dossier import dossier_in

    desk = desk_of(ctx)
    with desk.change(incident_id, kind="notice.drafted") as change:
        dossier = dossier_in(change.session, desk.store, incident_id)
        version, findings = current_version(change, desk.store, dossier, desk.house.bench(dossier))
    print_findings(desk, findings, frozen=version.frozen, dossier=dossier, row=version.row, why=why)


@app.command(
    "check",
    short_help="What the notice still lacks.",
    help="What the notice still lacks, with the articles that ask for it.",
)
def check(ctx: typer.Context, incident_id: str = ID, why: bool = WHY) -> None:
    from incident.cli.notice_findings import print_findings
    from incident.notice.findings import refusals
    from incident.notice.release import assemble
    from incident.record.dossier import load_dossier

    desk = desk_of(ctx)
    dossier = load_dossier(desk.store, incident_id)
    frozen, findings = assemble(dossier, desk.house.bench(dossier), written_at=desk.now())
    print_findings(desk, findings, frozen=frozen, dossier=dossier, row=None, why=why)
    if refusals(findings):
        raise typer.Exit(1)


@app.command(
    "edit",
    short_help="Write a part of the notice in your own words.",
    help="Write a part of the notice in one language in your own words; it makes a new version, to be signed anew.",
)
def edit(
    ctx: typer.Context,
    incident_id: str = ID,
    element: str = typer.Argument(..., metavar="ELEMENT", help="The part, as `--why --json` calls it."),
    language: str = typer.Option("", "--language", help="For example zh-Hans, zh-Hant or en."),
    text: str | None = typer.Option(None, "--text", help="The words."),
    file: Path | None = typer.Option(
        None, "--file", metavar="FILE", help="A file with the words (- for standard input)."
    ),
    leave_out: bool = typer.Option(
        False, "--leave-out", help="Leave the part out, where no law asks for it."
    ),
    remove: bool = typer.Option(False, "--remove", help="Take your words back: tell what the record says."),
) -> None:
    from incident.cli.notice_edit import edit_part

    edit_part(
        desk_of(ctx), incident_id, element, language, text=text, file=file, leave_out=leave_out, remove=remove
    )


app.command("preview", short_help="Show the notice as it would be read.", help=PREVIEW_HELP)(preview)


@app.command(
    "release",
    short_help="Sign the release of the notice.",
    help="Sign the release of the notice; it takes several people (--as NAME).",
)
def release_(
    ctx: typer.Context,
    incident_id: str = ID,
    content: str | None = typer.Option(
        None, "--content", metavar="HASH", help="Sign only if this is the version."
    ),
    reason: str = typer.Option("", "--reason", help="Why."),
) -> None:
    from incident.notice.release import ReleaseResult, release
    from incident.record.dossier import dossier_in
    from incident.response.runner import poke_runs

    desk = desk_of(ctx)

    def sign(signer: Signer) -> ReleaseResult:
        with desk.change(incident_id, kind="notice.signed", actor=signer.name) as change:
            dossier = dossier_in(change.session, desk.store, incident_id)
            result = release(
                change,
                desk.store,
                dossier,
                desk.house.bench(dossier),
                expected_hash=content,
                signer=signer,
                reason=reason,
                drill=desk.house.drill,
            )
            if result.released:
                poke_runs(change.session, incident_id)
            return result

    result = desk.signed(sign)
    row = result.version.row
    said = f"version {row.version} (content {row.content_hash[:12]}) signed by {', '.join(result.signed_by)}"
    if result.released:
        then = f"released; send it: incident notice send {incident_id}"
    else:
        then = f"{result.needed - len(result.signed_by)} more must sign: incident --as NAME notice release {incident_id}"
    document = {
        "incident": incident_id,
        "version": row.version,
        "content_hash": row.content_hash,
        "signed_by": list(result.signed_by),
        "needed": result.needed,
        "released": result.released,
    }
    desk.lines([said, then], document=document)


@app.command(
    "send",
    short_help="Send and publish the released notice.",
    help="Send the released notice to everyone concerned and publish it.",
)
def send(
    ctx: typer.Context,
    incident_id: str = ID,
    detach: bool = typer.Option(False, "--detach", help="Only begin; a worker does the rest."),
    no_canary: bool = typer.Option(
        False, "--no-canary", help="To everyone at once, without waves; also for what still waits for one."
    ),
) -> None:
    from incident.delivery.campaign import open_campaign
    from incident.delivery.mailroom import MailRoom, routes_from
    from incident.delivery.promises import must_keep_promises
    from incident.delivery.sms_room import must_be_usable
    from incident.delivery.waving import let_all_go
    from incident.notice.release import must_be_released
    from incident.ops.worker import Worker
    from incident.record.dossier import must_be_readable
    from incident.record.holds import Cover, must_not_be_held
    from incident.record.incidents import must_exist

    desk = desk_of(ctx)
    with desk.store.read() as session:
        must_be_readable(desk.store, must_exist(session, incident_id))
        must_be_released(session, desk.store, incident_id, settings=desk.settings, drill=desk.house.drill)
        # Also where it was begun before: nothing of it leaves now.
        must_not_be_held(session, desk.store, incident_id, Cover.PEOPLE)
    must_keep_promises(desk.settings)
    # What sends is tried before anything is written: a wrong setting must not open a campaign that cannot go on.
    with MailRoom(routes_from(desk.settings.mail, root=desk.paths.root)) as room:
        room.check()
    if (centre := Worker(desk.house).must_know_the_centre()) is not None:
        must_be_usable(centre)
    with desk.change(incident_id, kind="campaign.opened") as change:
        version, _ = must_be_released(
            change.session, desk.store, incident_id, settings=desk.settings, drill=desk.house.drill
        )
        opened = open_campaign(change, desk.store, version, desk.settings, all_at_once=no_canary)
        if no_canary:
            change.note(no_canary=True)
            let_all_go(change, opened.campaign.id)
    which, people = f"notice version {version.row.version}", f"{opened.campaign.expected} people"
    if opened.new:
        desk.say(f"{which} goes to {people}")
    else:
        desk.say(f"{which} was given to be sent to {people} before; nobody is told twice")
    if not detach:
        follow_campaign(desk, opened.campaign.id, incident_id)
    _print_status(desk, incident_id)


@app.command(
    "pause",
    short_help="Stop sending, within a second.",
    help="Stop sending the notice, within a second; nobody is lost, and it stays stopped over restarts.",
)
def pause(
    ctx: typer.Context, incident_id: str = ID, reason: str = typer.Option("", "--reason", help="Why.")
) -> None:
    from incident.delivery.pausing import pause_campaign

    desk = desk_of(ctx)
    with desk.change(incident_id, kind="campaign.paused") as change:
        change.note(reason=reason)
        pause_campaign(change, incident_id)
    desk.say(f"paused; `incident notice resume {incident_id}` lets it go on")
    _print_status(desk, incident_id)


@app.command("resume", help="Go on sending a notice that was paused.")
def resume(
    ctx: typer.Context,
    incident_id: str = ID,
    reason: str = typer.Option("", "--reason", help="Why."),
    detach: bool = typer.Option(False, "--detach", help="Only let it go on; a worker does the rest."),
) -> None:
    from incident.delivery.pausing import resume_campaign

    desk = desk_of(ctx)
    with desk.change(incident_id, kind="campaign.resumed") as change:
        change.note(reason=reason)
        campaign_id = resume_campaign(change, incident_id)
    if not detach:
        follow_campaign(desk, campaign_id, incident_id)
    _print_status(desk, incident_id)


@app.command("status", help="Where everybody stands.")
def status(ctx: typer.Context, incident_id: str = ID) -> None:
    _print_status(desk_of(ctx), incident_id)


@app.command(
    "verify",
    short_help="Whether a code is from one of our notices.",
    help="Whether a verification code is from one of our notices (says nothing of the person).",
)
def verify(
    ctx: typer.Context, incident_id: str = ID, code: str = typer.Argument(..., metavar="CODE")
) -> None:
    from incident.delivery.status import check_code

    desk = desk_of(ctx)
    answer = check_code(desk.store, incident_id, code)
    if answer is None:
        raise Refused(
            "no notice of this incident carries this code",
            where=incident_id,
            next_step="the message is not ours, or the code was misread; ask the caller to forward it",
        )
    when = f" on {desk.show(answer.sent_at)}" if answer.sent_at else ", not yet sent"
    text = f"yes: a notice about {incident_id} by {answer.channel}{when} ({answer.state})"
    desk.lines([text], document={"ours": True, **vars(answer)})


@lists.command("deliveries", help="Who got what, and who was not reached.")
def deliveries_(
    ctx: typer.Context,
    incident_id: str = ID,
    unreached: bool = typer.Option(False, "--unreached", help="Only those who were not reached."),
    form: str = typer.Option("table", "--format", help="table or csv."),
    reveal: bool = typer.Option(
        False, "--reveal", help="Show references and the relay's words (signed, --as NAME, with --reason)."
    ),
    reason: str = typer.Option("", "--reason", help="Why they are looked at."),
) -> None:
    from incident.cli.next_steps import NEXT_COLUMNS, cells_of, step_document
    from incident.cli.people import reveal_list
    from incident.delivery.next_steps import unreached_lines
    from incident.delivery.status import deliveries

    desk = desk_of(ctx)
    if form not in ("table", "csv"):
        raise WrongUsage(f"{form!r} is no format", where="--format", next_step="table or csv")
    desk.must_be_readable(incident_id)
    if reveal:
        reveal_list(desk, incident_id, "deliveries", reason)
    columns: tuple[str, ...] = _LINE_COLUMNS
    rows: list[tuple[object, ...]] = []
    steps: list[dict[str, Any]] = []
    if unreached:
        columns += NEXT_COLUMNS
        for each in unreached_lines(desk.store, desk.settings, incident_id, now=desk.now()):
            rows.append((*_line_cells(desk, each.line, reveal=reveal), *cells_of(desk, each, reveal=reveal)))
            steps.append(step_document(desk, each, reveal=reveal))
    else:
        rows += [
            _line_cells(desk, line, reveal=reveal)
            for line in deliveries(desk.store, incident_id, unreached=False)
        ]
    if desk.as_json:
        names = [column.lower() for column in _LINE_COLUMNS]
        lines = [dict(zip(names, row, strict=False)) for row in rows]
        desk.document([line | step for line, step in zip(lines, steps, strict=True)] if unreached else lines)
        return
    if form == "csv":
        writer = csv.writer(sys.stdout)
        writer.writerow(columns)
        # A relay's own words stand in it, and spreadsheet programs run what begins like a formula.
        writer.writerows(
            [defused(str(cell)) if isinstance(cell, str) else cell for cell in row] for row in rows
        )
        return
    desk.table(columns, rows)


_LINE_COLUMNS = (
    *("Reference", "Addressee", "Channel", "State", "Why", "Attempts", "Code", "Status", "Answer"),
    "Version",
)


def _line_cells(desk: Desk, line: DeliveryLine, *, reveal: bool) -> tuple[object, ...]:
    from incident.delivery.states import WHY_TEXTS, Why
    from incident.masking import mask_reference

    return (
        line.reference if reveal else mask_reference(line.reference),
        line.addressee,
        line.channel,
        line.state,
        WHY_TEXTS[Why(line.reason)][desk.language] if line.reason else "",
        line.attempts,
        line.last_code,
        line.last_status,
        # A relay may quote the person's address or name.
        line.last_words if reveal else "",
        f"{line.version}{', update' if line.update else ''}",
    )


def _print_status(desk: Desk, incident_id: str) -> None:
    from incident.cli.hold import hold_document, one_line, standing_holds
    from incident.cli.next_steps import next_steps_document, print_next_steps, what_comes_next
    from incident.cli.waves import how_it_goes, wave_document
    from incident.delivery.status import account, campaigns_of
    from incident.record.incidents import must_exist

    with desk.store.read() as session:
        must_exist(session, incident_id)
        accounts = [account(session, campaign) for campaign in campaigns_of(session, incident_id)]
        going = [how_it_goes(desk, session, each) for each in accounts]
    holds = standing_holds(desk, incident_id)
    shown = {"holds": [hold_document(desk, each) for each in holds]} if holds else {}
    if not desk.as_json:
        for each in holds:
            typer.echo(one_line(desk, each))
    if not accounts:
        desk.lines(
            [f"no notice of {incident_id} is being sent"],
            document={"incident": incident_id, "campaigns": [], **shown},
        )
        return
    found, substitutes = what_comes_next(desk, incident_id)
    if desk.as_json:
        campaigns = [
            {**_account_document(each), **wave_document(goes)}
            for each, goes in zip(accounts, going, strict=True)
        ]
        steps = next_steps_document(incident_id, found, substitutes)
        desk.document({"incident": incident_id, "campaigns": campaigns, **steps, **shown})
        return
    for one, goes in zip(accounts, going, strict=True):
        _print_account(desk, one, goes)
    print_next_steps(desk, incident_id, found, substitutes)


def _print_account(desk: Desk, each: Account, going: Going) -> None:
    from incident.cli.waves import wave_rows
    from incident.delivery.states import WHY_TEXTS, Why

    rows: list[tuple[str, object]] = [
        ("expected", each.expected),
        ("accepted by the relay", each.accepted),
        ("in progress", each.in_progress),
    ]
    if each.delivered:
        rows.insert(2, ("of them delivered, as a server or reader says", each.delivered))
    rows += [
        (f"{'not sent' if why is Why.REPLACED else 'unreachable'}: {WHY_TEXTS[why][desk.language]}", count)
        for why, count in each.unreachable.items()
    ]
    if each.updates:
        rows.append(("of all, an update to whom an earlier version reached", each.updates))
    if not each.unreachable:
        rows.append(("unreachable", 0))
    rows.append(("the sum holds", each.adds_up))
    if each.waiting_until is not None:
        rows.append(("next try not before", each.waiting_until))
    rows += wave_rows(desk, going, each.incident_id) if each.ended_at is None else []
    if each.paused is not None:
        rows.append(("paused", f"since {desk.show(each.paused.set_at)}, by {each.paused.set_by}"))
        rows.append(("to go on", f"`incident notice resume {each.incident_id}`"))
    elif each.in_progress:
        rows.append(("to go on", "`incident worker`, or `incident notice send` again"))
    if each.returned:
        rows.append(("of the unreachable, returned after they were accepted", each.returned))
    if each.complaints:
        rows.append(("complaints: taken for spam or fraud", each.complaints))
    if each.doubled_at_most:
        rows.append(("told twice at most (no answer the first time)", each.doubled_at_most))
    if each.minors_without_guardian:
        rows.append(("under 18 without a guardian's contact", each.minors_without_guardian))
    rows += [(f"public notice, {page.language}", desk.paths.public / page.file) for page in each.public_pages]
    ended = f"ended {desk.show(each.ended_at)}" if each.ended_at else "under way"
    desk.table(
        ("What", "People"), rows, title=f"notice by e-mail, opened {desk.show(each.opened_at)}, {ended}"
    )


def _account_document(each: Account) -> dict[str, Any]:
    return {
        "campaign": each.campaign_id,
        "state": each.state,
        "opened_at": each.opened_at,
        "ended_at": each.ended_at,
        "rank": "accepted",
        "expected": each.expected,
        "accepted": each.accepted,
        "in_progress": each.in_progress,
        "unreachable": {str(why): count for why, count in each.unreachable.items()},
        "adds_up": each.adds_up,
        "waiting_until": each.waiting_until,
        "delivered": each.delivered,
        "returned": each.returned,
        "complaints": each.complaints,
        "doubled_at_most": each.doubled_at_most,
        "updates": each.updates,
        "minors_without_guardian": each.minors_without_guardian,
        "public_notice": [
            {"language": page.language, "file": page.file, "sha256": page.sha256}
            for page in each.public_pages
        ],
    }
