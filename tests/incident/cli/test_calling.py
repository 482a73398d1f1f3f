"""Calling people at the terminal: addresses and deputies, calls, answers, and what every command says meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.chat_desks import ChatDesk, chat_desk
from tests.support.commands import sql
from tests.support.estates import Estate, make_key


@pytest.fixture
def service() -> Iterator[ChatDesk]:
    with chat_desk() as made:
        yield made


def doctor(estate: Estate) -> list[tuple[str, str]]:
    found = estate.run("doctor", "--json").document
    return [(each["state"], each["finding"]) for each in found if each["what"] == "calls"]


def calls(estate: Estate) -> list[dict[str, Any]]:
    asked: list[dict[str, Any]] = estate.done("calls", estate.id, "--json").document["summons"]
    return asked


# -- addresses and deputies ----------------------------------------------------------------------------


def test_addresses_and_a_deputy_are_kept_and_shown_without_secrets(estate: Estate) -> None:
    estate.done("operator", "reach", "anna", "--url", "wecombot://693a91f6-7a3c", "--deputy", "bo")
    estate.done("operator", "reach", "anna", "--url", "env:CALL_ANNA")
    shown = estate.done("operator", "reach", "anna", "--json").document
    assert shown == {"name": "anna", "reach": ["wecombot://…", "env:CALL_ANNA"], "deputy": "bo"}
    listed = estate.done("operator", "list")
    assert "wecombot://…" in listed.out and "693a91f6" not in listed.out
    [anna] = [each for each in estate.done("operator", "list", "--json").document if each["name"] == "anna"]
    assert (anna["reach"], anna["deputy"]) == ("wecombot://…, env:CALL_ANNA", "bo")
    assert b"693a91f6" not in (estate.root / "incident.db").read_bytes()


def test_addresses_are_forgotten_and_a_deputy_taken_away(estate: Estate) -> None:
    estate.done("operator", "reach", "anna", "--url", "env:A", "--url", "env:A", "--deputy", "bo")
    estate.done("operator", "reach", "anna", "--clear", "--url", "env:B")
    assert estate.done("operator", "reach", "anna", "--json").document["reach"] == ["env:B"]
    estate.done("operator", "reach", "anna", "--clear", "--deputy", "")
    answer = estate.done("operator", "reach", "anna")
    assert answer.out == "anna is not called: there is no address\nno deputy\n"


def test_an_operator_is_added_with_address_and_deputy_or_not_at_all(
    estate: Estate, service: ChatDesk
) -> None:
    make_key(estate.root / "zoe")
    add = ("operator", "add", "zoe", "--key", estate.root / "zoe")
    estate.refused(*add, "--reach", "syslog://localhost", says=["scheme"])
    estate.refused(*add, "--deputy", "nobody", says=["no operator nobody"])
    estate.done(*add, "--reach", service.url(), "--deputy", "bo")
    shown = estate.done("operator", "reach", "zoe", "--json").document
    assert shown == {"name": "zoe", "reach": ["json://127.0.0.1"], "deputy": "bo"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["anna", "--url", "syslog://localhost"], "the address 1 cannot be called"),
        (["anna", "--url", "env:A", "--url", "s3cr3t"], "the address 2 cannot be called"),
        (["anna", "--deputy", "anna"], "cannot stand in for themselves"),
        (["anna", "--deputy", "nobody"], "no operator nobody"),
        (["nobody", "--url", "env:A"], "no operator nobody"),
        (["nobody"], "no operator nobody"),
        (["anna", *(f"--url=env:A{number}" for number in range(11))], "11 addresses"),
    ],
)
def test_what_cannot_be_kept_is_refused(estate: Estate, words: list[str], says: str) -> None:
    answer = estate.refused("operator", "reach", *words, says=[says])
    assert "s3cr3t" not in answer.text


def test_a_retired_operator_is_not_called_and_stands_in_for_nobody(estate: Estate) -> None:
    estate.done("operator", "reach", "anna", "--url", "env:A", "--deputy", "bo")
    estate.done("operator", "retire", "bo")
    assert estate.done("operator", "reach", "anna", "--json").document["deputy"] is None
    estate.refused("operator", "reach", "bo", "--url", "env:B", says=["was retired"])


# -- calls and answers ---------------------------------------------------------------------------------


def test_a_person_calls_a_role_and_it_is_called_at_once(estate: Estate, service: ChatDesk) -> None:
    estate.done("operator", "reach", "anna", "--url", service.url("/anna"))
    answer = estate.done("call", estate.id, "--role", "approver", "--text", "the portal of Acme", "--json")
    assert answer.document["calls"][0]["outcome"] == "accepted"
    assert service.texts == [
        f"{estate.id} 需要您处理：有人请您处理\n{estate.id} needs you: somebody asks for you"
    ]
    assert [each["operator"] for each in calls(estate)[0]["calls"]] == ["anna"]
    shown = estate.done("show", estate.id, "--json").document["needs"]
    assert [(each["role"], each["round"], each["unanswered"]) for each in shown] == [("approver", 1, False)]
    assert "needs somebody (approver)" in estate.done("show", estate.id).out
    assert "approver" in estate.done("list").out
    assert "needs somebody" not in estate.done("list").err


def test_one_operator_is_called_by_name(estate: Estate, service: ChatDesk) -> None:
    for name in ("anna", "bo"):
        estate.done("operator", "reach", name, "--url", service.url(f"/{name}"))
    assert "bo is called" in estate.done("call", estate.id, "--operator", "bo").out
    assert service.paths == ["/bo"]


def test_an_answer_ends_the_calls(estate: Estate, service: ChatDesk) -> None:
    estate.done("operator", "reach", "anna", "--url", service.url("/anna"))
    estate.done("call", estate.id, "--role", "responder")
    answer = estate.done("--as", "anna", "ack", estate.id)
    assert "anna is on it" in answer.out and "nothing is decided" in answer.out
    [asked] = calls(estate)
    assert (asked["answered_by"], asked["next_at"], asked["unanswered"]) == ("anna", None, False)
    assert "answered by anna" in estate.done("calls", estate.id).out
    assert "anna 已接手" in estate.done("calls", estate.id, INCIDENT_LANGUAGE="zh-Hans").out
    again = estate.done("--as", "anna", "ack", estate.id, "--json")
    assert again.document == {"incident": estate.id, "answered": []}
    assert "nobody is being called" in estate.done("ack", estate.id).out
    kinds = [
        kind for (kind,) in sql(estate.root, "SELECT kind FROM journal_entry WHERE chain = ?", estate.id)
    ]
    assert kinds.count("summons.answered") == 1


def test_where_nobody_has_an_address_that_is_said_at_once_and_by_every_command(estate: Estate) -> None:
    answer = estate.done("call", estate.id, "--role", "responder")
    assert "nobody can be reached, so nobody is called" in answer.err
    assert answer.out == ""
    for words in (["list"], ["show", estate.id], ["duties", estate.id], ["operator", "list", "--json"]):
        assert f"{estate.id} needs somebody: somebody asks for you" in estate.done(*words).err
    spoken = estate.done("list", INCIDENT_LANGUAGE="zh-Hans")
    assert f"{estate.id} 需要有人处理：有人请您处理" in spoken.err
    assert "UNANSWERED" in estate.done("list").out
    assert "NOBODY ANSWERED" in estate.done("show", estate.id).out
    assert ("fail", f"{estate.id} needs somebody: somebody asks for you") in doctor(estate)
    estate.done("ack", estate.id)
    assert "needs somebody" not in estate.done("list").err


def test_an_address_that_comes_later_is_called_by_the_next_who_works(
    estate: Estate, service: ChatDesk
) -> None:
    estate.done("call", estate.id, "--role", "responder")
    estate.done("operator", "reach", "anna", "--url", service.url("/anna"))
    assert estate.done("call", estate.id, "--role", "responder").code == 0
    estate.done("run", "personal-data-breach", "--on", estate.id)
    assert "/anna" in service.paths


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["call", "{id}"], 2, "say whom to call"),
        (["call", "{id}", "--role", "responder", "--operator", "anna"], 2, "say whom to call"),
        (["call", "{id}", "--role", "king"], 1, "unknown role"),
        (["call", "{id}", "--role", "responder,approver"], 2, "one role"),
        (["call", "{id}", "--operator", "nobody"], 1, "no operator nobody"),
        (["call", "INC-1999-0001", "--role", "responder"], 1, "no incident"),
        (["ack", "INC-1999-0001"], 1, "no incident"),
        (["calls", "INC-1999-0001"], 1, "no incident"),
        (["--as", "nobody", "ack", "{id}"], 1, "no operator nobody"),
    ],
)
def test_what_cannot_be_called_is_refused(estate: Estate, words: list[str], code: int, says: str) -> None:
    estate.refused(*(word.format(id=estate.id) for word in words), says=[says], code=code)


def test_in_a_closed_incident_nobody_is_called_any_more(estate: Estate) -> None:
    estate.done("call", estate.id, "--role", "responder")
    estate.done("close", estate.id, "--reason", "a rehearsal")
    assert "needs somebody" not in estate.done("list").err
    assert calls(estate)[0]["ended_at"] is not None
    estate.refused("call", estate.id, "--role", "responder", says=["closed"])


# -- steps of playbooks --------------------------------------------------------------------------------


def test_a_step_that_waits_calls_whom_it_needs_and_its_answer_settles_it(
    estate: Estate, service: ChatDesk
) -> None:
    for name in ("anna", "carl"):
        estate.done("operator", "reach", name, "--url", service.url(f"/{name}"))
    run = estate.done("run", "personal-data-breach", "--on", estate.id, "--json").document
    waiting = {each["step"] for each in run["waits_for"]}
    asked = {each["about"]: each for each in calls(estate)}
    assert {about.rpartition("(")[2].rstrip(")") for about in asked} == waiting
    assert all(each["role"] == "responder" and each["round"] == 1 for each in asked.values())
    assert {name for each in asked.values() for name in [one["operator"] for one in each["calls"]]} == {
        "anna",
        "carl",
    }
    assert all(estate.id in text and "Member look-up" not in text for text in service.texts)
    first = sorted(waiting)[0]
    estate.done("--as", "anna", "done", run["run"], first)
    settled = [each for each in calls(estate) if each["ended_at"]]
    assert [each["about"] for each in settled] == [f"a step is waiting ({first})"]
    assert settled[0]["answered_by"] is None
    estate.done("cancel", run["run"])
    assert all(each["ended_at"] for each in calls(estate))


def test_the_doctor_says_who_cannot_be_called(estate: Estate, service: ChatDesk) -> None:
    states = dict((finding, state) for state, finding in doctor(estate))
    assert states["not called, without an address: anna, bo, carl"] == "warn"
    assert states["nobody stands in for anna, bo, carl"] == "warn"
    for name, deputy in (("anna", "bo"), ("bo", "anna"), ("carl", "bo")):
        estate.done("operator", "reach", name, "--url", service.url(), "--deputy", deputy)
    assert doctor(estate) == [("ok", "3 operators have an address and a deputy")]
    estate.done("operator", "reach", "anna", "--url", "env:NO_SUCH_ADDRESS", "--url", "slack://incomplete")
    failed = [finding for state, finding in doctor(estate) if state == "fail"]
    assert [finding.partition(":")[0] for finding in failed] == ["anna, env", "anna, slack"]
    assert all("incomplete" not in finding for finding in failed)
    assert service.told == []
