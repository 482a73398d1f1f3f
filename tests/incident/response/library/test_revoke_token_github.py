"""The part that revokes an exposed token, on a simulator of GitHub's REST API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from incident.response.commands.going_out import GoingOut, host_rule
from incident.response.events import Outcome
from tests.support.clouds import GitHub
from tests.support.parts import Carried, carry_out, part

EXPOSED, OTHER = "ghp_" + "a" * 36, "ghp_" + "b" * 36


@pytest.fixture
def github() -> Iterator[GitHub]:
    with GitHub(EXPOSED, OTHER) as service:
        yield service


def carry(service: GitHub, token: str = EXPOSED, *, answer: bool = True) -> Carried:
    given = {"__github_url__": service.url, "__exposed_token__": token}
    rules = GoingOut(hosts=(host_rule("127.0.0.1"),))
    return carry_out(part("revoke-token-github"), given, rules=rules, secrets={}, answer=answer)


def test_the_token_works_before_and_no_longer_after_and_others_go_on(github: GitHub) -> None:
    done = carry(github)
    assert (done.outcome, done.asked) == (Outcome.succeeded, ["agree"])
    assert github.tokens == {OTHER}
    assert done.measures() == ["contain.revoke-credential"]
    assert done.verified() == {"revoke"}
    assert carry(github).outcome is Outcome.succeeded


def test_without_agreement_nothing_is_sent_for_it_cannot_be_undone(github: GitHub) -> None:
    done = carry(github, answer=False)
    assert (done.outcome, github.asked, github.tokens) == (Outcome.failed, [], {EXPOSED, OTHER})
    assert done.undo() == []


def test_a_token_that_still_works_is_a_question_and_never_verified(github: GitHub) -> None:
    github.deaf = True
    done = carry(github)
    assert (done.asked, done.verified()) == (["agree", "by-hand"], set())


def test_a_token_full_of_quotes_stays_one_token(github: GitHub) -> None:
    carry(github, f'x"], "credentials": ["{OTHER}')
    assert github.tokens == {EXPOSED, OTHER}
    assert all(each.path in {"/credentials/revoke", "/user", "/meta"} for each in github.asked)
    carry(github, f"{OTHER}\r\nX-Evil: 1")
    assert github.tokens == {EXPOSED, OTHER}
    assert all("x-evil" not in each.headers for each in github.asked)
