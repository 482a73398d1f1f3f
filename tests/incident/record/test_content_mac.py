"""The MAC of a person's content: the quick way to its text gives the same text, so that stored MACs stay good."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from incident.record.content_mac import content_mac, content_text
from incident.record.person import Contact, PersonRow, person_content
from incident.store.sealing import keyed_hash

KEY = b"k" * 32
texts = st.text(max_size=12) | st.sampled_from(["", "'", '"', "'\"", "\\", "%s", "李\u2028", "🙂"])
contacts = st.builds(Contact, texts, texts, texts)
people = st.builds(
    PersonRow,
    reference=texts,
    contact=contacts,
    language=texts,
    country=texts,
    categories=st.lists(texts, max_size=3).map(tuple),
    birth_date=st.none() | st.dates(date(1900, 1, 1)),
    guardian=contacts,
)


@given(person=people)
def test_the_text_of_a_person_is_that_of_the_sorted_fields(person: PersonRow) -> None:
    content = person_content(person)
    text = repr(sorted(content.items()))
    assert content_text(content) == text
    assert content_mac(KEY, content) == keyed_hash(KEY, "person-content", text)


@given(
    content=st.dictionaries(texts, texts | st.lists(texts, max_size=2), max_size=4),
    more=st.dictionaries(texts, texts, min_size=1, max_size=2),
    person=people,
)
def test_a_content_of_other_fields_has_its_text_too(
    content: dict[str, object], more: dict[str, str], person: PersonRow
) -> None:
    usual = person_content(person)
    for other in (
        content,
        {**usual, **more},
        {**usual, "contact": {**usual["contact"], **more}},
        {**usual, "guardian": more},
        dict(reversed(usual.items())),
    ):
        assert content_text(other) == repr(sorted(other.items()))
