"""Calls by machine, whole path: the ledger, an API that checks what Twilio checks, and people who press keys."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlmodel import select

from incident.delivery.call_results import CallResult
from incident.delivery.call_rules import CALL_SETTLES
from incident.delivery.sms_parts import number_of
from incident.delivery.states import CampaignState, DeliveryState, Rank
from incident.errors import Refused
from incident.store.tables import Delivery
from notifiers.outcome import Result, Stage
from tests.support.breaches import Breach
from tests.support.call_lists import CENTRE, codes_of, make_list, report
from tests.support.call_sendings import Hooks, call_breach, hooks_at_hand, kinds_told
from tests.support.postgres import PostgresServer
from tests.support.sms_ledger import assert_sound, parts, results
from tests.support.sms_sendings import by_sms_only, live_to_the_end
from tests.support.twilio.api import TwilioApi
from tests.support.twilio.script import Act, Answer, Callee, Fault, refused
from tests.support.twilio.server import twilio_api
from tests.support.versions import accounts, next_version

TAKEN = (Result.accepted, Stage.reply)
IN_DOUBT = (Result.ambiguous, Stage.submitted)


def test_who_confirms_is_told_and_is_called_once(tmp_path: Path, store_on: PostgresServer | None) -> None:
    with hooks_at_hand() as hooks, twilio_api() as api:
        breach = call_breach(tmp_path, by_sms_only(6), api_port=api.port, callbacks=hooks.calls, on=store_on)
        with hooks.served(breach.house):
            breach.work()
            api.calls.await_over(6)
            breach.work()
        assert api.complaints == []
        assert [len(api.calls.of(each.to)) for each in api.calls.called] == [1] * 6
        sids = {each.sid for each in api.calls.called}
    account = breach.account()
    assert (account.state, account.accepted) == (CampaignState.ENDED, 6)
    assert account.accepted_by == {"email": 0, "phone": 6}
    assert {(row.state, row.rank) for row in breach.deliveries()} == {
        (DeliveryState.ACCEPTED, Rank.ACKNOWLEDGED)
    }
    assert results(breach) == [TAKEN] * 6
    assert {each.ref for each in parts(breach)} == sids
    assert set(kinds_told(breach)) == {"confirmed", "not_confirmed"}
    assert_sound(breach)


def live_through(breach: Breach, hooks: Hooks, calls: int, *, api: TwilioApi) -> None:
    """Call everybody who is due, and let all be told of it."""
    with hooks.served(breach.house):
        breach.work()
        api.calls.await_over(calls)
        breach.work()


def reasons(breach: Breach) -> dict[str, str]:
    """The state of each delivery, and why, by the ending of the person's number."""
    with breach.made.store.read() as session:
        numbers = {
            row.id: number_of(session, breach.made.store, row.id, row.incident_id)[-2:]
            for row in session.exec(select(Delivery)).all()
        }
    return {numbers[row.id]: f"{row.state} {row.reason}".strip() for row in breach.deliveries()}


def by_lists(breach: Breach) -> Breach:
    """The same from the moment on when the settings name the call centre, and no machine."""
    calls = type(breach.made.settings.calls).model_validate(CENTRE)
    settings = breach.made.settings.model_copy(update={"calls": calls})
    return replace(breach, made=replace(breach.made, settings=settings))


def test_whoever_was_not_told_in_person_goes_on_to_people(tmp_path: Path) -> None:
    callees = {
        "20": Callee(Answer.BUSY),
        "21": Callee(Answer.NO_ANSWER),
        "22": Callee(Answer.FAILED, code=404),
        "23": Callee(Answer.FAILED, code=503),
        "24": Callee(Answer.MACHINE),
        "25": Callee(Answer.FAX),
        "26": Callee(keys="1-"),
        "27": Callee(keys="2"),
        "28": Callee(Answer.UNKNOWN),
        "29": Callee(Answer.CANCELED),
    }
    with hooks_at_hand() as hooks, twilio_api(callees=callees) as api:
        breach = call_breach(tmp_path, by_sms_only(10), api_port=api.port, callbacks=hooks.calls)
        live_through(breach, hooks, 10, api=api)
        assert api.complaints == []
        left_on_the_machine = api.calls.of(
            next(each.to for each in api.calls.called if each.to.endswith("24"))
        )
    no_answer, bad_number = "unreachable no_answer", "unreachable bad_address"
    assert reasons(breach) == {
        "20": no_answer,
        "21": no_answer,
        "22": bad_number,
        "23": no_answer,
        "24": no_answer,
        "25": no_answer,
        "26": no_answer,
        "27": bad_number,
        "28": "accepted",
        "29": no_answer,
    }
    assert "Somebody gave us this number" in " ".join(left_on_the_machine[0].texts)
    assert {len(api.calls.of(each.to)) for each in api.calls.called} == {1}
    assert breach.account().state == CampaignState.ENDED
    assert_sound(breach)


