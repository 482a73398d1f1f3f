"""How a command ended, and what is certain about it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

BODY_PREFIX = 64 * 1024
"""Bytes of an answer that are read."""


class Ending(StrEnum):
    """How a command ended.

    done             it was carried out: 2xx, or exit status 0
    answered_no      it was not done, says who was asked: another answer below 500, or another exit status
    answered_error   5xx: the service failed, perhaps after doing it
    not_sent         no connection, or nothing that may be sent: it was certainly not done
    ambiguous        it was sent and nobody heard what came of it
    """

    done = "done"
    answered_no = "answered_no"
    answered_error = "answered_error"
    not_sent = "not_sent"
    ambiguous = "ambiguous"


CERTAINLY_NOT_DONE = frozenset({Ending.answered_no, Ending.not_sent})
MAY_BE_DONE = frozenset({Ending.answered_error, Ending.ambiguous})


@dataclass(frozen=True)
class Result:
    """`body` is at most BODY_PREFIX bytes of the answer; `detail` is for people and holds no secret.

    `status` is the HTTP status or the exit status.
    """

    ending: Ending
    detail: str
    status: int | None = None
    body: bytes = b""

    @property
    def success(self) -> bool:
        return self.ending is Ending.done

    @property
    def may_be_done(self) -> bool:
        return self.ending in MAY_BE_DONE


def outputs_from(result: Result, out_args: Iterable[str]) -> dict[str, str]:
    """Values for `out_args` out of a JSON answer: `__ticket_id__` takes the top-level member `ticket_id`.

    Members that are missing, null or composite give no value. Where an answer is no JSON object and one value is
    wanted, it is the answer's text without the line end.
    """
    names = list(out_args)
    if not names:
        return {}
    try:
        answer = json.loads(result.body)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict):
        found = {name: answer.get(name.removeprefix("__").removesuffix("__")) for name in names}
        return {name: _text(value) for name, value in found.items() if isinstance(value, str | int | float)}
    if len(names) != 1 or len(result.body) >= BODY_PREFIX:
        return {}
    try:
        return {names[0]: result.body.decode("utf-8").rstrip("\r\n")}
    except UnicodeDecodeError:
        return {}


def _text(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
