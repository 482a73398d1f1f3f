"""What an opening says beside its title: who told us and when, or when we found it ourselves. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from incident.errors import WrongUsage
from incident.record.facts import Certainty, Fact
from incident.record.incidents import must_have_happened
from incident.record.values import clean_line

TOLD, FOUND = "informed_at", "discovered_at"
_SOURCE = "incident open"


@dataclass(frozen=True)
class Opening:
    """The words of an opening, checked. `facts` are those that follow from them."""

    title: str
    told_by: str
    facts: tuple[Fact, ...]


def read_opening(
    title: str,
    *,
    told_by: str,
    told_at: datetime | None,
    found_at: datetime | None,
    given: Sequence[Fact],
    actor: str,
    now: datetime,
) -> Opening:
    """Check the words of an opening. `given`: the facts of a file, which the words add to and never contradict.

    Raises `WrongUsage` for words that are missing or said twice, `BadInput` for text that cannot be taken, `Refused`
    for a time that is still to come.
    """
    if not title.strip():
        raise WrongUsage(
            "the title is empty", where="--title", next_step="say in a few words what this is about"
        )
    title = clean_line(title, where="--title")
    told_by = clean_line(told_by, where="--told-by") if told_by.strip() else ""
    if told_at is not None and not told_by:
        raise WrongUsage(
            "it is not said who told us",
            where="--told-at",
            next_step="say it with --told-by; if we found it ourselves, use --found-at",
        )
    facts = []
    for name, option, at, said_by in (
        (TOLD, "--told-at", told_at, told_by),
        (FOUND, "--found-at", found_at, actor),
    ):
        if at is None:
            continue
        if any(each.field == name for each in given):
            raise WrongUsage(f"{name} stands in the facts too", where=option, next_step="say it once")
        must_have_happened(at, now=now, option=option)
        facts.append(Fact(name, at, said_by, _SOURCE, Certainty.claimed, at))
    return Opening(title, told_by, (*given, *facts))
