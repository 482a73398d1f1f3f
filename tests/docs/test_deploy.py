"""The files for running Tocsin as services, tried under a real systemd in a machine of its own."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.breaches import Breach, make_breach, some_people
from tests.support.postgres import GUARDED, GUARDED_PASSWORD, PostgresServer
from tests.support.relays import RecordingRelay, free_port, recording_relay
from tests.support.systemd import Machine, kill, wait_until
from tests.support.tools import need_tool

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs" / "deploy"
GUIDE = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
UNITS = sorted(DEPLOY.glob("*.service"))
BOOK = "/var/lib/tocsin/book"
PEOPLE = 400
# Of one batch for each connection to the relay, and one more.
LEFT_OPEN = 40
# Programs come from where the test runs, and it says by itself what it looks at.
NOT_HERE = ("python3 -m venv", "/opt/tocsin/bin/pip", "incident doctor")
# What a shell or a line of an env file could trip over.
TOKEN = 'dollar$HOME #hash \\back "quote" and `tick`'


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine on which the lines of the guide that set it up were run, but for the workspace."""
    with Machine(tmp_path) as machine:
        for line in lines_of_the_guide():
            if line.startswith(("useradd", "install")):
                machine.shell(line)
        for unit in UNITS:
            machine.run("cp", f"/opt/tocsin/checkout/docs/deploy/{unit.name}", "/etc/systemd/system/")
        machine.run("systemctl", "daemon-reload")
        yield machine


@pytest.fixture
def relay() -> Iterator[RecordingRelay]:
    with recording_relay() as relay:
        # So that there is time to end a worker in the middle.
        relay.at_rcpt = lambda address: time.sleep(0.01)
        yield relay


def lines_of_the_guide() -> list[str]:
    """The lines that a root shell is given, in their order; those for containers aside."""
    blocks = re.findall(r"(?ms)^```sh\n(.*?)^```$", GUIDE)
    lines = [line for block in blocks if "podman" not in block for line in block.splitlines()]
    return [line for line in lines if not line.startswith(NOT_HERE)]


def a_sending(tmp_path: Path, relay: RecordingRelay, on: PostgresServer | None = None) -> Breach:
    breach = make_breach(
        tmp_path,
        people=some_people(PEOPLE),
        relay_port=relay.port,
        on=on,
        engine={"stale_seconds": 3, "longest_step_seconds": 60},
    )
    breach.release()
    breach.open_sending()
    breach.made.store.close()
    return breach


def settle(machine: Machine, breach: Breach) -> None:
    """Put a workspace into the machine, where the units look for it."""
    shutil.copytree(breach.made.workspace.root, machine.path(BOOK))
    machine.run("chown", "-R", "tocsin:tocsin", BOOK)


def document(machine: Machine, *words: str) -> Any:
    return json.loads(machine.run("incident", "--json", *words))


def is_told(machine: Machine, breach: Breach) -> bool:
    [campaign] = document(machine, "notice", "status", breach.id)["campaigns"]
    return bool(campaign["state"] == "ended")


def copies(relay: RecordingRelay) -> Counter[str]:
    counted = Counter(str(mail.message["Message-ID"]) for mail in relay.taken)
    assert len({mail.to for mail in relay.taken}) == PEOPLE
    return counted


# -- as the guide says it --------------------------------------------------------------------------


def test_the_lines_of_the_guide_set_up_a_worker_back_it_up_and_upgrade_it(tmp_path: Path) -> None:
    with Machine(tmp_path) as machine:
        for line in lines_of_the_guide():
            machine.shell(line)
            if line.startswith(("systemctl enable", "systemctl start")):
                wait_until(lambda: document(machine, "engine", "status")["works"])
            if line.startswith("systemctl stop"):
                assert document(machine, "engine", "status")["works"] is False
        assert machine.run("systemctl", "is-active", "tocsin-worker").strip() == "active"
        assert machine.run("systemctl", "is-enabled", "tocsin-worker").strip() == "enabled"
        # It begins to work on what is not finished yet: nobody acts, nothing is declared.
        told = machine.run("incident", "doctor", check=False)
        assert "operators" in told and "one is at work" in told
        assert machine.path(f"{BOOK}/keyring").stat().st_mode & 0o777 == 0o700
        assert machine.path("/etc/tocsin/tocsin.env").stat().st_mode & 0o777 == 0o600
        assert len(list(machine.path("/var/backups/tocsin").iterdir())) == 2


