"""The timeline tells in order what was done, decided, ordered and held back, and never what counsel wrote."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from incident.proof.coordination import _EFFECTS, _OUTCOMES, _WORDS
from incident.record.instructions import OrderEffect
from incident.record.summons import CallState
from tests.support.estates import Estate, make_key

NOTE = "we should have known since March"


@pytest.fixture(scope="module")
def lived(first_estate: Estate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """An incident in which people held back, ordered, decided, worked and wrote to counsel."""
    folder = tmp_path_factory.mktemp("timeline")
    estate = first_estate.copy_to(folder / "workspace")
    file = folder / "access.log"
    file.write_text("192.0.2.7")
    taken = estate.done("evidence", "add", estate.id, file, "--json").document["evidence"]
    anna = ("--as", "anna")
    estate.done(
        *(*anna, "hold", "add", estate.id, "--by", "police", "--officer", "Li Si", "--paper", "No. 7"),
        *("--until", "+24h", "--covers", "people,public", "--reason", "they watch the buyer"),
    )
    estate.done("hold", "extend", estate.id, "H1", "--until", "+48h")
    estate.done(
        *(
            "instruction",
            "add",
            estate.id,
            "hand in the access logs",
            "--from",
            "CAC",
            "--officer",
            "Wang Wu",
        ),
        *("--effect", "require", "--at", "-10m", "--due", "+4h"),
    )
    estate.done(*anna, "instruction", "settle", estate.id, "I1", "--how", "handed in on a disk")
    estate.done(
        *(*anna, "decide", estate.id, "--question", "Stop the service?", "--option", "yes", "--option", "no"),
        *("--decision", "no", "--reasons", "the leak is closed"),
    )
    estate.done("task", "add", estate.id, "call the host", "--owner", "外部律师", "--due", "+2h")
    estate.done("--as", "bo", "task", "done", estate.id, "T1", "--result", "they cut it off")
    estate.done("task", "add", estate.id, "write to the host")
    estate.done("task", "drop", estate.id, "T2", "--reason", "they called back")
    estate.done("--as", "bo", "evidence", "verify", estate.id)
    estate.done(
        *(*anna, "evidence", "take", estate.id, taken, "-o", folder / "copy", "--to", "Officer Li"),
        *("--reason", "the police asked"),
    )
    estate.done(*anna, "hold", "lift", estate.id, "H1", "--reason", "Li Si agreed at 09:10")
    _write_to_counsel(estate)
    yield estate


def _write_to_counsel(estate: Estate) -> None:
    key = estate.root.parent / "lex"
    make_key(key)
    estate.done("operator", "add", "lex", "--key", key, "--roles", "counsel")
    estate.done("--as", "lex", "counsel", "add", estate.id, NOTE)


def _told(estate: Estate, language: str = "en") -> list[tuple[str, str, str]]:
    events = estate.done("timeline", estate.id, "--json", INCIDENT_LANGUAGE=language).document["events"]
    return [(each["kind"], each["text"], each["by"]) for each in events]


@pytest.mark.parametrize(
    ("kind", "parts", "by"),
    [
        ("hold", ["H1 placed for police, Li Si (No. 7): silence until ", "about messages to people, public pages: they watch the buyer"], "anna"),
        ("hold", ["H1 lasts longer: until "], "account "),
        ("hold", ["H1 lifted: Li Si agreed at 09:10"], "anna"),
        ("instruction", ["I1 by CAC, Wang Wu: do, due ", ": hand in the access logs"], "account "),
        ("instruction", ["I1 settled: handed in on a disk"], "anna"),
        ("decided", ["D1: Stop the service? Decided: no: the leak is closed"], "anna"),
        ("task", ["T1 for 外部律师: call the host, due "], "account "),
        ("task", ["T1 done: they cut it off"], "bo"),
        ("task", ["T2 dropped: they called back"], "account "),
        ("evidence", ["looked at: it is the one that was taken in"], "bo"),
        ("evidence", ["copied out for Officer Li: the police asked"], "anna"),
        ("counsel", ["a note for counsel was written, N1; it is not shown here"], "lex"),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_each_kind_is_told_once_with_who_did_it(lived: Estate, kind: str, parts: list[str], by: str) -> None:
    found = [each for each in _told(lived) if each[0] == kind and all(part in each[1] for part in parts)]
    assert len(found) == 1, _told(lived)
    assert found[0][2].startswith(by)


def test_it_is_told_in_chinese_too(lived: Estate) -> None:
    said = [text for _, text, _ in _told(lived, "zh-Hans")]
    for part in (
        "H1 暂缓对外：police、Li Si（No. 7）要求在 ",
        "前保持沉默，范围：给个人的通知、公开页面：they watch the buyer",
        "H1 延长至 ",
        "H1 解除：Li Si agreed at 09:10",
        "I1 CAC、Wang Wu指示：要求履行，期限 ",
        "I1 已办结：handed in on a disk",
        "D1 Stop the service? 决定：no：the leak is closed",
        "T1 交外部律师办理：call the host，期限 ",
        "T1 已完成：they cut it off",
        "T2 已取消：they called back",
        "核验：与入库时一致",
        "取出副本，交Officer Li：the police asked",
        "律师留存记录 N1，此处不显示内容",
    ):
        assert len([text for text in said if part in text]) == 1, part


def test_a_hold_is_told_with_the_end_that_it_had_and_then_with_the_new_one(lived: Estate) -> None:
    texts = [text for kind, text, _ in _told(lived) if kind == "hold"]
    [placed], [longer] = ([each for each in texts if word in each] for word in ("placed", "longer"))
    first = placed.split("until ")[1].split(", about")[0]
    assert first < longer.split("until ")[1]


def test_events_come_in_the_order_in_which_they_happened(lived: Estate) -> None:
    events = lived.done("timeline", lived.id, "--json").document["events"]
    times = [datetime.fromisoformat(each["at"]) for each in events]
    assert times == sorted(times)
    given = next(each for each in events if each["kind"] == "instruction" and "settled" not in each["text"])
    assert datetime.fromisoformat(given["at"]) < datetime.fromisoformat(given["recorded_at"])


@pytest.mark.parametrize("words", [(), ("--json",)], ids=["table", "json"])
def test_what_counsel_wrote_is_nowhere(lived: Estate, words: tuple[str, ...]) -> None:
    for language in ("en", "zh-Hans"):
        answer = lived.done("timeline", lived.id, *words, INCIDENT_LANGUAGE=language)
        assert NOTE not in answer.text


def test_an_answer_that_nobody_knows_is_told(estate: Estate) -> None:
    estate.done("set", estate.id, "persons=unknown", "--said-by", "the dba")
    assert any("persons" in text and "not known yet (the dba" in text for _, text, _ in _told(estate))


def test_a_task_shows_on_the_screen_beside_all_else(lived: Estate, tmp_path: Path) -> None:
    said = lived.done("timeline", lived.id).out
    assert "T1 done: they cut it off" in said
    assert "closed the interface" in said


def test_who_was_called_and_who_answered_is_told_in_both_languages(estate: Estate) -> None:
    estate.done("--as", "anna", "call", estate.id, "--role", "approver")
    estate.done("--as", "bo", "ack", estate.id)
    for language, asked, answered in (
        ("en", "approver needed: ", "bo is on it: "),
        ("zh-Hans", "需要 approver 处理：", "bo 已接手："),
    ):
        said = [text for kind, text, _ in _told(estate, language) if kind == "summons"]
        assert [each.startswith(start) for each, start in zip(said, (asked, answered), strict=True)] == [
            True,
            True,
        ]


def test_both_languages_have_all_words() -> None:
    assert set(_WORDS["en"]) == set(_WORDS["zh-Hans"])
    assert set(_EFFECTS) == set(OrderEffect)
    assert set(_OUTCOMES) == set(CallState)
