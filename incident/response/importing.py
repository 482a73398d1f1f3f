"""Taking in another tool's playbook: read, repair, check, and say what it still needs to run here.

What cannot be brought to CACAO 2.0 is refused with every reason. A playbook that is sound but that this workspace
cannot run yet is taken in, and the needs are named.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from incident.errors import BadInput, TocsinError
from incident.response.commands import KINDS
from incident.response.commands.going_out import GoingOut
from incident.response.compile import compile_with_places
from incident.response.findings import Finding, NotRunnable, Severity, errors_in
from incident.response.form import cacao_places, load, model_of, to_cacao, to_form, unknown_words
from incident.response.jsontext import read_json
from incident.response.lint import lint
from incident.response.model import ActionStep, Playbook
from incident.response.repair import Repair, digest, repair
from incident.response.variables import declarations, declared_value, references
from incident.response.yamltext import YamlText, read_yaml

NEEDS = frozenset(
    [
        "command-type-not-run",
        "command-missing",
        "two-contents",
        "content-type",
        "http-command",
        "openc2-command",
        "shell-command",
        "bash-targets",
        "bash-elsewhere",
        "no-address",
        "no-user",
        "authentication-type",
        "unknown-authentication",
        "inline-secret",
        "secret-reference",
        "manual-text",
        "undeclared-variable",
        "unknown-playbook",
        "playbook-version",
        "argument",
        "unknown-measure",
        "revoked",
        "expired",
        "not-yet-valid",
        "base64",
    ]
)
"""Errors that keep a sound playbook from running here."""


class NotImported(NotRunnable):
    """The file is no playbook and cannot be made one; `repairs` were tried, `findings` are the reasons."""

    def __init__(self, findings: Collection[Finding], *, name: str, repairs: tuple[Repair, ...] = ()) -> None:
        super().__init__(findings, name=name)
        self.repairs = repairs
        reasons = "\n".join(
            f"  - {each}\n    → {each.cure}" if each.cure else f"  - {each}" for each in findings
        )
        self.what = f"the playbook cannot be taken in, and nothing was written:\n{reasons}"
        self.next_step = "correct these places in the file and import it again"
        self.args = (self.what,)


@dataclass(frozen=True)
class Surroundings:
    """What a workspace has: where its playbooks may go, the secrets it names, measures, other playbooks by id."""

    rules: GoingOut = field(default_factory=GoingOut)
    secrets: Collection[str] = ()
    given: Mapping[str, str] | None = None
    known_measures: frozenset[str] | None = None
    children: Mapping[str, Playbook] | None = None


@dataclass(frozen=True)
class Imported:
    """A playbook that was taken in. `text` is the file to write, in the YAML form or, where that cannot hold it, as
    JSON (`suffix`). `needs` says what keeps it from running here; empty where nothing does."""

    playbook: Playbook
    text: str
    suffix: str
    sha256: str
    repairs: tuple[Repair, ...]
    findings: tuple[Finding, ...]
    needs: tuple[str, ...]


def import_playbook(
    raw: bytes, *, name: str, title: str, now: datetime, here: Surroundings | None = None
) -> Imported:
    """The playbook in the bytes of a file called `name`; `title` names it where it has no name.

    Raises `BadInput` where it cannot be read, `NotImported` where it cannot be made a playbook.
    """
    here = here or Surroundings()
    sha256 = digest(raw)
    read = _read(raw, name)
    repairs: tuple[Repair, ...] = ()
    if _is_our_form(read.data):
        data, places = compile_with_places(read.data, name=name, lines=read.lines)
    else:
        places = {"": name} | cacao_places(read.lines, name)
        repaired = repair(read.data, name=name, sha256=sha256, now=now, title=title)
        data = repaired.data
        repairs = tuple(_placed(each, places) for each in repaired.repairs)
        places = _moved_places(places, repairs)
    playbook = _model(data, name, places, repairs)
    findings = [
        *lint(playbook, now=now, known_measures=here.known_measures, imported=True, places=places,
              children=here.children),
        *unknown_words(playbook, Severity.warning, places),
    ]  # fmt: skip
    fatal = [each for each in errors_in(findings) if each.code not in NEEDS]
    if fatal:
        raise NotImported(fatal, name=name, repairs=repairs)
    text, suffix = _file(playbook, name, sha256)
    needs = tuple(dict.fromkeys([*(str(each) for each in errors_in(findings)), *_needs(playbook, here)]))
    return Imported(playbook, text, suffix, sha256, repairs, tuple(findings), needs)


def _read(raw: bytes, name: str) -> YamlText:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"the file is not UTF-8 ({error.reason})", where=name, next_step="save it as UTF-8"
        ) from None
    if text.lstrip().startswith("{"):
        return read_json(text, name=name)
    return read_yaml(text, name=name)


def _is_our_form(data: Any) -> bool:
    """Our form leaves type and version out and has short names for ids."""
    if not isinstance(data, dict) or "type" in data or "spec_version" in data:
        return False
    workflow = data.get("workflow")
    return isinstance(workflow, dict) and not any("--" in str(key) for key in workflow)


def _placed(found: Repair, places: Mapping[str, str]) -> Repair:
    path = found.path.split("/")
    known = (places.get("/".join(path[:end])) for end in range(len(path), 0, -1))
    return replace(found, place=next((each for each in known if each), places.get("")))


def _moved_places(places: Mapping[str, str], repairs: tuple[Repair, ...]) -> dict[str, str]:
    """Places by the new ids too."""
    found = dict(places)
    renamed = {each.path: each.now for each in repairs if each.code == "identifier"}
    for path, place in places.items():
        section, _, rest = path.partition("/")
        key, slash, inner = rest.partition("/")
        new = renamed.get(f"{section}/{key}")
        if new is not None:
            found[f"{section}/{new}{slash}{inner}"] = place
            if not inner and section == "workflow":
                found[new] = place
    return found


def _model(
    data: dict[str, Any], name: str, places: Mapping[str, str], repairs: tuple[Repair, ...]
) -> Playbook:
    try:
        return model_of(data, name, places)
    except NotRunnable as error:
        raise NotImported(error.findings, name=name, repairs=repairs) from None
    except (ValidationError, RecursionError):
        raise BadInput("this is too deep for a playbook", where=name) from None


def _file(playbook: Playbook, name: str, sha256: str) -> tuple[str, str]:
    """The file to write: in the YAML form where that reads back as the same, else JSON."""
    plain_name = "".join(sign if sign.isprintable() else "?" for sign in name)
    try:
        text = f"# Imported from {plain_name}, sha256 {sha256}\n{to_form(playbook)}"
        if load(text, name=name).playbook == playbook:
            return text, ".yaml"
    except BadInput:
        pass
    return to_cacao(playbook), ".json"


# -- what it needs here ---------------------------------------------------------------------------------


def _needs(playbook: Playbook, here: Surroundings) -> Iterator[str]:
    given = here.given or {}
    for name, variable in playbook.playbook_variables.items():
        needed = variable.external and "value" not in variable.model_fields_set and name not in given
        if needed:
            yield f"a value for {name} (--var {name.strip('_')}=VALUE)"
    wanted = {
        each.kms_key_identifier: None
        for each in playbook.authentication_info_definitions.values()
        if each.kms and each.kms_key_identifier
    }
    for secret in wanted:
        if secret not in here.secrets and not secret.startswith(("env:", "file:")):
            yield f"the secret “{secret}” (its place in [playbooks] secrets)"
    for step in playbook.workflow.values():
        if isinstance(step, ActionStep):
            yield from _undeclared_hosts(playbook, step, here)


def _undeclared_hosts(playbook: Playbook, step: ActionStep, here: Surroundings) -> Iterator[str]:
    declared = declarations(playbook, step)
    values = {name: declared_value(each) for name, each in declared.items()} | dict(here.given or {})
    # A value that is not known yet must not hide where the command goes.
    filled = {name: value or "0" for name, value in values.items()}
    for command in step.commands:
        for reference in step.targets or [step.agent] if command.type in KINDS else ():
            addressee = playbook.endpoint(reference)
            if addressee is None:
                continue
            where = [str(each) for several in (addressee.address or {}).values() for each in several]
            if any("__" in each and not _all_known(each, values) for each in where):
                yield f"an address for “{addressee.name}”, which a variable gives, among [playbooks] hosts"
                continue
            try:
                here.rules.must_allow(KINDS[command.type].prepare(command, addressee, filled, declared))
            except BadInput:
                continue  # reported by the linter, or it depends on the values
            except TocsinError as error:
                yield f"{error.what} ({error.next_step})" if error.next_step else error.what


def _all_known(text: str, values: Mapping[str, str | None]) -> bool:
    return all(values.get(name) for name in references(text))
