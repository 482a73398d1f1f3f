"""Waivers: signed where the law leaves a choice, refused where it does not, and ended by what takes their ground away."""

from __future__ import annotations

from pathlib import Path

import pytest

from incident.duties.evaluating import MET, ChangeKind
from incident.duties.view import DutyStatus, DutyView, view_duties
from incident.duties.waivers import WAIVED
from incident.errors import NotFound, Refused
from incident.law.findings import DutyState
from incident.ops.house import evaluate
from incident.record.dossier import load_dossier
from incident.record.facts import Certainty, Fact
from incident.record.incidents import state_facts
from incident.record.instructions import OrderEffect
from incident.record.operators import Role
from tests.support.breaches import Breach, make_breach
from tests.support.holds import order
from tests.support.waiving import PEOPLE, evidence, may_be_waived, met, rows, waived_by, waivers, withdrawn
from tests.support.workspaces import all_rows, make_signer


@pytest.fixture
def breach(tmp_path: Path) -> Breach:
    found = make_breach(tmp_path)
    may_be_waived(found)
    return found


def view_of(breach: Breach, duty_id: str = PEOPLE) -> DutyView:
    views = view_duties(
        breach.house.findings(load_dossier(breach.made.store, breach.id)),
        rows(breach),
        breach.made.settings,
        now=breach.made.clock(),
        waivers=waivers(breach),
    )
    return next(view for view in views if view.duty.id == duty_id)


def ended(breach: Breach) -> list[str]:
    return [each.ended for each in waivers(breach) if not each.stands]


def test_a_waiver_is_numbered_signed_and_drops_the_duty(breach: Breach) -> None:
    assert view_of(breach).status is DutyStatus.RUNNING
    paper = evidence(breach)
    waived_by(breach, breach.signers["bo"], shown_by=paper[:10])
    [line] = waivers(breach)
    assert (line.label, line.by, line.signed_by, line.evidence) == ("W1", "bo", ("bo",), (paper,))
    assert line.article
    assert rows(breach)[PEOPLE].state == WAIVED
    view = view_of(breach)
    assert (view.status, view.is_open, view.waiver) == (DutyStatus.WAIVED, False, line)


def test_it_holds_while_other_facts_change(breach: Breach) -> None:
    waived_by(breach, breach.signers["bo"])
    breach.state(persons="7")
    assert rows(breach)[PEOPLE].state == WAIVED and waivers(breach)[0].stands


def test_counsel_may_sign_and_a_responder_may_not(breach: Breach) -> None:
    with pytest.raises(Refused, match="is no approver or counsel"):
        waived_by(breach, make_signer(breach.made, "ria", roles=[Role.RESPONDER]))
    waived_by(breach, make_signer(breach.made, "lex", roles=[Role.COUNSEL]))
    assert waivers(breach)[0].by == "lex"


def test_it_takes_evidence_and_a_reason(breach: Breach) -> None:
    before = all_rows(breach.made.store)
    with pytest.raises(NotFound, match="evidence"):
        waived_by(breach, breach.signers["bo"], shown_by="f00")
    assert all_rows(breach.made.store) == before


def test_where_the_exemption_is_not_shown_it_is_refused_with_the_article(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    with pytest.raises(Refused, match="第五十七条") as refused:
        waived_by(breach, breach.signers["bo"])
    assert "harm_effectively_avoided" in str(refused.value.next_step)


def test_where_the_law_leaves_no_choice_it_is_refused_with_the_article(breach: Breach) -> None:
    with pytest.raises(Refused, match=r"Art\. 33\(1\) leaves no choice"):
        waived_by(breach, breach.signers["bo"], "eu-gdpr/authority")


def test_one_duty_is_waived_once(breach: Breach) -> None:
    waived_by(breach, breach.signers["bo"])
    with pytest.raises(Refused, match=r"by bo already \(W1\)"):
        waived_by(breach, breach.signers["cy"])


def test_an_instruction_that_reopens_the_duty_ends_it_in_the_same_change(breach: Breach) -> None:
    waived_by(breach, breach.signers["bo"])
    entries = len(breach.made.store.entries(breach.id))
    order(breach, OrderEffect.REOPEN, duty_id=PEOPLE)
    assert len(breach.made.store.entries(breach.id)) == entries + 1
    assert rows(breach)[PEOPLE].state == DutyState.owed
    assert ended(breach) == ["reopened by an instruction"]
    assert view_of(breach).status is DutyStatus.RUNNING


def test_an_exemption_that_no_longer_holds_ends_it_and_the_change_is_told(breach: Breach) -> None:
    waived_by(breach, breach.signers["bo"])
    breach.state(harm_effectively_avoided=False)
    assert rows(breach)[PEOPLE].state == DutyState.owed
    assert ended(breach) == ["the exemption no longer holds"]
    breach.state(harm_effectively_avoided=True)
    assert rows(breach)[PEOPLE].state == DutyState.may_be_waived, "nobody signed for it anew"


def test_a_regime_that_falls_away_ends_it(breach: Breach) -> None:
    waived_by(breach, breach.signers["bo"])
    breach.state(personal_data_breach="none")
    assert rows(breach)[PEOPLE].state == DutyState.not_owed
    assert ended(breach) == ["the duty fell away"]


def test_it_is_withdrawn_and_the_duty_stands_as_before(breach: Breach) -> None:
    before = rows(breach)[PEOPLE].model_dump(exclude={"sealed"})
    waived_by(breach, breach.signers["bo"])
    withdrawn(breach, reason="the reader kept a copy")
    assert rows(breach)[PEOPLE].model_dump(exclude={"sealed"}) == before
    [line] = waivers(breach)
    assert (line.ended, line.ended_reason, line.signed_by) == ("withdrawn", "the reader kept a copy", ("bo",))
    with pytest.raises(NotFound, match="no waiver"):
        withdrawn(breach)
    waived_by(breach, breach.signers["bo"])
    assert [each.label for each in waivers(breach)] == ["W1", "W2"]


def test_people_who_are_told_all_the_same_end_it(breach: Breach) -> None:
    waived_by(breach, breach.signers["bo"])
    met(breach, PEOPLE, shown_by=(evidence(breach),))
    assert rows(breach)[PEOPLE].state == MET
    assert ended(breach) == ["the duty was met after all"]


def test_what_was_waived_and_is_owed_again_is_a_change_of_its_own(breach: Breach) -> None:
    waived_by(breach, breach.signers["bo"])
    made = breach.made
    fact = Fact("harm_effectively_avoided", False, "ana", "log", Certainty.confirmed, made.clock())
    with made.store.write(breach.id, kind="facts.set", actor="ana", now=made.clock()) as change:
        state_facts(made.store, change, breach.id, [fact])
        [told] = [each for each in evaluate(breach.house, change, breach.id) if each.duty_id == PEOPLE]
    assert told.kind is ChangeKind.NO_LONGER_WAIVED
