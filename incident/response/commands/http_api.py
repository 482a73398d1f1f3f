"""`http-api` commands (CACAO 2.0 section 5.5). No redirects, explicit time limits, and a plain word on what is certain.

An answer that points elsewhere is a no: what was meant for one host is sent to no other.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import sys
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from incident.errors import BadInput, TocsinError
from incident.response.commands.going_out import GoingOut
from incident.response.commands.http_request import (
    HttpRequest,
    base_url,
    build,
    checked_header,
    content_kind,
    content_of,
    start_line,
)
from incident.response.commands.prepared import Call, Prepared
from incident.response.commands.result import BODY_PREFIX, Ending, Result
from incident.response.model import ActionStep, AgentTarget, Command, Playbook, Variable
from incident.response.variables import Sink, Values, references, substitute, visible

if TYPE_CHECKING:
    import httpx

TYPE = "http-api"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_USUAL_HEADERS = (
    ("Accept", "*/*"),
    ("Accept-Encoding", "identity"),
    ("Connection", "close"),
    ("User-Agent", "tocsin"),
)


def problems(playbook: Playbook, step: ActionStep, command: Command) -> Iterator[tuple[str, str]]:
    """What keeps the command from being run, as (code, message)."""
    try:
        _, target = start_line(command)
        path = target.partition("?")[0]
        substitute(path, dict.fromkeys(references(path), "x"), Sink.url_path)
        for name in command.headers:
            checked_header(name)
        if command.content_b64 is not None:
            content_of(command, {}, {})
    except TocsinError as error:
        yield "http-command", f"{error.where}: {error.what}"
    if command.content is not None and command.content_b64 is not None:
        yield "two-contents", "content stands alone, or content_b64 does"
    if references(command.content or "") and content_kind(command) == "other":
        yield "content-type", "variables in the content need a Content-Type of JSON, form or plain text"
    for reference in step.targets or [step.agent]:
        addressee = playbook.endpoint(reference)
        if addressee is None:
            continue
        if addressee.type != "http-api" or not any(
            (addressee.address or {}).get(k) for k in ("url", "dname", "ipv4")
        ):
            yield (
                "no-address",
                f"“{addressee.name}” is not an http-api agent with a url, dname or ipv4 address",
            )
        signing_in = addressee.authentication_info
        if signing_in is not None and signing_in not in playbook.authentication_info_definitions:
            yield "unknown-authentication", f"“{signing_in}” is not in authentication_info_definitions"


def used(command: Command, addressee: AgentTarget) -> list[str]:
    """The variables that the command and its addressee refer to."""
    texts = [command.command or "", command.content or "", addressee.port or ""]
    texts += [value for several in command.headers.values() for value in several]
    texts += [str(value) for several in (addressee.address or {}).values() for value in several]
    return [name for text in texts for name in references(text)]


def prepare(
    command: Command, addressee: AgentTarget, values: Values, declared: Mapping[str, Variable]
) -> Prepared:
    return prepared_of(build(command, addressee, values, declared), TYPE)


def destination(addressee: AgentTarget, values: Values, declared: Mapping[str, Variable]) -> tuple[str, int]:
    """The host and port. Raises `BadInput` where they are missing or none."""
    return _host_and_port(base_url(addressee, values, declared))


def _host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme]


def prepared_of(request: HttpRequest, command_type: str) -> Prepared:
    host, port = _host_and_port(request.url)
    return Prepared(
        command_type,
        host,
        port,
        f"{request.method} {request.url}",
        (request.body or b"").decode("utf-8", errors="replace"),
    )


async def carry_out(call: Call, rules: GoingOut) -> Result:
    """Make the call once, within its time in all. Never raises for what the network does."""
    import httpx

    try:
        request = build(
            call.command,
            call.addressee,
            call.values,
            call.declared,
            authentication=call.authentication,
            resolve_secret=call.resolve_secret,
        )
        rules.must_allow(prepared_of(request, TYPE))
        context = trusted(rules.ca_file) if request.url.startswith("https:") else _nobody()
    except TocsinError as error:
        return Result(Ending.not_sent, f"the request could not be made: {error.what}")
    _look_for_sniffio_once()
    # The transport alone: of what a client adds, redirects and cookies are not wanted, and the rest takes longer than
    # it does. One connection a call: a kept one that the other side closes just then would leave it in doubt.
    async with httpx.AsyncHTTPTransport(trust_env=False, verify=context) as transport:
        return await send(
            request, over=transport, timeout_s=call.timeout_s, idempotency_key=call.idempotency_key
        )


@cache
def _nobody() -> ssl.SSLContext:
    """For a call without TLS: reading whom to trust takes longer than the call, and nothing is asked of it."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@cache
