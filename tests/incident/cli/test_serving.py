"""`serve hooks` and `worker` as processes of their own: what a sender was told is kept, and one worker is enough."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from incident.hooks.library import SHIPPED
from incident.store.keyring import Keyring
from incident.workspace import Workspace, worker_lock
from tests.support.commands import spawn, sql
from tests.support.estates import Estate
from tests.support.relays import recording_relay

TOKEN = "a-token-of-forty-characters-or-even-more"
SECRETS = {"WAZUH_HOOK_TOKEN": TOKEN}
_SHARED = Path(__file__).parents[4] / "shared" / "samples" / "alerts" / "wazuh_integrator.json"
_SHIPPED = SHIPPED / "samples" / "wazuh.json"
_PATIENCE_SECONDS = 20.0


@dataclass
class Served:
    """A running `incident serve hooks`."""

    process: subprocess.Popen[str]
    url: str

    def post(self, body: bytes, *, token: str = TOKEN, source: str = "wazuh") -> int:
        request = urllib.request.Request(  # noqa: S310 - a loopback address of ours
            self.url.replace("SOURCE", source),
            data=body,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Stop it; its exit code and what it said on stderr."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=30)
        return self.process.returncode, err


@contextmanager
def _serving(estate: Estate, **environment: str) -> Iterator[Served]:
    process = spawn(
        *("--workspace", estate.root, "--json", "serve", "hooks", "--port", "0"),
        environment={**SECRETS, **environment},
    )
    try:
        yield Served(process, _first_document(process)["url"])
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=30)


def _first_document(process: subprocess.Popen[str]) -> dict[str, str]:
    assert process.stdout is not None
    text = ""
    while line := process.stdout.readline():
        text += line
        if line == "}\n":
            found: dict[str, str] = json.loads(text)
            return found
    raise AssertionError(process.communicate()[1])


def _until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(0.05)


def _incidents(estate: Estate) -> list[str]:
    return [incident for (incident,) in sql(estate.root, "SELECT id FROM incident WHERE origin <> 'person'")]


def _alert() -> bytes:
    return _SHIPPED.read_bytes()


@pytest.mark.parametrize("where", ["shared", "shipped"])
def test_an_alert_opens_an_incident_and_the_playbook_waits_for_a_person(estate: Estate, where: str) -> None:
    if where == "shared" and not _SHARED.is_file():
        pytest.skip(f"the shared sample is not here: {_SHARED}")
    body = _SHARED.read_bytes() if where == "shared" else _alert()
    with recording_relay() as relay:
        estate.change_settings("port = 9", f"port = {relay.port}")
        with _serving(estate) as served:
            assert served.post(body) == 202
            _until(lambda: bool(_incidents(estate)), "the incident is opened")
            [incident] = _incidents(estate)
            _until(lambda: bool(_waits(estate, incident)), "the playbook waits")
            code, err = served.stop()
        assert code == 0, err
        assert "Traceback" not in err
        assert relay.taken == []
    [run] = estate.done("runs", incident, "--json").document
    assert run["state"] == "running"
    assert sql(estate.root, "SELECT count(*) FROM campaign") == [(0,)]
    assert estate.done("verify", "--json").document["sound"] is True
    # A number in an alert never becomes a number of people.
    facts = {fact["field"] for fact in estate.done("show", incident, "--json").document["facts"]}
    assert "persons" not in facts


def _waits(estate: Estate, incident: str) -> list[str]:
    runs = estate.run("runs", incident, "--json")
    waits: list[str] = runs.document[0]["waits_for"] if runs.code == 0 and runs.document else []
    return waits


def test_an_alert_with_a_wrong_token_or_from_nowhere_leaves_nothing(estate: Estate) -> None:
    with _serving(estate) as served:
        assert served.post(_alert(), token="wrong") == 401
        assert served.post(_alert(), source="nobody") in (401, 404)
        assert served.post(b"no json") in (202, 400, 422)
        _, err = served.stop(signal.SIGINT)
    assert sql(estate.root, "SELECT count(*) FROM alert WHERE incident_id IS NOT NULL") == [(0,)]
    assert TOKEN not in err
    assert _incidents(estate) == []


def test_an_alert_that_was_taken_survives_the_death_of_the_server(estate: Estate) -> None:
    """While somebody else holds the worker's lock nothing is mapped, so the kill comes surely between the two."""
    from incident.workspace import Workspace, worker_lock

    with worker_lock(Workspace(estate.root)) as ours, _serving(estate) as served:
        assert ours
        assert served.post(_alert()) == 202
        served.stop(signal.SIGKILL)
    assert sql(estate.root, "SELECT count(*) FROM alert") == [(1,)]
    assert _incidents(estate) == []
    with _serving(estate):
        _until(lambda: bool(_incidents(estate)), "the alert is mapped after the restart")
    assert len(_incidents(estate)) == 1


def test_the_same_alert_twice_is_one_incident(estate: Estate) -> None:
    with _serving(estate) as served:
        assert [served.post(_alert()), served.post(_alert())] == [202, 200]
        _until(lambda: bool(_incidents(estate)), "the incident is opened")
        served.stop()
    assert len(_incidents(estate)) == 1


def test_a_second_worker_is_refused_while_one_lives(estate: Estate) -> None:
    first = spawn("--workspace", estate.root, "worker")
    try:
        assert first.stderr is not None
        assert any("working on" in line for line in first.stderr)
        # The first one works meanwhile, so the record may change; the second one changes nothing.
        answer = estate.run("worker")
        assert answer.code == 1 and answer.out == ""
        for said in ("a worker is at work", str(estate.root), "one worker is enough"):
            assert said in answer.err
    finally:
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=30)
    assert first.returncode == 0


