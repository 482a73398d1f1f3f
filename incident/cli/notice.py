"""`incident notice`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from incident.cli.desk import Desk, desk_of
from incident.cli.follow_campaign import follow_campaign
from incident.cli.notice_languages import lint, new_language
from incident.cli.notice_preview import HELP as PREVIEW_HELP
from incident.cli.notice_preview import preview
from incident.cli.notice_status import print_status
from incident.cli.record import ID
from incident.cli.waves import report_phishing
from incident.errors import Refused

if TYPE_CHECKING:
    from incident.ops.worker import SmsCarrierAtHand
    from incident.record.decisions import Signer

GROUP = "notice"
app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    help="The notice: draft, check, edit, preview, lint, new-language, release, send, pause, resume, status, report-phishing, verify.",
    no_args_is_help=True,
)
WHY = typer.Option(False, "--why", help="Show where each sentence is from.")
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
    if (carrier := Worker(desk.house).must_know_the_sms_carrier()) is not None:
        _must_take_sms(desk, carrier, incident_id)
    if (voice := Worker(desk.house).must_know_the_voice()) is not None:
        from incident.delivery.call_standing import must_be_ready

        must_be_ready(voice, says=desk.say)
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
    print_status(desk, incident_id)
    _say_who_fetches_receipts(desk, opened.campaign.id)


def _must_take_sms(desk: Desk, carrier: SmsCarrierAtHand, incident_id: str) -> None:
    """Raises where the carrier of SMS cannot be used, or would not take the texts of the released version."""
    from notifiers.smpp.centre import Centre

    if isinstance(carrier, Centre):
        from incident.delivery.centre_room import must_be_usable

        must_be_usable(carrier)
        return
    from incident.delivery.twilio_room import Twilio

    if isinstance(carrier, Twilio):
        from incident.delivery import twilio_standing

        twilio_standing.must_be_ready(carrier, says=desk.say)
        return
    from incident.delivery.gateway_standing import must_be_ready
    from incident.notice.release import must_be_released

    with desk.store.read() as session:
        version, _ = must_be_released(
            session, desk.store, incident_id, settings=desk.settings, drill=desk.house.drill
        )
    must_be_ready(carrier, version.frozen, clock=desk.house.clock, says=desk.say)


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
    print_status(desk, incident_id)


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
    print_status(desk, incident_id)
    _say_who_fetches_receipts(desk, campaign_id)


def _say_who_fetches_receipts(desk: Desk, campaign_id: str) -> None:
    """Whoever sends for as long as it takes is gone when most receipts come."""
    from incident.delivery.next_means import calls_by_machine
    from incident.delivery.states import PHONE, SMS
    from incident.delivery.status import means_used
    from incident.ops.worker import Worker

    with desk.store.read() as session:
        used = means_used(session, campaign_id)
    by_sms, by_calls = SMS in used, PHONE in used and calls_by_machine(desk.settings)
    if by_sms and not Worker(desk.house).somebody_works():
        desk.say("whether an SMS arrived is told later: a worker that stays fetches it, `incident worker`")
    if by_calls:
        desk.say(
            "what is said in calls is asked of `incident serve hooks`: it must run for as long as people are called"
        )


@app.command("status", help="Where everybody stands.")
def status(ctx: typer.Context, incident_id: str = ID) -> None:
    print_status(desk_of(ctx), incident_id)


@app.command(
    "verify",
    short_help="Whether a code is from one of our notices.",
    help="Whether a verification code is from one of our notices (says nothing of the person).",
)
def verify(
    ctx: typer.Context, incident_id: str = ID, code: str = typer.Argument(..., metavar="CODE")
) -> None:
    from incident.delivery.states import CHANNEL_TEXTS
    from incident.delivery.status import check_code

    desk = desk_of(ctx)
    answer = check_code(desk.store, incident_id, code)
    if answer is None:
        raise Refused(
            "no notice of this incident carries this code",
            where=incident_id,
            next_step="the message is not ours, or the code was misread; ask the caller to forward it",
        )
    times = (f"by {CHANNEL_TEXTS[by]['en']} on {desk.show(at)}" for by, at in answer.sent.items())
    how = ", ".join(times) or f"by {CHANNEL_TEXTS[answer.channel]['en']}, not yet sent"
    text = f"yes: a notice about {incident_id} {how} ({answer.state})"
    desk.lines([text], document={"ours": True, **vars(answer)})
