"""Running the apps: on the address that the settings name, or on loopback for a rehearsal."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from incident.errors import Refused
from incident.hooks.receiving import StoreIntake
from incident.ops.worker import sources_of
from incident.server.hooks import UVICORN_OPTIONS, create_app

if TYPE_CHECKING:
    import uvicorn
    from starlette.routing import Route

    from incident.hooks.mapping import CompiledSource
    from incident.response.housework import House

_DRILL_SECRET = "env:DRILL"  # noqa: S105 - the name of a secret, resolved by a function of the drill


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises `Refused`."""
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise Refused(
            f"cannot listen on {host}:{port} ({error.strerror})",
            next_step="choose another with --host and --port",
        ) from error


def hooks_server(
    house: House,
    sources: Mapping[str, CompiledSource],
    resolve_secret: Callable[[str], str],
    *,
    log_level: str,
    receipts: Sequence[Route] = (),
) -> uvicorn.Server:
    """The alert intake over the house's store, ready to run, and where carriers post `receipts`."""
    import uvicorn

    app = create_app(
        sources=sources,
        intake=StoreIntake(house.store),
        resolve_secret=resolve_secret,
        clock=house.clock,
        receipts=receipts,
    )
    # uvicorn would set up logging for the whole process, with an access log of its own.
    return uvicorn.Server(uvicorn.Config(app, log_level=log_level, log_config=None, **UVICORN_OPTIONS))


@contextmanager
def hooks_on_loopback(house: House, token: str) -> Iterator[str]:
    """The alert intake on a free port of loopback, taking Wazuh alerts with this token; yields its base URL."""
    sources = {"wazuh": sources_of(house)["wazuh"].with_settings(secrets=[_DRILL_SECRET])}
    server = hooks_server(house, sources, lambda reference: token, log_level="error")
    listener = listen("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="hooks", daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
