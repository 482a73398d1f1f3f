"""The doctor's look at the call centre: whether it is declared and may get people's data, whether agents have a script, and
whether lists that are closed still lie there."""

from __future__ import annotations

from collections.abc import Iterator

from sqlmodel import col, func, select

from incident.delivery.promises import broken_promises
from incident.errors import TocsinError
from incident.ops.doctor_sms import typical_renderings
from incident.ops.examined import Examined, State, unusable
from incident.response.housework import House
from incident.settings import Means
from incident.store.tables import CallList

_CENTRE, _SCRIPTS, _LISTS = "call centre", "call scripts", "call lists"


def examine_call_centre(house: House) -> Iterator[Examined]:
    """What calls by people need. Nothing is said of them where no call centre is declared."""
    declared = house.settings.calls.centre
    if declared is None:
        return
    if Means.PHONE not in house.settings.fallback.means:
        finding = "declared, and no list is made for it: phone does not stand in [fallback] means"
        yield Examined(_CENTRE, State.WARN, finding, "add it where your privacy policy names calls")
        return
    faults = [
        unusable(_CENTRE, broken.refusal)
        for means, broken in broken_promises(house.settings)
        if means is Means.PHONE
    ]
    yield from faults
    if not faults:
        told = (
            f"{declared.processor}, {declared.country}: results are due {declared.days:g} days after a list"
        )
        yield Examined(_CENTRE, State.OK, told)
    yield from _scripts(house)
    yield from _lists(house)


def _scripts(house: House) -> Iterator[Examined]:
    found = []
    for language in house.settings.workspace.languages:
        try:
            script = typical_renderings(house, language).call_centre
        except TocsinError as error:
            yield unusable(_SCRIPTS, error)
            continue
        if script is not None:
            found.append(language)
            continue
        finding = f"no script in {language}: who reads it is called in another language"
        step = f"write templates/notice/{language}/call_centre.txt.j2 in the workspace"
        yield Examined(_SCRIPTS, State.WARN, finding, step)
    if found:
        yield Examined(_SCRIPTS, State.OK, f"there is one in {', '.join(found)}")


def _lists(house: House) -> Iterator[Examined]:
    """Lists that are closed, and of which nobody said that the call centre deleted them."""
    left = select(CallList.incident_id, func.count()).where(
        col(CallList.closed_at).is_not(None), col(CallList.deleted_at).is_(None)
    )
    with house.store.read() as session:
        rows = session.exec(left.group_by(CallList.incident_id).order_by(CallList.incident_id)).all()
    for incident_id, count in rows:
        finding = f"{count} closed lists of {incident_id} may still lie at the call centre"
        step = f"have them deleted, then `incident call-list deleted {incident_id} LIST --by WHO`"
        yield Examined(_LISTS, State.WARN, finding, step)
