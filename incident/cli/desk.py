"""What every command starts from: the workspace, who acts, the clock, and where output goes.

Tables and documents go to stdout, progress and messages to stderr; with `--json` a command prints one document.
"""

from __future__ import annotations

import getpass
import json
import os
import shutil
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from incident.errors import BadInput, KeyMissing, Refused

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from sqlmodel import Session

    from incident.record.decisions import Signer
    from incident.record.signing import SigningKey
    from incident.record.sshsig import PrivateKey
    from incident.response.housework import House
    from incident.settings import Settings
    from incident.store.change import Change
    from incident.store.store import Store
    from incident.workspace import Workspace as WorkspacePaths

T = TypeVar("T")
SIGNING_KEYS = "signing-keys.json"
_LINE_WIDTH = 200
OVERDUE_SECONDS = 60.0
_MOST_NEEDS = 5
_NEEDS_SOMEBODY = {
    "en": "{id} needs somebody: {what}, asked {since}; incident ack {id}",
    "zh-Hans": "{id} 需要有人处理：{what}（{since} 发起）；接手请用 incident ack {id}",
}
_BROKEN_RULE = {
    "en": "warning: {where}: {what}; this file is NOT in use; incident law lint",
    "zh-Hans": "警告：{where}：{what}；该文件未生效，请用 incident law lint 检查",
}
_RAN_OUT = {
    "en": {
        "law": "{id}: {duty} ran out {time} ago, and no worker runs that would call anybody; incident duties {id}",
        "target": "{id}: our own target for {duty} ran out {time} ago, and no worker runs that would call anybody; incident duties {id}",
    },
    "zh-Hans": {
        "law": "{id}：{duty} 的期限届满已有 {time}，且没有运行中的工作进程来通知任何人；查看请用 incident duties {id}",
        "target": "{id}：{duty} 的内部目标时间已过 {time}，且没有运行中的工作进程来通知任何人；查看请用 incident duties {id}",
    },
}