def test_a_secret_reaches_the_services_and_the_commands_as_it_is(machine: Machine, tmp_path: Path) -> None:
    curl = need_tool("curl", "curl")
    port = free_port()
    machine.shell(f'incident init {BOOK} --name "Example Mobile"')
    with machine.path(f"{BOOK}/incident.toml").open("a", encoding="utf-8") as settings:
        settings.write(f'\n[hooks]\nport = {port}\nsources = ["wazuh"]\n')
    with machine.path("/etc/tocsin/tocsin.env").open("a", encoding="utf-8") as secrets:
        secrets.write(f"WAZUH_HOOK_TOKEN='{TOKEN}'\n")
    machine.run("systemctl", "start", "tocsin-hooks")
    wait_until(lambda: "alerts are taken at" in machine.journal("tocsin-hooks"))
    address = f"http://127.0.0.1:{port}"
    alert = (
        "-H",
        "Content-Type: application/json",
        "--data-binary",
        f"@{ROOT}/docs/examples/wazuh-alert.json",
    )
    posted = subprocess.run(
        [curl, "-sS", "-H", f"Authorization: Bearer {TOKEN}", *alert, f"{address}/hooks/wazuh"],
        capture_output=True,
        text=True,
    )
    assert "receipt" in posted.stdout, posted
    wait_until(lambda: len(document(machine, "list")) == 1)
    # The script for people reads the same file, to the same value.
    assert "its secret is set" in machine.run("incident", "doctor", check=False)
    read = 'set -a; . /etc/tocsin/tocsin.env; printf %s "$WAZUH_HOOK_TOKEN"'
    assert machine.run("runuser", "-u", "tocsin", "--", "sh", "-c", read) == TOKEN
    assert TOKEN not in machine.journal("tocsin-hooks")
    machine.run("systemctl", "stop", "tocsin-hooks")
    assert machine.shows("tocsin-hooks", "Result", "ExecMainStatus") == {
        "Result": "success",
        "ExecMainStatus": "0",
    }


def test_what_runs_in_a_unit_can_touch_its_state_and_nothing_else(machine: Machine) -> None:
    machine.shell(f'incident init {BOOK} --name "Example Mobile"')
    machine.run("systemctl", "start", "tocsin-worker")
    wait_until(lambda: "working on" in machine.journal("tocsin-worker"))
    pid = str(machine.main_pid("tocsin-worker"))
    status = dict(line.split(":\t", 1) for line in machine.run("cat", f"/proc/{pid}/status").splitlines())
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert status["Uid"].split()[0] == machine.run("id", "-u", "tocsin").strip()
    inside = ("nsenter", "-t", pid, "-m", "--")
    for place in ("/etc", "/usr", "/opt/tocsin", "/var"):
        told = machine.run(*inside, "touch", f"{place}/x", check=False)
        assert "Read-only file system" in told, place
    machine.run(*inside, "touch", f"{BOOK}/x")
    assert machine.run(*inside, "ls", "-A", "/home", "/root", "/tmp", check=False).split() == [
        "/home:",
        "/root:",
        "/tmp:",
    ]
    limits = machine.run("cat", f"/proc/{pid}/limits")
    assert re.search(r"Max open files +1024 +1024", limits)
    assert machine.shows("tocsin-worker", "MemoryMax", "TasksMax") == {
        "MemoryMax": str(1 << 30),
        "TasksMax": "256",
    }


