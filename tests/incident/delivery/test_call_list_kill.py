"""SIGKILL while a list is written or its results are taken: nobody is lost, and nobody is counted twice."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path
from time import sleep

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from incident.delivery.call_lists import lists_of
from incident.delivery.states import CampaignState
from incident.ops.worker import utc_now
from incident.record.sshsig import private_text
from tests.support.breaches import Breach
from tests.support.call_lists import by_phone_only, make_list, sent, tasks_of
from tests.support.commands import run, spawn
from tests.support.postgres import PostgresServer
from tests.support.sms_ledger import assert_sound
from tests.support.workspaces import private_key_of

PEOPLE, KILLS = 400, 6


def on(breach: Breach, *words: str | Path) -> tuple[str | Path, ...]:
    return "--workspace", breach.made.workspace.root, *words


def kill_after(seconds: float, *words: str | Path) -> int | None:
    """Kill a command so long after its start; what it ended with where it was quicker."""
    with spawn(*words) as process:
        sleep(seconds)
        code = process.poll()
        if code is None:
            process.kill()
        process.communicate(timeout=60)
    return code


def key_of_bo(breach: Breach, file: Path) -> Path:
    private = private_key_of(breach.signers["bo"])
    assert isinstance(private, Ed25519PrivateKey)
    file.write_text(private_text(private), "utf-8")
    file.chmod(0o600)
    return file


def filled_in(breach: Breach, file: Path) -> Path:
    """The list as it comes back: everybody was told."""
    with file.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(("list", "code", "result"))
        writer.writerows((1, task.code, "told") for task in tasks_of(breach))
    return file


def test_results_that_were_being_taken_are_taken_wholly_or_not_at_all(
    tmp_path: Path, store_on: PostgresServer | None
) -> None:
    pauses = random.Random(7)
    with sent(tmp_path, by_phone_only(PEOPLE), on=store_on) as breach:
        breach.made.clock.now = utc_now()
        make_list(breach)
        file = filled_in(breach, tmp_path / "back.csv")
        for _ in range(KILLS):
            kill_after(pauses.uniform(0.4, 1.4), *on(breach, "call-list", "import", breach.id, file))
            assert breach.account().accepted in (0, PEOPLE)
            assert_sound(breach)
        answer = run(*on(breach, "call-list", "import", breach.id, file, "--json"))
        assert answer.code == 0, answer.err
        assert sum([*answer.document["new"].values(), answer.document["known"]]) == PEOPLE
        breach.made.clock.now = utc_now()
        breach.work()
        account = breach.account()
        assert (account.accepted, account.delivered, account.state) == (PEOPLE, PEOPLE, CampaignState.ENDED)
        assert_sound(breach)


@pytest.mark.parametrize("pause", [0.7, 0.9, 1.1])
def test_a_list_whose_writing_was_cut_off_is_written_again(tmp_path: Path, pause: float) -> None:
    with sent(tmp_path, by_phone_only(PEOPLE)) as breach:
        environment = {"INCIDENT_SIGNING_KEY": str(key_of_bo(breach, tmp_path / "bo.key"))}
        words = on(breach, "--as", "bo", "call-list", "export", breach.id, "-o")
        with spawn(*words, tmp_path / "first", environment=environment) as process:
            sleep(pause)
            process.kill()
            process.communicate(timeout=60)
        breach.made.clock.now = utc_now()
        assert_sound(breach)
        with breach.made.store.read() as session:
            made = lists_of(session, breach.id)
        again = ["--list", "1"] if made else []
        answer = run(*words, tmp_path / "second", *again, environment=environment)
        assert answer.code == 0, answer.err
        text = (tmp_path / "second" / "call-list-1.csv").read_text("utf-8-sig")
        assert len(list(csv.DictReader(io.StringIO(text)))) == PEOPLE
        assert_sound(breach)
