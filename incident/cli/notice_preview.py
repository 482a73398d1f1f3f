"""`incident notice preview`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from incident.cli.desk import Desk, desk_of, write_output
from incident.cli.notice_languages import AUDIENCE, audience_named
from incident.cli.record import ID
from incident.errors import Refused, WrongUsage

if TYPE_CHECKING:
    from incident.notice.audience import Audience
    from incident.notice.channels import PersonValues, Rendering
    from incident.notice.content import NoticeContent
    from incident.notice.frozen import FrozenNotice
    from incident.notice.preview import NamedByLaw, Survey
    from incident.notice.sms_text import SmsText
    from incident.record.dossier import Dossier

_DOCUMENTS = ("email", "public", "letter")
_WITH_SLOTS = ("email", "public")
_SMALL = ("sms", "push", "in_app", "voice", "call_centre")
CHANNELS = (*_DOCUMENTS, *_SMALL)
_FILLINGS = ("slots", "sample", "shortest", "longest")
_FROM_THE_LIST = ("shortest", "longest")
_MOST_FORCING = 20  # characters; of a Chinese text nearly all of them force UCS-2

HELP = (
    "Show the notice as it would be read: by e-mail, as the public page, as a letter, by SMS, push, in the app, by phone, "
    "and what the call centre says. With --with longest or shortest it shows the longest or shortest message that "
    "somebody on the list gets, under another name of the same length; --reveal (signed, --as NAME, with --reason) "
    "shows their own."
)


def preview(
    ctx: typer.Context,
    incident_id: str = ID,
    language: str = typer.Option("", "--language", help="For example zh-Hans, zh-Hant or en."),
    audience: str = AUDIENCE,
    channel: str = typer.Option("email", "--channel", help=f"{', '.join(CHANNELS[:-1])} or {CHANNELS[-1]}."),
    filling: str = typer.Option(
        "",
        "--with",
        help="What stands in the personal places: slots (their names), sample (made up), longest or shortest (of the list).",
    ),
    reveal: bool = typer.Option(
        False,
        "--reveal",
        help="Show the real name of the longest or shortest (signed, --as NAME, with --reason).",
    ),
    reason: str = typer.Option("", "--reason", help="Why it is looked at."),
    output: Path | None = typer.Option(
        None,
        "-o",
        "--output",
        metavar="FILE",
        help="Write it to a file: HTML, a letter as .pdf or .png, else text.",
    ),
) -> None:
    from incident.notice.release import assemble
    from incident.record.dossier import load_dossier

    desk = desk_of(ctx)
    _must_be_words(channel, filling, reveal=reveal)
    reader = audience_named(audience)
    if reader.value != "person" and channel not in ("email", "letter"):
        raise WrongUsage(
            "only the e-mail and the letter have words for other readers",
            where="--audience",
            next_step="leave it out",
        )
    dossier = load_dossier(desk.store, incident_id)
    bench = desk.house.bench(dossier)
    frozen, _ = assemble(dossier, bench, written_at=desk.now())
    chosen = language or desk.settings.workspace.languages[0]
    if chosen not in frozen.contents:
        raise WrongUsage(
            f"there is no notice in {chosen!r}", where="--language", next_step=", ".join(frozen.contents)
        )
    filled = filling or ("slots" if channel in _WITH_SLOTS else "sample")
    surveyed = _survey(desk, incident_id, frozen, chosen, channel) if _reads_list(channel, filled) else None
    if reveal:
        from incident.cli.people import reveal_list

        reveal_list(desk, incident_id, f"notice preview --channel {channel} --with {filled}", reason)
    values, told = _values(frozen, chosen, filled, surveyed, reveal=reveal)
    if channel == "letter":
        from incident.cli.notice_preview_letter import preview_letter

        assert values is not None  # noqa: S101 - `_must_be_words` lets nobody ask for slots
        preview_letter(desk, frozen, chosen, values, told, output, reader=reader)
        return
    shown = _Shown(frozen, chosen, channel, values, reader)
    if output is not None:
        write_output(output, shown.file)
        desk.lines([f"written to {output}"], document={"file": str(output)})
        return
    document: dict[str, Any] = {"language": chosen, "channel": channel, **shown.document, "filled_with": told}
    lines = [shown.text]
    if channel in _SMALL:
        lines += ["", f"personal places: {_NONE_IN_A_PUSH if channel == 'push' else _TOLD[told]}"]
        lines += _sms_lines(desk, shown, surveyed, document) if channel == "sms" else []
        lines += _law_lines(desk, dossier, frozen.contents[chosen], channel, document)
    desk.lines(lines, document=document)


_TOLD = {
    "slots": "their names",
    "sample": "made up",
    "shortest": "of the shortest on the list, under another name of the same length",
    "longest": "of the longest on the list, under another name of the same length",
    "shortest, in clear": "of the shortest on the list",
    "longest, in clear": "of the longest on the list",
    "shortest, made up": "made up; nobody on the list is told in this language",
    "longest, made up": "made up; nobody on the list is told in this language",
}


_NONE_IN_A_PUSH = "none, because others see a locked screen"


def _must_be_words(channel: str, filling: str, *, reveal: bool) -> None:
    if channel not in CHANNELS:
        raise WrongUsage(
            f"{channel!r} is no channel of a preview", where="--channel", next_step=", ".join(CHANNELS)
        )
    if filling and filling not in _FILLINGS:
        raise WrongUsage(f"{filling!r} fills no place", where="--with", next_step=", ".join(_FILLINGS))
    if channel == "letter" and filling == "slots":
        raise WrongUsage(
            "a letter is printed with what stands in its places",
            where="--with",
            next_step="sample, longest or shortest",
        )
    if reveal and filling not in _FROM_THE_LIST:
        raise WrongUsage(
            "there is nobody to reveal", where="--reveal", next_step="add --with longest or --with shortest"
        )


def _reads_list(channel: str, filled: str) -> bool:
    # What an SMS to all costs is asked for whatever stands in the preview.
    return filled in _FROM_THE_LIST or channel == "sms"


def _survey(desk: Desk, incident_id: str, frozen: FrozenNotice, language: str, channel: str) -> Survey:
    from incident.notice.preview import survey

    with desk.store.read() as session:
        return survey(session, desk.store, incident_id, frozen, language=language, channel=channel)


def _values(
    frozen: FrozenNotice, language: str, filled: str, surveyed: Survey | None, *, reveal: bool
) -> tuple[PersonValues | None, str]:
    """What stands in the personal places, None for their names; and how that is told."""
    from incident.notice.preview import masked
    from incident.notice.stand_ins import sample_values

    if filled == "slots":
        return None, filled
    if filled in _FROM_THE_LIST and surveyed is not None:
        found = surveyed.longest if filled == "longest" else surveyed.shortest
        if found is not None:
            return (found, f"{filled}, in clear") if reveal else (masked(found), filled)
        return sample_values(frozen.contents[language], size=filled), f"{filled}, made up"
    return sample_values(frozen.contents[language]), filled


class _Shown:
    """One channel in one language, as text, as a document, and as the file that `--output` writes."""

    def __init__(
        self,
        frozen: FrozenNotice,
        language: str,
        channel: str,
        values: PersonValues | None,
        reader: Audience,
    ) -> None:
        self.values = values
        self.reader = reader
        if channel in _SMALL:
            self._small(frozen, language, channel)
        else:
            self._document(frozen, language, channel)

    def _document(self, frozen: FrozenNotice, language: str, channel: str) -> None:
        from incident.notice.public_page import page_name

        mail = frozen.email_for(self.reader, language)
        html = mail.html if channel == "email" else frozen.pages[page_name(language)]
        self.file = self._put_in(html, markup=True)
        self.text = self._put_in(mail.text) if channel == "email" else self.file
        self.document: dict[str, Any] = {"subject": self._put_in(mail.subject), "text": self.text}

    def _small(self, frozen: FrozenNotice, language: str, channel: str) -> None:
        from incident.notice.channels import SmallChannel, VoiceScript

        rendering = frozen.channels[language].of(SmallChannel(channel))
        if rendering is None:
            raise Refused(
                f"{language} has no template for this channel",
                where=f"templates/notice/{language}",
                next_step="copy the one of another language there, and translate it",
            )
        whole = rendering if self.values is None else rendering.filled(self.values)
        if isinstance(whole, VoiceScript):
            from incident.cli.notice_preview_call import call_text

            self.text = call_text(whole, self._put_in)
        else:
            self.text = "\n".join(self._put_in(text).rstrip("\n") for text in whole.texts())
        self.file = f"{self.text}\n"
        self.document = {"text": self.text, **self._parts(whole)}

    def _parts(self, whole: Rendering) -> Mapping[str, Any]:
        from incident.notice.channels import InApp, Push, VoiceScript

        if isinstance(whole, Push):
            return {"title": whole.title, "body": whole.body}
        if isinstance(whole, VoiceScript):
            from incident.cli.notice_preview_call import call_document

            return call_document(whole, self._put_in)
        if isinstance(whole, InApp):
            return {
                "title": whole.title,
                "paragraphs": [
                    {"text": self._put_in(each.text), "heading": each.heading} for each in whole.paragraphs
                ],
                "buttons": [{"key": each.key.value, "label": each.label} for each in whole.buttons],
            }
        return {}

    def _put_in(self, text: str, *, markup: bool = False) -> str:
        from incident.notice.channels import fill
        from notifiers.email.message import SLOT

        if self.values is not None:
            return fill(text, self.values, markup=markup)
        return SLOT.sub(lambda found: f"[{found[1]}]", text)


def _sms_lines(desk: Desk, shown: _Shown, surveyed: Survey | None, document: dict[str, Any]) -> list[str]:
    """Segments of the message that is shown, and what it costs to tell everybody who has a number."""
    lines = _segment_lines(shown.text, document) if shown.values is not None else []
    if surveyed is None:
        return lines
    price, currency = desk.settings.sms.price, desk.settings.sms.currency
    cost = surveyed.cost(price)
    document["list"] = {
        "people": surveyed.people,
        "in_this_language": surveyed.in_language,
        "with_a_phone_number": surveyed.with_phone,
        "people_by_segments": {
            str(count): surveyed.by_segments[count] for count in sorted(surveyed.by_segments)
        },
        "segments": surveyed.segments,
        "cost": None if cost is None else f"{cost.normalize():f}",
        "currency": currency,
    }
    each = ", ".join(
        f"{surveyed.by_segments[count]} people with {count}" for count in sorted(surveyed.by_segments)
    )
    lines.append(f"people: {surveyed.people} on the list, {surveyed.with_phone} with a phone number")
    lines.append(f"segments for all of these: {surveyed.segments}" + (f" ({each})" if each else ""))
    if cost is None:
        lines.append("cost for all of these: not known; set price under [sms] in incident.toml")
    else:
        lines.append(f"cost for all of these: {cost.normalize():f} {currency} ({price} a segment)")
    return lines


def _segment_lines(text: str, document: dict[str, Any]) -> list[str]:
    from incident.notice.sms_text import PART, SINGLE, sms_text

    found = sms_text(text)
    room = SINGLE[found.encoding] if len(found.segments) < 2 else len(found.segments) * PART[found.encoding]
    document["sms"] = {
        "encoding": found.encoding.value,
        "units": found.units,
        "segments": list(found.segments),
        "forcing": list(found.forcing),
    }
    return [
        f"segments: {len(found.segments)} ({found.encoding}, {found.units} of {room} units)",
        *_forcing(found),
    ]


def _forcing(found: SmsText) -> list[str]:
    if not found.forcing:
        return []
    shown = " ".join(found.forcing[:_MOST_FORCING])
    more = len(found.forcing) - _MOST_FORCING
    return [f"only UCS-2 holds: {shown}" + (f" and {more} more" if more > 0 else "")]


def _law_lines(
    desk: Desk, dossier: Dossier, content: NoticeContent, channel: str, document: dict[str, Any]
) -> list[str]:
    """What stands in the full text only, and which laws name this way of telling people."""
    from incident.law.elements import element_catalogue
    from incident.notice.channels import SmallChannel
    from incident.notice.gate_channels import left_to_full_text
    from incident.notice.preview import named_by_law

    left = left_to_full_text(content, SmallChannel(channel), desk.house.bench(dossier).required)
    titles = [element_catalogue()[name].title[desk.language] for name in left]
    document["only_in_the_full_text"] = list(left)
    lines = [f"only in the full text: {', '.join(titles)}"] if titles else []
    named: NamedByLaw | None = named_by_law(desk.house.findings(dossier), channel)
    if named is None:
        return lines
    document["named_by"] = list(named.by)
    document["not_named_by"] = {regime: list(others) for regime, others in named.not_by.items()}
    if named.by:
        lines.append(f"laws that name this way: {', '.join(named.by)}")
    lines += [f"{regime} names other ways: {', '.join(others)}" for regime, others in named.not_by.items()]
    return lines
