"""`incident containment` and `incident undo`, as somebody types them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.accounts import CONTAINING, AccountService
from tests.support.estates import Estate
from tests.support.runs import install


@pytest.fixture
def service() -> Iterator[AccountService]:
    with AccountService() as found:
        yield found


def contained(estate: Estate, service: AccountService) -> str:
    """The run that locked the account; it waits for the interface to be closed by hand."""
    install(estate.root, "contain", CONTAINING.replace("RADIUS", "one-service"))
    given = ("--var", "account=mallory", "--var", f"service={service.url}")
    return str(estate.done("run", "contain", "--on", estate.id, *given, "--json").document["run"])


def test_what_is_contained_is_listed_kept_and_taken_back(estate: Estate, service: AccountService) -> None:
    run = contained(estate, service)
    lock, sessions = estate.done("containment", estate.id, "--json").document
    assert (lock["containment"], lock["state"], lock["run"], lock["step"]) == ("C1", "in_force", run, "lock")
    assert lock["on"] == [{"en": "Account service", "zh-Hans": "账号服务"}]
    assert (lock["blast_radius"], lock["way_back"], lock["undo_kinds"]) == (
        "one-service",
        "commands",
        ["http-api"],
    )
    assert sessions["way_back"] == "none"
    listed = estate.done("containment").out
    assert f"incident undo {run} --step C1" in listed
    assert "账号服务" in listed or "Account service" in listed
    kept = estate.done(
        "containment", "keep", estate.id, "C1", "--until", "+48h", "--reason", "the phone is lost", "--json"
    )
    assert kept.document["until"] > lock["until"]

    shown = estate.done("undo", run, "--step", "lock", "--dry-run", "--json").document
    assert [each["kind"] for each in shown["would_do"]] == ["ask_approval", "http-api", "ask_person"]
    assert shown["would_do"][1]["request"] == f"POST {service.url}/unlock"
    assert service.url.removeprefix("http://") in estate.done("undo", run, "--dry-run").out
    assert not service.session_works("mallory")

    undoing = estate.done(
        "--as", "anna", "undo", run, "--step", "lock", "--reason", "over", "--json"
    ).document
    assert [each["step"] for each in undoing["waits_for"]] == ["approve"]
    again = estate.run("undo", run, "--step", "lock")
    assert again.code == 1
    assert f"being taken back by {undoing['run']}" in again.text
    estate.done("--as", "bo", "approve", undoing["run"], "approve")
    assert service.session_works("mallory")
    assert estate.done("containment", estate.id, "--json").document[0]["state"] == "undone"
    assert "telecom_outage" in estate.done("show", estate.id, "--json").text


def test_the_time_that_runs_is_shown_to_those_who_grade(estate: Estate, service: AccountService) -> None:
    contained(estate, service)
    for words in (("containment", estate.id), ("grade", estate.id), ("ask", estate.id)):
        assert "C1" in estate.done(*words).out.splitlines()[-1]


def test_an_incident_is_not_closed_over_what_could_still_be_taken_back(
    estate: Estate, service: AccountService
) -> None:
    run = contained(estate, service)
    refused = estate.run("close", estate.id, "--reason", "over")
    assert refused.code == 1 and "C1" in refused.text and "--containment-stays" in refused.text
    assert "C2" not in refused.text, "nothing takes back that sessions were ended"
    assert estate.done("show", estate.id, "--json").document["state"] == "open"
    estate.done("cancel", run)
    estate.done("close", estate.id, "--reason", "over", "--containment-stays")
    assert estate.done("show", estate.id, "--json").document["state"] == "closed"
    assert not service.session_works("mallory")
