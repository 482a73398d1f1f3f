from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from incident.notice.content import NoticeContent
from incident.notice.graphemes import graphemes
from incident.notice.sms_text import sms_text
from incident.notice.stand_ins import name_like, sample_values

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    [
        "张三",
        "Zoë O’Neil-Smith",
        "阿卜杜热西提·麦麦提",
        "𠮷野家",
        "👨‍👩‍👧‍👦 Bo",
        "مريم",
        "क्षितिज",
        "e\u0301" * 5,
        "Ann {x}",
        "Ça va",
        "\u0301a",
    ]
)


@given(NAMES)
@example("\r\n")
@example("€£éÅ")
def test_a_stand_in_measures_as_the_name_does(name: str) -> None:
    other = name_like(name)
    real, shown = sms_text(name), sms_text(other)
    assert (shown.encoding, shown.units, len(shown.segments)) == (
        real.encoding,
        real.units,
        len(real.segments),
    )
    assert len(graphemes(other)) == len(graphemes(name))


@given(st.text(st.characters(categories=["L"]), min_size=1, max_size=30))
def test_no_letter_of_the_name_is_left(name: str) -> None:
    left = set(name) & set(name_like(name))
    assert left <= set("Xxoŵжωسשガ가あアकকகกཀᠠაա某𠀀🙂□")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("张三", "某某"),
        ("Ann Lee-Smith", "Xxx Xxx-Xxxxx"),
        ("Zoé", "Xxo"),
        ("Иван", "жжжж"),
        ("مريم", "سسسس"),
        ("O'Neil 2", "X'Xxxx 0"),
    ],
)
def test_the_script_is_the_same(name: str, shown: str) -> None:
    assert name_like(name) == shown


@pytest.mark.parametrize("language", ["zh-Hans", "en"])
def test_made_up_values_grow_with_their_size(
    contents: Callable[..., dict[str, NoticeContent]], language: str
) -> None:
    content = contents()[language]
    short, usual, long = (sample_values(content, size=size) for size in ("shortest", "sample", "longest"))
    for slot in ("person_name", "data_types_of_person"):
        assert len(short[slot]) <= len(usual[slot]) + 2 <= len(long[slot]) + 2
    assert all(kind in long["data_types_of_person"] for kind in content.data_types or ())
    assert short["person_name"] in ("用户", "customer")


def test_without_any_kind_of_information_there_is_nothing_to_name(
    contents: Callable[..., dict[str, NoticeContent]],
) -> None:
    assert sample_values(contents({"data_categories": None})["en"])["data_types_of_person"] == ""