@dataclass
class Desk:
    """One call of the command line."""

    workspace: Path | None
    as_json: bool
    operator: str | None
    force_bar: bool = False

    @cached_property
    def paths(self) -> WorkspacePaths:
        """The workspace in use. Raises `WorkspaceError`."""
        from incident.workspace import find_workspace

        return find_workspace(self.workspace, environment=dict(os.environ), start=Path.cwd())

    @cached_property
    def settings(self) -> Settings:
        return self.paths.settings()

    @cached_property
    def store(self) -> Store:
        from incident.store.opening import open_store

        store = open_store(self.paths, self.settings)
        try:
            self._warn_of_idle_work(store)
            self._warn_of_broken_rules()
        except BaseException:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Close what was opened: SQLite tidies its files up when the last connection is closed, and not otherwise."""
        opened = self.__dict__.get("store")
        if opened is not None:
            opened.close()

    def _warn_of_idle_work(self, store: Store) -> None:
        from incident.durable import EVERYTHING, brake_names, overdue_jobs, parked_jobs, somebody_works
        from incident.store.instance import NotInCharge, must_be_in_charge

        with store.read() as session:
            try:
                must_be_in_charge(store, session)
            except (NotInCharge, KeyMissing) as why:
                # What is due here is another copy's work.
                self.say(f"warning: {why.what}; it can only be read")
                return
            overdue = overdue_jobs(session, seconds=OVERDUE_SECONDS)
            parked = parked_jobs(session)
            brakes = brake_names(session)
            asked = self._who_is_needed(session, store)
            ran_out = self._what_ran_out(session, store)
        for line in (*ran_out, *asked):
            self.say(line)
        if EVERYTHING in brakes:
            self.say(
                "warning: the emergency brake is on, nothing leaves the house; `incident worker --release`"
            )
        else:
            self._warn_of_brakes(brakes)
        if overdue and not somebody_works(store, self.paths, stale=self.settings.engine.stale_seconds):
            self.say(f"warning: {overdue} jobs are overdue and nobody works on them; start `incident worker`")
        if parked:
            told = ", ".join(f"{count} {kind}" for kind, count in parked.items())
            self.say(
                f"warning: parked after failing at every start: {told}; mend the cause (`incident doctor`),"
            )
            self.say("  then start `incident worker --retry-parked`")

    def _warn_of_brakes(self, brakes: Collection[str]) -> None:
        if not brakes:
            return
        from incident.record.holds import BRAKES

        held = sorted({name.split(":")[1] for name in brakes if name.startswith(BRAKES)})
        if held:
            which = held[0] if len(held) == 1 else "ID"
            self.say(
                f"warning: a hold stands on {', '.join(held)}; `incident hold list {which}` says what waits"
            )
        if any(not name.startswith(BRAKES) for name in brakes):
            self.say("warning: a notice is paused; `incident notice resume ID` lets it go on")

    def _who_is_needed(self, session: Session, store: Store) -> list[str]:
        """What stands unanswered, a line each. Nothing is read, and little imported, where nobody is needed."""
        from incident.store.standing import somebody_is_called

        if not somebody_is_called(session):
            return []
        from incident.errors import Unreadable
        from incident.record.reaches import needs_somebody
        from incident.record.summons import REASON_TITLES, Reason

        try:
            asked = needs_somebody(session, store)
        except (KeyMissing, Unreadable):
            return []
        alike: dict[tuple[str, str], list[datetime]] = {}
        for row in asked:
            alike.setdefault((row.incident_id, row.reason), []).append(row.asked_at)
        words = _NEEDS_SOMEBODY[self.language]
        return [
            words.format(
                id=incident_id,
                what=REASON_TITLES[Reason(reason)][self.language] + (f" ×{len(times)}" if times[1:] else ""),
                since=self.show(min(times)),
            )
            for (incident_id, reason), times in list(alike.items())[:_MOST_NEEDS]
        ]

    def _warn_of_broken_rules(self) -> None:
        """A regime of the workspace's own that cannot be read applies to nothing: that must not pass unseen."""
        own = self.paths.root / "regimes"
        if not any(own.glob("*.yaml")):
            return
        from incident.law.regime_files import regimes_that_can_be_read

        for error in regimes_that_can_be_read(own).broken:
            self.say(_BROKEN_RULE[self.language].format(where=error.where, what=error.what))

    def _what_ran_out(self, session: Session, store: Store) -> list[str]:
        """The ends that passed while nothing ran, a line each, until a worker has told of them.

        Read, and imported, only where the reminders of an incident are due and nobody works on them.
        """
        from incident.durable import due_jobs, somebody_works

        due = [each.key for each in due_jobs(session, "duties", limit=_MOST_NEEDS)]
        if not due or somebody_works(store, self.paths, stale=self.settings.engine.stale_seconds):
            return []
        from incident.duties.reminding import plan_of
        from incident.record.showing import show_seconds

        now, words = self.now(), _RAN_OUT[self.language]
        found = [
            words["target" if each.end.is_target else "law"].format(
                id=incident_id,
                duty=each.end.duty_id,
                time=show_seconds(
                    int((now - each.end.end_at).total_seconds()) // 60 * 60, language=self.language
                ),
            )
            for incident_id in due
            for each in plan_of(session, self.settings, incident_id, now=now).now
            if each.has_run_out
        ]
        return found[:_MOST_NEEDS]

    @contextmanager
    def change(self, incident_id: str, *, kind: str, actor: str | None = None) -> Iterator[Change]:
        """A change of an incident, journalled under `kind`. Raises `NotFound`, and as `Store.write`."""
        self.must_be_readable(incident_id)
        with self.store.write(incident_id, kind=kind, actor=actor or self.actor, now=self.now()) as change:
            yield change

    def must_be_readable(self, incident_id: str) -> None:
        """Raises `NotFound`, `KeyDestroyed` with the day, or `KeyMissing`.

        In this order, as a mistyped id has no key either, but that is not what is wrong with it.
        """
        from incident.record.dossier import must_be_readable
        from incident.record.incidents import must_exist

        with self.store.read() as session:
            must_be_readable(self.store, must_exist(session, incident_id))

    @cached_property
    def house(self) -> House:
        from incident.response.housework import House

        return House(self.paths, self.settings, self.store, self.now)

    @property
    def zone(self) -> ZoneInfo:
        return self.settings.zone

    @property
    def language(self) -> str:
        """The language of what people read on the screen: $INCIDENT_LANGUAGE, else the locale's, else English."""
        wanted = (
            os.environ.get("INCIDENT_LANGUAGE") or os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
        )
        return "zh-Hans" if wanted.lower().startswith("zh") else "en"

    def now(self) -> datetime:
        return datetime.now(UTC)

    @property
    def actor(self) -> str:
        """Who the journal names: the operator, else the account on this machine."""
        if self.operator is None:
            return f"account {_account()}"
        from incident.record.operators import operator_named

        with self.store.read() as session:
            return operator_named(session, self.operator).name

    def signer(self) -> Signer:
        """The operator with what signs for them. Raises `Refused` without `--as`, and as `_key_of`."""
        from incident.record.decisions import Signer
        from incident.record.operators import operator_named

        if self.operator is None:
            raise Refused(
                "a decision needs to know who decides",
                next_step="say it with --as NAME (`incident operator list`)",
            )
        with self.store.read() as session:
            operator = operator_named(session, self.operator)
        return Signer(operator.name, self._key_of(operator.name, operator.public_key))

    def signed(self, act: Callable[[Signer], T]) -> T:
        """Do what the operator signs; nothing waits in the database for their passphrase or touch.

        `act` may be called twice: see `incident.record.decisions.signing_ahead`.
        """
        from incident.record.decisions import signing_ahead

        return signing_ahead(self.signer(), act)

    def _key_of(self, name: str, public: str) -> SigningKey:
        """What signs for an operator, in the order of `incident.record.signing`.

        Raises `Refused` when nothing here reaches their key, `BadInput` for a file that holds none.
        """
        from incident.record.signing import KeygenKey, OpenKey, agent_is_there, public_line_of, ssh_keygen
        from incident.record.sshsig import is_on_device

        named = os.environ.get("INCIDENT_SIGNING_KEY")
        file = Path(named) if named else self._remembered_key(name)
        program = ssh_keygen()
        if file is None and (program is None or not agent_is_there(os.environ)):
            raise Refused(
                f"it is not known where the private key of {name} lies on this machine",
                next_step="name it in $INCIDENT_SIGNING_KEY, or add it to your agent (`ssh-add`)",
            )
        if file is not None and public_line_of(file) not in (None, public):
            raise Refused(
                f"the key at hand is not the one that belongs to {name}",
                where=str(file),
                next_step="name the right private key with --key or $INCIDENT_SIGNING_KEY",
            )
        if program is not None:
            asked = os.environ.get("INCIDENT_SIGNING_PASSPHRASE")
            return KeygenKey(public, file, program, asked, may_ask=sys.stderr.isatty(), tell=self.say)
        if is_on_device(public):
            raise Refused(
                f"the key of {name} is on a device, and ssh-keygen is not installed",
                next_step="install openssh-client",
            )
        assert file is not None  # noqa: S101 - without a program there is one
        return OpenKey(self.private_key(file))

    def private_key(self, path: Path) -> PrivateKey:
        """A private key, its passphrase asked for where it needs one. Raises `BadInput`."""
        from incident.record.sshsig import read_private_key

        return read_private_key(path, passphrase=_passphrase(path))

    def remember_key(self, name: str, path: Path) -> None:
        """Remember where an operator's private key lies on this machine; the key itself stays where it is."""
        known = self._known_keys()
        known[name] = str(path.expanduser().resolve())
        write_output(self.paths.root / SIGNING_KEYS, json.dumps(known, ensure_ascii=False, indent=2) + "\n")

    def _known_keys(self) -> dict[str, str]:
        file = self.paths.root / SIGNING_KEYS
        if not file.is_file():
            return {}
        try:
            return {str(name): str(path) for name, path in json.loads(read_input(file)).items()}
        except (ValueError, AttributeError) as error:
            raise BadInput(
                "this file, which says where private keys lie, cannot be read",
                where=str(file),
                next_step="remove it; then name the key in $INCIDENT_SIGNING_KEY",
            ) from error

    def _remembered_key(self, name: str) -> Path | None:
        """Where a key of theirs lay: its private half, or the public one if only that is left."""
        known = self._known_keys().get(name)
        if known is None:
            return None
        halves = (Path(known), Path(f"{known}.pub"))
        return next((half for half in halves if half.is_file()), None)

    # -- output ------------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """A message for the person at the terminal."""
        typer.echo(text, err=True)

    def document(self, content: Any) -> None:
        """The one JSON document of a command."""
        typer.echo(json.dumps(content, ensure_ascii=False, indent=2, default=_plain))

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        *,
        title: str = "",
        document: Any = None,
    ) -> None:
        """A table, or with `--json` the document (by default the rows as objects)."""
        if self.as_json:
            names = [column.lower().replace(" ", "_") for column in columns]
            self.document(
                document if document is not None else [dict(zip(names, row, strict=True)) for row in rows]
            )
            return
        from incident.cli.columns import as_columns

        wide = shutil.get_terminal_size().columns if sys.stdout.isatty() else _LINE_WIDTH
        cells = [[self.show(cell) for cell in row] for row in rows]
        if title:
            typer.echo(title)
        typer.echo("\n".join(as_columns(columns, cells, width=wide)))

    @property
    def width(self) -> int:
        """Places in a line of a drawing: the terminal's, but no more than are comfortable to read; 80 without one."""
        return min(shutil.get_terminal_size().columns, 100) if sys.stdout.isatty() else 80

    def show(self, value: object) -> str:
        """A cell as people read it: times in the workspace's zone."""
        if isinstance(value, datetime):
            return f"{value.astimezone(self.zone):%Y-%m-%d %H:%M %z}"
        if isinstance(value, bool):
            return "yes" if value else "no"
        return "" if value is None else str(value)

    def show_exactly(self, moment: datetime) -> str:
        """A time with its seconds, in the workspace's zone."""
        return f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M:%S}"

    def lines(self, text: Sequence[str], *, document: Mapping[str, Any]) -> None:
        """Plain lines, or with `--json` the document."""
        if self.as_json:
            self.document(document)
            return
        for line in text:
            typer.echo(line)


