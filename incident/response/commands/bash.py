"""`bash` commands (CACAO 2.0 section 5.3): on this machine, only where the workspace enabled them.

A command runs in an empty folder with none of our environment but PATH, under a keeper that ends it with all that it
started: when its time is over, when its worker is killed, and when it has ended itself. So nothing goes on unseen;
what is to go on is started as a service. IDEMPOTENCY_KEY in its environment is the same each time that the same call
is made.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from incident.errors import TocsinError
from incident.response.commands import shell
from incident.response.commands.going_out import GoingOut
from incident.response.commands.prepared import Call, Prepared
from incident.response.commands.result import BODY_PREFIX, Ending, Result
from incident.response.commands.shell import script_of, shell_text
from incident.response.model import ActionStep, AgentTarget, Command, Playbook, Variable
from incident.response.variables import Values, declarations, references

TYPE = "bash"
_KEEPER = Path(__file__).with_name("keeper.py")
_KEEPER_S = 10.0
"""Seconds that the keeper has to end a command; it takes about two of them for one that does not listen."""
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


def problems(playbook: Playbook, step: ActionStep, command: Command) -> Iterator[tuple[str, str]]:
    """What keeps the command from being run, as (code, message)."""
    yield from shell.problems(command, declarations(playbook, step))
    if step.targets:
        yield "bash-targets", "a bash command runs on this machine and reaches no target; use ssh for others"
    agent = playbook.agent_definitions.get(step.agent)
    if agent is not None and not is_here(agent):
        yield (
            "bash-elsewhere",
            f"a bash command runs on this machine, and “{agent.name}” is not declared as it (linux, localhost)",
        )


def is_here(agent: AgentTarget) -> bool:
    """Whether an agent is this machine: its every address says so."""
    found = [str(each) for several in (agent.address or {}).values() for each in several]
    return agent.type in {"linux", "ssh"} and bool(found) and set(found) <= _HERE


def used(command: Command, addressee: AgentTarget) -> list[str]:
    """The variables that the command refers to."""
    return references(script_of(command))


def destination(
    addressee: AgentTarget, values: Values, declared: Mapping[str, Variable]
) -> tuple[str | None, int]:
    return None, 0


def prepare(
    command: Command, addressee: AgentTarget, values: Values, declared: Mapping[str, Variable]
) -> Prepared:
    return Prepared(TYPE, None, 0, "bash on this machine", shell_text(script_of(command), values, declared))


def carry_out(call: Call, rules: GoingOut) -> Result:
    """Run the command once. Never raises for what the command does."""
    try:
        prepared = prepare(call.command, call.addressee, call.values, call.declared)
        rules.must_allow(prepared)
    except TocsinError as error:
        return Result(Ending.not_sent, error.what)
    with tempfile.TemporaryDirectory(prefix="tocsin-", ignore_cleanup_errors=True) as folder:
        try:
            return asyncio.run(_kept(call, prepared, folder))
        except OSError as error:
            return Result(Ending.not_sent, f"bash does not start: {error.strerror}")


async def _kept(call: Call, prepared: Prepared, folder: str) -> Result:
    """Raises `OSError` where the command could not be started."""
    reading, writing = os.pipe()
    with (
        tempfile.TemporaryFile() as script,
        os.fdopen(reading, "rb", 0) as alive,
        os.fdopen(writing, "wb", 0) as hold,
    ):
        script.write(prepared.content.encode("utf-8", errors="surrogatepass"))
        script.seek(0)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-IS",
            str(_KEEPER),
            str(alive.fileno()),
            str(call.timeout_s + _KEEPER_S),
            "/bin/bash",
            "--noprofile",
            "--norc",
            f"/dev/fd/{script.fileno()}",
            cwd=folder,
            env=_environment(folder, call.idempotency_key),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=[script.fileno(), alive.fileno()],
            start_new_session=True,
        )
        return await _finished(process, hold, call.timeout_s)


def _environment(folder: str, key: str) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        "HOME": folder,
        "LC_ALL": "C.UTF-8",
        "IDEMPOTENCY_KEY": key,
    }


async def _finished(process: asyncio.subprocess.Process, hold: IO[bytes], timeout_s: float) -> Result:
    assert process.stdout is not None and process.stderr is not None  # noqa: S101 - both are pipes
    try:
        async with asyncio.timeout(timeout_s):
            out, err = await asyncio.gather(_prefix(process.stdout), _prefix(process.stderr))
            status = await process.wait()
    except TimeoutError:
        hold.close()
        await _ended(process)
        return Result(Ending.ambiguous, f"not finished within {timeout_s:g} s, and ended")
    if status == 0:
        return Result(Ending.done, "exit status 0", 0, out)
    if status < 0:
        return Result(Ending.ambiguous, f"ended by signal {-status}", status, out)
    return Result(Ending.answered_no, f"exit status {status}{last_line(err)}", status, out)


def last_line(err: bytes) -> str:
    """The last line that a command wrote to its errors, for people."""
    lines = err.decode("utf-8", errors="replace").strip().splitlines()
    return f": {lines[-1][:300]}" if lines else ""


async def _prefix(stream: asyncio.StreamReader) -> bytes:
    found = b""
    while chunk := await stream.read(65536):
        found = (found + chunk)[:BODY_PREFIX]
    return found


async def _ended(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_KEEPER_S):
            await process.wait()
            return
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
