"""What runs contain is kept, verified and taken back; the account's session is dead in between, and works again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from incident.errors import Refused
from incident.ops.check import check
from incident.proof.verify import verify
from incident.record.dossier import load_dossier
from incident.record.facts import Interval
from incident.response.containment import ContainmentState, containment_of
from incident.response.runner import cancel_run, run_named
from incident.response.undoing import plan_undo, start_undo
from incident.store.tables import Containment
from tests.support.accounts import CONTAINING, AccountService
from tests.support.breaches import Breach, make_breach
from tests.support.runs import Running, install, start

ACCOUNT = "mallory"
RADIUS = "one-account"


@pytest.fixture
def service() -> Iterator[AccountService]:
    with AccountService() as found:
        yield found


@pytest.fixture
def breach(tmp_path: Path) -> Breach:
    found = make_breach(tmp_path, measures=())
    install(found.made.workspace.root, "contain", CONTAINING.replace("RADIUS", RADIUS))
    install(found.made.workspace.root, "contain-all", CONTAINING.replace("RADIUS", "many-people"))
    return found


def contained(breach: Breach, service: AccountService, *, name: str = "contain") -> Running:
    """A run that has contained, in which the interface was closed by hand."""
    given = {"__account__": ACCOUNT, "__service__": service.url}
    running = start(breach, name=name, given=given)
    running.work()
    running.answer("close")
    running.work()
    return running


def rows(breach: Breach) -> list[Containment]:
    with breach.made.store.read() as session:
        return containment_of(session, breach.id)


def states(breach: Breach) -> list[str]:
    return [row.state for row in rows(breach)]


def content(breach: Breach, row: Containment) -> dict[str, Any]:
    return dict(breach.made.store.open(row, incident_id=breach.id))


def undo(breach: Breach, run: str, step: str | None = None, *, by: str = "ana") -> Running:
    store = breach.made.store
    with store.write(breach.id, kind="run.undone", actor=by, now=breach.made.clock()) as change:
        return Running(breach, start_undo(change, store, run, step=step, reason="over")[0])


def measures(breach: Breach) -> list[str]:
    return [each.action for each in load_dossier(breach.made.store, breach.id).measures]


def assert_whole(breach: Breach) -> None:
    assert verify(breach.made.store).sound
    assert [each.invariant.name for each in check(breach.house, pause=0.0).broken] == []


def test_each_step_that_contained_is_kept_with_all_that_takes_it_back(
    breach: Breach, service: AccountService
) -> None:
    assert service.session_works(ACCOUNT)
    running = contained(breach, service)
    assert not service.session_works(ACCOUNT)
    assert running.row.state == "succeeded"
    found = rows(breach)
    assert [(row.number, row.run_id) for row in found] == [(n, running.id) for n in (1, 2, 3)]
    kept = content(breach, found[0])
    assert kept["actions"] == ["contain.lock-account"]
    assert kept["undo"] == ["restore.unlock-account"], "the catalogue's inverse"
    assert kept["owner"] == {"en": "Identity desk", "zh-Hans": "身份管理岗"}
    assert kept["values"]["__account__"] == ACCOUNT
    assert kept["values"]["__before__"] == "limit of mallory", "what the step returned is in"
    assert found[0].expires_at is not None
    assert_whole(breach)


def test_a_check_that_succeeds_verifies_the_steps_that_it_names_and_the_log_says_so(
    breach: Breach, service: AccountService
) -> None:
    contained(breach, service)
    assert states(breach) == ["verified", "verified", "in_force"]
    said = [line.text for line in load_dossier(breach.made.store, breach.id).log if line.action is None]
    assert "verified: Lock the account (C1), by Check that the session is dead" in said


def test_a_check_that_fails_says_not_effective_and_takes_its_failure_route(
    breach: Breach, service: AccountService
) -> None:
    service.broken.add("/session")
    running = contained(breach, service)
    assert states(breach) == ["not_effective", "not_effective", "in_force"]
    assert running.waiting() == {"tell"}
    assert_whole(breach)


def test_undo_takes_back_in_reverse_order_and_the_session_works_again(
    breach: Breach, service: AccountService
) -> None:
    running = contained(breach, service)
    undoing = undo(breach, running.id)
    undoing.work()
    assert undoing.waiting() == {"c3"}, "the last done is taken back first, by hand"
    assert states(breach) == ["undoing", "verified", "undoing"]
    assert_whole(breach)
    undoing.answer("c3")
    undoing.work()
    assert undoing.row.state == "succeeded"
    assert states(breach) == ["undone", "verified", "undone"], "nothing takes ended sessions back"
    assert service.session_works(ACCOUNT)
    assert service.asked[-1] == ("/unlock", {"account": ACCOUNT, "to": "limit of mallory"})
    assert {"restore.enable-endpoint", "restore.unlock-account"} <= set(measures(breach))
    assert_whole(breach)


def test_a_second_undo_is_refused_while_one_runs_and_finds_nothing_afterwards(
    breach: Breach, service: AccountService
) -> None:
    running = contained(breach, service)
    undoing = undo(breach, running.id)
    with pytest.raises(Refused, match=f"is being taken back by {undoing.id}"):
        undo(breach, running.id)
    undoing.work()
    undoing.answer("c3")
    undoing.work()
    with pytest.raises(Refused, match=r"nothing takes back what .* did: C2"):
        undo(breach, running.id)
    with pytest.raises(Refused, match="is an undo itself"):
        undo(breach, undoing.id)


def test_one_step_alone_can_be_taken_back(breach: Breach, service: AccountService) -> None:
    running = contained(breach, service)
    undo(breach, running.id, "lock").work()
    assert states(breach) == ["undone", "verified", "in_force"]
    undoing = undo(breach, running.id, "C3")
    undoing.answer("c3")
    undoing.work()
    assert states(breach) == ["undone", "verified", "undone"]
    assert service.paths().count("/unlock") == 1


def test_what_could_not_be_taken_back_stays_in_force_and_a_person_is_asked(
    breach: Breach, service: AccountService
) -> None:
    service.broken.add("/unlock")
    running = contained(breach, service)
    undoing = undo(breach, running.id, "lock")
    undoing.work()
    assert undoing.waiting() == {"c1-by-hand"}
    assert states(breach)[0] == ContainmentState.UNDOING
    undoing.answer("c1-by-hand", success=False)
    undoing.work()
    assert undoing.row.state == "failed"
    assert states(breach)[0] == ContainmentState.VERIFIED, "as it was before"
    service.broken.clear()
    undo(breach, running.id, "lock").work()
    assert states(breach)[0] == ContainmentState.UNDONE
    assert service.session_works(ACCOUNT)
    assert_whole(breach)


def test_what_a_person_took_back_by_hand_is_undone(breach: Breach, service: AccountService) -> None:
    service.broken.add("/unlock")
    undoing = undo(breach, contained(breach, service).id, "lock")
    undoing.work()
    undoing.answer("c1-by-hand")
    undoing.work()
    assert (undoing.row.state, states(breach)[0]) == ("succeeded", "undone")


def test_what_many_notice_is_taken_back_only_when_somebody_else_agrees(
    breach: Breach, service: AccountService
) -> None:
    running = contained(breach, service, name="contain-all")
    undoing = undo(breach, running.id, "lock", by="bo")
    undoing.work()
    assert undoing.waiting() == {"approve"}
    assert not service.session_works(ACCOUNT), "nothing is sent before"
    with pytest.raises(Refused, match="bo started this run"):
        undoing.decide("approve", "bo")
    assert undoing.decide("approve", "cy") == 0
    undoing.work()
    assert service.session_works(ACCOUNT)


def test_an_undo_that_is_rejected_or_cancelled_leaves_all_in_force(
    breach: Breach, service: AccountService
) -> None:
    running = contained(breach, service, name="contain-all")
    undoing = undo(breach, running.id)
    undoing.work()
    undoing.decide("approve", "cy", yes=False)
    undoing.work()
    assert (undoing.row.state, states(breach)) == ("failed", ["verified", "verified", "in_force"])
    undoing = undo(breach, running.id)
    store = breach.made.store
    with store.write(breach.id, kind="run.cancelled", actor="ana", now=breach.made.clock()) as change:
        cancel_run(change, store, run_named(change.session, undoing.id), by="ana", reason="")
    assert states(breach) == ["verified", "verified", "in_force"]
    assert "/unlock" not in service.paths()
    assert_whole(breach)


def test_a_dry_run_shows_what_would_be_sent_where_and_changes_nothing(
    breach: Breach, service: AccountService
) -> None:
    running = contained(breach, service)
    heads = breach.made.store.heads()
    with breach.made.store.read() as session:
        plan = plan_undo(session, breach.made.store, running.id, now=breach.made.clock())
    by_hand, unlock, fallback = plan.acts
    assert by_hand.kind == "ask_person"
    assert "Close the interface" in by_hand.text["en"]
    assert "关闭接口" in by_hand.text["zh-Hans"]
    assert unlock.request == f"POST {service.url}/unlock"
    assert ACCOUNT in unlock.content
    assert "limit of mallory" in unlock.content
    assert fallback.only_if_it_fails
    assert [label for label, _ in plan.left] == ["C2"]
    assert breach.made.store.heads() == heads
    assert "/unlock" not in service.paths()


def test_the_time_that_it_interrupted_is_stated_once_it_is_over(
    breach: Breach, service: AccountService
) -> None:
    running = contained(breach, service)
    breach.made.clock.move(minutes=40)
    undo(breach, running.id, "lock").work()
    stated = load_dossier(breach.made.store, breach.id).current["telecom_outage"]
    assert stated.fact.value == Interval.exactly(2400)
    assert stated.fact.source == f"containment {running.id} lock"
    assert stated.recorded_by == "engine"


def test_a_person_who_said_more_is_not_contradicted(breach: Breach, service: AccountService) -> None:
    running = contained(breach, service)
    breach.state(telecom_outage="6h")
    breach.made.clock.move(minutes=40)
    undo(breach, running.id, "lock").work()
    stated = load_dossier(breach.made.store, breach.id).current["telecom_outage"]
    assert (stated.fact.value, stated.fact.said_by) == (Interval.exactly(6 * 3600), "ana")
