"""Sendings by e-mail and SMS together: a workspace with a message centre declared, and people with numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

from incident.delivery.states import CampaignState
from incident.ops.worker import Worker
from tests.support.breaches import AT_ONCE, QUICK, Affected, Breach, make_breach, some_people
from tests.support.message_centre import PASSWORD, SYSTEM_ID
from tests.support.postgres import PostgresServer

SENDER = "10690001"
MEANS = ["email", "sms", "letter"]
_MOST_ROUNDS = 40
_PATIENCE_SECONDS = 30.0


def number(ending: int) -> str:
    """A number of a person, in the form of the list."""
    return f"+86138{ending:08}"


def by_sms_only(count: int, *, first: int = 20) -> list[Affected]:
    """People with a number and no address. Their numbers end in two digits that no centre treats specially at 20 to 57."""
    return [
        replace(each, email="", phone=number(1000 * at + first + at % 30))
        for at, each in enumerate(some_people(count))
    ]


def centre_settings(port: int, password_file: Path, /, **more: Any) -> dict[str, Any]:
    """The table [sms] of the settings, with a centre on loopback."""
    password_file.write_text(PASSWORD, encoding="utf-8")
    smpp = {
        "host": "127.0.0.1",
        "port": port,
        "system_id": SYSTEM_ID,
        "password": f"file:{password_file}",
        "sender": SENDER,
        "processor": "our own centre",
        "country": "cn",
        "reply_wait_seconds": 1,
        **more,
    }
    return {"smpp": smpp}


def sms_breach(
    tmp_path: Path,
    people: Sequence[Affected],
    *,
    centre_port: int,
    relay_port: int = 25,
    means: Sequence[str] = MEANS,
    smpp: Mapping[str, Any] | None = None,
    on: PostgresServer | None = None,
    opens: bool = True,
    waves: Mapping[str, Any] = AT_ONCE,
    mail: Mapping[str, Any] | None = None,
    stale_seconds: float | None = None,
) -> Breach:
    """A sending that has begun, and of which nothing has left; one that is released only where it is not to open."""
    breach = make_breach(
        tmp_path,
        people=people,
        relay_port=relay_port,
        sms=centre_settings(centre_port, tmp_path / "smsc-password", **(smpp or {})),
        fallback={"means": list(means)},
        scope={"countries": ["cn"]},
        waves=waves,
        mail=mail,
        on=on,
        engine={"stale_seconds": stale_seconds} if stale_seconds is not None else {},
    )
    breach.release()
    if opens:
        breach.open_sending()
    return breach


def work_until(breach: Breach, done: Callable[[], bool]) -> None:
    """Be a worker that stays, until something holds: receipts come while nothing is sent."""
    said: list[str] = []
    until = monotonic() + _PATIENCE_SECONDS

    def enough() -> bool:
        assert monotonic() < until, f"it does not come to that: {breach.account()}, {said}"
        return done()

    worker = Worker(breach.house, patience=QUICK, says=said.append)
    with worker.runner(stays=True) as runner:
        runner.work(until=enough)


def live_to_the_end(breach: Breach, *, every: timedelta = timedelta(hours=2)) -> None:
    """Be the worker, and let time go by whenever nothing is due, until the sending has ended.

    Where somebody is tried until it is given up, `every` is some hours.
    """
    for _ in range(_MOST_ROUNDS):
        breach.work()
        if breach.account().state == CampaignState.ENDED:
            return
        breach.later(seconds=every.total_seconds())
    raise AssertionError("the sending does not end by itself")
