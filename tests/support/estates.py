"""A workspace made by the commands themselves, as a person would make it, and copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from incident.ops.drill_estate import facts_text, write_people
from incident.record.sshsig import new_private_key, private_text, public_line
from tests.support.commands import Answer, Snapshot, run, snapshot

INCIDENT = "INC-{year}-0001"
SHANGHAI = ZoneInfo("Asia/Shanghai")
SETTINGS = """
[workspace]
id = "test"
name = "Example"
born = "live"
zone = "Asia/Shanghai"
languages = ["zh-Hans", "en"]

[organisation]
name = { zh-Hans = "示例移动", en = "Example Mobile" }
phone = "020-10000"
email = "privacy@example.com"
website = "www.example.com"
address = { zh-Hans = "示例路11号", en = "11 Example Road" }
protection_officer = { name = { zh-Hans = "陈静", en = "Chen Jing" }, contact = "020-10001" }

[scope]
countries = ["cn", "eu"]

[mail]
host = "127.0.0.1"
port = 9
tls = "none"
from_name = { zh-Hans = "示例移动", en = "Example Mobile" }
from_address = "notice@example.com"
processor = "our own relay"
country = "cn"
relation = "own"

[hooks]
sources = ["wazuh"]

[playbooks]
hosts = ["127.0.0.1", "localhost"]
"""


@dataclass(frozen=True)
class Estate:
    """A workspace of its own for one test. `id` is its one incident."""

    root: Path
    id: str
    keys: Path

    def run(self, *words: str | Path, stdin: str | bytes = "", **environment: str) -> Answer:
        """Call a command in this workspace."""
        return run("--workspace", self.root, *words, stdin=stdin, environment=environment)

    def done(self, *words: str | Path, stdin: str | bytes = "", **environment: str) -> Answer:
        """Call a command that must succeed."""
        answer = self.run(*words, stdin=stdin, **environment)
        assert answer.code == 0, answer.text
        return answer

    def refused(
        self,
        *words: str | Path,
        says: Sequence[str] = (),
        code: int = 1,
        stdin: str | bytes = "",
        **environment: str,
    ) -> Answer:
        """Call a command that must be refused with one clear error, and must leave database and files as before."""
        before = self.snapshot()
        answer = self.run(*words, stdin=stdin, **environment)
        assert answer.code == code, answer.text
        assert answer.out == ""
        assert answer.err.lower().count("error: ") == 1, answer.err
        assert "Traceback" not in answer.err
        for words_of_it in says:
            assert words_of_it in answer.err
        assert self.snapshot() == before
        return answer

    def snapshot(self) -> Snapshot:
        return snapshot(self.root)

    @property
    def settings_file(self) -> Path:
        return self.root / "incident.toml"

    def change_settings(self, old: str, new: str) -> None:
        text = self.settings_file.read_text("utf-8")
        assert old in text
        self.settings_file.write_text(text.replace(old, new), "utf-8")

    def copy_to(self, folder: Path) -> Estate:
        shutil.copytree(self.root, folder)
        return Estate(folder, self.id, self.keys)


def build_estate(folder: Path) -> Estate:
    """The first one, from `init` on: three operators (carl may not approve), one incident with facts and a measure."""
    root, keys = folder / "workspace", folder / "keys"
    keys.mkdir(parents=True)
    estate = Estate(root, INCIDENT.format(year=datetime.now(SHANGHAI).year), keys)
    assert run("init", root, "--country", "cn", "--country", "eu").code == 0
    estate.settings_file.write_text(SETTINGS, "utf-8")
    for name, roles in (("anna", "responder,approver"), ("bo", "responder,approver"), ("carl", "responder")):
        make_key(keys / name)
        estate.done("operator", "add", name, "--key", keys / name, "--roles", roles)
    facts = folder / "facts.yaml"
    facts.write_text(facts_text(now=datetime.now(UTC), zone=SHANGHAI, people=6), "utf-8")
    opened = estate.done(
        "open", "--title", "Member look-up left open", "--facts", facts, "--not-state-secret", "--json"
    )
    assert opened.document["incident"] == estate.id
    estate.done(
        "--as", "anna", "log", estate.id, "closed the interface", "--measure", "contain.disable-endpoint"
    )
    return estate


def make_key(path: Path) -> None:
    """An SSH key pair for an operator: `path` and `path`.pub."""
    key = new_private_key()
    path.write_text(private_text(key), "ascii")
    path.chmod(0o600)
    path.with_name(path.name + ".pub").write_text(public_line(key) + "\n", "ascii")


def with_people(estate: Estate, count: int = 6) -> Estate:
    """Import made-up people."""
    file = estate.keys.parent / f"people-{count}.csv"
    write_people(file, count=count)
    estate.done("people", "import", estate.id, file)
    return estate


def with_release(estate: Estate) -> Estate:
    """People imported and the notice released by two."""
    with_people(estate)
    for name in ("anna", "bo"):
        estate.done("--as", name, "notice", "release", estate.id)
    return estate
