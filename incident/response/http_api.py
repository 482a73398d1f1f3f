"""Carrying out an http-api command. No redirects, explicit time limits, and a plain word on what is certain."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from incident.errors import TocsinError
from incident.response.http_request import HttpRequest, SecretResolver, build
from incident.response.model import AgentTarget, Authentication, Command, Variable
from incident.response.variables import Values

if TYPE_CHECKING:
    import httpx

BODY_PREFIX = 64 * 1024


class Ending(StrEnum):
    """How a call ended.

    done             2xx
    answered_no      any other answer below 500: the service says it did not do it
    answered_error   5xx: the service failed, perhaps after doing it
    not_sent         no connection, or the request could not be made: it was certainly not done
    ambiguous        the request went out and no answer came back
    """

    done = "done"
    answered_no = "answered_no"
    answered_error = "answered_error"
    not_sent = "not_sent"
    ambiguous = "ambiguous"


CERTAINLY_NOT_DONE = frozenset({Ending.answered_no, Ending.not_sent})
MAY_BE_DONE = frozenset({Ending.answered_error, Ending.ambiguous})


@dataclass(frozen=True)
class HttpResult:
    """`body` is at most BODY_PREFIX bytes of the answer; `detail` is for people and holds no secret."""

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


async def call(
    command: Command,
    agent: AgentTarget,
    variables: Values,
    *,
    client: httpx.AsyncClient,
    timeout_s: float,
    idempotency_key: str,
    declared: Mapping[str, Variable] | None = None,
    authentication: Authentication | None = None,
    resolve_secret: SecretResolver | None = None,
) -> HttpResult:
    """Run the command once, within `timeout_s` seconds in all. Never raises for what the network does.

    `idempotency_key` goes out as `Idempotency-Key`, so that a service can recognise a second call: give the
    visit's id, with the index of the work where a visit has several.
    """
    try:
        request = build(
            command,
            agent,
            variables,
            declared or {},
            authentication=authentication,
            resolve_secret=resolve_secret,
        )
    except TocsinError as error:
        return HttpResult(Ending.not_sent, f"the request could not be made: {error.what}")
    return await send(request, client=client, timeout_s=timeout_s, idempotency_key=idempotency_key)


async def send(
    request: HttpRequest, *, client: httpx.AsyncClient, timeout_s: float, idempotency_key: str
) -> HttpResult:
    """Send one request and read the beginning of its answer."""
    import httpx

    for name in ("httpx", "httpcore"):
        # They log addresses and headers, and those hold values and secrets.
        logging.getLogger(name).setLevel(logging.WARNING)
    begun = _Begun()
    try:
        async with asyncio.timeout(timeout_s):
            return await _exchange(request, client, timeout_s, idempotency_key, begun)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
        return HttpResult(Ending.not_sent, f"no connection: {type(error).__name__}")
    except (TimeoutError, httpx.TimeoutException):
        if begun.connecting_only:
            return HttpResult(Ending.not_sent, f"no connection within {timeout_s:g} s")
        return _cut_short(begun, f"no whole answer within {timeout_s:g} s")
    except httpx.HTTPError as error:
        detail = f"the connection broke: {type(error).__name__}"
        return HttpResult(Ending.not_sent, detail) if begun.connecting_only else _cut_short(begun, detail)
    except httpx.InvalidURL:
        return HttpResult(Ending.not_sent, "the address is not a URL")


def _cut_short(begun: _Begun, detail: str) -> HttpResult:
    """A status that has arrived is an answer, though its body did not."""
    if begun.status is None:
        return HttpResult(Ending.ambiguous, detail)
    return HttpResult(_ending(begun.status), f"HTTP {begun.status}; {detail}", begun.status)


class _Begun:
    """How far the request came, told by the transport: only a traced connection proves that nothing went out."""

    def __init__(self) -> None:
        self.traced = False
        self.sending = False
        self.status: int | None = None

    async def trace(self, event: str, _info: Mapping[str, Any]) -> None:
        self.traced = True
        if event.endswith("send_request_headers.started"):
            self.sending = True

    @property
    def connecting_only(self) -> bool:
        return self.traced and not self.sending


async def _exchange(
    request: HttpRequest, client: httpx.AsyncClient, timeout_s: float, key: str, begun: _Begun
) -> HttpResult:
    headers = [*request.headers, ("Idempotency-Key", key)]
    if not any(name.lower() == "accept-encoding" for name, _ in headers):
        headers.append(("Accept-Encoding", "identity"))
    async with client.stream(
        request.method,
        request.url,
        headers=headers,
        content=request.body,
        timeout=timeout_s,
        follow_redirects=False,
        extensions={"trace": begun.trace},
    ) as response:
        begun.status = response.status_code
        body = await _prefix(response)
    return HttpResult(
        _ending(response.status_code), f"HTTP {response.status_code}", response.status_code, body
    )


async def _prefix(response: httpx.Response) -> bytes:
    found = bytearray()
    async for chunk in response.aiter_raw():
        found += chunk
        if len(found) >= BODY_PREFIX:
            break
    return bytes(found[:BODY_PREFIX])


def _ending(status: int) -> Ending:
    if 200 <= status < 300:
        return Ending.done
    return Ending.answered_error if status >= 500 else Ending.answered_no


def outputs_from(result: HttpResult, out_args: Iterable[str]) -> dict[str, str]:
    """Values for `out_args` out of a JSON answer: `__ticket_id__` takes the top-level member `ticket_id`.

    Members that are missing, null or composite give no value.
    """
    names = list(out_args)
    if not names:
        return {}
    try:
        answer = json.loads(result.body)
    except ValueError:
        return {}
    if not isinstance(answer, dict):
        return {}
    found = {name: answer.get(name.removeprefix("__").removesuffix("__")) for name in names}
    return {name: _text(value) for name, value in found.items() if isinstance(value, str | int | float)}


def _text(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
