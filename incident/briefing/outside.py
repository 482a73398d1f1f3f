"""What the call centre and the press may say: the released notice, or a statement that holds nothing. Pure.

Nothing here sees the record. Without a released notice the same sections come out whatever happened and whatever is
held back, so that not even the difference tells.
"""

from __future__ import annotations

from collections.abc import Sequence

from incident.briefing.material import Published
from incident.briefing.sheet import Line, Section
from incident.briefing.words import Words
from incident.notice.content import NoticeContent
from incident.notice.phrases import show_day
from incident.settings import Organisation


def holding_statement(words: Words, house: Organisation, *, for_callers: bool) -> list[Section]:
    """What to say while nothing is published: nothing of the facts, and take name and number."""
    say = _said(words, ("hold_say_1", "hold_say_2", "hold_say_3"))
    avoid = _said(words, ("hold_do_1", "hold_do_2", "hold_do_3"))
    return [
        Section("say", words.heading("say"), say, least=len(say), spoken=True),
        Section("do_not_say", words.heading("do_not_say"), avoid, least=len(avoid)),
        _write_down(words, "hold_note_call" if for_callers else "hold_note_press"),
        Section("contact", words.heading("contact"), _own_contact(words, house)),
    ]


def call_centre(words: Words, published: Published, incident_id: str) -> list[Section]:
    """What to tell callers, what not, how to check a code, and answers to what they ask; all from the released notice."""
    content = published.content
    avoid = _said(words, ("released_do_1", "released_do_2", "released_do_3"))
    command = Line(f"incident notice verify {incident_id} CODE", key="command")
    lookup = (*_said(words, ("lookup_1", "lookup_2")), command, *_said(words, ("lookup_3", "lookup_4")))
    return [
        Section("say", words.heading("say"), _statement(words, content), least=3, spoken=True),
        Section("do_not_say", words.heading("do_not_say"), avoid, least=len(avoid)),
        _write_down(words, "released_note_down"),
        Section("lookup", words.heading("lookup"), lookup, least=len(lookup)),
        Section("questions", words.heading("questions"), _answers(words, content), least=4, spoken=True),
        Section("contact", words.heading("contact"), _contact_of(words, content), least=1),
    ]


def press(words: Words, published: Published) -> list[Section]:
    """What may be said in public, word for word as the released notice has it."""
    content = published.content
    measures = tuple(
        Line(line.text, label=line.when, key="measures_taken") for line in content.measures_taken or ()
    )
    open_points = _each(content.not_known, "not_known")
    avoid = _said(words, ("released_do_1", "released_do_press"))
    kinds = words.listed(content.data_types or ())
    data = _each((words.say("said_data", data=kinds),) if kinds else (), "data_types")
    return [
        Section("say", words.heading("say"), (*_statement(words, content), *data), least=3, spoken=True),
        Section("measures", words.heading("measures"), measures, least=2, spoken=True),
        Section("not_known", words.heading("not_known"), open_points, least=1, spoken=True),
        Section(
            "next", words.heading("next"), (Line(_more(words, content), key="next_update"),), spoken=True
        ),
        Section("do_not_say", words.heading("do_not_say"), avoid, least=len(avoid)),
        _write_down(words, "released_note_down"),
        Section("contact", words.heading("contact"), _contact_of(words, content), least=1),
    ]


def _write_down(words: Words, what: str) -> Section:
    return Section("write_down", words.heading("write_down"), _said(words, (what,)), least=1)


def source(words: Words, published: Published) -> str:
    """Which release the words are taken from."""
    return words.say(
        "released_note",
        date=show_day(published.released_at, words.language, words.zone),
        version=published.version,
    )


def _statement(words: Words, content: NoticeContent) -> tuple[Line, ...]:
    phone = content.contact.phone if content.contact else ""
    call = (Line(words.say("call", phone=phone), key="phone"),) if phone else ()
    return (*_each(content.what_happened or (content.subject,), "what_happened"), *call)


def _answers(words: Words, content: NoticeContent) -> tuple[Line, ...]:
    """The questions that the notice answers, those asked most often first."""
    gap = "" if words.is_chinese else " "
    pause, stop = ("：", "。") if words.is_chinese else (": ", ".")
    measures = [
        f"{line.when}{pause if line.when else ''}{line.text.rstrip(stop)}{stop}"
        for line in content.measures_taken or ()
    ]
    answers = (
        ("faq_do", gap.join(content.steps_for_person or ())),
        ("faq_data", words.listed(content.data_types or ())),
        ("faq_harm", gap.join(content.consequences or ())),
        ("faq_when", _when(words, content)),
        ("faq_done", gap.join(measures)),
        ("faq_help", gap.join(content.remedies or ())),
        ("faq_cause", content.cause or ""),
        ("faq_open", gap.join(content.not_known)),
        ("faq_more", _more(words, content)),
    )
    return tuple(Line(answer, label=words.say(name), key=name) for name, answer in answers if answer)


def _when(words: Words, content: NoticeContent) -> str:
    breach, found = content.breach_date or "", content.discovery_date or ""
    if breach and found:
        return words.say("when_both", breach=breach, found=found)
    if breach:
        return words.say("when_breach", breach=breach)
    return words.say("when_found", found=found) if found else ""


def _more(words: Words, content: NoticeContent) -> str:
    return words.say("more_by", when=content.next_update) if content.next_update else words.say("no_more_set")


def _contact_of(words: Words, content: NoticeContent) -> tuple[Line, ...]:
    """The contact as the notice gives it."""
    if content.contact is None:
        return ()
    each = content.contact
    found = (
        ("organisation", each.organisation),
        ("phone", each.phone),
        ("email", each.email),
        ("address", each.address),
    )
    return tuple(Line(text, label=words.say(name), key=name) for name, text in found if text)


def _own_contact(words: Words, house: Organisation) -> tuple[Line, ...]:
    """The contact as the settings give it, which is no fact of any incident."""
    found = (("organisation", words.named(house.name)), ("phone", house.phone), ("email", house.email))
    return tuple(Line(text, label=words.say(key), key=key) for key, text in found if text) or (
        Line(words.say("no_contact")),
    )


def _said(words: Words, names: Sequence[str]) -> tuple[Line, ...]:
    return tuple(Line(words.say(name), key=name) for name in names)


def _each(texts: Sequence[str], key: str) -> tuple[Line, ...]:
    return tuple(Line(text, key=key) for text in texts)
