"""Tocsin's own extensions to CACAO 2.0 (section 8 of the standard).

The step stays a standard action with a manual command, so that any other engine shows it to a person; the
extension adds what a machine may do with it. Ids are constant. Property names are 3 to 250 of `a-z0-9_`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from incident.errors import BadInput
from incident.response.model import StepBase

OUR_IDENTITY = "identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702"
EXTENSION_VERSION = "1.0.0"


class Extension(StrEnum):
    """The short names people write in the YAML form."""

    approval = "approval"
    regulator_report = "regulator_report"
    notice = "notice"
    containment_action = "containment_action"
    verification = "verification"
    repeatable = "repeatable"
    retries = "retries"
    loop = "loop"
    texts = "texts"


EXTENSION_IDS: Mapping[Extension, str] = {
    Extension.approval: "extension-definition--dc66bdd9-0b7b-4750-9c58-bea7ca3e31da",
    Extension.regulator_report: "extension-definition--7abd4484-c3be-4100-b0c7-c1fe7ef88548",
    Extension.notice: "extension-definition--1568b452-04d3-467b-a5cd-481e90996499",
    Extension.containment_action: "extension-definition--6682a1b1-85db-4ff0-95e2-477e662301dd",
    Extension.verification: "extension-definition--46f356d7-9a3a-46f3-8a9d-7cda5456f5ba",
    Extension.retries: "extension-definition--63eed4bc-5620-492c-a2e3-97cf1733217f",
    Extension.loop: "extension-definition--02595c7f-4fca-4ec3-a0aa-98921a47ae08",
    Extension.repeatable: "extension-definition--77a1af63-ed21-4a34-a18c-f051c80485b0",
    Extension.texts: "extension-definition--267d7717-aab5-408d-b523-3ac6c5ec7e5a",
}
EXTENSION_NAMES: Mapping[str, Extension] = {id_: name for name, id_ in EXTENSION_IDS.items()}
IN_HOUSE = (Extension.notice, Extension.regulator_report)


class _Params(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Approval(_Params):
    """People must agree before the step goes on. Silence and timeouts are never agreement."""

    approver_roles: list[str] = Field(min_length=1)
    quorum: int = Field(default=1, ge=1)
    separation_of_duties: bool = True
    subject: str = Field(min_length=1, default="step")


class NoticeTask(StrEnum):
    draft = "draft"
    release = "release"
    send = "send"
    publish = "publish"


class Notice(_Params):
    """Work on the notice to the people concerned. No task passes the release gate; `send` waits for it."""

    task: NoticeTask = Field(strict=False)


class RegulatorReport(_Params):
    """Prepare a report to an authority. `regime` is a regime's id, or "owed" for each report owed now."""

    regime: str = Field(min_length=1)
    phase: str = Field(min_length=1)


class BlastRadius(StrEnum):
    """Who notices that an action was taken."""

    one_account = "one-account"
    one_host = "one-host"
    one_service = "one-service"
    many_people = "many-people"


class ContainmentAction(_Params):
    """Which measures of the catalogue the step takes when it succeeds, and all that is to be known of them.

    `owner` is the agent whose word counts on this action; `undo_commands` are CACAO commands that take it back, sent
    to the same agent and targets with the values of then; `expires_after` is a number of milliseconds after which
    somebody is asked whether it must go on; `interrupts` is the fact (a duration) that its time in force feeds.
    """

    action_ids: list[str] = Field(min_length=1)
    undo_ids: list[str] = Field(default_factory=list)
    d3fend_ids: list[str] = Field(default_factory=list)
    owner: str | None = None
    blast_radius: BlastRadius | None = Field(default=None, strict=False)
    undo_commands: list[dict[str, Any]] = Field(default_factory=list)
    expires_after: int | None = Field(default=None, ge=1)
    interrupts: str | None = None


class Verification(_Params):
    """The step checks from outside that containment works; its success verifies the steps it names."""

    verifies: list[str] = Field(min_length=1)


class Retries(_Params):
    """A call that failed is made again, `most` times at most, after `pause` milliseconds each.

    One whose outcome is not known is retried only where the step is repeatable too.
    """

    most: int = Field(ge=1, le=20)
    pause: int = Field(default=1000, ge=0, le=3_600_000)


