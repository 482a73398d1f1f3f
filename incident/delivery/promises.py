"""Promises: where personal data may go, checked before a campaign opens (rule 12 of the design). Pure.

Every carrier is held against the same rules, whatever it carries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from incident.carrier_settings import Declared, Relation, SmppSettings, SmsGatewaySettings
from incident.errors import Refused
from incident.settings import Means, Promises, Settings
from notifiers.hosts import is_this_machine

UNION = "eu"
# The Union's member states, and Iceland, Liechtenstein and Norway, where the GDPR holds too (EEA Joint Committee decision
# 154/2018): what goes from one to the other is no transfer to a third country (GDPR Art. 44).
_GDPR_AREA = frozenset(
    f"{UNION} at be bg cy cz de dk ee es fi fr gr hr hu ie it lt lu lv mt nl pl pt ro se si sk is li no".split()
)
_CALLED = {Means.EMAIL: "the mail relay", Means.SMS: "the SMS carrier", Means.PHONE: "who calls people"}


class Rule(StrEnum):
    """What a carrier can break."""

    DECLARED = "declared"
    IN_CLEAR = "in_clear"
    KEEP_IN = "keep_in"
    SHARE_WITH_NO_ONE = "share_with_no_one"
    CONTRACT = "contract"
    TRANSFER = "transfer"


@dataclass(frozen=True, slots=True)
class Broken:
    """Why nothing may go over a carrier: the rule, what is wrong, the setting `where`, and what to do."""

    rule: Rule
    what: str
    where: str
    next_step: str

    @property
    def refusal(self) -> Refused:
        return Refused(self.what, where=self.where, next_step=self.next_step)


@dataclass(frozen=True, slots=True)
class Carrier:
    """What takes messages of one means from us, as the table `where` of the settings declares it."""

    means: Means
    where: str
    declared: Declared


def carriers_of(settings: Settings) -> list[Carrier]:
    """All carriers that this workspace tells people by: its mail relays, and those of SMS and of calls where they are among
    its means."""
    found = [Carrier(Means.EMAIL, where, relay) for where, relay in settings.mail.relays.items()]
    if settings.sms.carrier is not None and Means.SMS in settings.fallback.means:
        found.append(Carrier(Means.SMS, settings.sms.table, settings.sms.carrier))
    if settings.calls.carrier is not None and Means.PHONE in settings.fallback.means:
        found.append(Carrier(Means.PHONE, settings.calls.table, settings.calls.carrier))
    return found


def must_keep_promises(settings: Settings) -> None:
    """Raises `Refused` when a carrier would break a promise of the organisation, or is not declared."""
    for _, broken in broken_promises(settings):
        raise broken.refusal


def promised_away(settings: Settings) -> frozenset[str]:
    """The means by which nothing may be sent, because a carrier of theirs would break a promise or is not declared."""
    return frozenset(means for means, _ in broken_promises(settings))


def broken_promises(settings: Settings) -> Iterator[tuple[Means, Broken]]:
    """Whatever is in the way of sending, what is not declared first: at most one for each carrier."""
    carriers = carriers_of(settings)
    yield from _undeclared(carriers)
    for each in carriers:
        if each.declared.missing:
            continue
        if broken := broken_promise(
            each, settings.promises, home=home_of(settings), languages=settings.workspace.languages
        ):
            yield each.means, broken


def home_of(settings: Settings) -> str:
    """The organisation's country: the first one in scope, of which a part (`us-ca`) counts as the whole."""
    return settings.scope.countries[0].partition("-")[0]


def broken_promise(
    carrier: Carrier, promises: Promises, *, home: str, languages: Sequence[str] = ()
) -> Broken | None:
    """The first rule that a declared carrier breaks, in the order of `Rule`; None where it breaks none.

    `home` is the organisation's country (`eu`: the Union). The organisation's own words are quoted in the first of the
    `languages` that has some.
    """
    quoted = _quoted(promises.wording, languages)
    rules: tuple[Callable[[], Broken | None], ...] = (
        lambda: _in_clear(carrier),
        lambda: _leaves_the_countries(carrier, promises, quoted),
        lambda: _is_shared(carrier, promises, quoted),
        lambda: _has_no_contract(carrier),
        lambda: _goes_abroad(carrier, home),
    )
    return next((broken for rule in rules if (broken := rule())), None)


