"""`incident plan`: what a person reads before everybody is told, and while they are."""

from __future__ import annotations

import pytest

from tests.support.estates import Estate, with_people, with_release
from tests.support.relays import recording_relay

BOUGHT = """
[plan]
mail_per_second = 0.5
sms_per_second = 10
letter_price = 1.2
seats = 1
minutes_per_call = 10
hours_a_day = 10
callers_percent = 50

[sms]
price = 0.05
"""


def bought(estate: Estate, more: str = BOUGHT) -> Estate:
    estate.settings_file.write_text(estate.settings_file.read_text("utf-8") + more, "utf-8")
    return estate


def test_before_anything_is_known_it_says_what_is_not_and_where_to_say_it(estate: Estate) -> None:
    with_people(estate)
    answer = estate.done("plan", estate.id)
    assert "6 people on the list" in answer.out
    for key in ("[plan] mail_per_second", "[plan] seats", "[plan] callers_percent"):
        assert f"({key} in incident.toml)" in answer.out
    document = estate.done("plan", estate.id, "--json").document
    assert document["begun"] is False
    assert document["email"]["holds"] is None
    assert document["email"]["rates"] == []
    assert document["list"]["listed"] == 6


def test_what_was_bought_says_how_long_it_takes_and_whether_it_holds(estate: Estate) -> None:
    bought(with_people(estate))
    document = estate.done("plan", estate.id, "--json").document
    [pace] = document["email"]["paces"]
    assert pace["seconds"] == document["email"]["messages"] / 0.5
    assert document["email"]["rates"] == [{"per_second": 0.5, "source": "contract"}]
    assert document["call_centre"] == {"calls_a_day": 60, "seats_needed": None}
    assert pace["calls_a_day"] == document["email"]["people"] / 2
    assert (document["email"]["holds"], document["deadline"]["own"]) == (True, True)
    text = estate.done("plan", estate.id).out
    assert "what the relay takes by contract" in text
    assert "to spare" in text
    assert "1 seat answers 60 calls a day" in text


def test_waves_and_the_time_between_them_are_told_before_a_sending(estate: Estate) -> None:
    bought(with_people(estate))
    assert estate.done("plan", estate.id, "--json").document["waves"] == {"waves": 1, "watching_minutes": 0}
    bought(estate, "\n[waves]\ncanary = 2\n")
    assert "waves: 2, watching 2 minutes" in estate.done("plan", estate.id).out


def test_a_start_after_the_deadline_does_not_hold(estate: Estate) -> None:
    bought(with_people(estate))
    document = estate.done("plan", estate.id, "--start", "+400d", "--json").document
    assert document["email"]["holds"] is False
    assert "missed by" in estate.done("plan", estate.id, "--start", "+400d").out
    estate.refused("plan", estate.id, "--start", "soonish", says=["--start"])


def test_a_limit_over_all_workers_decides_where_it_is_the_slowest(estate: Estate) -> None:
    bought(with_people(estate))
    estate.done("engine", "limits", "--mail-per-second", "0.1")
    text = estate.done("plan", estate.id).out
    assert "0.1 a second: the limit over all workers (decides)" in text


def test_in_chinese_it_is_chinese(estate: Estate) -> None:
    bought(with_people(estate))
    text = estate.done("plan", estate.id, INCIDENT_LANGUAGE="zh-Hans").out
    assert "名单共 6 人" in text
    assert "与邮件服务商约定的速率" in text
    assert "尚余" in text


def test_after_the_sending_it_says_that_it_is_over(estate: Estate) -> None:
    with_release(estate)
    with recording_relay() as relay:
        estate.change_settings("port = 9", f"port = {relay.port}")
        estate.done("notice", "send", estate.id)
    answer = estate.done("plan", estate.id)
    assert "The sending is over." in answer.out
    assert "deadline" not in answer.out
    assert estate.done("plan", estate.id, "--json").document["email"]["messages"] == 0


def test_an_empty_list_has_nothing_to_plan(estate: Estate) -> None:
    assert "There is nobody who can be told by e-mail." in estate.done("plan", estate.id).out


@pytest.mark.parametrize(
    ("line", "key"),
    [("seats = 0", "seats"), ("callers_percent = 101", "callers_percent"), ("mail_per_second = 0", "mail")],
)
def test_a_number_that_cannot_be_is_refused_by_its_key(estate: Estate, line: str, key: str) -> None:
    bought(estate, f"\n[plan]\n{line}\n")
    estate.refused("plan", estate.id, says=[key])


def test_a_hold_that_stands_is_told(estate: Estate) -> None:
    with_people(estate)
    assert estate.done("plan", estate.id, "--json").document["held"] is False
    estate.done("hold", "add", estate.id, "--by", "police", "--until", "+1h")
    assert "a hold stands" in estate.done("plan", estate.id).out
    assert estate.done("plan", estate.id, "--json").document["held"] is True


def test_an_incident_that_is_not_there_is_refused(estate: Estate) -> None:
    estate.refused("plan", "INC-2001-0001", says=["INC-2001-0001"])
