"""From an alert to the words of an incident. What a sender wrote is data and is never compiled."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from incident.hooks.values import Alert

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    from incident.hooks.definition import Source

MAX_TITLE = 200
TITLE_NAMES = frozenset(
    {"title", "severity", "status", "hosts", "users", "ips", "data", "data_types", "external_id", "source"}
)
# Marks that turn the direction of text around: with them a title can show other words than it holds.
_DIRECTION_MARKS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_GAPS = re.compile(r"\s+")
_NO_TITLE = {"zh-Hans": "{source}告警（未附标题）", "en": "{source}: alert without a title"}
_UNREADABLE = {"zh-Hans": "{source}告警（内容无法解析）", "en": "{source}: alert that could not be read"}


def plain_text(text: str, limit: int) -> str:
    """`text` in one line: no control characters, half surrogates or direction marks, at most `limit` long."""
    spaced = _GAPS.sub(" ", _DIRECTION_MARKS.sub("", text))
    kept = "".join(char for char in spaced if unicodedata.category(char) not in {"Cc", "Cs"}).strip()
    return kept if len(kept) <= limit else kept[: limit - 1].rstrip() + "…"


def incident_title(source: Source, alert: Alert, *, language: str, limit: int = MAX_TITLE) -> str:
    """The title of an incident that this alert opens: plain text, never empty, at most `limit` characters.

    A template of the source that fails on this alert gives way to the alert's own title.
    """
    worded = _rendered(source.show.title, alert) if source.show else alert.title
    text = plain_text(worded or alert.title, limit)
    return text or plain_text(_in(_NO_TITLE, language).format(source=_in(source.title, language)), limit)


def unmapped_title(source: Source, *, language: str, limit: int = MAX_TITLE) -> str:
    """The title of an incident opened by an alert that could not be read."""
    return plain_text(_in(_UNREADABLE, language).format(source=_in(source.title, language)), limit)


def unreadable_template(template: str) -> str | None:
    """Why Jinja2 cannot read the template, or None."""
    from jinja2 import TemplateSyntaxError

    try:
        _environment().parse(template)
    except TemplateSyntaxError as error:
        return error.message or "syntax"
    return None


def unknown_names(template: str) -> tuple[str, ...]:
    """The names in a readable template that an alert does not have."""
    from jinja2 import meta

    return tuple(sorted(meta.find_undeclared_variables(_environment().parse(template)) - TITLE_NAMES))


def _in(texts: Mapping[str, str], language: str) -> str:
    return texts.get(language) or texts["en"]


def _rendered(template: str, alert: Alert) -> str:
    from jinja2 import TemplateError

    values = {name: getattr(alert, name) for name in TITLE_NAMES}
    try:
        return _environment().from_string(template).render(values)
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError):
        return ""


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    # Plain text, no HTML: escaping would change the words; whoever shows the title escapes it.
    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