def _undeclared(carriers: Sequence[Carrier]) -> Iterator[tuple[Means, Broken]]:
    for means, called in _CALLED.items():
        missing = [
            f"{each.where}.{name}"
            for each in carriers
            if each.means is means
            for name in each.declared.missing
        ]
        if missing:
            yield (
                means,
                Broken(
                    Rule.DECLARED,
                    f"{called} is not declared: {', '.join(missing)}",
                    where="incident.toml",
                    next_step="say who sends, where messages are handed over, who processes them and in which country",
                ),
            )


def _in_clear(carrier: Carrier) -> Broken | None:
    """Only of SMS: a relay's own rules refuse a password in clear."""
    declared = carrier.declared
    if not isinstance(declared, SmppSettings | SmsGatewaySettings) or declared.tls or declared.private_line:
        return None
    if declared.host and is_this_machine(declared.host):
        return None
    return Broken(
        Rule.IN_CLEAR,
        f"numbers, texts and the password would cross the network to {declared.host or declared.processor} in clear",
        where=f"{carrier.where}.tls",
        next_step=f"set tls = true under [{carrier.where}], or private_line = true "
        "where a private line or a VPN leads there",
    )


def _leaves_the_countries(carrier: Carrier, promises: Promises, quoted: str) -> Broken | None:
    country = carrier.declared.country
    if not promises.keep_in or country in promises.keep_in:
        return None
    return Broken(
        Rule.KEEP_IN,
        f"{_CALLED[carrier.means]} is in {country!r}, but the organisation promised to keep personal data in "
        f"{', '.join(promises.keep_in)}{quoted}",
        where=f"{carrier.where}.country",
        next_step="use one in the country; consent or an assessment (PIPL Art. 38, 39) does not undo a promise",
    )


def _is_shared(carrier: Carrier, promises: Promises, quoted: str) -> Broken | None:
    if not promises.share_with_no_one or carrier.declared.relation is not Relation.PROVIDED:
        return None
    return Broken(
        Rule.SHARE_WITH_NO_ONE,
        f"{carrier.declared.processor} is a third party, but the organisation promised to share personal data with "
        f"no one{quoted}",
        where=f"{carrier.where}.relation",
        next_step="use a carrier of the organisation's own or a processor under contract (PIPL Art. 21)",
    )


def _has_no_contract(carrier: Carrier) -> Broken | None:
    if carrier.declared.relation is not Relation.ENTRUSTED or carrier.declared.contract:
        return None
    return Broken(
        Rule.CONTRACT,
        f"{carrier.declared.processor} acts for the organisation, but no contract is named",
        where=f"{carrier.where}.contract",
        next_step='name the processing contract (PIPL Art. 21), for example contract = "DPA-2026-014"',
    )


def _goes_abroad(carrier: Carrier, home: str) -> Broken | None:
    country = carrier.declared.country
    if carrier.declared.transfer or country == home or {country, home} <= _GDPR_AREA:
        return None
    return Broken(
        Rule.TRANSFER,
        f"{_CALLED[carrier.means]} is in {country!r}, abroad for an organisation in {home!r}, and nothing is named that "
        "lets personal data go there",
        where=f"{carrier.where}.transfer",
        next_step="name by its reference the consent, the security assessment or the standard contract (PIPL Art. 38, "
        '39; GDPR Art. 44-46), for example transfer = "CAC-SC-2026-0031"; a reason is not enough',
    )


def _quoted(wording: Mapping[str, str], languages: Sequence[str]) -> str:
    texts = (wording.get(language) for language in (*languages, *wording))
    first = next((text for text in texts if text), "")
    return f": “{first}”" if first else ""
