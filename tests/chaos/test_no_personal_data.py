"""Nothing that belongs to a person lies in a table, a file or a log line in clear, whatever happened to the workers.

Planted texts are in the list of people, in alerts, in a playbook's variables, in what servers answer. One worker is
killed, one fails for somebody and is started again, one finishes. Then everything that was written is searched.
"""

from __future__ import annotations

import csv
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from incident.delivery.states import BATCH_JOB, IN_PROGRESS
from incident.delivery.status import deliveries
from incident.durable import parked_jobs
from incident.duties.reminding import DUTIES_JOB
from incident.hooks.receiving import StoreIntake
from incident.ops.house import start_playbook
from tests.chaos.conftest import Tell
from tests.support.breaches import Breach, make_breach
from tests.support.commands import run
from tests.support.ledgers import assert_the_check_holds
from tests.support.loud_worker import start_loud_worker
from tests.support.planted import Planted
from tests.support.postgres import PostgresServer
from tests.support.relays import RecordingRelay, recording_relay
from tests.support.services import CalledService
from tests.support.working_process import kill

PEOPLE = 400
FAMILY, CHINESE, DOMAIN, GUARDIAN = "Zanderby", "欧阳蓁蓁", "planted-needle.example", "Thaddeusova"
NUMBERS = "13977001"
PLANTED = Planted([FAMILY, CHINESE, DOMAIN, GUARDIAN, "KUNDE-ZQ77", NUMBERS])
REFUSED, PUT_OFF, MINOR = 3, 5, 9
LATEST = 60.0

PLAYBOOK = """
id: playbook--11036b97-0d3c-4922-9a9c-d3ae649c1d44
name: Ask for a member
created_by: identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702
created: 2025-11-20
playbook_variables:
  __url__: {type: uri, external: true, value: "", description: Address of the service}
  __member__: {type: string, external: true, value: "", description: Whom it is about}
  __number__: {type: string, external: true, value: "", description: Their number}
agent_definitions:
  machine: {type: http-api, name: Machine, address: {dname: ["__url__:value"]}}
workflow:
  start: {type: start, on_completion: ask}
  ask:
    type: action
    agent: machine
    commands:
      - type: http-api
        command: POST /members/__number__:value?name=__member__:value HTTP/1.1
        headers: {Content-Type: [application/json]}
        content: '{"member": "__member__:value", "number": "__number__:value"}'
    on_completion: end
  end: {type: end}
"""


@dataclass(frozen=True)
class Scene:
    """A breach in which planted texts are everywhere where a person's data may come in."""

    breach: Breach
    relay: RecordingRelay
    service: CalledService
    server: PostgresServer | None
    logs: Path

    @property
    def root(self) -> Path:
        return self.breach.made.workspace.root


@pytest.fixture(params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest) -> PostgresServer | None:
    """The engine to lie in; PostgreSQL writes down every statement with its values."""
    if request.param == "sqlite":
        return None
    own: PostgresServer = request.getfixturevalue("own_postgres")
    for setting in ("log_statement = 'all'", "log_parameter_max_length = -1", "wal_keep_size = '1GB'"):
        own.execute(f"ALTER SYSTEM SET {setting}")
    own.execute("SELECT pg_reload_conf()")
    return own