def test_wrong_usage_is_not_tried_again_and_a_refusal_is(machine: Machine) -> None:
    machine.run("systemctl", "start", "tocsin-worker", check=False)
    wait_until(lambda: int(machine.shows("tocsin-worker", "NRestarts")["NRestarts"]) >= 2)
    assert "this folder is no workspace" in machine.journal("tocsin-worker")
    machine.run("systemctl", "stop", "tocsin-worker")
    change = machine.path("/etc/systemd/system/tocsin-worker.service.d")
    change.mkdir()
    command = "/opt/tocsin/bin/incident worker --brake --release"
    (change / "wrong.conf").write_text(f"[Service]\nExecStart=\nExecStart={command}\n", encoding="utf-8")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "reset-failed", "tocsin-worker", check=False)
    machine.run("systemctl", "start", "tocsin-worker", check=False)
    wait_until(lambda: machine.shows("tocsin-worker", "ActiveState")["ActiveState"] == "failed")
    assert machine.shows("tocsin-worker", "ExecMainStatus", "NRestarts") == {
        "ExecMainStatus": "2",
        "NRestarts": "0",
    }


# -- killed ----------------------------------------------------------------------------------------


@pytest.mark.chaos
def test_a_worker_is_killed_and_stopped_and_everyone_is_told(
    machine: Machine, relay: RecordingRelay, tmp_path: Path
) -> None:
    settle(machine, breach := a_sending(tmp_path, relay))
    machine.run("systemctl", "start", "tocsin-worker")
    killed = []
    for share in (0.2, 0.4):
        wait_until(lambda share=share: len(relay.taken) > share * PEOPLE)  # type: ignore[misc]
        killed.append(kill(machine, "tocsin-worker"))
    wait_until(lambda: len(relay.taken) > 0.6 * PEOPLE)
    assert machine.main_pid("tocsin-worker") not in killed
    assert machine.shows("tocsin-worker", "NRestarts")["NRestarts"] == "2"
    begun = time.monotonic()
    machine.run("systemctl", "stop", "tocsin-worker")
    assert time.monotonic() - begun < 10
    assert machine.shows("tocsin-worker", "Result", "ExecMainStatus") == {
        "Result": "success",
        "ExecMainStatus": "0",
    }
    stopped_at = len(relay.taken)
    assert stopped_at < PEOPLE
    time.sleep(1)
    assert len(relay.taken) == stopped_at
    machine.run("systemctl", "start", "tocsin-worker")
    wait_until(lambda: is_told(machine, breach))
    counted = copies(relay)
    # A clean stop doubles nothing; each kill at most what was open.
    assert sum(counted.values()) - len(counted) <= LEFT_OPEN * len(killed)
    assert max(counted.values()) <= 1 + len(killed)
    machine.run("incident", "check")


@pytest.mark.chaos
def test_two_workers_wait_for_postgresql_and_one_takes_over_from_the_other(
    machine: Machine, relay: RecordingRelay, own_postgres: PostgresServer, tmp_path: Path
) -> None:
    breach = a_sending(tmp_path, relay, own_postgres)
    file = breach.made.workspace.settings_file
    guarded = breach.made.settings.store.url.replace("//tocsin@", f"//{GUARDED}@")
    database = guarded.rpartition("/")[2]
    own_postgres.execute(f"GRANT tocsin TO {GUARDED}", database=database)
    text = file.read_text(encoding="utf-8").replace(breach.made.settings.store.url, guarded)
    file.write_text(text.replace("[store]\n", '[store]\npassword = "env:TOCSIN_STORE_PASSWORD"\n'))
    settle(machine, breach)
    secrets = machine.path("/etc/tocsin/tocsin.env")
    secrets.write_text(f"TOCSIN_STORE_PASSWORD='{GUARDED_PASSWORD}'\n", encoding="utf-8")
    own_postgres.stop()
    units = ("tocsin-worker@1", "tocsin-worker@2")
    machine.run("systemctl", "start", *units)
    for unit in units:
        wait_until(lambda unit=unit: "waiting for the database" in machine.journal(unit))  # type: ignore[misc]
        assert machine.shows(unit, "ActiveState", "NRestarts") == {"ActiveState": "active", "NRestarts": "0"}
    own_postgres.start()
    wait_until(lambda: len(relay.taken) > 0.3 * PEOPLE)
    kill(machine, units[0])
    # Frozen, not dead: it is heard of no more, and must not go on where it was.
    frozen = kill(machine, units[1], signal.SIGSTOP)
    time.sleep(4)
    machine.run("kill", f"-{signal.SIGCONT.value}", str(frozen))
    wait_until(lambda: is_told(machine, breach))
    counted = copies(relay)
    assert sum(counted.values()) - len(counted) <= 2 * LEFT_OPEN
    machine.run("incident", "check")
    machine.run("systemctl", "stop", *units)
    assert {machine.shows(unit, "Result")["Result"] for unit in units} == {"success"}


