"""Alerts in the store: kept before the sender is answered, mapped by a job, joined to an incident or opening one.

Every item of a body is dealt with in one transaction and remembered by its place, so that a worker that dies in
between neither loses an alert nor opens an incident twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, col, select

from incident.durable import Lease, put_job
from incident.errors import BadInput, NotFound, Refused
from incident.hooks.dedupe import Arrival, Earlier, judge_arrival
from incident.hooks.intake import Receipt
from incident.hooks.mapping import CompiledSource, map_body
from incident.hooks.rules import playbook_to_start
from incident.hooks.show import incident_title, unmapped_title
from incident.hooks.values import Alert as MappedAlert
from incident.hooks.values import Severity, Unmapped
from incident.record.facts import Certainty, Fact
from incident.record.incidents import IncidentState, Origin, log_entry, open_incident
from incident.record.operators import Role
from incident.record.summons import Reason, summon
from incident.settings import Settings
from incident.store.change import Change
from incident.store.keyring import WORKSPACE_KEY
from incident.store.sealing import seal, unseal
from incident.store.store import Store
from incident.store.tables import Alert, AlertItem, Incident

ALERT_JOB = "alert.map"
_ACTOR = "hooks"


class AlertState(StrEnum):
    RECEIVED = "received"
    MAPPED = "mapped"
    IGNORED = "ignored"


class StoreIntake:
    """The intake on our store: one durable transaction before the answer."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def receive(
        self,
        *,
        source_id: str,
        delivery_id: str,
        body: bytes,
        headers: Mapping[str, str],
        received_at: datetime,
    ) -> Receipt:
        """Keep a body; the same delivery again only counts. Raises `StoreUnavailable`."""
        key = self._store.keyring.get(WORKSPACE_KEY)
        delivery_key = hashlib.sha256(f"{source_id}\0{delivery_id}".encode()).hexdigest()
        # Whoever sends it twice at once, as a monitoring system does that got no answer yet, comes here twice at once.
        with self._store.transaction(in_turn=f"alert {delivery_key}") as session:
            known = session.exec(
                select(Alert).where(Alert.source == source_id, Alert.delivery_key == delivery_key)
            ).first()
            if known is not None:
                known.seen += 1
                known.last_seen_at = received_at
                session.add(known)
                return Receipt(known.id, new=False)
            alert_id = self._store.new_id()
            session.add(
                Alert(
                    id=alert_id,
                    source=source_id,
                    delivery_key=delivery_key,
                    body_sha256=hashlib.sha256(body).hexdigest(),
                    received_at=received_at,
                    state=AlertState.RECEIVED,
                    seen=1,
                    last_seen_at=received_at,
                    sealed=seal(key, body, bound_to=f"alert/{alert_id}"),
                )
            )
            put_job(session, ALERT_JOB, alert_id)
            return Receipt(alert_id, new=True)


@dataclass(frozen=True)
class AlertDesk:
    """What mapping needs from outside. `evaluate` stores the duties, `start_playbook` starts one by name."""

    settings: Settings
    sources: Mapping[str, CompiledSource]
    clock: Callable[[], datetime]
    evaluate: Callable[[Change, str], object]
    start_playbook: Callable[[Change, str, str], object]


def work_on_alert(lease: Lease, store: Store, alert_id: str, desk: AlertDesk) -> None:
    """Map one body and join each of its alerts to an incident, or open one. Nothing is ever dropped unseen."""
    with store.transaction() as session:
        lease.fence(session)
        row = session.get(Alert, alert_id)
        if row is None:
            raise NotFound("this alert does not exist", where=alert_id)
        if row.state != AlertState.RECEIVED:
            lease.done(session)
            return
        done = set(session.exec(select(AlertItem.position).where(AlertItem.alert_id == alert_id)).all())
    source = desk.sources.get(row.source)
    if source is None:
        raise NotFound(f"the source {row.source} is not in the library any more", where=alert_id)
    mapped = map_body(source, _raw(store, row))
    items: list[MappedAlert | Unmapped] = [*mapped.alerts, *mapped.unmapped]
    for position, item in enumerate(items):
        if position not in done:
            _take_item(lease, store, row, source, position, item, desk)
    with store.read() as session:
        belongs_to = session.exec(select(Alert.incident_id).where(Alert.id == alert_id)).first()
    # In turn with whoever destroys the incident's data, for which no alert of it may be under way.
    with store.transaction(in_turn=belongs_to) as session:
        lease.fence(session, progress=True)
        fresh = session.get(Alert, alert_id)
        if fresh is not None:
            fresh.state = AlertState.MAPPED if items else AlertState.IGNORED
            fresh.mapped_at = desk.clock()
            _reseal(store, fresh)
            session.add(fresh)
        lease.done(session)


