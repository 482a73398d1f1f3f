from __future__ import annotations

import pytest

from notifiers.errors import CarrierUnreachable
from notifiers.outcome import FINAL, NO_COPY_TAKEN, SAFE_TO_RETRY, Outcome, Result, Stage


def an_outcome(result: Result, stage: Stage, enhanced: str | None = None) -> Outcome:
    return Outcome(result, stage, None, enhanced, "", peer="relay[192.0.2.1]:25", tls=True)


def test_every_result_is_either_safe_to_retry_final_or_ambiguous() -> None:
    assert SAFE_TO_RETRY | FINAL | {Result.ambiguous} == frozenset(Result)
    assert not SAFE_TO_RETRY & FINAL
    assert frozenset(Result) - NO_COPY_TAKEN == {Result.accepted, Result.ambiguous}


def test_a_policy_block_is_not_about_the_recipient() -> None:
    blocked = an_outcome(Result.permanent, Stage.rcpt, "5.7.1")
    assert blocked.blocked and not blocked.about_recipient
    unknown = an_outcome(Result.permanent, Stage.rcpt, "5.1.1")
    assert unknown.about_recipient and not unknown.blocked


@pytest.mark.parametrize("stage", [Stage.mail, Stage.data])
def test_a_refusal_of_our_sender_is_not_about_the_recipient(stage: Stage) -> None:
    assert not an_outcome(Result.permanent, stage, "5.1.8").about_recipient


def test_an_unreachable_carrier_reads_as_not_sent() -> None:
    outcome = CarrierUnreachable(Stage.auth, "no", peer="relay:587", code=535, enhanced="5.7.8").outcome
    assert (outcome.result, outcome.stage, outcome.code) == (Result.not_sent, Stage.auth, 535)
    assert outcome.safe_to_retry and outcome.about_session


def test_a_refusal_of_our_account_would_meet_everybody() -> None:
    refused = an_outcome(Result.permanent, Stage.account)
    assert refused.about_relay and not refused.about_recipient and not refused.about_session
    assert an_outcome(Result.permanent, Stage.reply).about_recipient
