"""Settings of a workspace: one `incident.toml`, secrets only by reference.

A secret is written as `env:NAME` or `file:PATH`; its value is read at the moment of use and never stored.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, field_validator, model_validator

from incident.carrier_settings import CallSettings, MailSettings, PerSecond, SmsSettings
from incident.errors import BadInput, WorkspaceError
from incident.setting_values import (
    Country,
    CountryOrPart,
    Host,
    LanguageTags,
    OrganisationKind,
    Part,
    SecretReference,
    StoreUrl,
    TimeOfDaySpan,
    ZoneName,
)

LANGUAGES = ("zh-Hans", "en")
"""In what Tocsin itself speaks to those who respond. Notices may go out in others too."""
SETTINGS_FILE = "incident.toml"


class Born(StrEnum):
    """What a workspace was made for. It cannot change: a rehearsal never turns into evidence."""

    LIVE = "live"
    DRILL = "drill"


def own_language(tag: str) -> str:
    """The language of Tocsin's own that is nearest to one of a notice: another kind of Chinese, else English."""
    if tag in LANGUAGES:
        return tag
    return "zh-Hans" if tag.startswith("zh") else "en"


class WorkspaceSettings(Part):
    """Who this workspace is. `zone` is the zone in which local times are read and shown.

    `languages` are those of notices to people, the first for whoever has none; each has a folder in `templates/notice`.
    """

    id: str
    name: str
    born: Born = Born.LIVE
    zone: ZoneName = "Asia/Shanghai"
    languages: LanguageTags = Field(default_factory=lambda: ["zh-Hans", "en"])

    @property
    def own_languages(self) -> list[str]:
        """Of `languages`, those that Tocsin itself speaks; another kind of Chinese counts as ours, and English always."""
        return list(dict.fromkeys(map(own_language, self.languages)))


class ProtectionOfficer(Part):
    """The person in charge of personal information protection (PIPL 52) or data protection officer (GDPR 37)."""

    name: dict[str, str] = Field(default_factory=dict)
    contact: str = ""


class Organisation(Part):
    """The handler (controller) as notices and reports name it; texts by language."""

    name: dict[str, str] = Field(default_factory=dict)
    phone: str = ""
    email: str = ""
    website: str = ""
    address: dict[str, str] = Field(default_factory=dict)
    protection_officer: ProtectionOfficer = ProtectionOfficer()


class Scope(Part):
    """The countries in play (ISO 3166-1 alpha-2; `eu` for the Union; a part as us-ca). The rest is reference.

    `organisation`: what the organisation is, where a law binds only some; None: nobody said, and such laws are off.
    """

    countries: list[CountryOrPart] = Field(default_factory=lambda: ["cn"], min_length=1)
    organisation: list[OrganisationKind] | None = None


class StoreSettings(Part):
    """Where things are kept. Relative paths count from the workspace; the keyring may lie elsewhere.

    `password` is the one of the database's user; without it PostgreSQL's own ways (a certificate, `.pgpass`) hold.
    """

    url: StoreUrl = "sqlite:///incident.db"
    password: SecretReference | None = None
    keyring: str = "keyring"


class Engine(Part):
    """How work survives. `stale_seconds`: a worker that gives no sign of life for so long has its jobs taken over.

    `longest_step_seconds`: a job that takes no step for so long hangs, and is taken over too. All workers of one
    database must have the same.
    """

    stale_seconds: float = Field(default=30, ge=2, le=600)
    longest_step_seconds: float = Field(default=300, ge=10, le=3600)


class Plan(Part):
    """What `incident plan` reckons with: what was bought beforehand, and how many people are expected to call.

    None: nobody said, and nothing is made up. `letter_price` is in the currency of `[sms]`.
    """

    mail_per_second: PerSecond | None = None
    sms_per_second: PerSecond | None = None
    letters_per_day: Annotated[int, Field(ge=1)] | None = None
    letter_price: Annotated[Decimal, Field(ge=0, le=1000)] | None = None
    seats: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    minutes_per_call: float = Field(default=8, gt=0, le=240)
    hours_a_day: float = Field(default=12, gt=0, le=24)
    callers_percent: Annotated[float, Field(ge=0, le=100)] | None = None


