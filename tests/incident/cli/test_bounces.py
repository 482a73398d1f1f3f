"""`incident bounces`: what came back, at the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from incident.delivery.codes import code_of
from incident.store.tables import Delivery
from tests.support.bounced import MAIL, bounce, deliver, make_maildir, return_path_of
from tests.support.breaches import Breach, make_breach, some_people
from tests.support.commands import Answer, run
from tests.support.relays import recording_relay

UNREADABLE = b"From: someone@example.org\r\nTo: notice@example.com\r\n\r\nIt did not arrive.\r\n"


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Breach]:
    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(3), relay_port=relay.port, mail=MAIL)
        make_maildir(breach.made.workspace.root / "bounces")
        breach.release()
        breach.open_sending()
        breach.work()
        yield breach


def called(breach: Breach, *arguments: str) -> Answer:
    return run("--workspace", str(breach.made.workspace.root), *arguments)


def first(breach: Breach) -> Delivery:
    return min(breach.deliveries(), key=lambda row: row.id)


def put(breach: Breach, raw: bytes, name: str = "1.example") -> None:
    deliver(breach.made.workspace.root / "bounces", raw, name)


def test_taking_them_counts_them_and_status_shows_who_was_not_reached(told: Breach) -> None:
    put(told, bounce(to=return_path_of(told, first(told))))
    answer = called(told, "--json", "bounces", "take")
    assert answer.document == {"new": 1, "known": 0, "changed": 1, "unclear": 0, "destroyed": 0}
    [campaign] = called(told, "--json", "notice", "status", told.id).document["campaigns"]
    assert (campaign["accepted"], campaign["returned"]) == (2, 1)
    assert campaign["unreachable"] == {"bad_address": 1} and campaign["adds_up"]
    [line] = called(told, "--json", "deliveries", told.id, "--unreached").document
    assert (line["status"], line["code"], line["attempts"]) == ("5.1.1", None, 1)


def test_a_file_can_be_taken_and_stays(told: Breach, tmp_path: Path) -> None:
    file = tmp_path / "one.eml"
    file.write_bytes(bounce(to=return_path_of(told, first(told))))
    assert called(told, "--json", "bounces", "take", str(file)).document["new"] == 1
    assert called(told, "--json", "bounces", "take", str(file)).document["known"] == 1
    assert file.exists()


@pytest.mark.parametrize(
    ("means", "unreachable"),
    [("returned", {"returned": 1}), ("dead_address", {"bad_address": 1}), ("blocked", {"blocked": 1})],
)
def test_a_person_says_what_an_unclear_one_means(
    told: Breach, means: str, unreachable: dict[str, int]
) -> None:
    put(told, UNREADABLE)
    assert called(told, "--json", "bounces", "take").document["unclear"] == 1
    [line] = called(told, "--json", "bounces", "list").document
    assert line["why"] == "about none of our messages"
    code = code_of(told.made.store.key(told.id), first(told).id)
    answer = called(told, "bounces", "settle", line["message"], told.id, "--code", code, "--means", means)
    assert answer.code == 0 and "where they stand has changed" in answer.out
    assert told.account().unreachable == unreachable
    assert called(told, "--json", "bounces", "list").document == []


def test_a_person_may_be_named_by_the_reference_of_the_list(told: Breach) -> None:
    put(told, UNREADABLE)
    called(told, "bounces", "take")
    answer = called(
        told, "bounces", "settle", "1.example", told.id, "--person", "C00002", "--means", "delivered"
    )
    assert answer.code == 0
    assert told.account().delivered == 1


def test_what_is_about_none_of_ours_can_be_thrown_away(told: Breach) -> None:
    put(told, UNREADABLE)
    called(told, "bounces", "take")
    assert called(told, "bounces", "settle", "1.example", "--discard").code == 0
    assert called(told, "--json", "bounces", "list").document == []
    assert told.account().accepted == 3


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["settle", "9.example", "--discard"], 1, "no such message was put aside"),
        (["settle", "1.example"], 2, "say about whom it is"),
        (["settle", "1.example", "ID", "--code", "K7P2-4M9Q-X5T"], 2, "say what it means"),
        (["settle", "1.example", "ID", "--code", "K7", "--means", "returned"], 1, "no verification code"),
        (
            ["settle", "1.example", "ID", "--person", "X", "--means", "returned"],
            1,
            "nobody with this reference",
        ),
        (["settle", "1.example", "ID", "--discard"], 2, "discarded, or it is about somebody"),
        (["take", "none.eml"], 1, "there is no such file"),
    ],
)
def test_what_cannot_be_done_is_said_clearly_and_the_message_stays(
    told: Breach, arguments: list[str], code: int, says: str
) -> None:
    put(told, UNREADABLE)
    called(told, "bounces", "take")
    answer = called(told, "bounces", *(told.id if each == "ID" else each for each in arguments))
    assert answer.code == code
    assert says in answer.err
    assert len(called(told, "--json", "bounces", "list").document) == 1


def test_without_a_mailbox_it_says_which_setting_is_missing(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    answer = called(breach, "bounces", "take")
    assert answer.code == 1
    assert "mail.bounces" in answer.err
