"""What is said in one person's call: the same however often it is made, and theirs only in the parts that may be theirs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from sqlmodel import select

from incident.delivery.call_message import Call, CallPaper, call_paper, compose_call
from incident.delivery.message import CannotBeAddressed
from incident.notice.channels import PARTS_FOR_ANYBODY
from incident.notice.frozen import FrozenNotice
from incident.notice.release import version_by_id
from incident.record.person import Contact, PersonRow
from incident.store.tables import Notice
from tests.support.breaches import make_breach, some_people

KEY = b"k" * 32
EARLIER = "an earlier notice"


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrozenNotice]:
    folder: Path = tmp_path_factory.mktemp("released")
    breach = make_breach(folder, people=some_people(2), scope={"countries": ["cn"]})
    breach.release()
    with breach.made.store.read() as session:
        [notice] = session.exec(select(Notice)).all()
        yield version_by_id(session, breach.made.store, notice.id).frozen


@pytest.fixture(scope="module")
def paper(frozen: FrozenNotice) -> CallPaper:
    return call_paper(frozen, key=KEY, earlier={EARLIER: frozen})


def person(name: str = "Ann Archer", *, language: str = "en", phone: str = "+8613800000020") -> PersonRow:
    return PersonRow(
        reference="C1",
        contact=Contact(name=name, phone=phone),
        language=language,
        country="cn",
        categories=("phone_number",),
    )


def spoken(call: Call) -> dict[str, str]:
    return {
        each.name: "\n".join(getattr(call, each.name))
        for each in fields(call)
        if each.name not in ("number", "language")
    }


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_made_again_it_is_the_same_and_each_part_is_said_in_the_persons_language(
    paper: CallPaper, language: str
) -> None:
    first, again = (compose_call(paper, person(language=language), delivery_id="d1") for _ in range(2))
    assert first == again
    assert first.language == language
    assert all(spoken(first).values())


def test_the_name_stands_in_the_greeting_and_what_is_theirs_in_the_text_alone(paper: CallPaper) -> None:
    said = spoken(compose_call(paper, person(), delivery_id="d1"))
    other = spoken(compose_call(paper, person("Ben Baker"), delivery_id="d2"))
    assert "Ann Archer" in said["greeting"]
    assert "code" in said["text"]
    for part in PARTS_FOR_ANYBODY:
        assert "code" not in said[part].lower()
        if part != "greeting":
            assert said[part] == other[part]


def test_a_later_version_begins_by_saying_that_it_is_an_update(paper: CallPaper) -> None:
    first = compose_call(paper, person(), delivery_id="d1")
    update = compose_call(paper, person(), delivery_id="d1", update_of=EARLIER)
    assert update.text[1:] == first.text
    assert "update" in update.text[0].lower()
    assert update.greeting == first.greeting


def test_who_reads_a_language_without_a_call_is_called_in_another(paper: CallPaper) -> None:
    assert compose_call(paper, person(language="fi"), delivery_id="d1").language in paper.scripts


def test_without_a_number_nobody_is_called(paper: CallPaper) -> None:
    with pytest.raises(CannotBeAddressed):
        compose_call(paper, person(phone=""), delivery_id="d1")
