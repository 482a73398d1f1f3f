"""OpenSSH's own programs, as a stranger would call them: ssh-keygen, and an agent of its own for a test."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from incident.record.sshsig import NAMESPACE
from tests.support.tools import need_tool


def keygen(
    *arguments: str | Path, stdin: bytes = b"", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Call ssh-keygen; the caller looks at what came of it."""
    tool = need_tool("ssh-keygen", "openssh-client")
    return subprocess.run(
        [tool, *map(str, arguments)], input=stdin, capture_output=True, timeout=60, env=environment
    )


def openssh_verifies(
    folder: Path, public: str, message: bytes, signature: str, namespace: str = NAMESPACE
) -> bool:
    """Whether `ssh-keygen -Y verify` accepts a signature as that key's."""
    (folder / "allowed").write_text(f"ana {public}\n")
    (folder / "sig").write_text(signature)
    call = ("-Y", "verify", "-f", folder / "allowed", "-I", "ana", "-n", namespace, "-s", folder / "sig")
    return keygen(*call, stdin=message).returncode == 0


@contextmanager
def ssh_agent(*keys: Path) -> Iterator[dict[str, str]]:
    """A real ssh-agent that holds these private keys; yields the environment that names it."""
    agent = need_tool("ssh-agent", "openssh-client")
    add = need_tool("ssh-add", "openssh-client")
    with tempfile.TemporaryDirectory(prefix="agent-") as folder:
        socket = Path(folder) / "s"
        process = subprocess.Popen([agent, "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
        try:
            until = time.monotonic() + 10
            while not socket.exists():
                assert time.monotonic() < until, "ssh-agent does not start"
                time.sleep(0.01)
            environment = {"SSH_AUTH_SOCK": str(socket)}
            for key in keys:
                subprocess.run([add, "-q", str(key)], env=environment, check=True, timeout=10)
            yield environment
        finally:
            process.terminate()
            process.wait(10)
