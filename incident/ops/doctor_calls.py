"""The doctor's look at calls by machine: whether they are declared and may be used, how the account stands, whether there are
words and voices for them, and whether a time ever comes at which people are called."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from incident.carrier_settings import TwilioVoiceSettings
from incident.delivery.promises import broken_promises
from incident.delivery.quiet import QuietHours
from incident.delivery.resting import outside_of
from incident.errors import TocsinError
from incident.ops.doctor_sms import typical_renderings
from incident.ops.examined import Examined, State, unusable
from incident.response.housework import House
from incident.settings import Means, resolve_secret
from notifiers.twilio.standing import CallStanding
from notifiers.twilio.twiml import VOICES

_CARRIER, _CREDITS, _TEXTS = "calls by machine", "call credits", "call texts"
_HOURS, _CALLBACKS = "calling hours", "call callbacks"
_MINUTES_A_DAY = 24 * 60


def examine_calls(house: House) -> Iterator[Examined]:
    """What calls to people by machine need. Nothing is said of them where the phone is none of the means and nothing is
    declared, and where a call centre is."""
    declared, is_means = house.settings.calls.twilio, Means.PHONE in house.settings.fallback.means
    if declared is None:
        if is_means and house.settings.calls.carrier is None:
            finding = "phone stands in [fallback] means, and no machine is declared: people call"
            yield Examined(_CARRIER, State.OK, finding)
        return
    if not is_means:
        finding = "declared, and nobody is called: phone does not stand in [fallback] means"
        yield Examined(_CARRIER, State.WARN, finding, "add it where your privacy policy names calls")
        return
    faults = _faults(house, declared)
    if faults:
        yield from faults
    else:
        yield from _asked(house, declared)
    yield from _words(house, declared)
    yield from _hours(house, declared)


def _faults(house: House, declared: TwilioVoiceSettings) -> list[Examined]:
    """What is wrong before Twilio is even asked."""
    faults = [
        unusable(_CARRIER, broken.refusal)
        for means, broken in broken_promises(house.settings)
        if means is Means.PHONE
    ]
    faults += _sign_in(declared)
    if declared.ca_file is not None and not (place := house.workspace.under(declared.ca_file)).is_file():
        finding = f"calls.twilio.ca_file: there is no file {place}"
        faults.append(
            Examined(_CARRIER, State.FAIL, finding, "put the certificates of the carrier's authority there")
        )
    return faults


def _sign_in(declared: TwilioVoiceSettings) -> Iterator[Examined]:
    if declared.secret is None:
        step = 'write secret = "env:NAME" or "file:PATH" under [calls.twilio]'
        yield Examined(_CARRIER, State.FAIL, "calls.twilio.secret: no secret to sign in with is named", step)
    for reference in (declared.secret, declared.callback_token, declared.callback_token_before):
        try:
            if reference is not None:
                resolve_secret(reference)
        except TocsinError as error:
            yield unusable(_CARRIER, error)


def _asked(house: House, declared: TwilioVoiceSettings) -> Iterator[Examined]:
    from incident.delivery.call_room import twilio_voice_from
    from incident.delivery.call_standing import TRIAL, call_standing_of, in_the_way_of_calls

    try:
        voice = twilio_voice_from(declared, root=house.workspace.root)
        standing = call_standing_of(voice)
    except TocsinError as error:
        yield unusable(_CARRIER, error)
        return
    problems = list(in_the_way_of_calls(standing))
    for each in problems:
        state = State.WARN if each is TRIAL else State.FAIL
        yield Examined(_CARRIER, state, each.told, each.next_step)
    if not problems:
        account = (
            f"the account is {standing.account}"
            if standing.account
            else "this key may not ask of the account"
        )
        caller = (
            "this key may not ask of the number" if standing.caller_ours is None else "the number is its own"
        )
        where = f"{voice.peer}, {declared.processor}, {declared.country}"
        yield Examined(_CARRIER, State.OK, f"{where}: {account}, {caller}")
    yield from _balance(standing)
    finding = (
        f"Twilio asks below {declared.callback_url} what is said; whether that leads to `incident serve hooks` is not"
        " looked at here"
    )
    step = "call a telephone of your own before the day, in a drill's workspace"
    yield Examined(_CALLBACKS, State.OK, finding, step)


def _balance(standing: CallStanding) -> Iterator[Examined]:
    if standing.balance is None:
        return
    has = f"{standing.balance} {standing.currency or ''}".strip()
    if standing.balance <= 0:
        step = "top it up for as many people as may have to be told, or let it recharge itself"
        yield Examined(_CREDITS, State.FAIL, f"the balance is {has}: nobody is called", step)
        return
    step = "compare it with what calls to your people cost: by the minute, and by country"
    yield Examined(
        _CREDITS, State.OK, f"the balance is {has}; for how many calls is enough is not known", step
    )


def _words(house: House, declared: TwilioVoiceSettings) -> Iterator[Examined]:
    """Whether each language has words for a call, and a voice that says them."""
    found = []
    for language in house.settings.workspace.languages:
        try:
            voice = typical_renderings(house, language).voice
        except TocsinError as error:
            yield unusable(_TEXTS, error)
            continue
        if voice is None or not voice.can_be_asked:
            finding = f"no words for a call in {language}: who reads it is called in another language"
            step = f"write templates/notice/{language}/voice*.txt.j2 in the workspace"
            yield Examined(_TEXTS, State.WARN, finding, step)
        elif language not in VOICES:
            finding = f"no voice of Twilio's is known for {language}: who reads it is left to people"
            yield Examined(_TEXTS, State.WARN, finding, f"there are voices for {', '.join(VOICES)}")
        else:
            found.append(f"{language} by {declared.voices.get(language) or VOICES[language].name}")
    if strange := sorted(set(declared.voices) - set(VOICES)):
        finding = f"calls.twilio.voices names languages without a usual voice: {', '.join(strange)}"
        yield Examined(_TEXTS, State.WARN, finding, f"there are voices for {', '.join(VOICES)}")
    if found:
        yield Examined(_TEXTS, State.OK, ", ".join(found))


def _hours(house: House, declared: TwilioVoiceSettings) -> Iterator[Examined]:
    settings = house.settings
    if _ever_come(house):
        told = f"people are called from {declared.hours.replace('-', ' to ')}, {settings.zone.key}"
        yield Examined(_HOURS, State.OK, told)
        return
    quiet = settings.waves.quiet_hours
    finding = f"quiet hours ({quiet}) cover the hours of calls ({declared.hours}): nobody is called"
    yield Examined(_HOURS, State.FAIL, finding, "change hours under [calls.twilio], or [waves] quiet_hours")


def _ever_come(house: House) -> bool:
    """Whether there is a minute of the day at which people are called."""
    settings = house.settings
    quiet = QuietHours.read(settings.waves.quiet_hours, settings.zone)
    outside = outside_of(settings)
    now = house.clock()
    minutes = (now + timedelta(minutes=each) for each in range(_MINUTES_A_DAY))
    return any(not any(each is not None and each.hold(at) for each in (quiet, outside)) for at in minutes)
