from __future__ import annotations

import pytest

from incident.law.regimes import DutyKind, shipped_regimes
from incident.law.rights import rights_catalogue
from incident.notice.readability import length_of, reading_grade, sentences, yardstick


@pytest.mark.parametrize("regime", list(rights_catalogue()))
def test_rights_belong_to_a_regime_that_asks_for_a_notice(regime: str) -> None:
    [found] = [each for each in shipped_regimes() if each.id == regime]
    assert any(duty.kind is DutyKind.notify_people for duty in found.duties)


@pytest.mark.parametrize("regime", list(rights_catalogue()))
def test_each_sentence_on_rights_is_short_and_whole(regime: str) -> None:
    says = rights_catalogue()[regime].says
    for language, end in (("zh-Hans", "。"), ("en", ".")):
        told = sentences(says[language], language)
        assert 1 <= len(told) <= 2 and says[language].endswith(end)
        assert all(length_of(each, language) <= yardstick(language).longest_sentence for each in told)
    assert reading_grade([says["en"]]) <= 12
