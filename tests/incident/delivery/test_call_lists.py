"""Lists for the call centre: who is on one, what results prove, and that nobody is lost or called by itself."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from incident.delivery.call_results import CallResult, Unfit
from incident.delivery.codes import code_of
from incident.delivery.fallback import Way
from incident.delivery.receipts import NewReceipt, VerifiedBy, put_receipts
from incident.delivery.states import EMAIL, CampaignState, DeliveryState, Rank, Why
from incident.durable import EVERYTHING, set_brake
from incident.errors import Refused
from incident.ops.owing import work_without_a_job
from incident.record.holds import Cover, HeldBack
from tests.support.breaches import Affected, Breach, make_breach, some_people
from tests.support.call_lists import (
    CENTRE,
    MEANS,
    by_phone_only,
    close,
    codes_of,
    make_list,
    next_of,
    report,
    sent,
    stands,
    tasks_of,
)
from tests.support.holds import hold
from tests.support.relays import recording_relay
from tests.support.sms_ledger import assert_sound
from tests.support.versions import accounts, next_version

TOLD = CallResult.TOLD
CHILD: dict[str, str] = {"born": "2016-01-01", "guardian_name": "Gee", "guardian_phone": "+8613900139000"}
PHONES = {"Ada": "+8613800138000", "Bo": "+8613800138001"}


def campaign_state(breach: Breach) -> str:
    return breach.account().state


def came_back(breach: Breach, delivery_id: str, rank: Rank) -> None:
    """Let something come back about the e-mail of a delivery."""
    made, why = breach.made, Why.BAD_ADDRESS if rank is Rank.RETURNED else Why.NONE
    said = f"{delivery_id} {rank}"
    receipt = NewReceipt(
        delivery_id, EMAIL, said, rank.name, rank, why, None, VerifiedBy.MESSAGE_ID, "0" * 64, {}
    )
    with made.store.write(breach.id, kind="receipts.taken", actor="engine", now=made.clock()) as change:
        put_receipts(change, breach.id, [receipt])


def test_who_can_only_be_called_is_in_progress_once_on_a_list(tmp_path: Path) -> None:
    with sent(tmp_path, by_phone_only(3)) as breach:
        assert campaign_state(breach) == CampaignState.ENDED
        made = make_list(breach)
        assert made.row.people == 3
        assert set(stands(breach).values()) == {("phone", "sending", "")}
        assert campaign_state(breach) == CampaignState.SENDING
        assert breach.account().in_progress == 3
        assert_sound(breach)


def test_a_list_holds_what_an_agent_needs_and_is_the_same_when_it_is_written_again(tmp_path: Path) -> None:
    with sent(tmp_path, by_phone_only(2)) as breach:
        make_list(breach)
        tasks = tasks_of(breach)
        assert [task.phones for task in tasks] != []
        assert {task.ask_for for task in tasks} == {"Person 1", "Person 2"}
        assert {task.phones for task in tasks} == {("+8613800130001",), ("+8613800130002",)}
        assert all(task.information and task.language == "en" and task.about == "" for task in tasks)
        assert tasks_of(breach) == tasks


def test_results_settle_everybody_and_the_sending_ends_again(tmp_path: Path) -> None:
    with sent(tmp_path, by_phone_only(len(CallResult))) as breach:
        make_list(breach)
        codes = codes_of(breach)
        said = {f"Person {at}": result for at, result in enumerate(CallResult, start=1)}
        taken = report(breach, *((codes[name], result) for name, result in said.items()))
        assert taken.new == dict.fromkeys(CallResult, 1)
        breach.work()
        assert stands(breach) == {
            "C1": ("phone", "accepted", ""),
            "C2": ("phone", "unreachable", "no_answer"),
            "C3": ("phone", "unreachable", "no_answer"),
            "C4": ("phone", "unreachable", "bad_address"),
            "C5": ("phone", "unreachable", "bad_address"),
            "C6": ("phone", "unreachable", "refused"),
            "C7": ("phone", "unreachable", "passed_on"),
        }
        assert campaign_state(breach) == CampaignState.ENDED
        assert breach.account().delivered == 1
        assert [each.rank for each in breach.deliveries() if each.state == "accepted"] == [Rank.ACKNOWLEDGED]
        assert_sound(breach)


def test_who_was_not_told_goes_on_and_who_was_passed_on_stays_with_people(tmp_path: Path) -> None:
    people = [
        Affected("asleep", name="A", phone="+8613800138000", address="1 Long Street"),
        Affected("afraid", name="B", phone="+8613800138001", address="2 Long Street"),
    ]
    with sent(tmp_path, people) as breach:
        make_list(breach)
        codes = codes_of(breach)
        report(breach, (codes["A"], CallResult.NO_ANSWER), (codes["B"], CallResult.PASSED_ON))
        assert next_of(breach) == {"asleep": Way.LETTER, "afraid": Way.BY_HAND}


def test_nobody_is_put_on_a_second_list_by_itself(tmp_path: Path) -> None:
    with sent(tmp_path, by_phone_only(2)) as breach:
        make_list(breach)
        with pytest.raises(Refused, match="nobody to be called"):
            make_list(breach)
        codes = codes_of(breach)
        report(breach, (codes["Person 1"], CallResult.NO_ANSWER), (codes["Person 2"], TOLD))
        with pytest.raises(Refused, match="nobody to be called"):
            make_list(breach)
        assert make_list(breach, again=True).row.people == 1
        assert [task.ask_for for task in tasks_of(breach, 2)] == ["Person 1"]
        report(breach, (codes["Person 1"], TOLD), number=2)
        breach.work()
        assert breach.account().accepted == 2
        assert_sound(breach)


def test_a_list_has_so_many_people_as_were_asked_for(tmp_path: Path) -> None:
    with sent(tmp_path, by_phone_only(5)) as breach:
        assert make_list(breach, most=2).row.people == 2
        assert make_list(breach, most=2).row.people == 2
        assert make_list(breach).row.people == 1
        assert_sound(breach)


def test_whose_e_mail_came_back_keeps_what_failed_before(tmp_path: Path) -> None:
    people = [Affected("r", name="R", email="refused@example.org", phone="+8613800138000")]
    with sent(tmp_path, people) as breach:
        make_list(breach)
        [delivery] = breach.deliveries()
        assert delivery.tried_before == "email:refused"
        report(breach, (codes_of(breach)["R"], TOLD))
        breach.work()
        assert breach.account().accepted == 1
        assert breach.account().moved_on == 1
        assert_sound(breach)


def test_who_was_told_over_a_means_that_the_attacker_controls_is_called(tmp_path: Path) -> None:
    people = [Affected("v", name="V", email="v@example.org", phone="+8613800138000")]
    with sent(tmp_path, people) as breach:
        assert breach.account().accepted == 1
        breach.state(channels_compromised=["email"])
        assert make_list(breach).row.people == 1
        assert breach.account().accepted == 0
        assert_sound(breach)
        report(breach, (codes_of(breach)["V"], CallResult.NO_ANSWER))
        breach.work()
        assert stands(breach)["v"] == ("phone", "unreachable", "no_answer")
        assert_sound(breach)


@pytest.mark.parametrize("closes", [True, False])
def test_what_was_delivered_to_a_mailbox_that_the_attacker_controls_tells_nobody(
    tmp_path: Path, closes: bool
) -> None:
    people = [Affected("v", name="V", email="v@example.org", phone="+8613800138000")]
    with sent(tmp_path, people) as breach:
        came_back(breach, breach.deliveries()[0].id, Rank.DELIVERED)
        breach.state(channels_compromised=["email"])
        make_list(breach)
        assert_sound(breach)
        if closes:
            close(breach)
        else:
            report(breach, (codes_of(breach)["V"], CallResult.NO_ANSWER))
        breach.work()
        assert stands(breach)["v"] == ("phone", "unreachable", "no_answer")
        assert_sound(breach)


def test_a_guardian_is_asked_for_and_one_call_tells_of_all_their_children(tmp_path: Path) -> None:
    wards = [
        Affected(f"ward {at}", name=f"Kid {at}", guardian_email="refused@example.org", **CHILD)
        for at in (1, 2)
    ]
    with sent(tmp_path, wards) as breach:
        assert make_list(breach).row.people == 2
        [task] = tasks_of(breach)
        assert task.ask_for == "Gee" and task.phones == ("+8613900139000",)
        assert "Kid 1" in task.about and "Kid 2" in task.about
        assert "Kid 1" in task.information and "Kid 2" in task.information
        with breach.made.store.read() as session:
            assert list(work_without_a_job(session)) == []
        assert_sound(breach)
        report(breach, (task.code, TOLD))
        breach.work()
        assert breach.account().accepted == 2
        assert_sound(breach)


def test_who_is_in_danger_dead_or_an_organisation_is_on_no_list(tmp_path: Path) -> None:
    apart = [
        Affected("danger", phone="+8613800138000", safe_contact="by her sister"),
        Affected("dead", phone="+8613800138001", deceased="yes"),
        Affected("new holder", phone="+8613800138002", held_since="2026-11-24"),
    ]
    with sent(tmp_path, apart) as breach:
        breach.state(ended_at="2026-11-23 12:00")
        with pytest.raises(Refused, match="nobody to be called"):
            make_list(breach)


def test_without_a_call_centre_no_list_is_made(tmp_path: Path) -> None:
    with sent(tmp_path, by_phone_only(1), calls={}) as breach, pytest.raises(Refused, match="no call centre"):
        make_list(breach)


def test_a_call_centre_that_would_break_a_promise_gets_no_list(tmp_path: Path) -> None:
    promises = {"keep_in": ["cn"], "wording": {"en": "Your data stays in the country."}}
    with sent(tmp_path, by_phone_only(1), promises=promises) as breach:
        abroad = {"centre": {**CENTRE["centre"], "country": "ph"}}
        made = breach.made
        calls = type(made.settings.calls).model_validate(abroad)
        moved = replace(made, settings=made.settings.model_copy(update={"calls": calls}))
        with pytest.raises(Refused, match="Your data stays in the country"):
            make_list(replace(breach, made=moved))


def test_under_a_hold_a_pause_or_the_brake_no_list_is_made(tmp_path: Path) -> None:
    with sent(tmp_path, by_phone_only(1)) as breach:
        with breach.made.store.transaction() as session:
            set_brake(session, EVERYTHING, at=breach.made.clock(), by="ana")
        with pytest.raises(Refused, match="brake"):
            make_list(breach)
    with sent(tmp_path / "held", by_phone_only(1)) as breach:
        hold(breach, Cover.PEOPLE)
        with pytest.raises(HeldBack):
            make_list(breach)


def test_a_list_that_is_due_is_closed_and_a_late_told_still_counts(tmp_path: Path) -> None:
    with sent(tmp_path, by_phone_only(2)) as breach:
        make_list(breach)
        codes = codes_of(breach)
        breach.later(days=2, hours=23)
        breach.work(until=lambda: True)
        assert breach.account().in_progress == 2
        breach.later(hours=2)
        breach.work()
        assert set(stands(breach).values()) == {("phone", "unreachable", "no_answer")}
        assert campaign_state(breach) == CampaignState.ENDED
        assert_sound(breach)
        taken = report(breach, (codes["Person 1"], TOLD), (codes["Person 2"], CallResult.REFUSED))
        assert (taken.new, taken.late) == ({TOLD: 1}, 1)
        assert stands(breach) == {
            "C1": ("phone", "accepted", ""),
            "C2": ("phone", "unreachable", "no_answer"),
        }
        again = report(breach, (codes["Person 1"], TOLD))
        assert (again.new, again.known) == ({}, 1)
        assert_sound(breach)


def test_a_list_is_closed_before_its_time_by_whoever_says_so(tmp_path: Path) -> None:
    with sent(tmp_path, by_phone_only(2)) as breach:
        make_list(breach)
        report(breach, (codes_of(breach)["Person 1"], TOLD))
        assert close(breach) == 1
        breach.work()
        assert campaign_state(breach) == CampaignState.ENDED
        assert_sound(breach)


def test_who_turns_out_to_have_been_told_while_on_a_list_is_told_once_it_closes(tmp_path: Path) -> None:
    people = [Affected(each, name=each, email=f"{each}@example.org", phone=PHONES[each]) for each in PHONES]
    with sent(tmp_path, people) as breach:
        told, _ = (each.id for each in breach.deliveries())
        for each in breach.deliveries():
            came_back(breach, each.id, Rank.RETURNED)
        assert make_list(breach).row.people == 2
        came_back(breach, told, Rank.DELIVERED)
        assert breach.account().in_progress == 2
        assert close(breach) == 2
        breach.work()
        assert {each.id: each.state for each in breach.deliveries()}[told] == DeliveryState.ACCEPTED
        assert (breach.account().accepted, breach.account().delivered) == (1, 1)
        assert_sound(breach)


def test_whose_phone_an_attacker_may_control_by_now_is_not_called_again(tmp_path: Path) -> None:
    with sent(tmp_path, by_phone_only(1)) as breach:
        make_list(breach)
        report(breach, (codes_of(breach)["Person 1"], CallResult.NO_ANSWER))
        breach.state(channels_compromised=["phone"])
        with pytest.raises(Refused, match="nobody to be called again"):
            make_list(breach, again=True)
        breach.state(channels_compromised=["email"])
        assert make_list(breach, again=True).row.people == 1
        assert_sound(breach)


def test_a_later_version_closes_the_lists_of_the_earlier_one(tmp_path: Path) -> None:
    with sent(tmp_path, by_phone_only(2)) as breach:
        make_list(breach)
        codes = codes_of(breach)
        next_version(breach)
        breach.work()
        assert tasks_of(breach) == []
        assert [each.state for each in accounts(breach)] == [CampaignState.ENDED] * 2
        assert_sound(breach)
        assert report(breach, (codes["Person 1"], TOLD)).new == {TOLD: 1}
        assert make_list(breach).row.people == 2
        assert_sound(breach)


def test_the_same_results_again_change_nothing(tmp_path: Path) -> None:
    with sent(tmp_path, by_phone_only(2)) as breach:
        make_list(breach)
        codes = codes_of(breach)
        said = [(codes["Person 1"], TOLD), (codes["Person 2"], CallResult.NO_ANSWER)]
        report(breach, *said)
        before = [(each.id, each.state, each.attempts, each.rank) for each in breach.deliveries()]
        taken = report(breach, *said)
        assert (taken.new, taken.known) == ({}, 2)
        assert [(each.id, each.state, each.attempts, each.rank) for each in breach.deliveries()] == before
        assert_sound(breach)


def test_an_old_list_that_comes_back_again_ends_no_newer_call(tmp_path: Path) -> None:
    with sent(tmp_path, by_phone_only(1)) as breach:
        make_list(breach)
        code = codes_of(breach)["Person 1"]
        report(breach, (code, CallResult.NO_ANSWER), number=1)
        make_list(breach, again=True)
        assert report(breach, (code, CallResult.NO_ANSWER), number=1).known == 1
        assert report(breach, (code, CallResult.REFUSED), number=1).late == 1
        assert breach.account().in_progress == 1
        assert report(breach, (code, TOLD), number=1).new == {TOLD: 1}
        assert breach.account().accepted == 1
        assert_sound(breach)


def test_somebody_who_is_reached_after_all_was_told(tmp_path: Path) -> None:
    with sent(tmp_path, by_phone_only(1)) as breach:
        make_list(breach)
        code = codes_of(breach)["Person 1"]
        report(breach, (code, CallResult.NO_ANSWER))
        assert report(breach, (code, TOLD)).new == {TOLD: 1}
        breach.work()
        assert stands(breach)["C1"] == ("phone", "accepted", "")
        assert breach.deliveries()[0].attempts == 2
        assert_sound(breach)


@pytest.mark.parametrize(
    ("first", "second"), [pair for pair in product(CallResult, CallResult) if pair[0] is not pair[1]]
)
def test_whatever_is_said_after_another_the_record_is_sound_and_told_stands(
    tmp_path: Path, first: CallResult, second: CallResult
) -> None:
    with sent(tmp_path, by_phone_only(1)) as breach:
        make_list(breach)
        code = codes_of(breach)["Person 1"]
        report(breach, (code, first))
        taken = report(breach, (code, second))
        if first is TOLD:
            assert [each.what for each in taken.problems] == [Unfit.TOLD_BEFORE]
        breach.work()
        state = DeliveryState.ACCEPTED if TOLD in (first, second) else DeliveryState.UNREACHABLE
        assert [each.state for each in breach.deliveries()] == [state]
        assert_sound(breach)


def test_where_one_line_does_not_fit_nothing_is_taken(tmp_path: Path) -> None:
    with sent(tmp_path, [*by_phone_only(2), Affected("m", name="M", email="m@example.org")]) as breach:
        make_list(breach)
        codes = codes_of(breach)
        good, other = codes["Person 1"], codes["Person 2"]
        taken = report(
            breach,
            (good, TOLD),
            (code_of(b"k" * 32, "nobody"), TOLD),
            ("nonsense", TOLD),
            (other, TOLD),
            (other, CallResult.REFUSED),
        )
        assert [(each.where, each.what) for each in taken.problems] == [
            ("line 3", Unfit.UNKNOWN_CODE),
            ("line 4", Unfit.NO_CODE),
            ("line 6", Unfit.TWICE),
        ]
        assert breach.account().in_progress == 2
        assert_sound(breach)


def test_who_waits_for_a_later_wave_is_called_once_the_waves_are_over(tmp_path: Path) -> None:
    people = [*by_phone_only(3), *some_people(4)]
    with recording_relay() as relay:
        relay.at_data = lambda address: "451 4.7.1 later"
        breach = make_breach(
            tmp_path,
            people=people,
            relay_port=relay.port,
            fallback={"means": MEANS},
            calls=CENTRE,
            waves={"canary": 1, "watch_minutes": 0},
        )
        breach.release()
        breach.open_sending()
        with pytest.raises(Refused, match="nobody to be called"):
            make_list(breach)
    with sent(tmp_path / "over", people, waves={"canary": 1, "watch_minutes": 0}) as breach:
        assert make_list(breach).row.people == 3
        assert_sound(breach)
        report(breach, *((code, TOLD) for code in codes_of(breach).values()))
        breach.work()
        assert breach.account().accepted == 7
        assert campaign_state(breach) == CampaignState.ENDED
        assert_sound(breach)


def test_who_has_no_address_waits_for_no_wave_that_never_comes(tmp_path: Path) -> None:
    people = [*by_phone_only(3), *some_people(1)]
    with sent(tmp_path, people, waves={"canary": 1, "watch_minutes": 0}) as breach:
        assert campaign_state(breach) == CampaignState.ENDED
        assert make_list(breach).row.people == 3
        assert_sound(breach)
        close(breach)
        breach.work()
        assert campaign_state(breach) == CampaignState.ENDED
        assert_sound(breach)


def test_of_a_household_nobody_is_told_of_another_on_the_phone(tmp_path: Path) -> None:
    shared = {"email": "refused@example.org", "household": "yes"}
    people = [
        Affected("a", name="A", phone="+8613800138000", **shared),
        Affected("b", name="B", phone="+8613800138001", **shared),
        *by_phone_only(1),
    ]
    with sent(tmp_path, people) as breach:
        made = make_list(breach)
        assert (made.row.people, made.left_out) == (1, 2)
        assert [task.ask_for for task in tasks_of(breach)] == ["Person 1"]
        assert_sound(breach)


def test_a_minor_without_a_guardian_s_number_is_called_about_and_not_asked_for(tmp_path: Path) -> None:
    people = [Affected("m", name="M", phone="+8613800138000", born="2016-01-01")]
    with sent(tmp_path, people) as breach:
        make_list(breach)
        [task] = tasks_of(breach)
        assert (task.about, task.phones) == ("M", ("+8613800138000",))
        assert "guardian" in task.ask_for


def test_a_number_that_is_another_s_is_not_called_for_a_later_version(tmp_path: Path) -> None:
    with sent(tmp_path, by_phone_only(2)) as breach:
        make_list(breach)
        codes = codes_of(breach)
        report(
            breach, (codes["Person 1"], CallResult.WRONG_PERSON), (codes["Person 2"], CallResult.NO_ANSWER)
        )
        next_version(breach)
        breach.work()
        assert make_list(breach).row.people == 1
        assert [task.ask_for for task in tasks_of(breach, 2)] == ["Person 2"]
        assert next_of(breach)["C1"] is Way.PUBLIC_NOTICE
        assert_sound(breach)
