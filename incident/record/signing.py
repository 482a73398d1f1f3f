"""What signs for a person: a program of OpenSSH that reaches their key, or their key file, read here.

A decision needs only the public line and something that signs. Tried in this order:

1. `ssh-keygen -Y sign`, where it is installed: with the agent ($SSH_AUTH_SOCK), if that holds the key, else with the
   key file. A key on a device is reached through either.
2. The key file, read here.

The private key need not be on this machine, nor leave the device. Whoever made a signature, it is verified before it
is stored.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Protocol

from incident.errors import BadInput, Refused
from incident.record.sshsig import (
    NAMESPACE,
    PrivateKey,
    is_on_device,
    public_line,
    public_line_in,
    read_public_line,
    sign,
)

# As long as a person may take for a passphrase, a touch or a question of the agent. Devices give up after 30 s or less.
PATIENCE_SECONDS = 60.0
PASSPHRASE = "INCIDENT_SIGNING_PASSPHRASE"  # noqa: S105 - the name of a variable
_ASKPASS = f'#!/bin/sh\nprintf "%s\\n" "${PASSPHRASE}"\n'
_TERMINAL = Path("/dev/tty")
_LONGEST_KEY_FILE = 64 * 1024


class SigningKey(Protocol):
    """A key that signs."""

    @property
    def public(self) -> str:
        """The public line in its canonical form."""
        ...

    @property
    def takes_a_person(self) -> bool:
        """Whether a signature may wait for somebody: a passphrase, a touch, a question of the agent."""
        ...

    def sign(self, message: bytes) -> str:
        """An armoured SSH signature under our namespace. Raises `Refused` when none was made."""
        ...


@dataclass(frozen=True)
class OpenKey:
    """A private key that lies open in this process."""

    private: PrivateKey = field(repr=False)
    takes_a_person = False

    @cached_property
    def public(self) -> str:
        return public_line(self.private)

    def sign(self, message: bytes) -> str:
        return sign(message, self.private)


@dataclass(frozen=True)
class KeygenKey:
    """A key that `ssh-keygen` signs with. `file` is its public or private half; None where only an agent has it.

    `passphrase` answers what the program may ask; without it the program asks at the terminal if it `may_ask`.
    `tell` says what the person has to do.
    """

    public: str
    file: Path | None
    program: str
    passphrase: str | None = field(repr=False)
    may_ask: bool
    tell: Callable[[str], None]
    patience: float = PATIENCE_SECONDS
    takes_a_person = True

    def sign(self, message: bytes) -> str:
        if is_on_device(self.public):
            self.tell("touch the device that holds the key")
        with tempfile.TemporaryDirectory(prefix="tocsin-signing-") as name:
            folder = Path(name)
            # In a file, as arguments are seen by everybody on the machine, and standard input has to stay the terminal:
            # ssh-keygen asks for a passphrase or a PIN only there.
            statement = folder / "statement"
            statement.write_bytes(message)
            key = self.file if self.file is not None else _written(folder / "key.pub", f"{self.public}\n")
            self._call(["-Y", "sign", "-f", str(key), "-n", NAMESPACE, str(statement)], folder)
            try:
                return (folder / "statement.sig").read_text("ascii")
            except (OSError, ValueError):
                raise self._refusal("ssh-keygen wrote no signature") from None

    def _call(self, arguments: list[str], folder: Path) -> None:
        environment = dict(os.environ)
        if self.passphrase is not None:
            script = _written(folder / "askpass", _ASKPASS)
            script.chmod(0o700)
            environment |= {
                "SSH_ASKPASS": str(script),
                "SSH_ASKPASS_REQUIRE": "force",
                PASSPHRASE: self.passphrase,
            }
        with _terminal(self.may_ask and self.passphrase is None) as terminal:
            try:
                done = subprocess.run(  # noqa: S603 - the program is ssh-keygen, found on the path
                    [self.program, *arguments],
                    stdin=terminal,
                    capture_output=True,
                    env=environment,
                    timeout=self.patience,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise self._refusal(f"nobody let the key sign within {self.patience:.0f} seconds") from None
            except OSError as error:
                raise self._refusal(f"ssh-keygen cannot be started ({error.strerror})") from None
        if done.returncode != 0:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
            raise self._refusal(f"ssh-keygen did not sign: {said[-1][:300]}")

    def _refusal(self, what: str) -> Refused:
        if is_on_device(self.public):
            step = "plug the device in, call it again and touch it"
        elif self.file is None:
            step = "add the key to your agent (`ssh-add`), or name its file in $INCIDENT_SIGNING_KEY"
        else:
            step = (
                f"add the key to your agent (`ssh-add`), or set its passphrase in ${PASSPHRASE}; "
                "a key file that others may read is refused (`chmod 600`)"
            )
        return Refused(f"{what}; nothing was decided", where=str(self.file or "ssh-agent"), next_step=step)


def agent_is_there(environment: Mapping[str, str]) -> bool:
    """Whether an agent may hold keys for us."""
    return bool(environment.get("SSH_AUTH_SOCK"))


def ssh_keygen() -> str | None:
    """Where the program is, if it is installed."""
    return shutil.which("ssh-keygen")


def public_line_of(file: Path) -> str | None:
    """The public line that belongs to a key file, be it the public or the private half; None where nothing tells it.

    Raises `BadInput` for a file that cannot be read, or that holds no key.
    """
    text = _read(file)
    if "PRIVATE KEY" not in text:
        return read_public_line(text, where=str(file))
    found = public_line_in(text)
    beside = file.with_name(file.name + ".pub")
    if found is None and beside.is_file():
        return read_public_line(_read(beside), where=str(beside))
    return found


def _read(file: Path) -> str:
    try:
        with file.open("rb") as handle:
            return handle.read(_LONGEST_KEY_FILE).decode("ascii", "replace")
    except OSError as error:
        raise BadInput(
            f"the signing key cannot be read ({error.strerror})",
            where=str(file),
            next_step="name the key with --key or $INCIDENT_SIGNING_KEY",
        ) from error


def _written(file: Path, text: str) -> Path:
    file.write_text(text, "ascii")
    return file


@contextmanager
def _terminal(wanted: bool) -> Iterator[IO[bytes] | int]:
    """This process's terminal, even where standard input is something else; nothing where there is none."""
    if not wanted:
        yield subprocess.DEVNULL
        return
    try:
        terminal = _TERMINAL.open("rb", buffering=0)
    except OSError:
        yield subprocess.DEVNULL
        return
    with terminal:
        yield terminal