class WaveSettings(Part):
    """How a notice goes out in waves, and what stops it (docs/waves.md).

    `canary`: people in the first wave; 0: all at once. `growth`: each further wave is so many times all before it.
    `watch_minutes`: how long a wave is watched once it is gone over. The stops hold from `stop_at_least` people on; a
    percentage or number of 0 stops nothing. `quiet_hours`: a time of every day in which nothing leaves.
    `follow_call_centre`: waves are no larger and no quicker than those whom `[plan]` lets answer can bear.
    """

    canary: int = Field(default=50, ge=0, le=500)
    growth: float = Field(default=10, ge=1, le=1000)
    watch_minutes: float = Field(default=2, ge=0, le=1440)
    stop_percent: float = Field(default=5, ge=0, le=100)
    stop_complaints_percent: float = Field(default=0.3, ge=0, le=100)
    stop_reports: int = Field(default=5, ge=0, le=1_000_000)
    stop_at_least: int = Field(default=5, ge=1, le=1_000_000)
    quiet_hours: TimeOfDaySpan = ""
    follow_call_centre: bool = False

    @property
    def can_stop(self) -> bool:
        return bool(self.stop_percent or self.stop_complaints_percent or self.stop_reports)


class Means(StrEnum):
    """A way to tell one person that needs a contact of theirs."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    PHONE = "phone"
    LETTER = "letter"


class Fallback(Part):
    """By what means the organisation tells people, the first choice first, when those before did not reach somebody.

    What no carrier sends from here, people of the organisation carry out.
    """

    means: list[Means] = Field(default_factory=lambda: [Means.EMAIL, Means.LETTER, Means.PHONE], min_length=1)

    @field_validator("means")
    @classmethod
    def _each_once(cls, means: list[Means]) -> list[Means]:
        if len(set(means)) < len(means):
            raise ValueError("each means stands there once")
        return means


class Promises(Part):
    """What the organisation promised in public, checked before anything is sent.

    `keep_in` lists countries that personal data may go to (empty: no promise); `share_with_no_one` refuses
    carriers that are third parties (relation `provided`). `wording` is the sentence of the organisation's own privacy
    policy that says so, by language; a refusal quotes it. `notice_contains` lists the elements that every notice
    to people must hold, whatever a law asks for; the default is what GB/T 35273-2020 10.2 recommends and the
    privacy policies of carriers in China repeat.
    """

    keep_in: list[Country] = Field(default_factory=list)
    share_with_no_one: bool = True
    wording: dict[str, str] = Field(default_factory=dict)
    notice_contains: list[str] = Field(
        default_factory=lambda: [
            "what_happened",
            "consequences",
            "measures_taken",
            "steps_for_person",
            "remedies",
            "contact",
        ]
    )


class Approvals(Part):
    """How many different people must sign."""

    notice_release: int = Field(default=2, ge=2, le=5)


class Hooks(Part):
    """The alert intake: where it listens and which sources may post (`incident source list` names them).

    Each source says in its own file where its secret is kept.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8470, ge=0, le=65535)
    sources: list[str] = Field(default_factory=list)


class Playbooks(Part):
    """What playbooks may reach: `hosts` (a name, `*.name`, an address or a network, each with or without a port),
    this machine by `bash`, and by ssh the hosts whose keys stand in the file `known_hosts`. `ca_file` holds
    certificates to trust beside the usual ones. `variables` are values for external variables, by name without the
    underscores: `containment_url = "..."`; the host of an address among them may be reached. `secrets` says where the
    secrets are kept that playbooks call by name (`kms_key_identifier: ssh-key`).
    """

    variables: dict[str, str] = Field(default_factory=dict)
    secrets: dict[str, SecretReference] = Field(default_factory=dict)
    hosts: list[Host] = Field(default_factory=list)
    bash: bool = False
    known_hosts: str = ""
    ca_file: str = ""


class Targets(Part):
    """The workspace's own internal targets in hours, where the law says "immediately" or "promptly"."""

    immediately_hours: float = Field(default=4, gt=0)
    promptly_hours: float = Field(default=24, gt=0)


class Reminders(Part):
    """When people are reminded of a duty: so many minutes before its end (leads longer than its whole period are left
    out), and from its end on every `after_minutes`, `after_times` times in all."""

    before_minutes: list[Annotated[int, Field(ge=1, le=527040)]] = Field(
        default_factory=lambda: [1440, 240, 60], max_length=20
    )
    after_minutes: int = Field(default=240, ge=5, le=10080)
    after_times: int = Field(default=7, ge=0, le=100)


class Contacts(Part):
    """Contacts outside: after so many days without a check `incident doctor` complains."""

    max_age_days: int = Field(default=180, ge=1, le=3650)


class Escalation(Part):
    """Who is called when nobody answers: after `minutes` the next round begins, and after `rounds` of them it stands
    as unanswered. The first calls everybody with the role, the second their deputies, all others everybody."""

    minutes: float = Field(default=15, gt=0, le=1440)
    rounds: int = Field(default=6, ge=1, le=100)