@pytest.mark.parametrize("name", ["", "\u200b", "?"])
def test_who_has_no_name_to_be_asked_for_is_not_called_and_goes_on(tmp_path: Path, name: str) -> None:
    nameless, named = by_sms_only(2)
    with hooks_at_hand() as hooks, twilio_api() as api:
        people = [replace(nameless, name=name), named]
        breach = call_breach(tmp_path, people, api_port=api.port, callbacks=hooks.calls)
        live_through(breach, hooks, 1, api=api)
        assert [each.to for each in api.calls.called] == [named.phone]
    assert reasons(breach) == {"20": "unreachable unfit", "21": "accepted"}
    assert breach.account().state == CampaignState.ENDED
    assert_sound(breach)


@pytest.mark.parametrize("result", [CallResult.TOLD, CallResult.WRONG_PERSON])
def test_whom_a_machine_called_in_vain_people_may_call_from_a_list(
    tmp_path: Path, result: CallResult
) -> None:
    callees = {"20": Callee(Answer.BUSY), "21": Callee(held=True)}
    with hooks_at_hand() as hooks, twilio_api(callees=callees) as api:
        breach = call_breach(tmp_path, by_sms_only(2), api_port=api.port, callbacks=hooks.calls)
        live_through(breach, hooks, 1, api=api)
        breach.later(seconds=CALL_SETTLES.total_seconds() + 1)
        breach.work()
        assert reasons(breach) == dict.fromkeys(("20", "21"), "unreachable no_answer")
        breach = by_lists(breach)
        assert make_list(breach, again=True).row.people == 2
        assert_sound(breach)
        report(breach, *((code, result) for code in codes_of(breach).values()))
        breach.work()
    told = "accepted" if result is CallResult.TOLD else "unreachable bad_address"
    assert reasons(breach) == dict.fromkeys(("20", "21"), told)
    assert {len(api.calls.of(each.to)) for each in api.calls.called} == {1}
    assert_sound(breach)


def test_who_waits_for_a_machine_that_is_no_more_is_put_on_a_list_unless_it_may_have_rung(
    tmp_path: Path,
) -> None:
    callees, faults = {"20": Callee(held=True)}, {"21": refused(429, 20429)}
    with hooks_at_hand() as hooks, twilio_api(callees=callees, faults=faults) as api:
        breach = call_breach(tmp_path, by_sms_only(2), api_port=api.port, callbacks=hooks.calls)
        breach.work(until=lambda: {each.attempts for each in breach.deliveries()} == {1})
        breach = by_lists(breach)
        assert make_list(breach).row.people == 1
        assert reasons(breach) == {"20": "pending", "21": "sending"}
        assert_sound(breach)
        report(breach, *((code, CallResult.TOLD) for code in codes_of(breach).values()))
        assert reasons(breach) == {"20": "pending", "21": "accepted"}
        with pytest.raises(Refused, match="nobody to be called again"):
            make_list(breach, again=True)
        breach.later(seconds=CALL_SETTLES.total_seconds() + 1)
        assert make_list(breach, again=True).row.people == 1
        assert reasons(breach) == {"20": "sending", "21": "accepted"}
        assert_sound(breach)


def test_a_refused_call_is_placed_later_and_a_number_that_is_none_is_left_to_people(tmp_path: Path) -> None:
    faults = {"20": refused(429, 20429, times=1), "21": refused(400, 21211), "22": Fault(Act.CLOSE, times=1)}
    with hooks_at_hand() as hooks, twilio_api(faults=faults) as api:
        breach = call_breach(tmp_path, by_sms_only(3), api_port=api.port, callbacks=hooks.calls)
        with hooks.served(breach.house):
            live_to_the_end(breach)
    assert reasons(breach)["21"] == "unreachable bad_address"
    assert reasons(breach)["20"] == "accepted"
    assert {len(api.calls.of(each.to)) for each in api.calls.called} == {1}
    assert_sound(breach)


