"""The doctor: what of a workspace is ready for the worst day, and what to do about the rest."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from incident.delivery.mailroom import MailRoom, route_from
from incident.delivery.promises import broken_promises
from incident.delivery.return_path import bounce_mailbox_from
from incident.durable import somebody_works
from incident.duties.evaluating import rules_in_use, rules_with_reviews
from incident.duties.explaining import off_for_organisation
from incident.duties.recipients import recipients_of_reports, without_contact
from incident.errors import NotFound, Refused, TocsinError
from incident.law.regimes import Status
from incident.notice.paper_fonts import fonts_for
from incident.ops.bounce_reading import bounces_of
from incident.ops.doctor_call_centre import examine_call_centre
from incident.ops.doctor_calls import examine_calls
from incident.ops.doctor_sms import examine_sms
from incident.ops.examined import Examined, State, unusable
from incident.ops.house import read_playbook
from incident.ops.worker import sources_of
from incident.record.contacts import list_contacts
from incident.record.incidents import IncidentState, list_incidents
from incident.record.operators import Role, list_operators, roles_of
from incident.record.reaches import is_reference, list_reaches, needs_somebody
from incident.record.summons import REASON_TITLES, Reason
from incident.response.commands import ssh
from incident.response.commands.going_out import going_out
from incident.response.commands.http_api import trusted
from incident.response.housework import House
from incident.response.model import commands_in
from incident.response.shelf import playbook_names
from incident.settings import Means, resolve_secret
from incident.store.instance import objection
from incident.store.keyring import WORKSPACE_KEY
from incident.store.looking import look_at_database
from incident.workspace import search_path
from notifiers.email.bounce_texts import reads_other_texts
from notifiers.errors import BadAddress, CarrierMissing
from notifiers.responders import must_be_callable

_ROOM = 1 << 30


def examine(house: House) -> list[Examined]:
    """Everything that should be ready before a breach, the failures first."""
    looks: dict[str, Callable[[House], Iterable[Examined]]] = {
        "installation": _installation,
        "database": _database,
        "record": _record,
        "store": _store,
        "operators": _operators,
        "calls": _reaches,
        "contacts": _contacts,
        "organisation": _organisation,
        "mail relay": _mail,
        "bounces": _bounces,
        "SMS": examine_sms,
        "calls by machine": examine_calls,
        "call centre": examine_call_centre,
        "letters": _letters,
        "law": _law,
        "playbooks": _playbooks,
        "sources": _hooks,
    }
    found: list[Examined] = []
    for what, look in looks.items():
        try:
            found += look(house)
        except TocsinError as error:
            found.append(unusable(what, error))
    order = [State.FAIL, State.WARN, State.OK]
    return sorted(found, key=lambda each: order.index(each.state))


def _installation(_house: House) -> Iterator[Examined]:
    ours = Path(__file__).parents[2]
    module = importlib.import_module("notifiers")
    place = Path(module.__file__ or "").parents[1]
    if place != ours:
        yield Examined(
            "package notifiers",
            State.FAIL,
            f"another package of this name is in front of ours ({place})",
            "install tocsin in an environment of its own (pipx, uv tool)",
        )
    else:
        yield Examined("package notifiers", State.OK, "ours")
    for tool in ("ssh-keygen",):
        if shutil.which(tool) is None:
            yield Examined(
                tool, State.WARN, "not here", "needed only to make keys and to check signatures by hand"
            )


def _database(house: House) -> Iterator[Examined]:
    found = look_at_database(house.store)
    yield Examined("database", State.OK, str(found))
    for danger in found.dangers:
        state = State.FAIL if danger.fatal else State.WARN
        yield Examined("database", state, danger.what, danger.next_step)


def _record(house: House) -> Iterator[Examined]:
    why = objection(house.store)
    if why is None:
        yield Examined("record", State.OK, f"this copy acts (epoch {house.store.keyring.epoch()})")
    else:
        yield Examined("record", State.FAIL, why.what, why.next_step or "")


def _store(house: House) -> Iterator[Examined]:
    try:
        house.store.keyring.get(WORKSPACE_KEY)
        yield Examined("keyring", State.OK, str(house.store.keyring.folder))
    except TocsinError as error:
        yield unusable("keyring", error)
    lost = [
        row.id
        for row in list_incidents(house.store)
        if row.state != IncidentState.DESTROYED and not house.store.keyring.has(row.id)
    ]
    if lost:
        yield Examined(
            "keyring",
            State.FAIL,
            f"no key for {', '.join(lost)}: the data cannot be read",
            "put the keyring back from where it is kept",
        )
    if house.store.keyring.folder.exists() and house.store.keyring.folder.stat().st_mode & 0o077:
        yield Examined(
            "keyring",
            State.FAIL,
            "others can look into its folder",
            f"chmod 700 {house.store.keyring.folder}",
        )
    free = shutil.disk_usage(house.workspace.root).free
    state = State.OK if free > _ROOM else State.WARN
    yield Examined("disk", state, f"{free >> 20} MiB free", "" if state is State.OK else "make room")
    lives = somebody_works(house.store, house.workspace, stale=house.settings.engine.stale_seconds)
    yield Examined("worker", State.OK, "one is at work" if lives else "none; commands work for themselves")


def _operators(house: House) -> Iterator[Examined]:
    active = [each for each in list_operators(house.store) if each.retired_at is None]
    approvers = [each for each in active if Role.APPROVER in roles_of(each)]
    needed = house.settings.approvals.notice_release
    if len(approvers) < needed:
        yield Examined(
            "operators",
            State.FAIL,
            f"{len(approvers)} approvers; a release needs {needed}",
            "incident operator add NAME --key ~/.ssh/id_ed25519",
        )
    elif len(approvers) == needed:
        yield Examined(
            "operators",
            State.WARN,
            f"{needed} approvers and no deputy",
            "add one more, for when somebody is away",
        )
    else:
        yield Examined("operators", State.OK, f"{len(approvers)} approvers")


def _reaches(house: House) -> Iterator[Examined]:
    with house.store.read() as session:
        lines = list_reaches(session, house.store)
        unanswered = needs_somebody(session, house.store)
    for row in unanswered:
        what = REASON_TITLES[Reason(row.reason)]["en"]
        yield Examined(
            "calls", State.FAIL, f"{row.incident_id} needs somebody: {what}", _ack(row.incident_id)
        )
    for line in lines:
        for url, shown in zip(line.urls, line.shown, strict=True):
            if why := _why_not_callable(url):
                step = f"incident operator reach {line.name} --clear --url URL"
                yield Examined("calls", State.FAIL, f"{line.name}, {shown}: {why}", step)
    silent = [line.name for line in lines if not line.urls]
    alone = [line.name for line in lines if not line.deputy]
    if silent:
        step = "incident operator reach NAME --url URL"
        yield Examined("calls", State.WARN, f"not called, without an address: {', '.join(silent)}", step)
    if alone:
        step = "incident operator reach NAME --deputy NAME"
        yield Examined("calls", State.WARN, f"nobody stands in for {', '.join(alone)}", step)
    if lines and not silent and not alone:
        yield Examined("calls", State.OK, f"{len(lines)} operators have an address and a deputy")


def _ack(incident_id: str) -> str:
    return f"incident ack {incident_id}, and answer what it asks: incident calls {incident_id}"


def _why_not_callable(url: str) -> str:
    try:
        must_be_callable(resolve_secret(url) if is_reference(url) else url)
    except CarrierMissing as missing:
        return f"{missing.package} is not installed: pip install 'tocsin[responders]'"
    except BadAddress as bad:
        return bad.what
    except TocsinError as error:
        return error.what
    return ""


def _contacts(house: House) -> Iterator[Examined]:
    with house.store.read() as session:
        lines = list_contacts(session, house.store)
    regimes, scope = rules_in_use(house.workspace).regimes, house.settings.scope
    recipients = recipients_of_reports(
        regimes, countries=scope.countries, organisations=scope.organisation or ()
    )
    missing = without_contact(recipients, lines)
    longest = house.settings.contacts.max_age_days
    old = [line for line in lines if line.is_older_than(longest, now=house.clock())]
    for line in old:
        day = f"{line.checked_at.astimezone(house.settings.zone):%Y-%m-%d}"
        step = f"try it, then incident contact checked {line.key}"
        yield Examined("contacts", State.WARN, f"{line.key}: last tried on {day}", step)
    if missing:
        told = ", ".join(f"{key} ({name['en']})" for key, name in missing.items())
        step = "incident contact add KEY --kind authority --name NAME --phone NUMBER"
        yield Examined("contacts", State.WARN, f"none for {told}", step)
    if not old and not missing:
        yield Examined("contacts", State.OK, f"{len(lines)}, all tried within {longest} days")


def _organisation(house: House) -> Iterator[Examined]:
    organisation = house.settings.organisation
    missing = [
        name
        for name, value in (
            ("name", organisation.name),
            ("phone", organisation.phone),
            ("email", organisation.email),
            ("website", organisation.website),
            ("protection_officer", organisation.protection_officer.contact),
        )
        if not value
    ]
    if missing:
        yield Examined(
            "organisation",
            State.FAIL,
            f"not set: {', '.join(missing)}; notices and reports need them",
            "fill [organisation] in incident.toml",
        )
    else:
        yield Examined("organisation", State.OK, "complete")


def _mail(house: House) -> Iterator[Examined]:
    """Each relay by itself: one that takes over is needed when it is too late to look at it."""
    broken = [each for means, each in broken_promises(house.settings) if means is Means.EMAIL]
    if broken:
        yield from (unusable("mail relay", each.refusal) for each in broken)
        return
    for where, relay in house.settings.mail.relays.items():
        try:
            with MailRoom([route_from(relay, root=house.workspace.root, where=where)]) as room:
                room.check()
        except TocsinError as error:
            yield unusable("mail relay", error)
        else:
            told = f"{relay.host}:{relay.port}, {relay.processor}, {relay.country}"
            yield Examined("mail relay", State.OK, told)


def _bounces(house: House) -> Iterator[Examined]:
    """Who was not reached after all is known from bounces alone."""
    mail = house.settings.mail
    if not mail.host:
        return
    if bounce_mailbox_from(mail) is None:
        finding = "they go to the sender's address, and nothing reads them"
        yield Examined(
            "bounces", State.WARN, finding, "set mail.return_path and mail.bounces (docs/bounces.md)"
        )
        return
    if not mail.bounces:
        finding = f"they go to {mail.return_path}, and nothing reads them"
        yield Examined("bounces", State.WARN, finding, "set mail.bounces to its Maildir (docs/bounces.md)")
        return
    maildir = bounces_of(house)
    maildir.must_be_there()
    yield Examined("bounces", State.OK, f"read from {maildir.root}")
    if waiting := len(maildir.put_aside()):
        yield Examined(
            "bounces", State.WARN, f"{waiting} wait for a person to look at them", "incident bounces list"
        )
    if not reads_other_texts():
        finding = "those of programs that write no report (RFC 3464) are left to a person"
        yield Examined("bounces", State.WARN, finding, "pip install 'tocsin[bounce]' reads most of them")


def _letters(house: House) -> Iterator[Examined]:
    """A letter may be the only way to somebody, and paper is asked for when there is no time to look for a font."""
    try:
        fonts = fonts_for(house.workspace, house.settings.paper)
    except Refused as missing:
        yield Examined("letters", State.WARN, missing.what, missing.next_step or "")
        return
    found = []
    for language in house.settings.workspace.languages:
        try:
            found.append(f"{language} in {fonts.family_for(language)}")
        except NotFound as missing:
            yield Examined("letters", State.WARN, missing.what, missing.next_step or "")
    if found:
        yield Examined("letters", State.OK, ", ".join(found))


def _law(house: House) -> Iterator[Examined]:
    with house.store.read() as session:
        rules = rules_with_reviews(session, house.workspace)
    for error in rules.broken:
        yield unusable("law", error)
    regimes = rules.regimes
    today = house.clock().astimezone(house.settings.zone).date()
    countries = {country.upper() for country in house.settings.scope.countries}
    organisations = house.settings.scope.organisation or ()
    # A draft raises no duty, so nobody has to approve it.
    law = [regime for regime in regimes if regime.status is Status.in_force]
    mine = [regime for regime in law if regime.is_in_scope(countries, organisations)]
    unreviewed = [regime.id for regime in mine if not rules.is_reviewed(regime, today)]
    finding, steps = f"{len(mine)} regimes in scope", []
    if off := off_for_organisation(law, house.settings):
        finding += f", {len(off)} off as they bind only certain kinds of organisations"
    if off and house.settings.scope.organisation is None:
        steps.append("say in [scope] organisation what the organisation is ([]: nothing of that kind)")
    if unreviewed:
        finding += f"; UNREVIEWED: {', '.join(unreviewed)}"
        steps.append(
            "have counsel read them: incident law show REGIME, then incident law approve REGIME --until DATE"
        )
    yield Examined("law", State.WARN if steps else State.OK, finding, "; ".join(steps))
    for place in search_path(house.workspace, "templates")[-1:]:
        if not place.is_dir():
            yield Examined("templates", State.FAIL, f"not at {place}", "install tocsin again")


def _playbooks(house: House) -> Iterator[Examined]:
    names = sorted(playbook_names(house.workspace))
    by_ssh = []
    for name in names:
        try:
            playbook = read_playbook(house.workspace, name)
        except TocsinError as error:
            yield unusable(f"playbook {name}", error)
            continue
        if any(command.type == ssh.TYPE for command in commands_in(playbook)):
            by_ssh.append(name)
    yield Examined("playbooks", State.OK, f"{len(names)} found")
    yield from _reach_of_playbooks(house, by_ssh)


def _reach_of_playbooks(house: House, by_ssh: list[str]) -> Iterator[Examined]:
    """What the settings name for playbooks must be there on the day."""
    settings = house.settings.playbooks
    rules = going_out(settings, house.workspace.root)
    for name, reference in settings.secrets.items():
        if not _has_secret(reference):
            step = f"set it, or correct [playbooks] secrets.{name}"
            yield Examined(
                "secrets of playbooks", State.FAIL, f"{name}: {reference} is missing or empty", step
            )
    try:
        trusted(rules.ca_file)
    except TocsinError as error:
        yield unusable("certificates", error)
    try:
        ssh.must_be_installed()
    except TocsinError as error:
        if by_ssh or rules.known_hosts is not None:
            finding = f"{error.what}; needed by {', '.join(by_ssh) or '[playbooks] known_hosts'}"
            yield Examined("ssh", State.WARN, finding, error.next_step or "")
        return
    if rules.known_hosts is None:
        return
    try:
        ssh.known_hosts(rules.known_hosts)
        yield Examined("known hosts", State.OK, str(rules.known_hosts))
    except TocsinError as error:
        yield unusable("known hosts", error)


def _hooks(house: House) -> Iterator[Examined]:
    known = sources_of(house)
    for name in house.settings.hooks.sources:
        source = known.get(name)
        if source is None:
            yield Examined(f"source {name}", State.FAIL, "there is no such source", "incident source list")
            continue
        missing = [reference for reference in source.source.secret_references if not _has_secret(reference)]
        if missing:
            yield Examined(
                f"source {name}",
                State.FAIL,
                f"the secret {missing[0]} is not set",
                "set it for `serve hooks`",
            )
        else:
            yield Examined(f"source {name}", State.OK, "its secret is set")


def _has_secret(reference: str) -> bool:
    try:
        resolve_secret(reference)
    except TocsinError:
        return False
    return True
