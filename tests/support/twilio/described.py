"""Prism between a client and an API: each request and each answer is checked against the API's own description.

Prism comes from npm (`prism/package.json`). The version is the last that Node.js 18 and 20 run. What does not fit is
answered by Prism itself, with 422 for a request and 500 for an answer, so that a call that succeeds fits.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.notifiers.conftest import free_port
from tests.support.node_modules import installed_modules
from tests.support.shared import need_shared
from tests.support.tools import need_tool

_SOURCES = Path(__file__).parent / "prism"
_PATIENCE_SECONDS = 60.0
_FORM = "application/x-www-form-urlencoded"
_STARTED = "Prism is listening on"


@contextmanager
def described(upstream: str) -> Iterator[int]:
    """The port of a Prism before the API at this address, for as long as the context is open."""
    published = need_shared("schemas") / "twilio" / "twilio_api_v2010.json"
    node = need_tool("node", "nodejs")
    program = installed_modules(_SOURCES, "prism") / "@stoplight" / "prism-cli" / "dist" / "index.js"
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="tocsin-prism-") as folder:
        log, document = Path(folder) / "log", Path(folder) / "api.json"
        document.write_text(json.dumps(_spelled_out(json.loads(published.read_text(encoding="utf-8")))))
        asked = ("proxy", str(document), upstream, "--errors", "--host", "127.0.0.1", "--port", str(port))
        with log.open("wb") as said:
            process = subprocess.Popen(
                (node, str(program), *asked), stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
        try:
            _wait_for(process, log)
            yield port
        finally:
            process.terminate()
            process.wait(timeout=_PATIENCE_SECONDS)


def _spelled_out(api: dict[str, Any]) -> dict[str, Any]:
    """The same description, which says of lists in forms what OpenAPI takes for granted: one field for each entry.
    Prism takes a list for one only where it is said."""
    for path in api["paths"].values():
        form = path.get("post", {}).get("requestBody", {}).get("content", {}).get(_FORM, {})
        fields = form.get("schema", {}).get("properties", {})
        lists = [name for name, field in fields.items() if field.get("type") == "array"]
        if lists:
            form.setdefault("encoding", {}).update(
                {name: {"style": "form", "explode": True} for name in lists}
            )
    return api


def _wait_for(process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while _STARTED not in log.read_text(encoding="utf-8"):
        assert process.poll() is None, f"Prism does not start:\n{log.read_text()}"
        assert time.monotonic() < until, "Prism did not come up"
        time.sleep(0.05)