@pytest.mark.parametrize("act", [Act.LOST, Act.FAIL, Act.GARBAGE, Act.NAMELESS])
def test_a_call_of_which_nobody_knows_whether_it_was_taken_is_never_placed_again(
    tmp_path: Path, act: Act
) -> None:
    fault = Fault(act, 500, 20500) if act is Act.FAIL else Fault(act)
    with hooks_at_hand() as hooks, twilio_api(faults={"20": fault}, callee=Callee(held=True)) as api:
        breach = call_breach(tmp_path, by_sms_only(1), api_port=api.port, callbacks=hooks.calls)
        breach.work()
        assert results(breach) == [IN_DOUBT]
        breach.later(seconds=CALL_SETTLES.total_seconds() / 2)
        breach.work()
        assert breach.account().in_progress == 1
        breach.later(seconds=CALL_SETTLES.total_seconds())
        breach.work()
        assert reasons(breach) == {"20": "unreachable no_answer"}
        assert_sound(breach)
        api.release()
        with hooks.served(breach.house):
            api.calls.await_over(1)
            breach.work()
        assert len(api.calls.called) == 1
    assert reasons(breach) == {"20": "accepted"}
    assert breach.account().state == CampaignState.ENDED
    assert_sound(breach)


def test_a_call_of_which_nothing_is_told_is_given_up_and_not_placed_again(tmp_path: Path) -> None:
    with hooks_at_hand() as hooks, twilio_api(callee=Callee(held=True)) as api:
        breach = call_breach(tmp_path, by_sms_only(4), api_port=api.port, callbacks=hooks.calls)
        breach.work()
        assert (breach.account().in_progress, len(api.calls.called)) == (4, 4)
        assert_sound(breach)
        breach.later(seconds=CALL_SETTLES.total_seconds() + 1)
        breach.work()
        assert len(api.calls.called) == 4
    assert set(reasons(breach).values()) == {"unreachable no_answer"}
    assert breach.account().state == CampaignState.ENDED
    assert_sound(breach)


def test_a_clock_that_is_set_back_makes_no_second_call(tmp_path: Path) -> None:
    with hooks_at_hand() as hooks, twilio_api(callee=Callee(held=True)) as api:
        breach = call_breach(tmp_path, by_sms_only(3), api_port=api.port, callbacks=hooks.calls)
        breach.work()
        breach.later(seconds=-60)
        breach.work()
        assert breach.account().in_progress == 3
        breach.later(seconds=-10 * CALL_SETTLES.total_seconds())
        breach.work()
        assert len(api.calls.called) == 3
    assert breach.account().in_progress == 0


@pytest.mark.parametrize(
    "how", [Callee(doubled=True), Callee(backwards=True), Callee(doubled=True, backwards=True)]
)
def test_what_is_told_twice_or_in_the_other_order_counts_once(tmp_path: Path, how: Callee) -> None:
    callees = {"21": replace(how, keys="2"), "22": replace(how, answer=Answer.MACHINE)}
    with hooks_at_hand() as hooks, twilio_api(callee=how, callees=callees) as api:
        breach = call_breach(tmp_path, by_sms_only(3), api_port=api.port, callbacks=hooks.calls)
        live_through(breach, hooks, 3, api=api)
    assert reasons(breach) == {
        "20": "accepted",
        "21": "unreachable bad_address",
        "22": "unreachable no_answer",
    }
    assert len(kinds_told(breach)) == len(set(kinds_told(breach))) + 1
    assert_sound(breach)


def test_nobody_is_called_outside_of_the_hours_whatever_is_due(tmp_path: Path) -> None:
    with hooks_at_hand() as hooks, twilio_api() as api:
        breach = call_breach(
            tmp_path,
            by_sms_only(2),
            api_port=api.port,
            callbacks=hooks.calls,
            calls={"hours": "18:00-20:00"},  # it is five there
        )
        breach.work()
        assert api.calls.called == []
        assert_sound(breach)
        breach.later(hours=2)
        live_through(breach, hooks, 2, api=api)
    assert set(reasons(breach).values()) == {"accepted"}


def test_a_later_version_ends_the_first_whose_callee_hears_nothing_more_of_it_and_gets_one_notice(
    tmp_path: Path,
) -> None:
    with hooks_at_hand() as hooks, twilio_api(callees={"20": Callee(held=True)}) as api:
        breach = call_breach(tmp_path, by_sms_only(2), api_port=api.port, callbacks=hooks.calls)
        with hooks.served(breach.house):
            breach.work()
            api.calls.await_over(1)
            breach.made.clock.move(hours=1)
            next_version(breach)
            breach.work()
            api.release()
            api.calls.await_over(4)
            breach.work()
        heard = {each.to[-2:]: each for each in api.calls.called[:2]}
        assert heard["20"].texts == []
        assert all(len(api.calls.of(each.to)) == 2 for each in api.calls.called)
    first, second = accounts(breach)
    assert (first.accepted, first.unreachable_total, second.accepted) == (1, 1, 2)
    # Whom nothing was confirmed by has no earlier notice that this one could be an update of.
    assert second.updates == 1
    assert_sound(breach)