def _take_item(
    lease: Lease,
    store: Store,
    row: Alert,
    source: CompiledSource,
    position: int,
    item: MappedAlert | Unmapped,
    desk: AlertDesk,
) -> None:
    taken = False
    while not taken:
        with store.read() as session:
            earlier = _earlier(session, item.dedupe_key)
        with suppress(_Overtaken):
            _join_or_open(lease, store, row, source, position, item, desk, earlier)
            taken = True


class _Overtaken(Exception):
    """Another job took an alert with the same key meanwhile; nothing was written, and it must be judged anew."""


def _join_or_open(
    lease: Lease,
    store: Store,
    row: Alert,
    source: CompiledSource,
    position: int,
    item: MappedAlert | Unmapped,
    desk: AlertDesk,
    known: tuple[Earlier | None, str],
) -> None:
    earlier, incident_id = known
    now = desk.clock()
    arrival = _arrival(item, earlier, now=now)
    if arrival is Arrival.opens:
        _open(lease, store, row, source, position, item, desk, now=now, known=known)
        return
    with store.write(incident_id, kind=f"alert.{arrival}", actor=_ACTOR, now=now) as change:
        _must_not_be_overtaken(change, item, known)
        lease.fence(change.session, progress=True)
        _remember(change, row, position, item, arrival, incident_id)
        if arrival is not Arrival.repeats and _is_open(change.session, incident_id):
            log_entry(store, change, incident_id, _log_text(source, item, arrival), at=now, by=row.source)


def _must_not_be_overtaken(
    change: Change, item: MappedAlert | Unmapped, known: tuple[Earlier | None, str]
) -> None:
    # Two that open an incident each are in no chain that they share: only what they are about is the same.
    change.take_turn(f"alerts {item.dedupe_key}")
    if _earlier(change.session, item.dedupe_key) != known:
        raise _Overtaken


def _open(
    lease: Lease,
    store: Store,
    row: Alert,
    source: CompiledSource,
    position: int,
    item: MappedAlert | Unmapped,
    desk: AlertDesk,
    *,
    now: datetime,
    known: tuple[Earlier | None, str],
) -> None:
    language = desk.settings.workspace.own_languages[0]
    if isinstance(item, MappedAlert):
        title = incident_title(source.source, item, language=language)
    else:
        title = unmapped_title(source.source, language=language)

    def then(change: Change, incident_id: str) -> None:
        _must_not_be_overtaken(change, item, known)
        lease.fence(change.session, progress=True)
        _remember(change, row, position, item, Arrival.opens, incident_id)
        log_entry(
            store,
            change,
            incident_id,
            _log_text(source, item, Arrival.opens),
            at=row.received_at,
            by=row.source,
        )
        _or_log_why_not(
            store, change, incident_id, "the duties", lambda: desk.evaluate(change, incident_id), at=now
        )
        summon(
            change,
            store,
            incident_id,
            reason=Reason.ALERT,
            subject_id=incident_id,
            role=Role.RESPONDER,
            text={language: title},
        )
        playbook = playbook_to_start(source.source, item) if isinstance(item, MappedAlert) else None
        if playbook is not None and source.source.weak_auth:
            # Anybody who learnt the address could have sent this; a playbook's first step may already act.
            text = f"{row.source} cannot prove who sent this: the playbook {playbook} waits for a person to start it"
            log_entry(store, change, incident_id, text, at=now, by=_ACTOR)
        elif playbook is not None:
            _or_log_why_not(
                store,
                change,
                incident_id,
                f"the playbook {playbook}",
                lambda: desk.start_playbook(change, incident_id, playbook),
                at=now,
            )

    open_incident(
        store,
        title,
        facts=_facts(row, item),
        told_by=source.source.title.get(language, row.source),
        origin=Origin.ALERT,
        actor=_ACTOR,
        now=now,
        zone=desk.settings.zone,
        then=then,
    )


def _or_log_why_not(
    store: Store, change: Change, incident_id: str, what: str, do: Callable[[], object], *, at: datetime
) -> None:
    """A faulty playbook or rule of the workspace must not keep an alert from becoming an incident."""
    try:
        do()
    except (BadInput, NotFound, Refused) as error:
        log_entry(store, change, incident_id, f"{what} could not be started: {error}", at=at, by=_ACTOR)


