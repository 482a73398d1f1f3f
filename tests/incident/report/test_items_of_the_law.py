"""The items that a law asks for are those of the form, under the same articles."""

from __future__ import annotations

import pytest

from incident.law.regimes import DutyRule, load_regimes
from incident.report.forms import load_form

DUTIES = [duty for regime in load_regimes() for duty in regime.duties if duty.form and duty.items]


@pytest.mark.parametrize("duty", DUTIES, ids=lambda duty: f"{duty.form}/{duty.id}")
def test_each_item_that_a_duty_names_is_in_its_form_under_the_same_article(duty: DutyRule) -> None:
    form = load_form(duty.form or "")
    articles = {item.id: item.article for item in form.lists[form.phase(duty.phase).list]}
    assert articles.keys() >= set(duty.items)
    for item in duty.items:
        asked = duty.item_articles.get(item, duty.article)
        assert articles[item] == asked, item
