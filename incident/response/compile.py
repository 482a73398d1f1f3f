"""From the YAML form to CACAO 2.0 JSON, and back.

The form uses CACAO's words with short names where CACAO has ids, and leaves out what can be worked out:
`type` and `spec_version` of the playbook, `workflow_start`, `modified`, the lists of activities and
features, and the definitions of our extensions. `null` keeps such a property out altogether.

An object's id is derived and so never changes while its short name and the playbook's id stay: the first 16
bytes of SHA-256 of "<playbook id>/<section>/<short name>", with the version and variant bits of a UUIDv4,
because steps must have one (section 10.10). An object that came with an id of its own keeps it in `id`.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from incident.errors import BadInput
from incident.response import wordings
from incident.response.extensions import EXTENSION_IDS, Extension, definition
from incident.response.findings import IDENTIFIER, Finding, NotRunnable, Severity
from incident.response.model import SPEC_VERSION
from incident.response.yamltext import Path

SECTIONS = ("workflow", "agent_definitions", "target_definitions", "authentication_info_definitions")
EXTENSION_HOLDERS = ("step_extensions", "playbook_extensions", "agent_target_extensions")
EXTENSION_LINKS: Mapping[str, Mapping[str, str]] = {
    Extension.containment_action: {"owner": "agent_definitions"},
    Extension.verification: {"verifies": "workflow"},
}
"""Properties of our extensions that refer to objects of the playbook, and where these stand."""
SINGLE_REFERENCES = ("on_completion", "on_success", "on_failure", "on_true", "on_false")
_MOST_HINTS = 20
_TIMES = ("created", "modified", "valid_from", "valid_until")
_SHORT_NAME = re.compile(r"[a-z][a-z0-9-]{0,79}")
_WRITTEN_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_PLAYBOOK_NAMESPACE = uuid.UUID("aa7caf3a-d55a-4e9a-b34e-056215fba56a")  # CACAO 2.0 section 10.10


def derived_id(playbook_id: str, section: str, short_name: str, kind: str) -> str:
    """The id of an object that has only a short name."""
    digest = hashlib.sha256(f"{playbook_id}/{section}/{short_name}".encode()).digest()
    return f"{kind}--{uuid.UUID(bytes=digest[:16], version=4)}"


def playbook_id(name: str, playbook_types: list[str]) -> str:
    """The id of a playbook that was given none: UUIDv5 over its name and types, as section 10.10 has it."""
    import rfc8785

    canonical = rfc8785.dumps({"name": name, "playbook_types": playbook_types}).decode()
    return f"playbook--{uuid.uuid5(_PLAYBOOK_NAMESPACE, canonical)}"


def compile_form(
    form: Any, *, name: str = "playbook", lines: Mapping[Path, int] | None = None
) -> dict[str, Any]:
    """The form as CACAO JSON. Raises NotRunnable with every finding, each with file and line."""
    return compile_with_places(form, name=name, lines=lines)[0]


def compile_with_places(
    form: Any, *, name: str, lines: Mapping[Path, int] | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """The CACAO JSON, and for each object's id the file and line it was written at."""
    if not isinstance(form, dict):
        raise BadInput("a playbook is a mapping with name, created_by, created and workflow", where=name)
    compiler = _Compiler(form, name, lines or {})
    found = compiler.compile()
    if compiler.findings:
        raise NotRunnable(compiler.findings, name=name)
    return found, compiler.places | compiler.paths()