def test_serving_without_the_relays_secret_maps_alerts_and_warns(estate: Estate) -> None:
    estate.change_settings("port = 9", 'port = 9\nusername = "u"\npassword = "env:NO_SUCH_SECRET"')
    with _serving(estate) as served:
        assert served.post(_alert()) == 202
        _until(lambda: bool(_incidents(estate)), "the incident is opened")
        _, err = served.stop()
    assert "no message to people can be sent" in err
    assert "env:NO_SUCH_SECRET" in err


def test_serving_without_the_centres_secret_maps_alerts_and_warns(estate: Estate) -> None:
    settings = estate.settings_file
    settings.write_text(f"{settings.read_text('utf-8')}\n{_CENTRE}", "utf-8")
    with _serving(estate) as served:
        assert served.post(_alert()) == 202
        _until(lambda: bool(_incidents(estate)), "the incident is opened")
        _, err = served.stop()
    assert "no message to people can be sent" in err
    assert "env:NO_SUCH_SECRET" in err


_CENTRE = """
[sms.smpp]
host = "127.0.0.1"
system_id = "tocsin"
password = "env:NO_SUCH_SECRET"
sender = "10690001"
processor = "our own centre"
country = "cn"

[fallback]
means = ["email", "sms"]
"""


def test_serving_what_cannot_be_served_is_refused(estate: Estate) -> None:
    estate.change_settings('sources = ["wazuh"]', 'sources = ["smoke-signals"]')
    estate.refused("serve", "hooks", "--port", "0", says=["smoke-signals", "source list"])
    estate.change_settings('sources = ["smoke-signals"]', "sources = []")
    estate.refused("serve", "hooks", "--port", "0", says=["WAZUH_HOOK_TOKEN"])


def test_a_port_in_use_is_refused(estate: Estate) -> None:
    with recording_relay() as taken:
        words = ("serve", "hooks", "--port", str(taken.port))
        says = [f"127.0.0.1:{taken.port}", "--port", "in use"]
        estate.refused(*words, says=says, WAZUH_HOOK_TOKEN=TOKEN)


def test_commands_say_when_work_is_overdue_and_nobody_works(estate: Estate) -> None:
    estate.done("run", "personal-data-breach", "--on", estate.id, "--detach")
    sql(estate.root, "UPDATE job SET next_at = 0, beat_at = 0, asked_at = 1")
    assert "nobody works on them" in estate.done("list").err
    assert estate.done("list", "--json").document


def test_commands_name_what_is_parked_for_a_person(estate: Estate) -> None:
    sql(
        estate.root,
        "INSERT INTO job (kind, key, state, attempt, starts, pokes, beats, beat_at, asked_at, next_at)"
        " VALUES ('delivery.batch', 'x', 'parked', 5, 5, 1, 0, 0, 0, 0)",
    )
    said = estate.done("list").err
    assert "1 delivery.batch" in said and "incident worker --retry-parked" in said


def test_parked_work_is_brought_back_while_the_one_worker_of_a_machine_lives(estate: Estate) -> None:
    sql(
        estate.root,
        "INSERT INTO job (kind, key, state, attempt, starts, pokes, beats, beat_at, asked_at, next_at)"
        " VALUES ('campaign.settle', 'x', 'parked', 5, 5, 1, 0, 0, 0, 0)",
    )
    with worker_lock(Workspace(estate.root)) as ours:
        assert ours
        assert estate.done("--json", "worker", "--retry-parked").document["state"] == "asked"
    assert sql(estate.root, "SELECT state, starts FROM job WHERE key = 'x'") == [("open", 0)]


def test_the_intake_ends_when_another_copy_of_the_record_becomes_the_one(estate: Estate) -> None:
    """Also while a worker of its own does the work: an alert must not be kept where nobody looks any more."""
    with _serving(estate) as served:
        assert served.post(_alert()) == 202
        ring = Keyring(estate.root / "keyring")
        with ring.one_activation():
            ring.raise_epoch(2)
        assert served.process.wait(timeout=_PATIENCE_SECONDS) == 1
        _, err = served.process.communicate()
    assert "another copy of this record" in err and "Traceback" not in err


def test_an_intake_beside_a_worker_ends_too_and_keeps_no_alert_meanwhile(estate: Estate) -> None:
    with worker_lock(Workspace(estate.root)) as ours, _serving(estate) as served:
        assert ours
        ring = Keyring(estate.root / "keyring")
        with ring.one_activation():
            ring.raise_epoch(2)
        with suppress(OSError):
            assert served.post(_alert()) == 503
        assert served.process.wait(timeout=_PATIENCE_SECONDS) == 1
    assert sql(estate.root, "SELECT count(*) FROM alert") == [(0,)]


def test_an_intake_whose_work_ends_with_an_error_ends_too_and_says_why(estate: Estate) -> None:
    """Nothing is answered 202 where nobody would ever look at it again."""
    lock = Workspace(estate.root).worker_lock
    lock.unlink(missing_ok=True)
    lock.mkdir()
    with _serving(estate) as served:
        assert served.process.wait(timeout=_PATIENCE_SECONDS) == 1
        _, err = served.process.communicate(timeout=30)
    assert err.count("error: ") == 1 and str(lock) in err and "Traceback" not in err
