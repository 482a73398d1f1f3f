"""Steps of playbooks that tell people or the public, and the holds that keep them from being called.

What a step tells is said by its measures (`tells` in the catalogue); measures that tell an authority go on.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session

from incident.record.holds import Cover, held, hold_brake, must_not_be_held
from incident.record.measures import measure_catalogue
from incident.response import events as e
from incident.response.extensions import Extension, NoticeTask
from incident.store.store import Store
from incident.store.tables import Hold

_TASKS = {str(NoticeTask.send): (Cover.PEOPLE,), str(NoticeTask.publish): (Cover.PUBLIC,)}
UNDER_A_HOLD_S = 3600.0  # whoever lifts a hold puts its runs again at once


def told_by(measures: Sequence[str]) -> tuple[Cover, ...]:
    """Whom carrying out these measures tells something."""
    known = measure_catalogue()
    tells = {known[each].tells for each in measures if each in known}
    return tuple(cover for cover in Cover if cover in tells)


def covers_of_effect(effect: e.Effect) -> tuple[Cover, ...]:
    """Whom carrying out an effect of a run tells something: a call by its measures, our own work by its task."""
    if isinstance(effect, e.RunCommand):
        return told_by(effect.measures)
    if isinstance(effect, e.DoInHouse) and effect.extension is Extension.notice:
        return _TASKS.get(str(effect.params["task"]), ())
    return ()


def brakes_over(incident_id: str, measures: Sequence[str]) -> tuple[str, ...]:
    """The brakes that holds over these measures put on: asked before the call leaves."""
    return tuple(hold_brake(incident_id, cover) for cover in told_by(measures))


def is_held_back(session: Session, incident_id: str, measures: Sequence[str]) -> bool:
    """Whether a hold keeps a step with these measures from being called."""
    return any(held(session, incident_id, cover) is not None for cover in told_by(measures))


def must_be_free(session: Session, store: Store, incident_id: str, measures: Sequence[str]) -> None:
    """Raises `HeldBack`, naming the hold, while one keeps a step with these measures from being called."""
    for cover in told_by(measures):
        must_not_be_held(session, store, incident_id, cover)


def hold_over(session: Session, incident_id: str, effect: e.Effect) -> Hold | None:
    """The hold that an effect of a run waits for, or None."""
    found = (held(session, incident_id, cover) for cover in covers_of_effect(effect))
    return next((row for row in found if row is not None), None)
