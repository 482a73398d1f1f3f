"""`incident serve` and `incident worker`."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import typer

from incident.cli.desk import Desk, desk_of
from incident.errors import BadInput, Refused, StoreAway, StoreUnavailable, WrongUsage

if TYPE_CHECKING:
    from incident.hooks.mapping import CompiledSource
    from incident.ops.worker import WorksOn

app = typer.Typer(rich_markup_mode=None, add_completion=False)
_STORE_AWAY_SECONDS = 1.0


@app.command("serve", help="Serve the alert intake over HTTP.")
def serve(
    ctx: typer.Context,
    what: str = typer.Argument(..., metavar="hooks", help="What to serve; this version serves hooks."),
    host: str | None = typer.Option(
        None, "--host", help="The address to listen on; the settings' without it."
    ),
    port: int | None = typer.Option(None, "--port", help="The port to listen on; 0 takes a free one."),
) -> None:
    if what != "hooks":
        raise WrongUsage(f"{what!r} cannot be served", next_step="this version serves: hooks")
    desk = desk_of(ctx)
    _serve_hooks(desk, host or desk.settings.hooks.host, desk.settings.hooks.port if port is None else port)


@app.command("worker", help="Work on what is due, until stopped.")
def worker(
    ctx: typer.Context,
    retry: bool = typer.Option(False, "--retry-parked", help="Try again what failed at every start."),
    brake: bool = typer.Option(
        False, "--brake", help="Stop everything that leaves the house, within a second, and end."
    ),
    release: bool = typer.Option(False, "--release", help="Take the brake off, and end."),
    reason: str = typer.Option("", "--reason", help="Why the brake is put on or taken off."),
) -> None:
    desk = desk_of(ctx)
    if brake and release:
        raise WrongUsage("--brake and --release cannot go together", where="worker")
    if brake or release:
        _set_brake(desk, on=brake, reason=reason)
        return
    _work(desk, retry=retry)


def _set_brake(desk: Desk, *, on: bool, reason: str) -> None:
    from incident.ops.engine import put_the_brake_on, take_the_brake_off

    change = put_the_brake_on if on else take_the_brake_off
    changed = change(desk.store, by=desk.actor, reason=reason, now=desk.now())
    if on:
        text = "the brake is on: nothing leaves the house" if changed else "the brake was on already"
        then = (
            "`incident worker --release` takes it off; alerts are still taken in, clocks of the law still run"
        )
    else:
        text = "the brake is off" if changed else "the brake was not on"
        then = "what was held back goes on, if a worker is at work"
    desk.lines([text, then], document={"brake": on, "changed": changed})


def _work(desk: Desk, *, retry: bool) -> None:
    from incident.ops.worker import Worker

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    if not _wait_for_the_store(desk, stop):
        desk.lines(["stopped"], document={"workspace": str(desk.paths.root), "state": "stopped"})
        return

    worker = Worker(desk.house, says=desk.say)
    if retry and worker.alone and worker.somebody_works():
        text = f"{_retry_parked(desk)} parked jobs are due again; the worker that is at work takes them"
        desk.lines([text], document={"workspace": str(desk.paths.root), "state": "asked"})
        return

    def stop_on_signal(runner: WorksOn) -> None:
        if retry:
            desk.say(f"{_retry_parked(desk)} parked jobs are due again")
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda _number, _frame: runner.stop())
        if stop.is_set():
            runner.stop()
        desk.say(f"working on {desk.paths.root}; Ctrl-C stops after the group under way")

    worker.work_forever(until_stopped=stop_on_signal)
    desk.lines(["stopped"], document={"workspace": str(desk.paths.root), "state": "stopped"})


def _retry_parked(desk: Desk) -> int:
    from incident.durable import retry_parked

    with desk.store.transaction() as session:
        return retry_parked(session)


def _wait_for_the_store(desk: Desk, stop: threading.Event) -> bool:
    """Open the store, or wait for a database server that is away; False when stopped meanwhile."""
    told = False
    while not stop.is_set():
        try:
            desk.store  # noqa: B018 - opening it is what is tried
            return True
        except StoreAway as error:
            if not told:
                desk.say(f"waiting for the database: {error}")
            told = True
            stop.wait(_STORE_AWAY_SECONDS)
    return False


def _serve_hooks(desk: Desk, host: str, port: int) -> None:
    from incident.server.receipts import CALLS_PATH, PATH, receipt_routes_or_none
    from incident.server.running import hooks_server, listen
    from incident.settings import resolve_secret

    receipts = receipt_routes_or_none(desk.house, desk.say)
    sources = _sources(desk, needed=not receipts)
    desk.store.keyring.get("workspace")
    server = hooks_server(desk.house, sources, resolve_secret, log_level="warning", receipts=receipts)
    listener = listen(host, port)
    stop = threading.Event()
    over: list[Exception] = []

    def work_beside() -> None:
        try:
            _work_beside(desk, stop)
        except Exception as why:
            # Whoever sends alerts must not be answered where nothing is done with them: what gets no answer is sent
            # again, perhaps to a copy that is in charge, and whoever watches over services sees that this one ended.
            over.append(why)
            server.should_exit = True

    helper = threading.Thread(target=work_beside, name="worker", daemon=True)
    helper.start()
    bound = listener.getsockname()
    base = f"http://{bound[0]}:{bound[1]}"
    url = f"{base}/hooks/SOURCE"
    if sources:
        desk.say(f"alerts are taken at {url} from {', '.join(sorted(sources))}")
    by_sms, by_calls = (any(each.path.startswith(path) for each in receipts) for path in (PATH, CALLS_PATH))
    if by_sms:
        desk.say(f"receipts of SMS are taken below {base}{PATH}")
    if by_calls:
        desk.say(f"Twilio is told what to say in calls below {base}{CALLS_PATH}")
    if desk.as_json:
        # At once, not at the end: who starts this with port 0 wants to know where to post.
        desk.document(
            {
                "url": url,
                "sources": sorted(sources),
                "receipts": f"{base}{PATH}" if by_sms else None,
                "calls": f"{base}{CALLS_PATH}" if by_calls else None,
            }
        )
        sys.stdout.flush()
    # The server stops on these signals by itself and then raises them again, which would end us before the worker.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: None)
    try:
        server.run(sockets=[listener])
    finally:
        stop.set()
        helper.join(timeout=30)
    if over:
        raise over[0]


def _work_beside(desk: Desk, stop: threading.Event) -> None:
    """Map alerts and advance runs while serving, unless a worker of its own does it.

    Raises `NotInCharge` when another copy of the record became the one that acts.
    """
    from incident.errors import TocsinError
    from incident.ops.worker import Worker
    from incident.store.instance import objection

    worker = Worker(desk.house, says=desk.say)
    try:
        worker.must_be_able_to_send()
    except TocsinError as error:
        # Alerts are opened all the same; only the sending needs somebody who has the secrets of relay and centre.
        desk.say(
            "warning: no message to people can be sent from here; stop this and set it before a notice goes out\n"
            f"{error}"
        )
        worker.sends = False
    while not stop.is_set():
        with suppress(StoreUnavailable):
            if why := objection(desk.store):
                raise why
        with worker.turn_for_long() as ours:
            if ours:
                with worker.runner(stays=True) as runner:
                    threading.Thread(target=_stop_when, args=(stop, runner), daemon=True).start()
                    runner.work()
                return
        stop.wait(2)


def _stop_when(stop: threading.Event, runner: WorksOn) -> None:
    stop.wait()
    runner.stop()


def _sources(desk: Desk, *, needed: bool) -> dict[str, CompiledSource]:
    """The sources that may post: those of the settings, else each whose secret is set. Without one `needed` is refused:
    nothing would be served."""
    from incident.errors import TocsinError
    from incident.ops.worker import sources_of
    from incident.settings import resolve_secret

    known = sources_of(desk.house)
    if named := desk.settings.hooks.sources:
        unknown = [name for name in named if name not in known]
        if unknown:
            raise BadInput(
                f"there is no source {unknown[0]}",
                where="hooks.sources",
                next_step="`incident source list` shows them",
            )
        return {name: known[name] for name in named}

    def ready(compiled: CompiledSource) -> bool:
        try:
            return any(resolve_secret(reference) for reference in compiled.source.secret_references)
        except TocsinError:
            return False

    found = {name: compiled for name, compiled in known.items() if ready(compiled)}
    if not found and needed:
        raise Refused(
            "no source may post: none of their secrets is set",
            next_step="set one, for example WAZUH_HOOK_TOKEN; `incident source list` names them",
        )
    return found
