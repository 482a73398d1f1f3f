"""Founding a workspace: a folder with settings, a database at its first revision and a keyring."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from incident.errors import BadInput, WorkspaceError
from incident.setting_values import OrganisationKind
from incident.settings import Born, parse_settings, read_settings
from incident.store.opening import create_store
from incident.workspace import Workspace

_TEMPLATE = """\
# Settings of this workspace. Every key is explained in docs/settings.md.
# A secret is never written here: write env:NAME or file:PATH.

[workspace]
id = {id}
name = {name}
born = {born}
zone = {zone}
languages = ["zh-Hans", "en"]

[organisation]
name = {{ zh-Hans = {name}, en = {name} }}
phone = ""
email = ""
website = ""
# address = {{ zh-Hans = "", en = "" }}
# protection_officer = {{ name = {{ zh-Hans = "", en = "" }}, contact = "" }}

[scope]
countries = {countries}
# What the organisation is, for laws that bind only some of a kind; the others are off.
{organisation}
{store}
[mail]
host = ""
port = 587
tls = "starttls"
# username = "tocsin"
# password = "env:TOCSIN_MAIL_PASSWORD"
from_address = ""
processor = ""
country = ""
relation = "own"

# An operator's short-message centre (docs/sms.md); it is used where [fallback] means names sms.
# [sms.smpp]
# host = ""
# tls = true
# system_id = ""
# password = "env:TOCSIN_SMPP_PASSWORD"
# sender = ""
# processor = ""
# country = ""
# relation = "own"

# Or a provider's SMS gateway over HTTP instead, with the texts that it has approved (docs/sms.md).
# [sms.gateway]
# name = "aliyun"
# key_id = ""
# secret = "env:TOCSIN_SMS_SECRET"
# signature = ""
# templates = [{{ id = "SMS_0", text = "..." }}]
# processor = ""
# country = ""
# relation = "entrusted"
# contract = ""

[promises]
keep_in = []
share_with_no_one = true
# wording = {{ zh-Hans = "", en = "" }}
"""


def found_workspace(
    folder: Path,
    *,
    name: str,
    countries: Sequence[str],
    zone: str,
    born: Born,
    now: datetime,
    store_url: str | None = None,
    store_password: str | None = None,
    organisation: Sequence[OrganisationKind] = (),
    settings_text: str | None = None,
) -> Workspace:
    """Make a workspace in an empty or new folder, with its database there or at `store_url`.

    `store_password` is a reference. Raises `WorkspaceError`, `StoreUnavailable` or `BadInput`; then nothing is left behind.
    """
    folder = folder.expanduser().resolve()
    new = _new_folders(folder)
    if not new and (not folder.is_dir() or any(folder.iterdir())):
        raise WorkspaceError(
            "this folder is not empty", where=str(folder), next_step="name a new folder, or an empty one"
        )
    text = settings_text or _TEMPLATE.format(
        id=json.dumps(secrets.token_hex(8)),
        name=json.dumps(name or folder.name, ensure_ascii=False),
        born=json.dumps(str(born)),
        zone=json.dumps(zone),
        countries=json.dumps(list(countries)),
        organisation=_organisation(organisation),
        store=_store_table(store_url, store_password),
    )
    _check(text, folder)
    workspace = Workspace(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        workspace.settings_file.write_text(text, encoding="utf-8")
        create_store(workspace, read_settings(workspace.settings_file), now=now).close()
    except (OSError, UnicodeEncodeError) as error:
        _clear(folder, new)
        reason = error.strerror if isinstance(error, OSError) else "a name holds a character that is none"
        raise WorkspaceError(
            f"the workspace cannot be made ({reason})",
            where=str(folder),
            next_step="check the disk's space and the folder's rights",
        ) from error
    except BaseException:
        _clear(folder, new)
        raise
    return workspace


def _organisation(kinds: Sequence[OrganisationKind]) -> str:
    line = (
        f"organisation = {json.dumps([str(kind) for kind in kinds or [OrganisationKind.telecom_operator]])}"
    )
    return line if kinds else f"# {line}"


def _store_table(url: str | None, password: str | None) -> str:
    if url is None:
        return ""
    lines = ["", "[store]", f"url = {json.dumps(url)}"]
    if password is not None:
        lines.append(f"password = {json.dumps(password)}")
    return "\n".join([*lines, ""])


def _check(text: str, folder: Path) -> None:
    import tomllib

    where = str(folder / "incident.toml")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(
            f"the settings would be no valid TOML: {error}",
            where=where,
            next_step="use a name and a zone without control characters",
        ) from error
    parse_settings(data, where=where)


def _new_folders(folder: Path) -> list[Path]:
    """The folders that will have to be made, the topmost first."""
    return [each for each in (*reversed(folder.parents), folder) if not each.exists()]


def _clear(folder: Path, new: Sequence[Path]) -> None:
    if new:
        shutil.rmtree(new[0], ignore_errors=True)
        return
    for item in folder.iterdir():
        if item.is_dir():
            shutil.rmtree(item, ignore_errors=True)
        else:
            item.unlink(missing_ok=True)