class _Compiler:
    def __init__(self, form: dict[str, Any], name: str, lines: Mapping[Path, int]) -> None:
        self.form = form
        self.name = name
        self.lines = lines
        self.findings: list[Finding] = []
        self.places: dict[str, str] = {"": name}
        self.ids: dict[str, dict[str, str]] = {}
        self.short_names: list[dict[str, str]] = []
        language = form.get("language", wordings.DEFAULT_LANGUAGE)
        self.language = language if isinstance(language, str) else wordings.DEFAULT_LANGUAGE
        self.playbook_id = ""

    def paths(self) -> dict[str, str]:
        """The places of all that was written, by its path in the compiled playbook."""
        found = {}
        for path, line in self.lines.items():
            if len(path) > 1 and path[0] in SECTIONS:
                named = self.ids.get(str(path[0]), {}).get(str(path[1]), path[1])
                path = (path[0], named, *path[2:])
            found["/".join(map(str, path))] = f"{self.name}:{line}"
        return found

    def complain(self, code: str, message: str, path: Path) -> None:
        line = next(
            (self.lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.lines), None
        )
        place = self.name if line is None else f"{self.name}:{line}"
        if len(path) > 1 and path[0] == "workflow":
            place += f", step “{path[1]}”"
        self.findings.append(Finding(Severity.error, code, message, place))

    def compile(self) -> dict[str, Any]:
        form = dict(self.form)
        form.pop("language", None)
        for word in ("name", "created_by", "created", "workflow"):
            if not form.get(word):
                self.complain("missing-word", f"“{word}” is missing", ())
        if not isinstance(form.get("workflow"), dict) or self.findings:
            return {}
        plain, texts = wordings.split(form, self.language)
        types = plain.get("playbook_types")
        self.playbook_id = plain.get("id") or playbook_id(
            str(plain["name"]), types if isinstance(types, list) else []
        )
        plain |= {
            "type": "playbook",
            "spec_version": plain.get("spec_version", SPEC_VERSION),
            "id": self.playbook_id,
        }
        plain.setdefault("modified", plain["created"])
        for word in _TIMES:
            if word in plain:
                plain[word] = self.timestamp(plain[word], (word,))
        for section in SECTIONS:
            self.ids[section] = self.name_ids(section, plain.get(section))
        for section in SECTIONS:
            if section in plain and isinstance(plain[section], dict):
                plain[section] = {
                    self.ids[section][short]: self.object(section, short, each)
                    for short, each in plain[section].items()
                    if short in self.ids[section]
                }
        return self.finish(plain, texts)

    def finish(self, plain: dict[str, Any], texts: dict[str, Any] | None) -> dict[str, Any]:
        self.link(plain, "workflow_exception", "workflow", ("workflow_exception",))
        if "workflow_start" in plain:
            self.link(plain, "workflow_start", "workflow", ("workflow_start",))
        else:
            starts = [key for key, each in plain["workflow"].items() if each.get("type") == "start"]
            if not starts:
                self.complain("no-start", "there is no start step", ("workflow",))
            plain["workflow_start"] = starts[0] if starts else ""
        if self.short_names:
            texts = {**(texts or {"language": self.language}), "short_names": self.short_names}
        self.add_extensions(plain, "playbook_extensions", texts, ())
        _fill(plain, "playbook_activities", activities(plain))
        _fill(plain, "extension_definitions", our_definitions(plain))
        _fill(plain, "playbook_processing_summary", processing_summary(plain))
        return plain

    def name_ids(self, section: str, found: Any) -> dict[str, str]:
        if found is None:
            return {}
        if not isinstance(found, dict):
            self.complain("not-a-mapping", f"{section} maps short names to objects", (section,))
            return {}
        ids: dict[str, str] = {}
        for short, each in found.items():
            path = (section, short)
            if not isinstance(each, dict) or not isinstance(each.get("type"), str):
                self.complain("no-type", f"“{short}” needs a type", path)
                continue
            if "id" in each:
                ids[short] = str(each["id"])
            elif not _SHORT_NAME.fullmatch(short):
                self.complain(
                    "short-name", f"“{short}”: a short name is of a-z, 0-9 and “-”, a letter first", path
                )
                continue
            else:
                ids[short] = derived_id(self.playbook_id, section, short, each["type"])
                self.short_names.append({"object_id": ids[short], "short_name": short})
            line = self.lines.get(path)
            self.places[ids[short]] = self.name if line is None else f"{self.name}:{line}"
        return ids

    def object(self, section: str, short: str, found: dict[str, Any]) -> dict[str, Any]:
        path: Path = (section, short)
        plain, texts = wordings.split(found, self.language)
        plain.pop("id", None)
        if section == "workflow":
            self.add_extensions(plain, "step_extensions", texts, path)
            for word in SINGLE_REFERENCES:
                self.link(plain, word, "workflow", (*path, word))
            self.link_all(plain, "next_steps", "workflow", path)
            self.link_all(plain, "cases", "workflow", path)
            self.link(plain, "agent", "agent_definitions", (*path, "agent"))
            self.link_all(plain, "targets", "target_definitions", path)
        elif section in {"agent_definitions", "target_definitions"}:
            self.add_extensions(plain, "agent_target_extensions", texts, path)
            word = "authentication_info"
            self.link(plain, word, "authentication_info_definitions", (*path, word))
        return plain

    def link(self, plain: dict[str, Any], word: str, section: str, path: Path) -> None:
        if word in plain:
            plain[word] = self.reference(plain[word], section, path)

    def link_all(self, plain: dict[str, Any], word: str, section: str, path: Path) -> None:
        found = plain.get(word)
        if isinstance(found, list):
            plain[word] = [self.reference(each, section, (*path, word, n)) for n, each in enumerate(found)]
        elif isinstance(found, dict):
            plain[word] = {
                key: self.reference(each, section, (*path, word, key)) for key, each in found.items()
            }

    def reference(self, found: Any, section: str, path: Path) -> Any:
        if not isinstance(found, str):
            return found
        names = self.ids[section] or {}
        if section == "target_definitions":
            names = self.ids["agent_definitions"] | names
        if found in names:
            return names[found]
        if IDENTIFIER.fullmatch(found) or found in names.values():
            return found
        # Each look costs as much as there are names; nobody reads the hundredth hint.
        near = difflib.get_close_matches(found, names, n=3) if len(self.findings) < _MOST_HINTS else []
        hint = f"; near it: {', '.join(near)}" if near else ""
        self.complain("dangling-reference", f"“{found}” is not in {section}{hint}", path)
        return found

    def add_extensions(
        self, plain: dict[str, Any], holder: str, texts: dict[str, Any] | None, path: Path
    ) -> None:
        found = plain.get(holder)
        if found is not None and not isinstance(found, dict):
            self.complain("not-a-mapping", f"{holder} maps extensions to their properties", (*path, holder))
            return
        named: dict[str, Any] = {}
        for key, params in (found or {}).items():
            known = EXTENSION_IDS.get(Extension(key)) if key in EXTENSION_IDS else None
            if known is None and not IDENTIFIER.fullmatch(key):
                near = difflib.get_close_matches(key, list(EXTENSION_IDS), n=1)
                hint = f"; did you mean “{near[0]}”?" if near else ""
                self.complain("unknown-extension", f"“{key}” is no extension{hint}", (*path, holder, key))
            named[known or key] = self.linked_params(key, params, (*path, holder, key))
        if texts is not None and wordings.TEXTS not in named:
            named[wordings.TEXTS] = texts
        if named:
            plain[holder] = named

    def linked_params(self, extension: str, params: Any, path: Path) -> Any:
        """The extension's properties with ids in place of the short names that some of them hold."""
        if not isinstance(params, dict):
            return params
        linked = dict(params)
        for word, section in EXTENSION_LINKS.get(extension, {}).items():
            self.link(linked, word, section, (*path, word))
            self.link_all(linked, word, section, path)
        return linked

    def timestamp(self, found: Any, path: Path) -> Any:
        if not isinstance(found, str) or _WRITTEN_TIME.fullmatch(found):
            return found
        moment: datetime | None
        try:
            if re.fullmatch(r"\d{4}-\d\d-\d\d", found):
                moment = datetime.combine(date.fromisoformat(found), time(), UTC)
            else:
                moment = datetime.fromisoformat(found)
            moment = moment.astimezone(UTC) if moment.tzinfo is not None else None
        except (ValueError, OverflowError):
            moment = None
        if moment is None:
            self.complain("timestamp", f"“{found}” is no time with a zone, as 2025-11-20T08:00:00Z", path)
            return found
        return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _fill(plain: dict[str, Any], word: str, value: Any) -> None:
    if word in plain:
        if plain[word] is None:
            del plain[word]
        elif word == "extension_definitions" and isinstance(plain[word], dict):
            plain[word] = {**value, **plain[word]}
    elif value:
        plain[word] = value


