"""A real browser for tests of printed pages: one Chromium a run, spoken to over a pipe (Chrome DevTools Protocol).

A Chromium for each page takes two seconds, and a hundredth of that is the page. It ends with us: when the pipe is
closed, however that happens, it stops.
"""

from __future__ import annotations

import atexit
import base64
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from tests.support.tools import need_tool

_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    # It must not look for updates of itself: a test talks to this machine only.
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-pipe",
)
# As Chromium's own `--print-to-pdf --no-pdf-header-footer` prints.
_AS_PRINTED = {"printBackground": True, "preferCSSPageSize": True, "displayHeaderFooter": False}
_PATIENCE_SECONDS = 120
# Of the browser's side of the pipe: it reads from 3 and writes to 4.
_READS, _WRITES = 3, 4


def printed_pages(html: str) -> int:
    """How many pages a browser prints of a document. Skips the test where Chromium is not installed."""
    return len(re.findall(rb"/Type\s*/Page\b", _browser().print_pdf(html)))


def sideways(html: str, *, width: int) -> int:
    """By how many pixels a document is wider than a window of this width. Skips the test without Chromium."""
    return _browser().overflow(html, width)


class _Browser:
    def __init__(self) -> None:
        program = need_tool("chromium", "chromium")
        self._folder = Path(tempfile.mkdtemp(prefix="tocsin-browser-"))
        it_reads, self._to = _pipe()
        self._from, it_writes = _pipe()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-S", "-c", _INTO_PLACE, str(it_reads), str(it_writes)),
                *(program, *_OPTIONS, f"--user-data-dir={self._folder}/profile"),
            ],
            pass_fds=(it_reads, it_writes),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(it_reads)
        os.close(it_writes)
        self._unread = b""
        self._asked = 0
        self._events: list[dict[str, Any]] = []
        self._tab = ""
        tab = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._tab = self._ask("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        self._ask("Page.enable")

    def print_pdf(self, html: str) -> bytes:
        """The document as the browser prints it."""
        self._show(html)
        return base64.b64decode(self._ask("Page.printToPDF", **_AS_PRINTED)["data"])

    def _show(self, html: str) -> None:
        source = self._folder / "page.html"
        source.write_text(html, encoding="utf-8")
        self._events.clear()
        self._ask("Page.navigate", url=source.as_uri())
        self._wait_for("Page.loadEventFired")

    def overflow(self, html: str, width: int) -> int:
        """The pixels by which the document reaches beyond the right edge of a window, as a phone shows it."""
        self._ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=True
        )
        self._show(html)
        answer = self._ask("Runtime.evaluate", expression="document.documentElement.scrollWidth")
        self._ask("Emulation.clearDeviceMetricsOverride")
        return int(answer["result"]["value"]) - width

    def stop(self) -> None:
        """Close the pipe, which ends the browser, and remove what it kept."""
        os.close(self._to)
        os.close(self._from)
        try:
            self._process.wait(timeout=_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._asked += 1
        message: dict[str, Any] = {"id": self._asked, "method": method, "params": params}
        if self._tab:
            message["sessionId"] = self._tab
        _write_all(self._to, json.dumps(message).encode() + b"\0")
        while True:
            said = self._next()
            if said.get("id") == self._asked:
                assert "error" not in said, f"{method}: {said['error']}"
                result: dict[str, Any] = said["result"]
                return result
            self._events.append(said)

    def _wait_for(self, method: str) -> None:
        while not any(each.get("method") == method for each in self._events):
            self._events.append(self._next())

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            ready = wait([self._from], _PATIENCE_SECONDS)
            assert ready, "the browser does not answer"
            more = os.read(self._from, 1 << 20)
            assert more, "the browser has ended"
            self._unread += more
        message, self._unread = self._unread.split(b"\0", 1)
        said: dict[str, Any] = json.loads(message)
        return said


@cache
def _browser() -> _Browser:
    browser = _Browser()
    atexit.register(browser.stop)
    return browser


# Puts the two ends where the browser looks for them, and becomes the browser.
_INTO_PLACE = f"""
import os, sys
os.dup2(int(sys.argv[1]), {_READS})
os.dup2(int(sys.argv[2]), {_WRITES})
os.execv(sys.argv[3], sys.argv[3:])
"""


def _pipe() -> tuple[int, int]:
    """A pipe whose ends are not where the browser's are to be."""
    ends = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _WRITES + 1) for end in ends)
    for end in ends:
        os.close(end)
    return high[0], high[1]


def _write_all(end: int, content: bytes) -> None:
    while content:
        content = content[os.write(end, content) :]
