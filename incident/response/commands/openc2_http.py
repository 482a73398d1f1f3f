"""`openc2-http` commands (CACAO 2.0 section 5.8): an OpenC2 command, sent as HTTP content.

The content is JSON in `content_b64`; variables in it are filled in as in any JSON, so that no value adds a member.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from typing import Any

from incident.errors import BadInput, TocsinError
from incident.response.commands import http_api
from incident.response.commands.going_out import GoingOut
from incident.response.commands.prepared import Call, Prepared
from incident.response.commands.result import Ending, Result
from incident.response.model import ActionStep, AgentTarget, Command, Playbook, Variable
from incident.response.variables import Values, references

TYPE = "openc2-http"
destination = http_api.destination
MEDIA_TYPE = "application/openc2+json;version=1.0"


def problems(playbook: Playbook, step: ActionStep, command: Command) -> Iterator[tuple[str, str]]:
    """What keeps the command from being run, as (code, message)."""
    try:
        plain = as_http(command)
    except TocsinError as error:
        yield "openc2-command", f"{error.where}: {error.what}"
        return
    yield from http_api.problems(playbook, step, plain)


def as_http(command: Command) -> Command:
    """The same as an http-api command. BadInput where the content is no OpenC2 command."""
    if command.content_b64 is None:
        raise BadInput("an OpenC2 command stands in content_b64", where="content_b64")
    try:
        text = base64.b64decode(command.content_b64, validate=True).decode("utf-8")
        found = json.loads(text)
    except (binascii.Error, ValueError, RecursionError):
        raise BadInput("this is not base64 of a JSON text", where="content_b64") from None
    request = _within(found, "request")
    if not isinstance(request.get("action"), str) or not isinstance(request.get("target"), dict):
        raise BadInput("an OpenC2 command has an action and a target", where="content_b64")
    headers = {name: several for name, several in command.headers.items() if name.lower() != "content-type"}
    return command.model_copy(
        update={
            "headers": {**headers, "Content-Type": [MEDIA_TYPE]},
            "content": text,
            "content_b64": None,
        }
    )


def used(command: Command, addressee: AgentTarget) -> list[str]:
    """The variables that the command and its addressee refer to."""
    try:
        return http_api.used(as_http(command), addressee)
    except TocsinError:
        return references(command.command or "")


def prepare(
    command: Command, addressee: AgentTarget, values: Values, declared: Mapping[str, Variable]
) -> Prepared:
    prepared = http_api.prepare(as_http(command), addressee, values, declared)
    return Prepared(TYPE, prepared.host, prepared.port, prepared.request, prepared.content)


def carry_out(call: Call, rules: GoingOut) -> Result:
    """Send the command once. An answer whose own status says no is a no, though HTTP says 200."""
    try:
        plain = as_http(call.command)
    except TocsinError as error:
        return Result(Ending.not_sent, f"the request could not be made: {error.what}")
    result = http_api.carry_out(
        Call(
            plain,
            call.addressee,
            call.values,
            call.declared,
            call.timeout_s,
            call.idempotency_key,
            call.authentication,
            call.resolve_secret,
        ),
        rules,
    )
    return _read(result)


def _read(result: Result) -> Result:
    if result.ending is not Ending.done:
        return result
    try:
        answer = json.loads(result.body)
    except (ValueError, RecursionError):
        return result
    status = _within(answer, "response").get("status")
    if not isinstance(status, int) or isinstance(status, bool) or 200 <= status < 300:
        return result
    if status < 200:
        return Result(
            Ending.ambiguous,
            f"OpenC2 status {status}: taken, not yet carried out",
            result.status,
            result.body,
        )
    ending = Ending.answered_error if status >= 500 else Ending.answered_no
    return Result(ending, f"OpenC2 status {status}", result.status, result.body)


def _within(message: Any, which: str) -> dict[str, Any]:
    """The request or response in a message, which may be wrapped as `body.openc2`; empty where there is none."""
    if not isinstance(message, dict):
        return {}
    inner: Any = message
    for name in ("body", "openc2", which):
        inner = inner.get(name) if isinstance(inner, dict) else None
    return inner if isinstance(inner, dict) else message
