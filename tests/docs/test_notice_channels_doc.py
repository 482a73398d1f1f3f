"""What the pages say of the small channels is what there is: templates, findings, and the keys of a call."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from incident.notice import gate_calls, gate_channels
from incident.notice.channels import CALL_KEYS, PARTS_FOR_ANYBODY
from incident.workspace import shipped

DOCS = Path(__file__).parents[2] / "docs"
LANGUAGES = ("zh-Hans", "zh-Hant", "en")


def templates_of(language: str) -> set[str]:
    return {file.name for file in (shipped("templates") / "notice" / language).glob("*.txt.j2")}


@pytest.mark.parametrize("page", ["add-a-language.md", "notice-channels.md"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_names_every_template_of_a_small_channel_and_no_other(page: str, language: str) -> None:
    named = set(re.findall(r"`([a-z_.]+\.txt\.j2)`", (DOCS / page).read_text("utf-8")))
    assert named - {"email.txt.j2"} == templates_of(language)


def test_the_page_names_every_finding_of_the_gate() -> None:
    page = (
        (DOCS / "notice-channels.md")
        .read_text("utf-8")
        .split("## What the gate looks at")[1]
        .split("\n## ")[0]
    )
    named = {
        code
        for row in re.findall(r"^\| (`.+?`) \|", page, re.MULTILINE)
        for code in re.findall("`(.+?)`", row)
    }
    source = "".join(inspect.getsource(module) for module in (gate_calls, gate_channels))
    # A code stands right after the severity, in both modules.
    given = set(re.findall(r'Severity\.\w+,\s+"([a-z-]+)"', source))
    assert named == given


def test_the_page_says_where_each_key_of_a_call_leads() -> None:
    page = (DOCS / "notice-channels.md").read_text("utf-8")
    rows = {
        cells[0].strip("` "): cells[3]
        for line in page.splitlines()
        if len(cells := line.strip("|").split("|")) == 4
    }
    for part in ("text", *PARTS_FOR_ANYBODY):
        leads = dict(re.findall(r"(\d): `(\w+)`", rows[part]))
        assert leads == CALL_KEYS.get(part, {})
