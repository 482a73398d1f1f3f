"""Plain tables: nothing is lost, nothing is wider than it should be, Chinese lines up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from incident.cli.columns import as_columns
from incident.folding import fold, text_width

texts = st.text(st.sampled_from("ab Z0-，。泄露事件（“《》”）…%ée\u0301\n"), max_size=60)


def test_chinese_lines_up_with_ascii() -> None:
    lines = as_columns(("Fact", "Title"), [("persons", "涉及人数"), ("a", "x")], width=80)
    assert lines == [
        "Fact     Title",
        "───────  ────────",
        "persons  涉及人数",
        "a        x",
    ]


def test_a_long_text_is_folded_between_words_and_the_first_column_stays_whole() -> None:
    lines = as_columns(
        ("Incident", "Title"), [("INC-2026-0001", "a customer list on a public share")], width=30
    )
    assert lines == [
        "Incident       Title",
        "─────────────  ───────────────",
        "INC-2026-0001  a customer list",
        "               on a public",
        "               share",
    ]


def test_chinese_is_folded_between_signs_and_no_line_begins_with_a_closing_mark() -> None:
    assert fold("是：1 小时内向公安机关报告（《办法》第四条）；否：及时", 14) == [
        "是：1 小时内向",
        "公安机关报告",
        "（《办法》第四",
        "条）；否：及时",
    ]
    assert fold("如果是“1,000,000 以上”，即可确定", 13) == ["如果是", "“1,000,000 以", "上”，即可确定"]


def test_a_table_without_rows_has_its_headings() -> None:
    assert as_columns(("A", "Bee"), [], width=80) == ["A  Bee", "─  ───"]


@given(texts, st.integers(2, 30))
def test_folding_keeps_every_character_and_the_width(text: str, width: int) -> None:
    lines = fold(text, width)
    assert all(text_width(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(st.lists(st.tuples(st.just("INC-1"), texts, texts), max_size=4), st.integers(40, 80))
def test_no_line_is_wider_than_the_table(rows: list[tuple[str, str, str]], width: int) -> None:
    lines = as_columns(("Incident", "Title", "What"), rows, width=width)
    assert all(text_width(line) <= width for line in lines)
