"""Twilio's API on loopback: a server that checks what Twilio checks, keeps messages and tells of them by callbacks, and
makes calls to people who follow a script.

It is written from the public description of the API (version 2010-04-01 and messaging v1) and shares nothing with the
client.
"""

from __future__ import annotations

import base64
import json
import re
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.twilio.api import FINAL, TwilioApi
from tests.support.twilio.calls import FIELDS as CALL_FIELDS
from tests.support.twilio.calls import shown as shown_call
from tests.support.twilio.script import (
    ACCOUNT,
    KEY_SECRET,
    KEY_SID,
    SERVICE,
    TOKEN,
    Act,
    Fault,
    Options,
    Taken,
)

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_FIELDS = {"To", "Body", "MessagingServiceSid", "ValidityPeriod", "SmartEncoded", "StatusCallback"}
_LISTED_BY = {"To", "DateSent", "DateSent>", "DateSent<", "From", "PageSize", "Page", "PageToken"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: TwilioApi

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def _serve(self, method: str) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            # The sender was killed while it wrote: there is no request to answer.
            self.close_connection = True
            return
        split = urllib.parse.urlsplit(self.path)
        self.api.requests.append((method, split.path))
        if self.api.options.deaf:
            self._stay_silent()
            return
        query = dict(urllib.parse.parse_qsl(split.query, keep_blank_values=True))
        refusal = self._refusal_of(method, split.path)
        if refusal is not None:
            self._error(*refusal)
        elif split.path.startswith("/v1/"):
            self._messaging(split.path)
        elif split.path.endswith("/Messages.json") and method == "POST":
            self._create_message(self._form(body))
        elif split.path.endswith("/Calls.json") and method == "POST":
            self._create_call(self._form(body))
        elif "/Calls/" in split.path and method == "GET":
            self._one_call(split.path)
        elif split.path.endswith(("/IncomingPhoneNumbers.json", "/OutgoingCallerIds.json")):
            self._numbers(split.path.rpartition("/")[2].removesuffix(".json"), query)
        elif split.path.endswith("/Messages.json"):
            self._list(query)
        elif "/Messages/" in split.path:
            self._one(method, split.path, body)
        elif split.path.endswith("/Balance.json"):
            self._balance()
        else:
            self._account()

    def _refusal_of(self, method: str, path: str) -> tuple[int, int] | None:
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        allowed = {f"{ACCOUNT}:{TOKEN}", f"{KEY_SID}:{KEY_SECRET}"}
        if scheme != "Basic" or base64.b64decode(given).decode() not in allowed:
            return 401, 20003
        known = (f"/2010-04-01/Accounts/{ACCOUNT}", f"/v1/Services/{SERVICE}")
        if not path.startswith(known):
            return 404, 20404
        return None

    def _form(self, body: bytes) -> dict[str, str]:
        if self.headers.get("Content-Type") != "application/x-www-form-urlencoded":
            self.api.complaints.append(f"Content-Type {self.headers.get('Content-Type')}")
        fields = urllib.parse.parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
        if len({name for name, _ in fields}) < len(fields):
            self.api.complaints.append("a field twice")
        return dict(fields)

    def _create_message(self, form: dict[str, str]) -> None:
        self.api.complaints.extend(sorted(form.keys() - _FIELDS))
        self._create(form, self._code_for(form), lambda: self._shown(self.api.take(form)))

    def _create_call(self, form: dict[str, str]) -> None:
        calls = self.api.calls
        self.api.complaints.extend(sorted(form.keys() - CALL_FIELDS))
        self._create(form, calls.code_for(form), lambda: shown_call(calls.take(form)))

    def _create(self, form: dict[str, str], code: int | None, take: Callable[[], dict[str, Any]]) -> None:
        """`take` takes it and says how it is shown."""
        fault = self.api.fault_for(form.get("To", ""))
        if code is None and fault is not None and fault.act is Act.REFUSE:
            self.api.refuse(form["To"], fault.code)
            self._error(fault.status, fault.code)
            return
        if code is not None:
            self.api.refuse(form.get("To", ""), code)
            self._error(400, code)
            return
        if fault is not None and fault.act in (Act.CLOSE, Act.SILENT):
            self._stay_silent() if fault.act is Act.SILENT else self._close()
            return
        shown = take()
        if fault is None:
            self._json(201, shown)
        else:
            self._answer_badly(fault, shown)

    def _answer_badly(self, fault: Fault, shown: dict[str, Any]) -> None:
        if fault.act is Act.LOST:
            self._close()
        elif fault.act is Act.SLOW:
            self.api.ended.wait(fault.seconds)
            self._json(201, shown)
        elif fault.act is Act.FAIL:
            self._error(fault.status, fault.code)
        elif fault.act is Act.GARBAGE:
            self._octets(201, b"<html>created</html>")
        elif fault.act is Act.NAMELESS:
            self._json(201, {**shown, "sid": None})
        else:
            self._trickle()

    @staticmethod
    def _code_for(form: dict[str, str]) -> int | None:
        callback = urllib.parse.urlsplit(form.get("StatusCallback", "https://x.example"))
        if not _E164.fullmatch(form.get("To", "")):
            return 21211
        if not form.get("Body"):
            return 21602
        if len(form["Body"]) > 1600:
            return 21617
        if form.get("MessagingServiceSid") != SERVICE:
            return 21701
        if callback.scheme not in ("http", "https") or not callback.hostname or "_" in callback.netloc:
            return 21609
        if not 1 <= int(form.get("ValidityPeriod", "36000")) <= 36000:
            return 20001
        return None

    def _list(self, query: dict[str, str]) -> None:
        self.api.complaints.extend(sorted(query.keys() - _LISTED_BY))
        since = query.get("DateSent>", "")
        found = [
            message
            for message in reversed(self.api.taken)
            if query.get("To") in (None, message.to) and _day_of(message) >= since[:10]
        ]
        size = min(int(query.get("PageSize", "50")), self.api.options.most_a_page)
        page = int(query.get("Page", "0"))
        more = len(found) > (page + 1) * size
        following = urllib.parse.urlencode({**query, "Page": page + 1})
        here = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
        shown = [self._shown(each) for each in found[page * size : (page + 1) * size]]
        # It gives its pages' addresses without a host, which its own description takes for no addresses: the one that
        # is needed stands alone.
        following_uri = f"{here}?{following}" if more else None
        self._json(200, {"messages": shown, "page": page, "page_size": size, "next_page_uri": following_uri})

    def _one(self, method: str, path: str, body: bytes) -> None:
        sid = path.rpartition("/")[2].removesuffix(".json")
        message = next((each for each in self.api.taken if each.sid == sid), None)
        if message is None:
            self._error(404, 20404)
        elif method == "POST" and (self._form(body) != {"Body": ""} or message.status not in FINAL):
            self._error(400, 20001)
        else:
            if method == "POST":
                message.body = ""
            self._json(200, self._shown(message))

    def _one_call(self, path: str) -> None:
        sid = path.rpartition("/")[2].removesuffix(".json")
        call = next((each for each in self.api.calls.called if each.sid == sid), None)
        self._error(404, 20404) if call is None else self._json(200, shown_call(call))

    def _numbers(self, part: str, query: dict[str, str]) -> None:
        options = self.api.options
        self.api.complaints.extend(sorted(query.keys() - {"PhoneNumber", "PageSize", "Page", "PageToken"}))
        if part in options.forbidden:
            self._error(401, 20003)
            return
        asked = query.get("PhoneNumber")
        entries: list[dict[str, Any]] = [
            {"account_sid": ACCOUNT, "phone_number": number, "sid": f"PN{at:032x}"}
            for at, number in enumerate(
                options.incoming if part == "IncomingPhoneNumbers" else options.verified
            )
            if asked in (None, number)
        ]
        if part == "IncomingPhoneNumbers":
            for entry in entries:
                speaks = options.incoming[entry["phone_number"]]
                entry["capabilities"] = {"voice": speaks, "sms": True, "mms": False, "fax": False}
        key = "incoming_phone_numbers" if part == "IncomingPhoneNumbers" else "outgoing_caller_ids"
        self._json(200, {key: entries, "page": 0, "page_size": 50, "next_page_uri": None})

    def _balance(self) -> None:
        if not self.api.options.tells:
            self._error(404, 20404)
            return
        self._json(200, {"account_sid": ACCOUNT, "balance": self.api.options.balance, "currency": "USD"})

    def _account(self) -> None:
        if not self.api.options.tells:
            self._error(401, 20003)
            return
        options = self.api.options
        self._json(200, {"sid": ACCOUNT, "status": options.account_status, "type": options.account_type})

    def _messaging(self, path: str) -> None:
        options = self.api.options
        if not options.service:
            self._error(404, 20404)
            return
        part = path.removeprefix(f"/v1/Services/{SERVICE}").strip("/")
        registered = "VERIFIED" in options.campaigns
        pages: dict[str, tuple[str, list[dict[str, Any]]]] = {
            "PhoneNumbers": ("phone_numbers", [{"sid": f"PN{at:032x}"} for at in range(options.numbers)]),
            "ShortCodes": ("short_codes", []),
            "AlphaSenders": ("alpha_senders", []),
            "Compliance/Usa2p": ("compliance", [{"campaign_status": each} for each in options.campaigns]),
        }
        if not part:
            self._json(200, {"sid": SERVICE, "us_app_to_person_registered": registered})
            return
        if part in options.forbidden:
            self._error(403, 20003)
            return
        key, entries = pages[part]
        meta = {"page": 0, "page_size": 50, "next_page_url": None, "key": key}
        self._json(200, {key: entries, "meta": meta})

    @staticmethod
    def _shown(message: Taken) -> dict[str, Any]:
        return {
            "account_sid": ACCOUNT,
            "body": message.body,
            "date_created": message.created_at,
            "date_sent": message.created_at,
            "date_updated": message.created_at,
            "direction": "outbound-api",
            "error_code": message.error_code,
            "messaging_service_sid": message.service,
            "num_segments": "0",
            "sid": message.sid,
            "status": message.status,
            "to": message.to,
        }

    def _error(self, status: int, code: int) -> None:
        numbers = [each.to for each in self.api.taken] + [each.to for each in self.api.calls.called]
        number = numbers[-1] if numbers else "+15005550001"
        self._json(status, {"code": code, "message": f"About {number}: no", "status": status})

    def _json(self, status: int, value: dict[str, Any]) -> None:
        self._octets(status, json.dumps(value).encode(), "application/json")

    def _octets(self, status: int, octets: bytes, kind: str = "text/html") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)

    def _trickle(self) -> None:
        self.send_response(201)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        while not self.api.ended.wait(0.02):
            try:
                self.wfile.write(b" ")
                self.wfile.flush()
            except OSError:
                break
        self._close()

    def _stay_silent(self) -> None:
        self.api.ended.wait()
        self._close()

    def _close(self) -> None:
        self.close_connection = True


def _day_of(message: Taken) -> str:
    return parsedate_to_datetime(message.created_at).date().isoformat()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 100

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever went away in the middle is no error of the server's."""


def serve(api: TwilioApi, port: int) -> ThreadingHTTPServer:
    """A server that is bound and whose `serve_forever` is still to be called."""
    handler = type("Handler", (_Handler,), {"api": api})
    server = _Server(("127.0.0.1", port), handler)
    api.port = server.server_address[1]
    return server


@contextmanager
def twilio_api(
    options: Options | None = None,
    *,
    port: int = 0,
    record: Path | None = None,
    tls: ssl.SSLContext | None = None,
    **more: Any,
) -> Iterator[TwilioApi]:
    """The API for as long as the context is open: `with twilio_api(faults=FAULTS) as api`."""
    api = TwilioApi(options or Options(**more), record)
    server = serve(api, port)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    running = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    running.start()
    try:
        yield api
    finally:
        api.ended.set()
        server.shutdown()
        server.server_close()
        running.join()
