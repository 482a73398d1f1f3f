"""Somebody who says in calls what tests want to hear: a server of ours, as short as one can be."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from notifiers.twilio.call_callbacks import AnsweredBy, CallEvent, Step, event_of, step_of, step_url
from notifiers.twilio.callbacks import SIGNATURE_HEADER, form_of, verify
from notifiers.twilio.twiml import CONTENT_TYPE, ask, hang_up, say
from tests.support.twilio.sending import CALLBACK_KEY, CALLBACK_TOKENS

LANGUAGE = "en"
GREETING = "This is Example Ltd. Press 1 to hear a notice that concerns you."
NOTICE = "Your address was exposed. Please change your password."
QUESTION = "Press 1 to confirm that you heard it, or 2 to hear it again."
VOICEMAIL = "This is Example Ltd. Please call us back."
THANKS = "Thank you. Goodbye."
NO_KEY = "We heard nothing from you. Goodbye."
WAIT_SECONDS = 8


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of Twilio's that was genuine."""

    own_id: str
    step: Step
    round: int
    event: CallEvent


@dataclass(slots=True)
class Answering:
    """What came, in its order, and how many requests were refused as not genuine."""

    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    refused: int = 0

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/calls"

    @property
    def steps(self) -> list[tuple[Step, int, str]]:
        """Step, round and key of each request, in order."""
        return [(each.step, each.round, each.event.digit) for each in self.asked]

    def answer_to(self, path: str, body: bytes, signature: str) -> str | None:
        """The document; "" for what needs none, None for what is not genuine."""
        url = f"http://127.0.0.1:{self.port}{path}"
        form, found = form_of(body), step_of(url, base=self.base, key=CALLBACK_KEY)
        if form is None or found is None or not verify(CALLBACK_TOKENS, url, form, signature):
            self.refused += 1
            return None
        event = event_of(form)
        assert event is not None
        asked = Asked(*found, event)
        self.asked.append(asked)
        return self._said_to(asked)

    def _said_to(self, asked: Asked) -> str:
        step, key = asked.step, asked.event.digit
        if step is Step.status:
            return ""
        if step is Step.answer and asked.event.answered_by is AnsweredBy.machine:
            return say([VOICEMAIL], language=LANGUAGE)
        if step is Step.answer and asked.event.answered_by is AnsweredBy.fax:
            return hang_up()
        if step is Step.answer:
            return self._question([GREETING], asked, Step.hear)
        if (step, key) in ((Step.hear, "1"), (Step.confirm, "2")):
            return self._question([NOTICE, QUESTION], asked, Step.confirm, more=1)
        return say([THANKS], language=LANGUAGE)

    def _question(self, lines: list[str], asked: Asked, following: Step, more: int = 0) -> str:
        action = step_url(self.base, asked.own_id, following, key=CALLBACK_KEY, round=asked.round + more)
        return ask(lines, action=action, language=LANGUAGE, wait_seconds=WAIT_SECONDS, otherwise=[NO_KEY])


@contextmanager
def calls_answered() -> Iterator[Answering]:
    """A server for all steps of calls, as long as the context is open."""
    answering = Answering()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            document = answering.answer_to(self.path, body, self.headers.get(SIGNATURE_HEADER, ""))
            octets = (document or "").encode()
            self.send_response(403 if document is None else 200 if octets else 204)
            self.send_header("Content-Type", CONTENT_TYPE)
            if octets:
                self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    answering.port = server.server_address[1]
    running = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    running.start()
    try:
        yield answering
    finally:
        server.shutdown()
        server.server_close()
        running.join()