@pytest.mark.chaos
def test_a_disk_that_is_full_for_a_while_loses_and_doubles_nobody(
    machine: Machine, relay: RecordingRelay, tmp_path: Path
) -> None:
    machine.run("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", "/var/lib/tocsin")
    machine.run("chown", "tocsin:tocsin", "/var/lib/tocsin")
    settle(machine, breach := a_sending(tmp_path, relay))
    machine.run("systemctl", "start", "tocsin-worker")
    wait_until(lambda: len(relay.taken) > 0.2 * PEOPLE)
    filled = machine.run("dd", "if=/dev/zero", "of=/var/lib/tocsin/fill", "bs=64k", check=False)
    assert "No space left on device" in filled
    # The group under way leaves; the next one's intent cannot be written.
    time.sleep(4)
    stands_at = len(relay.taken)
    assert stands_at < PEOPLE
    told = machine.run(
        "incident", "log", breach.id, "x", "--at", "2026-11-25 10:00", "--by", "me", check=False
    )
    assert "free space on the disk; nothing was changed" in told
    assert len(relay.taken) == stands_at
    machine.run("rm", "/var/lib/tocsin/fill")
    wait_until(lambda: is_told(machine, breach))
    assert set(copies(relay).values()) == {1}
    machine.run("incident", "check")


# -- the files themselves --------------------------------------------------------------------------


def settings_of(unit: Path) -> dict[str, list[str]]:
    """What a unit sets, without comments: key and values in their order."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def test_the_units_differ_only_in_what_they_start_and_how_long_a_stop_may_take() -> None:
    own = {"Description", "ExecStart", "TimeoutStopSec"}
    told = [{key: value for key, value in settings_of(unit).items() if key not in own} for unit in UNITS]
    assert len(told) == 3 and all(each == told[0] for each in told)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_rates_what_a_unit_leaves_open_as_little(unit: Path, tmp_path: Path) -> None:
    program = need_tool("systemd-analyze", "systemd")
    copy = tmp_path / unit.name.replace("@", "@one")
    shutil.copy(unit, copy)
    # The threshold counts tenths, of 100 for a unit that confines nothing.
    words = (program, "security", "--offline=true", "--threshold=15", "--no-pager", str(copy))
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr


def test_the_example_of_secrets_is_read_alike_by_systemd_and_by_the_shell() -> None:
    lines = (DEPLOY / "tocsin.env.example").read_text(encoding="utf-8").splitlines()
    shown = [line.removeprefix("#") for line in lines if re.match(r"#[A-Z_]+=", line)]
    assert len(shown) >= 3
    assert all(re.fullmatch(r"[A-Z][A-Z_]*=''", line) for line in shown)
    assert [line for line in lines if line and not line.startswith("#")] == []


def test_the_image_holds_nothing_that_the_workspace_or_a_secret_would_be_in() -> None:
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    steps = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    # The base is named by who builds: each stage begins with the argument, which comes first.
    assert steps[0][0] == "ARG"
    assert {words[1].split()[0] for words in steps if words[0] == "FROM"} == {"${BASE}"}
    copied = [shlex.split(words[1]) for words in steps if words[0] == "COPY"]
    assert copied == [
        ["requirements/postgres.lock", "dist/", "/build/"],
        ["--from=build", "/opt/tocsin", "/opt/tocsin"],
    ]
    last = [words[0] for words in steps][-6:]
    assert last == ["ENV", "USER", "WORKDIR", "STOPSIGNAL", "ENTRYPOINT", "CMD"]
    [run] = [words[1] for words in steps if words[0] == "RUN"]
    assert "--require-hashes -r /build/postgres.lock" in run and "--no-index --no-deps" in run
    assert all((ROOT / name).exists() for name in copied[0][:1])
