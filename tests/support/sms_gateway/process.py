"""The gateway as a process of its own, for tests that kill or stop the sender."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.sms_gateway.account import Taken
from tests.support.sms_gateway.server import recorded

_PATIENCE_SECONDS = 20.0
_ROOT = Path(__file__).resolve().parents[3]


class GatewayProcess:
    """A gateway that listens on `port` of loopback."""

    def __init__(self, port: int, record: Path) -> None:
        self.port, self.record = port, record

    @property
    def taken(self) -> list[Taken]:
        """All messages that it took, in their order, whatever it answered."""
        return recorded(self.record)


@contextmanager
def gateway_process(
    record: Path,
    dialect: str = "aliyun",
    *,
    port: int = 0,
    faults: Sequence[str] = (),
    push_to: str = "",
) -> Iterator[GatewayProcess]:
    """A gateway for as long as the context is open. `faults` are as `python -m tests.support.sms_gateway` takes them,
    such as "97=drop:taken"."""
    command = [sys.executable, "-m", "tests.support.sms_gateway", "--dialect", dialect]
    command += ["--port", str(port), "--record", str(record)]
    command += [part for fault in faults for part in ("--fault", fault)]
    command += ["--push-to", push_to] if push_to else []
    process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    try:
        said = process.stdout.readline().strip()
        assert said.isdigit(), "the gateway does not start"
        yield GatewayProcess(int(said), record)
        assert process.poll() is None, "the gateway has ended"
    finally:
        process.stdin.close()
        try:
            process.wait(timeout=_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
