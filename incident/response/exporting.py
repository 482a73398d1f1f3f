"""Handing a playbook to others: valid by the official schemas and without a finding against the standard, or refused.

The official schemas have no place for some of what the standard's text allows; such properties are written another
way, and each is told (`changes`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from incident.response.compile import activities, our_definitions, processing_summary
from incident.response.findings import Finding, NotRunnable, Severity
from incident.response.form import model_of, to_cacao
from incident.response.lint import AGAINST_THE_STANDARD, lint
from incident.response.lint_objects import address_fits
from incident.response.lint_standard import KNOWN_WORDS, NEVER_EMPTY
from incident.response.model import Playbook, dump
from incident.response.variables import references

OURS_ALONE = frozenset(
    [
        "command-type-not-run",
        "no-address",
        "bash-targets",
        "bash-elsewhere",
        "no-user",
        "authentication-type",
        "unknown-playbook",
        "playbook-version",
        "unknown-measure",
        "content-type",
        "manual-text",
        "revoked",
        "expired",
        "not-yet-valid",
    ]
)
"""Errors that keep a playbook from running here and that another engine may not mind."""


@dataclass(frozen=True)
class Exported:
    """`text` is CACAO 2.0 JSON. `changes` says what is written in another way than in our file, and why."""

    text: str
    changes: tuple[str, ...]
    findings: tuple[Finding, ...]


class NotExported(NotRunnable):
    """The playbook breaks the standard; `findings` says where."""

    def __init__(self, findings: list[Finding], *, name: str) -> None:
        super().__init__(findings, name=name)
        reasons = "\n".join(
            f"  - {each}\n    → {each.cure}" if each.cure else f"  - {each}" for each in findings
        )
        self.what = f"the playbook breaks the standard and is not handed out:\n{reasons}"
        self.next_step = "correct it, and check it with: incident playbook lint"
        self.args = (self.what,)


def export_playbook(playbook: Playbook, *, name: str, places: Mapping[str, str] | None = None) -> Exported:
    """The playbook for others. Raises `NotExported` with every reason."""
    changes: list[str] = []
    data = dump(playbook)
    _leave_out_the_empty(data)
    _work_out(data)
    for change in (_variables, _addresses, _tokens):
        change(data, changes.append)
    found = lint(model_of(data, name, places or {"": name}), imported=False, places=places)
    wrong = [each for each in found if _breaks(each)]
    if wrong:
        raise NotExported(wrong, name=name)
    return Exported(to_cacao(model_of(data, name, {})), tuple(changes), tuple(found))


def _breaks(finding: Finding) -> bool:
    if finding.severity is Severity.error:
        return finding.code not in OURS_ALONE
    return finding.code in AGAINST_THE_STANDARD


def _work_out(data: dict[str, Any]) -> None:
    """What is worked out is worked out anew: activities, features, the definitions of our extensions."""
    found = activities(data)
    if found:
        data["playbook_activities"] = found
    definitions = {**our_definitions(data), **data.get("extension_definitions", {})}
    if definitions:
        data["extension_definitions"] = definitions
    data["playbook_processing_summary"] = processing_summary(data)
    if not data["playbook_processing_summary"]:
        del data["playbook_processing_summary"]


def _leave_out_the_empty(data: dict[str, Any]) -> None:
    holders = [data]
    for section in ("workflow", *_SECTIONS):
        holders += (data.get(section) or {}).values()
    for step in data["workflow"].values():
        holders += step.get("commands") or []
    for holder in holders:
        for name, value in list(holder.items()):
            if (value is None and name in KNOWN_WORDS) or (name in NEVER_EMPTY and value in ([], {})):
                del holder[name]
    for step in data["workflow"].values():
        if step.get("delay") == 0:
            del step["delay"]


_SECTIONS = ("agent_definitions", "target_definitions", "authentication_info_definitions")


def _variables(data: dict[str, Any], tell: Callable[[str], None]) -> None:
    holders = [data.get("playbook_variables") or {}]
    holders += [step.get("step_variables") or {} for step in data["workflow"].values()]
    for declared in holders:
        for name, each in declared.items():
            if isinstance(each.get("value"), dict):
                each["value"] = json.dumps(each["value"], ensure_ascii=False)
                tell(f"{name}: the object is written as a text, since the official schema takes texts only")


def _addresses(data: dict[str, Any], tell: Callable[[str], None]) -> None:
    """A variable as an address stands under `dname`, the one kind for which the schema takes any text."""
    for section in _SECTIONS[:2]:
        for each in (data.get(section) or {}).values():
            address = each.get("address") or {}
            for kind, several in list(address.items()):
                moved = [
                    value
                    for value in several
                    if kind != "dname"
                    and isinstance(value, str)
                    and references(value)
                    and not address_fits(kind, value)
                ]
                if not moved:
                    continue
                address[kind] = [value for value in several if value not in moved]
                if not address[kind]:
                    del address[kind]
                address["dname"] = [*address.get("dname", []), *moved]
                tell(
                    f"{each['name']}: the variable as its {kind} is written as its dname, which the schema allows"
                )


def _tokens(data: dict[str, Any], tell: Callable[[str], None]) -> None:
    """The schema asks each oauth2 for a token, the text forbids one beside a secret that is named: it stays empty."""
    for each in (data.get("authentication_info_definitions") or {}).values():
        if each.get("type") == "oauth2" and each.get("kms") is True and "token" not in each:
            each["token"] = ""
            tell(
                f"{each.get('name', 'oauth2')}: an empty token stands beside the named secret, as the schema asks"
            )
