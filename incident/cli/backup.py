"""`incident backup`, `incident restore` and `incident move`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from incident.cli.desk import Desk, desk_of
from incident.errors import WrongUsage

if TYPE_CHECKING:
    from incident.ops.backup import Backup
    from incident.ops.restore import Restored

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command("backup", help="Keep the record and its files in one file, while everything works; never a key.")
def backup(
    ctx: typer.Context,
    file: Path = typer.Argument(..., metavar="FILE", help="A new file, or - for standard output."),
) -> None:
    from incident.ops.backup import back_up, stream_backup

    desk = desk_of(ctx)
    if str(file) != "-":
        kept = back_up(desk.paths, desk.settings, desk.store, file, now=desk.now())
        desk.lines(_told_of(kept), document=_document_of(kept))
    else:
        _must_be_a_pipe(desk)
        kept = stream_backup(desk.paths, desk.settings, desk.store, sys.stdout.buffer, now=desk.now())
        for line in _told_of(kept):
            desk.say(line)
    for each in kept.left_out:
        desk.say(f"left out: {each.name} ({each.why})")
    desk.say(
        f"no key is in it: keep a copy of {desk.store.keyring.folder} elsewhere; without it nothing opens"
    )


@app.command(
    "restore", help="Make a workspace out of a backup; with --activate, make a copy the one that acts."
)
def restore(
    ctx: typer.Context,
    file: Path | None = typer.Argument(None, metavar="[FILE]", help="The backup."),
    folder: Path | None = typer.Argument(None, metavar="[DIR]", help="Where to: a new or empty folder."),
    store: str | None = typer.Option(
        None, "--store", metavar="URL", help="Keep the record there; without it, in SQLite in the folder."
    ),
    password: str | None = typer.Option(
        None, "--password-from", metavar="REFERENCE", help="The database's password: env:NAME or file:PATH."
    ),
    keyring: Path | None = typer.Option(
        None,
        "--keyring",
        metavar="PATH",
        help="Where the workspace's keyring is; it is used there, not copied.",
    ),
    activate: bool = typer.Option(
        False, "--activate", help="Let the copy in this workspace act, and no other."
    ),
    reason: str = typer.Option("", "--reason", help="Why, for the journal; with --activate."),
) -> None:
    desk = desk_of(ctx)
    if activate:
        if file is not None or store or password or keyring:
            raise WrongUsage(
                "--activate is about the workspace in use",
                next_step="name it with --workspace, and leave the other words out",
            )
        _activate(desk, reason)
        return
    if file is None or folder is None:
        raise WrongUsage(
            "what to restore and where to is not said",
            next_step="incident restore FILE DIR; or, in a restored workspace: incident restore --activate",
        )
    from incident.ops.restore import Wishes
    from incident.ops.restore import restore as restore_backup

    if reason:
        raise WrongUsage("--reason goes with --activate", next_step="leave it out")
    restored = restore_backup(file, folder, Wishes(store, password, keyring), now=desk.now())
    _tell_of_restored(desk, restored)


@app.command("move", help="Move the record to another database: from SQLite to PostgreSQL, or back.")
def move(
    ctx: typer.Context,
    to: str = typer.Option(
        ..., "--to", metavar="URL", help="postgresql://user@host:5432/database, or sqlite:///new.db."
    ),
    password: str | None = typer.Option(
        None, "--password-from", metavar="REFERENCE", help="The database's password: env:NAME or file:PATH."
    ),
) -> None:
    from incident.ops.move import Move, Step, Target

    desk = desk_of(ctx)
    told = {
        Step.HELD: "nobody writes now; copying",
        Step.COPIED: "copied, read back and found equal",
        Step.VERIFIED: "the journal verifies there",
    }
    moved = Move(
        desk.paths,
        desk.settings,
        desk.store,
        Target(to, password),
        actor=desk.actor,
        clock=desk.now,
        on_step=lambda step: desk.say(told[step]) if step in told else None,
    ).run()
    if moved.url == moved.left:
        desk.lines([f"the record is in {moved.url} already"], document={**vars(moved)})
        return
    desk.lines(
        [
            f"the record is in {moved.url} ({moved.rows} rows, epoch {moved.epoch}); incident.toml names it",
            f"{moved.left} stays as it was left and does not act; restart workers and servers",
        ],
        document=vars(moved),
    )


def _activate(desk: Desk, reason: str) -> None:
    from incident.ops.activation import Activated, activate, needs_signature
    from incident.record.decisions import Signer

    store = desk.store
    workspace_id, actor = desk.settings.workspace.id, desk.actor

    def act(signer: Signer | None) -> Activated:
        return activate(
            store, workspace_id=workspace_id, actor=actor, reason=reason, signer=signer, now=desk.now()
        )

    signed = desk.operator is not None or needs_signature(store)
    made = desk.signed(act) if signed else act(None)
    if made.already:
        lines = [f"this copy is the one that acts already (epoch {made.epoch})"]
    else:
        lines = [
            f"this copy acts from now on (epoch {made.epoch}); every other copy that uses {store.keyring.folder} is out",
            f"{made.jobs} jobs are open in it: `incident worker` goes on with them",
        ]
        desk.say(
            "what another copy did after this one was made is not known here: what it sent since is sent again, "
            "e-mail with the same Message-ID"
        )
    desk.lines(
        lines,
        document={"workspace": str(desk.paths.root), "keyring": str(store.keyring.folder), **vars(made)},
    )


def _must_be_a_pipe(desk: Desk) -> None:
    if desk.as_json:
        raise WrongUsage(
            "the backup itself goes to standard output", where="--json", next_step="leave --json out"
        )
    if sys.stdout.isatty():
        raise WrongUsage(
            "a backup is nothing to look at",
            where="-",
            next_step="send it on: incident backup - | ssh HOST 'cat > FILE'",
        )


def _told_of(kept: Backup) -> list[str]:
    place = "standard output" if kept.file == "-" else kept.file
    return [
        f"{place}: {_size(kept.size)} in {kept.seconds:.1f} s; {kept.files} files, "
        f"the database was {_size(kept.database)}"
    ]


def _document_of(kept: Backup) -> dict[str, object]:
    return {**vars(kept), "left_out": [vars(each) for each in kept.left_out]}


def _tell_of_restored(desk: Desk, restored: Restored) -> None:
    again = f"incident --workspace {restored.root} restore --activate --reason TEXT"
    keys = "in place" if restored.keys else "NOT THERE: put the keyring here, or nothing can be read"
    desk.lines(
        [
            f"workspace  {restored.root}, as it was at {restored.taken_at}",
            f"record     {restored.store}; {restored.chains} chains verify",
            f"keyring    {restored.keyring} ({keys})",
            f"needed     {', '.join(restored.needed)}",
            f"It is a copy and does not act. To make it the one, and every other copy with its keyring stop: {again}",
        ],
        document={**vars(restored), "standing": "copy", "needed": list(restored.needed)},
    )


def _size(count: int) -> str:
    if count < 1 << 20:
        return f"{count / (1 << 10):.0f} KiB"
    return f"{count / (1 << 20):.1f} MiB"
