import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from incident.response.commands import bash
from incident.response.commands.bash import carry_out, is_here
from incident.response.commands.going_out import GoingOut
from incident.response.commands.prepared import Call
from incident.response.commands.result import BODY_PREFIX, Ending, Result
from incident.response.model import AgentTarget, Command

HERE = AgentTarget(type="linux", name="This machine", address={"dname": ["localhost"]})
ENABLED = GoingOut(bash=True)
# A grandchild in the group, one in a session of its own whose parent is gone, and one that does not listen.
FAMILY = """
(trap '' TERM; exec sleep 300) & echo $! >> {0}.new
(exec setsid sh -c 'echo $$ >> {0}.new; exec sleep 300' & )
echo $$ >> {0}.new
while [ "$(wc -l < {0}.new)" -lt 3 ]; do sleep 0.01; done
mv {0}.new {0}
"""


def call(script: str, values: dict[str, str | None] | None = None, *, timeout_s: float = 30) -> Call:
    return Call(
        Command(type="bash", command=script),
        HERE,
        values or {},
        {},
        timeout_s=timeout_s,
        idempotency_key="R-3",
        authentication=None,
        resolve_secret=lambda name: "",
    )


def run(
    script: str,
    values: dict[str, str | None] | None = None,
    *,
    rules: GoingOut = ENABLED,
    timeout_s: float = 30,
) -> Result:
    return carry_out(call(script, values, timeout_s=timeout_s), rules)


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def all_end(pids: Iterable[int]) -> bool:
    until = time.monotonic() + 30
    while any(lives(pid) for pid in pids):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def family(path: Path) -> list[int]:
    until = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    return [int(each) for each in path.read_text().split()]


def test_nothing_runs_on_this_machine_unless_the_workspace_says_so(tmp_path: Path) -> None:
    result = run(f"touch {tmp_path}/done", rules=GoingOut())
    assert (result.ending, result.detail) == (
        Ending.not_sent,
        "commands on this machine are not enabled here",
    )
    assert not (tmp_path / "done").exists()


def test_a_command_runs_with_its_values_in_an_empty_folder() -> None:
    result = run(
        "printf '%s|' __who__:value; ls -A; umask > /dev/null", {"__who__": "a'; exit 3 #\n$(exit 4)"}
    )
    assert (result.ending, result.status) == (Ending.done, 0), result.detail
    assert result.body == b"a'; exit 3 #\n$(exit 4)|"


def test_nothing_of_our_environment_comes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOCSIN_SECRET", "BASH_ENV", "ENV", "LD_LIBRARY_PATH", "BASH_FUNC_ls%%", "PYTHONSTARTUP"):
        monkeypatch.setenv(name, "s3cret")
    result = run("env")
    names = {line.partition("=")[0] for line in result.body.decode().splitlines()}
    assert names == {"PATH", "HOME", "LC_ALL", "IDEMPOTENCY_KEY", "PWD", "SHLVL", "_"}
    assert "IDEMPOTENCY_KEY=R-3" in result.body.decode()
    assert "s3cret" not in result.body.decode()


def test_no_open_file_of_ours_comes_along(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret")
    with (tmp_path / "secret").open() as held:
        os.set_inheritable(held.fileno(), True)
        result = run("for fd in /proc/self/fd/*; do readlink $fd; done; true")
    assert result.success and b"secret" not in result.body


def test_another_exit_status_is_a_no_with_the_last_line_of_the_errors() -> None:
    result = run("echo first >&2; echo 'no such rule' >&2; exit 7")
    assert (result.ending, result.status, result.detail) == (
        Ending.answered_no,
        7,
        "exit status 7: no such rule",
    )


@pytest.mark.parametrize("which", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_command_that_a_signal_ended_leaves_it_open_what_was_done(which: signal.Signals) -> None:
    result = run(f"kill -{which.value} $$; sleep 60")
    assert (result.ending, result.detail) == (Ending.ambiguous, f"ended by signal {which.value}")


def test_an_exit_status_above_128_is_no_signal() -> None:
    assert run("exit 137").ending is Ending.answered_no


def test_only_the_beginning_of_a_large_answer_is_kept() -> None:
    result = run("head -c 3000000 /dev/zero | tr '\\0' x; head -c 300000 /dev/zero >&2")
    assert (result.ending, result.body) == (Ending.done, b"x" * BODY_PREFIX)


def test_a_command_waits_for_no_input() -> None:
    assert run("cat; echo over").body == b"over\n"


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    result = run(FAMILY.format(pids) + "trap '' TERM; while :; do sleep 300; done", timeout_s=5)
    assert (result.ending, result.detail) == (Ending.ambiguous, "not finished within 5 s, and ended")
    assert len(family(pids)) == 3
    assert not any(lives(pid) for pid in family(pids))


def test_what_a_command_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    result = run(FAMILY.format(pids) + "echo over")
    assert (result.ending, result.body) == (Ending.done, b"over\n")
    assert not any(lives(pid) for pid in family(pids))


def start_caller(script: str) -> subprocess.Popen[bytes]:
    """A process that carries the command out, as a worker does in a thread of its own."""
    file = Path(__file__)
    program = (
        "import sys, threading\n"
        f"sys.path[:0] = [{str(file.parents[4])!r}, {str(file.parent)!r}]\n"
        f"from {file.stem} import ENABLED, call, carry_out\n"
        "work = lambda: carry_out(call(sys.argv[1]), ENABLED)\n"
        "thread = threading.Thread(target=work); thread.start(); thread.join()\n"
    )
    return subprocess.Popen([sys.executable, "-c", program, script])


def test_a_worker_that_is_killed_takes_its_command_along(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    caller = start_caller(FAMILY.format(pids) + "sleep 300")
    try:
        found = family(pids)
    finally:
        caller.send_signal(signal.SIGKILL)
        caller.wait(10)
    assert all_end(found)


def test_a_keeper_that_is_killed_takes_its_command_along(tmp_path: Path) -> None:
    script = f"echo $$ $PPID > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pids; sleep 300 & wait"
    caller = start_caller(script)
    try:
        command, keeper = family(tmp_path / "pids")
        os.kill(keeper, signal.SIGKILL)
        assert all_end([command])
    finally:
        caller.send_signal(signal.SIGKILL)
        caller.wait(10)


def test_a_frozen_worker_does_not_lengthen_the_time_of_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keeper's own limit, with a worker that never looks at its own."""
    monkeypatch.setattr(bash, "_KEEPER_S", -19.0)
    result = run("sleep 300", timeout_s=20)
    assert (result.ending, result.detail) == (Ending.ambiguous, f"ended by signal {signal.SIGTERM.value}")


@pytest.mark.parametrize(
    ("agent", "here"),
    [
        ({"type": "linux", "address": {"dname": ["localhost"]}}, True),
        ({"type": "linux", "address": {"ipv4": ["127.0.0.1"]}}, True),
        ({"type": "linux", "address": {"dname": ["localhost", "db.example"]}}, False),
        ({"type": "linux"}, False),
        ({"type": "http-api", "address": {"dname": ["localhost"]}}, False),
    ],
)
def test_this_machine_is_declared_as_such(agent: dict[str, object], here: bool) -> None:
    assert is_here(AgentTarget.model_validate({"name": "a", **agent})) is here
