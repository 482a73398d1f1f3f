"""The longest and the shortest message that somebody on the list gets, and what an SMS to all of them costs."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from incident.errors import KeyDestroyed
from incident.notice.channels import person_values
from incident.notice.frozen import FrozenNotice
from incident.notice.preview import Survey, masked, named_by_law, survey
from incident.notice.release import assemble
from incident.notice.sms_text import sms_text
from incident.record.dossier import load_dossier
from tests.support.breaches import Affected, Breach, make_breach, some_people

BOTH = "phone_number;location"
PEOPLE = [
    Affected("C1", "张三", language="zh-Hans", phone="+8613800138000"),
    Affected("C2", "Zoë Winter", data=BOTH, phone="+8613800138001"),
    Affected("C3", "Bo", email="b@example.org"),
    Affected("C4", "Maximilian Featherstonehaugh", phone="+8613800138004"),
    Affected("C5", "Al", data=BOTH, phone="+8613800138005", deceased="yes"),
    Affected("C6", "A" * 90, data=BOTH, phone="+8613800138006", safe_contact="not at home"),
    Affected("C7", "Kim", born="2018-05-05", guardian_name="Pat", guardian_phone="+8613800138007"),
]


def frozen_of(breach: Breach) -> FrozenNotice:
    dossier = load_dossier(breach.made.store, breach.id)
    return assemble(dossier, breach.house.bench(dossier), written_at=breach.made.clock())[0]


def look(breach: Breach, *, language: str = "en", channel: str = "sms") -> Survey:
    frozen = frozen_of(breach)
    with breach.made.store.read() as session:
        return survey(session, breach.made.store, breach.id, frozen, language=language, channel=channel)


def test_one_pass_finds_both_ends_and_counts_the_segments_of_everybody(tmp_path: Path) -> None:
    breach = make_breach(tmp_path, people=PEOPLE)
    found = look(breach)
    assert (found.people, found.in_language, found.with_phone) == (5, 4, 4)
    assert found.longest is not None and found.shortest is not None
    assert found.longest["person_name"] == "Zoë Winter", "one letter doubles the segments"
    assert found.shortest["person_name"] == "Bo"
    frozen = frozen_of(breach)

    def segments(name: str, data: str, language: str) -> int:
        sms = frozen.channels[language].sms
        assert sms is not None
        values = person_values(name=name, data_types=data, code="K7P2-4M9Q-X5T")
        return len(sms_text(sms.filled(values).text).segments)

    expected = [
        segments("张三", "手机号码", "zh-Hans"),
        segments("Zoë Winter", "phone number, location", "en"),
        segments("Maximilian Featherstonehaugh", "phone number", "en"),
        segments("Pat", "phone number", "en"),
    ]
    assert found.segments == sum(expected)
    assert found.by_segments.total() == 4
    assert found.cost(Decimal("0.045")) == Decimal("0.045") * sum(expected)
    assert found.cost(None) is None


def test_other_channels_go_by_the_characters_of_what_is_personal(tmp_path: Path) -> None:
    breach = make_breach(tmp_path, people=PEOPLE)
    found = look(breach, channel="voice")
    assert found.longest is not None and found.longest["person_name"] == "Maximilian Featherstonehaugh"
    assert found.by_segments.total() == 0 and found.segments == 0
    chinese = look(breach, channel="in_app", language="zh-Hans")
    assert chinese.in_language == 1
    assert chinese.longest == chinese.shortest
    assert chinese.longest is not None and chinese.longest["data_types_of_person"] == "手机号码"


def test_an_empty_list_has_no_ends_and_costs_nothing(tmp_path: Path) -> None:
    found = look(make_breach(tmp_path))
    assert (found.people, found.longest, found.shortest, found.segments) == (0, None, None, 0)
    assert found.cost(Decimal("0.045")) == 0


def test_a_nameless_person_is_addressed_as_the_message_would(tmp_path: Path) -> None:
    found = look(make_breach(tmp_path, people=[Affected("C1", name="", phone="+8613800138000")]))
    assert found.longest is not None and found.longest["person_name"] == "customer"


def test_everybody_is_counted_in_the_language_that_they_will_read(tmp_path: Path) -> None:
    """Who reads Chinese in another script gets the Chinese notice also where the first is English."""
    breach = make_breach(
        tmp_path,
        people=[
            Affected("C1", "張三", language="zh-Hant", phone="+8613800138000"),
            Affected("C2", "Ann", language="en", phone="+8613800138001"),
        ],
        workspace={"languages": ["en", "zh-Hans"]},
    )
    in_chinese, in_english = look(breach, language="zh-Hans"), look(breach, language="en")
    assert in_chinese.longest is not None and in_chinese.longest["person_name"] == "張三"
    assert in_english.longest is not None and in_english.longest["person_name"] == "Ann"


def test_a_kind_without_a_name_in_the_language_is_measured_as_the_message_tells_it(tmp_path: Path) -> None:
    breach = make_breach(tmp_path, people=[Affected("C1", "Ann", data=BOTH, phone="+8613800138000")])
    frozen = frozen_of(breach)
    titles = {**frozen.category_titles, "location": {"zh-Hans": "位置信息"}}
    with breach.made.store.read() as session:
        found = survey(
            session, breach.made.store, breach.id, replace(frozen, category_titles=titles),
            language="en", channel="sms",
        )  # fmt: skip
    assert found.longest is not None
    assert found.longest["data_types_of_person"] == "phone number, location"


def test_masked_values_keep_the_kinds_and_the_length() -> None:
    values = person_values(name="Zoë Winter", data_types="phone number", code="K7P2-4M9Q-X5T")
    assert masked(values) == {**values, "person_name": "Xxŵ Xxxxxx"}


def test_a_long_list_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    peaks = []
    for count in (1_500, 6_000):
        folder = tmp_path / str(count)
        folder.mkdir()
        breach = make_breach(folder, people=some_people(count))
        look(breach)
        tracemalloc.start()
        assert look(breach).people == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5 + 500_000


def test_which_laws_name_a_way_is_said_per_regime(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    findings = breach.house.findings(load_dossier(breach.made.store, breach.id))
    sms = named_by_law(findings, "sms")
    assert sms is not None
    assert {"cn-netdata-reg-11", "eu-gdpr"} <= set(sms.by)
    assert "sms" not in sms.not_by["cn-gbt-35273-10"] and "letter" in sms.not_by["cn-gbt-35273-10"]
    assert set(sms.by).isdisjoint(sms.not_by)
    voice = named_by_law(findings, "voice")
    assert voice is not None and "cn-gbt-35273-10" in voice.by
    assert named_by_law(findings, "in_app") is None


def test_a_list_whose_key_is_destroyed_is_not_read(tmp_path: Path) -> None:
    breach = make_breach(tmp_path, people=PEOPLE)
    frozen = frozen_of(breach)
    breach.made.store.keyring.destroy(breach.id, now=breach.made.clock())
    with breach.made.store.read() as session, pytest.raises(KeyDestroyed):
        survey(session, breach.made.store, breach.id, frozen, language="en", channel="sms")
