"""Brakes: while one is on, what it covers does nothing outside. They stand in a table, so a restart does not lift them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete
from sqlmodel import Session, col, select

from incident.durable.jobs import run_prepared
from incident.store import tables

EVERYTHING = "everything"


class Brakes:
    """What a worker last saw of the brakes: read often by one thread, asked before each act by many."""

    def __init__(self) -> None:
        self._names: frozenset[str] = frozenset()

    def on(self, *under: str) -> bool:
        """Whether the general brake, or one of those named, was on at the last look."""
        names = self._names
        return bool(names) and (EVERYTHING in names or not names.isdisjoint(under))

    def seen(self, names: Iterable[str]) -> None:
        """Remember which are on."""
        self._names = frozenset(names)


def brake_names(session: Session) -> frozenset[str]:
    """The names of the brakes that are on."""
    return frozenset(name for (name,) in run_prepared(session, "SELECT name FROM brake").fetchall())


def brakes_on(session: Session) -> list[tables.Brake]:
    """The brakes that are on: since when, and by whom."""
    return list(session.exec(select(tables.Brake).order_by(col(tables.Brake.name))).all())


def braked(session: Session, *under: str) -> bool:
    """Whether the general brake, or one of those named, is on: asked in the transaction that writes an intent."""
    return not brake_names(session).isdisjoint((EVERYTHING, *under))


def set_brake(session: Session, name: str, *, at: datetime, by: str) -> bool:
    """Put a brake on; False if it was on already."""
    if session.get(tables.Brake, name) is not None:
        return False
    session.add(tables.Brake(name=name, set_at=at, set_by=by))
    session.flush()
    return True


def lift_brake(session: Session, name: str) -> bool:
    """Take a brake off; False if it was not on."""
    return (
        session.connection().execute(delete(tables.Brake).where(col(tables.Brake.name) == name)).rowcount == 1
    )