def our_definitions(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The definitions of those of our extensions that the playbook uses."""
    sections = [plain.get(section) for section in SECTIONS]
    holders = [
        plain,
        *(each for section in sections if isinstance(section, dict) for each in section.values()),
    ]
    found = [each.get(holder) for each in holders for holder in EXTENSION_HOLDERS]
    used = {key for each in found if isinstance(each, dict) for key in each}
    return {id_: definition(name) for name, id_ in EXTENSION_IDS.items() if id_ in used}


def activities(plain: Mapping[str, Any]) -> list[str]:
    """The activities that the commands name, each once."""
    commands = [each for step in plain["workflow"].values() for each in _list(step.get("commands"))]
    found = [each.get("playbook_activity") for each in commands if isinstance(each, dict)]
    return list(dict.fromkeys(each for each in found if each and isinstance(each, str)))


def processing_summary(plain: Mapping[str, Any]) -> dict[str, bool]:
    """The features the playbook uses (section 10.14); a feature not used is left out."""
    steps = list(plain["workflow"].values())
    types = {str(step.get("type")) for step in steps}
    commands = [
        str(each.get("type")) for s in steps for each in _list(s.get("commands")) if isinstance(each, dict)
    ]
    features = {
        "manual_playbook": bool(commands) and set(commands) == {"manual"},
        "external_playbooks": "playbook-action" in types,
        "parallel_processing": "parallel" in types,
        "if_logic": "if-condition" in types,
        "while_logic": "while-condition" in types,
        "switch_logic": "switch-condition" in types,
        "temporal_logic": any("delay" in step or "timeout" in step for step in steps),
        "data_markings": bool(plain.get("markings")),
        "digital_signatures": bool(plain.get("signatures")),
        "countersigned_signatures": any(
            isinstance(each, dict) and "signature" in each for each in _list(plain.get("signatures"))
        ),
        "extensions": bool(plain.get("extension_definitions")),
    }
    return {name: True for name, used in features.items() if used}


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []
