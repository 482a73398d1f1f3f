"""`http-api` commands (CACAO 2.0 section 5.5). No redirects, explicit time limits, and a plain word on what is certain.

An answer that points elsewhere is a no: what was meant for one host is sent to no other.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, urlsplit

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
from incident.response.commands.http_wire import Answer, NoAnswer, Request, exchange
from incident.response.commands.prepared import Call, Prepared
from incident.response.commands.result import BODY_PREFIX, Ending, Result
from incident.response.model import ActionStep, AgentTarget, Command, Playbook, Variable
from incident.response.variables import Sink, Values, references, substitute, visible

TYPE = "http-api"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_URL_CHARACTERS = "!#$%&'()*+,/:;=?@[]~"  # RFC 3986 section 2; what else stands in a path is written as bytes
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


def carry_out(call: Call, rules: GoingOut) -> Result:
    """Make the call once, within its time in all. Never raises for what the network does."""
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
        context = trusted(rules.ca_file) if request.url.startswith("https:") else None
    except TocsinError as error:
        return Result(Ending.not_sent, f"the request could not be made: {error.what}")
    wanted = _on_the_wire(request, context, call.idempotency_key)
    answer = exchange(wanted, timeout_s=call.timeout_s, most=BODY_PREFIX)
    if isinstance(answer, NoAnswer):
        return Result(Ending.ambiguous if answer.sent else Ending.not_sent, visible(answer.why))
    return _read(answer)


def _on_the_wire(request: HttpRequest, tls: ssl.SSLContext | None, key: str) -> Request:
    host, port = _host_and_port(request.url)
    parts = urlsplit(request.url)
    target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_URL_CHARACTERS)
    given = {name.lower() for name, _ in request.headers}
    headers = [*request.headers, ("Idempotency-Key", key)]
    headers += [(name, value) for name, value in _USUAL_HEADERS if name.lower() not in given]
    return Request(host, port, tls, request.method, target, headers, request.body)


def _read(answer: Answer) -> Result:
    """A status that has arrived is an answer, though its body did not."""
    detail = f"HTTP {answer.status}"
    if answer.broken:
        return Result(_ending(answer.status), f"{detail}; {answer.broken}", answer.status)
    if answer.location and 300 <= answer.status < 400:
        detail += (
            f", which points to {visible(answer.location)[:200]}; no other address is followed, so if that one is "
            "right, give it to the agent and declare its host"
        )
    return Result(_ending(answer.status), detail, answer.status, answer.body)


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


def _ending(status: int) -> Ending:
    if 200 <= status < 300:
        return Ending.done
    return Ending.answered_error if status >= 500 else Ending.answered_no
