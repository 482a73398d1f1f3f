"""The check holds at every stage of a campaign and of a run, killed or not, and says what it cannot tell."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from incident.delivery.pausing import pause_campaign, resume_campaign
from incident.delivery.sender import GROUP
from incident.delivery.states import CampaignState, DeliveryState
from incident.errors import NotFound
from incident.ops.backup import back_up
from incident.ops.check import INVARIANTS, SURVEYS, Checked, check
from incident.ops.checks import runs
from incident.ops.checks.jobs import TARGETS, UNHEARD
from incident.ops.engine import put_the_brake_on, take_the_brake_off
from incident.ops.restore import Wishes, restore
from incident.ops.worker import Worker, utc_now
from incident.record.incidents import close_incident
from incident.response.housework import House
from incident.response.state import Awaits
from incident.store.opening import open_store
from incident.workspace import Workspace, worker_lock
from tests.support.breaches import Breach, make_breach, some_people
from tests.support.commands import run
from tests.support.halting import Halting
from tests.support.lived_in import broken, lived_in, must_hold, untold
from tests.support.ordeals import (
    CALLS,
    CONFIRM,
    DISABLE,
    GATE,
    KILLED,
    LOOK_UP,
    RESET,
    TICKET,
    Ordeal,
)
from tests.support.postgres import PostgresServer
from tests.support.relays import StallingRelay, recording_relay
from tests.support.runs import install, start
from tests.support.services import CalledService, EffectService
from tests.support.working_process import kill, start_worker
from tests.support.workspaces import all_rows, make_workspace, run_sql


def notes(result: Checked) -> str:
    return " ".join(note for each in result.verdicts for note in each.notes)


def real_time(breach: Breach) -> House:
    """The house with the clock of the machine, by which workers in processes of their own go."""
    return replace(breach.house, clock=utc_now)


# -- stages of a campaign ----------------------------------------------------------------------------


def test_a_new_workspace_holds(tmp_path: Path, store_on: PostgresServer | None) -> None:
    made = make_workspace(tmp_path, on=store_on)
    must_hold(House(made.workspace, made.settings, made.store, made.clock))


def test_it_holds_before_during_and_after_a_sending(tmp_path: Path, store_on: PostgresServer | None) -> None:
    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(5), relay_port=relay.port, on=store_on)
        must_hold(breach.house)
        breach.sign("bo")
        must_hold(breach.house)
        breach.sign("cy")
        must_hold(breach.house)
        breach.open_sending()
        must_hold(breach.house)
        relay.at_rcpt = lambda address: "451 4.3.0 later" if address.startswith("p00003") else None
        breach.work()
        assert breach.account().in_progress == 1
        must_hold(breach.house)
        relay.at_rcpt = lambda address: None
        breach.later(minutes=2)
        breach.work()
        must_hold(breach.house)
    with breach.made.store.write(breach.id, kind="closed", actor="ana", now=breach.made.clock()) as change:
        close_incident(change, breach.id, reason="all duties met")
    must_hold(breach.house)


@pytest.mark.parametrize("stage", ["mail", "dot"])
def test_it_holds_after_a_worker_was_killed_in_the_middle_of_a_sending(tmp_path: Path, stage: str) -> None:
    with StallingRelay() as relay:
        breach = make_breach(tmp_path, people=some_people(3 * GROUP), relay_port=relay.port)
        breach.release()
        breach.open_sending()
        relay.stall_at(stage, GROUP + 5)
        worker = start_worker(breach.made.workspace.root)
        try:
            assert relay.stalled.wait(30)
            must_hold(real_time(breach))
        finally:
            kill(worker)
        assert DeliveryState.SENDING in {row.state for row in breach.deliveries()}
        assert "nobody works" in notes(must_hold(real_time(breach)))
        worker = start_worker(breach.made.workspace.root)
        assert worker.wait(timeout=60) == 0
    must_hold(real_time(breach))
    assert breach.account().state == CampaignState.ENDED


def test_it_holds_at_any_moment_while_workers_work(tmp_path: Path, store_on: PostgresServer | None) -> None:
    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(400), relay_port=relay.port, on=store_on)
        breach.release()
        breach.open_sending()
        worker = start_worker(breach.made.workspace.root)
        looks = 0
        try:
            while worker.poll() is None:
                must_hold(real_time(breach))
                looks += 1
        finally:
            if worker.poll() is None:
                kill(worker)
    assert (worker.returncode, breach.account().accepted) == (0, 400)
    assert looks > 2
    must_hold(real_time(breach))


def test_a_sending_that_a_person_paused_holds(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(3), relay_port=relay.port)
        store, clock = breach.made.store, breach.made.clock
        breach.release()
        breach.open_sending()
        with store.write(breach.id, kind="campaign.paused", actor="ana", now=clock()) as change:
            pause_campaign(change, breach.id)
        must_hold(breach.house)
        breach.work()
        must_hold(breach.house)
        clock.move(days=3)
        must_hold(breach.house)
        with store.write(breach.id, kind="campaign.resumed", actor="ana", now=clock()) as change:
            resume_campaign(change, breach.id)
        must_hold(breach.house)
        breach.work()
        must_hold(breach.house)
    assert breach.account().accepted == 3


def test_under_the_brake_it_holds_and_says_since_when(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(3), relay_port=relay.port)
        breach.release()
        breach.open_sending()
        now = breach.made.clock()
        put_the_brake_on(breach.made.store, by="ana", reason="wrong list", now=now)
        breach.work()
        breach.made.clock.move(days=3)
        run_sql(breach.made.store, "UPDATE job SET next_at = 0, asked_at = 0 WHERE state = 'open'")
        result = must_hold(breach.house)
        assert result.brake == f"{now:%Y-%m-%d %H:%M} UTC"
        assert f"the brake is on since {result.brake}: 3 jobs are due and wait" in notes(result)
        take_the_brake_off(breach.made.store, by="ana", reason="right list", now=now)
        must_hold(breach.house)


# -- stages of a run ---------------------------------------------------------------------------------


def test_it_holds_before_during_and_after_a_run(tmp_path: Path, store_on: PostgresServer | None) -> None:
    with CalledService() as service, recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(2), relay_port=relay.port, measures=(), on=store_on)
        running = start(breach, url=service.url)
        must_hold(breach.house)
        running.work()
        for step in ("preserve-evidence", "verify-scope"):
            running.answer(step, note="done")
            must_hold(breach.house)
        running.work()
        for name in ("bo", "cy"):
            must_hold(breach.house)
            running.decide("approve-release", name)
        running.work()
        must_hold(breach.house)
        breach.release()
        must_hold(breach.house)
        running.work()
        must_hold(breach.house)
    assert running.row.state == "succeeded"


class Watched(Ordeal):
    """An ordeal that is looked at as it stands after each kill."""

    def killed_at(self, process: Halting) -> str | None:
        point = super().killed_at(process)
        must_hold(self.house)
        return point


def test_it_holds_wherever_a_run_is_killed(tmp_path: Path) -> None:
    with EffectService(answer={"ticket": TICKET}) as service:
        breach = make_breach(tmp_path, measures=())
        install(breach.made.workspace.root, "killed", KILLED)
        test = Watched(breach, service)
        test.start("in_start@", "after_start@")
        points = [
            f"in_intent@{LOOK_UP}",
            f"after_intent@{GATE}",
            f"at_server@{DISABLE}",
            f"before_told@{RESET}",
            "before_leave@",
            "in_ending@",
        ]
        assert test.work(points, says=[f"after_answer@{CONFIRM}", "in_sign@"]) == set()
        test.assert_everything_was_done_once()
    assert set(service.paths) == {f"/{step}" for step in CALLS}


# -- who works ---------------------------------------------------------------------------------------


def idle_for_long(breach: Breach) -> None:
    run_sql(breach.made.store, "UPDATE job SET next_at = 0, asked_at = 0, beat_at = 0 WHERE state = 'open'")


def test_work_that_nobody_does_is_said_and_is_no_fault(tmp_path: Path) -> None:
    breach = make_breach(tmp_path, people=some_people(2))
    breach.release()
    breach.open_sending()
    idle_for_long(breach)
    result = must_hold(breach.house)
    assert not result.works
    assert "nobody works: 3 jobs are due; start `incident worker`" in notes(result)


def test_a_job_that_a_living_worker_leaves_lying_is_a_fault(tmp_path: Path) -> None:
    breach = make_breach(tmp_path, people=some_people(2))
    breach.release()
    breach.open_sending()
    idle_for_long(breach)
    with worker_lock(breach.made.workspace) as ours:
        assert ours
        [said, *_] = broken(check(breach.house, pause=0))["jobs.waiting"]
        assert said.startswith("job delivery.batch/")
        run_sql(breach.made.store, "UPDATE job SET beat_at = 1 WHERE kind = 'notice.publish'")
        run_sql(breach.made.store, "UPDATE job SET attempt = 1 WHERE kind = 'notice.publish'")
        assert broken(check(breach.house)) == {}, "the others wait for a free hand"


def test_a_job_whose_holder_is_not_heard_of_while_others_work_is_a_fault(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    breach = make_breach(tmp_path, people=some_people(2), on=postgres)
    breach.release()
    breach.open_sending()
    change = partial(run_sql, breach.made.store)
    silent = UNHEARD * breach.made.settings.engine.stale_seconds + 5
    change(
        "UPDATE job SET attempt = 1, beat_at = asked_at - :silent WHERE kind = 'delivery.batch'",
        silent=silent,
    )
    assert "nobody works" in notes(must_hold(breach.house))
    change(
        "INSERT INTO worker (id, host, pid, slots, started_at, beats, beat_at)"
        " SELECT 'w', 'here', 1, 2, asked_at, 1, extract(epoch FROM clock_timestamp()) FROM job LIMIT 1"
    )
    assert set(broken(check(breach.house, pause=0))) == {"jobs.held"}
    change("UPDATE job SET beat_at = extract(epoch FROM clock_timestamp()) WHERE beat_at > 0")
    must_hold(breach.house)


def test_what_is_so_for_a_moment_only_is_no_fault(tmp_path: Path) -> None:
    """A worker that has just begun holds the lock and no job yet."""
    breach = make_breach(tmp_path, people=some_people(2))
    breach.release()
    breach.open_sending()
    idle_for_long(breach)
    begins = threading.Timer(
        0.3, run_sql, [breach.made.another().store, "UPDATE job SET attempt = 1, beat_at = asked_at + 9"]
    )
    with worker_lock(breach.made.workspace):
        begins.start()
        assert broken(check(breach.house, pause=2)) == {}
    begins.join()


def test_every_invariant_of_a_fleeting_look_is_told_by_that_look_alone() -> None:
    for survey in SURVEYS:
        others = {each for other in SURVEYS if other is not survey for each in other.tells}
        assert not survey.fleeting or not others & set(survey.tells)


def test_every_kind_of_effect_and_all_that_a_machine_waits_for_is_known_here() -> None:
    assert {"run_command", "do_in_house", "wait_until", "ask_person", "ask_outcome"} <= runs._KINDS
    assert set(runs._AWAITED) == set(Awaits) - {Awaits.branches}
    assert set(runs._AWAITED.values()) <= runs._KINDS


def test_every_kind_of_job_that_a_worker_does_is_known_here(tmp_path: Path) -> None:
    worker = Worker(make_breach(tmp_path).house)
    with recording_relay():
        assert set(worker.handlers(None)) < set(TARGETS)
    assert {kind for kind in TARGETS if kind.startswith("delivery.")} | set(worker.handlers(None)) == set(
        TARGETS
    )


# -- what cannot be told -----------------------------------------------------------------------------


def test_without_keys_everything_that_needs_none_is_told(tmp_path: Path) -> None:
    breach = make_breach(tmp_path, people=some_people(2))
    breach.release()
    keyring = breach.made.store.keyring.folder
    keyring.rename(keyring.with_name("elsewhere"))
    house = replace(breach.house, store=breach.made.another().store)
    result = check(house)
    assert broken(result) == {}
    assert set(untold(result)) == {
        "released.signed",
        "journal.chains",
        "journal.anchored",
        "sealed.keys",
        "sealed.opens",
    }
    assert not result.broken and result.holds and result.untold


def test_one_key_that_is_lost_is_a_fault(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    (breach.made.store.keyring.folder / f"{breach.id}.key").unlink()
    house = replace(breach.house, store=breach.made.another().store)
    assert broken(check(house))["sealed.keys"] == [f"{breach.id}: its key is not in the keyring"]


def test_rules_or_a_scope_that_changed_after_the_evaluation_cannot_be_judged(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    own = breach.made.workspace.root / "regimes"
    own.mkdir()
    shipped = Path(__file__).parents[3] / "incident/law/regimes/eu-gdpr.yaml"
    (own / "eu-gdpr.yaml").write_text(shipped.read_text("utf-8"), "utf-8")
    [why] = untold(check(breach.house))["duties.clocks"]
    assert f"the rules changed since {breach.id} was evaluated" in why
    (own / "eu-gdpr.yaml").unlink()
    must_hold(breach.house)
    scope = breach.made.settings.scope.model_copy(update={"countries": ["cn"]})
    house = replace(breach.house, settings=breach.made.settings.model_copy(update={"scope": scope}))
    [why] = untold(check(house))["duties.clocks"]
    assert "the scope changed since" in why


def test_an_incident_that_does_not_exist_is_not_looked_at(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="INC-1999-0001"):
        check(make_breach(tmp_path).house, incident_id="INC-1999-0001")


# -- the check itself --------------------------------------------------------------------------------


def test_checking_changes_nothing(tmp_path: Path, store_on: PostgresServer | None) -> None:
    breach = make_breach(tmp_path, people=some_people(3), on=store_on)
    breach.release()
    breach.open_sending()
    before = all_rows(breach.made.store)
    must_hold(breach.house)
    assert all_rows(breach.made.store) == before


def test_a_page_on_disk_that_is_another_than_the_published_one_is_found(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(1), relay_port=relay.port)
        breach.release()
        breach.open_sending()
        breach.work()
        must_hold(breach.house)
        page = breach.made.workspace.public / breach.account().public_pages[0].file
        page.write_text("something else")
        assert broken(check(breach.house)) == {
            "released.pages": [f"public page {breach.id}/{page.name}: the file is not what was published"]
        }
        page.unlink()
        assert "cannot be read" in broken(check(breach.house))["released.pages"][0]
        run_sql(breach.made.store, "UPDATE job SET state = 'open' WHERE kind = 'notice.publish'")
        assert broken(check(breach.house)) == {}, "it is being published"


def test_evidence_that_is_not_on_disk_is_found(tmp_path: Path) -> None:
    from incident.record.evidence import add_evidence

    breach, file = make_breach(tmp_path), tmp_path / "log"
    file.write_text("203.0.113.66 asked for everybody")
    made = breach.made
    line = add_evidence(
        made.store,
        breach.id,
        file,
        blobs=made.workspace.blobs,
        by="ana",
        note="",
        actor="ana",
        now=made.clock(),
    )
    must_hold(breach.house)
    (made.workspace.blobs / breach.id / line.place).unlink()
    assert broken(check(breach.house)) == {"sealed.blobs": [f"evidence {line.id}: its file is not there"]}


def test_a_drill_with_simulated_operators_holds(tmp_path: Path) -> None:
    breach = make_breach(tmp_path, people=some_people(1), born="drill", simulated=True)
    breach.sign("bo", drill=True)
    breach.sign("cy", drill=True)
    must_hold(breach.house)


def test_each_invariant_has_a_name_of_its_own_and_says_what_to_do() -> None:
    names = [each.name for each in INVARIANTS]
    assert len(set(names)) == len(names)
    assert all(each.says and each.next_step and "." in each.name for each in INVARIANTS)
    assert all(survey.tells for survey in SURVEYS)


# -- copies ------------------------------------------------------------------------------------------


def house_at(root: Path, like: House) -> House:
    workspace = Workspace(root)
    settings = workspace.settings()
    return House(workspace, settings, open_store(workspace, settings), like.clock)


def test_a_restored_copy_holds_and_says_that_it_does_not_act(tmp_path: Path) -> None:
    lived = lived_in(tmp_path)
    house, file = lived.house, tmp_path / "backup.tgz"
    back_up(house.workspace, house.settings, house.store, file, now=house.clock())
    restored = restore(file, tmp_path / "copy", Wishes(keyring=house.store.keyring.folder), now=house.clock())
    result = must_hold(house_at(restored.root, house))
    assert "this copy does not act: this is a copy of the record" in notes(result)
    assert "does not act" not in notes(must_hold(house))


def test_a_record_that_was_moved_to_the_other_database_holds_there(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    lived = lived_in(tmp_path)
    root = lived.house.workspace.root
    lived.house.store.close()
    there = postgres.url(postgres.create_database())
    answer = run("--workspace", root, "move", "--to", there)
    assert answer.code == 0, answer.text
    must_hold(house_at(root, lived.house))
    answer = run("--workspace", root, "move", "--to", "sqlite:///back.db")
    assert answer.code == 0, answer.text
    must_hold(house_at(root, lived.house))
