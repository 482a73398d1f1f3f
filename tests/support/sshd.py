"""A real sshd on loopback with keys of its own, for what playbooks do by ssh."""

from __future__ import annotations

import getpass
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.openssh import keygen
from tests.support.tools import need_tool


def make_key(path: Path) -> str:
    """A fresh ed25519 key without a passphrase at `path`; returns its public line."""
    made = keygen("-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", path)
    assert made.returncode == 0, made.stderr.decode()
    return path.with_name(f"{path.name}.pub").read_text().strip()


@dataclass(frozen=True)
class Sshd:
    """A running sshd. `key` is a private key that it lets in, `known_hosts` a file that knows it.

    `authorized_keys` may be changed while it runs; it is read at each sign-in.
    """

    folder: Path
    host: str
    port: int
    process: subprocess.Popen[bytes]
    prefix: tuple[str, ...] = field(default=())
    user: str = field(default_factory=getpass.getuser)

    @property
    def key(self) -> Path:
        return self.folder / "id_ed25519"

    @property
    def host_key(self) -> Path:
        return self.folder / "ssh_host_ed25519_key"

    @property
    def authorized_keys(self) -> Path:
        return self.folder / "authorized_keys"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def log(self) -> str:
        return (self.folder / "sshd.log").read_text(errors="replace")

    def known_as(self, host: str) -> str:
        """The line of `known_hosts` under which a client that calls it `host` finds it."""
        kind, key = self.host_key.with_name(f"{self.host_key.name}.pub").read_text().split()[:2]
        return f"{f'[{host}]:{self.port}' if self.port != 22 else host} {kind} {key}\n"

    def let_in(self, public: str) -> None:
        """Add a public key to those it lets in."""
        with self.authorized_keys.open("a") as file:
            file.write(public.rstrip() + "\n")

    def break_off(self) -> None:
        """End every open session, as a host that goes down does."""
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError, IndexError):
                if int(path.read_text().rpartition(")")[2].split()[1]) == self.process.pid:
                    os.kill(int(path.parent.name), signal.SIGKILL)

    def sign_in(
        self, command: str = "true", *, key: Path | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command there by the OpenSSH client, with this key and no other; the caller looks at what came of it."""
        ssh = need_tool("ssh", "openssh-client")
        options = {
            "UserKnownHostsFile": self.known_hosts,
            "GlobalKnownHostsFile": "/dev/null",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "BatchMode": "yes",
            "ConnectTimeout": "10",
        }
        flags = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        call = [*self.prefix, ssh, "-F", "none", *flags, "-i", str(key or self.key), "-p", str(self.port)]
        return subprocess.run(
            [*call, f"{self.user}@{self.host}", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
        )


@contextmanager
def sshd(
    folder: Path | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    prefix: Sequence[str] = (),
    settings: str = "",
) -> Iterator[Sshd]:
    """A sshd that lets this user in by `Sshd.key`. It runs until the end of the block.

    `folder` keeps its files; without one they lie in a folder of their own that is removed. `prefix` is put before
    its command, so that it runs in a network namespace (`["ip", "netns", "exec", NAME]`; without a `port` it takes
    2222 there). `settings` are lines of sshd_config that win over ours.
    """
    if folder is None:
        with (
            tempfile.TemporaryDirectory(prefix="sshd-") as own,
            sshd(Path(own), host=host, port=port, prefix=prefix, settings=settings) as server,
        ):
            yield server
        return
    program = need_tool("sshd", "openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(
            mode=0o755, exist_ok=True
        )  # it drops its rights there, and refuses to start without
    folder.mkdir(exist_ok=True)
    port = port or _free_port(host, prefix)
    key = make_key(folder / "id_ed25519")
    make_key(folder / "ssh_host_ed25519_key")
    (folder / "authorized_keys").write_text(key + "\n")
    (folder / "authorized_keys").chmod(0o600)
    (folder / "sshd_config").write_text(f"{settings}\n{_config(folder, host, port)}")
    command = [*prefix, program, "-D", "-f", str(folder / "sshd_config"), "-E", str(folder / "sshd.log")]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    server = Sshd(folder, host, port, process, tuple(prefix))
    try:
        server.known_hosts.write_text(server.known_as(host))
        _wait_until_it_listens(server)
        yield server
    finally:
        server.break_off()
        process.terminate()
        process.wait(10)


def _config(folder: Path, host: str, port: int) -> str:
    return f"""\
ListenAddress {f"[{host}]" if ":" in host else host}:{port}
HostKey {folder}/ssh_host_ed25519_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PrintMotd no
Subsystem sftp internal-sftp
LogLevel VERBOSE
"""


def _free_port(host: str, prefix: Sequence[str]) -> int:
    if prefix:
        return 2222  # a namespace of its own, where nobody else listens
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as free:
        free.bind((host, 0))
        port: int = free.getsockname()[1]
        return port


def _wait_until_it_listens(server: Sshd) -> None:
    until = time.monotonic() + 20
    while "Server listening" not in (server.log if (server.folder / "sshd.log").exists() else ""):
        assert server.process.poll() is None, f"sshd does not start: {server.log}"
        assert time.monotonic() < until, f"sshd does not listen: {server.log}"
        time.sleep(0.01)
