"""The worker: all kinds of jobs with their handlers, on one machine or as one of several.

Commands only write rows. Who wants something done now becomes the worker until it is (`work_until`), unless a worker
lives already: then one only watches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from sqlmodel import Session

from incident.delivery.call_closing import look_at_call_list
from incident.delivery.campaign import end_campaign, is_settled
from incident.delivery.centre_room import CentreRoom, centre_from
from incident.delivery.mailroom import MailRoom, Route, routes_from
from incident.delivery.next_means import NextMeans, calls_by_machine, sends_sms
from incident.delivery.resting import calls_rest_until, rests_until
from incident.delivery.return_path import bounce_mailbox_from
from incident.delivery.sender import Post, batches_at_once, send_batch
from incident.delivery.sms_asking import AskingDesk
from incident.delivery.sms_parts import take_sms_receipts
from incident.delivery.sms_room import SmsRoom
from incident.delivery.sms_sender import SmsPost, send_sms_batch
from incident.delivery.states import (
    BATCH_JOB,
    CALL_JOB,
    CALL_LIST_JOB,
    PUBLISH_JOB,
    SETTLE_JOB,
    SMS_JOB,
    WAVE_JOB,
)
from incident.delivery.waving import Lookout, look_at_waves
from incident.durable import (
    Handler,
    Lease,
    Patience,
    Runner,
    braked,
    due_jobs,
    somebody_works,
    wait_for,
)
from incident.duties.reminding import DUTIES_JOB
from incident.errors import NotFound, Refused
from incident.garbage import collecting_seldom
from incident.hooks.library import SHIPPED as SHIPPED_SOURCES
from incident.hooks.library import read_sources
from incident.hooks.mapping import CompiledSource
from incident.hooks.receiving import ALERT_JOB, AlertDesk, work_on_alert
from incident.notice.publishing import followed_by, record_pages, write_pages
from incident.notice.release import version_by_id
from incident.ops.bounce_reading import BounceReading
from incident.ops.containment_reminders import look_at_containment
from incident.ops.duty_reminders import look_at_duties
from incident.ops.engine import keep_relay_limits
from incident.ops.escalation import SUMMONS_JOB, Caller, work_on_summons
from incident.ops.hold_reminders import look_at_hold
from incident.ops.house import evaluate, start_playbook
from incident.ops.owing import put_missing_jobs
from incident.record.holds import HOLD_JOB, Cover, held, hold_brake
from incident.response import events as e
from incident.response.commands.going_out import going_out
from incident.response.containment import CONTAINMENT_JOB
from incident.response.housework import House
from incident.response.runner import RUN_JOB, poke_runs
from incident.response.working import ENGINE, Surroundings, advance_run
from incident.settings import Settings, secret_reader
from incident.store.tables import Campaign
from incident.workspace import worker_lock
from notifiers.smpp.centre import Centre

if TYPE_CHECKING:
    from incident.delivery.call_room import CallRoom, TwilioVoice
    from incident.delivery.twilio_room import Twilio
    from notifiers.sms_gateway.gateway import Gateway

    SmsCarrierAtHand = Centre | Gateway | Twilio

Watcher = Callable[[str, e.Effect, str], None]
_RUNS_AT_ONCE = 8  # a run waits for the service that it calls, and keeps no other run waiting
_SMS_BATCHES_AT_ONCE = 2  # the window is shared: while one batch ends, the next one fills it
_CALL_BATCHES_AT_ONCE = 1  # the rate decides, and one batch fills it
_CALLING_AT_ONCE = 1  # a service that does not answer keeps a hand of its own busy, and no other
_UNDER_A_BRAKE = 3600.0  # whoever lifts it makes every open job due at once


class WorksOn(Protocol):
    """What runs the handlers: in this process alone, or as one of several."""

    def stop(self) -> None: ...

    def work(
        self, *, until: Callable[[], bool] | None = None, beat: Callable[[], None] | None = None
    ) -> None: ...


def patience_of(settings: Settings) -> Patience:
    """How long a worker waits for what, by the settings."""
    stale = settings.engine.stale_seconds
    return Patience(stale=stale, beat=min(5.0, stale / 6), longest=settings.engine.longest_step_seconds)


@dataclass
class Worker:
    """One worker over a workspace. `on_step` is told of each step that a run takes; without `sends` messages stay due.

    `says` is told what keeps it from reading bounces, or from fetching receipts of SMS.
    """

    house: House
    on_step: Watcher = lambda run_id, effect, result: None
    patience: Patience | None = None
    sends: bool = True
    says: Callable[[str], None] = lambda text: None
    _patience: Patience = field(init=False)

    def __post_init__(self) -> None:
        self._patience = self.patience or patience_of(self.house.settings)

    @property
    def alone(self) -> bool:
        """Whether the store is a file of this machine, which has one worker at a time."""
        return self.house.store.engine.dialect.name == "sqlite"

    @cached_property
    def _desk(self) -> AlertDesk:
        """Where alerts are worked on. Reading all sources takes longer than telling some hundred people, so it is left
        to the first alert; who stays at work does it at once."""
        house = self.house
        return AlertDesk(
            settings=house.settings,
            sources=sources_of(house),
            clock=house.clock,
            evaluate=lambda change, incident_id: evaluate(house, change, incident_id),
            start_playbook=lambda change, incident_id, name: start_playbook(house, change, incident_id, name),
        )

    def handlers(
        self, room: MailRoom | None, sms_room: SmsRoom | None = None, call_room: CallRoom | None = None
    ) -> dict[str, Handler]:
        """Every kind of job and what does it, the most urgent first.

        Without a room nothing can be sent by its means, and nothing is opened.
        """
        house, store = self.house, self.house.store
        around = Surroundings(
            house.clock,
            house,
            secret_reader(house.settings.playbooks),
            going_out(house.settings.playbooks, house.workspace.root),
            self.on_step,
            lambda change, incident_id: evaluate(house, change, incident_id),
        )
        caller = Caller(house.settings, house.clock)
        lookout = Lookout(house.settings, house.clock, ENGINE)
        handlers: dict[str, Handler] = {
            ALERT_JOB: lambda lease: work_on_alert(lease, store, lease.claim.key, self._desk),
            SUMMONS_JOB: lambda lease: work_on_summons(lease, store, lease.claim.key, caller),
            RUN_JOB: _unless_braked(lambda lease: advance_run(lease, store, lease.claim.key, around)),
            PUBLISH_JOB: _unless_braked(self._publish),
            SETTLE_JOB: self._settle,
            WAVE_JOB: lambda lease: look_at_waves(lease, store, lease.claim.key, lookout),
            CONTAINMENT_JOB: lambda lease: look_at_containment(lease, store, lease.claim.key, house.clock),
            HOLD_JOB: lambda lease: look_at_hold(lease, store, lease.claim.key, house.clock),
            DUTIES_JOB: lambda lease: look_at_duties(lease, house, lease.claim.key),
            CALL_LIST_JOB: self._look_at_call_list,
        }

        def rests(session: Session, incident_id: str, now: datetime) -> datetime | None:
            return rests_until(session, incident_id, house.settings, now=now)

        if room is not None:
            bounces = bounce_mailbox_from(house.settings.mail)
            post = Post(room, house.clock, bounces, rests_until=rests, next_means=self._next_means)
            handlers[BATCH_JOB] = lambda lease: send_batch(lease, store, lease.claim.key, post)
        if sms_room is not None:
            sms_post = SmsPost(sms_room, house.clock, self._next_means, rests)
            handlers[SMS_JOB] = lambda lease: send_sms_batch(lease, store, lease.claim.key, sms_post)
        if call_room is not None:
            handlers[CALL_JOB] = self._caller_of_people(call_room)
        return handlers

    def _caller_of_people(self, room: CallRoom) -> Handler:
        from incident.delivery.call_sender import CallPost, call_batch

        house = self.house

        def rests(session: Session, incident_id: str, now: datetime) -> datetime | None:
            return calls_rest_until(session, incident_id, house.settings, now=now)

        post = CallPost(room, house.clock, self._next_means, rests)
        return lambda lease: call_batch(lease, house.store, lease.claim.key, post)

    @property
    def _next_means(self) -> NextMeans:
        return NextMeans(self.house.store, self.house.settings)

    @contextmanager
    def runner(self, *, stays: bool = False) -> Iterator[WorksOn]:
        """A runner with the rooms open for as long as it is needed; jobs that the record lacks are put first.

        One that `stays` is there for receipts of SMS also while nothing is sent.
        """
        mail = self.house.settings.mail
        routes = self.must_know_the_relays() if self.sends else []
        carrier = self.must_know_the_sms_carrier() if self.sends else None
        voice = self.must_know_the_voice() if self.sends else None
        calling = {SUMMONS_JOB: _CALLING_AT_ONCE, RUN_JOB: _RUNS_AT_ONCE}
        with self.house.store.transaction(in_turn="missing jobs") as session:
            put_missing_jobs(session)
            if self.sends and carrier is None and due_jobs(session, SMS_JOB, limit=1):
                self.says(
                    "people wait for an SMS, and no carrier of SMS is declared; nobody is told so until"
                    " [sms.smpp], [sms.gateway] or [sms.twilio], and [fallback] means, are set again in incident.toml"
                )
            if self.sends and voice is None and due_jobs(session, CALL_JOB, limit=1):
                self.says(
                    "people wait for a call by machine, and nothing is declared that calls them; nobody is told so until"
                    " [calls.twilio], and [fallback] means, are set again in incident.toml"
                )
            if routes or carrier is not None or voice is not None:
                keep_relay_limits(session, routes, self._limits_of(carrier, voice))
        with collecting_seldom(), BounceReading(self.house, says=self.says), ExitStack() as rooms:
            room = rooms.enter_context(self._mail_room(routes)) if routes else None
            sms_room = rooms.enter_context(self._sms_room(carrier, stays=stays)) if carrier else None
            call_room = rooms.enter_context(_call_room(voice)) if voice else None
            if room is None and sms_room is None and call_room is None:
                yield self._runner(self.handlers(None), self._patience.slots, at_once=calling)
                return
            batches = batches_at_once(mail.connections) if room is not None else 0
            by_sms = _SMS_BATCHES_AT_ONCE if sms_room is not None else 0
            by_phone = _CALL_BATCHES_AT_ONCE if call_room is not None else 0
            # One more thread than batches, so that an alert or a run need not wait for a batch to end.
            yield self._runner(
                self.handlers(room, sms_room, call_room),
                batches + by_sms + by_phone + 1,
                at_once={
                    BATCH_JOB: batches or 1,
                    SMS_JOB: by_sms or 1,
                    CALL_JOB: _CALL_BATCHES_AT_ONCE,
                    **calling,
                },
            )

    def _mail_room(self, routes: list[Route]) -> MailRoom:
        return MailRoom(routes, longest=self._patience.longest / 2)

    def _sms_room(self, carrier: SmsCarrierAtHand, *, stays: bool) -> SmsRoom:
        house, go_on = self.house, self._next_means.go_on_after
        if not isinstance(carrier, Centre):
            desk = AskingDesk(house.store, carrier.peer, house.clock, go_on)
            return _asking_room(carrier, desk, says=self.says)
        return CentreRoom(
            carrier,
            lambda receipts: take_sms_receipts(
                house.store, receipts, centre=carrier.peer, now=house.clock(), go_on=go_on
            ),
            says=self.says,
            stays=stays,
        )

    def _limits_of(
        self, carrier: SmsCarrierAtHand | None, voice: TwilioVoice | None
    ) -> dict[str, float | None]:
        limits: dict[str, float | None] = {}
        if carrier is not None and (declared := self.house.settings.sms.carrier) is not None:
            limits[carrier.peer] = declared.per_second
        if voice is not None and (calls := self.house.settings.calls.twilio) is not None:
            limits[voice.peer] = calls.per_second
        return limits

    def _runner(self, handlers: dict[str, Handler], hands: int, *, at_once: dict[str, int]) -> WorksOn:
        """A runner with `hands` for all that waits for nobody outside, and more for what does."""
        patience = replace(self._patience, slots=hands + _CALLING_AT_ONCE + _RUNS_AT_ONCE)
        if self.alone:
            at_once = {**dict.fromkeys(handlers, hands), **at_once}
            return Runner(self.house.store, handlers, patience=patience, at_once=at_once)
        from incident.durable.queue import QueueRunner
        from incident.store.postgres import connection_parameters

        settings = self.house.settings.store
        parameters = connection_parameters(settings.url, password=settings.password)
        return QueueRunner(
            self.house.store, handlers, parameters=parameters, patience=patience, at_once=at_once
        )

    def must_know_the_relays(self) -> list[Route]:
        """The mail relays of the settings, with their secrets; none where none is set. Raises `BadInput`, also for a
        return path that cannot be one.

        What writes first and works afterwards asks this before it writes.
        """
        mail = self.house.settings.mail
        bounce_mailbox_from(mail)
        return routes_from(mail, root=self.house.workspace.root) if mail.host else []

    def must_be_able_to_send(self) -> None:
        """Raises `BadInput` where a relay, or a carrier of SMS or of calls, of the settings cannot be used as it is described."""
        self.must_know_the_relays()
        self.must_know_the_sms_carrier()
        self.must_know_the_voice()

    def must_know_the_sms_carrier(self) -> SmsCarrierAtHand | None:
        """The carrier of SMS of the settings, with its secret; None where none are sent. Raises `BadInput`."""
        settings = self.house.settings
        if not sends_sms(settings):
            return None
        if settings.sms.twilio is not None:
            from incident.delivery.twilio_room import twilio_from

            return twilio_from(settings.sms.twilio, root=self.house.workspace.root)
        if settings.sms.gateway is not None:
            # Its client for HTTP takes a tenth of a second to load.
            from incident.delivery.gateway_room import gateway_from

            return gateway_from(settings.sms.gateway, root=self.house.workspace.root)
        return centre_from(settings.sms.smpp, root=self.house.workspace.root) if settings.sms.smpp else None

    def must_know_the_voice(self) -> TwilioVoice | None:
        """What calls people by the settings, with its secret; None where no machine does. Raises `BadInput`."""
        declared = self.house.settings.calls.twilio
        if declared is None or not calls_by_machine(self.house.settings):
            return None
        from incident.delivery.call_room import twilio_voice_from

        return twilio_voice_from(declared, root=self.house.workspace.root)

    def somebody_works(self) -> bool:
        """Whether a worker is at work on this store now."""
        return somebody_works(self.house.store, self.house.workspace, stale=self._patience.stale)

    def work_until(self, done: Callable[[], bool], *, beat: Callable[[], None] | None = None) -> None:
        """Become the worker until `done` holds, or follow the one that lives."""
        while not done():
            with self._turn() as ours:
                if ours:
                    with self.runner() as runner:
                        runner.work(until=done, beat=beat)
                    return
            wait_for(lambda: done() or not self.somebody_works(), beat=beat)

    def work_forever(self, *, until_stopped: Callable[[WorksOn], None]) -> None:
        """Work until stopped. `until_stopped` gets the runner, to stop it.

        Raises `Refused` on one machine if a worker lives: it is enough there.
        """
        with self.turn_for_long() as ours:
            if not ours:
                raise Refused(
                    "a worker is at work on this workspace already",
                    where=str(self.house.workspace.root),
                    next_step="one worker is enough on one machine; stop the other one first",
                )
            _ = self._desk  # a source that cannot be read is told now
            with self.runner(stays=True) as runner:
                until_stopped(runner)
                runner.work()

    @contextmanager
    def turn_for_long(self) -> Iterator[bool]:
        """Whether we may be a worker that stays: on several machines always, on one while no other is."""
        if not self.alone:
            yield True
            return
        with worker_lock(self.house.workspace) as ours:
            yield ours

    @contextmanager
    def _turn(self) -> Iterator[bool]:
        """Whether we are to do the work ourselves: nobody else does."""
        if not self.alone:
            yield not self.somebody_works()
            return
        with worker_lock(self.house.workspace) as ours:
            yield ours

    def _look_at_call_list(self, lease: Lease) -> None:
        house, go_on = self.house, self._next_means.go_on_after
        look_at_call_list(lease, house.store, lease.claim.key, go_on, now=house.clock(), actor=ENGINE)

    def _publish(self, lease: Lease) -> None:
        house, notice_id = self.house, lease.claim.key
        with house.store.transaction() as session:
            lease.fence(session)
            version = version_by_id(session, house.store, notice_id)
            incident_id = version.row.incident_id
            if held(session, incident_id, Cover.PUBLIC) is not None:
                lease.again(session, after=_UNDER_A_BRAKE)
                return
        if not lease.may_act(hold_brake(incident_id, Cover.PUBLIC)):
            self._publish_later(lease)
            return
        try:
            with house.store.write(
                incident_id, kind="notice.published", actor=ENGINE, now=house.clock()
            ) as change:
                lease.fence(change.session, progress=True)
                if held(change.session, incident_id, Cover.PUBLIC) is not None:
                    raise _HeldMeanwhile
                if followed_by(change.session, notice_id) is not None:
                    raise _LaterVersionIsOnline
                # Within it, since all versions lie in one place: an older one, or a worker that was taken over, must not
                # write over what came meanwhile.
                pages = write_pages(house.workspace, version)
                record_pages(change, house.store, house.workspace, version, pages)
                poke_runs(change.session, incident_id)
                lease.done(change.session)
        except _HeldMeanwhile:
            self._publish_later(lease)
        except _LaterVersionIsOnline:
            with house.store.transaction() as session:
                lease.done(session)

    def _publish_later(self, lease: Lease) -> None:
        """A hold or a brake came between: nothing was written."""
        with self.house.store.transaction() as session:
            lease.again(session, after=_UNDER_A_BRAKE)

    def _settle(self, lease: Lease) -> None:
        house, campaign_id = self.house, lease.claim.key
        with house.store.transaction() as session:
            lease.fence(session)
            campaign = session.get(Campaign, campaign_id)
            if campaign is None:
                raise NotFound("there is no such campaign", where=campaign_id)
            if not is_settled(session, campaign_id):
                lease.done(session)
                return
        with house.store.write(
            campaign.incident_id, kind="campaign.ended", actor=ENGINE, now=house.clock()
        ) as change:
            lease.fence(change.session, progress=True)
            end_campaign(change, house.store, campaign_id)
            poke_runs(change.session, campaign.incident_id)
            lease.done(change.session)


def _asking_room(carrier: Gateway | Twilio, desk: AskingDesk, *, says: Callable[[str], None]) -> SmsRoom:
    """The room for a carrier over HTTP; its client takes a tenth of a second to load."""
    from incident.delivery.twilio_room import Twilio, TwilioRoom

    if isinstance(carrier, Twilio):
        return TwilioRoom(carrier, desk, says=says)
    from incident.delivery.gateway_room import GatewayRoom

    return GatewayRoom(carrier, desk, says=says)


def _call_room(voice: TwilioVoice) -> CallRoom:
    from incident.delivery.call_room import CallRoom

    return CallRoom(voice)


class _HeldMeanwhile(Exception):
    """Somebody asked for silence after the look at the holds and before the pages were written."""


class _LaterVersionIsOnline(Exception):
    """This version was not published in time, and is not any more."""


def _unless_braked(handler: Handler) -> Handler:
    """While the general brake is on, the job waits: its handler would act outside."""

    def handle(lease: Lease) -> None:
        with lease.store.read() as session:
            on = braked(session)
        if not on:
            handler(lease)
            return
        with lease.store.transaction() as session:
            lease.fence(session)
            lease.again(session, after=_UNDER_A_BRAKE if braked(session) else 0.0)

    return handle


def sources_of(house: House) -> dict[str, CompiledSource]:
    """The sources of alerts: the workspace's own first, then the shipped ones."""
    found = read_sources((house.workspace.root / "sources", SHIPPED_SOURCES))
    return dict(found)


def utc_now() -> datetime:
    """The time, for those who must pass it in."""
    from datetime import UTC

    return datetime.now(UTC)
