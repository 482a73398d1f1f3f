"""How the stand-in for Twilio makes requests: form fields, signed by Twilio's own validator."""

from __future__ import annotations

import http.client
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

from twilio.request_validator import RequestValidator

from tests.support.twilio.script import Options

PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; a `status` of 0 is no answer."""

    status: int
    kind: str = ""
    body: bytes = b""


def posted(options: Options, url: str, form: Mapping[str, str], *, signed: bool = True) -> Reply:
    """One request to the address as it was given, wherever it is really found."""
    reached = url
    for public, real in options.reached_as.items():
        if url.startswith(public):
            reached = real + url.removeprefix(public)
    split = urllib.parse.urlsplit(reached)
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "User-Agent": "TwilioProxy/1.1",
    }
    if signed:
        headers["X-Twilio-Signature"] = RequestValidator(options.token).compute_signature(url, form)
    connection = http.client.HTTPConnection(split.netloc, timeout=PATIENCE_SECONDS)
    try:
        connection.request("POST", split.path, urllib.parse.urlencode(form), headers)
        response = connection.getresponse()
        return Reply(response.status, response.headers.get("Content-Type", ""), response.read())
    except (OSError, http.client.HTTPException):
        return Reply(0)
    finally:
        connection.close()
