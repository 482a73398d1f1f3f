"""What is particular to each scenario playbook, walked through the machine."""

from __future__ import annotations

from typing import Any

import pytest

from incident.response import events as e
from tests.support.scenarios import (
    check,
)
from tests.support.walks import (
    Walk,
    event_for,
    fail,
    is_time_limit,
    succeed,
    walk,
)

# -- case by case -------------------------------------------------------------------------------------


def positions(one: Walk) -> dict[str, int]:
    return {label: number for number, (label, _, _) in reversed(list(enumerate(one.heard)))}


def test_a_leaked_secret_is_revoked_first_and_its_history_rewritten_last() -> None:
    one = walk("leaked-repository-secret", succeed)
    at = positions(one)
    assert at["revoke-token"] < at["verify-containment"] < at["preserve-evidence"] < at["rewrite-history"]


@pytest.mark.parametrize(
    ("kind", "step"), [("bucket", "bucket-by-hand"), ("database", "close-database"), ("share", "close-share")]
)
def test_public_storage_is_closed_as_its_kind_asks(kind: str, step: str) -> None:
    one = walk("public-storage", succeed, {"__store_kind__": kind})
    closed = {"bucket-by-hand", "close-database", "close-share"} & {label for label, _, _ in one.heard}
    assert closed == {step}


@pytest.mark.parametrize(
    ("leaks", "asked", "closed"), [("yes", False, True), ("no", False, False), ("", True, True)]
)
def test_a_portal_that_leaks_is_closed_at_once_and_else_one_person_is_asked(
    leaks: str, asked: bool, closed: bool
) -> None:
    def answer(effect: Any, label: str) -> e.Event | None:
        if label == "look-whether-it-goes-on" and not is_time_limit(effect):
            return event_for(effect, yes=True, values={"__still_leaking__": leaks})
        return succeed(effect, label)

    one = walk("portal-scraping", answer)
    assert one.asked("approve-closing") is asked
    assert one.asked("endpoint-by-hand") is closed


def test_a_portal_stays_open_where_its_closing_is_rejected() -> None:
    one = walk(
        "portal-scraping",
        lambda effect, label: (fail if label == "approve-closing" else succeed)(effect, label),
    )
    assert not one.asked("endpoint-by-hand")
    assert one.state.outcome is e.Outcome.succeeded


@pytest.mark.parametrize(
    ("recipient", "steps"),
    [
        ("inside", {"recall-inside"}),
        ("entrusted", {"ask-entrusted"}),
        ("outside", {"recall-outside", "ask-recipient"}),
    ],
)
def test_misdirected_mail_is_dealt_with_by_who_received_it(recipient: str, steps: set[str]) -> None:
    one = walk("misdirected-mail", succeed, {"__recipient__": recipient})
    ways = {"recall-inside", "ask-entrusted", "recall-outside", "ask-recipient", "ask-outside"}
    assert ways & {label for label, _, _ in one.heard} == steps


def test_who_received_a_mail_is_asked_where_nobody_knows() -> None:
    one = walk("misdirected-mail", succeed)
    (question,) = [effect for _, effect, _ in one.heard if isinstance(effect, e.AskCase)]
    assert question.cases == ["inside", "entrusted", "outside"]


def test_the_deletion_is_asked_for_again_until_it_is_confirmed_and_five_times_at_most() -> None:
    one = walk("misdirected-mail", succeed)
    asked = [label for label, effect, _ in one.heard if isinstance(effect, e.AskPerson)]
    assert asked.count("ask-for-confirmation") == 5
    assert "not-confirmed" in asked

    def confirms(effect: Any, label: str) -> e.Event | None:
        if label == "ask-for-confirmation" and isinstance(effect, e.AskPerson):
            return event_for(effect, yes=True, values={"__confirmed__": "yes"})
        return succeed(effect, label)

    asked = [
        label
        for label, effect, _ in walk("misdirected-mail", confirms).heard
        if isinstance(effect, e.AskPerson)
    ]
    assert asked.count("ask-for-confirmation") == 1
    assert "not-confirmed" not in asked


def test_a_lost_device_of_unknown_encryption_is_asked_about_and_else_taken_as_open() -> None:
    one = walk("lost-device", fail)
    assert any(isinstance(effect, e.AskCase) and label == "decide-risk" for label, effect, _ in one.heard)
    assert one.asked("assume-disclosed-all-the-same")
    assert not walk("lost-device", succeed, {"__encryption__": "encrypted"}).asked("assume-disclosed")


EVIDENCE = {"preserve-evidence", "preserve-what-is-left"}


@pytest.mark.parametrize("agreed", [True, False])
def test_where_no_evidence_is_left_one_person_decides_whether_hosts_are_isolated(agreed: bool) -> None:
    refused = EVIDENCE | (set() if agreed else {"go-on-without-evidence"})
    one = walk(
        "ransomware-exfiltration",
        lambda effect, label: (fail if label in refused else succeed)(effect, label),
    )
    check(one)
    assert not one.asked("isolate-hosts")
    assert one.asked("carry-on-without-evidence") is agreed
    assert one.asked("send-notice")


def test_a_lost_device_is_not_wiped_without_an_approval() -> None:
    one = walk(
        "lost-device", lambda effect, label: (fail if label == "approve-wipe" else succeed)(effect, label)
    )
    assert not one.asked("wipe-device")


def test_a_silent_supplier_is_asked_twelve_times_and_holds_up_nothing() -> None:
    def silent(effect: Any, label: str) -> e.Event | None:
        return None if label == "ask-supplier-again" else succeed(effect, label)

    one = walk("supplier-breach", silent)
    assert one.asked("send-notice")
    assert one.asked("hand-in-first-report")
    one = walk("supplier-breach", succeed)
    asked = [label for label, effect, _ in one.heard if isinstance(effect, e.AskPerson)]
    assert asked.count("ask-supplier-again") == 12
    assert "supplier-silent" in asked


def test_hosts_with_ransomware_are_isolated_after_their_memory_was_taken_and_publication_is_watched() -> None:
    rounds = iter(["on", "on", "off"])

    def answer(effect: Any, label: str) -> e.Event | None:
        if label == "look-for-publication" and isinstance(effect, e.AskPerson):
            return event_for(effect, yes=True, values={"__watch__": next(rounds)})
        return succeed(effect, label)

    one = walk("ransomware-exfiltration", answer)
    at = positions(one)
    assert at["preserve-evidence"] < at["isolate-hosts"]
    assert next(rounds, None) is None
    assert one.state.outcome is e.Outcome.succeeded
