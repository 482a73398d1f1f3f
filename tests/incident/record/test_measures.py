from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.errors import BadInput, NotFound
from incident.notice.readability import long_sentences
from incident.record.measures import (
    MeasureTaken,
    Phase,
    measure_catalogue,
    measure_named,
    read_measures,
    summarise_measures,
)

START = datetime(2026, 11, 21, 16, 0, tzinfo=UTC)
ROW = {
    "id": "contain.lock-account",
    "title": {"zh-Hans": "停用账号", "en": "Lock an account"},
    "public": {"zh-Hans": "我们停用了账号。", "en": "We locked the account."},
    "activity": "restrict-access",
}


def taken(action: str, minutes: int = 0, origin: str = "log") -> MeasureTaken:
    return MeasureTaken(action, START + timedelta(minutes=minutes), "wang.fang", "", origin)  # type: ignore[arg-type]


def test_every_containment_action_of_the_design_is_in_the_catalogue() -> None:
    wanted = [
        "lock-account",
        "terminate-session",
        "revoke-credential",
        "restrict-permission",
        "restrict-resource-access",
        "isolate-host",
        "block-ip",
        "block-domain",
        "block-url",
        "block-port",
        "block-sender",
        "quarantine-email",
        "recall-email",
        "quarantine-file",
        "delete-file",
        "block-executable",
        "terminate-process",
        "suspend-process",
        "disable-service",
        "shut-down-host",
        "block-data-transfer",
        "take-down-domain",
        "patch-vulnerability",
        "disable-endpoint",
    ]
    assert {f"contain.{name}" for name in wanted} <= set(measure_catalogue())


def test_each_reversible_measure_is_undone_by_one_that_restores() -> None:
    for measure in measure_catalogue().values():
        assert measure.reversible == (measure.undo is not None)
        if measure.undo is not None:
            assert measure_named(measure.undo).phase is Phase.RESTORE


def test_each_measure_has_a_title_and_a_public_sentence_that_reads_well_in_both_languages() -> None:
    for measure in measure_catalogue().values():
        assert set(measure.title) == set(measure.public) == {"zh-Hans", "en"}
        assert measure.public["zh-Hans"].startswith("我们") and measure.public["zh-Hans"].endswith("。")
        assert measure.public["en"].startswith("We ") and measure.public["en"].endswith(".")
        for language in ("zh-Hans", "en"):
            assert not long_sentences(measure.public[language], language)


def test_an_unknown_measure_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(NotFound, match=r"contain\.lock-account"):
        measure_named("contain.lock-acount")


def test_a_catalogue_whose_undo_does_not_exist_is_refused() -> None:
    with pytest.raises(BadInput, match=r"restore\.nothing"):
        read_measures([ROW | {"undo": "restore.nothing"}], name="own.yaml")


def test_a_catalogue_with_a_strange_key_names_the_row() -> None:
    with pytest.raises(BadInput, match=r"own\.yaml, row contain\.lock-account"):
        read_measures([ROW | {"colour": "red"}], name="own.yaml")


def test_the_same_measure_twice_in_a_catalogue_is_refused() -> None:
    with pytest.raises(BadInput, match="twice"):
        read_measures([ROW, ROW], name="own.yaml")


def test_a_measure_logged_and_run_is_told_once_with_its_first_and_last_time() -> None:
    summary = summarise_measures(
        [
            taken("contain.block-ip", 90),
            taken("contain.block-ip", 5, "run"),
            taken("contain.lock-account", 30),
        ]
    )
    assert [each.measure.id for each in summary] == ["contain.block-ip", "contain.lock-account"]
    assert (summary[0].first, summary[0].last) == (
        START + timedelta(minutes=5),
        START + timedelta(minutes=90),
    )
    assert len(summary[0].taken) == 2


@given(st.lists(st.tuples(st.sampled_from(sorted(measure_catalogue())), st.integers(0, 10_000))))
def test_a_summary_loses_no_measure_and_stands_in_order_of_time(rows: list[tuple[str, int]]) -> None:
    summary = summarise_measures(taken(action, minutes) for action, minutes in rows)
    assert {each.measure.id for each in summary} == {action for action, _ in rows}
    assert sum(len(each.taken) for each in summary) == len(rows)
    assert [each.first for each in summary] == sorted(each.first for each in summary)
