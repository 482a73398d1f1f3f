"""What people ask, decide, hold back and hand over in a drill: the same calls as those of the commands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from incident.briefing.handing_over import HANDOVER_GIVEN, give_handover
from incident.briefing.making import BRIEF_MADE, Audience, make_brief
from incident.briefing.render import Format
from incident.duties.asking import questions_of
from incident.duties.evaluating import rules_in_use, settled_duties
from incident.ops.orders import Silence, hold_back, let_go_on
from incident.record.decisions import Signer
from incident.record.dossier import load_dossier
from incident.record.holds import Cover, accept_hold, list_holds
from incident.record.numbers import label_of
from incident.record.resolutions import resolve
from incident.response.housework import House

_ASKED = 3
_HELD = (Cover.PEOPLE, Cover.PUBLIC, Cover.SELFCHECK, Cover.CHAT)


class Says(Protocol):
    """What a drill shows while it runs."""

    def line(self, text: str) -> None: ...


def ask(house: House, incident_id: str, screen: Says) -> None:
    """Show the questions that decide the most, with who can answer."""
    dossier = load_dossier(house.store, incident_id)
    with house.store.read() as session:
        met = settled_duties(session, incident_id)
    asked = questions_of(dossier, house.settings, rules_in_use(house.workspace), met=met, now=house.clock())
    for each in asked[:_ASKED]:
        field = each.question.field
        screen.line(f"to be asked: {field.question['en']} [{field.name}, {field.who}]")


def keep_silence(house: House, incident_id: str, signer: Signer, screen: Says) -> str:
    """Place the hold that the police ask for, and accept its risk; returns its label."""
    store, now = house.store, house.clock()
    silence = Silence(by="police (drill)", covers=_HELD, until=now + timedelta(hours=1), paper="drill")
    with store.write(incident_id, kind="hold.placed", actor=signer.name, now=now) as change:
        label = label_of(hold_back(house, change, incident_id, silence))
    with store.write(incident_id, kind="hold.accepted", actor=signer.name, now=house.clock()) as change:
        accept_hold(change, store, incident_id, label, signer=signer, drill=True, reason="演练")
    with store.read() as session:
        [line] = [each for each in list_holds(session, store, incident_id) if each.label == label]
    screen.line(f"{label}: the police ask for silence; the risk is accepted by {', '.join(line.accepted_by)}")
    for each in line.conflicts:
        screen.line(f"{label} conflicts with {each.duty}, {each.article}; duties to authorities go on")
    return label


def decide_to_tell(house: House, incident_id: str, signer: Signer, screen: Says) -> None:
    """Record a decision on a question, signed."""
    with house.store.write(
        incident_id, kind="question.decided", actor=signer.name, now=house.clock()
    ) as change:
        row = resolve(
            change,
            house.store,
            incident_id,
            question="保密要求解除之后，是否立即通知个人？",
            options=("立即通知", "等待公安机关通知"),
            choice="立即通知",
            reasons="演练",
            replaces=None,
            signer=signer,
            resolution_id=house.store.new_id(),
        )
    screen.line(f"{label_of(row)} decided and signed by {signer.name}")


def lift(house: House, incident_id: str, label: str, signer: Signer, screen: Says) -> None:
    """Lift the hold: what it kept waiting goes on."""
    with house.store.write(incident_id, kind="hold.lifted", actor=signer.name, now=house.clock()) as change:
        let_go_on(house, change, incident_id, label, signer=signer, reason="演练")
    screen.line(f"{label} lifted by {signer.name} (signed)")


def hand_out(
    house: House, incident_id: str, *, by: str, to: str, write: Callable[[str, str], Path]
) -> dict[str, Path]:
    """Make the briefs and the handover as pages; returns what each file is."""
    files: dict[str, Path] = {}
    for audience in Audience:
        with house.store.write(incident_id, kind=BRIEF_MADE, actor=by, now=house.clock()) as change:
            made = make_brief(change, house, incident_id, audience, "zh-Hans", Format.HTML)
            files[f"brief ({audience})"] = write(f"brief-{audience}.html", made.content)
    with house.store.write(incident_id, kind=HANDOVER_GIVEN, actor=by, now=house.clock()) as change:
        given = give_handover(
            change, house, incident_id, language="zh-Hans", form=Format.HTML, since=None, to=to
        )
        files["handover"] = write("handover.html", given.content)
    return files
