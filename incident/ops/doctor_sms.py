"""The doctor's look at SMS: whether the carrier is declared, may be used and lets us in, and whether the texts are ready."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from incident.carrier_settings import SmppSettings, SmsCarrier
from incident.delivery.centre_room import ALREADY_BOUND, bind_and_leave, centre_from
from incident.delivery.promises import broken_promises
from incident.errors import TocsinError
from incident.law.categories import category_catalogue
from incident.notice.channels import Renderings
from incident.notice.content import NoticeContent
from incident.notice.draft import draft
from incident.notice.inputs import NoticeInputs
from incident.notice.languages import languages_in
from incident.notice.render_small import render_small
from incident.notice.sms_text import sms_text
from incident.notice.stand_ins import sample_values
from incident.ops.examined import Examined, State, unusable
from incident.record.facts import Certainty, Fact
from incident.response.housework import House
from incident.settings import Means, resolve_secret
from incident.workspace import search_path
from notifiers.errors import BadCentre, CarrierUnreachable
from notifiers.hosts import is_this_machine

_CARRIER, _TEXTS, _APPROVALS = "SMS carrier", "SMS texts", "SMS approvals"
_TYPICAL_KINDS = ("name", "id_number", "phone_number")
"""What leaks together most, and what most people of an operator's list are told of."""


def examine_sms(house: House) -> Iterator[Examined]:
    """What SMS to people need. Nothing is said of them where they are neither a means of the workspace nor set up."""
    sms, is_means = house.settings.sms, Means.SMS in house.settings.fallback.means
    if sms.carrier is None:
        if is_means:
            finding = "sms stands in [fallback] means, and no carrier is declared: people send them by hand"
            step = "fill [sms.smpp], [sms.gateway] or [sms.twilio] in incident.toml (docs/sms.md)"
            yield Examined(_CARRIER, State.WARN, finding, step)
            yield from _texts(house)
        return
    if not is_means:
        finding = "declared, and nothing goes over it: sms does not stand in [fallback] means"
        yield Examined(_CARRIER, State.WARN, finding, "add it where your privacy policy names SMS")
        return
    if sms.smpp is not None:
        yield from _centre(house, sms.smpp)
        yield from _approvals(sms.smpp)
    if sms.gateway is not None:
        from incident.ops.doctor_gateway import examine_gateway

        yield from examine_gateway(house, sms.gateway, _faults(house, sms.gateway, sms.gateway.secret))
    if sms.twilio is not None:
        from incident.ops.doctor_twilio import examine_twilio

        yield from examine_twilio(house, sms.twilio, _faults(house, sms.twilio, sms.twilio.secret))
    yield from _texts(house)


def _centre(house: House, centre: SmppSettings) -> Iterator[Examined]:
    faults = _faults(house, centre, centre.password)
    if faults:
        yield from faults
        return
    yield _bound(house, centre)


def _faults(house: House, carrier: SmsCarrier, secret: str | None) -> list[Examined]:
    """What is wrong before the carrier is even asked."""
    faults = [
        unusable(_CARRIER, broken.refusal)
        for means, broken in broken_promises(house.settings)
        if means is Means.SMS
    ]
    faults += _sign_in(house, secret)
    faults += _certificates(house, carrier)
    return faults


def _bound(house: House, declared: SmppSettings) -> Examined:
    """What the centre says to a bind."""
    try:
        centre = centre_from(declared, root=house.workspace.root)
        asyncio.run(bind_and_leave(centre))
    except TocsinError as error:
        return unusable(_CARRIER, error)
    except BadCentre as bad:
        return Examined(_CARRIER, State.FAIL, str(bad), "correct [sms.smpp] in incident.toml")
    except CarrierUnreachable as error:
        if error.code == ALREADY_BOUND:
            told = "knows the account, and says that it is bound already, as by a worker that is at work"
            return Examined(_CARRIER, State.OK, f"{how_reached(declared)}: {told}")
        finding = f"{error.peer}, at {error.stage}: {error.text}"
        return Examined(
            _CARRIER, State.FAIL, finding, "check [sms.smpp] in incident.toml, then ask the operator"
        )
    return Examined(_CARRIER, State.OK, f"{how_reached(declared)}: bound")


def how_reached(centre: SmppSettings) -> str:
    """Where a centre is, who runs it, in which country, and whether the way to it is in clear."""
    told = f"{centre.host}:{centre.port}, {centre.processor}, {centre.country}"
    in_clear = not centre.tls and not is_this_machine(centre.host)
    return f"{told}, in clear over a line declared as private" if in_clear else told