def desk_of(ctx: typer.Context) -> Desk:
    """The desk of this call."""
    desk = ctx.obj
    assert isinstance(desk, Desk)  # noqa: S101 - set by the root callback
    return desk


def read_input(path: Path) -> bytes:
    """A file's bytes, or standard input for `-`. Raises `BadInput`."""
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise BadInput(
            f"the file cannot be read ({error.strerror})",
            where=str(path),
            next_step="check the path, and that this account may read it",
        ) from error


def must_take_a_file(path: Path) -> None:
    """Raise `BadInput` where no file could be written, before anything is done that could not be taken back."""
    there = next(each for each in path.absolute().parents if each.exists())
    if path.is_dir() or not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise BadInput(
            "no file can be written there",
            where=str(path),
            next_step="name another place, or check its rights",
        )


def write_output(path: Path, content: str | bytes) -> None:
    """Write a file in one step, text in UTF-8. Raises `BadInput` when it cannot be written."""
    scratch = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_bytes(content.encode() if isinstance(content, str) else content)
        scratch.replace(path)
    except OSError as error:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)
        raise BadInput(
            f"the file cannot be written ({error.strerror})",
            where=str(path),
            next_step="name another place with -o, or make room and check the folder's rights",
        ) from error


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Path):
        return str(value)
    return str(value)


def _account() -> str:
    """The account's name, or its number where it has none (in a container, for example)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _passphrase(path: Path) -> str | None:
    given = os.environ.get("INCIDENT_SIGNING_PASSPHRASE")
    if given is not None:
        return given
    try:
        encrypted = b"bcrypt" in path.read_bytes()[:4096] or _is_encrypted(path)
    except OSError:
        return None
    if encrypted and sys.stdin.isatty():
        return getpass.getpass(f"Passphrase of {path}: ")
    return None


def _is_encrypted(path: Path) -> bool:
    import base64

    body = "".join(line for line in path.read_text("ascii", "replace").splitlines() if "-----" not in line)
    try:
        return b"bcrypt" in base64.b64decode(body)[:100]
    except ValueError:
        return False