class Window(Part):
    """The window of the envelope over an A4 sheet, in mm from the sheet's top left corner.

    The default is the address field of DIN 5008, form B, for DL, C6/5 and C4. Windows of Chinese envelopes (ZL) differ
    from maker to maker: measure yours.
    """

    left: float = Field(default=20, ge=10, le=130)
    top: float = Field(default=45, ge=30, le=90)
    width: float = Field(default=85, ge=50, le=120)
    height: float = Field(default=45, ge=22, le=60)

    @model_validator(mode="after")
    def _leaves_room(self) -> Self:
        right = self.left + self.width
        if right > 200:
            raise ValueError(
                "left and width together are at most 200 mm, so that the window lies on the sheet"
            )
        if right > 145 and self.left < 70:
            raise ValueError("beside the window there must be 45 mm for date and reference")
        return self


class Paper(Part):
    """Letters: the envelope's window, marks for folding (mm from the top edge), and which fonts to print with.

    `fonts` names a family by language, for those who do not want the first one found; `font_folder` holds fonts beside
    the system's own. With `duplex` every letter begins on a front side.
    """

    window: Window = Window()
    fold_marks: list[Annotated[float, Field(gt=0, lt=297)]] = Field(
        default_factory=lambda: [105.0, 210.0], max_length=4
    )
    duplex: bool = False
    fonts: dict[str, str] = Field(default_factory=dict)
    font_folder: str = ""

    def geometry(self) -> dict[str, Any]:
        """What is frozen with a letter, as plain data."""
        return self.model_dump(include={"window", "fold_marks", "duplex"})


class Settings(Part):
    """All settings of a workspace."""

    workspace: WorkspaceSettings
    organisation: Organisation = Organisation()
    scope: Scope = Scope()
    store: StoreSettings = StoreSettings()
    engine: Engine = Engine()
    mail: MailSettings = MailSettings()
    sms: SmsSettings = SmsSettings()
    calls: CallSettings = CallSettings()
    promises: Promises = Promises()
    approvals: Approvals = Approvals()
    hooks: Hooks = Hooks()
    playbooks: Playbooks = Playbooks()
    paper: Paper = Paper()
    plan: Plan = Plan()
    waves: WaveSettings = WaveSettings()
    fallback: Fallback = Fallback()
    targets: Targets = Targets()
    reminders: Reminders = Reminders()
    contacts: Contacts = Contacts()
    escalation: Escalation = Escalation()

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.workspace.zone)


def read_settings(path: Path) -> Settings:
    """Settings from an `incident.toml`.

    Raises `WorkspaceError` when the file cannot be read, `BadInput` naming the key when its content is off.
    """
    try:
        # Some editors put a byte-order mark in front.
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise WorkspaceError(
            "there is no settings file", where=str(path), next_step="make a workspace with `incident init`"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise WorkspaceError(f"the settings cannot be read ({error})", where=str(path)) from error
    except tomllib.TOMLDecodeError as error:
        raise BadInput(
            f"the settings are no valid TOML: {error}",
            where=str(path),
            next_step="correct the line; docs/settings.md shows how each setting is written",
        ) from error
    return parse_settings(data, where=str(path))


def parse_settings(data: Mapping[str, Any], *, where: str) -> Settings:
    """Checked settings from plain data. Raises `BadInput` for the first key that is off."""
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            what = f"there is no setting {key}"
        else:
            what = f"the setting {key} is not right: {first['msg'].removeprefix('Value error, ')}"
        raise BadInput(
            what,
            where=where,
            next_step="docs/settings.md lists every setting with an example",
        ) from error


def resolve_secret(reference: str, *, environment: Mapping[str, str] | None = None) -> str:
    """The secret behind `env:NAME` or `file:PATH`, without trailing line ends.

    Raises `BadInput` when it is not there or empty. The message names the reference, never the value.
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        value = (os.environ if environment is None else environment).get(name, "").rstrip("\r\n")
    elif kind == "file":
        try:
            value = Path(name).expanduser().read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError):
            value = ""
    else:
        raise BadInput(f"{reference!r} is no reference to a secret", next_step="write env:NAME or file:PATH")
    if not value:
        raise BadInput(f"the secret {reference} is missing or empty", next_step="set it and try again")
    return value


def secret_reader(playbooks: Playbooks) -> Callable[[str], str]:
    """Reads the secrets of playbooks, by the names that the settings give them.

    A place written in a playbook is none of them: it could have any file of this machine sent anywhere.
    """

    def read(name: str) -> str:
        if name not in playbooks.secrets:
            raise BadInput(
                f"the workspace has no secret of the name {name!r}",
                where="[playbooks] secrets",
                next_step=f'write under [playbooks] secrets in incident.toml: "{name}" = "file:PATH"',
            )
        return resolve_secret(playbooks.secrets[name])

    return read
