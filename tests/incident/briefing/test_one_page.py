"""One page: the text has a budget of lines, and where Chromium is installed the HTML is printed and its pages counted."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest

from incident.briefing.making import Audience, on_one_page
from incident.briefing.render import Format, render
from incident.briefing.sheet import Frame, Head, Line, Section
from incident.briefing.words import Words
from tests.support.commands import ROOT
from tests.support.estates import Estate
from tests.support.tools import need_tool

SHANGHAI = ZoneInfo("Asia/Shanghai")
MOST_LINES = 78
LANGUAGES = ("en", "zh-Hans")
FRAME = Frame(
    incident="INC-2026-0001",
    purpose="hq",
    language="en",
    classification="For headquarters only. Do not pass it on.",
    title="Incident brief for headquarters",
    meta="INC-2026-0001 · " + "a title that somebody typed without end " * 3 + "· Example Mobile",
    foot="As of 2026-11-25 15:25 +08:00, drawn from entry 11 of the record (b6141c2cf368)",
    as_of=datetime(2026, 11, 25, tzinfo=UTC),
    head=Head(11, "b" * 64),
    drill="DRILL. This is a rehearsal.",
)
WORDS = {
    "en": "the interface of member look-up was left open without any sign-in and somebody enumerated numbers",
    "zh-Hans": "会员服务平台的一个查询接口设置有误，外部人员无需登录，就能按号码批量查询会员资料。",
}


@pytest.fixture
def crowded(estate: Estate) -> Estate:
    """An incident with more of everything than a page holds, graded on every scale there is."""
    estate.change_settings(
        'countries = ["cn", "eu"]', 'countries = ["cn", "eu"]\norganisation = ["telecom_operator"]'
    )
    many = {
        name: {"en": f"{WORDS['en']} " * 6, "zh-Hans": WORDS["zh-Hans"] * 6}
        for name in (
            "what_happened",
            "cause",
            "attack_path",
            "impact_so_far",
            "trend",
            "possible_harm",
            "system_facts",
        )
    }
    facts = {
        **many,
        "systems": [f"system-{number}" for number in range(30)],
        "persons": {"min": 1, "max": 90000},
    }
    estate.done("set", estate.id, "--facts", "-", stdin=json.dumps(facts, ensure_ascii=False))
    estate.done("set", estate.id, "discovered_at=unknown", "cii_involved=unknown", "data_class=unknown")
    for action in ("contain.lock-account", "contain.terminate-session", "contain.patch-vulnerability"):
        estate.done(
            "log", estate.id, "done", "--measure", action, "--by", "the night shift of the operations centre"
        )
    for number in range(12):
        file = estate.keys / f"接口访问日志-{number}-{'长' * 20}.csv"
        file.write_text(f"{number}")
        estate.done("evidence", "add", estate.id, file)
    for number in range(5):
        estate.done(
            "hold",
            "add",
            estate.id,
            "--by",
            "police",
            "--until",
            "+48h",
            "--paper",
            f"穗公网安〔2026〕{number}号" * 4,
        )
        order = ("--from", "省通信管理局", "--effect", "require", "--due", "+4h")
        estate.done(
            "instruction", "add", estate.id, f"{number}：每日 9 点和 17 点各报一次处置进展" * 5, *order
        )
    return estate


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("audience", [*Audience])
def test_a_crowded_record_makes_one_page(crowded: Estate, audience: str, language: str) -> None:
    words = ("brief", crowded.id, "--for", audience, "--language", language)
    text = crowded.done(*words).out
    assert len(text.splitlines()) <= MOST_LINES
    if audience in (Audience.HQ, Audience.POLICE):
        assert (
            ("more: incident" in text)
            or ("项，见 incident" in text)
            or ("not shown" in text)
            or ("未列出" in text)
        )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("audience", [*Audience])
def test_a_crowded_record_is_printed_on_one_page(
    crowded: Estate, tmp_path: Path, audience: str, language: str
) -> None:
    words = ("brief", crowded.id, "--for", audience, "--language", language)
    assert pages(crowded.done(*words, "--format", "html").out, tmp_path) == 1


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_said_is_printed_on_one_page(tmp_path: Path, language: str, seed: int) -> None:
    sheet = on_one_page(replace(FRAME, language=language), _sections(Random(seed), language))
    page = render(sheet, Format.HTML, Words(language, SHANGHAI), templates=[ROOT / "templates"])
    assert pages(page, tmp_path) == 1


def _sections(random: Random, language: str) -> list[Section]:
    text = WORDS[language]

    def some(most: int) -> str:
        return (text + " ")[: random.randint(1, len(text))] * random.randint(1, most)

    def line() -> Line:
        label = some(1)[:40] if random.random() < 0.7 else ""
        marks = ("UNREVIEWED", "assumed")[: random.randint(0, 2)]
        return Line(some(4), label=label, note=some(2) if random.random() < 0.6 else "", marks=marks)

    return [
        Section(f"s{number}", some(1)[:20], tuple(line() for _ in range(random.randint(1, 14))), "incident show", least=random.randint(1, 6))
        for number in range(random.randint(3, 9))
    ]  # fmt: skip


def pages(html: str, folder: Path) -> int:
    """How many pages a browser prints."""
    program = need_tool("chromium", "chromium")
    source, target = folder / "page.html", folder / "page.pdf"
    source.write_text(html, encoding="utf-8")
    options = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-pdf-header-footer",
        # It must not look for updates of itself: a test talks to this machine only.
        *(
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ),
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={folder}/profile",
    )
    subprocess.run(
        [program, *options, f"--print-to-pdf={target}", source.as_uri()],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return len(re.findall(rb"/Type\s*/Page\b", target.read_bytes()))