def _facts(row: Alert, item: MappedAlert | Unmapped) -> list[Fact]:
    """What an alert may state: when we were told, and which systems. Whether data leaked is for people to say."""
    told = Fact(
        "discovered_at", row.received_at, row.source, f"alert {row.id}", Certainty.claimed, row.received_at
    )
    if isinstance(item, Unmapped) or not item.hosts:
        return [told]
    systems = Fact("systems", item.hosts, row.source, f"alert {row.id}", Certainty.claimed, row.received_at)
    return [told, systems]


def _log_text(source: CompiledSource, item: MappedAlert | Unmapped, arrival: Arrival) -> str:
    if isinstance(item, Unmapped):
        return f"alert from {source.source.id} that could not be read ({item.reason}); the raw body is kept"
    said = {"severity": str(item.severity), "status": str(item.status)}
    for name in ("external_id", "link"):
        if getattr(item, name):
            said[name] = getattr(item, name)
    for name in ("hosts", "users", "ips", "data", "data_types"):
        if getattr(item, name):
            said[name] = ", ".join(getattr(item, name))
    if item.occurred_at is not None:
        said["occurred_at"] = item.occurred_at.isoformat()
    if item.people_estimate is not None:
        said["people, an estimate of the sender"] = (
            f"{item.people_estimate.count} ({item.people_estimate.path})"
        )
    details = "; ".join(f"{name}: {value}" for name, value in said.items())
    return f"alert from {source.source.id} ({arrival}): {item.title} [{details}]"


def _arrival(item: MappedAlert | Unmapped, earlier: Earlier | None, *, now: datetime) -> Arrival:
    if isinstance(item, MappedAlert):
        return judge_arrival(item, earlier, now=now)
    return Arrival.opens if earlier is None or earlier.closed_at is not None else Arrival.repeats


def _earlier(session: Session, dedupe_key: str) -> tuple[Earlier | None, str]:
    found = session.exec(
        select(AlertItem)
        .where(AlertItem.dedupe_key == dedupe_key)
        # Of one moment there may be several: the same of them must be found each time.
        .order_by(col(AlertItem.at).desc(), col(AlertItem.alert_id).desc(), col(AlertItem.position).desc())
    ).first()
    incident = session.get(Incident, found.incident_id) if found else None
    if found is None or incident is None or incident.state == IncidentState.DESTROYED:
        return None, ""
    return Earlier(found.content_hash, incident.closed_at), incident.id


def _is_open(session: Session, incident_id: str) -> bool:
    incident = session.get(Incident, incident_id)
    return incident is not None and incident.state == IncidentState.OPEN


def _remember(
    change: Change,
    row: Alert,
    position: int,
    item: MappedAlert | Unmapped,
    arrival: Arrival,
    incident_id: str,
) -> None:
    change.put_bulk(
        AlertItem,
        [
            {
                "alert_id": row.id,
                "position": position,
                "incident_id": incident_id,
                "dedupe_key": item.dedupe_key,
                "content_hash": item.content_hash if isinstance(item, MappedAlert) else row.body_sha256,
                "severity": item.severity if isinstance(item, MappedAlert) else Severity.unknown,
                "arrival": arrival,
                "at": change.at,
            }
        ],
    )
    change.count_bulk(Alert, "received", 1, sealed=bytes.fromhex(row.body_sha256))
    change.note(alert=row.id, source=row.source, body_sha256=row.body_sha256)
    alert = change.session.get(Alert, row.id)
    if alert is not None and alert.incident_id is None:
        alert.incident_id = incident_id
        change.session.add(alert)


def _raw(store: Store, row: Alert) -> bytes:
    """The body as it was posted. It is sealed by the workspace's key until the job is done with it."""
    return unseal(store.keyring.get(WORKSPACE_KEY), row.sealed, bound_to=f"alert/{row.id}")


def _reseal(store: Store, row: Alert) -> None:
    """From now on the body belongs to its incident and dies with the incident's key."""
    if row.incident_id is None:
        return
    body = _raw(store, row)
    row.sealed = seal(store.key(row.incident_id), body, bound_to=f"alert/{row.id}")


def kept_body(store: Store, row: Alert) -> str:
    """The body of an alert for a person to read. Raises `KeyDestroyed` after its incident's data was destroyed."""
    key = (
        store.key(row.incident_id) if row.incident_id and row.mapped_at else store.keyring.get(WORKSPACE_KEY)
    )
    body = unseal(key, row.sealed, bound_to=f"alert/{row.id}")
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, indent=2)
    except ValueError:
        return body.decode("utf-8", errors="replace")