def _sign_in(house: House, secret: str | None) -> Iterator[Examined]:
    if secret is None:
        table = house.settings.sms.table
        key = "password" if house.settings.sms.smpp is not None else "secret"
        step = f'write {key} = "env:NAME" or "file:PATH" under [{table}]'
        yield Examined(_CARRIER, State.FAIL, f"{table}.{key}: no {key} to sign in with is named", step)
        return
    try:
        resolve_secret(secret)
    except TocsinError as error:
        yield unusable(_CARRIER, error)


def _certificates(house: House, carrier: SmsCarrier) -> Iterator[Examined]:
    if carrier.ca_file is None:
        return
    if not (place := house.workspace.under(carrier.ca_file)).is_file():
        finding = f"{house.settings.sms.table}.ca_file: there is no file {place}"
        yield Examined(_CARRIER, State.FAIL, finding, "put the certificates of the carrier's authority there")


def _approvals(centre: SmppSettings) -> Iterator[Examined]:
    """A centre cannot be asked what is registered and approved, so the settings say it."""
    for key, what in (
        ("sender_registered", "the sender is registered"),
        ("template_approved", "the text is approved"),
    ):
        if getattr(centre, key):
            continue
        finding = (
            f"nobody said that {what}. Where operators ask for it (in mainland China they and the platform approve "
            "signature and text beforehand) it takes weeks, and what is not approved is dropped"
        )
        step = f'have it done now, then write its reference: {key} = "REFERENCE" under [sms.smpp]'
        yield Examined(_APPROVALS, State.WARN, finding, step)
    if centre.sender_registered and centre.template_approved:
        told = f"sender {centre.sender_registered}, text {centre.template_approved}, as declared"
        yield Examined(_APPROVALS, State.OK, told)


def _texts(house: House) -> Iterator[Examined]:
    """Each language's text, filled with a typical case: what does not fit before a breach fits less on the day."""
    most, found = house.settings.sms.most_segments, []
    for language in house.settings.workspace.languages:
        try:
            segments = typical_segments(house, language)
        except TocsinError as error:
            yield unusable(_TEXTS, error)
            continue
        if segments is None:
            finding = f"no text in {language}: who reads it gets an SMS in another language"
            step = f"write templates/notice/{language}/sms.txt.j2 in the workspace"
            yield Examined(_TEXTS, State.WARN, finding, step)
            continue
        found.append(f"{language} in {segments} segments")
        if segments > most:
            finding = (
                f"{language}: a typical one needs {segments} segments, more than [sms] most_segments ({most})"
            )
            step = f"shorten templates/notice/{language}/sms.txt.j2, or allow for more"
            yield Examined(_TEXTS, State.WARN, finding, step)
    if found:
        yield Examined(_TEXTS, State.OK, ", ".join(found))


def typical_segments(house: House, language: str) -> int | None:
    """The segments of `typical_sms`; None where the language has no template for SMS."""
    text = typical_sms(house, language)
    return None if text is None else len(sms_text(text).segments)


def typical_sms(house: House, language: str) -> str | None:
    """The SMS about a breach of a few common kinds of data, to somebody with a long name.

    None where the language has no template for SMS. Raises `BadInput` or `NotFound` for one that cannot be used.
    """
    content, small = _typical(house, language)
    if small.sms is None:
        return None
    languages = languages_in(search_path(house.workspace, "templates"))
    return small.sms.filled(sample_values(content, size="longest", languages=languages)).text


def typical_renderings(house: House, language: str) -> Renderings:
    """The small channels of a notice about such a breach. Raises as `typical_sms` does."""
    return _typical(house, language)[1]


def _typical(house: House, language: str) -> tuple[NoticeContent, Renderings]:
    templates = search_path(house.workspace, "templates")
    now, languages = house.clock(), languages_in(templates)
    kinds = Fact("data_categories", _TYPICAL_KINDS, "doctor", "made up", Certainty.confirmed, now)
    content = draft(
        NoticeInputs(
            reference="INC-0000-0000",
            facts={kinds.field: kinds},
            measures=(),
            organisation=house.settings.organisation,
            categories=category_catalogue(),
            written_at=now,
            zone=house.settings.zone,
            languages=languages,
        ),
        language,
    )
    return content, render_small(content, templates=templates)
