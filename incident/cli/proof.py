"""`incident verify` and `incident purge`."""

from __future__ import annotations

from pathlib import Path

import typer

from incident.cli.desk import desk_of, read_input, write_output
from incident.cli.record import ID
from incident.errors import Refused

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command("verify", help="Verify that the record was not changed.")
def verify_(
    ctx: typer.Context,
    incident_id: str | None = typer.Argument(
        None, metavar="[ID]", help="One incident; without it, everything."
    ),
    head: Path | None = typer.Option(
        None, "--head", metavar="FILE", help="Heads kept outside, to compare with."
    ),
    save_head: Path | None = typer.Option(
        None, "--save-head", metavar="FILE", help="Write the heads, to be kept outside."
    ),
) -> None:
    import json

    from incident.proof.verify import heads_document, read_heads, verify
    from incident.record.incidents import must_exist
    from incident.store.moment import one_moment

    desk = desk_of(ctx)
    outside = (
        read_heads(read_input(head).decode("utf-8", "replace"), where=str(head)) if head is not None else []
    )
    chains = None
    if incident_id is not None:
        outside = [each for each in outside if each.chain == incident_id]
        if not outside:
            # One that a head held outside names and that is not here is no typing error: it was taken out.
            with desk.store.read() as session:
                must_exist(session, incident_id)
        chains = [incident_id]
    with one_moment(desk.store) as moment:
        result = verify(moment, chains=chains, outside=outside)
        heads = heads_document(moment, at=desk.now().isoformat())
    if save_head is not None:
        if not result.sound:
            raise Refused(
                "the heads are not saved: the record does not verify", next_step="see `incident verify`"
            )
        write_output(save_head, json.dumps(heads, indent=2) + "\n")
        desk.say(f"heads written to {save_head}: keep this file where nobody who can write here can reach it")
    rows = [
        (
            each.chain,
            each.entries,
            each.head[:16],
            f"data destroyed {each.destroyed_at[:10]}"
            if each.destroyed_at
            else ("read" if each.readable else "no key"),
        )
        for each in result.chains
    ]
    document = {
        "sound": result.sound,
        "heads_compared": result.heads_compared,
        "no_key_for": list(result.closed),
        "chains": [vars(each) for each in result.chains],
        "findings": [vars(each) for each in result.findings],
    }
    desk.table(("Chain", "Entries", "Head", "Contents"), rows, document=document)
    if not desk.as_json:
        for finding in result.findings:
            typer.echo(f"  {finding.chain} entry {finding.seq}: {finding.fault}: {finding.detail}")
        compared = (
            f", compared with {result.heads_compared} heads held outside" if result.heads_compared else ""
        )
        closed = ", ".join(result.closed)
        unseen = f" (the chains only: no key to look into {closed})" if closed and result.sound else ""
        typer.echo(f"{'sound' if result.sound else 'NOT SOUND'}{compared}{unseen}")
    if not result.sound:
        raise typer.Exit(1)


@app.command("purge", help="Destroy an incident's data for good; the proofs stay.")
def purge(
    ctx: typer.Context,
    incident_id: str = ID,
    dry_run: bool = typer.Option(False, "--dry-run", help="Show what would go."),
    reason: str = typer.Option("", "--reason", help="Why it may go."),
) -> None:
    from incident.ops.retention import destroy, look_at_purge

    desk = desk_of(ctx)
    if dry_run:
        found = look_at_purge(desk.house, incident_id)
        verb = "would go"
    else:
        found = desk.signed(lambda signer: destroy(desk.house, incident_id, signer=signer, reason=reason))
        verb = "are gone"
    desk.lines(
        [
            f"{found.people} people, {found.journal_bodies} journal bodies and {found.files} files {verb}; the chain stays"
        ],
        document={"dry_run": dry_run, **vars(found)},
    )
