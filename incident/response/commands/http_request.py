"""An http-api or openc2-http command (CACAO 2.0 sections 5.5, 5.8) as a request, with every value escaped for its place. No I/O."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from incident.errors import BadInput
from incident.response.commands.prepared import SecretResolver
from incident.response.model import AgentTarget, Authentication, Command, Variable
from incident.response.variables import (
    REFERENCE,
    Sink,
    Values,
    known,
    references,
    substitute,
    substitute_json,
)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Set by the engine or by HTTP itself; a playbook that set them could split or disguise a request.
RESERVED_HEADERS = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "idempotency-key",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_START_LINE = re.compile(r"([A-Z]+) (\S+)(?: HTTP/?[0-9](?:\.[0-9])?)?")
# Whoever checks where a request goes must read it as whoever sends it does, so nothing else is a host here.
_NETLOC = re.compile(r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True)
class HttpRequest:
    """A request ready to be sent. `repr` leaves headers and body out, because they may hold secrets."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes | None = field(repr=False)


def start_line(command: Command) -> tuple[str, str]:
    """Method and request target of `POST /path HTTP/1.1`; the version may be left out, as many do."""
    match = _START_LINE.fullmatch((command.command or "").strip())
    if match is None:
        raise BadInput("an http-api command is written: METHOD /path HTTP/1.1", where="command")
    method, target = match[1], match[2]
    if method not in METHODS:
        raise BadInput(f"{method} is not among {', '.join(sorted(METHODS))}", where="command")
    if not target.startswith("/"):
        raise BadInput("the path begins with “/”; the host stands in the agent's address", where="command")
    if "#" in target:
        raise BadInput("a path has no “#” part", where="command")
    return method, target


def build(
    command: Command,
    agent: AgentTarget,
    variables: Values,
    declared: Mapping[str, Variable],
    *,
    authentication: Authentication | None = None,
    resolve_secret: SecretResolver | None = None,
) -> HttpRequest:
    """The request. BadInput where a value is missing or cannot go to its place; secrets only by reference."""
    method, target = start_line(command)
    path, mark, query = target.partition("?")
    url = base_url(agent, variables, declared)
    if path != "/" or not urlsplit(url).path:  # “/” adds nothing to an address that already names a path
        url += substitute(path, variables, Sink.url_path)
    if mark:
        url += "?" + substitute(query, variables, Sink.url_query)
    headers = [
        (checked_header(name), substitute(value, variables, Sink.header))
        for name, several in command.headers.items()
        for value in several
    ]
    if authentication is not None:
        headers.append(("Authorization", _authorization(authentication, variables, resolve_secret)))
    return HttpRequest(method, url, tuple(headers), content_of(command, variables, declared))


def checked_header(name: str) -> str:
    """The name, if a playbook may set that header."""
    if not _HEADER_NAME.fullmatch(name):
        raise BadInput("this is not the name of a header", where=name)
    if name.lower() in RESERVED_HEADERS:
        raise BadInput(
            "this header is set by the engine", where=name, next_step="leave it out of the playbook"
        )
    return name


def content_kind(command: Command) -> str:
    """json, form, text or other: how variables in the content are escaped."""
    declared = next(
        (
            several[0]
            for name, several in command.headers.items()
            if name.lower() == "content-type" and several
        ),
        "",
    )
    media = declared.partition(";")[0].strip().lower()
    if media == "application/json" or media.endswith("+json"):
        return "json"
    if media == "application/x-www-form-urlencoded":
        return "form"
    if media == "text/plain":
        return "text"
    return "json" if not media and (command.content or "").lstrip()[:1] in {"{", "["} else "other"


