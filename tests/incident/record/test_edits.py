"""Of what people wrote for the notice, the newest of each part and language counts, in whatever order rows are read."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from incident.record.edits import EditKind, edits_in_force

PARTS = st.tuples(st.sampled_from(["cause", "planned", "subject"]), st.sampled_from(["en", "zh-Hans"]))
WRITTEN = st.lists(st.tuples(PARTS, st.sampled_from(EditKind), st.text(min_size=1)), max_size=20)


def image(number: int, part: tuple[str, str], kind: EditKind, text: str) -> dict[str, Any]:
    return {
        "number": number,
        "place": part[0],
        "language": part[1],
        "edited_at": f"2026-11-22T03:{number:02}:00+00:00",
        "edited_by": "wang.fang",
        "content": {"kind": str(kind), "text": text},
    }


@given(WRITTEN, st.randoms())
def test_the_newest_counts_and_what_is_drafted_again_counts_no_more(
    written: list[tuple[tuple[str, str], EditKind, str]], chance: Any
) -> None:
    expected: dict[tuple[str, str], tuple[EditKind, str]] = {}
    images = []
    for number, (part, kind, text) in enumerate(written, start=1):
        images.append(image(number, part, kind, text))
        if kind is EditKind.DRAFTED:
            expected.pop(part, None)
        else:
            expected[part] = (kind, text)
    chance.shuffle(images)
    assert {
        (edit.place, edit.language): (edit.kind, edit.text) for edit in edits_in_force(images)
    } == expected
