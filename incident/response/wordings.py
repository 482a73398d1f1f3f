"""Texts in several languages: a mapping by language in the YAML form, the `texts` extension in CACAO.

CACAO's own words hold one language (English where there is English), so that any engine shows something.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from incident.response.extensions import EXTENSION_IDS, Extension, Texts, Translation

DEFAULT_LANGUAGE = "en"
_WORDS = ("name", "description")
TEXTS = EXTENSION_IDS[Extension.texts]


def split(found: Mapping[str, Any], default: str) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The object with one language in each word, and its `texts` extension (None where there is nothing to say)."""
    plain = dict(found)
    base = _base_language(found, default)
    translations: dict[str, dict[str, Any]] = {}
    for word in _WORDS:
        if isinstance(found.get(word), dict):
            plain[word] = _take(found[word], base)
            for language, text in found[word].items():
                if language != base:
                    translations.setdefault(language, {})[word] = text
    commands = found.get("commands")
    if isinstance(commands, list):
        plain["commands"] = [_plain_command(each, base) for each in commands]
        for number, each in enumerate(commands):
            if isinstance(each, dict) and isinstance(each.get("command"), dict):
                for language, text in each["command"].items():
                    if language != base:
                        texts = translations.setdefault(language, {}).setdefault(
                            "commands", [""] * len(commands)
                        )
                        texts[number] = text
    if not translations and (
        base == DEFAULT_LANGUAGE or not any(word in found for word in (*_WORDS, "commands"))
    ):
        return plain, None
    extension: dict[str, Any] = {"language": base}
    if translations:
        extension["translations"] = [{"language": key, **words} for key, words in translations.items()]
    return plain, extension


def _mappings(found: Mapping[str, Any]) -> list[dict[str, str]]:
    texts = [found.get(word) for word in _WORDS]
    commands = found.get("commands")
    texts += (
        [each.get("command") for each in commands if isinstance(each, dict)]
        if isinstance(commands, list)
        else []
    )
    return [text for text in texts if isinstance(text, dict) and text]


def _base_language(found: Mapping[str, Any], default: str) -> str:
    mappings = _mappings(found)
    for language in (DEFAULT_LANGUAGE, default):
        if mappings and all(language in each for each in mappings):
            return language
    return next(iter(mappings[0])) if mappings else default


def _take(texts: dict[str, str], base: str) -> str:
    return texts[base] if base in texts else next(iter(texts.values()), "")


def _plain_command(command: Any, base: str) -> Any:
    if isinstance(command, dict) and isinstance(command.get("command"), dict):
        return {**command, "command": _take(command["command"], base)}
    return command


def join(plain: Mapping[str, Any], texts: Texts) -> dict[str, Any]:
    """The inverse of `split`: words that are translated become mappings, the base language first."""
    found = dict(plain)
    for word in _WORDS:
        several = {
            each.language: getattr(each, word)
            for each in texts.translations
            if getattr(each, word) is not None
        }
        if several and isinstance(found.get(word), str):
            found[word] = {texts.language: found[word], **several}
    if isinstance(found.get("commands"), list):
        found["commands"] = [
            _joined_command(each, number, texts.language, texts.translations)
            for number, each in enumerate(found["commands"])
        ]
    return found


def _joined_command(command: Any, number: int, base: str, translations: list[Translation]) -> Any:
    several = {
        each.language: each.commands[number]
        for each in translations
        if number < len(each.commands) and each.commands[number]
    }
    if not several or not isinstance(command, dict) or not isinstance(command.get("command"), str):
        return command
    return {**command, "command": {base: command["command"], **several}}