def _look_for_sniffio_once() -> None:
    """`httpcore` tries to import it several times a call, and each search of all folders for what is not installed
    takes as long as a part of the call."""
    if "sniffio" not in sys.modules and find_spec("sniffio") is None:
        sys.modules["sniffio"] = None  # type: ignore[assignment] # as the language defines it: it cannot be imported


def trusted(ca_file: Path | None) -> ssl.SSLContext:
    """Whom to trust. Raises `BadInput` for a file that holds no certificates."""
    try:
        return _trusted(ca_file, 0 if ca_file is None else ca_file.stat().st_mtime_ns)
    except (OSError, ssl.SSLError) as error:
        reason = "it holds no certificates as PEM" if isinstance(error, ssl.SSLError) else error.strerror
        raise BadInput(
            f"the file of certificates {ca_file} cannot be used: {reason}",
            where="[playbooks] ca_file",
            next_step="write the certificates to trust into it, as PEM",
        ) from None


@lru_cache(maxsize=4)
def _trusted(ca_file: Path | None, _changed: int) -> ssl.SSLContext:
    """Read once for each change of the file: it takes longer than a call does."""
    import httpx

    context = httpx.create_ssl_context(trust_env=False)
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


async def send(
    request: HttpRequest, *, over: httpx.AsyncBaseTransport, timeout_s: float, idempotency_key: str
) -> Result:
    """Send one request and read the beginning of its answer."""
    import httpx

    for name in ("httpx", "httpcore"):
        # They log addresses and headers, and those hold values and secrets.
        logging.getLogger(name).setLevel(logging.WARNING)
    begun = _Begun()
    try:
        async with asyncio.timeout(timeout_s):
            return await _exchange(request, over, timeout_s, idempotency_key, begun)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
        return Result(Ending.not_sent, _why_not_connected(error))
    except (TimeoutError, httpx.TimeoutException):
        if begun.connecting_only:
            return Result(Ending.not_sent, f"no connection within {timeout_s:g} s")
        return _cut_short(begun, f"no whole answer within {timeout_s:g} s")
    except httpx.HTTPError as error:
        detail = f"the connection broke: {type(error).__name__}"
        return Result(Ending.not_sent, detail) if begun.connecting_only else _cut_short(begun, detail)
    except httpx.InvalidURL:
        return Result(Ending.not_sent, "the address is not a URL")


def _why_not_connected(error: BaseException) -> str:
    """A certificate that is not trusted is said to be so; it lies somewhere among the causes."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"its certificate is not trusted: {visible(cause.verify_message)}; an authority of your own is named by "
                "[playbooks] ca_file"
            )
        cause = cause.__cause__ or cause.__context__
    return f"no connection: {type(error).__name__}"


def _cut_short(begun: _Begun, detail: str) -> Result:
    """A status that has arrived is an answer, though its body did not."""
    if begun.status is None:
        return Result(Ending.ambiguous, detail)
    return Result(_ending(begun.status), f"HTTP {begun.status}; {detail}", begun.status)


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
    request: HttpRequest, over: httpx.AsyncBaseTransport, timeout_s: float, key: str, begun: _Begun
) -> Result:
    import httpx

    given = {name.lower() for name, _ in request.headers}
    headers = [*request.headers, ("Idempotency-Key", key)]
    headers += [(name, value) for name, value in _USUAL_HEADERS if name.lower() not in given]
    response = await over.handle_async_request(
        httpx.Request(
            request.method,
            request.url,
            headers=headers,
            content=request.body,
            extensions={"trace": begun.trace, "timeout": httpx.Timeout(timeout_s).as_dict()},
        )
    )
    try:
        begun.status = response.status_code
        body = await _prefix(response)
    finally:
        await response.aclose()
    status = response.status_code
    elsewhere = response.headers.get("location", "") if 300 <= status < 400 else ""
    detail = f"HTTP {status}"
    if elsewhere:
        detail += (
            f", which points to {visible(elsewhere)[:200]}; no other address is followed, so if that one is right, "
            "give it to the agent and declare its host"
        )
    return Result(_ending(status), detail, status, body)


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