@pytest.mark.chaos
def test_nothing_of_anybody_is_found_in_the_store_the_workspace_the_queue_or_a_log(
    server: PostgresServer | None, tmp_path: Path, tell: Tell
) -> None:
    with recording_relay() as relay, CalledService(answer={"owner": f"{FAMILY} {CHINESE}"}) as service:
        scene = prepare(tmp_path, relay, service, server)
        searched = Searched()
        with a_worker(scene, "killed") as worker:
            wait_until(lambda: len(relay.taken) >= PEOPLE // 10 and bool(service.asked), worker)
        searched.everything(scene)
        failing = somebody_who_fails(scene)
        with a_worker(scene, "failing", failing=reference(failing)) as worker:
            wait_until(lambda: parked(scene) == {BATCH_JOB: 1}, worker)
        searched.everything(scene)
        with a_worker(scene, "finishing", flags=("--retry-parked",)) as worker:
            wait_until(lambda: all_is_done(scene), worker)
            searched.everything(scene)
            worker.terminate()
            assert worker.wait(timeout=30) == 0
        searched.everything(scene)
        if server is not None:
            searched.server(server)
    assert_it_truly_happened(scene, failing)
    tell(f"{len(PLANTED.texts)} texts in all their forms, searched in {searched.bytes >> 20} MB")


def somebody_who_fails(scene: Scene) -> int:
    """Somebody who was not told yet."""
    told = {mail.to for mail in scene.relay.taken}
    lines = deliveries(scene.breach.made.store, scene.breach.id, unreached=False)
    waiting = {line.reference for line in lines if line.state in IN_PROGRESS}
    return next(n for n in range(10, PEOPLE) if reference(n) in waiting and address(n) not in told)


def prepare(
    tmp_path: Path, relay: RecordingRelay, service: CalledService, server: PostgresServer | None
) -> Scene:
    relay.at_rcpt = answer_quoting_everything
    breach = make_breach(tmp_path, relay_port=relay.port, on=server)
    logs = tmp_path / "logs"
    logs.mkdir()
    scene = Scene(breach, relay, service, server, logs)
    people = tmp_path / "people.csv"
    write_people(people)
    assert PLANTED.found_in(people.read_bytes()) == PLANTED.texts
    assert run("--workspace", scene.root, "people", "import", breach.id, people).code == 0
    (scene.root / "playbooks").mkdir()
    (scene.root / "playbooks/ask.yaml").write_text(PLAYBOOK, encoding="utf-8")
    with breach.made.store.write(
        breach.id, kind="run.started", actor="ana", now=breach.made.clock()
    ) as change:
        given = {"__url__": service.url, "__member__": f"{FAMILY} {CHINESE}", "__number__": f"{NUMBERS}001"}
        start_playbook(breach.house, change, breach.id, "ask", given)
    post_alerts(breach)
    breach.log(f"{FAMILY} rang and asked; her number is {NUMBERS}002")
    breach.release()
    breach.open_sending()
    return scene


def reference(number: int) -> str:
    return f"KUNDE-ZQ77-{number:04d}"


def address(number: int) -> str:
    return f"{FAMILY.lower()}-{number:04d}@{DOMAIN}"


def write_people(file: Path) -> None:
    with file.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        names = ("reference", "name", "email", "phone", "language", "data", "birth_date")
        writer.writerow([*names, "guardian_name", "guardian_email"])
        for n in range(PEOPLE):
            name = CHINESE if n % 2 else f"Quillon {FAMILY}"
            born = "2019-05-05" if n == MINOR else "1970-01-01"
            guardian = (f"{GUARDIAN} {FAMILY}", f"guardian@{DOMAIN}") if n == MINOR else ("", "")
            language = "zh-Hans" if n % 2 else "en"
            writer.writerow(
                [
                    reference(n),
                    name,
                    address(n),
                    f"{NUMBERS}{n:03d}",
                    language,
                    "phone_number",
                    born,
                    *guardian,
                ]
            )


def answer_quoting_everything(to: str) -> str | None:
    # So slow that the first worker is killed long before it has told everybody, also where the disk is memory.
    time.sleep(0.01)
    if to == address(REFUSED):
        return f"550 5.1.1 <{to}>: {FAMILY} does not live here, ask {NUMBERS}{REFUSED:03d}"
    if to == address(PUT_OFF):
        return f"450 4.2.0 <{to}>: {FAMILY} is greylisted"
    return None


def post_alerts(breach: Breach) -> None:
    alert = {
        "timestamp": "2026-11-23T09:15:43.120+0800",
        "rule": {"level": 13, "description": f"{FAMILY} {CHINESE} {NUMBERS}004 in a dump", "id": "100210"},
        "agent": {"id": "021", "name": f"host-of-{FAMILY}", "ip": "10.20.0.21"},
        "id": "1791558943.401122",
        "data": {"srcip": "192.0.2.45", "dstuser": address(8)},
    }
    bodies = (
        json.dumps(alert).encode(),
        json.dumps(alert, ensure_ascii=False).encode()[:-9],
        CHINESE.encode("gb18030"),
    )
    for number, body in enumerate(bodies):
        StoreIntake(breach.made.store).receive(
            source_id="wazuh",
            delivery_id=f"{FAMILY}-{number}",
            body=body,
            headers={"X-From": address(8)},
            received_at=breach.made.clock(),
        )


@contextmanager
def a_worker(
    scene: Scene, name: str, *, failing: str = "", flags: tuple[str, ...] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """A loud worker, which is killed at the end unless it ended before."""
    worker = start_loud_worker(scene.root, scene.logs / f"{name}.log", failing=failing, flags=flags)
    try:
        yield worker
    finally:
        if worker.poll() is None:
            kill(worker)


def wait_until(condition: Callable[[], bool], worker: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + LATEST
    while not condition():
        assert worker.poll() is None, "the worker ended"
        assert time.monotonic() < until, "it never came so far"
        time.sleep(0.02)


def parked(scene: Scene) -> dict[str, int]:
    with scene.breach.made.store.read() as session:
        return parked_jobs(session)


def all_is_done(scene: Scene) -> bool:
    """All but the one who was put off for a minute, and the duties, which are watched as long as an incident is open."""
    return scene.breach.account().in_progress == 1 and open_work(scene) - {DUTIES_JOB} == {BATCH_JOB}


def open_work(scene: Scene) -> set[str]:
    engine = run("--workspace", scene.root, "engine", "status", "--json")
    return {job["kind"] for job in engine.document["jobs"]}


class Searched:
    """Searches what is there at a moment, and knows how much that was in all."""

    def __init__(self) -> None:
        self.bytes = 0

    def everything(self, scene: Scene) -> None:
        for file in [*files_below(scene.root), *files_below(scene.logs)]:
            self.raw(file.read_bytes(), str(file))
        for words in (("engine", "status"), ("check",), ("notice", "status", scene.breach.id)):
            self.raw(run("--workspace", scene.root, *words, "--json").text.encode(), " ".join(words))
        if scene.server is not None:
            self.tables(scene.breach.made.settings.store.url)

    def tables(self, database: str) -> None:
        """Every row of every table of every schema."""
        with psycopg.connect(database, autocommit=True) as connection:
            names = {name for (name,) in connection.execute(_TABLES)}
            assert {"public.person", "tocsin_queue.procrastinate_jobs"} <= names
            for name in sorted(names):
                with connection.cursor().copy(f"COPY {name} TO STDOUT".encode()) as rows:
                    self.raw(b"".join(map(bytes, rows)), name)

    def server(self, server: PostgresServer) -> None:
        """The server's log, the files of all its databases, and all that its write-ahead log ever held."""
        server.execute("CHECKPOINT")
        self.raw((server.folder / "log").read_bytes(), "the server's log")
        for part in ("base", "global", "pg_wal"):
            for file in files_below(server.folder / "data" / part):
                self.raw(file.read_bytes(), str(file))

    def raw(self, content: bytes, where: str) -> None:
        self.bytes += len(content)
        assert PLANTED.found_in(content) == set(), f"found in {where}"


_TABLES = """
    SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) FROM information_schema.tables
    WHERE table_type = 'BASE TABLE'"""


def files_below(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.rglob("*")) if file.is_file()]


def assert_it_truly_happened(scene: Scene, failing: int) -> None:
    """Nothing is proved by what was never there."""
    account = scene.breach.account()
    assert (account.expected, account.accepted, account.unreachable_total) == (PEOPLE, PEOPLE - 2, 1)
    assert [FAMILY in asked["member"] for asked in scene.service.asked] == [True]
    assert {mail.to for mail in scene.relay.taken} >= {address(failing), f"guardian@{DOMAIN}"}
    shown = run("--workspace", scene.root, "list", "--json").document
    assert len(shown) == 4, "each alert opened an incident"
    assert_the_check_holds(scene.root)
    said = b"".join(file.read_bytes() for file in files_below(scene.logs))
    assert b"ValueError" in said and b"DEBUG" in said
    if scene.server is not None:
        assert b"INSERT INTO attempt" in (scene.server.folder / "log").read_bytes()