def content_of(command: Command, variables: Values, declared: Mapping[str, Variable]) -> bytes | None:
    """The body. `content_b64` is sent as it is, without variables."""
    if command.content_b64 is not None:
        try:
            return base64.b64decode(command.content_b64, validate=True)
        except binascii.Error:
            raise BadInput("this is not base64", where="content_b64") from None
    if command.content is None:
        return None
    if not references(command.content):
        return command.content.encode()
    match content_kind(command):
        case "json":
            return substitute_json(command.content, variables, declared).encode()
        case "form":
            return substitute(command.content, variables, Sink.form).encode()
        case "text":
            return substitute(command.content, variables, Sink.text).encode()
        case _:
            raise BadInput(
                "variables cannot be put safely into content of this type",
                where="content",
                next_step="declare Content-Type application/json, application/x-www-form-urlencoded or text/plain",
            )


def base_url(agent: AgentTarget, variables: Values, declared: Mapping[str, Variable]) -> str:
    """Scheme, host, port and base path of an http-api agent or target, without a final slash.

    The first entry of `url`, `dname` or `ipv4` counts. An entry that is only a variable of type uri gives the
    whole base wherever it stands: the standard allows that, but the official schema takes variables under
    `dname` alone. Without a url the scheme is https, except on port 80, and a missing port means 443.
    """
    address = agent.address or {}
    for key in ("url", "dname", "ipv4"):
        entries = address.get(key) or []
        if not entries:
            continue
        entry = str(entries[0])
        whole = REFERENCE.fullmatch(entry)
        if whole and whole[1] in declared and declared[whole[1]].type == "uri":
            return _base(known(whole[1], variables))
        if key == "url":
            return _base(_fill_url(entry, variables))
        return _from_host(
            substitute(entry, variables, Sink.host), agent.port, variables, numeric=key == "ipv4"
        )
    raise BadInput("the agent has no url, dname or ipv4 address", where=agent.name)


def _fill_url(entry: str, variables: Values) -> str:
    scheme, mark, rest = entry.partition("://")
    if not mark or references(scheme):
        raise BadInput("a url begins with http:// or https://", where=entry)
    host, slash, path = rest.partition("/")
    return f"{scheme}://{substitute(host, variables, Sink.host)}{slash}{substitute(path, variables, Sink.url_path)}"


def _from_host(host: str, port: str | None, variables: Values, *, numeric: bool) -> str:
    if numeric:
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            raise BadInput("this is not an IPv4 address", where=host) from None
    number = substitute(port, variables, Sink.host) if port else "443"
    return _base(f"{'http' if number == '80' else 'https'}://{host}:{number}")


def _base(url: str) -> str:
    wrong = BadInput(
        "this is not the http or https address of a service",
        where=url[:200],
        next_step="write it as https://host[:port][/path], without user, query or “#” part",
    )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in {"http", "https"} or not _NETLOC.fullmatch(parts.netloc) or port == 0:
        raise wrong
    if parts.query or parts.fragment or not re.fullmatch(r"[\x21-\x7e]+", url) or "\\" in url:
        raise wrong
    return url.rstrip("/?#")


def _authorization(
    authentication: Authentication, variables: Values, resolve_secret: SecretResolver | None
) -> str:
    reference = authentication.kms_key_identifier
    if not authentication.kms or not reference:
        raise BadInput(
            "a secret is named by kms_key_identifier, never written in a playbook",
            where=authentication.name or authentication.type,
            next_step="set kms: true and kms_key_identifier: NAME; [playbooks] secrets says where it lies",
        )
    if resolve_secret is None:
        raise BadInput("no place to read secrets from was given", where=reference)
    secret = resolve_secret(reference)
    if not re.fullmatch(r"[^\x00-\x1f\x7f]+", secret):
        raise BadInput("the secret is empty or holds control characters", where=reference)
    if authentication.type == "http-basic":
        user = substitute(authentication.user_id or "", variables, Sink.text)
        if not re.fullmatch(r"[^:\x00-\x1f\x7f]*", user):
            raise BadInput(
                "a user name holds no colon and no control character (RFC 7617 section 2)", where="user_id"
            )
        pair = f"{user}:{secret}"
        return "Basic " + base64.b64encode(pair.encode()).decode()
    if authentication.type == "oauth2":
        return f"Bearer {secret}"
    raise BadInput(f"{authentication.type} cannot be used with http-api", where=authentication.name)
