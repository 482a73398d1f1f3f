from __future__ import annotations

from pathlib import Path

import pytest

from incident.errors import BadInput, NotFound
from incident.law.regimes import DutyKind, load_regimes
from incident.report.forms import SHIPPED, load_form

FORMS = sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def test_every_form_that_a_regime_names_is_there_with_the_items_it_asks_for() -> None:
    named = 0
    for regime in load_regimes():
        for duty in regime.duties:
            if duty.form is None:
                continue
            named += 1
            form = load_form(duty.form)
            phase = form.phase(duty.phase)
            items = [item.id for item in form.lists[phase.list]]
            assert form.regime == regime.id
            assert set(duty.items) <= set(items)
            assert set(phase.required) >= set(duty.minimum or ())
            assert duty.kind is DutyKind.report_authority
    assert named >= 4


def test_the_cac_form_has_the_eight_items_and_then_the_six_in_their_order() -> None:
    form = load_form("cn-cac-incident")
    assert [item.id for item in form.lists["event"]] == list("12345678")
    assert [item.title["zh-Hans"] for item in form.lists["closing"]] == [
        "事件发生原因", "应急处置措施", "造成的危害", "责任追究情况", "完善整改情况", "教训",
    ]  # fmt: skip
    assert form.phase("initial").required == ("1", "2")


def test_a_form_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(NotFound, match="cn-cac-incident, cn-pipl-57, eu-gdpr-33, eu-nis2-23, uk-ico"):
        load_form("moon-base")


def test_a_phase_that_a_form_does_not_have_is_refused() -> None:
    with pytest.raises(NotFound, match="initial, supplement"):
        load_form("eu-gdpr-33").phase("final")


def test_an_own_form_wins_over_the_shipped_one(tmp_path: Path) -> None:
    text = (
        (SHIPPED / "eu-gdpr-33.yaml")
        .read_text("utf-8")
        .replace("Notification of a", "Our own notification of a")
    )
    (tmp_path / "eu-gdpr-33.yaml").write_text(text, encoding="utf-8")
    assert load_form("eu-gdpr-33", folders=[tmp_path]).title["en"].startswith("Our own")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{fact: aware_at,", "{fact: awre_at,", "no fact called"),
        ("{fact: aware_at,", "{fact: aware_at, grade: true,", "filled from one of"),
        ("required: [a, b,", "required: [z, b,", "not there once: z"),
        ("list: notification", "list: missing", "is not there"),
    ],
)
def test_an_own_form_that_is_wrong_names_the_file_and_what_is_wrong(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = (SHIPPED / "eu-gdpr-33.yaml").read_text("utf-8")
    (tmp_path / "eu-gdpr-33.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BadInput, match=message) as refused:
        load_form("eu-gdpr-33", folders=[tmp_path])
    assert str(tmp_path) in str(refused.value)


@pytest.mark.parametrize("name", FORMS)
def test_each_form_is_named_as_its_file(name: str) -> None:
    assert load_form(name).id == name
