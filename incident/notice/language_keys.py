"""What every language must say, and the values that each text may take. Pure.

A value that ends in `?` may be left out of the text, every other has to stand in it. A text that is added here is asked
of every language, shipped or a workspace's own, by `incident notice lint` and by whoever reads the language.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping

from incident.notice.audience import Audience

SENTENCES: Mapping[str, str] = {
    "subject": "organisation",
    "began": "date",
    "found": "date",
    "told": "date",
    "stopped": "date",
    "persons_exact": "number",
    "persons_about": "number",
    "persons_between": "low high",
    "persons_at_least": "low",
    "not_taken": "kinds",
    "not_taken_so_far": "kinds",
    "authority_informed": "date authority",
    "cause_confirmed": "cause",
    "cause_likely": "cause",
    "cause_open": "date",
    "next_update": "date",
    "unknown_began": "",
    "unknown_stopped": "",
    "unknown_persons": "",
    "unknown_cause": "",
}
"""The sentences that drafting puts together."""

WORDS: Mapping[str, str] = {
    "we": "",
    "unnamed": "",
    "planned": "text",
    "never_asked": "",
    "sorry": "",
    "number": "reference",
    "heading_what_happened": "",
    "heading_your_information": "",
    "heading_consequences": "",
    "heading_steps": "",
    "heading_measures": "",
    "heading_cause": "",
    "heading_not_known": "",
    "heading_next": "",
    "heading_remedies": "",
    "heading_check": "",
    "heading_contact": "",
    "label_phone": "",
    "label_email": "",
    "label_address": "",
    "label_officer": "",
    "mail_dear": "name",
    "mail_opening": "organisation?",
    "mail_opening_possible": "organisation?",
    "mail_data": "effects data",
    "mail_data_possible": "effects data",
    "mail_no_links": "",
    "mail_website": "website",
    "mail_phone": "phone",
    "mail_code": "code",
    "mail_update_subject": "day subject",
    "mail_update_opening": "day",
    "mail_nameless": "",
    "letter_addressee": "name address",
    "letter_date": "date",
    "letter_reference": "reference",
    "letter_page": "page pages",
    "letter_no_links": "",
    "page_title": "",
    "page_skip": "",
    "page_languages": "",
    "page_published": "date",
    "page_number": "reference",
    "page_lead": "organisation",
    "page_lead_possible": "organisation",
    "page_heading_data": "",
    "page_data": "effects",
    "page_data_possible": "effects",
    "page_ask": "phone",
    "page_next": "date",
    "page_heading_check": "",
    "page_check": "",
    "page_label_publisher": "",
    "page_sorry": "",
}
"""The words around the content: headings, labels, and what an e-mail (`mail_`), a letter (`letter_`, beside most of an
e-mail's) or a public page (`page_`) adds."""

_NEEDED_ANEW: Mapping[Audience, tuple[str, ...]] = {
    Audience.GUARDIAN: (
        "mail_opening",
        "mail_opening_possible",
        "heading_your_information",
        "mail_data",
        "mail_data_possible",
        "heading_consequences",
        "heading_steps",
    ),
    Audience.YOUNG: (
        "mail_opening",
        "mail_opening_possible",
        "mail_data",
        "mail_data_possible",
        "heading_consequences",
        "heading_steps",
        "label_officer",
    ),
    Audience.ORGANISATION: (
        "unnamed",
        "mail_dear",
        "mail_opening",
        "mail_opening_possible",
        "heading_your_information",
        "mail_data",
        "mail_data_possible",
        "heading_consequences",
        "heading_steps",
    ),
}
_NAMES_THE_CHILD = frozenset({"mail_opening", "mail_opening_possible", "mail_data", "mail_data_possible"})

DATES: Mapping[str, str] = {
    "day": "year month? month_name? day",
    "within_month": "year? month? month_name? day last_year? last_month? last_month_name? last_day",
    "within_year": "year? month? month_name? day last_year? last_month? last_month_name? last_day",
    "across_years": "year month? month_name? day last_year last_month? last_month_name? last_day",
}


def faults_of_sentences(texts: Mapping[str, str], *, longest: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with texts that must have exactly the keys of `longest`, each with its values."""
    for key in longest.keys() - texts.keys():
        yield f"{key} is missing"
    for key, text in texts.items():
        if key not in longest:
            yield f"{key} is no text of a language"
        else:
            yield from faults_of_text(key, text, longest[key])


def faults_of_text(key: str, text: str, values: str) -> Iterator[str]:
    """What is wrong with the values in one text."""
    if not text.strip():
        yield f"{key} is empty"
        return
    try:
        used = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    except ValueError:
        yield f"{key} holds a brace that is no value; write it twice"
        return
    named = values.split()
    known = {name.rstrip("?") for name in named}
    for name in sorted(used - known):
        allowed = ", ".join(f"{{{each}}}" for each in sorted(known)) or "none"
        yield f"{key} holds {{{name}}}; its values are {allowed}"
    for name in sorted({name for name in named if not name.endswith("?")} - used):
        yield f"{key} lacks {{{name}}}"


def faults_of_audience(audience: Audience, words: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with the words that an audience has of its own."""
    for key in _NEEDED_ANEW[audience]:
        if key not in words:
            yield f"{key} is missing"
    for key, text in words.items():
        if key not in WORDS or key.startswith("page_"):
            yield f"{key} is no text of a message"
            continue
        child = ""
        if audience is Audience.GUARDIAN:
            child = " child" if key in _NAMES_THE_CHILD else " child?"
        yield from faults_of_text(key, text, WORDS[key] + child)