class Loop(_Params):
    """How often a while-condition enters its branch at most; then the step has failed."""

    most_rounds: int = Field(ge=1, le=10_000)


class Repeatable(_Params):
    """The step's calls may be made again where nobody knows whether they were carried out: twice is as once.

    Without it a person is asked. `because` says why twice is as once; it is for those who review the playbook.
    """

    because: str = Field(min_length=1)


class Translation(_Params):
    """A person-facing text in one more language; `commands` by position, "" for none."""

    language: str
    name: str | None = None
    description: str | None = None
    commands: list[str] = Field(default_factory=list)


class ShortName(_Params):
    object_id: str
    short_name: str


class Texts(_Params):
    """Languages of the words in `name`, `description` and manual commands, and the form's short names."""

    language: str = "en"
    translations: list[Translation] = Field(default_factory=list)
    short_names: list[ShortName] = Field(default_factory=list)


PARAMETERS: Mapping[Extension, type[_Params]] = {
    Extension.approval: Approval,
    Extension.regulator_report: RegulatorReport,
    Extension.notice: Notice,
    Extension.containment_action: ContainmentAction,
    Extension.verification: Verification,
    Extension.repeatable: Repeatable,
    Extension.retries: Retries,
    Extension.loop: Loop,
    Extension.texts: Texts,
}
_DESCRIPTIONS: Mapping[Extension, str] = {
    Extension.approval: "People of the named roles must agree before the step goes on.",
    Extension.regulator_report: "The step prepares a report to an authority.",
    Extension.notice: "The step works on the notice to the people concerned.",
    Extension.containment_action: "The measures that the step takes, who owns them, how they are taken back, and when they end.",
    Extension.verification: "The step checks that containment works.",
    Extension.repeatable: "The step's calls may be made again where their outcome is not known.",
    Extension.retries: "A call of the step that failed is made again.",
    Extension.loop: "How often a while-condition enters its branch at most.",
    Extension.texts: "Texts in further languages, and short names of objects.",
}


def definition(name: Extension) -> dict[str, Any]:
    """The `extension_definitions` entry; the JSON Schema stands in it as text."""
    return {
        "type": "extension-definition",
        "name": name.value,
        "description": _DESCRIPTIONS[name],
        "created_by": OUR_IDENTITY,
        "schema": _schema_text(name),
        "version": EXTENSION_VERSION,
    }


@cache
def _schema_text(name: Extension) -> str:
    # Making one takes longer than reading a small playbook, and every playbook declares several.
    return json.dumps(PARAMETERS[name].model_json_schema(), sort_keys=True, separators=(",", ":"))


_P = TypeVar("_P", bound=_Params)


def _read(kind: type[_P], name: Extension, found: Mapping[str, dict[str, Any]]) -> _P | None:
    data = found.get(EXTENSION_IDS[name])
    if data is None:
        return None
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join([name.value, *(str(part) for part in first["loc"])])
        raise BadInput(f"the extension is not as declared: {first['msg']}", where=place) from None


def approval_of(step: StepBase) -> Approval | None:
    return _read(Approval, Extension.approval, step.step_extensions)


def notice_of(step: StepBase) -> Notice | None:
    return _read(Notice, Extension.notice, step.step_extensions)


def report_of(step: StepBase) -> RegulatorReport | None:
    return _read(RegulatorReport, Extension.regulator_report, step.step_extensions)


def measures_of(step: StepBase) -> ContainmentAction | None:
    return _read(ContainmentAction, Extension.containment_action, step.step_extensions)


def verification_of(step: StepBase) -> Verification | None:
    return _read(Verification, Extension.verification, step.step_extensions)


def retries_of(step: StepBase) -> Retries | None:
    return _read(Retries, Extension.retries, step.step_extensions)


def loop_of(step: StepBase) -> Loop | None:
    return _read(Loop, Extension.loop, step.step_extensions)


def is_repeatable(step: StepBase) -> bool:
    return _read(Repeatable, Extension.repeatable, step.step_extensions) is not None


def texts_in(found: Mapping[str, dict[str, Any]]) -> Texts:
    """The texts extension of a playbook, step or agent; empty where there is none."""
    return _read(Texts, Extension.texts, found) or Texts()
