from __future__ import annotations

import pytest

from notifiers.outcome import Outcome, Result, Stage
from notifiers.twilio.codes import MEANINGS, STOPPED, Verdict, meaning_of


@pytest.mark.parametrize(
    ("code", "result", "stage"),
    [
        (20003, Result.permanent, Stage.account),
        (20429, Result.temporary, Stage.account),
        (21211, Result.permanent, Stage.reply),
        (21408, Result.permanent, Stage.reply),
        (21606, Result.permanent, Stage.account),
        (STOPPED, Result.permanent, Stage.reply),
        (21611, Result.temporary, Stage.account),
        (21612, Result.permanent, Stage.reply),
        (21614, Result.permanent, Stage.reply),
        (21617, Result.permanent, Stage.account),
        (30001, Result.temporary, Stage.account),
        (30002, Result.permanent, Stage.account),
        (30003, Result.temporary, Stage.reply),
        (30005, Result.permanent, Stage.reply),
        (30006, Result.permanent, Stage.reply),
        (30007, Result.permanent, Stage.account),
        (63017, Result.temporary, Stage.account),
        (10004, Result.temporary, Stage.account),
        (10005, Result.permanent, Stage.account),
        (13224, Result.permanent, Stage.reply),
        (13225, Result.permanent, Stage.reply),
        (13227, Result.permanent, Stage.reply),
        (21205, Result.permanent, Stage.account),
        (21210, Result.permanent, Stage.account),
        (21214, Result.permanent, Stage.reply),
        (21215, Result.permanent, Stage.reply),
        (21216, Result.permanent, Stage.reply),
        (21217, Result.permanent, Stage.reply),
        (21219, Result.permanent, Stage.account),
        (34002, Result.temporary, Stage.reply),
        (573005, Result.permanent, Stage.account),
    ],
)
def test_a_code_says_whether_it_is_about_the_person_or_about_us(
    code: int, result: Result, stage: Stage
) -> None:
    meaning = meaning_of(code)
    assert (meaning.result, meaning.stage) == (result, stage)


@pytest.mark.parametrize("code", [0, 21799, 403, 99999])
def test_a_code_that_is_not_known_is_nobody_s_fault(code: int) -> None:
    meaning = meaning_of(code)
    assert meaning.verdict is Verdict.unknown
    outcome = Outcome(meaning.result, meaning.stage, code, None, meaning.text, peer="p", tls=True)
    assert outcome.about_relay and not outcome.about_recipient


def test_every_code_stands_once_and_says_something() -> None:
    assert len(MEANINGS) > 55
    for code, meaning in MEANINGS.items():
        assert meaning.code == code
        assert meaning.text.endswith(f"(Twilio {code})")
        assert meaning.stage in (Stage.account, Stage.reply)
