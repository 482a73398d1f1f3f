"""A language is data: its files are checked as a whole, and nothing of another language stands in for it."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import incident.notice
from incident.errors import BadInput, NotFound
from incident.notice.audience import Audience
from incident.notice.language_keys import faults_of_text
from incident.notice.languages import languages_in, shipped_languages
from incident.notice.readability import length_of, sentences
from incident.workspace import shipped

SHIPPED = shipped("templates")
ZONE = ZoneInfo("Asia/Shanghai")


def copy_of(tag: str, folder: Path, *, named: str = "xx") -> Path:
    """A folder of templates with a copy of a shipped language under another tag."""
    shutil.copytree(SHIPPED / "notice" / tag, folder / "notice" / named)
    return folder / "notice" / named / "language.yaml"


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


def test_no_code_of_the_notice_asks_which_language_it_is() -> None:
    sources = Path(incident.notice.__file__).parent.glob("*.py")
    asked = [file.name for file in sources if re.search(r"[=!]= \"(zh-Hans|en)\"", file.read_text("utf-8"))]
    assert asked == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("  began: It began on {date}.\n", "", "began is missing"),
        ("It began on {date}.", "It began on {day}.", "began holds {day}; its values are {date}"),
        ("It began on {date}.", "It began.", "began lacks {date}"),
        ("It began on {date}.", "It began on {date.__class__}.", "began holds {date.__class__}"),
        ("It began on {date}.", "It began on {date.", "began holds a brace"),
        ("  sorry: We are sorry that this happened.\n", "", "sorry is missing"),
        ("  sorry:", "  regret: Oh.\n  sorry:", "regret is no text of a language"),
        ("  sorry: We are sorry that this happened.", "  sorry: no\n", "sorry is empty"),
        ("  insider: a person", "  insiders: a person", "insider is missing"),
        ("  integrity: altered\n", "", "integrity is missing"),
        ("    - December\n", "", "months has 11 names"),
        ('within_month: "{day} to', 'within_month: "{dayy} to', "within_month holds {dayy}"),
        ("fonts: \"-apple", "fonts: \"</style>-apple", "does not have the form"),
        ("  counts: words", "  counts: syllables", "'words' or 'characters'"),
        ("    unnamed_child: your child\n", "", "guardian: unnamed_child is missing"),
        ("    subject: About your information at {organisation}", "    subject: About you", "young: subject lacks {organisation}"),
        ("affected the personal information of {child}.", "affected personal information.", "guardian: mail_opening lacks {child}"),
        ("      mail_dear: To {name}\n", "", "organisation: mail_dear is missing"),
        ("  hedges: [may,", "  hedgehogs: [may,", "hedges is missing"),
        ("name: English\n", "nom: English\n", "name"),
    ],
)  # fmt: skip
def test_a_language_that_lacks_something_is_refused_with_its_file_and_key(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    file = copy_of("en", tmp_path)
    change(file, old, new.replace("sorry: no", 'sorry: " "'))
    with pytest.raises(BadInput) as refusal:
        languages_in([tmp_path])["xx"]
    assert says in refusal.value.what
    assert str(file) in str(refusal.value.where) and "line" in str(refusal.value.where)


def test_an_unknown_language_is_refused_with_those_that_are_there(tmp_path: Path) -> None:
    copy_of("en", tmp_path)
    with pytest.raises(NotFound, match="no language 'fr'") as refusal:
        languages_in([tmp_path, SHIPPED])["fr"]
    assert "xx" in str(refusal.value.next_step) and "zh-Hans" in str(refusal.value.next_step)


@pytest.mark.parametrize("tag", ["../notice/en", ".", "..", "en/..", ""])
def test_a_tag_is_no_path(tag: str) -> None:
    with pytest.raises(NotFound):
        languages_in([SHIPPED])[tag]
    assert tag not in languages_in([SHIPPED])


def test_a_workspaces_own_file_wins_and_is_read_anew_when_it_changes(tmp_path: Path) -> None:
    file = copy_of("en", tmp_path, named="en")
    change(file, "It began on {date}.", "It started on {date}.")
    languages = languages_in([tmp_path, SHIPPED])
    assert languages["en"].say("began", date="1 May") == "It started on 1 May."
    assert shipped_languages()["en"].say("began", date="1 May") == "It began on 1 May."
    change(file, "It started on {date}.", "On {date} it all began.")
    assert languages["en"].say("began", date="1 May") == "On 1 May it all began."


def test_what_nobody_wrote_in_a_language_is_never_taken_from_another(tmp_path: Path) -> None:
    copy_of("en", tmp_path)
    own = languages_in([tmp_path])["xx"]
    texts = {"en": "phone number", "zh-Hans": "手机号码"}
    assert own.printed("categories", "phone_number", "title", texts) is None
    (tmp_path / "notice/xx/catalogue.yaml").write_text(
        "categories:\n  phone_number: {title: numru, harm: Ħsara., advice: Oqgħod attent.}\n", "utf-8"
    )
    assert languages_in([tmp_path])["xx"].printed("categories", "phone_number", "title", texts) == "numru"
    assert shipped_languages()["en"].printed("categories", "phone_number", "title", texts) == "phone number"


def test_a_number_and_a_list_are_written_as_the_language_writes_them() -> None:
    shown = {tag: language.number(1234567) for tag, language in shipped_languages().items()}
    assert set(shown.values()) == {"1,234,567"}
    english, chinese = shipped_languages()["en"], shipped_languages()["zh-Hans"]
    lists = (["a"], ["a", "b"], ["a", "b", "c"])
    assert [english.joined(words) for words in lists] == ["a", "a and b", "a, b and c"]
    assert chinese.joined(["泄露", "丢失"]) == "泄露、丢失"


DAYS = st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1))  # noqa: DTZ001 - Hypothesis wants them without a zone


@given(first=DAYS, last=DAYS)
def test_two_days_are_told_with_nothing_left_open(first: datetime, last: datetime) -> None:
    begin, end = sorted((first.replace(tzinfo=UTC), last.replace(tzinfo=UTC)))
    for language in shipped_languages().values():
        shown = language.days(begin, end, ZONE)
        assert "{" not in shown and str(end.astimezone(ZONE).day) in shown
        assert str(begin.astimezone(ZONE).year) in shown
        if begin.astimezone(ZONE).date() == end.astimezone(ZONE).date():
            assert shown == language.day(begin, ZONE)


@given(text=st.text(alphabet="a{}.{date}[0]!:x", max_size=12))
def test_a_text_that_passes_can_be_filled(text: str) -> None:
    if not list(faults_of_text("began", text, "date?")):
        assert text.format(date="1 May") is not None


@given(text=st.text(max_size=200))
def test_any_text_can_be_measured(text: str) -> None:
    for language in shipped_languages().values():
        parts = sentences(text, language)
        assert all(part.strip() == part and part for part in parts)
        assert sum(length_of(part, language) for part in parts) <= max(len(text), 1)


def test_every_audience_has_its_words_in_every_shipped_language() -> None:
    for language in shipped_languages().values():
        openings = {language.word("mail_opening", audience) for audience in Audience}
        assert len(openings) == len(Audience)
