"""Who is called when somebody is needed, over a chat service on loopback, and who when nobody answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from incident.durable import EVERYTHING, Brakes, Lease, lift_brake, look_again, put_job, set_brake
from incident.ops import escalation
from incident.ops.escalation import MOST_TRIES, Caller, work_on_summons
from incident.record.holds import Cover, hold_brake, place_hold
from incident.record.operators import Role, operator_named, retire_operator
from incident.record.reaches import list_reaches, put_reach
from incident.record.summons import (
    SUMMONS_JOB,
    CallState,
    Reason,
    answer_summons,
    calls_of,
    open_summons,
    settle_summons,
    summon,
)
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.tables import Summons
from tests.support.chat_desks import ChatDesk, chat_desk
from tests.support.jobs import claim_by_hand
from tests.support.journals import sound
from tests.support.postgres import PostgresServer
from tests.support.relays import free_port
from tests.support.workspaces import Made, make_signer, make_workspace, open_one

STEP = {"zh-Hans": "批准封堵", "en": "Approve closing the portal of Acme"}


@dataclass
class Night:
    """An incident, and the service at which everybody is called by a path with their name."""

    made: Made
    id: str
    service: ChatDesk

    def operator(
        self, name: str, role: Role = Role.APPROVER, *, url: str | None = "", deputy: str = ""
    ) -> None:
        """Somebody who is called at `/NAME`; with another `url` there, with None nowhere."""
        make_signer(self.made, name, roles=(role,))
        urls = [] if url is None else [url or self.service.url(f"/{name}")]
        self.reach(name, urls, deputy)

    def reach(self, name: str, urls: list[str], deputy: str | None = None) -> None:
        with self.made.store.write(
            WORKSPACE_CHAIN, kind="operator.reach", actor="ana", now=self.made.clock()
        ) as change:
            put_reach(
                change,
                self.made.store,
                operator_named(change.session, name),
                urls=urls,
                deputy=deputy,
            )

    def ask(self, *, role: Role = Role.APPROVER, subject: str = "s1", operator: str = "") -> str:
        with self.made.store.write(self.id, kind="asked", actor="engine", now=self.made.clock()) as change:
            return summon(
                change,
                self.made.store,
                self.id,
                reason=Reason.APPROVAL,
                subject_id=subject,
                role=role,
                text=STEP,
                label="approve-release",
                operator=operator,
            )

    def work(self, summons_id: str, *, brakes: Brakes | None = None, **caller: Any) -> None:
        """Do what is due of the job now, as a worker would."""
        with self.made.store.transaction() as session:
            look_again(session)
        claimed = claim_by_hand(self.made.store, summons_id, kind=SUMMONS_JOB)
        if claimed is None:
            return
        lease = Lease(self.made.store, claimed, threading.Event(), brakes=brakes)
        work_on_summons(
            lease, self.made.store, summons_id, Caller(self.made.settings, self.made.clock, **caller)
        )

    def later(self, summons_id: str, minutes: float = 15) -> None:
        self.made.clock.move(minutes=minutes)
        self.work(summons_id)

    def row(self, summons_id: str) -> Summons:
        with self.made.store.read() as session:
            return session.get_one(Summons, summons_id)

    def calls(self, summons_id: str) -> list[tuple[str, int, str]]:
        """Who was called in which round, with what outcome; those of one moment by name."""
        with self.made.store.read() as session:
            names = {line.operator_id: line.name for line in list_reaches(session, self.made.store)}
            made = calls_of(session, summons_id)
        return sorted(
            ((names.get(call.operator_id, "gone"), call.level, call.outcome) for call in made),
            key=lambda each: (each[1], each[0]),
        )

    @property
    def paths(self) -> list[str]:
        """Who was called, in no order: those of a round are called at once."""
        return sorted(self.service.paths)


@pytest.fixture
def service() -> Iterator[ChatDesk]:
    with chat_desk() as made:
        yield made


@pytest.fixture
def night(tmp_path: Path, store_on: PostgresServer | None, service: ChatDesk) -> Night:
    made = make_workspace(tmp_path, on=store_on)
    return Night(made, open_one(made, title="Acme customers leaked"), service)


def test_everybody_with_the_role_who_can_be_reached_is_called_first(night: Night) -> None:
    night.operator("bo")
    night.operator("cy")
    night.operator("dan", url=None)
    night.operator("eve", Role.COUNSEL)
    summons = night.ask()
    night.work(summons)
    assert night.paths == ["/bo", "/cy"]
    assert night.calls(summons) == [("bo", 1, "accepted"), ("cy", 1, "accepted")]
    row = night.row(summons)
    assert (row.level, row.next_at) == (1, night.made.clock() + timedelta(minutes=15))
    assert sound(night.made.store)


def test_what_is_said_names_no_fact_and_no_title_and_comes_in_the_languages_of_the_workspace(
    night: Night,
) -> None:
    night.operator("bo")
    night.work(night.ask())
    assert night.service.texts == [
        f"{night.id} 需要您处理：有一项审批等待决定（approve-release）\n"
        f"{night.id} needs you: an approval is waiting (approve-release)"
    ]


def test_under_a_hold_on_chats_nothing_is_said_but_that_somebody_is_needed(night: Night) -> None:
    night.operator("bo")
    with night.made.store.write(night.id, kind="hold", actor="ana", now=night.made.clock()) as change:
        until = night.made.clock() + timedelta(days=2)
        place_hold(change, night.made.store, night.id, covers=[Cover.CHAT], by="police", until=until)
    night.work(night.ask())
    assert night.service.texts == [f"{night.id} 需要您处理\n{night.id} needs you"]


def test_nobody_is_called_twice_in_a_round(night: Night) -> None:
    night.operator("bo")
    summons = night.ask()
    night.work(summons)
    night.work(summons)
    night.later(summons, minutes=14)
    assert night.paths == ["/bo"]


def test_when_nobody_answers_the_deputies_are_called_and_then_everybody(night: Night) -> None:
    night.operator("dee", Role.AUDITOR)
    night.operator("eve", Role.COUNSEL)
    night.operator("bo", deputy="dee")
    summons = night.ask()
    for _ in range(3):
        night.work(summons)
        night.made.clock.move(minutes=15)
    assert [(name, level) for name, level, _ in night.calls(summons)] == [
        ("bo", 1),
        ("dee", 2),
        ("bo", 3),
        ("dee", 3),
        ("eve", 3),
    ]


def test_a_deputy_is_called_also_for_somebody_without_an_address(night: Night) -> None:
    night.operator("dee", Role.AUDITOR)
    night.operator("bo", url=None, deputy="dee")
    summons = night.ask()
    night.work(summons)
    assert night.calls(summons) == [("dee", 2, "accepted")]


def test_a_round_that_reaches_nobody_is_not_waited_for(night: Night) -> None:
    night.operator("eve", Role.COUNSEL)
    summons = night.ask()
    night.work(summons)
    assert night.calls(summons) == [("eve", 3, "accepted")]


def test_the_one_who_was_named_is_called_before_the_others(night: Night) -> None:
    night.operator("bo")
    night.operator("cy")
    summons = night.ask(operator="cy")
    night.work(summons)
    assert night.paths == ["/cy"]
    night.later(summons)
    assert night.calls(summons)[1:] == [("bo", 3, "accepted"), ("cy", 3, "accepted")]


def test_after_the_last_round_it_stands_as_unanswered_and_calls_no_more(night: Night) -> None:
    night.operator("bo")
    settings = night.made.settings
    night.made = replace(
        night.made,
        settings=settings.model_copy(
            update={"escalation": settings.escalation.model_copy(update={"rounds": 3})}
        ),
    )
    summons = night.ask()
    for _ in range(6):
        night.later(summons)
    row = night.row(summons)
    assert (row.level, row.next_at, row.ended_at, row.answered_at) == (3, None, None, None)
    assert [level for _, level, _ in night.calls(summons)] == [1, 3]
    last = list(night.made.store.recorded(night.id))[-1]
    assert last.entry.kind == "summons.unanswered"


def test_where_nobody_can_be_reached_it_is_unanswered_at_once(night: Night) -> None:
    night.operator("bo", url=None)
    summons = night.ask()
    night.work(summons)
    assert night.row(summons).next_at is None
    assert night.row(summons).ended_at is None
    assert night.calls(summons) == []


def test_an_address_that_comes_later_is_called_then(night: Night) -> None:
    night.operator("bo", url=None)
    summons = night.ask()
    night.work(summons)
    night.reach("bo", [night.service.url("/bo")])
    with night.made.store.transaction() as session:
        put_job(session, SUMMONS_JOB, summons, incident_id=night.id)
    night.work(summons)
    assert night.paths == ["/bo"]
    assert night.row(summons).next_at == night.made.clock() + timedelta(minutes=15)


def test_an_answer_ends_the_calls_and_decides_nothing(night: Night) -> None:
    night.operator("bo")
    summons = night.ask()
    night.work(summons)
    with night.made.store.write(night.id, kind="ack", actor="bo", now=night.made.clock()) as change:
        [answered] = answer_summons(change, night.id)
    assert (answered.id, answered.answered_by) == (summons, "bo")
    night.later(summons)
    assert night.paths == ["/bo"]
    row = night.row(summons)
    assert (row.answered_by, row.next_at, row.level) == ("bo", None, 1)


def test_what_is_settled_calls_nobody_any_more(night: Night) -> None:
    night.operator("bo")
    summons, other = night.ask(), night.ask(subject="s2")
    with night.made.store.write(night.id, kind="done", actor="bo", now=night.made.clock()) as change:
        settle_summons(change, night.id, "s1")
        assert [each.id for each in open_summons(change.session, night.id)] == [other]
    night.work(summons)
    assert night.paths == []
    assert night.row(summons).answered_by is None


def test_the_same_question_is_asked_once_while_it_stands(night: Night) -> None:
    assert night.ask() == night.ask()
    assert night.ask() != night.ask(subject="s2")


def test_whoever_was_retired_is_not_called(night: Night) -> None:
    night.operator("bo", deputy="")
    night.operator("cy")
    retire_operator(night.made.store, "bo", actor="ana", now=night.made.clock())
    night.work(night.ask())
    assert night.paths == ["/cy"]


def test_each_address_of_an_operator_is_called(night: Night) -> None:
    night.operator("bo")
    night.reach("bo", [night.service.url("/bo"), night.service.url("/bo-at-home")])
    night.work(night.ask())
    assert night.paths == ["/bo", "/bo-at-home"]


def test_more_than_a_group_is_called_all_the_same(night: Night) -> None:
    for number in range(12):
        night.operator(f"op{number:02d}")
        night.reach(f"op{number:02d}", [night.service.url(f"/{number:02d}{place}") for place in "ab"])
    summons = night.ask()
    night.work(summons)
    assert len(night.paths) == len(set(night.paths)) == 24
    assert night.row(summons).level == 1


def test_what_came_of_each_call_is_kept_and_no_address(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    night.service.refuses = "/refuses"
    night.operator("ana", url=night.service.url("/refuses"))
    night.operator("bo", url=f"json://127.0.0.1:{free_port()}/s3cr3t")
    night.operator("cy", url="env:NO_SUCH_ADDRESS")
    night.operator("dan", url="env:ADDRESS_OF_DAN")
    night.operator("eve", url="slack://incomplete")
    monkeypatch.setenv("ADDRESS_OF_DAN", night.service.url("/dan"))
    summons = night.ask()
    night.work(summons)
    assert night.calls(summons) == [
        ("ana", 1, "refused"),
        ("bo", 1, "unreachable"),
        ("cy", 1, "unusable"),
        ("dan", 1, "accepted"),
        ("eve", 1, "unusable"),
    ]
    with night.made.store.read() as session:
        contents = [night.made.store.open(call, incident_id=night.id) for call in calls_of(session, summons)]
    assert "s3cr3t" not in str(contents) and "pa55word" not in str(contents)
    assert "env:NO_SUCH_ADDRESS" in str(contents)


def test_a_service_that_never_answers_keeps_nobody_else_waiting(night: Night) -> None:
    night.operator("bo")
    night.service.silent = threading.Event()
    with chat_desk() as other:
        night.operator("cy", url=other.url("/cy"))
        summons = night.ask()
        night.work(summons, timeout=5.0, longest=0.5)
        assert other.paths == ["/cy"]
    assert night.calls(summons) == [("bo", 1, "unknown"), ("cy", 1, "accepted")]


def test_under_the_brake_nobody_is_called_until_it_is_lifted(night: Night) -> None:
    night.operator("bo")
    summons = night.ask()
    with night.made.store.transaction() as session:
        set_brake(session, EVERYTHING, at=night.made.clock(), by="ana")
    night.work(summons)
    assert night.paths == []
    assert night.row(summons).level == 0
    with night.made.store.transaction() as session:
        lift_brake(session, EVERYTHING)
    night.work(summons)
    assert night.paths == ["/bo"]


# -- after a worker that died --------------------------------------------------------------------------


def leave_in_doubt(night: Night, summons: str) -> None:
    """As a worker leaves it that dies between the intent and the outcome."""
    with night.made.store.write(night.id, kind="test", actor="test", now=night.made.clock()) as change:
        for call in calls_of(change.session, summons):
            call.outcome, call.settled_at = CallState.INTENDED, None
            change.put(call)


def test_a_call_in_doubt_is_made_once_more_at_most(night: Night) -> None:
    night.operator("bo")
    summons = night.ask()
    night.work(summons)
    for _ in range(3):
        leave_in_doubt(night, summons)
        night.work(summons)
    assert night.paths == ["/bo"] * MOST_TRIES
    assert night.calls(summons) == [("bo", 1, "unknown")]


def test_a_call_in_doubt_to_an_address_that_was_taken_away_is_closed(night: Night) -> None:
    night.operator("bo")
    summons = night.ask()
    night.work(summons)
    leave_in_doubt(night, summons)
    night.reach("bo", [])
    night.work(summons)
    assert night.calls(summons) == [("bo", 1, "unknown")]
    assert night.paths == ["/bo"]


def test_a_call_in_doubt_about_what_was_settled_is_not_made_again(night: Night) -> None:
    night.operator("bo")
    summons = night.ask()
    night.work(summons)
    leave_in_doubt(night, summons)
    with night.made.store.write(night.id, kind="done", actor="bo", now=night.made.clock()) as change:
        settle_summons(change, night.id, "s1")
    night.work(summons)
    assert night.calls(summons) == [("bo", 1, "unknown")]
    assert night.paths == ["/bo"]


def test_a_worker_that_comes_back_after_hours_calls_one_round_and_not_all_that_were_missed(
    night: Night,
) -> None:
    night.operator("bo")
    summons = night.ask()
    night.work(summons)
    night.later(summons, minutes=600)
    assert [level for _, level, _ in night.calls(summons)] == [1, 3]
    assert night.row(summons).next_at == night.made.clock() + timedelta(minutes=15)


# -- what happens in between ---------------------------------------------------------------------------


def test_whoever_answers_before_the_intent_is_committed_is_not_called(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.operator("bo")
    summons = night.ask()
    intend: Any = escalation._intend

    def answered_first(*given: Any) -> Any:
        with night.made.store.write(night.id, kind="ack", actor="bo", now=night.made.clock()) as change:
            answer_summons(change, night.id)
        return intend(*given)

    monkeypatch.setattr(escalation, "_intend", answered_first)
    night.work(summons)
    assert (night.paths, night.calls(summons), night.row(summons).level) == ([], [], 0)
    assert sound(night.made.store)


def test_a_brake_before_the_intent_is_committed_holds_the_calls(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.operator("bo")
    summons = night.ask()
    intend: Any = escalation._intend

    def braked_first(*given: Any) -> Any:
        with night.made.store.transaction() as session:
            set_brake(session, EVERYTHING, at=night.made.clock(), by="ana")
        return intend(*given)

    monkeypatch.setattr(escalation, "_intend", braked_first)
    night.work(summons)
    assert (night.paths, night.calls(summons)) == ([], [])


def test_a_hold_between_the_intent_and_the_message_leaves_no_more_than_that_somebody_is_needed(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The brake of the hold is what the worker sees; the call is made anew, with fewer words."""
    night.operator("bo")
    summons = night.ask()
    make: Any = escalation._make
    brakes = Brakes()

    def held_first(*given: Any) -> Any:
        if not brakes.on(hold_brake(night.id, Cover.CHAT)):
            with night.made.store.write(night.id, kind="hold", actor="ana", now=night.made.clock()) as change:
                until = night.made.clock() + timedelta(days=2)
                place_hold(change, night.made.store, night.id, covers=[Cover.CHAT], by="police", until=until)
            brakes.seen([hold_brake(night.id, Cover.CHAT)])
        return make(*given)

    monkeypatch.setattr(escalation, "_make", held_first)
    night.work(summons, brakes=brakes)
    assert night.service.texts == [f"{night.id} 需要您处理\n{night.id} needs you"]
    assert night.calls(summons) == [("bo", 1, "accepted")]


def test_an_answer_during_a_call_ends_the_rounds_and_its_outcome_is_kept(night: Night) -> None:
    night.operator("bo")
    night.service.silent = threading.Event()
    summons = night.ask()
    worker = threading.Thread(target=night.work, args=(summons,))
    worker.start()
    while not night.service.told:
        worker.join(0.02)
    with night.made.another().store.write(night.id, kind="ack", actor="bo", now=night.made.clock()) as change:
        answer_summons(change, night.id)
    night.service.silent.set()
    worker.join()
    assert night.calls(summons) == [("bo", 1, "accepted")]
    night.later(summons)
    assert night.paths == ["/bo"]
    assert night.row(summons).answered_by == "bo"
