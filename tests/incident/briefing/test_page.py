"""One page: what fits, what is left out, and how text is folded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from incident.briefing.page import (
    LONGEST,
    ROOM,
    fit,
    folded,
    on_one_line,
    room_of,
    shortened,
    tidy,
    width_of,
)
from incident.briefing.sheet import Line, Section

TEXTS = st.text(st.sampled_from("ab 。，中文字的é\n\t\u200b"), max_size=900)
LINES = st.builds(
    Line,
    text=TEXTS,
    label=TEXTS,
    note=TEXTS,
    marks=st.lists(st.sampled_from(["assumed", "未经法务审核", "OVERDUE"]), max_size=3).map(tuple),
)
SECTIONS = st.lists(
    st.builds(
        Section,
        key=st.sampled_from("abc"),
        title=st.just("Title"),
        lines=st.lists(LINES, max_size=12).map(tuple),
        least=st.integers(1, 6),
    ),
    min_size=1,
    max_size=9,
)


@given(SECTIONS)
def test_whatever_there_is_fits_on_the_page(sections: list[Section]) -> None:
    assert sum(map(room_of, fit(sections))) <= ROOM


@given(SECTIONS)
def test_what_is_left_out_is_counted_and_each_section_keeps_its_first_line(sections: list[Section]) -> None:
    filled = [section for section in sections if section.lines]
    kept = fit(sections)
    assert len(kept) == len(filled)
    for before, after in zip(filled, kept, strict=True):
        assert len(after.lines) + after.hidden == len(before.lines)
        assert after.lines
        assert after.lines[0].text == shortened(
            on_one_line(before.lines[0].text), width_of(after.lines[0].text) + 2
        )


def test_what_fits_is_not_cut() -> None:
    section = Section("known", "What is known", (Line("It began.", label="When"), Line("It ended.")))
    assert fit([section]) == (section,)


def test_lines_go_from_the_end_of_the_longest_section() -> None:
    short = Section("a", "A", tuple(Line(f"short {number}") for number in range(3)), least=3)
    long = Section("b", "B", tuple(Line(f"long {number}") for number in range(80)), least=2)
    first, second = fit([short, long])
    assert first == short
    assert [line.text for line in second.lines] == [f"long {number}" for number in range(len(second.lines))]
    assert second.hidden == 80 - len(second.lines) > 0


def test_a_long_text_ends_in_an_ellipsis_within_its_places() -> None:
    cut = shortened("字" * 400, 100)
    assert cut.endswith("…")
    assert width_of(cut) <= 100
    assert shortened("short", 100) == "short"


def test_what_a_person_typed_stays_in_its_line() -> None:
    section = tidy(Section("a", "A", (Line("one\ntwo\u202ethree\x07\tfour"),)))
    assert section.lines[0].text == "one twothree four"


@given(st.text(st.sampled_from("ab cd 中文，。）é"), max_size=400), st.integers(10, 90))
def test_folding_loses_nothing_but_spaces_and_keeps_to_the_width(text: str, width: int) -> None:
    rows = folded(text, width)
    assert "".join(rows).replace(" ", "") == text.replace(" ", "")
    # Punctuation that must not begin a line may hang over its end.
    assert all(width_of(row.rstrip("，。）")) <= max(width, LONGEST_WORD) for row in rows)


LONGEST_WORD = 64


def test_no_row_begins_with_a_mark_that_belongs_to_the_row_before() -> None:
    rows = folded("这是一句用来换行的话，后面还有一句。" * 12, 40)
    assert len(rows) > 5
    assert not [row for row in rows if row[0] in "，。"]


def test_a_text_that_is_too_long_is_kept_to_the_longest() -> None:
    line = tidy(Section("a", "A", (Line("word " * 400),))).lines[0]
    assert width_of(line.text) <= LONGEST
